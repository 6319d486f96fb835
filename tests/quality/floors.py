"""Search must not get worse: judged collections against the figures of tests/quality/floors.json.

    python3 tests/quality/floors.py --edda PATH [--collections DIR] [--database URL] [--write] [--table]

Our own small collection (house/) is always asked. Where EDDA_COLLECTIONS or --collections names a folder of collections
in BEIR's shape, those that floors.json knows are asked too. A drop of more than 0.5 nDCG@10 or 1.0 R@100 of any
ranking fails. With --database our own and SciFact are asked through the API of a service on that PostgreSQL server, too:
nDCG@10 within 0.1 of SQLite's in this run. --write keeps the figures found as the new ones, --table prints them for the README."""

import argparse
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import live

FLOORS = os.path.join(HERE, "floors.json")
ALLOWED = 0.5  # nDCG@10, in hundredths
APART = 0.1  # the two stores
LEGS = ("words", "fused", "reranked")
# Where under EDDA_COLLECTIONS, and how many of its questions: what fits a minute of processor time.
COLLECTIONS = {"scifact": ("scifact", 300), "squad2-dev": ("squad2-dev", 700),
               "cmrc2018-dev-zh": ("cmrc2018-dev-zh", 400), "xquad/en": ("xquad/en", 300),
               "xquad/zh": ("xquad/zh", 300), "xquad/de": ("xquad/de", 300), "xquad/ru": ("xquad/ru", 300)}
OPTIONS = argparse.Namespace(edda="build/edda", database=None, write=False, table=False,
                             collections=os.environ.pop("EDDA_COLLECTIONS", ""))  # edda refuses what it does not know
NAMES = {"scifact": "SciFact, 300 questions", "squad2-dev": "SQuAD 2, 700 of 2,910",
         "cmrc2018-dev-zh": "CMRC 2018, Chinese, 400 of 3,219", "xquad/en": "XQuAD English, 300 of 1,190",
         "xquad/zh": "XQuAD Chinese, 300", "xquad/de": "XQuAD German, 300", "xquad/ru": "XQuAD Russian, 300",
         "house": "our own, `tests/quality/house`, 114"}
found = {}


def evaluate(folder, queries, *flags, legs=LEGS):
    words = [*(["--queries", str(queries)] if queries else []), *flags]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
    done = subprocess.run([OPTIONS.edda, "eval", "--collection", folder, "--json", *words],
                          capture_output=True, text=True, timeout=600, env=clean)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return {run["name"]: {leg: {figure: run["legs"][leg][figure]["value"] for figure in ("nDCG@10", "R@100")}
                          for leg in legs} for run in json.loads(done.stdout)["runs"]}


class Floors(unittest.TestCase):
    def check(self, name, folder, queries=None):
        found[name] = evaluate(folder, queries, "--typo")
        if OPTIONS.write:
            return
        with open(FLOORS, encoding="utf-8") as kept:
            floors = json.load(kept)[name]
        for run, legs in floors.items():
            for leg, figures in legs.items():
                with self.subTest(collection=name, run=run, leg=leg):
                    self.assertGreaterEqual(found[name][run][leg]["nDCG@10"], figures["nDCG@10"] - ALLOWED)
                    self.assertGreaterEqual(found[name][run][leg]["R@100"], figures["R@100"] - 2 * ALLOWED)

    def test_our_own_collection(self):
        self.check("house", os.path.join(HERE, "house"))

    def test_collections_that_are_here(self):
        root = OPTIONS.collections
        if not root:
            print("no other collections are named: our own alone", file=sys.stderr)
            return
        for name, (folder, queries) in COLLECTIONS.items():
            self.check(name, os.path.join(root, folder), queries)


class OnPostgreSQL(unittest.TestCase):
    def setUp(self):
        live.server = OPTIONS.database
        self.addCleanup(setattr, live, "server", None)

    def compare(self, name, folder, queries=None):
        sqlite = found[name] if name in found else evaluate(folder, queries)
        with live.Edda(OPTIONS.edda) as edda:
            postgres = evaluate(folder, queries, "--url", f"http://127.0.0.1:{edda.port}", "--key", live.KEY,
                                legs=LEGS[-1:])
        first, second = (store["written"][LEGS[-1]]["nDCG@10"] for store in (sqlite, postgres))
        print(f"{name}: nDCG@10 {first:.2f} on SQLite, {second:.2f} through the API on PostgreSQL")
        self.assertLessEqual(abs(first - second), APART)

    def test_our_own_collection(self):
        self.compare("house", os.path.join(HERE, "house"))

    def test_scifact(self):
        if not OPTIONS.collections:
            self.skipTest("no other collections are named")
        folder, queries = COLLECTIONS["scifact"]
        self.compare("scifact", os.path.join(OPTIONS.collections, folder), queries)


def print_table():
    print("| nDCG@10 | as written | mistyped | R@100 |")
    print("|---|---|---|---|")
    for name in sorted(found, key=list(NAMES).index):
        written = found[name]["written"]["reranked"]
        mistyped = found[name]["mistyped"]["reranked"]
        print(f"| {NAMES[name]} | {written['nDCG@10']:.1f} | {mistyped['nDCG@10']:.1f} | {written['R@100']:.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edda", default=OPTIONS.edda)
    parser.add_argument("--collections", default=OPTIONS.collections)
    parser.add_argument("--database", help="URL of a PostgreSQL server")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.parse_args(namespace=OPTIONS)
    classes = ["Floors", *(["OnPostgreSQL"] if OPTIONS.database else [])]
    outcome = unittest.main(argv=[sys.argv[0], *classes], exit=False).result
    if OPTIONS.write:
        kept = {}
        if os.path.exists(FLOORS):
            with open(FLOORS, encoding="utf-8") as before:
                kept = json.load(before)
        with open(FLOORS, "w", encoding="utf-8") as out:
            json.dump({**kept, **found}, out, indent=1)
            out.write("\n")
    if OPTIONS.table:
        print_table()
    sys.exit(not outcome.wasSuccessful())
