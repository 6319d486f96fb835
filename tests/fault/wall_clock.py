"""The wall clock jumps by an hour, on and back, in every process while jobs run and wait (row 43 of the fault
list): no lease ends or is held on by it, each job has one attempt, and nobody is refused.

The clock is that of edda-faults (wall_clock.c): what a process asks for itself is off by what a file says."""

import argparse
import email.utils
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import live
import points
import provider
from ledger import Ledger, LedgerChecks, ask_database, post_until_accepted
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda", faults=None, fake_provider=None)
HOUR_S = 3600
AT_A_TIME = 6


class WallClock(LedgerChecks):
    def jump(self, seconds):
        """In one step: nobody reads half of it."""
        path = os.path.join(self.points.folder, "wall.seconds")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(str(seconds))
        os.rename(path + ".new", path)
        until = time.monotonic() + 30
        while abs(self.date() - time.time() - seconds) > 60:  # the gateway looks once a second
            self.assertLess(time.monotonic(), until, "it did not jump")
            time.sleep(0.05)

    def date(self):
        _, headers, _ = self.edda.request("GET", "/livez")
        return email.utils.parsedate_to_datetime(headers["Date"]).timestamp()

    def post(self):
        for _ in range(AT_A_TIME):
            post_until_accepted(self.edda, len(self.ledger.accepted), self.ledger, time.monotonic() + 60)

    def hold_jobs(self):
        """As many as are posted are held by the provider, or wait behind those."""
        asked = self.fake.counters()["embed"]["requests"]
        self.fake.set(embed={"latency_ms": 2000})
        self.post()
        self.fake.wait(lambda counters: counters["embed"]["requests"] > asked and counters["embed"]["open"] > 0)

    def go_on(self):
        self.fake.set(embed={"latency_ms": 0})
        self.wait_processed(self.edda, self.ledger, 60)

    def test_no_lease_and_no_request_is_lost_when_the_wall_clock_jumps(self):
        # Seen to fail with leases of the wall clock (guards/43.patch).
        self.fake = provider.FakeProvider(provider.find(OPTIONS.edda, OPTIONS.fake_provider)).start()
        self.addCleanup(self.fake.stop)
        self.edda = Edda(OPTIONS.faults, "--processes", environment={
            "EMBEDDING_PROVIDER": "openai", "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": self.fake.url("openai/v1"),
            "EDDA_LOG_LEVEL": "warning"})
        self.points = points.Points(self.edda)
        self.ledger = Ledger(1500)
        with self.edda:
            for seconds in (HOUR_S, -HOUR_S, 0):
                with self.subTest(seconds=seconds):
                    self.hold_jobs()
                    self.jump(seconds)
                    self.post()
                    time.sleep(1)  # to claim what is there, whosever it is
                    self.go_on()
                    self.post()
                    self.go_on()
            self.assertEqual(self.ledger.repeats, 0, "somebody had to ask again")
            self.compare_service(self.edda, self.ledger)
            self.assertEqual(self.edda.stop(), 0)
            self.compare_database(self.edda, self.ledger)
            tries = ask_database(self.edda, "select distinct lease_token, attempts, deaths from job")
            self.assertEqual(tries, [(1, 1, 0)])
            (apart_ms,), = ask_database(self.edda, "select max(created_ms) - min(created_ms) from memo")
            # PostgreSQL's rows have the time of its server, which is the same for all stores.
            self.assertEqual(round(apart_ms / 3600000), 0 if self.edda.database else 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=OPTIONS.edda)
    points.add_argument(parser)
    live.add_argument(parser)
    provider.add_argument(parser)
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.faults = points.find(parser, OPTIONS.edda, OPTIONS.faults)
    unittest.main(argv=sys.argv[:1])
