"""Load from a second process (wrk), and memos from a few threads; what each run cost the server."""

import atexit
import http.client
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

import corpus
from service import KEY, call

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def _milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def count_chunks(service):
    return call(service, "GET", "/api/v1/pipeline")[1]["store"]["chunks"]


def wrk(service, path, connections, seconds, script=None):
    """One run: {rps, cpu_us, p50_ms, p99_ms, requests, errors}."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               "-H", "Authorization: Bearer " + KEY]
    if script:
        command += ["-s", script]
    before = service.cpu_seconds()
    output = subprocess.run(command + [f"http://127.0.0.1:{service.port}{path}"], check=True,
                            capture_output=True, text=True).stdout
    spent = service.cpu_seconds() - before
    if not re.search(r"\n\s+99%\s+[\d.]+[a-z]+\n", output):
        raise SystemExit(f"wrk measured nothing:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    errors = 0
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if bad:
        errors += int(bad.group(1))
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    if sockets:
        errors += sum(int(one) for one in sockets.groups())
    return {"rps": requests / seconds, "cpu_us": spent / max(requests, 1) * 1e6, "errors": errors,
            "requests": requests,
            "p50_ms": _milliseconds(re.search(r"\n\s+50%\s+(\S+)", output).group(1)),
            "p99_ms": _milliseconds(re.search(r"\n\s+99%\s+(\S+)", output).group(1))}


def script_file():
    """(descriptor, path) of a file that goes when the benchmark ends."""
    handle, path = tempfile.mkstemp(suffix=".lua", prefix="edda-bench-")
    atexit.register(os.unlink, path)
    return handle, path


def search_script(count=400):
    """A wrk script that asks a different question each time."""
    bodies = [json.dumps({"query": question, "limit": 10}) for question in corpus.questions(count)]
    handle, path = script_file()
    with os.fdopen(handle, "w") as out:
        out.write("local bodies = {\n" + ",\n".join("[==[" + body + "]==]" for body in bodies) + "}\n"
                  "local i = 0\nrequest = function()\n  i = i % #bodies + 1\n"
                  '  return wrk.format("POST", nil, {["Content-Type"]="application/json", '
                  f'["Authorization"]="Bearer {KEY}"' "}, bodies[i])\nend\n")
    return path


def memo_script(uuids):
    """A wrk script that asks for one memo after the other."""
    handle, path = script_file()
    with os.fdopen(handle, "w") as out:
        out.write("local ids = {\n" + ",\n".join(f'"{uuid}"' for uuid in uuids) + "}\n"
                  "local i = 0\nrequest = function()\n  i = i % #ids + 1\n"
                  f'  return wrk.format("GET", "/api/v1/memo/" .. ids[i], {{["Authorization"]="Bearer {KEY}"}})\nend\n')
    return path


def post_all(service, bodies, concurrency):
    """Posts memos over as many connections. (milliseconds of each, statuses that were no 201)"""
    latencies, failures, lock = [], [], threading.Lock()
    todo = iter(bodies)

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        while True:
            with lock:
                body = next(todo, None)
            if body is None:
                return
            began = time.monotonic()
            connection.request("POST", "/api/v1/memo", body,
                               {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            with lock:
                latencies.append((time.monotonic() - began) * 1e3)
                if response.status != 201:
                    failures.append(response.status)

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, failures


def ingest(service, memos, concurrency=32, first=0, size=4096):
    """Posts memos, waits until all are processed. {accepted_s, processed_s, cpu_ms, post latencies}."""
    bodies = []
    for number in range(first, first + memos):
        title, content = corpus.memo(number, size)
        bodies.append(json.dumps({"title": title, "content": content, "reference_id": f"memo-{number}"}))
    known = call(service, "GET", "/api/v1/memo?page_size=1")[1]["count"]
    before, began = service.cpu_seconds(), time.monotonic()
    latencies, failures = post_all(service, bodies, concurrency)
    accepted = time.monotonic() - began
    wait_processed(service, known + memos)
    processed = time.monotonic() - began
    spent = service.cpu_seconds() - before
    latencies.sort()
    return {"accepted_s": memos / accepted, "processed_s": memos / processed, "failures": failures,
            "cpu_us": spent / memos * 1e6, "p50_ms": latencies[len(latencies) // 2],
            "p99_ms": latencies[int(len(latencies) * 0.99)]}


def wait_processed(service, memos, seconds=300):
    """Until the service's live view, which may be a second old, knows that many memos and no work."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status, pipeline = call(service, "GET", "/api/v1/pipeline")
        if status == 200:
            jobs = pipeline["store"]["jobs"]
            if pipeline["store"]["memos"] >= memos and jobs["ready"] + jobs["leased"] == 0:
                if jobs["dead"]:
                    raise SystemExit(f"{jobs['dead']} jobs are dead")
                return
        time.sleep(0.1)
    raise SystemExit("the memos were not processed in time")
