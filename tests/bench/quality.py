#!/usr/bin/env python3
"""How good search is, through the HTTP API of a running Edda, on any judged collection.

The collection is a folder in BEIR's shape: docs.jsonl {id, title, text}, queries.jsonl {id, text},
qrels.tsv (query, document, grade). Documents go in by POST /api/v1/memo with reference_id = id, unless
--no-ingest says that they are there; queries are asked by POST /api/v1/search; hits are chunks, and a
document's place is that of its first chunk. Prints nDCG@10 (linear gain, as trec_eval), recall of what
one search returns (50 chunks at most), MRR@10, and the time searches took.

    tests/bench/quality.py FOLDER --url http://127.0.0.1:7700 --key KEY
"""

import argparse
import concurrent.futures
import http.client
import json
import math
import os
import random
import sys
import threading
import time
import urllib.parse

TITLE_LENGTH = 255


class Client:
    """One HTTP connection a thread, opened again when the server closed it."""

    def __init__(self, url, key):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port or 80)
        self.base = parts.path.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.local = threading.local()

    def call(self, method, path, body=None, attempts=8):
        payload = None if body is None else json.dumps(body)
        for attempt in range(attempts):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(*self.address, timeout=60)
                self.local.connection = connection
            try:
                connection.request(method, self.base + path, payload, self.headers)
                response = connection.getresponse()
                status, text = response.status, response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if attempt + 1 == attempts:
                    raise
                time.sleep(0.1 * 2**attempt)
                continue
            if status in (429, 503) and attempt + 1 < attempts:
                time.sleep(float(response.headers.get("Retry-After") or 0.2 * 2**attempt))
                continue
            if status >= 400:
                raise SystemExit(f"{method} {path}: {status} {text[:300]!r}")
            return json.loads(text) if text else None
        raise SystemExit(f"{method} {path}: still busy after {attempts} attempts")


def read_lines(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def read_judgements(folder):
    judged = {}
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            try:
                grade = float(fields[2])
            except (IndexError, ValueError):
                continue  # the head line
            judged.setdefault(fields[0], {})[fields[1]] = grade
    return judged


def add_typos(text, dice):
    """One random edit in one of five words of four and more letters, never at their ends."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) < 4 or not word.isalpha() or dice.random() >= 0.2:
            continue
        at = dice.randrange(1, len(word) - 1)
        letter = dice.choice("abcdefghijklmnopqrstuvwxyz")
        words[i] = dice.choice([
            word[:at] + word[at + 1:],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1:],
            word[:at] + word[at + 1] + word[at] + word[at + 2:] if at + 2 < len(word)
            else word[:at] + letter + word[at + 1:],
        ])
    return " ".join(words)


def title_of(doc):
    title = (doc.get("title") or "").strip()
    return title[:TITLE_LENGTH] or str(doc["id"])[:TITLE_LENGTH]


def ingest(client, docs, threads):
    started = time.monotonic()

    def send(doc):
        text = doc.get("text") or doc.get("title") or str(doc["id"])
        answer = client.call("POST", "/api/v1/memo", {
            "title": title_of(doc), "content": text, "reference_id": str(doc["id"])})
        return answer["memo_uuid"], str(doc["id"])

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        ids = dict(pool.map(send, docs))
    accepted = time.monotonic()
    print(f"{len(docs)} documents accepted in {accepted - started:.1f} s", flush=True)

    def wait(memo):
        while True:
            status = client.call("GET", f"/api/v1/memo/{memo}/status")
            if status["status"] == "error":
                raise SystemExit(f"memo {memo}: {status['error_reason']}")
            if status["status"] == "processed":
                return
            time.sleep(0.2)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(wait, ids))
    print(f"all processed after {time.monotonic() - started:.1f} s", flush=True)
    return ids


def read_ids(client):
    ids, page = {}, 1
    while True:
        answer = client.call("GET", f"/api/v1/memo?page={page}&page_size=100")
        for row in answer["results"]:
            ids[row["uuid"]] = row["client_reference_id"]
        if page >= answer["total_pages"]:
            return ids
        page += 1


def judge(ranked, grades):
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    best = sum(grade / math.log2(i + 2) for i, grade in enumerate(ideal[:10]))
    gain = sum(grades.get(doc, 0) / math.log2(i + 2) for i, doc in enumerate(ranked[:10]))
    right = [i for i, doc in enumerate(ranked) if grades.get(doc, 0) > 0]
    first = right[0] if right and right[0] < 10 else None
    return gain / best, len(right) / len(ideal), 0 if first is None else 1 / (first + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--url", default="http://127.0.0.1:7700")
    parser.add_argument("--key", default=os.environ.get("EDDA_API_KEY", ""))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--limit", type=int, default=50, help="chunks a search returns, 1..50")
    parser.add_argument("--queries", type=int, default=0, help="only so many, evenly chosen")
    parser.add_argument("--no-ingest", action="store_true", help="the documents are there already")
    parser.add_argument("--typos", action="store_true", help="with mistyped queries, seeded")
    parser.add_argument("--at-least", type=float, help="exit 1 when nDCG@10 is below")
    arguments = parser.parse_args()

    client = Client(arguments.url, arguments.key)
    judged = read_judgements(arguments.folder)
    if arguments.no_ingest:
        ids = read_ids(client)
    else:
        ids = ingest(client, read_lines(arguments.folder, "docs.jsonl"), arguments.threads)
    known = set(ids.values())
    queries = []
    for query in read_lines(arguments.folder, "queries.jsonl"):
        grades = {doc: grade for doc, grade in judged.get(str(query["id"]), {}).items()
                  if doc in known}
        if any(grade > 0 for grade in grades.values()):
            queries.append((query["text"], grades))
    if arguments.queries and arguments.queries < len(queries):
        queries = queries[::len(queries) // arguments.queries]
    if not queries:
        raise SystemExit("no query of this collection has a right answer here")
    dice = random.Random(1)
    if arguments.typos:
        queries = [(add_typos(text, dice), grades) for text, grades in queries]

    def ask(query):
        started = time.monotonic()
        answer = client.call("POST", "/api/v1/search",
                             {"query": query[0], "limit": arguments.limit})
        spent = time.monotonic() - started
        ranked = list(dict.fromkeys(ids.get(hit["memo_uuid"]) for hit in answer["results"]))
        return judge(ranked, query[1]) + (spent,)

    with concurrent.futures.ThreadPoolExecutor(arguments.threads) as pool:
        rows = list(pool.map(ask, queries))
    ndcg, recall, reciprocal = (100 * sum(column) / len(rows) for column in list(zip(*rows))[:3])
    times = sorted(row[3] for row in rows)
    print(f"{os.path.basename(os.path.normpath(arguments.folder))}: {len(rows)} queries, "
          f"nDCG@10 {ndcg:.2f}, recall {recall:.2f}, MRR@10 {reciprocal:.2f}; "
          f"search p50 {1000 * times[len(times) // 2]:.1f} ms, "
          f"p99 {1000 * times[min(len(times) - 1, len(times) * 99 // 100)]:.1f} ms")
    if arguments.at_least is not None and ndcg < arguments.at_least:
        print(f"below {arguments.at_least}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
