#!/usr/bin/env python3
"""Memos are ingested while a random role is killed with -9 every 40 ms, for ten minutes (row 3 of the fault
list); with --postgres that server is killed and restarted at random, too (row 42).

    tests/fault/endurance.py [--edda build/edda] [--minutes 10] [--memos 10000] [--every .04] [--postgres [DIR]]

The ledger is a file outside the system. At the end nothing kills any more, everything drains to no open
job, and what a 201 named is compared with the service and with the rows; what was asked, answered, killed
and stored is judged by the simulation's checker as well. What must not grow is measured all the time:
memory, descriptors, files, the write-ahead log."""

import argparse
import os
import queue
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import events
import live
from growth import Growth, roles_of
from events import EventLog
from ledger import Ledger, LedgerChecks, ask_until_served, post_until_accepted
from live import Edda

ROLES = ["embedder", "store", "broker", "chunker", "gateway", "reranker", "llm"]
OPTIONS = None
PATIENCE_S = 1200  # beyond the minutes that were asked for; then the service is stuck
SETTINGS = {
    "EDDA_LOG_LEVEL": "warning",
    "EDDA_LEASE_MS": "3000",
    "EDDA_RESTARTS": "1000",
}


def control_server(directory, word):
    ran = subprocess.run([os.path.join(ROOT, "ops", "postgres"), word, directory], check=True,
                         stdout=subprocess.PIPE, text=True)
    return ran.stdout.strip()


class Killer(threading.Thread):
    """Kills one random role every so often, and one time in eight two at once; first each of them once.
    Keeps the rhythm: what a late turn missed is made up for. But where all of them were killed twice and nothing was
    accepted meanwhile, nothing ever would be: parts need longer to start here than they are left alone."""

    MOST_S = 5

    def __init__(self, edda, ledger, random_source, every):
        super().__init__()
        self.edda, self.ledger, self.random, self.every = edda, ledger, random_source, every
        self.over = threading.Event()
        self.kills = dict.fromkeys(ROLES, 0)

    def run(self):
        due, pause, kills, accepted = time.monotonic(), self.every, 0, 0
        while not self.over.is_set():
            due += pause
            self.over.wait(max(0, due - time.monotonic()))
            if len(self.ledger.accepted) > accepted:
                pause, kills, accepted = self.every, 0, len(self.ledger.accepted)
            elif kills >= 2 * len(ROLES):
                due, pause, kills = time.monotonic(), min(2 * pause, self.MOST_S), 0
            there = roles_of(self.edda.process.pid)
            there = [one for one in there if self.kills[one[1]] == 0] or there
            count = min(len(there), 2 if self.random.random() < 0.125 else 1)
            for pid, role in self.random.sample(there, count):
                if self.kill(pid):
                    kills += 1
                    self.kills[role] += 1
                    self.ledger.note("crashed", node=role)

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
            return True
        except ProcessLookupError:
            return False

    def end(self):
        self.over.set()
        self.join()


class ServerKiller(threading.Thread):
    """Ends the PostgreSQL server in one of four ways every so often, and has it back."""

    WAYS = ["a backend's kill -9", "kill -9 of all", "immediate stop", "restart"]

    def __init__(self, directory, random_source, every):
        super().__init__()
        self.directory, self.random, self.every = directory, random_source, every
        self.over = threading.Event()
        self.kills = dict.fromkeys(self.WAYS, 0)
        self.failure = None

    def run(self):
        try:
            while not self.over.wait(self.every * (0.5 + self.random.random())):
                way = self.random.choice([one for one in self.WAYS if not self.kills[one]] or self.WAYS)
                if way == "a backend's kill -9":
                    self.kill_backend()
                elif way == "kill -9 of all":
                    self.tell("kill")
                elif way == "immediate stop":
                    self.tell("stop-now")
                else:
                    self.tell("stop")
                self.tell("start")
                self.kills[way] += 1
        except subprocess.CalledProcessError as error:
            self.failure = error

    def tell(self, word):
        control_server(self.directory, word)

    def kill_backend(self):
        """The server ends all of its connections and recovers, when one ends like this."""
        with open(os.path.join(data_of(self.directory), "postmaster.pid")) as file:
            main = int(file.readline())
        backends = [pid for pid, argv in live.children(main) if "127.0.0.1" in " ".join(argv)]
        if backends:
            Killer.kill(self.random.choice(backends))

    def end(self):
        self.over.set()
        self.join()


