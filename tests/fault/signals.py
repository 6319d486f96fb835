"""Processes that sleep past their lease, brokers and loops that stand still, everybody asked to end in turn, and a
storm of signals (rows 9, 10, 20, 29 and 44 of the fault list): what was accepted is processed once, and where
nobody was killed nothing is refused. And each guard is seen at work on the way, in the log and in the rows:

- who sleeps is given up by the broker, and told so when it wakes (RESET);
- work of before is refused by the fence when another has the lease: a worker sleeps with it while the store is
  killed, whose next life gives the lease to another;
- a broker that stands still is left by its clients, which are answered meanwhile and come back;
- no attempt and no death is charged to a job for anybody's SIGTERM, nor for a storm.

A process that is stopped and goes on is told so by its system calls (EINTR): that is the storm.

Seen to fail: with EINTR not expected (edda_loop_run() in actors/runtime/loop.c) parts abort in the storm; with the
token not looked at (edda_fence_pass()) no commit is stale; with returned leases that keep their attempt (report() in
actors/store/jobs.c) a drain is charged; with silence that ends no session (step_joined()) nobody leaves the broker;
with who slept judging at once (has_listened() in proto/session.c) nobody who wakes is told."""

import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]
import events
import live
from events import EventLog
from ledger import Ledger, LedgerChecks, ask_database, post_until_accepted
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda")
LEASE_S = 2
WORKERS = ("chunker", "embedder", "reranker", "llm")


