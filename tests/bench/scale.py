"""Search over many chunks of real words: sentences of judged collections put together anew, so that the vocabulary
and how often each word comes are those of people. Beside it SQLite's FTS5, which many would take, on the same text."""

import http.client
import json
import os
import random
import re
import sqlite3
import statistics
import time

import load
import service

PARTS = ("scifact", "squad2-dev", "xquad/en")
CHUNK = 900      # characters, about what Edda's chunks hold
CHUNKS_A_MEMO = 6
RARE = 0.03      # of the words, one that hardly another text has


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Corpus:
    def __init__(self, folder, seed=11):
        self.random = random.Random(seed)
        self.sentences, self.questions = [], []
        for part in PARTS:
            for document in read_lines(os.path.join(folder, part, "docs.jsonl")):
                self.sentences += [one for one in re.split(r"(?<=[.!?]) ", document["text"]) if 30 < len(one) < 400]
            self.questions += [query["text"] for query in read_lines(os.path.join(folder, part, "queries.jsonl"))[:200]]

    def rare_word(self):
        return "".join(self.random.choice("bcdfgklmnprstvz") + self.random.choice("aeiou")
                       for _ in range(self.random.randint(3, 5)))

    def memo(self):
        """Paragraphs of about a chunk each."""
        paragraphs = []
        for _ in range(CHUNKS_A_MEMO):
            words = ""
            while len(words) < CHUNK:
                words += self.random.choice(self.sentences) + " "
            paragraphs.append(" ".join(self.rare_word() if self.random.random() < RARE else word
                                       for word in words.split()))
        return paragraphs


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def line(name, cpu, extra=""):
    print(f"  {name:<34}{statistics.median(cpu) * 1e3:9.2f}{percentile(cpu, 0.99) * 1e3:9.2f}"
          f"{percentile(cpu, 0.99) / statistics.median(cpu):9.1f}   {extra}")


def ask_edda(edda, questions):
    """CPU seconds of all of its threads, a question, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", edda.port, timeout=60)
    headers = {"Authorization": "Bearer " + service.KEY, "Content-Type": "application/json"}
    spent = []
    for question in questions:
        before = edda.cpu_seconds()
        connection.request("POST", "/api/v1/search", json.dumps({"query": question, "limit": 10}), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        spent.append(edda.cpu_seconds() - before)
        if response.status != 200 or not answer["results"]:
            raise SystemExit(f"a search was answered {response.status} {answer}")
    connection.close()
    return spent


def ask_fts(database, questions):
    spent = []
    for question in questions:
        words = " OR ".join(f'"{word}"' for word in set(re.findall(r"\w+", question.lower())))
        before = time.process_time()
        database.execute("SELECT rowid FROM text WHERE text MATCH ? ORDER BY rank LIMIT 100", (words,)).fetchall()
        spent.append(time.process_time() - before)
    return spent


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)
               if os.path.isfile(os.path.join(folder, name)))


def post(edda, memos):
    """Through the API; waits until all are processed."""
    bodies = [json.dumps({"title": f"Text {number}", "content": "\n\n".join(paragraphs)})
              for number, paragraphs in enumerate(memos)]
    load.post_all(edda, bodies, 16)
    load.wait_processed(edda, len(memos), 1200)


def scale(options):
    if not options.collections:
        raise SystemExit("scale needs --collections DIR, judged collections in BEIR's shape: " + ", ".join(PARTS))
    corpus = Corpus(options.collections)
    memos = [corpus.memo() for _ in range(options.chunks // CHUNKS_A_MEMO)]
    questions = corpus.questions
    edda = service.start_edda(options.edda)
    database = sqlite3.connect(os.path.join(edda.directory, "fts.db"))
    database.execute("CREATE VIRTUAL TABLE text USING fts5(body, tokenize = 'porter unicode61')")
    try:
        empty = edda.rss_bytes()
        post(edda, memos)
        with database:
            database.executemany("INSERT INTO text (body) VALUES (?)", ((one,) for memo in memos for one in memo))
        chunks = load.count_chunks(edda)
        ask_edda(edda, questions[:50])
        ask_fts(database, questions[:50])
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours += ask_edda(edda, questions)
            theirs += ask_fts(database, questions)
        print(f"\nsearch over {chunks} chunks of real words, {len(questions)} questions one after the other "
              f"(goal: median 3 CPU ms, p99 5 times that)")
        print(f"  {'':<34}{'CPU ms':>9}{'p99':>9}{'p99/p50':>9}")
        line("edda: HTTP, words, vectors, rerank", ours)
        line("SQLite FTS5, words alone", theirs, "in this process")
        print(f"  memory a chunk {(edda.rss_bytes() - empty) / chunks:.0f} bytes; on disk "
              f"{folder_bytes(os.path.join(edda.directory, 'data')) / chunks:.0f} bytes, of which text "
              f"{sum(len(one) for memo in memos for one in memo) / chunks:.0f}; FTS5's file "
              f"{os.path.getsize(os.path.join(edda.directory, 'fts.db')) / chunks:.0f}")
    finally:
        database.close()
        edda.stop()
