"""Edda beside real peers in the same run, alternating. Prints; never passes or fails on time."""

import argparse
import contextlib
import os
import platform
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import load
import peers
import providers
import scale
import service
from load import count_chunks, median

GOALS = {"roundtrip": 18.0, "memo": 40.0, "get": 35.0, "search": 1500.0, "ingest": 2000.0, "idle": 30.0}


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/loadavg") as average:
        busy = average.read().split()[0]
    return (f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, "
            f"load {busy} at the start, {time.strftime('%Y-%m-%d')}")


AUTOGROUP = "/proc/sys/kernel/sched_autogroup_enabled"


@contextlib.contextmanager
def fair_scheduler():
    """Linux gives each session as much of a processor as any other, and each backend of PostgreSQL is a session of
    its own, while a service with all its threads is one together with the load's: off, as it is where services are
    started by systemd or in containers."""
    try:
        with open(AUTOGROUP) as file:
            before = file.read().strip()
    except OSError:
        before = "0"
    if before != "0":
        try:
            with open(AUTOGROUP, "w") as file:
                file.write("0")
        except OSError:
            print("kernel.sched_autogroup_enabled is 1 and cannot be changed: the p99 beside PostgreSQL says little")
            before = "0"
    try:
        yield
    finally:
        if before != "0":
            with open(AUTOGROUP, "w") as file:
                file.write(before)


def row(name, runs, base=None):
    errors = sum(run.get("errors", 0) for run in runs)
    ratio = f"{median(runs, 'cpu_us') / median(base, 'cpu_us'):8.2f}" if base else " " * 8
    print(f"  {name:<28}{median(runs, 'cpu_us'):10.1f}{ratio}{median(runs, 'rps'):11.0f}"
          f"{median(runs, 'p50_ms'):9.2f}{median(runs, 'p99_ms'):9.2f}"
          f"{'' if not errors else f'  {errors} errors'}")


def header(title, goal):
    print(f"\n{title} (goal: {goal:g} CPU us a request)")
    print(f"  {'':<28}{'CPU us':>10}{'ratio':>8}{'req/s':>11}{'p50 ms':>9}{'p99 ms':>9}")


def alternate(targets, rounds, seconds, connections, server=None):
    """targets: (name, service, path, script). One warm-up, then rounds in turn. server: whose CPU is told too."""
    results = {name: [] for name, _, _, _ in targets}
    for name, one, path, script in targets:
        load.wrk(one, path, connections, 1, script)
    for _ in range(rounds):
        for name, one, path, script in targets:
            before = server.cpu_seconds() if server else 0
            run = load.wrk(one, path, connections, seconds, script)
            if server:
                run["server_us"] = (server.cpu_seconds() - before) / max(run["requests"], 1) * 1e6
            results[name].append(run)
    return results


def roundtrip(edda, options):
    header("HTTP -> broker -> store -> HTTP, 64 connections", GOALS["roundtrip"])
    peers = [("nginx, static", service.start_nginx(), "/", None)]
    node = service.start_node()
    if node:
        peers.append(("node http, static", node, "/", None))
    try:
        results = alternate([("edda GET /api/health", edda, "/api/health", None)] + peers,
                            options.rounds, options.seconds, 64)
        base = results["nginx, static"]
        for name, runs in results.items():
            row(name, runs, base)
    finally:
        for _, peer, _, _ in peers:
            peer.stop()


def memo(edda, options):
    status, answer = service.call(edda, "POST", "/api/v1/memo",
                                  {"title": "One row", "content": "One row of the store.",
                                   "reference_id": "one-row"})
    if status != 201:
        raise SystemExit(f"POST memo answered {status} {answer}")
    load.wait_processed(edda, 1)
    header("One row of SQLite over HTTP, 64 connections", GOALS["memo"])
    path = f"/api/v1/memo/{answer['memo_uuid']}"
    results = alternate([("edda GET /api/v1/memo/{id}", edda, path, None)], options.rounds,
                        options.seconds, 64)
    for name, runs in results.items():
        row(name, runs)


