"""Nothing accepted is lost, doubled or stuck when any role is killed with -9 during ingest.

The ledger is kept outside the system: every uuid a 201 named, with what the memo held. At the end it
is compared with what the service serves and with the rows in the database; and a log of what was asked,
answered, killed and stored is judged by the simulation's checker (tests/sim/check_log).
"""

import argparse
import os
import queue
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
from events import EventLog
from live import Edda

ROLES = ["embedder", "store", "broker", "chunker", "gateway", "reranker", "llm"]
OPTIONS = argparse.Namespace(edda="build/edda", memos=240, concurrency=16, rounds=2, every=0.5)


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = {}
        self.repeats = 0
        self.log = None
        self.asked = 0

    def ask(self):
        with self.lock:
            self.asked += 1
            return f"r{self.asked}"

    def note(self, event, node="client", **keys):
        if self.log:
            self.log.write(node, event, **keys)


def post_until_accepted(edda, number, ledger, until):
    """As a careful client: the same Idempotency-Key until an answer came. Anything but a lost
    connection or a 'try again' is a failure of the service."""
    title, content = corpus.memo(number)
    body = {"title": title, "content": content, "reference_id": f"memo-{number}"}
    headers = {"Idempotency-Key": f'"ledger-{number}"'}
    while time.monotonic() < until:
        request = ledger.ask()
        ledger.note("asked", request=request, within_ms=15000)
        try:
            status, _, answer = edda.request("POST", "/api/v1/memo", body, headers, timeout=15)
            ledger.note("answered", request=request, result="ok" if status == 201 else status)
        except OSError:
            status = 0
            ledger.note("withdrawn", request=request)
        if status == 201:
            ledger.note("accepted", node="-", memo=answer["memo_uuid"], key=number)
            with ledger.lock:
                ledger.accepted[number] = answer["memo_uuid"]
            return
        if status not in (0, 409, 429, 502, 503, 504):
            raise AssertionError(f"memo {number} was answered {status} {answer}")
        with ledger.lock:
            ledger.repeats += 1
        time.sleep(0.1 + random.random() * 0.2)
    raise AssertionError(f"memo {number} was not accepted in time")


class KillingEveryRole(unittest.TestCase):
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

    def wait_processed(self, edda, ledger):
        waiting, until = dict(ledger.accepted), time.monotonic() + 120
        while waiting and time.monotonic() < until:
            for number, memo in list(waiting.items()):
                try:
                    status, _, answer = edda.request("GET", f"/api/v1/memo/{memo}/status")
                except OSError:
                    break
                if status == 503:
                    break
                self.assertEqual(status, 200, answer)
                self.assertNotEqual(answer["status"], "error", answer)
                if answer["status"] == "processed":
                    del waiting[number]
            time.sleep(0.2)
        self.assertEqual(waiting, {}, "no accepted memo is stuck")

    def compare_service(self, edda, ledger):
        status, _, page = edda.request("GET", "/api/v1/memo?page_size=1")
        self.assertEqual((status, page["count"]), (200, OPTIONS.memos), "none lost, none doubled")
        for number, memo in ledger.accepted.items():
            status, _, answer = edda.request("GET", f"/api/v1/memo/{memo}")
            self.assertEqual(status, 200, answer)
            title, content = corpus.memo(number)
            self.assertEqual((answer["title"], answer["content"]), (title, content))
            chunks = answer["chunks"]
            self.assertGreater(len(chunks), 0)
            self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))
            self.assertEqual(len({chunk["uuid"] for chunk in chunks}), len(chunks))
        for number in ledger.accepted:
            status, _, answer = edda.request("POST", "/api/v1/search",
                                             {"query": corpus.unique_word(number), "limit": 5})
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["results"][0]["memo_uuid"], ledger.accepted[number],
                             f"memo {number} is found by its own word")

    def compare_database(self, edda, ledger):
        """Rows as the schema's README composes their ids: version << 22 | part << 10 | number."""
        name = next(os.path.join(edda.data, one) for one in os.listdir(edda.data)
                    if one.endswith((".db", ".sqlite", ".sqlite3")))
        database = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
        self.addCleanup(database.close)
        self.assertEqual(database.execute("pragma integrity_check").fetchone()[0], "ok")
        memos = dict(database.execute("select uuid, id from memo where deleted_ms = 0"))
        self.assertEqual(set(memos), {uuid.UUID(one).bytes for one in ledger.accepted.values()})
        versions = database.execute("select id, memo, chunks, open_jobs from version").fetchall()
        self.assertEqual(sorted(row[1] for row in versions), sorted(memos.values()),
                         "one version a memo")
        names = {one: str(uuid.UUID(bytes=memo)) for memo, one in memos.items()}
        names = {version: names[memo] for version, memo, _, _ in versions}
        for version, _, chunks, open_jobs in versions:
            ledger.note("stored", node="-", memo=names[version], chunks=chunks,
                        state="processing" if open_jobs else "ready")
        rows = {}
        for chunk, in database.execute("select id from chunk order by id"):
            ledger.note("chunk", node="-", memo=names.get(chunk >> 22, "nobody's"),
                        part=chunk >> 10 & 4095, number=chunk & 1023)
            rows.setdefault(chunk >> 22, []).append(chunk & (1 << 22) - 1)
        for version, _, chunks, open_jobs in versions:
            self.assertEqual(open_jobs, 0)
            self.assertEqual(sorted(rows.pop(version, [])), list(range(chunks)))
        self.assertEqual(rows, {}, "no chunk of a version that is not there")
        missing = database.execute("select count(*) from chunk left join chunk_index using (id) "
                                   "where chunk_index.id is null").fetchone()[0]
        self.assertEqual(missing, 0, "every chunk can be found")


class Draining(unittest.TestCase):
    def test_sigterm_under_load_answers_what_was_asked_and_ends_with_zero(self):
        for flags in ((), ("--processes",)):
            with self.subTest(flags=flags), Edda(OPTIONS.edda, *flags) as edda:
                ledger, stopping = Ledger(), threading.Event()

                def work(first):
                    number = first
                    while not stopping.is_set():
                        title, content = corpus.memo(number)
                        try:
                            status, _, answer = edda.request(
                                "POST", "/api/v1/memo", {"title": title, "content": content})
                        except OSError:
                            return
                        if status == 201:
                            with ledger.lock:
                                ledger.accepted[number] = answer["memo_uuid"]
                        number += 1

                threads = [threading.Thread(target=work, args=(one * 10000,)) for one in range(8)]
                for thread in threads:
                    thread.start()
                time.sleep(1.5)
                status = edda.stop()
                stopping.set()
                for thread in threads:
                    thread.join()
                self.assertEqual(status, 0)
                edda.start()
                for memo in ledger.accepted.values():
                    self.assertEqual(edda.request("GET", f"/api/v1/memo/{memo}")[0], 200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    parser.add_argument("--memos", type=int, default=240)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between kills")
    parser.add_argument("--check-log", help="tests/sim/check_log of a build with tests; beside --edda")
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    OPTIONS.check_log = OPTIONS.check_log or os.path.join(os.path.dirname(OPTIONS.edda),
                                                          "tests", "sim", "check_log")
    if not os.path.exists(OPTIONS.check_log):
        parser.error(f"there is no {OPTIONS.check_log}; say --check-log")
    unittest.main(argv=[sys.argv[0], "-v", *rest])
