"""Parts on several machines, each with its own key: `python3 tests/ops/keys_test.py --edda PATH`.

Every part is a process, and all that passes between them is encrypted tcp on loopback.
"""

import argparse
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from live import children, free_pair, free_port

OPTIONS = argparse.Namespace(edda="build/edda")
SECONDS = 60
LINE = re.compile(r"^(\S+) (\S{40}) (\S+)$")


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}


class Keys(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="edda-keys-")
        self.data = self.path("data")
        self.url = f"tcp://127.0.0.1:{free_pair()}"
        self.processes = {}
        self.secrets = []

    def tearDown(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def run_edda(self, *words, stdin="", seconds=SECONDS, environment=None):
        done = subprocess.run([OPTIONS.edda, *words], input=stdin, capture_output=True, text=True,
                              cwd=self.directory, env={**clean_environment(), **(environment or {})},
                              timeout=seconds)
        return done.returncode, done.stdout, done.stderr

    def make_key(self, name, role=None):
        """Makes NAME.key and gives its line, or its public key."""
        status, out, error = self.run_edda("keygen", f"{name}.key", *(["--role", role] if role else []))
        self.assertEqual(status, 0, error)
        with open(self.path(f"{name}.key")) as file:
            self.secrets.append(re.search(r'secret-key = "(.{40})"', file.read()).group(1))
        self.assertNotIn(self.secrets[-1], out + error)
        return out.strip()

    def authorize(self, *lines):
        with open(self.path("new"), "w") as file:
            file.write("".join(line + "\n" for line in lines))
        os.rename(self.path("new"), self.path("authorized"))

    def log(self, name):
        with open(self.path(f"{name}.log"), errors="replace") as file:
            return file.read()

    def start(self, name, *words):
        log = open(self.path(f"{name}.log"), "ab")
        self.processes[name] = subprocess.Popen([OPTIONS.edda, *words], stdout=log, stderr=log,
                                                cwd=self.directory, env=clean_environment())
        log.close()

    def start_broker(self):
        self.start("broker", "broker", "--listen", self.url, "--data", self.data,
                   "--curve-key", "broker.key", "--authorized", "authorized")

    def joining(self, key):
        return ["--connect", self.url, "--curve-key", f"{key}.key", "--broker-key", "broker.key.pub"]

    def await_log(self, name, text, count=1):
        until = time.monotonic() + SECONDS
        while self.log(name).count(text) < count:
            if time.monotonic() > until or self.processes[name].poll() is not None:
                self.fail(f"{name} did not say {text!r}:\n{self.log(name)}")
            time.sleep(0.05)

    def await_ready(self, address, status):
        until = time.monotonic() + SECONDS
        got = None
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
                    got = answer.status
            except urllib.error.HTTPError as answer:
                got = answer.code
            except OSError:
                got = None
            if got == status:
                return
            time.sleep(0.1)
        self.fail(f"/readyz gave {got}, never {status}")

    def end(self, *names):
        for name in names:
            self.processes[name].send_signal(signal.SIGTERM)
            self.assertEqual(self.processes[name].wait(SECONDS), 0, f"{name}:\n{self.log(name)}")


class Making(Keys):
    def test_a_pair_is_closed_to_others_and_its_line_is_ready_for_the_file(self):
        line = self.make_key("embedder", "worker:embed,worker:rerank")
        name, public, roles = LINE.match(line).groups()
        self.assertEqual((name, roles), ("embedder", "worker:embed,worker:rerank"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("embedder.key")).st_mode), 0o600)
        with open(self.path("embedder.key.pub")) as file:
            text = file.read()
        self.assertIn(f'public-key = "{public}"', text)
        self.assertNotIn("secret-key", text)
        public = self.make_key("plain")
        with open(self.path("plain.key.pub")) as file:
            self.assertIn(f'public-key = "{public}"', file.read())

    def test_a_pair_is_not_lost_by_making_it_again(self):
        self.make_key("first")
        with open(self.path("first.key")) as file:
            before = file.read()
        status, out, error = self.run_edda("keygen", "first.key")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("--overwrite", error)
        with open(self.path("first.key")) as file:
            self.assertEqual(file.read(), before)

    def test_a_role_that_does_not_exist_is_told_before_a_file_is_written(self):
        status, _, error = self.run_edda("keygen", "x.key", "--role", "gatewy")
        self.assertEqual(status, 2)
        self.assertIn("did you mean gateway", error)
        self.assertEqual(os.listdir(self.directory), [])


