"""Ten minutes of ingest while a random process is killed with -9 every 40 ms, PostgreSQL too if it is the store.

    python3 tests/fault/endurance.py --edda PATH [--minutes 10] [--memos 10000] [--every .04] [--postgres]

Everything accepted is in a ledger outside the service; when the killing ends, all of it must be processed
within two minutes, once, its chunks whole and found, with no job left and nothing grown without end. What
was asked, answered, killed and stored is judged by the simulation's checker as well. --postgres starts a
private server (ops/postgres), kills all of it every --server-every seconds, and starts it again."""

import argparse
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]
import live
from events import EventLog
from ledger import Ledger, LedgerChecks, post_until_accepted
from live import Edda

SERVER = os.path.join(HERE, "..", "..", "ops", "postgres")
OPTIONS = argparse.Namespace(edda="build/edda", minutes=10.0, memos=10000, every=0.04, concurrency=32, size=1500,
                             server_every=15.0, postgres=None)
ROLES = {"broker", "store", "chunker", "embedder", "reranker", "llm", "gateway"}
PATIENCE_S = 300    # for the last acceptance, after the time is over
RSS_KIB = 256 << 10  # of any one process; of the supervisor a tenth
FILES = 200         # open in any one process


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as line:
        return [int(one) for one in line.read().split()]


def role_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as line:
        words = line.read().decode().split("\0")
    return words[1] if len(words) > 1 else ""


class Killer:
    """Kills one child of the supervisor, whichever, every so often, and measures them before."""

    def __init__(self, edda, ledger):
        self.edda = edda
        self.ledger = ledger
        self.random = random.Random(5)
        self.kills = {}
        self.most_rss = {}
        self.most_files = {}

    def measure(self, role, pid):
        with open(f"/proc/{pid}/statm") as line:
            rss = int(line.read().split()[1]) * 4
        self.most_rss[role] = max(rss, self.most_rss.get(role, 0))
        self.most_files[role] = max(len(os.listdir(f"/proc/{pid}/fd")), self.most_files.get(role, 0))

    def kill_one(self):
        supervisor = self.edda.process.pid
        pids = children_of(supervisor)
        if not pids:
            return
        pid = self.random.choice(pids)
        try:
            role = role_of(pid)
            if role not in ROLES:
                return  # forked, and not yet what it will be
            self.measure(role, pid)
            self.measure("supervisor", supervisor)
            os.kill(pid, signal.SIGKILL)
        except OSError:
            return  # it has just been collected
        self.kills[role] = self.kills.get(role, 0) + 1
        self.ledger.note("crashed", node=role)

    def run(self, until):
        begun = time.monotonic()
        turns = 0
        while (now := time.monotonic()) < until:
            self.kill_one()
            turns += 1
            time.sleep(max(0, begun + turns * OPTIONS.every - now))


class Endurance(LedgerChecks):
    def post_evenly(self, todo, seconds):
        """All of them over nine tenths of the time: a backlog that waits for calm would prove little."""
        begun = time.monotonic()
        for number in range(OPTIONS.memos):
            time.sleep(max(0, begun + seconds * 0.9 * number / OPTIONS.memos - time.monotonic()))
            todo.put(number)

    def kill_server(self, until):
        while time.monotonic() + OPTIONS.server_every < until:
            time.sleep(OPTIONS.server_every * (0.5 + random.random()))
            subprocess.run([SERVER, "kill", OPTIONS.postgres], check=True, capture_output=True)
            subprocess.run([SERVER, "start", OPTIONS.postgres], check=True, capture_output=True)
            self.servers += 1

    def run_all(self, edda, ledger):
        seconds = OPTIONS.minutes * 60
        until = time.monotonic() + seconds
        todo, errors, killer = queue.SimpleQueue(), [], Killer(edda, ledger)
        self.servers = 0

        def work():
            while (number := todo.get()) is not None:
                try:
                    post_until_accepted(edda, number, ledger, until + PATIENCE_S)
                except AssertionError as error:
                    errors.append(str(error))

        clients = [threading.Thread(target=work) for _ in range(OPTIONS.concurrency)]
        others = [threading.Thread(target=self.post_evenly, args=(todo, seconds))]
        if OPTIONS.postgres:
            others.append(threading.Thread(target=self.kill_server, args=(until,)))
        for thread in clients + others:
            thread.start()
        killer.run(until)
        accepted_by_then = len(ledger.accepted)
        for thread in others:
            thread.join()
        for _ in clients:
            todo.put(None)
        for thread in clients:
            thread.join()
        print(f"{accepted_by_then} of {OPTIONS.memos} memos accepted under fire, {sum(killer.kills.values())} kills "
              f"{killer.kills}, the server {self.servers} times, {ledger.repeats} repeats by clients")
        print(f"KiB at most: {killer.most_rss}; files at most: {killer.most_files}", flush=True)
        self.assertEqual(errors, [])
        return killer

    def test_all_that_was_accepted_under_fire_is_there_once(self):
        environment = {"EDDA_LEASE_MS": "3000", "EDDA_LOG_LEVEL": "error", "EDDA_RESTARTS": "1000"}
        with Edda(OPTIONS.edda, "--processes", environment=environment) as edda, \
                tempfile.TemporaryDirectory() as directory:
            ledger = Ledger(OPTIONS.size)
            ledger.log = EventLog(os.path.join(directory, "events"))
            killer = self.run_all(edda, ledger)
            self.assertEqual(len(set(ledger.accepted.values())), OPTIONS.memos, "no uuid twice")
            calm = time.monotonic()
            self.wait_processed(edda, ledger)
            print(f"all processed {time.monotonic() - calm:.1f} s after the last kill", flush=True)
            self.compare_service(edda, ledger)
            self.assertEqual(edda.stop(), 0, "SIGTERM drains and ends with 0")
            self.compare_database(edda, ledger)
            self.assertEqual(ledger.log.offences(OPTIONS.check_log), "", "promises kept")
            self.compare_growth(edda, killer)

    def compare_growth(self, edda, killer):
        for role, kib in killer.most_rss.items():
            self.assertLess(kib, RSS_KIB // 10 if role == "supervisor" else RSS_KIB, role)
        for role, files in killer.most_files.items():
            self.assertLess(files, FILES, role)
        names = sorted(os.listdir(edda.data)) if os.path.isdir(edda.data) else []
        self.assertLess(len(names), 20, names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, value in vars(OPTIONS).items():
        if option != "postgres":
            parser.add_argument("--" + option.replace("_", "-"), type=type(value), default=value)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--check-log", help="tests/sim/check_log of a build with tests; beside --edda")
    parser.parse_args(namespace=OPTIONS)
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    OPTIONS.check_log = OPTIONS.check_log or os.path.join(os.path.dirname(OPTIONS.edda), "tests", "sim", "check_log")
    if not os.path.exists(OPTIONS.check_log):
        parser.error(f"there is no {OPTIONS.check_log}; say --check-log")
    if OPTIONS.postgres:
        OPTIONS.postgres = tempfile.mkdtemp(prefix="edda-endurance-")
        live.server = subprocess.run([SERVER, "start", OPTIONS.postgres], check=True, capture_output=True,
                                     text=True).stdout.strip()
    try:
        passed = unittest.main(argv=[sys.argv[0], "-v"], exit=False).result.wasSuccessful()
    finally:
        if OPTIONS.postgres:
            subprocess.run([SERVER, "stop", OPTIONS.postgres], check=False)
    sys.exit(not passed)