def data_of(directory):
    where = os.path.join(directory, "where")
    if os.path.exists(where):
        with open(where) as file:
            directory = file.read().strip()
    return os.path.join(directory, "data")


class Clients:
    """Post memos over the whole time, evenly; the pace is what is wanted, not what must be reached."""

    def __init__(self, edda, ledger, memos, seconds, concurrency, until):
        self.edda, self.ledger, self.memos, self.until = edda, ledger, memos, until
        self.pause = seconds / memos
        self.errors, self.took = [], []
        self.todo, self.watched = queue.SimpleQueue(), queue.SimpleQueue()
        self.threads = [threading.Thread(target=self.work) for _ in range(concurrency)]
        self.threads += [threading.Thread(target=self.deal), threading.Thread(target=self.watch)]
        for thread in self.threads:
            thread.start()

    def deal(self):
        due = time.monotonic()
        for number in range(self.memos):
            self.todo.put(number)
            due += self.pause
            time.sleep(max(0, due - time.monotonic()))
        for _ in self.threads[:-2]:
            self.todo.put(None)

    def work(self):
        while (number := self.todo.get()) is not None:
            try:
                post_until_accepted(self.edda, number, self.ledger, self.until)
                self.watched.put((time.monotonic(), number))
            except Exception as error:  # a thread's own would be lost
                self.errors.append(repr(error))
        self.watched.put(None)

    def watch(self):
        """From the 201 to `processed`, of one memo at a time."""
        open_threads = len(self.threads) - 2
        while open_threads:
            item = self.watched.get()
            while item and not self.watched.empty():  # the newest
                newer = self.watched.get()
                if newer is None:
                    open_threads -= 1
                else:
                    item = newer
            if item is None:
                open_threads -= 1
                continue
            path = f"/api/v1/memo/{self.ledger.accepted[item[1]]}/status"
            while time.monotonic() < self.until:
                status, answer = ask_until_served(self.edda, self.until, "GET", path)
                if status == 200 and answer["status"] != "processing":  # what became of it is looked at in the end
                    self.took.append(time.monotonic() - item[0])
                    break
                time.sleep(0.02)

    def working(self):
        """Whether some are still to be accepted; the last one watched may wait for calm."""
        return any(thread.is_alive() for thread in self.threads[:-1])

    def join(self):
        for thread in self.threads:
            thread.join()


class Outage(unittest.TestCase):
    """Of the database, while the store has to start: only on PostgreSQL."""

    def test_a_store_that_starts_again_while_its_database_is_away_is_waited_for(self):
        settings = {**SETTINGS, "EDDA_RESTARTS": "2"}
        with Edda(OPTIONS.edda, "--processes", environment=settings) as edda:
            control_server(OPTIONS.server, "kill")
            try:
                for pid in edda.role("store"):
                    os.kill(pid, signal.SIGKILL)
                until = time.monotonic() + 60
                while edda.log().count("part_exited part=store") < 4:
                    self.assertIsNone(edda.process.poll(), "more ends than its two restarts are none of a fault")
                    self.assertLess(time.monotonic(), until)
                    time.sleep(0.02)
            finally:
                control_server(OPTIONS.server, "start")
            status, _ = ask_until_served(edda, time.monotonic() + 60, "GET", "/readyz")
            self.assertEqual(status, 200)
            self.assertEqual(edda.stop(), 0)


