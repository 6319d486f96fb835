#!/usr/bin/env python3
"""ops/postgres: a private server that comes, goes, dies and comes back, with a real pgvector."""
import argparse
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OPS = ROOT / "ops" / "postgres"
WAIT = 900  # a first start may install and compile

HNSW = """
SET client_min_messages = warning;
DROP TABLE IF EXISTS vectors;
CREATE TABLE vectors (id bigint PRIMARY KEY, vector halfvec(8) NOT NULL);
INSERT INTO vectors SELECT n, array_fill(n::real, ARRAY[8])::halfvec FROM generate_series(1, 500) n;
CREATE INDEX near ON vectors USING hnsw (vector halfvec_l2_ops);
ANALYZE vectors;
SET enable_seqscan = off;
EXPLAIN SELECT id FROM vectors ORDER BY vector <-> '[7,7,7,7,7,7,7,7.2]' LIMIT 1;
SELECT id FROM vectors ORDER BY vector <-> '[7,7,7,7,7,7,7,7.2]' LIMIT 1;
"""


def ops(verb, directory):
    return subprocess.run([OPS, verb, directory], capture_output=True, text=True, timeout=WAIT)


class Postgres(unittest.TestCase):
    def setUp(self):
        # Reachable for the server's user, whoever runs this.
        self.directory = tempfile.mkdtemp(prefix="edda-postgres-")
        os.chmod(self.directory, 0o711)

    def tearDown(self):
        ops("stop", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def do(self, verb, directory=None):
        done = ops(verb, directory or self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def sql(self, url, text):
        programs = pathlib.Path(self.directory, "programs").read_text().strip()
        done = subprocess.run([programs + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url],
                              input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_it_starts_once_says_its_url_and_stops(self):
        url = self.do("start")
        self.assertRegex(url, r"^postgres://edda:[A-Za-z0-9]{24}@127\.0\.0\.1:[0-9]+/edda$")
        self.assertEqual(self.do("start"), url)
        self.assertEqual(self.do("url"), url)
        self.assertEqual(self.sql(url, "CREATE TABLE kept (id int); SELECT 1"), "1")
        self.do("stop")
        self.do("stop")
        done = ops("url", self.directory)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no server runs", done.stderr)
        self.assertEqual(self.do("start"), url)
        self.assertEqual(self.sql(url, "SELECT count(*) FROM kept"), "0")

    def test_a_killed_one_starts_again_with_what_was_committed(self):
        url = self.do("start")
        self.sql(url, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        self.do("kill")
        self.assertNotEqual(ops("url", self.directory).returncode, 0)
        self.do("kill")
        self.assertEqual(self.do("start"), url)
        self.assertEqual(self.sql(url, "SELECT id FROM kept"), "1")

    def test_a_restart_keeps_the_url(self):
        url = self.do("start")
        first = self.sql(url, "SELECT pg_postmaster_start_time()")
        self.assertEqual(self.do("restart"), url)
        self.assertNotEqual(self.sql(url, "SELECT pg_postmaster_start_time()"), first)

    def test_pgvector_is_real(self):
        lines = self.sql(self.do("start"), HNSW).splitlines()
        self.assertIn("Index Scan using near", "".join(lines[:-1]))
        self.assertEqual(lines[-1], "7")

    def test_it_is_reached_by_its_socket_and_by_tls(self):
        url = self.do("start")
        port = url.rsplit(":", 1)[1].split("/")[0]
        by_socket = url.replace(f"127.0.0.1:{port}", "") + f"?host={self.directory}&port={port}"
        self.assertEqual(self.sql(by_socket, "SELECT inet_server_addr() IS NULL"), "t")
        by_tls = url.replace("127.0.0.1", "localhost") + \
            f"?sslmode=verify-full&sslrootcert={self.directory}/server.crt"
        self.assertEqual(self.sql(by_tls, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t")

    def test_a_folder_that_only_its_owner_can_reach_will_do(self):
        hidden = os.path.join(self.directory, "hidden", "deep")
        os.makedirs(hidden)
        os.chmod(os.path.dirname(hidden), 0o700)
        url = self.do("start", hidden)
        try:
            self.assertEqual(self.do("url", hidden), url)
            where = pathlib.Path(hidden, "where")
            self.assertEqual(where.exists(), os.getuid() == 0)  # root's server is another user's
        finally:
            self.do("stop", hidden)
        if where.exists():
            elsewhere = where.read_text().strip()
            self.assertTrue(elsewhere.startswith("/var/tmp/edda-postgres."))
            shutil.rmtree(elsewhere)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--edda", help="not used: the same call for all tests")
    _, rest = parser.parse_known_args()
    unittest.main(argv=["postgres_test.py"] + rest)
