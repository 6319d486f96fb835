"""Edda between its clients and a provider with the latency of a real one (tests/provider), beside
that provider asked directly in the same run."""

import http.client
import json
import os
import statistics
import sys
import time

import corpus
import load
import service
import streams

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import provider  # noqa: E402

EMBED_MS, RERANK_MS, FIRST_MS, TOKEN_MS, TOKENS = 50, 50, 50, 10, 50
MEMO_BYTES = 3300  # five chunks
QUESTION = "What keeps the oldest document"


def settings(fake):
    return {"EMBEDDING_PROVIDER": "openai", "RERANKING_PROVIDER": "cohere", "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "sk-bench", "COHERE_API_KEY": "co-bench", "EMBEDDING_DIMENSION": "1024",
            "OPENAI_BASE_URL": fake.url("openai/v1"), "COHERE_BASE_URL": fake.url("cohere")}


def middle(values, share=0.5):
    return values[min(len(values) - 1, int(len(values) * share))]


def one_by_one(fake, count):
    """Seconds a call: a chunk a call, each after the other, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", fake.port)
    began = time.monotonic()
    for number in range(count):
        body = {"model": "m", "input": [corpus.memo(10 ** 6 + number, MEMO_BYTES // 5)[1]], "dimensions": 1024}
        connection.request("POST", "/openai/v1/embeddings", json.dumps(body),
                           {"Content-Type": "application/json", "Authorization": "Bearer sk-bench"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"the provider answered {answer.status}")
    connection.close()
    return (time.monotonic() - began) / count


def embed(options):
    with provider.FakeProvider(provider.find(options.edda, options.fake_provider)) as fake:
        fake.set(embed={"latency_ms": EMBED_MS})
        edda = service.start_edda(options.edda, environment=settings(fake))
        runs = []
        try:
            for number in range(options.rounds):
                before, chunks = fake.counters()["embed"]["requests"], load.count_chunks(edda)
                alone_s = one_by_one(fake, 40)
                calls = fake.counters()["embed"]["requests"] - before
                run = load.ingest(edda, options.memos, 32, first=number * options.memos, size=MEMO_BYTES)
                run["calls"] = fake.counters()["embed"]["requests"] - before - calls
                run["chunks"] = load.count_chunks(edda) - chunks
                run["seconds"] = options.memos / run["processed_s"]
                run["alone_s"] = alone_s * run["chunks"]
                run["ratio"] = run["alone_s"] / run["seconds"]
                runs.append(run)
        finally:
            edda.stop()
    print(f"\ningest of {options.memos} memos with a provider that takes {EMBED_MS} ms a call (goal: 20 times as "
          "fast as one call a chunk, one after the other)")
    print(f"  {'':<28}{'chunks':>10}{'calls':>8}{'seconds':>10}{'CPU us a memo':>16}")
    print(f"  {'edda':<28}{load.median(runs, 'chunks'):10.0f}{load.median(runs, 'calls'):8.0f}"
          f"{load.median(runs, 'seconds'):10.2f}{load.median(runs, 'cpu_us'):16.0f}")
    print(f"  {'one call a chunk, of 40':<28}{load.median(runs, 'chunks'):10.0f}{load.median(runs, 'chunks'):8.0f}"
          f"{load.median(runs, 'alone_s'):10.2f}")
    print(f"  ratio {load.median(runs, 'ratio'):.0f}, failures {sum(len(run['failures']) for run in runs)}")


def chains_to_edda(edda, count, first):
    for number in range(count):
        body = {"query": f"{QUESTION} {first + number}?", "stream": True}
        yield [(edda.port, streams.request("/api/v1/chat", body, service.KEY), b'"type":"token"')]


def chains_to_provider(fake, count, first):
    """What Edda needs of the provider for a chat, in order: the question's vector, scores, the answer."""
    passages = [corpus.memo(number, 800)[1] for number in range(25)]
    for number in range(count):
        query = f"{QUESTION} {first + number}?"
        chat = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "\n".join(passages) + query}]}
        yield [(fake.port, streams.request("/openai/v1/embeddings", {"model": "m", "input": [query]}, "k"), b"embedding"),
               (fake.port, streams.request("/cohere/v2/rerank",
                                           {"model": "m", "query": query, "documents": passages, "top_n": 25}, "k"),
                b"relevance_score"),
               (fake.port, streams.request("/openai/v1/chat/completions", chat, "k"), b'"delta":{"content":"')]


def chat(options):
    wanted = {"embed": {"latency_ms": EMBED_MS}, "rerank": {"latency_ms": RERANK_MS},
              "chat": {"first_token_ms": FIRST_MS, "token_ms": TOKEN_MS, "tokens": TOKENS}}
    print(f"\nchat of {TOKENS} tokens; provider: {EMBED_MS} ms to embed, {RERANK_MS} to rerank, {FIRST_MS} to the first "
          f"token, {TOKEN_MS} a token (goal: 10 ms beyond it to the first token; Skald +37 alone, +208 at 32)")
    print(f"  {'':<28}{'first p50':>10}{'p99':>9}{'all p50':>10}{'chats/s':>9}{'CPU us a chat':>15}")
    with provider.FakeProvider(provider.find(options.edda, options.fake_provider)) as fake:
        edda = service.start_edda(options.edda, environment=settings(fake))
        try:
            load.ingest(edda, 20, 8, size=MEMO_BYTES)
            fake.set(**wanted)
            asked = 0
            for concurrency in (1, 32):
                count = concurrency * (4 if concurrency > 1 else 10)
                results = {"edda": [], "the provider itself": []}
                for _ in range(options.rounds):
                    before = edda.cpu_seconds()
                    run = streams.visit_all(chains_to_edda(edda, count, asked), concurrency)
                    run["cpu_us"] = (edda.cpu_seconds() - before) / count * 1e6
                    results["edda"].append(run)
                    results["the provider itself"].append(
                        streams.visit_all(chains_to_provider(fake, count, asked), concurrency))
                    asked += count
                medians = {}
                for name, runs in results.items():
                    medians[name] = statistics.median(middle(run["first_ms"]) for run in runs)
                    cpu = f"{load.median(runs, 'cpu_us'):15.0f}" if name == "edda" else ""
                    print(f"  {name + f', {concurrency} at a time':<28}{medians[name]:10.1f}"
                          f"{statistics.median(middle(run['first_ms'], 0.99) for run in runs):9.1f}"
                          f"{statistics.median(middle(run['total_ms']) for run in runs):10.1f}"
                          f"{statistics.median(count / run['seconds'] for run in runs):9.1f}{cpu}")
                print(f"  beyond the provider at the median: {medians['edda'] - medians['the provider itself']:+.1f} ms")
            print(f"  memory of the whole service now {edda.rss_bytes() / 2**20:.1f} MiB")
        finally:
            edda.stop()
