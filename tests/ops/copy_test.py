"""`edda copy` moves a whole store to PostgreSQL: `python3 tests/ops/copy_test.py --edda PATH`."""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
from live import Edda

SERVER = os.path.join(HERE, "..", "..", "ops", "postgres")
TABLES = os.path.join(HERE, "..", "..", "actors", "store", "copy_table.def")
# The store's pulse, the schema's version, how far a copy is: of a database, not of what it keeps.
NOT_COPIED = {"probe", "schema_version", "copy_progress"}
OPTIONS = argparse.Namespace(edda="build/edda")
MEMOS = 75
SIZE = 30000  # bytes of a memo: some batches of the copy


def server(verb, directory):
    return subprocess.run([SERVER, verb, directory], check=True, capture_output=True, text=True).stdout.strip()


class Copy(unittest.TestCase):
    seventh = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="edda-copy-")
        os.chmod(cls.directory, 0o711)
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.postgres = os.path.join(cls.directory, "postgres")
        cls.url = server("start", cls.postgres)
        cls.addClassCleanup(server, "stop", cls.postgres)
        cls.edda = Edda(OPTIONS.edda, environment={"EDDA_LOG_LEVEL": "warning"})
        cls.edda.start()
        cls.addClassCleanup(cls.edda.__exit__, None, None, None)
        cls.post_all()
        cls.answers = cls.ask(cls.edda)
        cls.edda.stop()

    @classmethod
    def post_all(cls):
        for number in range(MEMOS):
            title, content = corpus.memo(number, SIZE)
            uuid = cls.post(cls.edda, number, {"title": title, "content": content, "reference_id": f"memo-{number}",
                                               "tags": ["copied", f"tag-{number % 3}"],
                                               "metadata": {"number": number}})
            cls.seventh = uuid if number == 7 else cls.seventh
        until = time.monotonic() + 120
        while cls.edda.request("GET", "/api/v1/pipeline")[2]["store"]["jobs"]["ready"] and time.monotonic() < until:
            time.sleep(0.2)
        # One more, whose job still waits when the service ends.
        cls.late = cls.post(cls.edda, MEMOS, {"title": "Late", "content": corpus.memo(MEMOS, SIZE)[1]})

    @staticmethod
    def post(edda, number, body):
        status, _, answer = edda.request("POST", "/api/v1/memo", body, {"Idempotency-Key": f'"copy-{number}"'})
        assert status == 201, answer
        return answer["memo_uuid"]

    @staticmethod
    def ask(edda):
        """What searches, a list and a memo say."""
        # Not scores: the database keeps vectors in half of the bits.
        searches = [edda.request("POST", "/api/v1/search", {"query": corpus.unique_word(number), "limit": 1})[2]
                    for number in range(0, MEMOS, 15)]
        searches = [[(found["memo_uuid"], found["chunk_uuid"]) for found in one["results"]] for one in searches]
        memo = searches[0][0][0]
        listed = edda.request("GET", "/api/v1/memo?page_size=20&page=2")[2]
        return searches, edda.request("GET", f"/api/v1/memo/{memo}")[2], listed["results"]

    def setUp(self):
        name = "copy_" + os.urandom(6).hex()
        self.sql(f"CREATE DATABASE {name}")
        self.to = self.url.rpartition("/")[0] + "/" + name

    def sql(self, text, url=None):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url or self.url, "-c", text],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def command(self, source=None, to=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
        return [OPTIONS.edda, "copy", "--from", f"sqlite:{source or self.edda.data}", "--to", self.to if to is None else to], clean

    def copy(self, expect=0, **more):
        words, clean = self.command(**more)
        done = subprocess.run(words, env=clean, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def test_a_copy_that_is_killed_goes_on_and_answers_as_the_store_did(self):
        words, clean = self.command()
        chance, kills = random.Random(3), 0
        while True:
            process = subprocess.Popen(words, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                out, words_of_error = process.communicate(timeout=0.1 + kills * 0.05 + chance.random() * 0.2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                # The dead one's connection is noticed by the server a moment later.
                while self.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", self.to) != "0":
                    time.sleep(0.02)
                continue
            self.assertEqual(process.returncode, 0, words_of_error)
            break
        self.assertGreater(kills, 1)
        self.assertNotIn("DIFFERENT", out)
        self.assertRegex(out, rf"memo +{MEMOS + 1} rows")
        self.assertIn("finished copy", self.copy().stdout)
        environment = {"EDDA_DATABASE_URL": self.to, "EDDA_LOG_LEVEL": "warning", "EDDA_LEASE_MS": "2000"}
        with Edda(OPTIONS.edda, environment=environment) as there:
            until = time.monotonic() + 60
            while there.request("GET", f"/api/v1/memo/{self.late}/status")[2]["status"] != "processed":
                self.assertLess(time.monotonic(), until, "a job that waited goes on")
                time.sleep(0.1)
            self.assertEqual(self.ask(there), self.answers)
            title, content = corpus.memo(7, SIZE)
            again = self.post(there, 7, {"title": title, "content": content, "reference_id": "memo-7",
                                         "tags": ["copied", "tag-1"], "metadata": {"number": 7}})
            self.assertEqual(again, self.seventh, "the same key, the same memo")
            self.assertEqual(there.request("GET", "/api/v1/memo?page_size=1")[2]["count"], MEMOS + 1)
            new = self.post(there, MEMOS + 1, {"title": "New", "content": "Ids go on behind those that were copied."})
            self.assertEqual(there.request("GET", f"/api/v1/memo/{new}")[0], 200)

    def test_a_row_that_differs_is_found(self):
        self.copy()
        self.sql("UPDATE part_text SET text = text || '.' WHERE id = (SELECT min(id) FROM part_text);"
                 "UPDATE copy_progress SET finished = 0", self.to)
        done = self.copy(expect=1)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines() if "DIFFERENT" in line], ["part_text"])
        self.assertIn("not to be used", done.stderr)

    def test_a_database_with_something_else_in_it_is_refused(self):
        with Edda(OPTIONS.edda, environment={"EDDA_DATABASE_URL": self.to}) as other:
            self.post(other, 1, {"title": "Mine", "content": "It was here before."})
        self.assertIn("holds a store already", self.copy(expect=1).stderr)

    def test_half_a_copy_of_another_store_is_refused(self):
        self.copy()
        self.sql("UPDATE copy_progress SET finished = 0, source = 'another'", self.to)
        self.assertIn("another store", self.copy(expect=1).stderr)

    def test_a_finished_copy_of_another_store_is_not_taken_for_one_of_this(self):
        self.copy()
        self.assertIn("finished copy", self.copy().stdout)
        self.sql("UPDATE copy_progress SET source = 'another'", self.to)
        self.assertIn("another store", self.copy(expect=1).stderr)

    def test_every_column_of_the_target_is_copied_or_named_here(self):
        self.copy()
        with open(TABLES) as file:
            copied = {f"{name}.{column.strip()}" for name, columns in
                      re.findall(r'EDDA_COPY_TABLE\(\s*"(\w+)",\s*((?:"[^"]*"\s*)+),', file.read())
                      for column in re.sub(r'"\s*"|"', "", columns).split(",")}
        there = set(self.sql("SELECT table_name || '.' || column_name FROM information_schema.columns"
                             " WHERE table_schema = 'public'", self.to).split())
        there = {column for column in there if column.split(".")[0] not in NOT_COPIED}
        self.assertEqual(there - copied, {"project.forgotten"}, "a column that a copy would lose")
        self.assertEqual(copied - there, set())

    def test_where_nothing_is_nothing_is_made(self):
        nowhere = os.path.join(self.directory, "nowhere")
        self.assertIn("there is no store in", self.copy(expect=1, source=nowhere).stderr)
        self.assertFalse(os.path.exists(nowhere))
        self.assertEqual(self.copy(expect=2, to="").returncode, 2)

    def test_a_store_in_use_is_refused(self):
        self.edda.start()
        try:
            self.assertIn("another", self.copy(expect=1).stderr)
        finally:
            self.edda.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], *rest])
