"""Every route of routes.def, walked with no key, odd keys, a revoked key and another project's key.

The routes are read from the file, and one that this test has no word for fails it: a new route cannot
be forgotten."""

import os
import re
import subprocess
import time
import unittest

from service import KEY, Client, ServiceTest, receive_answer, connect

ROUTES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "gateway", "routes.def")
ROUTE = re.compile(r'^EDDA_ROUTE\((\w+), (\w+), "([^"]+)", \w+, (.*)\)$')

# What a good key of another project is told about what belongs to this one: a status, or a function
# that looks over the answer.
OTHERS = {
    "MEMO_GET": 404, "MEMO_STATUS": 404, "MEMO_PATCH": 404, "MEMO_DELETE": 404, "CHAT_GET": 404,
    "SEARCH": lambda answer: answer.status == 200 and answer.json["results"] == [],
    "MEMO_LIST": lambda answer: answer.status == 200 and answer.json["count"] == 0,
    "CHAT_LIST": lambda answer: answer.status == 200 and answer.json["count"] == 0,
    # It makes a memo, or a chat, of its own project; test_what_is_made_stays_apart looks.
    "MEMO_CREATE": 201,
    "CHAT": lambda answer: answer.status == 200 and "heron" not in answer.body.decode(),
    # What these tell is the service's and of no project.
    "PROVIDERS": 200, "PIPELINE": 200,
}
BODIES = {
    "SEARCH": {"query": "heron"}, "MEMO_CREATE": {"title": "t", "content": "c"},
    "MEMO_PATCH": {"title": "taken"}, "CHAT": {"query": "What does the heron do?"},
}


def routes():
    """[(name, method, pattern, whether it is open)]"""
    found = []
    with open(ROUTES) as lines:
        for line in lines:
            match = ROUTE.match(line.rstrip())
            if match:
                found.append((match[1], match[2], match[3], "EDDA_ROUTE_OPEN" in match[4]))
            elif line.startswith("EDDA_ROUTE"):
                raise AssertionError(f"not understood: {line}")
    return found


