"""`edda eval` as people use it: `python3 tests/ops/eval_test.py --edda PATH`."""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda")
DOCUMENTS = {
    "tea": ("Green tea", "Green tea is best brewed at eighty degrees for two minutes."),
    "bread": ("Rye bread", "A sourdough of rye needs a warm night before it is baked."),
    "bicycle": ("", "A chain that is oiled every month lasts three winters."),
    "lighthouse": ("Lighthouse", "The keeper lit the lamp at dusk and counted passing ships."),
}
QUERIES = {"q1": ("how hot should the water for green tea be?", "tea"),
           "q2": ("does rye sourdough need a night?", "bread"),
           "q3": ("how often to oil a bicycle chain", "bicycle"),
           "q4": ("who lit the lamp of the lighthouse?", "lighthouse")}


class Eval(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="edda-eval-test-")
        self.collection = os.path.join(self.directory, "small")
        self.scratch = os.path.join(self.directory, "scratch")
        os.makedirs(self.collection)
        os.makedirs(self.scratch)
        with open(os.path.join(self.collection, "docs.jsonl"), "w") as out:
            for name, (title, text) in DOCUMENTS.items():
                out.write(json.dumps({"id": name, "title": title, "text": text}) + "\n")
        with open(os.path.join(self.collection, "queries.jsonl"), "w") as out:
            for name, (text, _) in QUERIES.items():
                out.write(json.dumps({"id": name, "text": text}) + "\n")
        with open(os.path.join(self.collection, "qrels.tsv"), "w") as out:
            out.write("query-id\tcorpus-id\tscore\n")
            for name, (_, right) in QUERIES.items():
                out.write(f"{name}\t{right}\t1\n")

    def tearDown(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def evaluate(self, *words, expect=0):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
        done = subprocess.run([OPTIONS.edda, "eval", "--collection", self.collection, *words],
                              capture_output=True, text=True, timeout=120,
                              env={**clean, "TMPDIR": self.scratch})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def test_every_leg_has_its_figures_and_nothing_is_left_behind(self):
        out = self.evaluate("--typo").stdout
        for words in ("nDCG@10", "R@100", "words, widened", "vector alone", "reranked",
                      "as written", "as mistyped", "hash-256"):
            self.assertIn(words, out)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_json_has_every_query_and_can_be_compared_with(self):
        answer = self.evaluate("--json").stdout
        run = json.loads(answer)["runs"][0]
        self.assertEqual([query["id"] for query in run["queries"]], list(QUERIES))
        self.assertEqual(run["legs"]["reranked"]["nDCG@10"]["value"], 100)
        earlier = os.path.join(self.directory, "earlier.json")
        before = json.loads(answer)
        for query in before["runs"][0]["queries"]:
            query["nDCG@10"] = 0.5
        with open(earlier, "w") as file:
            json.dump(before, file)
        compared = json.loads(self.evaluate("--json", "--compare", earlier).stdout)
        figures = compared["runs"][0]["compared"]
        self.assertEqual((figures["nDCG@10"]["earlier"], figures["nDCG@10"]["now"]), (50, 100))
        self.assertTrue(0.05 < figures["nDCG@10"]["p"] < 0.2)  # 2 of 16 signs come as far
        self.assertEqual(figures["R@10"]["p"], 1)
        self.assertIn("50.00 -> 100.00", self.evaluate("--compare", earlier).stdout)

    def test_a_run_compared_with_its_own_answer_differs_nowhere_by_more_than_chance(self):
        self.collection = os.path.join(HERE, "..", "quality", "house")
        itself = os.path.join(self.directory, "itself.json")
        with open(itself, "w") as file:
            file.write(self.evaluate("--typo", "--json").stdout)
        figures = json.loads(self.evaluate("--typo", "--json", "--compare", itself).stdout)["runs"][1]["compared"]
        self.assertLess(figures["nDCG@10"]["now"], 100)  # some are not whole: a file keeps six digits of them
        self.assertEqual({figures[name]["p"] for name in ("nDCG@10", "R@10", "R@100", "MRR@10")}, {1})

    def test_tuning_finds_better_weights_than_bad_ones_and_they_count(self):
        house = os.path.join(HERE, "..", "quality", "house")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}

        def tune(**weights):
            done = subprocess.run([OPTIONS.edda, "eval", "--collection", house, "--tune"], capture_output=True,
                                  text=True, timeout=300, env={**clean, "TMPDIR": self.scratch, **weights})
            self.assertEqual(done.returncode, 0, done.stderr)
            fused = next(line for line in done.stdout.splitlines() if line.startswith("all three fused"))
            found = dict(line.split("=") for line in done.stdout.splitlines() if line.startswith("EDDA_FUSION_"))
            return float(fused.split()[3]), found, done.stdout

        bad, found, out = tune(EDDA_FUSION_WORDS="10", EDDA_FUSION_VECTOR="90")
        self.assertEqual(sorted(found), ["EDDA_FUSION_GRAMS", "EDDA_FUSION_VECTOR", "EDDA_FUSION_WORDS"], out)
        self.assertEqual(sum(map(int, found.values())), 100)
        good, _, _ = tune(**found)
        self.assertGreater(good, bad + 10)
        good, found, out = tune()
        self.assertEqual(found, {}, out)
        self.assertIn("keep what is set", out)

    def test_tuning_wants_enough_questions(self):
        self.assertIn("5 questions at least", self.evaluate("--tune", expect=1).stderr)

    def test_only_so_many_queries_are_asked(self):
        runs = json.loads(self.evaluate("--json", "--queries", "2").stdout)["runs"]
        self.assertEqual([query["id"] for query in runs[0]["queries"]], ["q1", "q3"])

    def test_parts_can_be_left_out_by_name(self):
        out = self.evaluate("--without", "expansion,grams,rerank").stdout
        self.assertIn("without expansion,grams,rerank", out)
        error = self.evaluate("--without", "magic", expect=1).stderr
        self.assertIn("there is no part magic, only expansion grams vector rerank", error)

    def test_wrong_collections_and_files_are_told(self):
        with open(os.path.join(self.collection, "docs.jsonl"), "a") as out:
            out.write("oops\n")
        self.assertIn("docs.jsonl:5: this is not JSON", self.evaluate(expect=1).stderr)
        self.assertIn("cannot read", self.evaluate("--compare", "nowhere", expect=1).stderr)
        self.assertIn("from 1", self.evaluate("--queries", "none", expect=1).stderr)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_a_kept_directory_is_named_and_is_there(self):
        said = self.evaluate("--keep").stderr
        kept = glob.glob(os.path.join(self.scratch, "edda-eval-*"))
        self.assertEqual(len(kept), 1)
        self.assertIn(kept[0], said)

    def test_a_running_service_is_measured_over_http_and_sent_nothing_twice(self):
        with Edda(OPTIONS.edda) as edda:
            where = ("--url", f"http://127.0.0.1:{edda.port}", "--key", edda.key)
            other = {"title": "Other", "content": "Nobody judged this."}
            self.assertEqual(edda.request("POST", "/api/v1/memo", other)[0], 201)
            for _ in range(2):
                out = self.evaluate(*where).stdout
                self.assertIn("reranked", out)
                self.assertNotIn("vector alone", out)
                self.assertIn("1 other memos", out)
            status, _, listed = edda.request("GET", "/api/v1/memo?page=1&page_size=100")
            self.assertEqual((status, listed["count"]), (200, len(DOCUMENTS) + 1))
            self.assertIn("--without", self.evaluate(*where, "--without", "grams", expect=2).stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--edda", default=OPTIONS.edda)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], *rest])
