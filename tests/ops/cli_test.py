"""The command line as people and scripts use it: `python3 tests/ops/cli_test.py --edda PATH`."""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from live import Edda, children, free_port, free_ports

OPTIONS = argparse.Namespace(edda="build/edda")
ROLES = ["broker", "store", "chunker", "embedder", "reranker", "llm", "gateway"]


def run(*words, stdin="", environment=None, directory=None, seconds=60):
    """(exit status, standard output, standard error) of one command."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
    done = subprocess.run([OPTIONS.edda, *words], input=stdin, capture_output=True, text=True,
                          env={**clean, **(environment or {})}, cwd=directory, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


class Directory(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="edda-cli-")
        self.data = os.path.join(self.directory, "data")

    def tearDown(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def write(self, name, content):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path


class Using(Directory):
    def test_help_and_version_end_with_zero(self):
        for words in (["--help"], ["help"], ["-h"], ["--version"], ["help", "settings"]):
            status, out, _ = run(*words)
            self.assertEqual(status, 0, words)
            self.assertIn("edda", out.lower())

    def test_every_command_has_a_manual_both_ways(self):
        for command in ["up", *ROLES, "key", "import", "search", "chat", "send", "jobs", "doctor", "eval", "keygen",
                        "migrate", "copy", "index", "reembed"]:
            for words in (["help", command], [command, "--help"]):
                status, out, _ = run(*words)
                self.assertEqual(status, 0, words)
                self.assertIn(f"usage: edda {command}", out)

    def test_wrong_use_ends_with_two_and_says_what_is_near(self):
        for words, said in ((["serch"], "search"), (["up", "--dta", "x"], "--data"), ([], "edda up"),
                            (["up", "word"], "word"), (["key"], "missing"), (["key", "mak"], "create"),
                            (["key", "revoke"], "revoke"), (["jobs", "redrive"], "redrive"),
                            (["jobs", "redrive", "x"], "job id"), (["send", "embd"], "embed"),
                            (["send", "rerank"], "alone"), (["up", "--workers", "store=2"], "store"),
                            (["index", "status"], "list, build and drop"), (["index"], "--database is needed"),
                            (["copy", "--from", "data"], "--from has to be sqlite:DIR"),
                            (["copy", "--from", "sqlite:data"], "--to has to be postgres://"),
                            (["search"], "missing"), (["chat"], "missing"), (["import"], "missing"),
                            (["reembed", "x"], "too much"),
                            (["help", "nothing"], "nothing")):
            status, out, error = run(*words)
            self.assertEqual(status, 2, (words, out, error))
            self.assertIn(said, error, words)

    def test_an_unknown_variable_is_refused_by_its_nearest(self):
        status, _, error = run("jobs", environment={"EDDA_DTA": "/x"})
        self.assertEqual(status, 2)
        self.assertIn("EDDA_DATA", error)

    def test_without_a_service_commands_say_how_to_start_one(self):
        url = f"http://127.0.0.1:{free_port()}"
        for words in (["send", "store.ping"], ["reembed"]):
            status, _, error = run(*words, "--data", self.data)
            self.assertEqual(status, 1)
            self.assertIn("edda up", error)
        status, _, error = run("search", "x", "--url", url, seconds=90)
        self.assertEqual(status, 1)
        self.assertIn("no answer", error)

    def test_a_data_directory_that_cannot_be_made_is_told(self):
        path = self.write("file", "x")
        status, _, error = run("up", "--data", path, "--http", "127.0.0.1:0")
        self.assertEqual(status, 1)
        self.assertIn("data directory", error)

    def test_a_port_in_use_is_told_and_ends_it(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for flags in ((), ("--processes",)):
                status, _, error = run("up", "--data", self.data, "--http", address, *flags)
                self.assertEqual(status, 1, error)
                self.assertIn("gateway did not start: " + address, error)

    def test_a_wrong_address_is_told_in_the_last_line(self):
        for flags, text in ((("--http", "here"), "--http here is not ADDRESS:PORT"),
                            (("--http", "127.0.0.1:65536"), "127.0.0.1:65536 is not ADDRESS:PORT"),
                            (("--listen", "http://x"), "http://x is not tcp://"),
                            (("--listen", "tcp://0.0.0.0:7701"), "--insecure-tcp")):
            status, _, error = run("up", "--data", self.data, *flags)
            self.assertEqual(status, 1, error)
            self.assertIn(text, error.splitlines()[-1])

    def test_a_broker_that_is_not_there_is_named(self):
        url = f"tcp://127.0.0.1:{free_port()}"
        status, _, error = run("send", "store.ping", "--connect", url)
        self.assertEqual(status, 1)
        self.assertIn(f"no broker answers at {url}", error)
        status, out, _ = run("doctor", "--connect", url, "--data", self.data)
        self.assertEqual(status, 1)
        self.assertIn(f"no broker answers at {url}", out)
        status, _, error = run("send", "store.ping", "--connect", "here")
        self.assertEqual(status, 1)
        self.assertIn("here is no broker's URL", error)
        for part, wrong in (("embedder", "here"), ("store", "tcp://127.0.0.1:65535"), ("gateway", "ipc://*")):
            status, _, error = run(part, "--data", self.data, "--connect", "tcp://127.0.0.1:7701," + wrong)
            self.assertEqual(status, 1, error)
            self.assertIn(f"{wrong} is no broker's URL", error)


class Offline(Directory):
    """Keys and jobs where nothing serves: broker and store run inside the command."""

    def test_a_key_lives_from_create_to_revoke(self):
        status, key, error = run("key", "create", "--project", "books", "--data", self.data)
        self.assertEqual(status, 0, error)
        self.assertRegex(key, r"^sk_proj_[0-9a-f]{40}\n$")
        status, out, error = run("key", "list", "--data", self.data)
        self.assertEqual(status, 0, error)
        self.assertIn(key[:12], out)
        self.assertIn("books", out)
        self.assertIn("valid", out)
        self.assertNotIn(key.strip(), out, "a key is shown once")
        self.assertEqual(run("key", "revoke", key.strip(), "--data", self.data)[0], 0)
        self.assertIn("revoked", run("key", "list", "--data", self.data)[1])
        status, _, error = run("key", "revoke", key.strip(), "--data", self.data)
        self.assertEqual(status, 1, error)

    # Seen to be told that `edda up` makes the tables: a first `key create` that was killed before it made them.
    def test_a_key_is_made_where_a_first_start_left_no_tables(self):
        os.makedirs(self.data, mode=0o700)
        with open(os.path.join(self.data, "edda.db"), "w"):
            pass
        self.assertEqual(run("key", "list", "--data", self.data)[0], 1)
        status, key, error = run("key", "create", "--data", self.data)
        self.assertEqual(status, 0, error)
        self.assertIn(key[:12], run("key", "list", "--data", self.data)[1])

    def test_no_key_is_stored_in_the_clear(self):
        key = run("key", "create", "--data", self.data)[1].strip()
        for folder, _, names in os.walk(self.data):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(key.encode(), file.read(), name)

    def test_files_are_for_their_user_alone_also_in_an_open_directory(self):
        os.mkdir(self.data)
        os.chmod(self.data, 0o755)
        self.assertEqual(run("key", "create", "--data", self.data)[0], 0)
        made = [os.path.join(folder, name) for folder, _, names in os.walk(self.data) for name in names]
        self.assertTrue(any(path.endswith("edda.db") for path in made), made)
        for path in made:
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)

    def test_looking_makes_no_data_directory(self):
        for words in (["jobs"], ["key", "list"], ["key", "revoke", "x"]):
            status, out, error = run(*words, "--data", self.data)
            self.assertEqual((status, out), (1, ""), error)
            self.assertIn("there is no data directory", error)
            self.assertFalse(os.path.exists(self.data))

    def test_looking_makes_no_store_where_only_the_sockets_of_one_in_a_database_are(self):
        os.mkdir(self.data)
        for words in (["jobs"], ["key", "list"], ["key", "revoke", "x"]):
            status, out, error = run(*words, "--data", self.data)
            self.assertEqual((status, out), (1, ""), error)
            self.assertIn("there is no store in", error)
        status, out, _ = run("doctor", "--data", self.data, "--http", f"127.0.0.1:{free_port()}")
        self.assertEqual(status, 0, out)
        self.assertIn("there is no store in", out)
        self.assertEqual(os.listdir(self.data), [])

    def test_jobs_of_an_empty_directory_are_none(self):
        run("key", "create", "--data", self.data)
        status, out, error = run("jobs", "--data", self.data)
        self.assertEqual((status, out), (0, ""), error)
        self.assertIn("0 jobs", error)
        self.assertEqual(run("jobs", "redrive", "--all", "--data", self.data)[0], 0)
        status, _, error = run("jobs", "redrive", "7", "--data", self.data)
        self.assertEqual(status, 1)
        self.assertIn("no dead job", error)

    def test_a_doctor_finds_nothing_wrong_with_a_fresh_directory(self):
        flags = ["--data", self.data, "--http", f"127.0.0.1:{free_port()}"]
        status, out, _ = run("doctor", *flags)
        self.assertEqual(status, 0, out)
        run("key", "create", "--data", self.data)
        status, out, _ = run("doctor", *flags)
        self.assertEqual(status, 0, out)
        self.assertIn("the store opens", out)

    def test_a_doctor_names_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            status, out, _ = run("doctor", "--data", self.data, "--http",
                                 f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(status, 1, out)
        self.assertIn("BAD", out)


    # Seen to be brought to this version by whoever looked. On PostgreSQL: stores_test.py.
    def test_who_looks_into_a_directory_of_an_older_version_leaves_it(self):
        self.assertEqual(run("migrate", "--data", self.data)[0], 0)
        database = sqlite3.connect(os.path.join(self.data, "edda.db"), isolation_level=None)
        self.addCleanup(database.close)
        newest = database.execute("SELECT max(version) FROM schema_version").fetchone()[0]
        database.execute("DELETE FROM schema_version WHERE version = ?", (newest,))
        for words in (["jobs"], ["key", "list"], ["key", "create"], ["doctor", "--http", f"127.0.0.1:{free_port()}"]):
            status, out, error = run(*words, "--data", self.data)
            self.assertEqual(status, 1, words)
            self.assertIn(f"the tables are of schema version {newest - 1}, this program's of {newest}; `edda migrate`",
                          out + error)
        self.assertEqual(database.execute("SELECT max(version) FROM schema_version").fetchone()[0], newest - 1)


class Starting(Directory):
    def start(self, *flags, environment=None, before=None, log=subprocess.DEVNULL):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
        process = subprocess.Popen([OPTIONS.edda, "up", "--data", self.data, "--http", "127.0.0.1:0",
                                    *flags], stdout=subprocess.PIPE, stderr=log,
                                   text=True, env={**clean, **(environment or {})}, preexec_fn=before)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def read_until(self, process, pattern):
        seen = ""
        while True:
            line = process.stdout.readline()
            if not line:
                self.fail(f"ended before {pattern}: {seen}")
            seen += line
            if re.search(pattern, line):
                return seen

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        self.assertEqual(process.wait(60), 0)
        return rest

    # Seen to end with 0 and without a word, as one that had finished all.
    def test_a_drain_that_a_second_signal_cuts_off_says_so_by_its_status(self):
        slow = {"EDDA_GRACE_MS": "30000", "EDDA_DRAIN_MS": "60000"}
        with Edda(OPTIONS.edda) as edda:
            part = subprocess.Popen([OPTIONS.edda, "gateway", "--data", edda.data, "--http", "127.0.0.1:0"],
                                    stderr=subprocess.PIPE, text=True, env={**os.environ, **slow})
            self.addCleanup(part.stderr.close)
            self.cut_off(part, part.stderr, "session_live", signal.SIGTERM)
        for flags, number in (((), signal.SIGINT), (("--processes",), signal.SIGTERM)):
            self.data = os.path.join(self.directory, "cut" + "".join(flags))
            both = self.start(*flags, environment=slow, log=subprocess.STDOUT)
            self.cut_off(both, both.stdout, "serves on", number)

    def cut_off(self, process, output, ready, number):
        for line in output:
            if ready in line:
                break
        process.send_signal(number)
        for line in output:
            if "draining loop=gateway" in line:
                break
        time.sleep(1)  # what comes at once is the same signal
        process.send_signal(number)
        said = output.read()
        self.assertEqual(process.wait(10), 128 + number, said)
        self.assertIn("told a second time to end", said)

    def test_a_first_start_shows_a_key_once(self):
        for flags in ((), ("--processes",)):
            self.data = os.path.join(self.directory, "data" + "".join(flags))
            first = self.start(*flags)
            seen = self.read_until(first, "serves on")
            while "key:" not in seen:
                seen += self.read_until(first, ".")
            key = re.search(r"key: (sk_proj_[0-9a-f]{40})", seen).group(1)
            url = re.search(r"serves on (http://\S+)", seen).group(1)
            status, out, error = run("search", "anything", "--url", url, "--key", key)
            self.assertEqual((status, out), (0, "nothing found\n"), error)
            self.end(first)
            second = self.start(*flags)
            seen = self.read_until(second, "serves on")
            self.assertNotIn("key:", seen + self.end(second))

    def test_no_key_is_made_when_one_is_given_and_nobody_asked_for_one(self):
        for flags in ((), ("--processes",)):
            log = self.write("log" + "".join(flags), "")
            with open(log, "w") as out:
                process = self.start(*flags, environment={"EDDA_API_KEY": "sk_proj_" + "1" * 40}, log=out)
            seen = self.read_until(process, "serves on") + self.end(process)
            self.assertNotIn("key:", seen)
            with open(log) as said:
                said = said.read()
            self.assertIn('joined name="gateway"', said)
            self.assertNotIn('name="cli"', said)

    def test_a_second_service_on_the_same_directory_is_refused(self):
        process = self.start()
        self.read_until(process, "serves on")
        status, _, error = run("up", "--data", self.data, "--http", "127.0.0.1:0")
        self.assertEqual(status, 1)
        self.assertIn("another Edda runs on the data directory", error.splitlines()[-1])
        self.end(process)

    def test_a_directory_too_deep_for_a_socket_serves_all_the_same(self):
        self.data = os.path.join(self.directory, "d" * 60, "e" * 60)
        process = self.start()
        self.read_until(process, "serves on")
        self.assertEqual(run("send", "store.ping", "--data", self.data)[0], 0)
        self.end(process)

    def test_a_socket_directory_that_somebody_else_could_use_is_not_used(self):
        self.data = os.path.join(self.directory, "d" * 60, "e" * 60)
        os.makedirs(self.data)
        name = hashlib.sha256(os.path.realpath(self.data).encode()).hexdigest()[:16]
        short = os.path.join(self.directory, f"edda-{os.geteuid()}-{name}")
        os.mkdir(short)
        os.chmod(short, 0o770)
        status, _, error = run("up", "--data", self.data, "--http", "127.0.0.1:0",
                               environment={"XDG_RUNTIME_DIR": self.directory})
        self.assertEqual(status, 1)
        self.assertIn("not a directory that only you can use", error)

    def test_children_end_when_their_supervisor_is_killed(self):
        process = self.start("--processes")
        self.read_until(process, "serves on")
        pids = [pid for pid, argv in children(process.pid) if argv[1:2] and argv[1] in ROLES]
        self.assertEqual(len(pids), len(ROLES))
        process.kill()
        until = time.monotonic() + 40
        while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])

    def test_all_threads_are_scheduled_as_batches_unless_a_policy_was_given(self):
        def idle():
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

        for before, policy in ((None, os.SCHED_BATCH), (idle, os.SCHED_IDLE)):
            self.data = os.path.join(self.directory, str(policy))
            process = self.start(before=before)
            self.read_until(process, "serves on")
            threads = os.listdir(f"/proc/{process.pid}/task")
            self.assertGreater(len(threads), len(ROLES))
            self.assertEqual({os.sched_getscheduler(int(thread)) for thread in threads}, {policy})
            self.end(process)

    def test_every_process_shows_its_counters_at_a_port_of_its_own(self):
        first = free_ports(len(ROLES))
        ports = range(first, first + len(ROLES))
        process = self.start("--processes", "--metrics", f"127.0.0.1:{ports[0]}")
        self.read_until(process, "serves on")
        seen = {role: self.read_counters(port) for role, port in zip(ROLES[:-1], ports)}
        self.assertIn('edda_job_seconds_count{op="store.key_create"} 1', seen["store"])
        until = time.monotonic() + 60  # the broker counts once a second
        while 'edda_broker_workers{service="llm"} 1' not in seen["broker"] and time.monotonic() < until:
            seen["broker"] = self.read_counters(ports[0])
        self.assertIn('edda_broker_workers{service="llm"} 1', seen["broker"])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/api/v1/memo", timeout=30)
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()
        with socket.socket() as gateway:  # it has them at its own address
            self.assertNotEqual(gateway.connect_ex(("127.0.0.1", ports[-1])), 0)
        self.end(process)

    def read_counters(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            return answer.read().decode()

    def test_counters_that_cannot_be_shown_are_told(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for wrong, text in (("here", "--metrics here is not ADDRESS:PORT"),
                                (address, f"{address} cannot be listened on")):
                status, _, error = run("store", "--data", self.data, "--metrics", wrong)
                self.assertEqual(status, 1)
                self.assertIn("the metrics did not start: " + text, error.splitlines()[-1])
        status, _, error = run("up", "--data", self.data, "--metrics", "127.0.0.1:0")
        self.assertEqual(status, 2)
        self.assertIn("/metrics has all", error)

    def test_a_part_that_keeps_dying_ends_the_whole_with_words(self):
        errors = os.path.join(self.directory, "errors")
        with open(errors, "wb") as out:
            process = subprocess.Popen(
                [OPTIONS.edda, "up", "--processes", "--data", self.data, "--http", "127.0.0.1:0"],
                stdout=subprocess.PIPE, stderr=out, text=True)
        self.addCleanup(process.stdout.close)
        self.read_until(process, "serves on")
        until = time.monotonic() + 55
        while process.poll() is None and time.monotonic() < until:
            for pid, argv in children(process.pid):
                if argv[1:2] == ["reranker"]:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        self.assertEqual(process.wait(30), 1)
        with open(errors) as said:
            self.assertIn("the reranker ended 11 times", said.read())

    def test_workers_may_be_more_than_one(self):
        process = self.start("--processes", "--workers", "embedder=2", "--workers", "chunker=3")
        self.read_until(process, "serves on")
        names = [argv[1] for _, argv in children(process.pid) if len(argv) > 1]
        self.assertEqual((names.count("embedder"), names.count("chunker")), (2, 3))
        self.end(process)


class Serving(Directory):
    def test_send_asks_one_stage(self):
        with Edda(OPTIONS.edda) as edda:
            flags = ["--data", edda.data]
            status, out, error = run("send", "chunk", *flags,
                                     stdin='{"text": "# One\\n\\nA paragraph.", "format": "markdown"}')
            self.assertEqual(status, 0, error)
            self.assertEqual(json.loads(out)["chunks"][0]["number"] if
                             "number" in json.loads(out)["chunks"][0] else 0, 0)
            status, out, error = run("send", "embed", *flags,
                                     stdin='{"input_type": "query", "texts": ["one", "two"]}')
            self.assertEqual(status, 0, error)
            self.assertEqual(json.loads(out)["count"], 2)
            self.assertEqual(json.loads(run("send", "store.ping", *flags)[1])["backend"], "sqlite")
            self.assertIn("services", json.loads(run("send", "broker.status", *flags)[1]))
            for stdin, said in (("{", "not JSON"), ('{"txt": "x"}', "txt"), ('{"text": 7}', "text"),
                                ("[]", "")):
                status, _, error = run("send", "chunk", *flags, stdin=stdin)
                self.assertEqual(status, 1, stdin)
                self.assertIn(said, error)
            status, _, error = run("send", "store.get", *flags, stdin='{"id": "nobody"}')
            self.assertEqual(status, 1)
            self.assertIn("not found", error)

    def test_a_worker_from_outside_joins_by_the_data_directory(self):
        with Edda(OPTIONS.edda) as edda:
            worker = subprocess.Popen([OPTIONS.edda, "embedder", "--data", edda.data])
            until = time.monotonic() + 60
            workers = 0
            while workers < 2 and time.monotonic() < until:
                status = json.loads(run("send", "broker.status", "--data", edda.data)[1])
                workers = sum(service["workers"] for service in status["services"]
                              if service["name"] == "embed")
                time.sleep(0.1)
            self.assertEqual(workers, 2)
            worker.send_signal(signal.SIGTERM)
            self.assertEqual(worker.wait(60), 0)

    def test_a_doctor_sees_the_service_and_its_stages(self):
        with Edda(OPTIONS.edda) as edda:
            status, out, _ = run("doctor", "--data", edda.data, "--http", f"127.0.0.1:{edda.port}")
            self.assertEqual(status, 0, out)
            for stage in ("store", "chunk", "embed", "rerank", "llm"):
                self.assertRegex(out, rf"{stage}: \d+ worker")

    def test_a_key_made_and_revoked_beside_the_service_counts_at_once(self):
        with Edda(OPTIONS.edda) as edda:
            key = run("key", "create", "--data", edda.data)[1].strip()
            self.assertEqual(run("search", "x", "--url", edda_url(edda), "--key", key)[0], 0)
            self.assertEqual(run("key", "revoke", key[:12], "--data", edda.data)[0], 0)
            until = time.monotonic() + 60
            status = 0
            while status == 0 and time.monotonic() < until:
                status, _, error = run("search", "x", "--url", edda_url(edda), "--key", key)
                time.sleep(0.2)
            self.assertEqual(status, 1)
            self.assertIn("Unauthorized", error)


def edda_url(edda):
    return f"http://127.0.0.1:{edda.port}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], "-v", *rest])
