"""Two brokers, and links that fall silent without being closed (rows 31 and 32 of the fault list): what is asked
goes on by the other broker, both sides of a dead link give it up, and it heals without a restart.

A broker is silent for three pings of a second before it is given up; the bounds here are wider, for machines
that stall.

Seen to fail: with a session whose silence is not noticed (guards/32.patch) a worker that hears nothing stays;
with a broker that does not look at heard_ms (guards/31.patch) so does a worker that is not heard."""

import argparse
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
from cluster import Cluster
from relay import Relay

OPTIONS = argparse.Namespace(edda="build/edda")
SLOWEST_S = 15  # 3 s of failover, and a loaded machine under a sanitizer
FAR = ("chunker", "embedder", "reranker")  # come to the first broker over a link that breaks


class Partition(unittest.TestCase):
    def setUp(self):
        near = {part + "-near": part for part in FAR}
        self.cluster = Cluster(OPTIONS.edda, tcp=True, more=near, environment={"EDDA_LOG_LEVEL": "info"})
        self.relay = Relay(self.cluster.ports[0])
        self.addCleanup(self.relay.close)
        for part in FAR:
            self.cluster.links[part] = [self.relay.url, self.cluster.urls[1]]
        self.cluster.__enter__()
        self.addCleanup(lambda: self.cluster.__exit__(None, None, None))
        self.posted = []
        for part in FAR:
            self.wait_for(part, f"session_live role=worker broker={self.relay.workers_url}")

    def count(self, name, words):
        return self.cluster.read_log(name).count(words)

    def wait_for(self, name, words, count=1, seconds=SLOWEST_S):
        until = time.monotonic() + seconds
        while self.count(name, words) < count:
            self.assertLess(time.monotonic(), until, f"{name} does not say {words}:\n{self.cluster.log()}")
            time.sleep(0.05)

    def ask_for_a_while(self, rounds):
        """Memos and searches, one after the other: each is answered, none twice."""
        for _ in range(rounds):
            number = len(self.posted)
            title, content = corpus.memo(number)
            began = time.monotonic()
            status, _, answer = self.cluster.request("POST", "/api/v1/memo", {"title": title, "content": content},
                                                     {"Idempotency-Key": f'"{number}"'}, timeout=60)
            self.assertEqual(status, 201, answer)
            self.posted.append(answer["memo_uuid"])
            status, _, answer = self.cluster.request("POST", "/api/v1/search", {"query": "the first word"}, timeout=60)
            self.assertEqual(status, 200, answer)
            self.assertLess(time.monotonic() - began, 2 * SLOWEST_S)

    def expect_all_processed(self):
        until = time.monotonic() + 60
        for memo in self.posted:
            path = f"/api/v1/memo/{memo}"
            while (answer := self.cluster.request("GET", path + "/status"))[2].get("status") == "processing":
                self.assertLess(time.monotonic(), until, self.cluster.log())
                time.sleep(0.05)
            self.assertEqual(answer[2].get("status"), "processed", answer)
            status, _, answer = self.cluster.request("GET", path)
            self.assertEqual(status, 200, answer)
            chunks = answer["chunks"]
            self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))

    def break_link(self, *ways):
        """Requests go on while it is broken, both sides give it up, and it comes back when it heals."""
        gone = {part: self.count("broker-0", f'worker_gone name="{part}"') for part in FAR}
        lost = {part: self.count(part, f"session_lost role=worker broker={self.relay.workers_url}") for part in FAR}
        live = {part: self.count(part, f"session_live role=worker broker={self.relay.workers_url}") for part in FAR}
        self.relay.hold(*ways)
        self.ask_for_a_while(10)
        for part in FAR:
            self.wait_for("broker-0", f'worker_gone name="{part}"', gone[part] + 1)
            self.wait_for(part, f"session_lost role=worker broker={self.relay.workers_url}", lost[part] + 1)
        self.relay.heal()
        for part in FAR:
            self.wait_for(part, f"session_live role=worker broker={self.relay.workers_url}", live[part] + 1, 30)
        self.ask_for_a_while(5)

    def test_links_that_fall_silent_both_ways_or_one_are_given_up_and_heal(self):
        for ways in ((), (Relay.TO_BROKER,), (Relay.TO_PEER,)):
            with self.subTest(ways=ways):
                self.break_link(*ways)
        # All over the link that was broken: more than a window, so that credit must be right.
        for part in FAR:
            self.cluster.parts[part + "-near"].terminate()
            self.assertEqual(self.cluster.parts[part + "-near"].wait(60), 0)
        self.cluster.brokers[1].kill()
        self.cluster.brokers[1].wait()
        self.ask_for_a_while(50)
        self.expect_all_processed()
        for name in ("broker-0", *FAR):
            self.assertNotIn("reason=credit", self.cluster.read_log(name))
        self.assertEqual(self.cluster.stop(), 0, "SIGTERM drains and ends with 0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])
