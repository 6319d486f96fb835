"""Each fault of a provider, in the middle of ingest, search and chat: a clear answer within the
deadline, nothing wrong stored, nothing stuck, and all well again by itself when the provider is.

One service for all faults, one after the other: what one left behind would spoil the next."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
import unittest

import live
import service

SEARCH_S, CHAT_S = 4.0, 6.0  # of which a busy machine may lose two
LATE_S = 3.0  # beyond a deadline, on a busy machine
HEALED_S = 60.0

# Of an answer in one piece: embeddings and scores.
REFUSED = {"status": 429, "retry_after": "1"}
PIECES = {
    "a 429 with Retry-After": REFUSED, "a 500": {"status": 500}, "a 503 that is HTML": {"status": 503, "body": "<html>"},
    "a 401": {"status": 401}, "no answer": {"hang": True}, "a closed connection": {"close": True}, "half a body": {"half_body": True},
    "half a JSON text": {"malformed_json": True}, "rows of another length": {"wrong_dimension": 3},
    "a row too many": {"wrong_count": 1}, "a row too few": {"wrong_count": -1}, "a last row that is short": {"uneven": True},
    "NaN": {"nan": True}, "an index twice": {"duplicate_index": True}, "a body without end": {"huge": True},
    "a byte at a time": {"slow_bytes": 1, "slow_every_ms": 100},
}
SCORES = {name: fault for name, fault in PIECES.items() if name not in ("rows of another length", "a last row that is short")}
# Of a stream; true: some of the answer has come before.
STREAMS = {
    "a 429 with Retry-After": (REFUSED, False), "a 500": ({"status": 500}, False), "a 401": ({"status": 401}, False),
    "no answer": ({"hang": True}, False), "a closed connection": ({"close": True}, False),
    "silence after the head": ({"first_token_ms": 60000}, False),
    "an end in the middle": ({"half_body": True}, True), "an event that is no JSON": ({"malformed_sse": True}, True),
    "no end mark": ({"no_end_mark": True}, True), "an error as an event": ({"error_event": 3}, True),
    "silence between two tokens": ({"token_ms": 60000}, True), "a line without end": ({"huge": True}, False),
}


def settings_of(fake):
    return {"EMBEDDING_PROVIDER": "openai", "RERANKING_PROVIDER": "cohere", "LLM_PROVIDER": "openai",
            "OPENAI_API_KEY": "sk-faults", "COHERE_API_KEY": "co-faults", "OPENAI_BASE_URL": fake.url("openai/v1"),
            "COHERE_BASE_URL": fake.url("cohere"), "EMBEDDING_DIMENSION": "64",
            "EDDA_PROVIDER_CONNECT_MS": "500", "EDDA_PROVIDER_FIRST_BYTE_MS": "700", "EDDA_PROVIDER_IDLE_MS": "700",
            "EDDA_SEARCH_MS": str(int(SEARCH_S * 1000)), "EDDA_CHAT_MS": str(int(CHAT_S * 1000)), "EDDA_LEASE_MS": "2000"}


class FaultTest(unittest.TestCase):
    asked = 0

    @classmethod
    def setUpClass(cls):
        cls.fake = cls.start_fake()
        cls.edda = live.Edda(service.binary, environment=cls.settings()).start()
        cls.number = 0
        memo = cls.post("the tea is green and hot, at eighty degrees")
        assert service.wait_processed(cls.edda, memo)["status"] == "processed"

    @classmethod
    def start_fake(cls):
        return service.start_provider()

    @classmethod
    def settings(cls):
        return settings_of(cls.fake)

    @classmethod
    def tearDownClass(cls):
        cls.edda.__exit__(None, None, None)
        cls.fake.stop()

    @contextlib.contextmanager
    def fault(self, name, **kinds):
        with self.subTest(fault=name):
            self.fake.set(**kinds)
            try:
                yield
            finally:
                self.fake.reset()

    def tearDown(self):
        self.fake.reset()
        self.assertIsNone(self.edda.process.poll(), "the service ended:\n" + self.edda.log())

    @classmethod
    def post(cls, content, **fields):
        cls.number += 1
        status, _, memo = cls.edda.request("POST", "/api/v1/memo", {"title": f"Memo {cls.number}", "content": content, **fields})
        assert status == 201, memo
        return memo["memo_uuid"]

    def within(self, seconds, method, path, body=None):
        began = time.monotonic()
        status, headers, content = self.edda.request(method, path, body)
        self.assertLess(time.monotonic() - began, seconds + LATE_S)
        return status, headers, content

    def query(self, words):
        """A new one each time: vectors of known questions are remembered."""
        FaultTest.asked += 1
        return f"{words} {FaultTest.asked}"

    def search(self):
        return self.within(SEARCH_S, "POST", "/api/v1/search", {"query": self.query("green tea")})

    def chat(self, **fields):
        return self.within(CHAT_S, "POST", "/api/v1/chat", {"query": self.query("how hot is tea"), **fields})

    def expect_healed(self, is_well):
        """Nobody does anything but ask again."""
        until = time.monotonic() + HEALED_S
        while not is_well():
            self.assertLess(time.monotonic(), until, "it did not heal by itself:\n" + self.edda.log()[-4000:])
            time.sleep(0.2)

    def expect_no_jobs(self):
        jobs = {}

        def none_left():
            jobs.update(self.edda.request("GET", "/api/v1/pipeline")[2]["store"]["jobs"])
            return jobs["ready"] + jobs["leased"] == 0
        self.expect_healed(none_left)
        self.assertEqual(jobs["dead"], 0)


class Embeddings(FaultTest):
    def test_ingest_waits_and_searches_go_by_words_alone(self):
        for name, fault in PIECES.items():
            with self.fault(name, embed=fault):
                memo = self.post(f"# One\n\ntea of the {name} kind\n\n# Two\n\n" + "more of it. " * 400)
                status, _, answer = self.search()
                self.assertEqual(status, 200, answer)
                if name != "an index twice":  # one text has one index
                    self.assertEqual(answer.get("degraded"), ["vector"], answer)
                self.assertTrue(answer["results"], "words alone find it")
                self.fake.wait(lambda now: now["embed"]["requests"] > 0)
                time.sleep(0.3)
                status = self.edda.request("GET", f"/api/v1/memo/{memo}/status")[2]
                self.assertEqual(status["status"], "processing", f"wrong vectors were stored, or it gave up: {status}")
                self.fake.reset()
                self.assertEqual(service.wait_processed(self.edda, memo, HEALED_S)["status"], "processed")
                self.expect_healed(lambda: "degraded" not in self.search()[2])
                chunks = self.edda.request("GET", f"/api/v1/memo/{memo}")[2]["chunks"]
                self.assertEqual([chunk["chunk_index"] for chunk in chunks], list(range(len(chunks))))
        self.expect_no_jobs()

    def test_a_chat_without_embeddings_is_answered_from_words(self):
        self.fake.set(embed={"hang": True})
        status, _, answer = self.chat()
        self.assertEqual(status, 200, answer)
        self.assertIn("vector", answer["degraded"])
        self.fake.reset()
        self.expect_healed(lambda: "degraded" not in self.chat()[2])

    def test_a_text_that_is_too_large_for_a_batch_goes_in_smaller_ones(self):
        self.fake.set(embed={"max_items": 2})
        memo = self.post("\n\n".join(f"# Part {n}\n\n" + f"tea number {n} is green. " * 40 for n in range(12)))
        self.assertEqual(service.wait_processed(self.edda, memo)["status"], "processed")


class Scores(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for word in ("black", "white", "cold"):
            assert service.wait_processed(cls.edda, cls.post(f"tea that is {word}, not green"))["status"] == "processed"

    def test_searches_are_in_fused_order(self):
        for name, fault in SCORES.items():
            self.expect_healed(lambda: "degraded" not in self.search()[2])
            well = self.search()[2]
            with self.fault(name, rerank=fault):
                status, _, answer = self.search()
                self.assertEqual(status, 200, answer)
                self.assertEqual(answer.get("degraded"), ["rerank"], answer)
                self.assertEqual({hit["chunk_uuid"] for hit in answer["results"]}, {hit["chunk_uuid"] for hit in well["results"]})
                self.fake.reset()
                self.expect_healed(lambda: "degraded" not in self.search()[2])


class Answers(FaultTest):
    def events(self):
        """(tokens, types of the rest) of a stream that ends by its deadline with done."""
        status, headers, content = self.chat(stream=True)
        if status != 200:
            return status, content
        events = [json.loads(line[6:]) for line in content.split(b"\n") if line.startswith(b"data: ")]
        self.assertEqual(events[-1]["type"], "done", content)
        return status, events

    def is_well(self):
        status, _, answer = self.chat()
        return status == 200 and answer["response"] and "degraded" not in answer

    def doctor(self):
        return subprocess.run([service.binary, "doctor", "--data", self.edda.data, "--http", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=120)

    def test_a_doctor_says_who_refuses_and_why(self):
        self.expect_healed(self.is_well)
        self.assertIn("nothing is wrong", self.doctor().stdout)
        with self.fault("all", chat={"status": 401}, embed={"status": 401}, rerank={"status": 401}):
            self.chat()
            done = self.doctor()
            self.assertEqual(done.returncode, 1, done.stdout)
            for words in ("does not embed: embed: openai: 401", "does not rerank: rerank.texts: cohere: 401",
                          "asked of openai failed: openai: 401"):
                self.assertIn(words, done.stdout)
        self.expect_healed(self.is_well)

    def test_a_chat_says_that_it_failed(self):
        for name, (fault, begun) in STREAMS.items():
            with self.fault(name, chat=fault):
                status, _, answer = self.chat()
                self.assertEqual((status, answer.get("error")), (503, "Chat agent unavailable"), answer)
                status, events = self.events()
                if begun:
                    self.assertEqual(status, 200, events)
                    self.assertIn("error", [event["type"] for event in events])
                    self.assertIn("token", [event["type"] for event in events], events)
                else:
                    self.assertTrue(status == 503 or "error" in [event["type"] for event in events], events)
                self.fake.reset()
                self.expect_healed(self.is_well)

    def test_slow_tokens_are_only_slow(self):
        self.fake.set(chat={"slow_bytes": 16, "slow_every_ms": 1})
        self.expect_healed(self.is_well)


class Restarts(FaultTest):
    @classmethod
    def start_fake(cls):
        return service.start_provider("--port", str(live.free_port()))  # which nobody takes meanwhile

    def test_a_provider_that_is_gone_and_comes_back_is_found_again(self):
        self.fake.stop()
        memo = self.post("tea while nobody is there")
        status, _, answer = self.search()
        self.assertEqual(status, 200, answer)
        self.assertEqual(len(answer.get("degraded", ())), 2, answer)
        self.assertEqual(self.chat()[0], 503)
        self.fake.start()
        self.assertEqual(service.wait_processed(self.edda, memo, HEALED_S)["status"], "processed")
        self.expect_healed(lambda: "degraded" not in self.search()[2])
        self.expect_healed(lambda: self.chat()[0] == 200)
        self.expect_no_jobs()


class Batches(FaultTest):
    @classmethod
    def settings(cls):
        return {**settings_of(cls.fake), "EDDA_EMBEDDING_BATCH": "96", "EDDA_PROVIDER_FIRST_BYTE_MS": "30000"}

    def test_two_hundred_chunks_are_three_calls(self):
        self.fake.set(embed={"latency_ms": 50})
        before = self.fake.counters()["embed"]["requests"]
        # A heading and a paragraph of its own for each: a chunk.
        memo = self.post("\n\n".join(f"# Part {n}\n\n" + f"tea number {n} is green and hot. " * 26 for n in range(200)))
        self.assertEqual(service.wait_processed(self.edda, memo)["status"], "processed")
        chunks = self.edda.request("GET", f"/api/v1/memo/{memo}")[2]["chunks"]
        self.assertEqual(len(chunks), 200)
        counters = self.fake.counters()["embed"]
        self.assertEqual(counters["requests"] - before, 3, counters)
        self.assertEqual(sum(counters["batches"][-3:]), 200)


class Certificates(unittest.TestCase):
    def test_a_certificate_nobody_vouches_for_is_refused_and_a_known_one_is_not(self):
        with tempfile.TemporaryDirectory() as directory:
            certificate, key = os.path.join(directory, "certificate"), os.path.join(directory, "key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                           check=True, capture_output=True)
            with service.start_provider(tls=(certificate, key)) as fake:
                for trusted in (False, True):
                    environment = {**settings_of(fake), "EDDA_PROVIDER_CONNECT_MS": "30000", "EDDA_CHAT_MS": "60000",
                                   "EDDA_PROVIDER_FIRST_BYTE_MS": "30000"}  # nobody is silent here
                    if trusted:
                        environment["EDDA_PROVIDER_CA_FILE"] = certificate
                    with live.Edda(service.binary, environment=environment) as edda:
                        _, _, memo = edda.request("POST", "/api/v1/memo", {"title": "t", "content": "green tea"})
                        status, _, _ = edda.request("POST", "/api/v1/chat", {"query": "tea?"})
                        self.assertEqual(status, 200 if trusted else 503)
                        if trusted:
                            self.assertEqual(service.wait_processed(edda, memo["memo_uuid"])["status"], "processed")
                        else:
                            self.assertEqual(edda.request("GET", f"/api/v1/memo/{memo['memo_uuid']}/status")[2]["status"], "processing")
                            self.assertEqual(fake.counters()["embed"]["requests"], 0)
                            self.assertRegex(edda.log(), "(?i)certificate")


if __name__ == "__main__":
    unittest.main()
