"""Answers whole and streamed, in every shape, and how streams break."""

import http.client
import json

from wire import QUESTION, FakeTest, events


class Chat(FakeTest):
    SIX = "From [[1]] and [[2]]: What is "

    def setUp(self):
        super().setUp()
        self.fake.set(chat={"tokens": 6})

    def test_openai_whole_and_streamed_are_the_same_text(self):
        answer = self.ask("/openai/v1/chat/completions", {"model": "g", **QUESTION})
        self.assertEqual((answer["object"], answer["choices"][0]["message"]["content"],
                          answer["choices"][0]["finish_reason"]), ("chat.completion", self.SIX, "stop"))
        self.assertEqual(answer["usage"]["completion_tokens"], 6)
        chunks = self.stream(stream_options={"include_usage": True})
        self.assertEqual(chunks[-1], (None, "[DONE]"))
        parsed = [json.loads(data) for _, data in chunks[:-1]]
        self.assertEqual({chunk["object"] for chunk in parsed}, {"chat.completion.chunk"})
        self.assertEqual(parsed[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual([chunk["choices"][0]["delta"].get("content", "") for chunk in parsed[1:-2]],
                         ["From ", "[[1]] ", "and ", "[[2]]: ", "What ", "is "])
        self.assertEqual(parsed[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual((parsed[-1]["choices"], parsed[-1]["usage"]["completion_tokens"]), ([], 6))
        self.assertNotIn("usage", json.loads(self.stream()[1][1]))

    def test_anthropic_events(self):
        chunks = self.stream("/anthropic/v1/messages", max_tokens=100)
        self.assertEqual([event for event, _ in chunks],
                         ["message_start", "content_block_start", "ping"] + ["content_block_delta"] * 6 +
                         ["content_block_stop", "message_delta", "message_stop"])
        parsed = [json.loads(data) for _, data in chunks]
        self.assertEqual([event for event, _ in chunks], [data["type"] for data in parsed])
        self.assertEqual("".join(data["delta"]["text"] for data in parsed[3:9]), self.SIX)
        self.assertGreater(parsed[0]["message"]["usage"]["input_tokens"], 0)
        self.assertEqual((parsed[-2]["delta"]["stop_reason"], parsed[-2]["usage"]), ("end_turn", {"output_tokens": 6}))
        whole = self.ask("/anthropic/v1/messages", {"model": "g", "max_tokens": 2, **QUESTION})
        self.assertEqual((whole["content"], whole["stop_reason"]),
                         ([{"type": "text", "text": "From [[1]] "}], "max_tokens"))

    def test_gemini_chunks(self):
        body = {"contents": [{"role": "user", "parts": [{"text": "What is it?"}]}]}
        status, _, content = self.call("/gemini/v1beta/models/g:streamGenerateContent?alt=sse", body)
        parsed = [json.loads(data) for _, data in events(content)]
        self.assertEqual((status, len(parsed)), (200, 7))
        self.assertEqual("".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in parsed), self.SIX)
        self.assertEqual([chunk["candidates"][0].get("finishReason") for chunk in parsed], [None] * 6 + ["STOP"])
        self.assertEqual(parsed[3]["usageMetadata"]["candidatesTokenCount"], 4)
        whole = self.ask("/gemini/v1beta/models/g:generateContent", body)
        self.assertEqual(whole["candidates"][0]["content"]["parts"][0]["text"], self.SIX)
        self.assertEqual(self.call("/gemini/v1beta/models/g:streamGenerateContent", body)[0], 400)

    def test_answers_are_literal_by_what_the_prompt_contains_and_as_long_as_allowed(self):
        self.fake.set(chat={"answer": "Forty\n\ntwo  [[3]]",
                            "answers": [{"contains": "Be brief", "text": "kurz"}, {"contains": "unasked", "text": "x"}]})
        path = "/openai/v1/chat/completions"

        def content(**more):
            choice = self.ask(path, {"model": "g", **more})["choices"][0]
            return choice["message"]["content"], choice["finish_reason"]
        user = [{"role": "user", "content": [{"type": "text", "text": "hm"}]}]
        self.assertEqual(content(**QUESTION), ("kurz", "stop"))
        self.assertEqual(content(messages=user), ("Forty\n\ntwo  [[3]]", "stop"))
        self.assertEqual(content(messages=user, max_completion_tokens=2), ("Forty\n\ntwo  ", "length"))
        self.assertEqual(content(messages=user, max_tokens=3), ("Forty\n\ntwo  [[3]]", "stop"))
        self.fake.set(chat={"answer": "", "finish": "content_filter"})
        self.assertEqual(content(messages=user), ("", "content_filter"))
        self.assertEqual(self.call(path, {"model": "g", "messages": []})[0], 400)

    def test_tokens_come_one_by_one_when_they_are_due(self):
        request = "/openai/v1/chat/completions", {"model": "g", "stream": True, **QUESTION}
        for settings, last in (({"first_token_ms": 600_000}, b'"role"'), ({"token_ms": 600_000}, b'"From "')):
            self.fake.reset()
            self.fake.set(chat=settings)
            with self.send(*request) as connection:
                received = b""
                while last not in received:
                    received += self.receive(connection, b"\n\n\r\n")
                self.expect_silence(connection)

    def test_streams_break_in_every_way(self):
        paths = {"/openai/v1/chat/completions": "[DONE]", "/anthropic/v1/messages": "message_stop"}
        for path, mark in paths.items():
            self.fake.reset()
            self.fake.set(chat={"tokens": 6, "no_end_mark": True})
            chunks = self.stream(path)
            self.assertNotIn(mark, str(chunks))
            self.assertNotIn('"finish_reason":"stop"', str(chunks))
            self.fake.set(chat={"no_end_mark": None, "malformed_sse": True})
            chunks = self.stream(path)
            with self.assertRaises(ValueError):
                [json.loads(data) for _, data in chunks if data != "[DONE]"]
            self.assertIn(mark, chunks[-1][1])
            self.fake.set(chat={"malformed_sse": None, "error_event": 2})
            chunks = self.stream(path)
            self.assertEqual(sum("text" in data or '"content":"' in data for _, data in chunks[3:]), 2 - (mark == "[DONE]") * 2)
            error = json.loads(chunks[-1][1])["error"]
            self.assertTrue(error["message"])
            self.assertNotIn(mark, str(chunks))
            self.fake.set(chat={"error_event": None, "half_body": True})
            with self.assertRaises(http.client.IncompleteRead) as broken:
                self.stream(path)
            self.assertFalse(broken.exception.partial.endswith(b"\n\n"))
            self.assertEqual(broken.exception.partial.count(b"\n\n"), 6 if mark != "[DONE]" else 4)
        self.assertEqual(error["type"], "overloaded_error")