def get(options):
    """One memo of PostgreSQL by uuid, a different one each time."""
    with peers.Postgres() as postgres:
        started = [service.start_edda(options.edda, environment={"EDDA_DATABASE_URL": postgres.url})]
        try:
            load.ingest(started[0], options.memos, 32, size=400)
            listed = [memo["uuid"] for page in range(1, options.memos // 100 + 1) for memo in service.call(
                started[0], "GET", f"/api/v1/memo?page_size=100&page={page}")[1]["results"]]
            documents = [service.call(started[0], "GET", f"/api/v1/memo/{uuid}")[1] for uuid in listed]
            postgres.fill(documents)
            started += [peers.start_express(postgres.url), peers.start_fastapi(postgres.url)]
            names = ["edda GET /api/v1/memo/{id}", "express 5, pg", "fastapi, asyncpg"]
            for one in started:
                if service.call(one, "GET", f"/api/v1/memo/{listed[0]}")[1] != documents[0]:
                    raise SystemExit("the peers' answers are others")
            script = load.memo_script(listed)
            header(f"one of {len(listed)} memos of PostgreSQL over HTTP, 64 connections; PostgreSQL's own CPU apart",
                   GOALS["get"])
            results = alternate([(name, one, "/", script) for name, one in zip(names, started)], options.rounds,
                                options.seconds, 64, postgres)
            for (name, runs), one in zip(results.items(), started):
                row(name, runs, results[names[0]])
                print(f"  {'':<28}PostgreSQL {median(runs, 'server_us'):.1f} us, RSS {one.rss_bytes() / 2**20:.0f} MiB")
        finally:
            for one in started:
                one.stop()


def ingest(edda, options):
    runs = []
    for number in range(options.rounds):
        runs.append(load.ingest(edda, options.memos, 32, first=number * options.memos))
    print(f"\ningest of {options.memos} Markdown memos of 4 KB at concurrency 32 "
          f"(goal: {GOALS['ingest']:g} CPU us a memo; Skald measured 24000-29000)")
    failures = sum(len(run["failures"]) for run in runs)
    print(f"  CPU us a memo {median(runs, 'cpu_us'):.0f}, accepted/s {median(runs, 'accepted_s'):.0f}, "
          f"processed/s {median(runs, 'processed_s'):.0f}, POST p50 {median(runs, 'p50_ms'):.1f} ms, "
          f"p99 {median(runs, 'p99_ms'):.1f} ms, failures {failures}")


def search(edda, options):
    load.ingest(edda, 1580, 32)
    chunks = count_chunks(edda)
    script = load.search_script()
    for connections in (1, 16, 64):
        header(f"search over {chunks} chunks, {connections} connections; Skald measured "
               "130000-160000", GOALS["search"])
        results = alternate([("edda POST /api/v1/search", edda, "/api/v1/search", script)],
                            options.rounds, options.seconds, connections)
        for name, runs in results.items():
            row(name, runs)
    print(f"  memory of the whole service now {edda.rss_bytes() / 2**20:.1f} MiB")


def idle(options):
    print(f"\nidle memory of `edda up` (goal: {GOALS['idle']:g} MB; Skald's processes 450-600 MB)")
    for flags in ([], ["--processes"]):
        one = service.start_edda(options.edda, *flags)
        time.sleep(2)
        before = one.cpu_seconds()
        time.sleep(5)
        spent = one.cpu_seconds() - before
        print(f"  edda up {' '.join(flags):<12} RSS {one.rss_bytes() / 1e6:.1f} MB, "
              f"{spent / 5 * 1000:.2f} CPU ms a second")
        one.stop()


def run(which, options):
    if "idle" in which:
        idle(options)
    for name, bench in (("roundtrip", roundtrip), ("memo", memo), ("ingest", ingest),
                        ("search", search)):
        if name in which:
            edda = service.start_edda(options.edda)
            try:
                bench(edda, options)
            finally:
                edda.stop()
    for name, bench in (("get", get), ("scale", scale.scale), ("embed", providers.embed), ("chat", providers.chat)):
        if name in which:
            bench(options)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", default=[], metavar="roundtrip|memo|get|ingest|search|scale|embed|chat|idle")
    parser.add_argument("--edda", required=True)
    providers.provider.add_argument(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--memos", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=100000, help="of scale")
    parser.add_argument("--collections", default="", help="of scale: a folder of judged collections")
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    options = parser.parse_args()
    known = [*GOALS, "scale", "embed", "chat"]
    unknown = set(options.which) - set(known)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if options.quick:
        options.rounds, options.seconds, options.memos = 1, 1, 200
    which = options.which or [one for one in known if one != "scale" or options.collections]
    print(f"{machine()}; {options.rounds} rounds of {options.seconds} s")
    with fair_scheduler():
        run(which, options)


if __name__ == "__main__":
    main()
