"""What is PostgreSQL's alone, and what both stores must do alike: `python3 tests/ops/stores_test.py --edda PATH`."""

import argparse
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]
from live import KEY, Edda, free_port

SERVER = os.path.join(HERE, "..", "..", "ops", "postgres")
HOUSE = os.path.join(HERE, "..", "quality", "house")
OPTIONS = argparse.Namespace(edda="build/edda")
VECTORS = 2000
WAIT = 60  # seconds, for what takes one


def server(verb, directory):
    return subprocess.run([SERVER, verb, directory], check=True, capture_output=True, text=True).stdout.strip()


def clean():
    return {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}


class Pooler:
    """As pgbouncer in transaction mode: who asks for settings of the session is refused."""

    def __init__(self, port):
        self.port = port
        self.door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.door.accept()[0]
            except OSError:  # closed
                return
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        with client:
            head = client.recv(4, socket.MSG_WAITALL)
            start = head + client.recv(int.from_bytes(head, "big") - 4, socket.MSG_WAITALL)
            if b"\0options\0" in start:
                said = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                client.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)
                return
            with socket.create_connection(("127.0.0.1", self.port)) as there:
                there.sendall(start)
                while True:
                    for ready in select.select([client, there], [], [])[0]:
                        got = ready.recv(65536)
                        if not got:
                            return
                        (there if ready is client else client).sendall(got)


