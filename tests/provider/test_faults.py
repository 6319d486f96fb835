"""Every fault as the bytes it is."""

import base64
import json
import math
import struct

from wire import QUESTION, FakeTest


class Faults(FakeTest):
    PATH = "/openai/v1/embeddings"
    BODY = {"model": "m", "input": ["a b", "c d", "e f"]}

    def test_a_rule_fails_as_often_as_it_says_and_then_the_next(self):
        self.fake.set(embed={"fail": [{"status": 429, "retry_after": "2", "times": 2}, {"times": 1},
                                      {"status": 500, "body": {"odd": 1}}]})
        answers = [self.call(self.PATH, self.BODY) for _ in range(5)]
        self.assertEqual([status for status, _, _ in answers], [429, 429, 200, 500, 200])
        self.assertEqual(answers[0][1]["Retry-After"], "2")
        self.assertEqual(json.loads(answers[0][2])["error"]["code"], "rate_limit_exceeded")
        self.assertEqual(json.loads(answers[3][2]), {"odd": 1})
        self.fake.set(embed={"fail": {"status": 503, "times": -1, "body": "plain words", "headers": {"x-odd": "1"}}})
        answers = [self.call(self.PATH, self.BODY) for _ in range(3)]
        self.assertEqual({(status, body) for status, _, body in answers}, {(503, b"plain words")})
        self.assertEqual(answers[0][1]["x-odd"], "1")
        self.fake.set(embed={"fail": None})
        self.assertEqual(self.call(self.PATH, self.BODY)[0], 200)

    def test_errors_are_in_the_providers_own_words(self):
        self.fake.set(all={"status": 429})
        shapes = {
            "/openai/v1/embeddings": {"error": {"message": "Rate limit reached", "type": "requests", "param": None,
                                                "code": "rate_limit_exceeded"}},
            "/voyage/v1/embeddings": {"detail": "Rate limit reached"},
            "/jina/v1/rerank": {"detail": "Rate limit reached"},
            "/cohere/v2/embed": {"message": "Rate limit reached"},
            "/tei/embed": {"error": "Rate limit reached", "error_type": "Overloaded"},
            "/ollama/api/embed": {"error": "Rate limit reached"},
            "/gemini/v1beta/models/m:batchEmbedContents": {
                "error": {"code": 429, "message": "Rate limit reached", "status": "RESOURCE_EXHAUSTED"}},
            "/anthropic/v1/messages": {"type": "error", "error": {"type": "rate_limit_error",
                                                                  "message": "Rate limit reached"},
                                       "request_id": "req_fake"},
        }
        for path, shape in shapes.items():
            status, _, content = self.call(path, {})
            self.assertEqual((status, json.loads(content)), (429, shape), path)
        self.fake.set(embed={"message": "no more"})
        self.assertEqual(json.loads(self.call("/cohere/v2/embed", {})[2]), {"message": "no more"})

    def test_an_answer_has_its_latency(self):
        self.fake.set(embed={"latency_ms": 600_000})
        with self.send(self.PATH, self.BODY) as connection:
            self.fake.wait(lambda counters: counters["open"] == 1)
            self.expect_silence(connection)

    def test_a_body_is_cut_in_the_middle(self):
        whole = self.call(self.PATH, self.BODY)[2]
        self.fake.set(embed={"half_body": True})
        head, body = self.raw(self.PATH, self.BODY)
        self.assertIn(f"Content-Length: {len(whole)}".encode(), head)
        self.assertEqual(body, whole[:len(whole) // 2])
        self.assertEqual(self.fake.counters()["cancelled"], 0)

    def test_a_connection_is_closed_without_a_word(self):
        self.fake.set(embed={"close": True})
        self.assertEqual(self.raw(self.PATH, self.BODY), (b"", b""))
        self.assertEqual(self.fake.counters()["cancelled"], 0)

    def test_json_is_cut_but_whole_to_http(self):
        whole = self.call(self.PATH, self.BODY)[2]
        self.fake.set(embed={"malformed_json": True})
        self.assertEqual(self.call(self.PATH, self.BODY)[2], whole[:len(whole) // 2])

    def test_counts_dimensions_and_indexes_are_wrong(self):
        def look(**settings):
            self.fake.reset()
            self.fake.set(embed=settings)
            rows = self.ask(self.PATH, self.BODY)["data"]
            return [row["index"] for row in rows], [len(row["embedding"]) for row in rows]
        self.assertEqual(look(wrong_dimension=5), ([0, 1, 2], [5] * 3))
        self.assertEqual(look(wrong_count=-1), ([0, 1], [64] * 2))
        self.assertEqual(look(wrong_count=1), ([0, 1, 2, 3], [64] * 4))
        self.assertEqual(look(wrong_count=-9), ([], []))
        self.assertEqual(look(duplicate_index=True), ([0, 1, 0], [64] * 3))
        self.assertEqual(look(shuffle=True), ([2, 1, 0], [64] * 3))
        self.assertEqual(look(uneven=True), ([0, 1, 2], [64, 64, 63]))

    def test_a_number_is_none(self):
        self.fake.set(embed={"nan": True})
        self.assertIn(b'"embedding":[NaN,', self.call(self.PATH, self.BODY)[2])
        row = self.embed("a", encoding_format="base64")["data"][0]["embedding"]
        self.assertTrue(math.isnan(struct.unpack("<64f", base64.b64decode(row))[0]))

    def test_bytes_drip(self):
        whole = self.call(self.PATH, self.BODY)[2]
        self.fake.set(embed={"slow_bytes": 100, "slow_every_ms": 1})
        with self.send(self.PATH, self.BODY) as connection:
            pieces = [connection.recv(65536)]
            body = pieces[0].partition(b"\r\n\r\n")[2]
            while len(body) < len(whole):
                pieces.append(connection.recv(65536))
                body += pieces[-1]
        self.assertEqual(body, whole)
        self.assertGreater(len(pieces), 3)
        self.fake.set(embed={"slow_every_ms": 600_000})
        with self.send(self.PATH, self.BODY) as connection:
            self.assertTrue(self.receive(connection, whole[:100]).startswith(b"HTTP/1.1 200"))
            self.expect_silence(connection)
        self.fake.set(chat={"slow_bytes": 1, "slow_every_ms": 1, "tokens": 1})
        self.assertEqual(self.stream()[-1][1], "[DONE]")

    def test_a_body_has_no_end(self):
        self.fake.set(all={"huge": True})
        for path, body, begin in ((self.PATH, self.BODY, b'{"data":"'),
                                  ("/openai/v1/chat/completions", {"stream": True, **QUESTION}, b"data: ")):
            with self.send(path, body) as connection:
                received = b""
                while len(received) < 5_000_000:
                    received += connection.recv(1 << 20)
            self.assertIn(begin, received[:200])
            self.assertGreater(received.count(b"x"), 4_900_000)
        self.fake.wait(lambda counters: counters["open"] == 0)

    def test_batches_over_max_items_are_too_large(self):
        self.fake.set(embed={"max_items": 2})
        self.assertEqual(self.call(self.PATH, self.BODY)[0], 413)
        self.assertEqual(self.call(self.PATH, {"model": "m", "input": ["a", "b"]})[0], 200)

    def test_a_key_is_required_where_the_provider_wants_it(self):
        self.fake.set(all={"require_key": "sk-1"})
        for headers, status in (({}, 401), ({"Authorization": "Bearer sk-2"}, 401), ({"Authorization": "sk-1"}, 401),
                                ({"Authorization": "Bearer sk-1"}, 200), ({"x-api-key": "sk-1"}, 200),
                                ({"x-goog-api-key": "sk-1"}, 200), ({"X-Api-Key": "sk-12"}, 401)):
            self.assertEqual(self.call(self.PATH, self.BODY, headers)[0], status, headers)
        self.assertEqual(json.loads(self.call(self.PATH, self.BODY)[2])["error"]["code"], "invalid_api_key")

    def test_settings_that_are_none_are_refused_and_change_nothing(self):
        for wrong in ({"embed": {"latency": 1}}, {"embed": {"tokens": "2"}}, {"embed": {"tokens": -1}}, {"embd": {}},
                      {"embed": {"hang": 1}}, {"embed": {"fail": {"statu": 1}}}, {"embed": {"fail": {"times": "2"}}},
                      {"embed": {"fail": 3}}, {"embed": {"status": 429, "odd": 1}}, {"embed": 3}):
            with self.assertRaises(ValueError, msg=wrong):
                self.fake.set(**wrong)
        self.assertEqual(self.call(self.PATH, self.BODY)[0], 200)

    def test_nothing_is_at_other_paths(self):
        self.assertEqual(self.call("/openai/v1/audio", {})[0], 404)
        self.assertEqual(self.call("/control/odd", {})[0], 404)
