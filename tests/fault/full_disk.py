"""A disk that is full, or that takes no writes (row 41 of the fault list): nothing is promised with a 201, what is
asked is told to come again (503), reads go on, and when there is room again all goes on by itself.

The disk is SQLite's own table of system calls (full_disk.c), so that nobody needs the right to mount.

Seen to fail: with the error of EDDA_SQL_COMMIT not looked at (guards/41.patch) a 201 is given for nothing."""

import argparse
import glob
import os
import sqlite3
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import points
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda", faults=None)


class FullDisk(unittest.TestCase):
    def post(self, number):
        title, content = corpus.memo(number)
        return self.edda.request("POST", "/api/v1/memo", {"title": title, "content": content},
                                 {"Idempotency-Key": f'"{number}"'}, timeout=60)

    def post_until_accepted(self, number):
        until = time.monotonic() + 60
        while (answer := self.post(number))[0] != 201:
            self.assertEqual(answer[0], 503, answer)
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)
        return answer[2]["memo_uuid"]

    def wait_processed(self, memo):
        until = time.monotonic() + 60
        while (answer := self.edda.request("GET", f"/api/v1/memo/{memo}/status"))[2].get("status") == "processing":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.assertEqual(answer[2].get("status"), "processed", answer)

    def search(self, number):
        """The one memo that it finds."""
        status, _, answer = self.edda.request("POST", "/api/v1/search", {"query": corpus.unique_word(number), "limit": 1},
                                              timeout=60)
        self.assertEqual((status, len(answer.get("results", ()))), (200, 1), answer)
        return answer["results"][0]["memo_uuid"]

    def test_without_room_nothing_is_promised_and_all_goes_on_by_itself_when_there_is(self):
        self.edda = Edda(OPTIONS.faults, environment={"EDDA_LOG_LEVEL": "warning"})
        disk = points.Points(self.edda)
        with self.edda:
            memos = [self.post_until_accepted(0)]
            self.wait_processed(memos[0])
            for state in ("disk.full", "disk.read_only"):
                with self.subTest(state=state):
                    disk.arm(state)
                    first = len(memos)
                    for number in range(first, first + 5):
                        status, headers, answer = self.post(number)
                        self.assertEqual(status, 503, answer)
                        self.assertTrue(headers["Retry-After"])
                        self.assertEqual(self.search(0), memos[0])
                    self.assertEqual(self.edda.request("GET", "/api/v1/memo?page_size=1")[2]["count"], first)
                    disk.disarm(state)
                    memos += [self.post_until_accepted(number) for number in range(first, first + 5)]
                    for memo in memos:
                        self.wait_processed(memo)
            self.assertEqual(self.edda.stop(), 0)
            name, = glob.glob(os.path.join(self.edda.data, "*.db"))
            with sqlite3.connect(f"file:{name}?mode=ro", uri=True) as database:
                self.assertEqual(database.execute("pragma integrity_check").fetchone()[0], "ok")
                self.assertEqual(database.execute("select count(*) from memo").fetchone()[0], len(memos))
            database.close()
            self.edda.start()
            for number, memo in enumerate(memos):
                self.assertEqual(self.search(number), memo)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    points.add_argument(parser)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.faults = points.find(parser, OPTIONS.edda, OPTIONS.faults)
    unittest.main(argv=sys.argv[:1])
