"""A document that kills whoever cuts it, among others (row 17 of the fault list): it is dead after three deaths, in
`edda jobs --dead` with its reason, its neighbours are processed and nobody else is convicted, and when what it died of
is mended `edda jobs redrive` processes it.

`edda-faults` dies at chunker.poison, a text that begins with that word (proto/fault_point.h). Seen to fail without the
third death (tests/fault/guards/17d.patch): it then goes round for ever."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import live
import points
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda", faults=None, database=None)
NEIGHBOURS = 60
PATIENCE_S = 40
POINT = "chunker.poison"


class Poison(unittest.TestCase):
    def setUp(self):
        self.edda = Edda(OPTIONS.faults, "--processes", environment={"EDDA_LOG_LEVEL": "warning"})
        self.points = points.Points(self.edda)
        self.deaths, self.cured = 0, threading.Event()
        self.edda.__enter__()
        self.addCleanup(self.edda.__exit__, None, None, None)

    def post(self, title, content):
        status, _, answer = self.edda.request("POST", "/api/v1/memo", {"title": title, "content": content})
        self.assertEqual(status, 201, answer)
        return answer["memo_uuid"]

    def status(self, memo):
        status, _, answer = self.edda.request("GET", f"/api/v1/memo/{memo}/status")
        self.assertEqual(status, 200, answer)
        return answer

    def jobs(self, *words):
        done = subprocess.run([OPTIONS.edda, "jobs", *words, "--data", self.edda.data], capture_output=True, text=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def wait_for(self, memo, wanted):
        until = time.monotonic() + PATIENCE_S
        while self.status(memo)["status"] != wanted:
            self.assertLess(time.monotonic(), until, self.status(memo))
            time.sleep(0.02)

    def keep_armed(self):
        """Whoever dies takes the point away; the next one is to die, too."""
        while not self.cured.wait(0.001):
            if not os.path.exists(os.path.join(self.points.folder, POINT)):
                self.deaths += 1
                self.points.arm(POINT)

    def test_poison_is_convicted_and_its_neighbours_are_not(self):
        self.points.arm(POINT)
        threading.Thread(target=self.keep_armed, daemon=True).start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            first = list(pool.map(lambda number: self.post(*corpus.memo(number)), range(NEIGHBOURS // 2)))
            poison = self.post("Poison", "poison is what this document is made of. " * 50)
            rest = list(pool.map(lambda number: self.post(*corpus.memo(number)), range(NEIGHBOURS // 2, NEIGHBOURS)))
        self.wait_for(poison, "error")
        for memo in first + rest:
            self.wait_for(memo, "processed")
        dead = [line for line in self.jobs("--dead").splitlines() if "dead" in line]
        self.assertEqual(len(dead), 1, dead)
        self.assertIn(poison, dead[0])
        self.assertRegex(dead[0], "worker")
        self.assertEqual(self.deaths, 3)
        self.cured.set()
        self.points.disarm(POINT)
        self.jobs("redrive", "--all")
        self.wait_for(poison, "processed")
        self.assertEqual([line for line in self.jobs("--dead").splitlines() if "dead" in line and poison in line], [])
        self.assertEqual(self.edda.stop(), 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    points.add_argument(parser)
    live.add_argument(parser)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.faults = points.find(parser, OPTIONS.edda, OPTIONS.faults)
    unittest.main(argv=sys.argv[:1])
