"""No secret in what Edda says: logs, answers, metrics, dead jobs, files, children's environments, core
dumps. Every key is a word of its own, and the provider repeats the key it was sent in its refusals."""

import os
import resource
import signal
import subprocess
import unittest
import urllib.parse

import live
import service

# Keys as their providers make them, and two of no pattern, which are known by being the ones sent.
SECRETS = {
    "OPENAI_API_KEY": "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z", "VOYAGE_API_KEY": "pa-9xT2kQ7mB4vN8cL1zR6wY3sD5fG0hJ",
    "COHERE_API_KEY": "c0H3r3kEy1aB2cD3eF4gH5iJ6kL7mN8oP9qR0sT1", "JINA_API_KEY": "jina_4f5e6d7c8b9a0f1e2d3c4b5a6f7e8d9c",
    "GEMINI_API_KEY": "AIzaSyD4x5Y6z7A8b9C0d1E2f3G4h5I6j7K8l9M", "ANTHROPIC_API_KEY": "sk-ant-api03-Qw1Er2Ty3Ui4Op5As6Df7Gh8",
    "GROQ_API_KEY": "gsk_z9Y8x7W6v5U4t3S2r1Q0p9O8n7M6l5K4", "LOCAL_LLM_API_KEY": "sk-local-77aa88bb99cc00dd11ee22ff",
    "EMBEDDING_API_KEY": "open-sesame-embeddings", "RERANKING_API_KEY": "friend-of-the-reranker",
}
NAMES = tuple(SECRETS)
PATTERNS = NAMES[:-2]
DATABASE = "EDDA_DATABASE_URL"  # of PostgreSQL, with its password, when that is the store
LLMS = ("openai", "anthropic", "gemini", "groq", "local")


OWN = {"embedder": NAMES, "reranker": NAMES, "llm": NAMES, "store": (DATABASE,)}  # what a part may have


def every_name():
    return NAMES + ((DATABASE,) if live.server else ())


def secret(name):
    return urllib.parse.urlsplit(live.server).password if name == DATABASE else SECRETS[name]


class Talkative:
    """Edda with every provider there is, all of them the fake one, at the level that says most."""

    def __init__(self, fake, *flags, **more):
        url = fake.url
        self.said = []
        self.edda = live.Edda(service.binary, *flags, environment={
            **SECRETS, "EMBEDDING_PROVIDER": "openai", "RERANKING_PROVIDER": "cohere",
            "LLM_PROVIDER": "openai", "OPENAI_BASE_URL": url("openai/v1"), "GROQ_BASE_URL": url("openai/v1"),
            "LOCAL_LLM_BASE_URL": url("openai/v1"), "ANTHROPIC_BASE_URL": url("anthropic"),
            "GEMINI_BASE_URL": url("gemini/v1beta"), "COHERE_BASE_URL": url("cohere"),
            "EMBEDDING_DIMENSION": "64", "EDDA_LOG_LEVEL": "debug", "EDDA_SEARCH_MS": "1000",
            "EDDA_CHAT_MS": "3000", "EDDA_LEASE_MS": "1000", **more})

    def ask(self, method, path, body=None):
        status, headers, content = self.edda.request(method, path, body)
        self.said.append(f"{status} {headers} {content}")
        return status, content

    def use(self):
        """A document, a search, a chat with each provider, as answers and as streams."""
        self.ask("POST", "/api/v1/memo", {"title": "Tea", "content": "Green tea is best at eighty degrees."})
        self.ask("POST", "/api/v1/search", {"query": "green tea"})
        for llm in LLMS:
            for stream in (False, True):
                self.ask("POST", "/api/v1/chat", {"query": "how hot?", "stream": stream,
                                                  "rag_config": {"llm_provider": llm}})

    def tell(self):
        """Everything there is to read about the service."""
        for path in ("/metrics", "/api/v1/pipeline", "/api/v1/config/llm-providers", "/api/health", "/readyz",
                     "/api/v1/memo", "/api/v1/chat"):
            self.ask("GET", path)
        for command in (["doctor"], ["jobs"], ["jobs", "--state", "dead"]):
            done = subprocess.run([service.binary, *command], capture_output=True, text=True, timeout=60,
                                  env={**self.edda.environment, "EDDA_KEY": live.KEY, "EDDA_DATA": self.edda.data,
                                       "EDDA_URL": f"http://127.0.0.1:{self.edda.port}"})
            self.said.append(done.stdout + done.stderr)
        return "\n".join(self.said) + self.edda.log()


