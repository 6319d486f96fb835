"""A process that dies at a named point of its work: the same Idempotency-Key gives one document (rows 4, 6, 7
and 8 of the fault list).

`edda-faults` is the program with its fault points (proto/fault_point.h): a file named as the point kills
whoever comes by, and is then gone. Leases are a minute and nobody may wait for one: what a dead life held is
given back when its store starts again, or by the pump when its broker is gone.

Seen to fail: a pump that does not submit EDDA_BACKEND_RELEASE (claim() in actors/store/pump.c) at
pump.after_claim and store.put_chunks.before_commit; a store that does not look for the key (find_earlier() in
actors/store/sqlite/accept.c; tests/fault/guards/07c.patch) at gateway.before_201."""

import argparse
import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import live
import points
import provider
from live import Edda
from sse import Stream

OPTIONS = argparse.Namespace(edda="build/edda", faults=None, database=None, fake_provider=None)
PATIENCE_S = 40  # less than the lease

# Point, and the role that dies there: of the broker a request that is queued, and one that is running.
BROKER = [
    ("broker.received.REQ store.accept", "broker"),
    ("broker.sent.WORK store.accept", "broker"),
]
WRITING = [
    ("store.accept.before_commit", "store"),
    ("store.accept.after_commit", "store"),
    ("gateway.before_201", "gateway"),
    ("pump.after_claim", "store"),
    ("store.put_chunks.before_commit", "store"),
    ("store.put_chunks.after_commit", "store"),
]


class ExitPoints(unittest.TestCase):
    def setUp(self):
        self.fake = provider.FakeProvider(provider.find(OPTIONS.edda, OPTIONS.fake_provider)).start()
        self.addCleanup(self.fake.stop)
        self.edda = Edda(OPTIONS.faults, "--processes", environment={
            "EDDA_LEASE_MS": "60000", "EDDA_LOG_LEVEL": "warning", "LLM_PROVIDER": "local",
            "LOCAL_LLM_BASE_URL": self.fake.url("openai/v1"), "LOCAL_LLM_MODEL": "mock"})
        self.points = points.Points(self.edda)
        self.edda.__enter__()
        self.addCleanup(self.edda.__exit__, None, None, None)
        self.memos = []

    def post(self, number):
        """As a careful client: the same key until an answer comes."""
        title, content = corpus.memo(number)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                status, _, answer = self.edda.request(
                    "POST", "/api/v1/memo", {"title": title, "content": content},
                    {"Idempotency-Key": f'"{number}"'}, timeout=PATIENCE_S)
            except OSError as error:
                status, answer = 0, error
            if status == 201:
                return answer["memo_uuid"]
            self.assertIn(status, (0, 409, 502, 503, 504), answer)
            time.sleep(0.05)
        raise AssertionError(f"no 201 came: {status} {answer}")

    def get(self, path):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                status, _, answer = self.edda.request("GET", path)
            except OSError as error:
                status, answer = 0, error
            if status == 200:
                return answer
            self.assertIn(status, (0, 502, 503, 504), answer)
            time.sleep(0.05)
        raise AssertionError(f"{path} was not served again: {status} {answer}")

    def wait_processed(self, memo):
        until = time.monotonic() + PATIENCE_S
        while (status := self.get(f"/api/v1/memo/{memo}/status")["status"]) == "processing":
            self.assertLess(time.monotonic(), until, "it waits for a lease of a life that is over")
            time.sleep(0.02)
        self.assertEqual(status, "processed")
        chunks = self.get(f"/api/v1/memo/{memo}")["chunks"]
        self.assertGreater(len(chunks), 1)
        self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))
        self.assertEqual(self.get("/api/v1/memo?page_size=1")["count"], len(self.memos))

    def die_at(self, point, number, before=None):
        self.points.arm(point)
        if before:
            before()
        self.memos.append(self.post(number))
        self.points.wait_passed(point)
        self.wait_processed(self.memos[-1])

    def signal_role(self, role, number):
        for pid in self.edda.role(role):
            os.kill(pid, number)

    def test_whoever_dies_in_the_middle_there_is_one_document_with_its_chunks_once(self):
        # What a broker keeps has nothing to do with the database.
        for number, (point, role) in enumerate(WRITING if OPTIONS.database else BROKER + WRITING):
            with self.subTest(point=point, dies=role):
                self.die_at(point, number)
        if not OPTIONS.database:
            self.kill_brokers()
        self.assertEqual(self.edda.stop(), 0, "SIGTERM drains and ends with 0")

    def kill_brokers(self):
        with self.subTest(point="a worker registers", dies="broker"):
            self.die_at("broker.received.HELLO", 100,
                        before=lambda: self.signal_role("chunker", signal.SIGKILL))
        with self.subTest(point="the broker drains", dies="broker"):
            self.die_at("broker.sent.DRAIN", 101, before=lambda: self.signal_role("broker", signal.SIGTERM))
        with self.subTest(point="in the middle of a stream", dies="broker"):
            self.break_a_stream()

    def break_a_stream(self):
        self.fake.set(chat={"tokens": 200, "token_ms": 50})
        stream = Stream(self.edda, "how hot?")
        events = stream.events()
        stream.wait_tokens(events)
        self.points.arm("broker.sent.PART")
        for _ in events:
            pass
        self.points.wait_passed("broker.sent.PART")
        self.assertEqual(stream.kinds()[-2:], ["error", "done"], stream.seen)
        self.assertEqual(self.fake.counters()["chat"]["requests"], 1, "nobody asked again behind the client's back")
        self.fake.wait(lambda counters: counters["chat"]["open"] == 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    points.add_argument(parser)
    live.add_argument(parser)
    provider.add_argument(parser)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.faults = points.find(parser, OPTIONS.edda, OPTIONS.faults)
    unittest.main(argv=sys.argv[:1])