class Misusing(Keys):
    def check(self, text, *words):
        status, _, error = self.run_edda(*words)
        self.assertEqual(status, 1, error)
        self.assertIn(text, error)
        for secret in self.secrets:
            self.assertNotIn(secret, error)

    def test_what_is_missing_or_open_is_told_and_nothing_starts(self):
        self.make_key("broker")
        self.make_key("worker", "worker:embed")
        listen = ["broker", "--data", self.data, "--listen", self.url]
        connect = ["embedder", "--connect", self.url]
        key = ["--curve-key", "broker.key"]
        self.check("--authorized is missing", *listen, *key)
        self.check("--authorized needs", *listen, "--authorized", "authorized")
        self.check("authorized is refused", *listen, *key, "--authorized", self.path("worker.key.pub"))
        self.check("--broker-key is missing", *connect, *key)
        self.check("--broker-key needs", *connect, "--broker-key", "broker.key.pub")
        self.check("keys for 1 brokers", *connect, *key, "--broker-key",
                   "broker.key.pub,worker.key.pub")
        self.check("that can be read", *connect, *key, "--broker-key", "nowhere.pub")
        self.check("public certificate", *connect, "--curve-key", "worker.key.pub")
        self.check("No such file", *connect, "--curve-key", self.secrets[0], "--broker-key",
                   "broker.key.pub")
        self.authorize()
        os.chmod(self.path("authorized"), 0o666)
        self.check("chmod go-w", *listen, *key, "--authorized", "authorized")
        os.chmod(self.path("worker.key.pub"), 0o600)
        os.chmod(self.path("worker.key"), 0o644)
        self.check("chmod 600", *connect, "--curve-key", "worker.key", "--broker-key",
                   "broker.key.pub")

    def test_nothing_goes_beyond_this_machine_in_the_clear_unless_told_to(self):
        self.check("--insecure-tcp", "broker", "--data", self.data, "--listen", "tcp://0.0.0.0:7701")
        self.check("--insecure-tcp", "up", "--data", self.data, "--listen", "tcp://0.0.0.0:7701")
        for words in (["embedder"], ["gateway"], ["send", "store.ping"], ["key", "list"]):
            self.check("--insecure-tcp", *words, "--connect", "tcp://192.0.2.1:7701")
        self.check("no broker answers", "send", "store.ping", "--connect", "tcp://192.0.2.1:7701",
                   "--insecure-tcp")


