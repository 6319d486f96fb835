"""Two brokers that know nothing of each other: one killed with -9 in the middle of ingest and searches.

Every part is a process of its own, told of both. Nobody who asks waits longer than the failover for an
answer, everything accepted is processed with its chunks once, and a broker that is back is used again."""

import argparse
import os
import re
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import events
import live
from cluster import Cluster
from events import EventLog
from ledger import Ledger, LedgerChecks

OPTIONS = argparse.Namespace(edda="build/edda", memos=120)
SLOWEST_S = 10  # 3 s of failover, and a loaded machine under a sanitizer


class TwoBrokers(LedgerChecks):
    def ask_again_and_again(self, cluster, until, found):
        while not until.is_set():
            began = time.monotonic()
            try:
                status, _, answer = cluster.request("POST", "/api/v1/search", {"query": "the first word"}, timeout=60)
            except OSError as error:  # a thread's own would be lost
                status, answer = 0, {"error": str(error)}
            found.append((time.monotonic() - began, status, answer.get("error")))
            time.sleep(0.05)

    def test_one_of_two_brokers_is_killed_and_nobody_loses_anything(self):
        with Cluster(OPTIONS.edda, environment={"EDDA_LEASE_MS": "3000", "EDDA_LOG_LEVEL": "warning"}) as cluster:
            done, searches, ledger = threading.Event(), [], Ledger()
            directory = tempfile.TemporaryDirectory()
            self.addCleanup(directory.cleanup)
            ledger.log = EventLog(os.path.join(directory.name, "events"))
            asking = threading.Thread(target=self.ask_again_and_again, args=(cluster, done, searches))
            asking.start()
            try:
                for number in range(OPTIONS.memos):
                    if number == OPTIONS.memos // 3:
                        self.kill_broker(cluster, 0, ledger)
                    if number == OPTIONS.memos * 2 // 3:
                        cluster.brokers[0] = cluster.run_broker(0)
                    self.post(cluster, number, ledger)
                while len(searches) <= 10 and asking.is_alive():  # a failover may take no time at all
                    time.sleep(0.02)
            finally:
                done.set()
                asking.join()
            self.assertGreater(len(searches), 10)
            self.assertLess(max(seconds for seconds, _, _ in searches), SLOWEST_S, searches)
            self.assertEqual([one for one in searches if one[1] != 200], [])
            self.wait_processed(cluster, ledger)
            self.wait_up(cluster, {0: 1, 1: 1})
            counted = {name: self.broker_metrics(cluster, name) for name in ("admitted_total", "ended_total", "workers")}
            self.assertGreater(counted["admitted_total"][1], OPTIONS.memos)
            self.assertGreaterEqual(counted["admitted_total"][1], counted["ended_total"][1])
            self.assertEqual(set(counted["workers"]), {0, 1})
            self.kill_broker(cluster, 1, ledger)  # the one that came back is used
            began = time.monotonic()
            self.post(cluster, OPTIONS.memos, ledger)
            self.wait_processed(cluster, ledger)
            self.assertLess(time.monotonic() - began, 4 * SLOWEST_S)
            self.wait_up(cluster, {0: 1, 1: 0})
            self.assertEqual(set(self.broker_metrics(cluster, "admitted_total")), {0})
            self.compare_service(cluster, ledger)
            self.assertEqual(cluster.stop(), 0, "SIGTERM drains and ends with 0")
            self.compare_database(cluster, ledger)
            self.assertEqual(ledger.log.offences(OPTIONS.check_log), "", "promises kept")

    def kill_broker(self, cluster, number, ledger):
        cluster.brokers[number].kill()
        cluster.brokers[number].wait()
        ledger.note("crashed", node="broker")

    def broker_metrics(self, cluster, name):
        """What the gateway says of each broker, which has no HTTP of its own."""
        text = cluster.request("GET", "/metrics")[2].decode()
        return {int(broker): float(value) for broker, value in re.findall(
            rf'^edda_pipeline_broker_{name}{{broker="(\d+)"}} (\S+)$', text, re.M)}

    def wait_up(self, cluster, wanted):
        """The gateway looks once a second, and who does not say within a second how it is is not up."""
        until = time.monotonic() + 60
        while (up := self.broker_metrics(cluster, "up")) != wanted:
            self.assertLess(time.monotonic(), until, up)
            time.sleep(0.1)

    def post(self, cluster, number, ledger):
        title, content = corpus.memo(number, ledger.size)
        began, request = time.monotonic(), ledger.ask()
        ledger.note("asked", request=request, within_ms=SLOWEST_S * 1000)
        status, _, answer = cluster.request("POST", "/api/v1/memo", {"title": title, "content": content},
                                            {"Idempotency-Key": f'"{number}"'}, timeout=60)
        ledger.note("answered", request=request, result="ok" if status == 201 else status)
        self.assertEqual(status, 201, answer)
        self.assertLess(time.monotonic() - began, SLOWEST_S)
        ledger.note("accepted", node="-", memo=answer["memo_uuid"], key=number)
        ledger.accept(number, answer["memo_uuid"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    parser.add_argument("--memos", type=int, default=OPTIONS.memos)
    live.add_argument(parser)
    events.add_argument(parser)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.check_log = events.find_checker(parser, OPTIONS.edda, OPTIONS.check_log)
    unittest.main(argv=sys.argv[:1])