class Endurance(LedgerChecks):
    def test_every_memo_is_processed_once_though_something_is_always_being_killed(self):
        # Seen to fail when a worker's death ends its job (guards/03.patch).
        settings = {**SETTINGS, "TMPDIR": self.make_directory()}
        with Edda(OPTIONS.edda, "--processes", environment=settings) as edda:
            self.endure(edda)

    def make_directory(self):
        directory = tempfile.mkdtemp(prefix="edda-endurance-")
        self.addCleanup(shutil.rmtree, directory, True)
        return directory

    def endure(self, edda):
        seconds = OPTIONS.minutes * 60
        ledger = Ledger(OPTIONS.size, OPTIONS.ledger)
        ledger.log = EventLog(os.path.join(self.make_directory(), "events"))
        growth = Growth(edda)
        killers = [Killer(edda, ledger, random.Random(OPTIONS.seed), OPTIONS.every)]
        if OPTIONS.server:
            killers.append(ServerKiller(OPTIONS.server, random.Random(OPTIONS.seed + 1), OPTIONS.server_every))
        began = time.monotonic()
        clients = Clients(edda, ledger, OPTIONS.memos, seconds * 0.95, OPTIONS.concurrency,
                          began + seconds + PATIENCE_S)
        for killer in killers:
            killer.start()
        try:
            while clients.working() or time.monotonic() < began + seconds:
                growth.measure(len(ledger.accepted))
                if OPTIONS.verbose:
                    print(f"{time.monotonic() - began:.0f} s: {growth.last()}, {ledger.repeats} repeats", flush=True)
                time.sleep(min(1, seconds / 20))
        finally:
            for killer in killers:
                killer.end()
            clients.join()
        took = time.monotonic() - began
        ledger.close()
        self.assertEqual(clients.errors, [])
        for killer in killers[1:]:
            self.assertIsNone(killer.failure)
            self.assertGreater(sum(killer.kills.values()), 0)
        self.assertEqual(len(ledger.accepted), OPTIONS.memos)
        self.assertEqual(len(set(ledger.accepted.values())), OPTIONS.memos, "no uuid twice")
        self.assertTrue(all(killers[0].kills.values()), "every role was killed")
        drained = time.monotonic()
        self.wait_processed(edda, ledger, 300)
        drained = time.monotonic() - drained
        restarts = edda.log().count("part_exited")
        print(f"{OPTIONS.memos} memos in {took:.0f} s, {ledger.repeats} repeats by clients; killed "
              f"{[killer.kills for killer in killers]}, {restarts} restarts; from 201 to processed "
              f"{statistics.median(clients.took):.2f} s in the middle and {max(clients.took):.2f} s at most of "
              f"{len(clients.took)} watched; drained in {drained:.1f} s\n{growth.table()}")
        self.compare_service(edda, ledger)
        growth.check(self, OPTIONS.memory_times)
        self.assertEqual(edda.stop(), 0, "SIGTERM drains and ends with 0")
        self.compare_database(edda, ledger)
        self.assertEqual(ledger.log.offences(OPTIONS.check_log), "", "promises kept")
        growth.check_left(self)


def make_server():
    """A server of our own; directory, and how to be rid of it."""
    directory = tempfile.mkdtemp(prefix="edda-endurance-pg-")
    os.chmod(directory, 0o711)  # its user comes by

    def remove():
        shutil.rmtree(os.path.dirname(data_of(directory)), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)
    return directory, remove


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default=os.path.join(ROOT, "build", "edda"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--memos", type=int, default=10000)
    parser.add_argument("--every", type=float, default=0.04, help="seconds between kills")
    parser.add_argument("--size", type=int, default=4096, help="bytes of a memo")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--postgres", nargs="?", const="", metavar="DIR", help="on a PostgreSQL server that is "
                        "killed, too: that of `ops/postgres start DIR`, or one of its own")
    parser.add_argument("--server-every", type=float, default=8, help="seconds that server is left alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", help="file to keep, a line for each 201; by default a temporary one")
    events.add_argument(parser)
    parser.add_argument("--memory-times", type=float, default=1, help="of what is allowed: a sanitizer needs more")
    parser.add_argument("--only", help="a test's name, as unittest takes it")
    parser.add_argument("--verbose", action="store_true", help="a line a second")
    OPTIONS = parser.parse_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    OPTIONS.check_log = events.find_checker(parser, OPTIONS.edda, OPTIONS.check_log)
    scratch = tempfile.mkdtemp(prefix="edda-ledger-")
    OPTIONS.ledger = OPTIONS.ledger or os.path.join(scratch, "ledger")
    OPTIONS.server, remove = OPTIONS.postgres, lambda: None
    tests = ["Endurance"]
    try:
        if OPTIONS.postgres is not None:
            tests.append("Outage")
            if not OPTIONS.postgres:
                OPTIONS.server, remove = make_server()
            live.server = control_server(OPTIONS.server, "start")
        ended = unittest.main(argv=[sys.argv[0], "-v", *([OPTIONS.only] if OPTIONS.only else tests)], exit=False)
    finally:
        if OPTIONS.server:
            control_server(OPTIONS.server, "stop")
            remove()
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(not ended.result.wasSuccessful())


if __name__ == "__main__":
    main()