class Stores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="edda-stores-")
        os.chmod(cls.directory, 0o711)
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        postgres = os.path.join(cls.directory, "postgres")
        cls.url = server("start", postgres)
        cls.addClassCleanup(server, "stop", postgres)

    def setUp(self):
        name = "stores_" + os.urandom(6).hex()
        self.sql(f"CREATE DATABASE {name}", self.url)
        self.database = self.url.rpartition("/")[0] + "/" + name

    def sql(self, text, url=None):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url or self.database],
                              input=text, capture_output=True, text=True, timeout=WAIT)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def index(self, *words):
        done = subprocess.run([OPTIONS.edda, "index", *words, "--database", self.database], capture_output=True,
                              text=True, timeout=WAIT, env=clean())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fill(self):
        """Vectors of a model and of the built-in one, as if they had been processed."""
        self.assertEqual(self.run_here("migrate")[0], 0)
        self.assertEqual(self.index(), "no vectors yet\n")
        self.sql(f"""
            INSERT INTO model (name, dimension) VALUES ('model-8', 8), ('hash-256', 256);
            INSERT INTO project (name, chunks, model) SELECT 'default', {VECTORS}, id FROM model WHERE name = 'model-8';
            INSERT INTO chunk_vector (project, chunk, model, vector) SELECT p.id, n, m.id,
                ARRAY(SELECT sin(n * d) FROM generate_series(1, m.dimension) d)::real[]::halfvec
                FROM project p, model m, generate_series(1, {VECTORS}) n WHERE m.name = 'model-8' OR n <= 10""")

    # Seen to fail without CONCURRENTLY, and when the build ended as soon as there was progress to show.
    def test_an_index_is_built_while_others_write_and_says_how_far_it_is(self):
        self.fill()
        writer = subprocess.Popen(["psql", "-X", "-q", "-d", self.database], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(writer.communicate)
        writer.stdin.write("BEGIN; UPDATE chunk_vector SET vector = vector WHERE chunk = 1;\n\\echo written\n")
        writer.stdin.flush()
        self.assertEqual(writer.stdout.readline(), "written\n")
        terminal, side = pty.openpty()
        self.addCleanup(os.close, terminal)
        build = subprocess.Popen([OPTIONS.edda, "index", "build", "--database", self.database],
                                 stdout=subprocess.PIPE, stderr=side, text=True, env=clean())
        os.close(side)
        try:
            self.assertIn("waiting for writers", self.read_until(terminal, "waiting for writers"))
            # Who writes now is not held up by the one that waits.
            self.sql("SET lock_timeout = '10s'; UPDATE chunk_vector SET vector = vector WHERE chunk = 2")
            for verb in "build", "drop":  # the server would end one of the two, by chance
                second = subprocess.run([OPTIONS.edda, "index", verb, "--database", self.database],
                                        capture_output=True, text=True, timeout=WAIT, env=clean())
                self.assertEqual(second.returncode, 1)
                self.assertIn("not now: another program", second.stderr)
        finally:
            writer.stdin.write("COMMIT;\n")
            writer.stdin.flush()
            out = build.communicate(timeout=WAIT)[0]
        self.assertEqual(build.returncode, 0)
        self.assertEqual(out, f"model-8: indexed {VECTORS} vectors\n")

    # Seen to crash when who was told to end while it starts asked which part had not, and to end 40 s later, when the
    # supervisor killed its store.
    def test_who_waits_for_another_to_change_the_schema_says_so_and_can_be_ended(self):
        other = subprocess.Popen(["psql", "-X", "-q", "-d", self.database], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.communicate)
        other.stdin.write("BEGIN; SELECT pg_advisory_xact_lock(1701078113);\n\\echo locked\n")
        other.stdin.flush()
        while other.stdout.readline() != "locked\n":
            pass
        for flags in [], ["--processes"]:
            edda = subprocess.Popen([OPTIONS.edda, "up", "--data", os.path.join(self.directory, "waiting"), "--http",
                                     "127.0.0.1:0", "--database", self.database, *flags], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True, env=clean())
            said = ""
            while "schema_locked" not in said:
                line = edda.stderr.readline()
                self.assertNotEqual(line, "", said)
                said += line
            edda.send_signal(signal.SIGTERM)
            said += edda.communicate(timeout=20)[1]  # a drain that has to be cut takes 40
            self.assertEqual(edda.returncode, 0, said)

    # Seen to fail for ever: every statement was refused until somebody restarted the store.
    def test_a_store_whose_database_is_emptied_is_started_again_on_new_tables(self):
        with Edda(OPTIONS.edda, environment={"EDDA_DATABASE_URL": self.database, "EDDA_PROCESSES": "1"}) as edda:
            self.sql("SET client_min_messages = error; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            until = time.monotonic() + WAIT
            while self.sql("SELECT to_regclass('memo') IS NOT NULL") != "t" or edda.request("GET", "/readyz")[0] != 200:
                self.assertLess(time.monotonic(), until, edda.log())
                time.sleep(0.2)
            self.assertIn("database_emptied", edda.log())
            self.assertRegex(edda.log(), "part_exited part=store pid=[0-9]+ status=75")

    @staticmethod
    def read_until(terminal, wanted):
        shown = ""
        until = time.monotonic() + WAIT
        while wanted not in shown and time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    shown += os.read(terminal, 4096).decode(errors="replace")
                except OSError:  # it ended
                    return shown
        return shown

    def test_indexes_are_listed_built_and_dropped(self):
        self.fill()
        model, builtin = sorted(self.index().splitlines(), reverse=True)
        self.assertEqual(model, f"model-8 (8 floats): {VECTORS} vectors, largest project {VECTORS} chunks; index: none")
        self.assertIn("index: none; it needs none, the store compares them in memory", builtin)
        self.assertIn("`edda index build` makes its searches faster",
                      self.index("list", "--vector-exact-chunks", str(VECTORS - 1)))
        self.assertEqual(self.index("build", "--model", "hash-256"), "nothing to build\n")
        done = subprocess.run([OPTIONS.edda, "index", "build", "--model", "modle-8", "--database", self.database],
                              capture_output=True, text=True, timeout=WAIT, env=clean())
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("there are no vectors of modle-8", done.stderr)
        self.assertEqual(self.index("build"), f"model-8: indexed {VECTORS} vectors\n")
        self.assertEqual(self.index("build"), "nothing to build\n")
        self.assertIn("index: ready, ", self.index())
        self.assertEqual(self.sql("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                                  " WHERE c.relname LIKE 'chunk_vector_hnsw_%' AND i.indisvalid"), "1")
        self.assertEqual(self.index("drop"), "model-8: no index any more\n")
        self.assertEqual(self.index("drop"), "nothing to drop\n")

    def run_here(self, *words):
        """(status, output, errors) in a directory of its own, where no data directory is."""
        here = tempfile.mkdtemp(dir=self.directory)
        done = subprocess.run([os.path.abspath(OPTIONS.edda), *words, "--database", self.database],
                              capture_output=True, text=True, timeout=WAIT, env=clean(), cwd=here)
        self.assertEqual(os.listdir(here), [], "a store in a database needs no directory")
        return done.returncode, done.stdout, done.stderr

    def test_keys_jobs_and_doctor_need_no_data_directory(self):
        shown = self.database.rpartition("@")[2]
        status, out, error = self.run_here("migrate")
        self.assertEqual(status, 0, error)
        self.assertIn(f" in the database edda@{shown}", out)
        status, key, error = self.run_here("key", "create", "--project", "books")
        self.assertEqual(status, 0, error)
        status, out, error = self.run_here("key", "list")
        self.assertIn(key[:12], out, error)
        self.assertEqual(self.run_here("key", "revoke", key.strip())[0], 0)
        self.assertIn("0 jobs", self.run_here("jobs")[2])
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        status, out, _ = self.run_here("doctor", "--http", f"127.0.0.1:{port}")
        self.assertEqual(status, 0, out)
        self.assertIn(f"looking into postgres at edda@{shown}", out)
        self.assertIn("the store opens and answers: 0 memos", out)

    # Seen to be brought to this version by whoever looked.
    def test_who_looks_at_tables_of_another_version_changes_none(self):
        shown = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE relnamespace = 'public'::regnamespace"
        looks = ["index"], ["index", "build"], ["jobs"], ["jobs", "redrive", "--all"], ["key", "list"], ["doctor", "--http", f"127.0.0.1:{free_port()}"]
        for words in looks:
            status, out, error = self.run_here(*words)
            self.assertEqual(status, 0 if words[0] == "doctor" else 1, out + error)
            self.assertIn("the database has no tables yet; `edda migrate` or `edda up` makes them", out + error, words)
        self.assertEqual(self.sql(shown), "")
        self.assertEqual(self.run_here("key", "create")[0], 0)
        newest = int(self.sql("SELECT max(version) FROM schema_version"))
        self.sql(f"DELETE FROM schema_version WHERE version = {newest}")
        for words in (*looks, ["key", "create"]):
            status, out, error = self.run_here(*words)
            self.assertEqual(status, 1, words)
            self.assertIn(f"the tables are of schema version {newest - 1}, this program's of {newest}; `edda migrate`",
                          out + error, words)
        self.assertEqual(self.sql("SELECT max(version) FROM schema_version"), str(newest - 1))

    def test_who_cannot_open_the_database_is_told_why_by_every_command(self):
        self.sql("CREATE TABLE schema_version (version bigint PRIMARY KEY, applied_ms bigint NOT NULL);"
                 "INSERT INTO schema_version VALUES (99, 0)")
        for words in (["migrate"], ["index"], ["jobs"], ["key", "list"], ["doctor"]):
            status, out, error = self.run_here(*words)
            self.assertEqual(status, 1, words)
            self.assertIn("the database has schema version 99, this program knows up to", out + error, words)
        with tempfile.TemporaryDirectory() as data:
            status, _, error = self.run_here("up", "--data", data, "--http", "127.0.0.1:0")
        self.assertEqual(status, 1)
        self.assertIn("the database has schema version 99, this program knows up to", error)
        self.assertIn("the store did not start: a version does not fit", error.splitlines()[-1])

    def test_who_comes_through_a_pooler_unprepared_is_told_the_setting(self):
        self.assertEqual(self.run_here("migrate")[0], 0)
        there, _, name = self.database.rpartition("/")
        there, _, port = there.rpartition(":")
        pooler = Pooler(int(port))
        self.addCleanup(pooler.door.close)
        self.database = f"{there}:{pooler.door.getsockname()[1]}/{name}?sslmode=disable"
        advice = "a pooler in transaction mode needs --database-prepare=0"
        status, _, error = self.run_here("jobs")
        self.assertEqual(status, 1)
        self.assertIn(advice, error)
        status, _, error = self.run_here("jobs", "--database-prepare=0")
        self.assertEqual(status, 0, error)
        self.assertNotIn(advice, error)

    def figures(self, environment):
        with Edda(OPTIONS.edda, environment={"EDDA_LOG_LEVEL": "warning", **environment}) as edda:
            done = subprocess.run([OPTIONS.edda, "eval", "--collection", HOUSE, "--typo", "--json",
                                   "--url", f"http://127.0.0.1:{edda.port}", "--key", KEY],
                                  capture_output=True, text=True, timeout=3 * WAIT, env=clean())
        self.assertEqual(done.returncode, 0, done.stderr)
        return {run["name"]: {leg: figure["nDCG@10"]["value"] for leg, figure in run["legs"].items()}
                for run in json.loads(done.stdout)["runs"]}

    def test_judged_questions_have_the_same_ndcg_on_both_stores(self):
        here = self.figures({"EDDA_DATABASE_URL": self.database})
        there = self.figures({})
        self.assertEqual(set(here), {"written", "mistyped"})
        for run, legs in there.items():
            self.assertTrue(legs)
            for leg, value in legs.items():
                with self.subTest(run=run, leg=leg):
                    self.assertGreater(value, 50)
                    self.assertAlmostEqual(here[run][leg], value, delta=0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    unittest.main(argv=["stores_test.py"] + rest)
