"""What Edda sends to an OpenAI-compatible service is what the openai npm package sends to it.

Both speak to the same fake provider, which records whole requests. The package is given the values
Edda sent; which fields and headers go out with them is its own choice."""

import json
import os
import shutil
import subprocess
import unittest

import service

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
KEY = "sk-test-of-the-wire"

# What names the package itself, is of fetch() or belongs to the connection.
OWN = {"user-agent", "host", "connection", "content-length", "accept-encoding",
       "accept-language", "sec-fetch-mode"}


def headers_of(request):
    return sorted((name.lower(), value) for name, value in request["headers"]
                  if name.lower() not in OWN and not name.lower().startswith("x-stainless-"))


def only(requests, path):
    return [one for one in requests if one["path"].endswith(path)]


class OpenAIWire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = service.start_provider()
        environment = {"EMBEDDING_PROVIDER": "openai", "LLM_PROVIDER": "openai", "OPENAI_API_KEY": KEY,
                       "OPENAI_BASE_URL": cls.provider.url("openai/v1"), "EMBEDDING_DIMENSION": "64",
                       "EDDA_EMBEDDING_BATCH": "8"}
        cls.edda = service.live.Edda(service.binary, environment=environment).start()

    @classmethod
    def tearDownClass(cls):
        cls.edda.__exit__(None, None, None)
        cls.provider.stop()

    def by_package(self, calls):
        """The requests the package makes of these values."""
        node = shutil.which("node") or shutil.which("nodejs")
        self.assertIsNotNone(node, "node is missing; ops/install test installs it")
        self.assertTrue(os.path.isdir(os.path.join(CLIENTS, "node_modules", "openai")),
                        "the openai package is missing; ops/install test installs it")
        before = len(self.provider.requests())
        done = subprocess.run([node, "openai.mjs", self.provider.url("openai/v1"), KEY], cwd=CLIENTS,
                              input=json.dumps(calls), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.provider.requests()[before:]

    def compare(self, ours, theirs):
        self.assertEqual(ours["method"], theirs["method"])
        self.assertEqual(ours["path"], theirs["path"])
        self.assertEqual(headers_of(ours), headers_of(theirs))
        self.assertEqual(json.loads(ours["body"]), json.loads(theirs["body"]))

    def test_embeddings_and_chat_have_the_fields_and_headers_of_the_package(self):
        content = "\n\n".join(f"# Part {n}\n\n" + f"The lighthouse number {n} is old. " * 30 for n in range(4))
        status, _, memo = self.edda.request("POST", "/api/v1/memo", {"title": "Lights", "content": content})
        self.assertEqual(status, 201)
        service.wait_processed(self.edda, memo["memo_uuid"])
        status, _, answer = self.edda.request("POST", "/api/v1/chat",
                                              {"query": "how old is lighthouse 2?", "system_prompt": "Be brief."})
        self.assertEqual(status, 200, answer)
        recorded = self.provider.requests()
        embeddings, chats = only(recorded, "/embeddings"), only(recorded, "/chat/completions")
        self.assertGreaterEqual(len(embeddings), 2)
        self.assertEqual(len(chats), 1)
        self.assertTrue(any(len(json.loads(one["body"])["input"]) > 1 for one in embeddings))
        calls = []
        for one in embeddings + chats:
            body = json.loads(one["body"])
            # Nobody asks the package for base64: it does so by itself.
            body.pop("encoding_format", None)
            calls.append({"api": "chat" if one in chats else "embeddings", "body": body})
        theirs = self.by_package(calls)
        self.assertEqual(len(theirs), len(calls))
        for mine, other in zip(embeddings + chats, theirs):
            self.compare(mine, other)

    def test_the_comparison_sees_a_field_and_a_header_that_differ(self):
        first, second = self.by_package([
            {"api": "embeddings", "body": {"model": "m", "input": ["a"]}},
            {"api": "embeddings", "body": {"model": "m", "input": ["a"], "dimensions": 64}}])
        with self.assertRaises(AssertionError):
            self.compare(first, second)
        changed = {**first, "headers": [["accept", "text/plain"] if name.lower() == "accept" else [name, value]
                                        for name, value in first["headers"]]}
        with self.assertRaises(AssertionError):
            self.compare(first, changed)
