"""Search must not get worse: judged collections against the figures of tests/quality/floors.json.

    python3 tests/quality/floors.py --edda PATH [--collections DIR] [--write] [--table]

Our own small collection (house/) is always asked. Where EDDA_COLLECTIONS or --collections names a folder of collections
in BEIR's shape, those that floors.json knows are asked too. A drop of more than 0.5 nDCG@10 or 1.0 R@100 of any
ranking fails. --write keeps the figures found as the new ones, --table prints them for the README."""

import argparse
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FLOORS = os.path.join(HERE, "floors.json")
ALLOWED = 0.5  # nDCG@10, in hundredths
LEGS = ("words", "fused", "reranked")
# Where under EDDA_COLLECTIONS, and how many of its questions: what fits a minute of processor time.
COLLECTIONS = {"scifact": ("scifact", 300), "squad2-dev": ("squad2-dev", 700),
               "cmrc2018-dev-zh": ("cmrc2018-dev-zh", 400), "xquad/en": ("xquad/en", 300),
               "xquad/zh": ("xquad/zh", 300), "xquad/de": ("xquad/de", 300), "xquad/ru": ("xquad/ru", 300)}
OPTIONS = argparse.Namespace(edda="build/edda", write=False, table=False,
                             collections=os.environ.get("EDDA_COLLECTIONS", ""))
NAMES = {"scifact": "SciFact, 300 questions", "squad2-dev": "SQuAD 2, 700 of 2,910",
         "cmrc2018-dev-zh": "CMRC 2018, Chinese, 400 of 3,219", "xquad/en": "XQuAD English, 300 of 1,190",
         "xquad/zh": "XQuAD Chinese, 300", "xquad/de": "XQuAD German, 300", "xquad/ru": "XQuAD Russian, 300",
         "house": "our own, `tests/quality/house`, 114"}
found = {}


def evaluate(folder, queries):
    words = ["--queries", str(queries)] if queries else []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
    done = subprocess.run([OPTIONS.edda, "eval", "--collection", folder, "--typo", "--json", *words],
                          capture_output=True, text=True, timeout=600, env=clean)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return {run["name"]: {leg: {figure: run["legs"][leg][figure]["value"] for figure in ("nDCG@10", "R@100")}
                          for leg in LEGS} for run in json.loads(done.stdout)["runs"]}


class Floors(unittest.TestCase):
    def check(self, name, folder, queries=None):
        found[name] = evaluate(folder, queries)
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
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.parse_args(namespace=OPTIONS)
    outcome = unittest.main(argv=sys.argv[:1], exit=False).result
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
