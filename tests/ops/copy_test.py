"""`edda copy` moves a whole store to PostgreSQL: `python3 tests/ops/copy_test.py --edda PATH`."""

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import provider
from live import Edda
from provider import FakeProvider

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
        for number in range(MEMOS):
            cls.wait_status(cls.edda, f"memo-{number}", "processed", 120)
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
        searches = [edda.request("POST", "/api/v1/search", {"query": corpus.unique_word(number), "limit": 1})[2]
                    for number in range(0, MEMOS, 15)]
        searches = [[(found["memo_uuid"], found["chunk_uuid"], found["distance"]) for found in one["results"]]
                    for one in searches]
        memo = searches[0][0][0]
        listed = edda.request("GET", "/api/v1/memo?page_size=20&page=2")[2]
        return searches, edda.request("GET", f"/api/v1/memo/{memo}")[2], listed["results"]

    def setUp(self):
        name = "copy_" + os.urandom(6).hex()
        self.sql(f"CREATE DATABASE {name}")
        self.to = self.url.rpartition("/")[0] + "/" + name

    def beside(self, directory=None):
        """The store's own database, while no service runs on it."""
        path = os.path.join(directory or self.edda.data, "edda.db")
        return contextlib.closing(sqlite3.connect(path, isolation_level=None))

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
                _, words_of_error = process.communicate(timeout=0.1 + kills * 0.05 + chance.random() * 0.2)
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
        # The last kill may have come behind the last commit: what is there is compared once more.
        self.sql("UPDATE copy_progress SET finished = 0", self.to)
        out = self.copy().stdout
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

    def test_a_copy_that_was_killed_while_it_made_its_tables_goes_on(self):
        # Seen to be refused as a store of an older version.
        with open(os.path.join(os.path.dirname(TABLES), "schema", "postgres", "001.sql")) as step:
            self.sql(step.read(), self.to)
        self.sql("CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY, applied_ms bigint NOT NULL);"
                 "INSERT INTO schema_version VALUES (1, 1)", self.to)
        self.copy()

    def test_what_a_database_allows_a_statement_is_not_for_a_copy(self):
        # Seen to fail when a copy leaves the limits of time as they are: of a large one no digest would ever end.
        name = self.to.rpartition("/")[2]
        subprocess.run([OPTIONS.edda, "migrate", "--database", self.to], check=True, capture_output=True)
        self.sql(f"ALTER DATABASE {name} SET statement_timeout = '60s'")
        self.sql("CREATE TABLE seen (limit_of_time text);"
                 "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES"
                 " (current_setting('statement_timeout')); RETURN NEW; END $$;"
                 "CREATE TRIGGER see BEFORE INSERT ON project FOR EACH ROW EXECUTE FUNCTION see()", self.to)
        self.copy()
        self.assertEqual(self.sql("SELECT * FROM seen", self.to), "0")

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

    # Seen to be brought to this version: the source, which its older program then refused, and a store that was in the way.
    def test_a_store_of_an_older_version_is_left_as_it_is_on_either_side(self):
        newest = "SELECT max(version) FROM schema_version"
        subprocess.run([OPTIONS.edda, "migrate", "--database", self.to], check=True, capture_output=True)
        there = int(self.sql(newest, self.to))
        self.sql(f"DELETE FROM schema_version WHERE version = {there}; INSERT INTO project (name) VALUES ('mine')", self.to)
        self.assertIn(f"the tables are of schema version {there - 1}", self.copy(expect=1).stderr)
        self.assertEqual(self.sql(newest, self.to), str(there - 1))
        with self.beside() as source:
            row = source.execute("SELECT * FROM schema_version ORDER BY version DESC LIMIT 1").fetchone()
            source.execute("DELETE FROM schema_version WHERE version = ?", row[:1])
            try:
                self.assertIn(f"the tables are of schema version {row[0] - 1}", self.copy(expect=1).stderr)
                self.assertEqual(source.execute(newest).fetchone()[0], row[0] - 1)
            finally:
                source.execute("INSERT OR IGNORE INTO schema_version VALUES (?, ?)", row)

    def test_a_copy_of_another_store_is_refused_though_its_tables_are_as_long(self):
        directories = []
        for _ in range(2):
            with Edda(OPTIONS.edda) as edda:
                self.post(edda, 1, {"title": "Twins", "content": "The same text in both of them."})
                until = time.monotonic() + 60
                while edda.request("GET", "/api/v1/memo")[2]["results"][0]["processing_status"] != "processed":
                    self.assertLess(time.monotonic(), until)
                    time.sleep(0.05)
                edda.stop()
                directories.append(shutil.copytree(edda.data, os.path.join(self.directory, "twin" + os.urandom(4).hex())))
        first, second = directories
        self.copy(source=first)
        mine = self.sql("SELECT source FROM copy_progress", self.to)
        self.assertIn("finished copy", self.copy(source=first).stdout)
        self.assertIn("another store", self.copy(expect=1, source=second).stderr)
        self.sql("UPDATE copy_progress SET finished = 0", self.to)
        self.assertIn("another store", self.copy(expect=1, source=second).stderr)
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", self.to)
        self.copy(source=second)
        theirs = self.sql("SELECT source FROM copy_progress", self.to)
        self.assertEqual(mine.split(",")[1:], theirs.split(",")[1:], "they were to differ in nothing but who they are")

    def test_a_copy_of_a_store_that_ran_since_is_not_taken_for_one_of_it(self):
        self.copy()
        self.assertIn("finished copy", self.copy().stdout)
        with self.beside() as store:
            store.execute("UPDATE probe SET at_ms = at_ms + 700")
        self.assertIn("has run", self.copy(expect=1).stderr)

    def test_every_column_of_the_target_is_copied_or_named_here(self):
        self.copy()
        with open(TABLES) as file:
            copied = {f"{name}.{column.strip()}" for name, columns in
                      re.findall(r'EDDA_COPY_TABLE\(\s*"(\w+)",\s*((?:"[^"]*"\s*)+),', file.read())
                      for column in re.sub(r'"\s*"|"', "", columns).split(",")}
        there = set(self.sql("SELECT table_name || '.' || column_name FROM information_schema.columns"
                             " WHERE table_schema = 'public'", self.to).split())
        there = {column for column in there if column.split(".")[0] not in NOT_COPIED}
        # These two are of indexes that stores hold in memory, of which a copy has none yet.
        self.assertEqual(there - copied, {"project.forgotten", "project.embedded"}, "a column that a copy would lose")
        self.assertEqual(copied - there, set())

    def test_chats_keys_dead_jobs_texts_with_nul_and_half_a_change_of_models_arrive(self):
        with FakeProvider(provider.find(OPTIONS.edda)) as fake:
            environment = {"EDDA_LEASE_MS": "2000", "EDDA_LOG_LEVEL": "warning", "OPENAI_API_KEY": "sk-copy", "OPENAI_BASE_URL": fake.url("openai/v1")}
            with Edda(OPTIONS.edda, environment=environment) as edda:
                book, spent = self.fill(edda)
                self.change_models(edda, fake)
                edda.process.kill()  # as a drain would wait for the provider
                edda.stop()
                self.break_some(edda.data)
                done = self.copy(source=edda.data)
                self.assertNotIn("DIFFERENT", done.stdout)
                self.assertIn("U+0000 is a space in 3 texts", done.stdout)
                fake.reset()
                edda.environment["EDDA_DATABASE_URL"] = self.to
                edda.start()
                self.check_arrived(edda, book, spent)

    def run_edda(self, edda, *words):
        done = subprocess.run([OPTIONS.edda, *words], capture_output=True, text=True, timeout=120,
                              env={**edda.environment, "EDDA_DATA": edda.data})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @staticmethod
    def wait_status(edda, reference, wanted, seconds=60):
        until = time.monotonic() + seconds
        while (answer := edda.request("GET", f"/api/v1/memo/{reference}/status?id_type=reference_id"))[2].get("status") != wanted:
            assert time.monotonic() < until, f"{reference} was to be {wanted}: {answer}"
            time.sleep(0.05)

    def post_light(self, edda, number):
        self.post(edda, f"light-{number}", {"title": f"Lighthouse {number}", "reference_id": f"light-{number}",
                                            "content": f"The lamp of tower {number} turns at night. " * 20})

    def fill(self, edda):
        """Memos, a chat, a key of another project and one that was revoked."""
        for number in range(4):
            self.post_light(edda, number)
        for number in range(4):
            self.wait_status(edda, f"light-{number}", "processed")
        status, _, answer = edda.request("POST", "/api/v1/chat", {"query": "Which lamp turns?", "stream": False})
        self.assertEqual(status, 200, answer)
        book = self.run_edda(edda, "key", "create", "--project", "books").strip()
        spent = self.run_edda(edda, "key", "create", "--project", "books").strip()
        self.run_edda(edda, "key", "revoke", spent)
        self.chats = edda.request("GET", "/api/v1/chat")[2]["results"]
        self.assertEqual(len(self.chats), 1)
        self.turns = edda.request("GET", f"/api/v1/chat/{self.chats[0]['uuid']}")[2]
        return book, spent

    def change_models(self, edda, fake):
        """To one that is there, and from that to one whose provider fails."""
        def restart(model, dimension):
            edda.stop()
            edda.environment.update(EMBEDDING_PROVIDER="openai", EMBEDDING_MODEL=model, EMBEDDING_DIMENSION=str(dimension))
            edda.start()
        restart("small", 64)
        self.run_edda(edda, "reembed")
        restart("large", 32)
        # The command itself asks once: what the model is.
        fake.set(embed={"fail": [{"latency_ms": 0, "times": 1}, {"status": 503, "times": -1}]})
        self.run_edda(edda, "reembed", "--no-wait")
        self.post_light(edda, 4)

    def break_some(self, directory):
        with self.beside(directory) as store:
            waits = store.execute("SELECT count(*) FROM job WHERE kind = 1 AND state < 2").fetchone()[0]
            self.assertEqual(waits, 4, "the change was to be half done")
            job, = store.execute("SELECT id FROM job WHERE kind = 0 AND state < 2").fetchone()
            store.execute("UPDATE job SET state = 3, lease_until_ms = 0, last_error = 'no' || char(0) || 'answer' WHERE id = ?", (job,))
            store.execute("UPDATE job SET run_at_ms = 1, lease_until_ms = iif(state = 1, 1, 0)")  # no back-offs, no leases
            store.execute("UPDATE version SET state = 2, error = 'no answer' WHERE id = ?", (job >> 12,))
            store.execute("UPDATE memo SET title = 'Light' || char(0) || 'house' WHERE reference_id = 'light-0'")
            store.execute("UPDATE chunk SET text = replace(text, 'lamp of', 'lamp' || char(0) || 'of')"
                          " WHERE id = (SELECT min(id) FROM chunk)")

    def check_arrived(self, edda, book, spent):
        listed = edda.request("GET", "/api/v1/chat")[2]["results"]
        self.assertEqual(listed, self.chats)
        self.assertEqual(edda.request("GET", f"/api/v1/chat/{listed[0]['uuid']}")[2], self.turns)
        for key, expected in ((book, 200), (spent, 401)):
            status = edda.request("GET", "/api/v1/memo", headers={"Authorization": f"Bearer {key}"})[0]
            self.assertEqual(status, expected)
        first = edda.request("GET", "/api/v1/memo/light-0?id_type=reference_id")[2]
        self.assertEqual(first["title"], "Light house")
        self.assertTrue(first["chunks"][0]["chunk_content"].startswith("The lamp of tower 0"))
        self.wait_status(edda, "light-4", "error")
        self.run_edda(edda, "jobs", "redrive", "--all")
        self.wait_status(edda, "light-4", "processed")
        self.run_edda(edda, "reembed")
        self.assertIn("0 of ", self.run_edda(edda, "reembed", "--look"))
        found = edda.request("POST", "/api/v1/search", {"query": "The lamp of tower 4"})[2]
        self.assertNotIn("degraded", found)
        self.assertEqual(len({one["memo_uuid"] for one in found["results"]}), 5)

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
