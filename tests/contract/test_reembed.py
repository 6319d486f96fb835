"""Another embedding model: what is stored serves on, a question meets vectors of one model only, and
`edda reembed` brings the new ones, through restarts and kill -9."""

import os
import signal
import subprocess
import time
import unittest

import live
import service

MEMOS = 24


class Reembedding(unittest.TestCase):
    def setUp(self):
        self.fake = service.start_provider()
        self.edda = live.Edda(service.binary, "--processes", environment={"EDDA_LEASE_MS": "2000"})
        self.edda.start()
        self.addCleanup(self.fake.stop)
        self.addCleanup(lambda: self.edda.__exit__(None, None, None))

    def restart(self, **environment):
        self.assertEqual(self.edda.stop(), 0)
        self.edda.environment.update(environment)
        self.edda.start()

    def with_model(self, model, dimension):
        self.restart(EMBEDDING_PROVIDER="openai", OPENAI_API_KEY="sk-reembed", EMBEDDING_MODEL=model,
                     OPENAI_BASE_URL=self.fake.url("openai/v1"), EMBEDDING_DIMENSION=str(dimension))

    def fill(self, first=0, count=MEMOS):
        for number in range(first, first + count):
            status, _, memo = self.edda.request("POST", "/api/v1/memo", {
                "title": f"Lighthouse {number}", "reference_id": f"light-{number}",
                "content": f"# Light {number}\n\n" + f"The lamp of tower {number} turns at night. " * 30})
            self.assertEqual(status, 201)
        for number in range(first, first + count):
            self.wait_memo(number)

    def wait_memo(self, number):
        until = time.monotonic() + 60
        path = f"/api/v1/memo/light-{number}/status?id_type=reference_id"
        while (answer := self.edda.request("GET", path))[2].get("status") != "processed":
            self.assertLess(time.monotonic(), until, answer)
            time.sleep(0.05)

    def wait_for(self, ask, holds):
        """After kills: a worker may come back to a broker behind the others, and what the gateway knows is a second
        old."""
        until = time.monotonic() + 60
        while not holds(answer := ask()):
            self.assertLess(time.monotonic(), until, answer)
            time.sleep(0.1)

    def search(self, query="which lamp turns at night?"):
        status, _, answer = self.edda.request("POST", "/api/v1/search", {"query": query})
        self.assertEqual(status, 200, answer)
        self.assertTrue(answer["results"])
        return answer

    def reembed(self, *flags):
        return subprocess.run([service.binary, "reembed", *flags], capture_output=True, text=True, timeout=120,
                              env={**self.edda.environment, "EDDA_DATA": self.edda.data})

    def asked(self):
        """The models that the provider was asked for, and how often."""
        counts = {}
        for request in self.fake.requests():
            if '"model":"' in request["body"]:
                model = request["body"].split('"model":"')[1].split('"')[0]
                counts[model] = counts.get(model, 0) + 1
        return counts

    def test_a_new_model_serves_after_reembed_and_the_old_one_until_then(self):
        self.fill()
        self.with_model("small", 64)
        self.assertNotIn("degraded", self.search())  # by which the gateway learns what is stored
        learned = self.asked()
        self.assertNotIn("degraded", self.search())
        self.assertEqual(self.asked(), learned, "the question was to be embedded by what is stored")
        looked = self.reembed("--look")
        self.assertEqual(looked.returncode, 0, looked.stderr)
        self.assertIn("have no vector of openai:small (64 floats)", looked.stdout)
        done = self.reembed()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("every chunk has its vector of openai:small", done.stdout)
        before = self.asked()["small"]
        self.assertNotIn("degraded", self.search("a lamp in which tower?"))
        self.assertEqual(self.asked()["small"], before + 1, "the question was to be embedded by the new model")
        self.assertIn("0 of ", self.reembed("--look").stdout)

    def test_a_doctor_and_the_log_ask_for_it(self):
        self.fill(count=2)
        self.with_model("first", 64)
        self.search()
        self.assertIn("edda reembed makes new ones", self.edda.log())
        done = subprocess.run([service.binary, "doctor", "--data", self.edda.data, "--http", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"of 2 chunks have no vector of openai:first; `edda reembed` makes them")
        self.assertEqual(self.reembed().returncode, 0)
        done = subprocess.run([service.binary, "doctor", "--data", self.edda.data, "--http", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=60)
        self.assertIn("nothing is wrong", done.stdout)

    def test_a_model_that_cannot_be_asked_any_more_leaves_words(self):
        self.with_model("small", 64)
        self.fill(count=3)
        self.restart(EMBEDDING_PROVIDER="builtin", OPENAI_API_KEY="", OPENAI_BASE_URL="https://api.openai.com/v1")
        self.assertEqual(self.search()["degraded"], ["vector"])
        done = self.reembed()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("degraded", self.search())

    def test_it_goes_on_by_itself_after_kill_9_of_anything(self):
        self.fill()
        self.with_model("small", 64)
        self.fake.set(embed={"latency_ms": 150, "max_items": 2})
        self.assertEqual(self.reembed("--no-wait").returncode, 0)
        for role in ("embedder", "store", "broker", "embedder", "store"):
            time.sleep(0.3)
            pids = self.edda.role(role)
            if pids:
                os.kill(pids[0], signal.SIGKILL)
        self.fake.reset()
        deadline = time.monotonic() + 90
        while True:
            done = self.reembed()
            if done.returncode == 0:
                break
            self.assertLess(time.monotonic(), deadline, done.stderr)
            time.sleep(0.5)
        self.wait_for(self.search, lambda answer: "degraded" not in answer)
        self.assertIn("0 of ", self.reembed("--look").stdout)
        none = {"ready": 0, "leased": 0, "dead": 0}
        self.wait_for(lambda: self.edda.request("GET", "/api/v1/pipeline")[2]["store"],
                      lambda store: none.items() <= store.get("jobs", {}).items())

    def test_memos_that_come_meanwhile_are_found_by_the_new_model_too(self):
        self.fill(count=4)
        self.with_model("small", 64)
        self.fake.set(embed={"latency_ms": 100})
        self.assertEqual(self.reembed("--no-wait").returncode, 0)
        self.fill(first=4, count=4)
        self.assertEqual(self.reembed().returncode, 0)
        self.assertNotIn("degraded", self.search())
        self.assertIn("0 of ", self.reembed("--look").stdout)


if __name__ == "__main__":
    unittest.main()
