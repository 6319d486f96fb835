"""Two brokers that know nothing of each other: one killed with -9 in the middle of ingest and searches.

Every part is a process of its own, told of both. Nobody who asks waits longer than the failover for an
answer, everything accepted is processed with its chunks once, and a broker that is back is used again."""

import argparse
import os
import re
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
from cluster import Cluster

OPTIONS = argparse.Namespace(edda="build/edda", memos=120)
SLOWEST_S = 10  # 3 s of failover, and a loaded machine under a sanitizer


class TwoBrokers(unittest.TestCase):
    def ask_again_and_again(self, cluster, until, found):
        while not until.is_set():
            began = time.monotonic()
            status, _, answer = cluster.request("POST", "/api/v1/search", {"query": "the first word"}, timeout=60)
            found.append((time.monotonic() - began, status, answer.get("error")))
            time.sleep(0.05)

    def test_one_of_two_brokers_is_killed_and_nobody_loses_anything(self):
        with Cluster(OPTIONS.edda, environment={"EDDA_LEASE_MS": "3000", "EDDA_LOG_LEVEL": "warning"}) as cluster:
            done, searches, accepted = threading.Event(), [], {}
            asking = threading.Thread(target=self.ask_again_and_again, args=(cluster, done, searches))
            asking.start()
            try:
                for number in range(OPTIONS.memos):
                    if number == OPTIONS.memos // 3:
                        cluster.brokers[0].kill()
                        cluster.brokers[0].wait()
                    if number == OPTIONS.memos * 2 // 3:
                        cluster.brokers[0] = cluster.run_broker(0)
                    self.post(cluster, number, accepted)
                while len(searches) <= 10 and asking.is_alive():  # a failover may take no time at all
                    time.sleep(0.02)
            finally:
                done.set()
                asking.join()
            self.assertGreater(len(searches), 10)
            self.assertLess(max(seconds for seconds, _, _ in searches), SLOWEST_S, searches)
            self.assertEqual([one for one in searches if one[1] != 200], [])
            self.wait_processed(cluster, accepted)
            for memo in accepted.values():
                chunks = cluster.request("GET", f"/api/v1/memo/{memo}")[2]["chunks"]
                self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))
            time.sleep(1.1)  # the gateway looks once a second
            self.assertEqual(self.broker_metrics(cluster, "up"), {0: 1, 1: 1})
            counted = {name: self.broker_metrics(cluster, name) for name in ("admitted_total", "ended_total", "workers")}
            self.assertGreater(counted["admitted_total"][1], OPTIONS.memos)
            self.assertGreaterEqual(counted["admitted_total"][1], counted["ended_total"][1])
            self.assertEqual(set(counted["workers"]), {0, 1})
            cluster.brokers[1].kill()  # the one that came back is used
            cluster.brokers[1].wait()
            began = time.monotonic()
            self.post(cluster, OPTIONS.memos, accepted)
            self.wait_processed(cluster, accepted)
            self.assertLess(time.monotonic() - began, 4 * SLOWEST_S)
            time.sleep(1.1)
            self.assertEqual(self.broker_metrics(cluster, "up"), {0: 1, 1: 0})
            self.assertEqual(set(self.broker_metrics(cluster, "admitted_total")), {0})
            self.assertEqual(cluster.stop(), 0, "SIGTERM drains and ends with 0")

    def broker_metrics(self, cluster, name):
        """What the gateway says of each broker, which has no HTTP of its own."""
        text = cluster.request("GET", "/metrics")[2].decode()
        return {int(broker): float(value) for broker, value in re.findall(
            rf'^edda_pipeline_broker_{name}{{broker="(\d+)"}} (\S+)$', text, re.M)}

    def post(self, cluster, number, accepted):
        title, content = corpus.memo(number)
        began = time.monotonic()
        status, _, answer = cluster.request("POST", "/api/v1/memo", {"title": title, "content": content},
                                            {"Idempotency-Key": f'"{number}"'}, timeout=60)
        self.assertEqual(status, 201, answer)
        self.assertLess(time.monotonic() - began, SLOWEST_S)
        accepted[number] = answer["memo_uuid"]

    def wait_processed(self, cluster, accepted):
        until = time.monotonic() + 120
        for memo in accepted.values():
            status = "processing"
            while status == "processing" and time.monotonic() < until:
                status = cluster.request("GET", f"/api/v1/memo/{memo}/status")[2]["status"]
                time.sleep(0.02 if status == "processing" else 0)
            self.assertEqual(status, "processed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    parser.add_argument("--memos", type=int, default=OPTIONS.memos)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])