class Load:
    """Three careful clients, a memo each at a time, until it is told to end."""

    def __init__(self, edda, ledger):
        self.edda, self.ledger = edda, ledger
        self.errors, self.number, self.ending = [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.ending.is_set():
            with self.ledger.lock:
                number, self.number = self.number, self.number + 1
            try:
                post_until_accepted(self.edda, number, self.ledger, time.monotonic() + 60)
            except AssertionError as error:
                self.errors.append(str(error))
            time.sleep(0.03)

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


class Signals(LedgerChecks):
    def setUp(self):
        environment = {"EDDA_LEASE_MS": str(LEASE_S * 1000), "EDDA_LOG_LEVEL": "info",
                       "EDDA_WORKERS": "chunker=2,embedder=2,reranker=2,llm=2", "EDDA_RESTARTS": "100"}
        self.edda = Edda(OPTIONS.edda, "--processes", environment=environment)
        self.edda.__enter__()
        self.addCleanup(lambda: self.edda.__exit__(None, None, None))
        self.ledger = Ledger(1500)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.ledger.log = EventLog(os.path.join(directory.name, "events"))
        self.load = Load(self.edda, self.ledger)
        self.addCleanup(self.load.end)

    def signal_role(self, role, number):
        for pid in self.edda.role(role):
            os.kill(pid, number)

    @contextlib.contextmanager
    def stopped(self, role):
        self.signal_role(role, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal_role(role, signal.SIGCONT)

    def wait_until(self, what, holds, seconds=60):
        until = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.02)

    def said(self, mark, event):
        """How many lines of the log say so since it had this length."""
        return len(re.findall(event, self.edda.log()[mark:]))

    def ask_database(self, sql):
        return ask_database(self.edda, sql)[0][0]

    def wait_for_memos(self, more):
        """More than there are now are accepted."""
        wanted = len(self.ledger.accepted) + more
        self.wait_until("nothing is accepted any more", lambda: len(self.ledger.accepted) >= wanted)

    def storm(self, seconds):
        pids = [pid for role in (*WORKERS, "broker", "store", "gateway") for pid in self.edda.role(role)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.001)

    def without_a_refusal(self, what):
        before = self.ledger.repeats
        what()
        self.wait_for_memos(3)
        self.assertEqual(self.ledger.repeats, before, "somebody had to ask again")

    def end_and_wait(self, role):
        """SIGTERM to one of a role; until another is in its place."""
        old = self.edda.role(role)
        os.kill(old[0], signal.SIGTERM)
        self.wait_for_another(role, old)

    def wait_for_another(self, role, old):
        def is_replaced():
            now = self.edda.role(role)
            return old[0] not in now and len(now) >= len(old)
        self.wait_until(f"no {role} came back", is_replaced)

    def wait_for_leases(self, at_least, token):
        """Jobs are under way that were claimed this often."""
        sql = f"SELECT count(*) FROM job WHERE state = 1 AND lease_token >= {token}"
        self.wait_until(f"no job of token {token}", lambda: self.ask_database(sql) >= at_least)

    def end_store_with_leases(self):
        """Its drain has jobs to give back: embedders hold them, for less than makes a death. Once more when those that
        were leased had been embedded already, and only their commit was under way."""
        for _ in range(5):
            with self.stopped("embedder"):
                self.wait_for_leases(3, 1)
                time.sleep(0.3)  # the chunker's part, and the commits of what was embedded
                mark = len(self.edda.log())
                old = self.edda.role("store")
                os.kill(old[0], signal.SIGTERM)
                self.wait_until("the store does not drain", lambda: self.said(mark, "draining loop=store"))
            self.wait_for_another("store", old)
            self.wait_for_memos(3)
            if self.ask_database("SELECT count(*) FROM job WHERE delays > 0") > 0:
                return
        self.fail("nothing was returned")

    def charged(self):
        return self.ask_database("SELECT count(*) FROM job WHERE attempts > 1 OR deaths > 0")

    def sleep_and_be_told(self, role, seconds):
        count, mark = len(self.edda.role(role)), len(self.edda.log())
        gone = f'worker_gone name="{role}" .*reason=timeout'
        with self.stopped(role):
            time.sleep(seconds)
            self.wait_until("who sleeps is not given up", lambda: self.said(mark, gone) >= count)
            mark = len(self.edda.log())
        told = "session_reset role=worker .*code=unknown_session"
        self.wait_until(f"no {role} was told that it is gone", lambda: self.said(mark, told) >= count)
        self.wait_until(f"no {role} is back", lambda: self.said(mark, f'worker_joined name="{role}"') >= count)
        self.wait_for_memos(3)

    def sleep_with_the_work_of_a_life_before(self):
        """Once more when the machine stood still for so long that they were given up instead."""
        mark = len(self.edda.log())
        for _ in range(5):
            with self.stopped("embedder"):
                self.wait_for_leases(3, 1)
                time.sleep(0.3)  # the chunker's part
                old = self.edda.role("store")
                os.kill(old[0], signal.SIGKILL)
                self.ledger.note("crashed", node="store")
                self.wait_for_another("store", old)
                self.wait_for_leases(1, 2)
            self.wait_for_memos(3)
            if self.said(mark, "commit_stale"):
                return
        self.fail("the fence was never reached")

    def stop_the_broker(self, seconds):
        mark, repeats, began = len(self.edda.log()), self.ledger.repeats, time.monotonic()
        with self.stopped("broker"):
            for role in ("gateway", "pump", "worker"):
                self.wait_until(f"no {role} leaves a silent broker", lambda: self.said(mark, f"session_lost role={role}"))
            self.wait_until("clients wait for a silent broker", lambda: self.ledger.repeats >= repeats + 3)
            self.assertEqual(self.said(mark, "session_live"), 0)
            time.sleep(max(0, began + seconds - time.monotonic()))
        for role in ("gateway", "pump", "worker"):
            self.wait_until(f"no {role} came back", lambda: self.said(mark, f"session_live role={role}"))
        self.wait_for_memos(3)

    def test_whoever_sleeps_ends_or_is_interrupted_nothing_is_lost_or_doubled(self):
        self.wait_for_memos(5)
        self.without_a_refusal(lambda: self.storm(2))
        for role in WORKERS:
            self.without_a_refusal(lambda: self.end_and_wait(role))
        self.end_store_with_leases()
        for role in ("broker", "gateway"):
            self.end_and_wait(role)
            self.wait_for_memos(3)
        self.assertEqual(self.charged(), 0, "an attempt or a death was charged, and nobody died")
        self.sleep_with_the_work_of_a_life_before()
        self.sleep_and_be_told("chunker", 2 * LEASE_S)
        self.sleep_and_be_told("embedder", 5)
        self.stop_the_broker(10)
        self.load.end()
        self.assertEqual(self.load.errors, [])
        self.wait_processed(self.edda, self.ledger)
        self.compare_service(self.edda, self.ledger)
        self.assertEqual(self.edda.stop(), 0)
        self.compare_database(self.edda, self.ledger)
        self.assertEqual(self.ledger.log.offences(OPTIONS.check_log), "", "promises kept")
        print(f"{len(self.ledger.accepted)} memos, {self.ledger.repeats} repeats by clients")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edda", default=OPTIONS.edda)
    live.add_argument(parser)
    events.add_argument(parser)
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    OPTIONS.check_log = events.find_checker(parser, OPTIONS.edda, OPTIONS.check_log)
    unittest.main(argv=[sys.argv[0], *rest])