class Walk(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = Client(cls.port)
        try:
            answer = client.post("/api/v1/memo", {"title": "The heron", "content": "The heron waits in the reeds."})
            cls.memo = answer.json["memo_uuid"]
            while client.get(f"/api/v1/memo/{cls.memo}/status").json["status"] == "processing":
                time.sleep(0.05)
            chat = client.post("/api/v1/chat", {"query": "What does the heron do?"})
            assert chat.status == 200, chat.body
            cls.chat = chat.json["chat_id"]
        finally:
            client.close()

    def make_key(self, *flags):
        made = subprocess.run([self.service.binary, "key", "create", "--data", self.service.data, *flags],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        return made.stdout.strip()

    def ask(self, name, method, pattern, key):
        path = pattern.replace("{id}", self.chat if "/chat/" in pattern else self.memo)
        client = Client(self.port)
        try:
            return client.call(method, path, BODIES.get(name), key=key)
        finally:
            client.close()

    def test_every_route_is_known_to_this_test(self):
        names = {name for name, _, _, is_open in routes() if not is_open}
        self.assertEqual(names, set(OTHERS))
        self.assertGreater(len(names), 8)

    def test_only_these_are_open(self):
        self.assertEqual({pattern for _, _, pattern, is_open in routes() if is_open},
                         {"/api/health", "/livez", "/readyz", "/healthz", "/metrics", "/openapi.json",
                          "/api-spec", "/"})

    def test_no_key_and_odd_keys(self):
        odd = [None, "", KEY, f"Bearer{KEY}", "Bearer ", "Bearer  ", f"Basic {KEY}", f"Bearer {KEY[:-1]}",
               f"Bearer {KEY}a", f"Bearer {KEY.upper()}", f"Bearer {KEY} x", "Token null", "Bearer undefined",
               "Bearer '", "Bearer " + "%00", f"Bearer {KEY},{KEY}", "Bearer " + "x" * 193]
        for name, method, pattern, is_open in routes():
            if is_open:
                continue
            for key in odd:
                answer = self.ask(name, method, pattern, key)
                with self.subTest(name, key=key):
                    self.expect_error(answer, 401, "Unauthorized")
                    self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
            answer = self.ask(name, method, pattern, "Bearer " + "x" * 194)
            self.expect_error(answer, 400, "Invalid request")

    def test_a_revoked_key(self):
        unused, used = self.make_key(), self.make_key()
        self.assertEqual(self.ask("MEMO_LIST", "GET", "/api/v1/memo", "Bearer " + used).status, 200)
        for key in (unused, used):
            done = subprocess.run([self.service.binary, "key", "revoke", key, "--data", self.service.data],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        until = time.monotonic() + 30  # what is remembered of the used one is forgotten in five seconds
        while self.ask("MEMO_LIST", "GET", "/api/v1/memo", "Bearer " + used).status != 401:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.2)
        for name, method, pattern, is_open in routes():
            for key in (unused, used):
                if not is_open:
                    answer = self.ask(name, method, pattern, "Bearer " + key)
                    with self.subTest(name):
                        self.expect_error(answer, 401, "Unauthorized")

    def test_another_projects_key(self):
        other = "Bearer " + self.make_key("--project", "other")
        for name, method, pattern, is_open in routes():
            if is_open or name in ("MEMO_CREATE", "CHAT"):
                continue
            answer = self.ask(name, method, pattern, other)
            with self.subTest(name):
                wanted = OTHERS[name]
                if callable(wanted):
                    self.assertTrue(wanted(answer), (answer.status, answer.body))
                else:
                    self.assertEqual(answer.status, wanted, answer.body)
                self.assertNotIn(b"heron", answer.body)
        self.compare_with_before()

    def test_what_is_made_stays_apart(self):
        other = "Bearer " + self.make_key("--project", "third")
        before = self.client.get("/api/v1/memo").json["count"]
        made = self.ask("MEMO_CREATE", "POST", "/api/v1/memo", other)
        self.assertEqual(made.status, OTHERS["MEMO_CREATE"])
        self.assertEqual(self.client.get("/api/v1/memo").json["count"], before)
        self.expect_error(self.client.get(f"/api/v1/memo/{made.json['memo_uuid']}"), 404, "Memo not found")
        answer = self.ask("CHAT", "POST", "/api/v1/chat", other)
        self.assertTrue(OTHERS["CHAT"](answer), answer.body)
        # A chat goes on in its own project only.
        body = {"query": "And then?", "chat_id": self.chat}
        answer = self.client.call("POST", "/api/v1/chat", body, key=other)
        self.assertEqual(answer.status, 404, answer.body)
        self.compare_with_before()

    def compare_with_before(self):
        memo = self.client.get(f"/api/v1/memo/{self.memo}").json
        self.assertEqual(memo["title"], "The heron")
        self.assertEqual(self.client.get(f"/api/v1/chat/{self.chat}").status, 200)

    def test_head_tells_no_more_than_get(self):
        for name, method, pattern, is_open in routes():
            if method == "GET" and not is_open:
                answer = self.ask(name, "HEAD", pattern, None)
                self.assertEqual((answer.status, answer.body), (401, b""), name)

    def test_other_methods_on_every_path(self):
        known = {(method, pattern) for _, method, pattern, _ in routes()}
        for pattern in {pattern for _, _, pattern, _ in routes()}:
            for method in ("PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"):
                if (method, pattern) not in known:
                    answer = self.ask("", method, pattern, None)
                    self.assertIn(answer.status, (401, 404), (method, pattern))
                    self.assertNotIn(b"heron", answer.body)

    def test_keys_are_in_no_log_and_no_file(self):
        key = self.make_key("--project", "secret")
        for text in (key, "wrong-" + key):
            self.client.get("/api/v1/memo", key="Bearer " + text)
            self.client.get("/api/v1/memo?key=" + text)
            self.client.get("/api/v1/memo/" + "x", key="Bearer " + text)
        self.assertNotIn(key, self.service.log())
        for name in os.listdir(self.service.data):
            path = os.path.join(self.service.data, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    self.assertNotIn(key.encode(), file.read(), name)


class Bombs(ServiceTest):
    """JSON that is small to send and dear to read."""

    settings = {"MAX_BODY_BYTES": 4 << 20}

    @classmethod
    def setUpClass(cls):
        # What the address sanitizer keeps of freed memory would be taken for ours.
        options = os.environ.get("ASAN_OPTIONS", "")
        os.environ["ASAN_OPTIONS"] = options + ":quarantine_size_mb=8"
        super().setUpClass()
        os.environ["ASAN_OPTIONS"] = options

    def resident(self):
        with open(f"/proc/{self.service.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024

    def post(self, text, wanted):
        answer = self.client.raw_json("/api/v1/memo", text)
        self.assertIn(answer.status, wanted, (text[:60], answer.body[:200]))
        self.assertEqual(self.client.get("/livez").status, 200)

    def test_deep_wide_and_odd(self):
        self.assertEqual(self.client.get("/livez").status, 200)
        memo = '{"title":"t","content":"c","metadata":%s}'
        for text in ("[" * 1000000, '{"a":' * 500000, '[{"a":' * 300000, memo % ("[" * 3000 + "]" * 3000),
                     memo % ('{"a":' * 3000 + "1" + "}" * 3000)):
            self.post(text, (400,))
        for text in ('{"title":"t","title":"u","content":"c"}', '{"title":"t","content":"c","content":["d"]}',
                     memo % '{"a":1,"a":2}'):
            self.post(text, (400, 201))
        for number in ("1e400", "-1e400", "9" * 400, "1" + "0" * 100000, "1e999999999",
                       "-", "01", "0x10", "NaN", "Infinity", "1e", "+1"):
            self.post(memo % ('{"n":%s}' % number), (400,))
        self.post(memo % ('{"n":0.%s}' % ("1" * 50000)), (201,))
        self.post(memo % ('{"%s":1}' % ("k" * 1000000)), (400,))
        self.post('{"%s":1,"title":"t","content":"c"}' % ("k" * 1000000), (400, 201))
        self.post('{"title":"%s","content":"c"}' % ("\\u0041" * 300000), (400,))
        self.post("\ufeff" + '{"title":"t","content":"c"}', (400,))

    def test_many_small_values_cost_little_and_only_while_they_are_read(self):
        many = '{"title":"t","content":"c","x":[%s]}' % ",".join(["[]"] * 400000)
        keys = '{"title":"t","content":"c",%s}' % ",".join('"k%d":1' % n for n in range(100000))
        self.post(many, (400, 201, 413))
        self.post(keys, (400, 201, 413))
        before = self.resident()
        for _ in range(3):
            self.post(many, (400, 201, 413))
            self.post(keys, (400, 201, 413))
        self.assertLess(self.resident() - before, 64 << 20)


class Expectations(ServiceTest):
    def test_pipelined_requests_with_bad_keys_are_answered_each(self):
        request = b"GET /api/v1/memo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
        with connect(self.port) as connection:
            connection.sendall(request % b"wrong" + request % KEY.encode() + request % b"wrong")
            self.assertEqual([receive_answer(connection).status for _ in range(3)], [401, 200, 401])


if __name__ == "__main__":
    unittest.main()