class Secrets(unittest.TestCase):
    def expect_none(self, text, where, but=()):
        for name in every_name():
            if name in but:
                continue
            at = text.find(secret(name))
            self.assertEqual(at, -1, f"{name} in {where}: {text[max(0, at - 200):at + 200]}")

    def expect_none_in_files(self, directory):
        for parent, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(parent, name)
                if not os.path.isfile(path):  # a socket
                    continue
                with open(path, "rb") as file:
                    content = file.read()
                for key in every_name():
                    self.assertNotIn(secret(key).encode(), content, f"{key} in {name}")

    def refuse(self, fake, status):
        for kind, key in (("embed", "EMBEDDING_API_KEY"), ("rerank", "RERANKING_API_KEY")):
            fake.set(**{kind: {"status": status, "message": f"Incorrect API key provided: {secret(key)}."}})
        fake.set(chat={"status": status, "message": "Incorrect API keys provided: " +
                       ", ".join(secret(name) for name in PATTERNS)})

    def test_nothing_that_is_said_has_one_when_all_is_well_and_when_providers_repeat_them(self):
        for log_format in ("text", "json"):
            with service.start_provider() as fake:
                talkative = Talkative(fake, EDDA_LOG_FORMAT=log_format)
                with talkative.edda:
                    _, memo = talkative.ask("POST", "/api/v1/memo", {"title": "Tea", "content": "Tea is hot."})
                    service.wait_processed(talkative.edda, memo["memo_uuid"])
                    talkative.use()
                    sent = str(fake.requests())
                    for name in ("EMBEDDING_API_KEY", "RERANKING_API_KEY", "ANTHROPIC_API_KEY"):
                        self.assertIn(secret(name), sent, "the keys are not even used")
                    for status in (401, 429, 500):
                        self.refuse(fake, status)
                        talkative.use()
                    told = talkative.tell()
                    self.assertIn("Incorrect API key", told, "the provider's own words are missing")
                    self.expect_none(told, "what is said")
                    self.expect_none_in_files(talkative.edda.data)

    def test_a_part_has_no_key_that_it_does_not_use(self):
        with service.start_provider() as fake:
            talkative = Talkative(fake, "--processes")
            with talkative.edda as edda:
                talkative.use()
                found = set()
                for pid, argv in live.children(edda.process.pid):
                    with open(f"/proc/{pid}/cmdline", "rb") as line:
                        self.expect_none(line.read().decode(), f"{argv}'s command line")
                    with open(f"/proc/{pid}/environ", "rb") as environment:
                        text = environment.read().decode()
                    found.add(argv[1])
                    own = OWN.get(argv[1], ())
                    self.expect_none(text, f"{argv[1]}'s environment", but=own)
                    for name in own:
                        if name in ("OPENAI_API_KEY", DATABASE) and name in every_name():
                            self.assertIn(secret(name), text, "what is its own is missing")
                self.assertLessEqual({"broker", "gateway", "store", "chunker", "embedder", "llm"}, found)

    def test_a_part_that_crashes_leaves_no_core(self):
        with service.start_provider() as fake:
            talkative = Talkative(fake)
            edda = talkative.edda
            soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            try:
                edda.start()
            finally:
                resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
            try:
                with open(f"/proc/{edda.process.pid}/limits") as limits:
                    core = next(line for line in limits if line.startswith("Max core file size"))
                self.assertEqual(core.split()[4:6], ["0", "0"])
                os.kill(edda.process.pid, signal.SIGABRT)
                _, status = os.waitpid(edda.process.pid, 0)
                self.assertTrue(os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != 0)
                self.assertFalse(os.WCOREDUMP(status))
                edda.process = None
            finally:
                edda.__exit__(None, None, None)

    def test_a_key_from_a_file_is_used_and_kept_as_well(self):
        with service.start_provider() as fake:
            talkative = Talkative(fake)
            edda = talkative.edda
            for name in NAMES:
                path = os.path.join(edda.directory, name)
                with open(path, "w") as file:
                    file.write(secret(name) + "\n")
                del edda.environment[name]
                edda.environment[name + "_FILE"] = path
            with edda:
                fake.set(all={"require_key": secret("EMBEDDING_API_KEY")})
                status, memo = talkative.ask("POST", "/api/v1/memo", {"title": "T", "content": "Green tea."})
                self.assertEqual(status, 201)
                self.assertEqual(service.wait_processed(edda, memo["memo_uuid"])["status"], "processed")
                self.refuse(fake, 401)
                talkative.use()
                self.expect_none(talkative.tell(), "what is said")

    def test_a_proxys_password_is_in_no_error(self):
        with service.start_provider() as fake:
            talkative = Talkative(fake, EDDA_PROVIDER_PROXY=f"http://user:{secret('OPENAI_API_KEY')}@127.0.0.1:1")
            with talkative.edda:
                talkative.use()
                self.expect_none(talkative.tell(), "what is said")
            self.assertEqual(fake.counters()["connections"], 1, "it was asked past the proxy")


if __name__ == "__main__":
    unittest.main()
