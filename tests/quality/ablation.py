"""What each part of a search is worth: every collection is asked with one part left out at a time.

    python3 tests/quality/ablation.py --edda PATH --collections DIR [--only NAME]... [--part NAME]...

Prints a table of what nDCG@10 loses without the part, as written / mistyped, in hundredths; * where a
paired randomisation test calls the difference one of the part (p < 0.05). The collections and how many
of their questions are those of floors.py. Takes some minutes: it is a measurement, not a test."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from floors import COLLECTIONS, HERE

PARTS = ("expansion", "grams", "vector", "rerank", "proximity", "window", "title", "early", "likeness")
EVERY = 1_000_000  # questions: more than any collection has
SURE = 0.05


def evaluate(edda, folder, queries, *flags):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
    done = subprocess.run([edda, "eval", "--collection", folder, "--typo", "--json", "--queries", str(queries), *flags],
                          capture_output=True, text=True, check=True, env=clean)
    return done.stdout


def loss(run):
    """What is lost in this run: 0.71* is 0.71 of a hundred, and surely so."""
    compared = run["compared"]["nDCG@10"]
    return f"{compared['earlier'] - compared['now']:+.2f}{'*' if compared['p'] < SURE else ''}"


def ablate(options, name):
    folder, queries = COLLECTIONS.get(name, (os.path.join(HERE, name), EVERY))
    folder = os.path.join(options.collections, folder)
    queries = EVERY if options.all else queries
    with tempfile.NamedTemporaryFile("w", suffix=".json") as whole:
        whole.write(evaluate(options.edda, folder, queries))
        whole.flush()
        column = {}
        for part in options.part or PARTS:
            answer = json.loads(evaluate(options.edda, folder, queries, "--without", part, "--compare", whole.name))
            column[part] = " / ".join(loss(run) for run in answer["runs"])
            print(f"{name} without {part}: {column[part]}", file=sys.stderr)
        return column


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edda", default="build/edda")
    parser.add_argument("--collections", required=True)
    parser.add_argument("--only", action="append", choices=["house", *COLLECTIONS])
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--all", action="store_true", help="all of their questions: an hour")
    options = parser.parse_args()
    table = {name: ablate(options, name) for name in options.only or COLLECTIONS}
    print("| lost without | " + " | ".join(table) + " |")
    print("|---" * (len(table) + 1) + "|")
    for part in options.part or PARTS:
        print(f"| {part} | " + " | ".join(column[part] for column in table.values()) + " |")


if __name__ == "__main__":
    main()
