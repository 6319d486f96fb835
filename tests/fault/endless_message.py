"""A message without an end from a peer that may speak to the broker (row 35 of the fault list). libzmq keeps its
frames until the last comes, whatever MAXMSGSIZE says of each: what bounds it is the limit of the process's
memory. The broker dies inside it, is started again, and nothing accepted is lost.

The limit is AddressSanitizer's (hard_rss_limit_mb), so --edda is a sanitized build; a service has MemoryMax.
Seen to fail: with a supervisor that starts nothing again (guards/35.patch), and without the limit, when the broker
takes all that comes."""

import argparse
import os
import socket
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda")
LIMIT_MB = 400
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
FRAMES = b"\x01\x00" * 300000  # empty, and more to come


class EndlessMessage(unittest.TestCase):
    def post(self, number):
        title, content = corpus.memo(number)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status, _, answer = self.edda.request("POST", "/api/v1/memo", {"title": title, "content": content},
                                                  {"Idempotency-Key": f'"{number}"'}, timeout=60)
            if status == 201:
                return answer["memo_uuid"]
            self.assertEqual(status, 503, answer)
            time.sleep(0.1)
        raise AssertionError("no 201 came")

    def flood(self):
        """Until the broker is gone, or has taken far more than its limit."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(60)
            try:
                peer.connect(os.path.join(self.edda.data, "run", "broker.sock"))
                peer.sendall(GREETING)
                peer.recv(64, socket.MSG_WAITALL)
                peer.sendall(b"\x04" + bytes([len(READY)]) + READY)
                for _ in range(100):
                    peer.sendall(FRAMES)
            except OSError:
                return

    def test_it_costs_the_broker_its_life_inside_its_limit_and_nobody_anything_else(self):
        options = os.environ.get("ASAN_OPTIONS", "")
        self.edda = Edda(OPTIONS.edda, "--processes", environment={
            "EDDA_LOG_LEVEL": "warning", "ASAN_OPTIONS": f"{options}:hard_rss_limit_mb={LIMIT_MB}"})
        with self.edda:
            memos = [self.post(number) for number in range(10)]
            broker, = self.edda.role("broker")
            until = time.monotonic() + 60
            while (now := self.edda.role("broker")) in ([], [broker]):
                self.assertLess(time.monotonic(), until, "the broker was not started again")
                if now:  # again, when it let go of one before its memory was looked at
                    self.flood()
                time.sleep(0.05)
            memos += [self.post(number) for number in range(10, 20)]
            self.assertEqual(len(set(memos)), 20)
            for memo in memos:
                while True:
                    status, _, answer = self.edda.request("GET", f"/api/v1/memo/{memo}/status", timeout=60)
                    if status == 200 and answer["status"] != "processing":
                        break
                    self.assertIn(status, (200, 503), answer)
                    self.assertLess(time.monotonic(), until + 60)
                    time.sleep(0.05)
                self.assertEqual(answer["status"], "processed")
            status, _, answer = self.edda.request("GET", "/api/v1/memo?page_size=1")
            self.assertEqual((status, answer.get("count")), (200, 20), answer)
            self.assertEqual(self.edda.stop(), 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])
