"""Nothing accepted is lost, doubled or stuck when any role is killed with -9 during ingest.

The ledger is kept outside the system: every uuid a 201 named, with what the memo held. At the end it
is compared with what the service serves and with the rows in the database; and a log of what was asked,
answered, killed and stored is judged by the simulation's checker (tests/sim/check_log).
"""

import argparse
import concurrent.futures
import os
import queue
import random
import signal
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
import provider
from events import EventLog
from ledger import Ledger, LedgerChecks, post_until_accepted
from live import Edda

ROLES = ["embedder", "store", "broker", "chunker", "gateway", "reranker", "llm"]
OPTIONS = argparse.Namespace(edda="build/edda", memos=240, concurrency=16, rounds=2, every=0.5)


class KillingEveryRole(LedgerChecks):
    def test_every_accepted_memo_is_processed_once_though_every_role_is_killed(self):
        environment = {"EDDA_LEASE_MS": "3000", "EDDA_LOG_LEVEL": "warning"}
        with Edda(OPTIONS.edda, "--processes", environment=environment) as edda:
            ledger, errors, kills = Ledger(), [], {}
            directory = tempfile.TemporaryDirectory()
            self.addCleanup(directory.cleanup)
            ledger.log = EventLog(os.path.join(directory.name, "events"))
            until = time.monotonic() + 240
            todo = queue.SimpleQueue()

            def work():
                while (number := todo.get()) is not None:
                    try:
                        post_until_accepted(edda, number, ledger, until)
                    except AssertionError as error:
                        errors.append(str(error))

            threads = [threading.Thread(target=work) for _ in range(OPTIONS.concurrency)]
            for thread in threads:
                thread.start()
            victims = ROLES * OPTIONS.rounds
            for turn, role in enumerate(victims):
                # A burst, and the kill in the middle of it.
                for number in range(turn, OPTIONS.memos, len(victims)):
                    todo.put(number)
                time.sleep(OPTIONS.every * (0.1 + 0.4 * random.random()))
                for pid in edda.role(role)[:1]:
                    os.kill(pid, signal.SIGKILL)
                    ledger.note("crashed", node=role)
                    kills[role] = kills.get(role, 0) + 1
                time.sleep(OPTIONS.every / 2)
            for _ in threads:
                todo.put(None)
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])
            self.assertEqual(sorted(kills), sorted(ROLES), "every role was killed at least once")
            self.assertEqual(len(ledger.accepted), OPTIONS.memos)
            self.assertEqual(len(set(ledger.accepted.values())), OPTIONS.memos, "no uuid twice")
            self.wait_processed(edda, ledger)
            self.compare_service(edda, ledger)
            self.assertEqual(edda.stop(), 0, "SIGTERM drains and ends with 0")
            self.compare_database(edda, ledger)
            self.assertEqual(ledger.log.offences(OPTIONS.check_log), "", "promises kept")
            print(f"{OPTIONS.memos} memos, kills {kills}, {ledger.repeats} repeats by clients")


class Draining(unittest.TestCase):
    def test_sigterm_under_load_answers_what_was_asked_and_ends_with_zero(self):
        # Seen to fail with a gateway that does not wait for its requests (guards/29c.patch).
        for flags in ((), ("--processes",)):
            with self.subTest(flags=flags), provider.FakeProvider(provider.find(OPTIONS.edda)) as fake:
                settings = {"EMBEDDING_PROVIDER": "openai", "OPENAI_API_KEY": "sk-test",
                            "OPENAI_BASE_URL": fake.url("openai/v1")}
                with Edda(OPTIONS.edda, *flags, environment=settings) as edda:
                    self.drain_under_load(edda, fake)

    def drain_under_load(self, edda, fake):
        ledger, stopping = Ledger(), threading.Event()

        def work(first):
            number = first
            while not stopping.is_set():
                title, content = corpus.memo(number)
                try:
                    status, _, answer = edda.request("POST", "/api/v1/memo", {"title": title, "content": content})
                except OSError:
                    return
                if status == 201:
                    ledger.accept(number, answer["memo_uuid"])
                number += 1

        threads = [threading.Thread(target=work, args=(one * 10000,)) for one in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            search = self.ask_slowly(edda, fake, pool)
            status = edda.stop()
            stopping.set()
            for thread in threads:
                thread.join()
            self.assertEqual(search.result()[0], 200)
        self.assertEqual(status, 0)
        edda.start()
        for memo in ledger.accepted.values():
            self.assertEqual(edda.request("GET", f"/api/v1/memo/{memo}")[0], 200)

    def ask_slowly(self, edda, fake, pool):
        """A search that has come as far as the provider, who takes his time."""
        fake.set(embed={"latency_ms": 1500})
        search = pool.submit(edda.request, "POST", "/api/v1/search", {"query": "asked before the end"})
        until = time.monotonic() + 60
        while not any("asked before the end" in one["body"] for one in fake.requests()):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        fake.set(embed={"latency_ms": 0})  # for all that come after
        return search


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    parser.add_argument("--memos", type=int, default=240)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between kills")
    live.add_argument(parser)
    events.add_argument(parser)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    OPTIONS.check_log = events.find_checker(parser, OPTIONS.edda, OPTIONS.check_log)
    unittest.main(argv=[sys.argv[0], "-v", *rest])
