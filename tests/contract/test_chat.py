"""Chat: answers in one piece and as events, read as the SDKs read them, and what is kept of them. The
built-in answerer quotes, so nothing here needs a language model or a key."""

import json
import re
import socket
import subprocess
import unittest

import live
import provider
import service
from service import Client, ServiceTest, connect, json_text

PATH = "/api/v1/chat"
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
UNKNOWN = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0003"
LINE_LIMIT = 64 * 1024  # of Go's bufio.Scanner


class Stream:
    """A reader as the SDKs have it: lines split at \\n, those that start with "data: ", bad JSON passed
    over, until done. Keeps every line beside."""

    def __init__(self, port, body, key=True):
        self.connection = connect(port)
        body = json.dumps({"stream": True, **body}).encode()
        head = (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Client(port).key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        self.connection.sendall(head.encode() + body)
        self.file = self.connection.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = b""
        self.events = []

    def chunks(self):
        while True:
            size = int(self.file.readline(), 16)
            piece = self.file.read(size)
            self.file.readline()
            if size == 0:
                return
            yield piece

    def read(self):
        """All events up to done; the bytes are in body."""
        pending = b""
        for piece in self.chunks():
            self.body += piece
            pending += piece
            *lines, pending = pending.split(b"\n")
            for line in lines:
                assert len(line) + 1 < LINE_LIMIT, len(line)
                if not line.startswith(b"data: "):
                    continue
                try:
                    self.events.append(json.loads(line[len(b"data: "):]))
                except ValueError:
                    continue
        self.connection.close()
        return self.events

    def text(self):
        return "".join(event["content"] for event in self.events if event["type"] == "token")


class Refusals(ServiceTest):
    def test_messages_of_every_field(self):
        def config(value, message):
            self.expect_error(self.client.post(PATH, {"query": "q", "rag_config": value}), 400, message)

        for body in (None, {}, {"query": ""}, {"query": None}):
            self.expect_error(self.client.post(PATH, body), 400, "Query is required")
        self.expect_error(self.client.post(PATH, {"query": "q", "filters": {}}), 400,
                          "Filters must be a list")
        self.expect_error(self.client.post(PATH, {"query": "q", "filters": [{}]}), 400,
                          "Invalid filter: Filter must have field, operator, value, and filter_type")
        for name in ("query_rewrite", "queryRewrite"):
            config({name: {"enabled": "yes"}},
                   "Invalid query rewrite enabled: yes. Must be a boolean.")
        config({"reranking": {"enabled": "yes"}}, "Invalid reranking enabled: yes. Must be a boolean.")
        config({"references": {"enabled": 1}}, "Invalid references enabled: 1. Must be a boolean.")
        for group, name in (("vector_search", "top_k"), ("vectorSearch", "topK")):
            config({group: {name: 0}},
                   "Invalid vector search topK: 0. Must be a number between 1 and 200.")
            config({group: {name: 10}},
                   "Reranking topK (25) must be less than or equal to vector search topK (10).")
        for group, name in (("vector_search", "similarity_threshold"),
                            ("vectorSearch", "similarityThreshold")):
            config({group: {name: 2}},
                   "Invalid similarity threshold: 2. Must be a number between 0 and 1.")
        for name in ("top_k", "topK"):
            config({"reranking": {name: 101}},
                   "Invalid reranking topK: 101. Must be a number between 1 and 100.")

    def test_a_provider_that_is_not_configured_names_those_that_are(self):
        for name in ("llm_provider", "llmProvider"):
            for stream in (False, True):
                answer = self.client.post(PATH, {"query": "q", "stream": stream,
                                                 "rag_config": {name: "openai"}})
                self.expect_error(answer, 400, "Invalid LLM provider: openai. Supported "
                                               "providers: builtin")

    def test_an_unknown_chat_is_404(self):
        for chat in (UNKNOWN, "mine", 5):
            self.expect_error(self.client.post(PATH, {"query": "q", "chat_id": chat}), 404,
                              "Chat not found")
            self.expect_error(self.client.get(f"{PATH}/{chat}"), 404, "Chat not found")

    def test_a_key_is_needed(self):
        for path, method in ((PATH, "POST"), (PATH, "GET"), (f"{PATH}/{UNKNOWN}", "GET"),
                             ("/api/v1/config/llm-providers", "GET")):
            answer = self.client.call(method, path, {"query": "q"} if method == "POST" else None,
                                      key=None)
            self.expect_error(answer, 401, "Unauthorized")

    def test_providers(self):
        answer = self.client.get("/api/v1/config/llm-providers").json
        self.assertEqual([list(one) for one in answer["providers"]], [["provider", "label", "model"]])
        self.assertEqual(answer["providers"][0]["provider"], "builtin")


class Answers(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("test_one_piece")
        case.setUp()
        cls.memo = case.create("Tea", "Green tea is best at eighty degrees. Black tea takes more.")
        case.wait_processed(cls.memo)
        case.client.close()

    def ask(self, query, **fields):
        answer = self.client.post(PATH, {"query": query, **fields})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def test_one_piece(self):
        answer = self.client.post(PATH, {"query": "how hot is green tea?"})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        self.assertEqual(list(answer.json), ["ok", "chat_id", "response", "intermediate_steps",
                                             "extractive"])
        self.assertRegex(answer.json["chat_id"], UUID)
        self.assertIn("eighty degrees", answer.json["response"])
        self.assertEqual(answer.body, json_text({
            "ok": True, "chat_id": answer.json["chat_id"], "response": answer.json["response"],
            "intermediate_steps": [], "extractive": True}))

    def test_references(self):
        answer = self.ask("how hot is green tea?", rag_config={"references": {"enabled": True}})
        self.assertEqual(answer["references"]["1"], {"memo_uuid": self.memo, "memo_title": "Tea",
                          "start": 0, "end": 58})
        self.assertIn("[[1]]", answer["response"])
        self.assertEqual(list(answer["references"]),
                         [str(i + 1) for i in range(len(answer["references"]))])

    def test_a_stream_is_exactly_these_bytes(self):
        stream = Stream(self.port, {"query": "how hot is green tea?",
                                    "rag_config": {"references": {"enabled": True}}})
        events = stream.read()
        self.assertEqual(stream.status, 200)
        self.assertEqual(stream.headers["content-type"], "text/event-stream")
        self.assertEqual(stream.headers["cache-control"], "no-cache")
        self.assertEqual(stream.headers["x-accel-buffering"], "no")
        self.assertEqual(stream.headers["transfer-encoding"], "chunked")
        self.assertNotIn("etag", stream.headers)
        kinds = [event["type"] for event in events]
        self.assertEqual(kinds, ["token"] * (len(kinds) - 2) + ["references", "done"])
        self.assertEqual(json.loads(events[-2]["content"])["1"],
                         {"memo_uuid": self.memo, "memo_title": "Tea",
                          "start": 0, "end": 58})
        self.assertEqual(list(events[-1]), ["type", "chat_id", "extractive"])
        self.assertIn("eighty degrees", stream.text())
        self.assertEqual(stream.body, b": ping\n\n" + b"".join(
            b"data: " + json_text(event) + b"\n\n" for event in events))
        whole = self.ask("how hot is green tea?")
        self.assertEqual(whole["response"], stream.text())

    def test_a_stream_may_follow_on_its_connection(self):
        client = Client(self.port)
        for _ in range(2):
            answer = client.post(PATH, {"query": "tea", "stream": True})
            self.assertTrue(answer.body.startswith(b": ping\n\ndata: "))
            self.assertIn(b'"type":"done"', answer.body.splitlines()[-2])
        client.close()

    def test_settings_in_both_spellings(self):
        for rag in ({"vector_search": {"top_k": 3}, "reranking": {"top_k": 1},
                     "references": {"enabled": True}},
                    {"vectorSearch": {"topK": 3}, "reranking": {"topK": 1},
                     "references": {"enabled": True}}):
            self.assertEqual(list(self.ask("tea", rag_config=rag)["references"]), ["1"])
        self.ask("tea", rag_config={"llmProvider": "builtin", "queryRewrite": {"enabled": True},
                                    "reranking": {"enabled": False}})

    def test_nothing_found_is_an_answer_too(self):
        nothing = [{"field": "title", "operator": "eq", "value": None, "filter_type": "native_field"}]
        answer = self.ask("tea", filters=nothing, rag_config={"references": {"enabled": True}})
        self.assertNotIn("references", answer)
        self.assertTrue(answer["ok"])

    def test_a_chat_goes_on_and_is_kept(self):
        first = self.ask("how hot is green tea?", system_prompt="Be brief")
        chat = first["chat_id"]
        second = self.ask("and black tea?", chat_id=chat)
        self.assertEqual(second["chat_id"], chat)
        third = Stream(self.port, {"query": "green or black?", "chat_id": chat})
        self.assertEqual(third.read()[-1]["chat_id"], chat)
        kept = self.client.get(f"{PATH}/{chat}").json
        self.assertEqual(list(kept), ["uuid", "created_at", "messages"])
        self.assertEqual(kept["uuid"], chat)
        self.assertEqual([(one["sent_by"], one["content"]) for one in kept["messages"]], [
            ("user", "how hot is green tea?"), ("model", first["response"]),
            ("user", "and black tea?"), ("model", second["response"]),
            ("user", "green or black?"), ("model", third.text())])
        self.assertEqual([list(one) for one in kept["messages"]],
                         [["uuid", "content", "sent_by", "sent_at", "client_system_prompt"]] * 6)
        self.assertEqual([one["client_system_prompt"] for one in kept["messages"]],
                         ["Be brief", None, None, None, None, None])
        self.assertEqual(len({one["uuid"] for one in kept["messages"]}), 6)

    def test_the_chat_last_spoken_in_is_listed_first(self):
        chats = [self.ask(f"question {i}")["chat_id"] for i in range(3)]
        page = self.client.get(PATH + "?page_size=2").json
        self.assertEqual([row["uuid"] for row in page["results"]], [chats[2], chats[1]])
        self.assertEqual(list(page["results"][0]),
                         ["uuid", "created_at", "title", "message_count", "last_message_at"])
        self.assertEqual((page["results"][0]["title"], page["results"][0]["message_count"]),
                         ("question 2", 2))
        self.assertEqual(list(page), ["results", "count", "page", "page_size", "total_pages", "next",
                                      "previous"])
        self.assertEqual(page["next"], f"http://127.0.0.1:{self.port}{PATH}?page=2&page_size=2")
        self.assertIsNone(page["previous"])
        self.ask("once more", chat_id=chats[0])
        row = self.client.get(PATH + "?page_size=1").json["results"][0]
        self.assertEqual((row["uuid"], row["title"], row["message_count"]), (chats[0], "question 0", 4))
        self.expect_error(self.client.get(PATH + "?page_size=101"), 400,
                          "page_size must be less than or equal to 100")

    def test_a_chat_belongs_to_its_project(self):
        chat = self.ask("tea")["chat_id"]
        made = subprocess.run([self.service.binary, "key", "create", "--project", "others", "--data",
                               self.service.data], capture_output=True, text=True, check=True)
        other = made.stdout.strip()
        for answer in (self.client.get(f"{PATH}/{chat}", key="Bearer " + other),
                       self.client.post(PATH, {"query": "q", "chat_id": chat},
                                        key="Bearer " + other)):
            self.expect_error(answer, 404, "Chat not found")
        self.assertEqual(self.client.get(PATH, key="Bearer " + other).json["count"], 0)

    def test_a_client_that_leaves_does_no_harm(self):
        for i in range(20):
            stream = Stream(self.port, {"query": "tea"})
            if i % 2:
                stream.connection.shutdown(socket.SHUT_RDWR)
            stream.connection.close()
            stream.file.close()
        self.assertIn("eighty", self.ask("how hot is green tea?")["response"])


class WithModel(ServiceTest):
    """The fake provider as the language model: it repeats the question and cites [[1]] and [[2]]."""

    @classmethod
    def setUpClass(cls):
        cls.fake = provider.FakeProvider(provider.find(service.binary)).start()
        cls.service = live.Edda(service.binary, environment={
            "LLM_PROVIDER": "local", "LOCAL_LLM_BASE_URL": cls.fake.url("openai/v1"),
            "LOCAL_LLM_MODEL": "mock"}).start()
        cls.port = cls.service.port
        case = cls("test_tokens_are_the_models")
        case.setUp()
        case.wait_processed(case.create("Tea", "Green tea is best at eighty degrees."))
        case.client.close()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.fake.stop()

    def setUp(self):
        super().setUp()
        self.fake.reset()

    def messages(self, chat):
        return [(one["sent_by"], one["content"], one.get("error"))
                for one in self.client.get(f"{PATH}/{chat}").json["messages"]]

    def test_tokens_are_the_models(self):
        self.fake.set(chat={"answer": "Eighty \"degrees\" [[1]].\n\u6f22", "token_ms": 5})
        stream = Stream(self.port, {"query": "how hot?"})
        events = stream.read()
        self.assertEqual(stream.text(), "Eighty \"degrees\" [[1]].\n\u6f22")
        self.assertEqual(list(events[-1]), ["type", "chat_id"])
        answer = self.client.post(PATH, {"query": "how hot?"})
        self.assertEqual(list(answer.json), ["ok", "chat_id", "response", "intermediate_steps"])
        self.assertEqual(answer.json["response"], stream.text())
        self.assertEqual(self.client.get("/api/v1/config/llm-providers").json["providers"][0],
                         {"provider": "local", "label": "Local", "model": "mock"})

    def test_the_model_is_given_what_was_said_and_the_instructions(self):
        first = self.client.post(PATH, {"query": "how hot is green tea?"}).json
        self.client.post(PATH, {"query": "and black?", "chat_id": first["chat_id"],
                                "system_prompt": "Answer in verse"})
        asked = json.dumps(self.fake.requests(1)[-1])
        for words in ("how hot is green tea?", "and black?", "Answer in verse", "eighty degrees"):
            self.assertIn(words, asked)

    def test_a_model_that_refuses_is_503_and_nothing_is_kept(self):
        before = self.client.get(PATH).json["count"]
        self.fake.set(chat={"status": 400, "message": "key sk-secret is wrong"})
        for stream in (False, True):
            answer = self.client.post(PATH, {"query": "how hot?", "stream": stream})
            if stream and answer.status == 200:  # it had begun
                self.assertIn(b'"type":"error"', answer.body)
                self.assertIn(b'"type":"done"', answer.body.splitlines()[-2])
            else:
                self.assertEqual((answer.status, answer.json), (503, {
                    "error": "Chat agent unavailable", "reason": "local: 400 key *** is wrong"}))
                self.assertTrue(answer.headers["Retry-After"])
            self.assertNotIn(b"secret", answer.body)
        self.assertLessEqual(self.client.get(PATH).json["count"], before + 1)

    def test_a_stream_that_breaks_ends_in_error_and_done_and_is_kept(self):
        self.fake.set(chat={"answer": "one two three four five six", "error_event": 3, "token_ms": 20})
        stream = Stream(self.port, {"query": "how hot?"})
        events = stream.read()
        self.assertEqual([event["type"] for event in events[-2:]], ["error", "done"])
        self.assertEqual(events[-2]["content"], "An error occurred")
        self.assertTrue(stream.text() and "one two three four five six".startswith(stream.text()))
        kept = self.messages(events[-1]["chat_id"])
        self.assertEqual(kept[0], ("user", "how hot?", None))
        self.assertEqual(kept[1][:2], ("model", stream.text()))
        self.assertEqual(kept[1][2], events[-2]["reason"])

    def test_a_client_that_leaves_cancels_the_model(self):
        self.fake.set(chat={"tokens": 2000, "token_ms": 50})
        for half in (False, True):
            stream = Stream(self.port, {"query": "how hot?"})
            next(stream.chunks())
            self.fake.wait(lambda counters: counters["chat"]["open"] > 0)
            before = self.fake.counters()["cancelled"]
            stream.connection.shutdown(socket.SHUT_WR if half else socket.SHUT_RDWR)
            self.fake.wait(lambda counters: counters["cancelled"] > before)
            stream.file.close()
            stream.connection.close()

    def test_a_drain_lets_a_stream_finish(self):
        with live.Edda(service.binary, environment={
                "LLM_PROVIDER": "local", "LOCAL_LLM_BASE_URL": self.fake.url("openai/v1")}) as edda:
            self.fake.set(chat={"tokens": 40, "token_ms": 50})
            stream = Stream(edda.port, {"query": "how hot?"})
            first = next(stream.chunks())
            edda.process.terminate()
            events = stream.read()
            self.assertTrue(first.startswith(b": ping"))
            self.assertEqual(events[-1]["type"], "done")
            self.assertNotIn("error", [event["type"] for event in events])
            self.assertEqual(edda.process.wait(60), 0)


class Long(ServiceTest):
    def test_a_long_chat_is_read_whole(self):
        """More than one of the store's pages: half a megabyte of questions."""
        question = "tea " * 4000
        chat = None
        for _ in range(40):
            answer = self.client.post(PATH, {"query": question, "chat_id": chat})
            self.assertEqual(answer.status, 200, answer.body)
            chat = answer.json["chat_id"]
        kept = self.client.get(f"{PATH}/{chat}").json
        self.assertEqual(len(kept["messages"]), 80)
        self.assertEqual({one["content"] for one in kept["messages"] if one["sent_by"] == "user"},
                         {question})


if __name__ == "__main__":
    unittest.main()
