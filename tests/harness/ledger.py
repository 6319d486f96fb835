"""What a service accepted, kept outside of it, and what must be true of all of it in the end."""

import concurrent.futures
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import uuid

import live

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import corpus


READERS = 4  # at once, of what is compared


class Ledger:
    """path: a file that has a line for each 201 before anything else is done with it."""

    def __init__(self, size=4096, path=None):
        self.size = size  # bytes of a memo
        self.file = open(path, "w", encoding="utf-8", buffering=1) if path else None
        self.lock = threading.Lock()
        self.accepted = {}
        self.repeats = 0
        self.log = None
        self.asked = 0

    def ask(self):
        with self.lock:
            self.asked += 1
            return f"r{self.asked}"

    def accept(self, number, memo):
        with self.lock:
            if self.file:
                self.file.write(f"{number} {memo}\n")
            self.accepted[number] = memo

    def close(self):
        """What the file holds is what is compared from now on."""
        self.file.close()
        with open(self.file.name, encoding="utf-8") as file:
            lines = [line.split() for line in file]
        assert len(lines) == len(self.accepted), "a line for each 201"
        self.accepted = {int(number): memo for number, memo in lines}

    def note(self, event, node="client", **keys):
        if self.log:
            self.log.write(node, event, **keys)


def post_until_accepted(edda, number, ledger, until):
    """As a careful client: the same Idempotency-Key until an answer came. Anything but a lost
    connection or a 'try again' is a failure of the service."""
    title, content = corpus.memo(number, ledger.size)
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
            ledger.accept(number, answer["memo_uuid"])
            return
        if status not in (0, 409, 429, 502, 503, 504):
            raise AssertionError(f"memo {number} was answered {status} {answer}")
        with ledger.lock:
            ledger.repeats += 1
        time.sleep(0.1 + random.random() * 0.2)
    raise AssertionError(f"memo {number} was not accepted in time")


def ask_until_served(edda, until, method, path, body=None):
    """(status, answer) of the first answer that is not 'try again'."""
    while True:
        try:
            status, _, answer = edda.request(method, path, body)
        except OSError as error:
            status, answer = 0, error
        if status not in (0, 429, 502, 503, 504) or time.monotonic() >= until:
            return status, answer
        time.sleep(0.1)


def ask_database(edda, sql):
    """The rows; both databases have to understand it."""
    return ask_server(edda, sql) if edda.database else ask_folder(edda, sql)


def ask_folder(edda, sql):
    with contextlib.closing(sqlite3.connect(f"file:{edda.data}/edda.db?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def ask_server(edda, sql):
    """What looks like a number is one."""
    url = live.server.rpartition("/")[0] + "/" + edda.database
    rows = subprocess.run(["psql", "-q", "-A", "-t", "-d", url, "-c", sql], check=True, capture_output=True,
                          text=True).stdout
    return [tuple(int(word) if word.isdigit() else word for word in row.split("|")) for row in rows.splitlines()]


class LedgerChecks(unittest.TestCase):
    def wait_processed(self, edda, ledger, seconds=120):
        waiting, until = dict(ledger.accepted), time.monotonic() + seconds
        while waiting and time.monotonic() < until:
            for number, memo in list(waiting.items()):
                try:
                    status, _, answer = edda.request("GET", f"/api/v1/memo/{memo}/status")
                except OSError:
                    break
                if status in (503, 504):
                    break
                self.assertEqual(status, 200, answer)
                self.assertNotEqual(answer["status"], "error", answer)
                if answer["status"] == "processed":
                    del waiting[number]
            time.sleep(0.2)
        self.assertEqual(waiting, {}, "no accepted memo is stuck")

    def compare_service(self, edda, ledger):
        status, _, page = edda.request("GET", "/api/v1/memo?page_size=1")
        self.assertEqual((status, page.get("count")), (200, len(ledger.accepted)), f"none lost, none doubled: {page}")
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            for _ in pool.map(lambda one: self.compare_memo(edda, ledger, *one), ledger.accepted.items()):
                pass  # the first that failed is raised here

    def compare_memo(self, edda, ledger, number, memo):
        status, _, answer = edda.request("GET", f"/api/v1/memo/{memo}")
        self.assertEqual(status, 200, answer)
        title, content = corpus.memo(number, ledger.size)
        self.assertEqual((answer["title"], answer["content"]), (title, content))
        chunks = answer["chunks"]
        self.assertGreater(len(chunks), 0)
        self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))
        self.assertEqual(len({chunk["uuid"] for chunk in chunks}), len(chunks))
        status, _, answer = edda.request("POST", "/api/v1/search", {"query": corpus.unique_word(number), "limit": 5})
        self.assertEqual(status, 200, answer)
        self.assertEqual([hit["memo_uuid"] for hit in answer["results"][:1]], [memo],
                         f"memo {number} is found by its own word: {answer}")

    def compare_database(self, edda, ledger):
        """Rows as the schema's README composes their ids: version << 22 | part << 10 | number."""
        index = "chunk_terms" if edda.database else "chunk_index"

        def ask(sql):
            return ask_database(edda, sql)
        if not edda.database:
            self.assertEqual(ask("pragma integrity_check"), [("ok",)])
        memos = {uuid.UUID(bytes=one) if isinstance(one, bytes) else uuid.UUID(one): number
                 for one, number in ask("select uuid, id from memo where deleted_ms = 0")}
        self.assertEqual(set(memos), {uuid.UUID(one) for one in ledger.accepted.values()})
        versions = ask("select id, memo, chunks, open_jobs from version")
        self.assertEqual(sorted(row[1] for row in versions), sorted(memos.values()),
                         "one version a memo")
        names = {one: str(memo) for memo, one in memos.items()}
        names = {version: names[memo] for version, memo, _, _ in versions}
        for version, _, chunks, open_jobs in versions:
            ledger.note("stored", node="-", memo=names[version], chunks=chunks,
                        state="processing" if open_jobs else "ready")
        rows = {}
        for chunk, in ask("select id from chunk order by id"):
            ledger.note("chunk", node="-", memo=names.get(chunk >> 22, "nobody's"),
                        part=chunk >> 10 & 4095, number=chunk & 1023)
            rows.setdefault(chunk >> 22, []).append(chunk & (1 << 22) - 1)
        for version, _, chunks, open_jobs in versions:
            self.assertEqual(open_jobs, 0)
            self.assertEqual(sorted(rows.pop(version, [])), list(range(chunks)))
        self.assertEqual(rows, {}, "no chunk of a version that is not there")
        self.assertEqual(ask("select count(*) from job where state <> 2"), [(0,)], "no job is open")
        missing = ask(f"select count(*) from chunk left join {index} using (id) where {index}.id is null")
        self.assertEqual(missing, [(0,)], "every chunk can be found")