class Serving(Keys):
    def send(self, key, op, arguments=None):
        return self.run_edda("send", op, *self.joining(key),
                             stdin=json.dumps(arguments) if arguments else "")

    def test_all_parts_work_over_encrypted_tcp_each_with_a_key_that_may_no_more_than_it_needs(self):
        roles = {"gateway": "gateway", "store": "store", "chunker": "worker:chunk",
                 "embedder": "worker:embed", "reranker": "worker:rerank", "llm": "worker:llm"}
        lines = {name: self.make_key(name, role) for name, role in {**roles, "person": "cli"}.items()}
        self.make_key("broker")
        self.authorize(*lines.values())
        address = f"127.0.0.1:{free_port()}"
        self.start_broker()
        for name in roles:
            own = {"store": ["--data", self.data], "gateway": ["--http", address]}.get(name, [])
            self.start(name, name, *own, *self.joining(name))
        self.await_ready(address, 200)
        status, key, error = self.run_edda("key", "create", *self.joining("person"))
        self.assertEqual(status, 0, error)
        reach = ["--url", f"http://{address}", "--key", key.strip()]
        with open(self.path("memo.txt"), "w") as file:
            file.write("Mount the theodolite before the sun is high.\n")
        status, out, error = self.run_edda("import", "memo.txt", *reach)
        self.assertEqual(status, 0, out + error)
        status, out, error = self.run_edda("search", "where to mount a theodolite", *reach)
        self.assertIn("theodolite", out, error)
        status, out, error = self.run_edda("chat", "where to mount a theodolite", *reach)
        self.assertIn("theodolite", out, error)
        # Without a restart: the gateway's key goes, and comes back.
        self.authorize(*(line for name, line in lines.items() if name != "gateway"))
        self.await_log("gateway", "code=denied")
        self.await_ready(address, 503)
        self.authorize(*lines.values())
        self.await_ready(address, 200)
        self.end("gateway", *(name for name in roles if name != "gateway"), "broker")
        for name in [*roles, "broker"]:
            for secret in self.secrets:
                self.assertNotIn(secret, self.log(name))

    def test_whoever_is_not_let_in_says_why(self):
        self.make_key("broker")
        self.make_key("stranger", "worker:embed")
        plain = f"tcp://127.0.0.1:{free_pair()}"
        self.authorize()
        self.start_broker()
        self.start("plain", "broker", "--listen", plain, "--data", self.path("plain"))
        own = ["--curve-key", "stranger.key", "--broker-key"]
        self.start("refused", "embedder", "--connect", self.url, *own, "broker.key.pub")
        self.start("wrong", "embedder", "--connect", self.url, *own, "stranger.key.pub")
        self.start("open", "embedder", "--connect", plain, *own, "broker.key.pub")
        self.await_log("refused", "this key is not in the broker's authorized file")
        self.await_log("wrong", "is --broker-key the key of this broker")
        self.await_log("open", "handshake_failed")  # libzmq sees a mismatch, or only a connection that broke
        self.end("refused", "wrong", "open", "broker", "plain")

    def await_metrics(self, address, lines):
        """The core's counters become metrics once a second."""
        until = time.monotonic() + SECONDS
        while True:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=SECONDS) as answer:
                told = answer.read().decode()
            if all(re.search("^" + line, told, re.MULTILINE) for line in lines):
                return told
            self.assertLess(time.monotonic(), until, told)
            time.sleep(0.1)

    def test_what_the_broker_refused_is_in_the_metrics_and_not_the_key(self):
        self.make_key("broker")
        person, stranger = self.make_key("person", "cli"), self.make_key("stranger", "cli")
        worker = self.make_key("worker", "worker:embed")
        self.authorize(person, worker)
        address = f"127.0.0.1:{free_port()}"
        self.start("up", "up", "--data", self.data, "--http", address, "--listen", self.url,
                   "--curve-key", "broker.key", "--authorized", "authorized")
        self.await_log("up", "edda serves on")
        self.start("worker", "reranker", *self.joining("worker"))
        status, _, error = self.send("stranger", "store.ping")
        self.assertEqual(status, 1)
        self.assertIn("no broker answers", error)
        self.await_log("worker", "code=role")
        self.authorize("this is no line")
        self.await_log("up", "authorized_refused")
        told = self.await_metrics(address, [
            'edda_broker_handshakes_total{result="unauthorized"} [1-9]',
            'edda_broker_handshakes_total{result="allowed"} [1-9]',
            'edda_broker_resets_total{reason="role"} [1-9]',
            'edda_broker_authorized_reads_total{result="refused"} 1$',
            'edda_broker_authorized_keys 2$'])
        self.end("worker", "up")
        self.assertNotIn(LINE.match(stranger).group(2), self.log("up") + told)

    def test_a_supervisor_gives_the_key_to_the_broker_alone(self):
        self.make_key("broker")
        line = self.make_key("person", "cli")
        self.authorize(line)
        self.start("up", "up", "--processes", "--data", self.data, "--http", "127.0.0.1:0", "--listen",
                   self.url, "--curve-key", "broker.key", "--authorized", "authorized")
        self.await_log("up", "edda serves on")
        seen = set()
        for pid, arguments in children(self.processes["up"].pid):
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
            seen.add(arguments[1])
            self.assertEqual(b"EDDA_CURVE_KEY" in environment, arguments[1] == "broker", arguments)
        self.assertEqual(len(seen), 7)
        status, out, error = self.send("person", "store.ping")
        self.assertEqual(status, 0, error)
        self.end("up")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], "-v", *rest])
