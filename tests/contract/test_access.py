"""Keys, errors common to all routes, headers of every response (contract 1.1, 1.2)."""

import os
import re
import unittest

from service import KEY, ServiceTest

ROUTES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "gateway", "routes.def")
MARK = "only for the owner"
UNKNOWN = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"


class Access(ServiceTest):
    def test_both_schemes_in_any_case(self):
        for scheme in ("Bearer", "bearer", "Token", "TOKEN"):
            answer = self.client.get("/api/v1/memo", key=f"{scheme} {KEY}")
            self.assertEqual(answer.status, 200, scheme)

    def test_no_or_another_key_is_unauthorized(self):
        for key in (None, KEY, "Basic " + KEY, "Bearer", "Bearer wrong", "Bearer a b"):
            self.expect_error(self.client.get("/api/v1/memo", key=key), 401, "Unauthorized")

    def test_a_wrong_key_stays_wrong_when_remembered(self):
        for _ in range(3):
            self.expect_error(self.client.get("/api/v1/memo", key="Bearer wrong2"), 401,
                              "Unauthorized")

    def test_a_header_over_200_characters_is_invalid(self):
        self.expect_error(self.client.get("/api/v1/memo", key="Bearer " + "x" * 194), 400,
                          "Invalid request")

    def test_unauthorized_beats_not_found(self):
        self.expect_error(self.client.get("/api/v1/nothing", key=None), 401, "Unauthorized")
        self.expect_error(self.client.get("/api/nothing", key=None), 401, "Unauthorized")
        self.expect_error(self.client.get(f"/api/v1/memo/{UNKNOWN}", key=None), 401, "Unauthorized")

    def test_unknown_routes_and_methods_are_not_found(self):
        for method, path in (("GET", "/api/v1/nothing"), ("PUT", "/api/v1/memo"),
                             ("GET", "/api/v1/search"), ("POST", "/api/v1/generate"),
                             ("DELETE", "/api/v1/memo"), ("OPTIONS", "/api/v1/memo"),
                             ("GET", "/nothing"), ("POST", "/api/v1/memo/upload")):
            self.expect_error(self.client.call(method, path), 404, "Not found")

    def test_broken_json_without_a_key_is_400(self):
        for path in ("/api/v1/memo", "/api/v1/search", "/api/v1/nothing"):
            self.expect_error(self.client.raw_json(path, "{", key=None), 400,
                              "Invalid JSON in request body")

    def test_large_bodies_are_taken_from_nobody_without_a_key(self):
        self.expect_error(self.client.raw_json("/api/v1/memo", "{" + " " * 200000, key=None), 401,
                          "Unauthorized")

    def test_malformed_json(self):
        for text in ("{", "{]", "nonsense", '"text"', "7", "null", '{"a":1}{', '{"a":"\\ud800"}'):
            self.expect_error(self.client.raw_json("/api/v1/memo", text), 400,
                              "Invalid JSON in request body")
        self.expect_error(self.client.raw_json("/api/v1/memo", b'{"title":"\xff"}'), 400,
                          "Invalid JSON in request body")

    def test_nul_is_refused(self):
        answer = self.client.raw_json("/api/v1/memo", '{"title":"a\\u0000b","content":"c"}')
        self.expect_error(answer, 400, "NUL characters are not allowed")
        self.expect_error(self.client.get("/api/v1/memo/a%00b?id_type=reference_id"), 400,
                          "Invalid request")

    def test_deep_json_does_not_break_anything(self):
        answer = self.client.raw_json("/api/v1/memo", "[" * 100000)
        self.expect_error(answer, 400, "Invalid JSON in request body")

    def test_both_slashes(self):
        for path in ("/api/v1/memo", "/api/v1/memo/"):
            self.assertEqual(self.client.get(path).status, 200)
        for path in ("/api/v1/search", "/api/v1/search/"):
            self.assertEqual(self.client.post(path, {"query": "x"}).status, 200)

    def test_every_response_has_its_ids(self):
        for path, key in (("/api/v1/memo", True), ("/api/v1/nothing", None), ("/nothing", None)):
            answer = self.client.get(path, key=key)
            self.assertTrue(answer.headers["X-Request-Id"])
            self.assertRegex(answer.headers["X-Trace-Id"], "^[0-9a-f]{32}$")
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_an_inbound_trace_is_continued(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        answer = self.client.get("/api/v1/memo", headers={
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-Id": "abc-1"})
        self.assertEqual(answer.headers["X-Trace-Id"], trace)
        self.assertEqual(answer.headers["X-Request-Id"], "abc-1")
        answer = self.client.get("/api/v1/memo", headers={"traceparent": "00-" + "0" * 32 + "-x"})
        self.assertNotEqual(answer.headers["X-Trace-Id"], "0" * 32)

    def test_json_has_a_weak_etag_and_304(self):
        uuid = self.create()
        self.wait_processed(uuid)
        for path in (f"/api/v1/memo/{uuid}", f"/api/v1/memo/{uuid}/status", "/api/v1/memo",
                     "/openapi.json"):
            first = self.client.get(path)
            self.assertRegex(first.headers["ETag"], '^W/".+"$')
            again = self.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
            self.assertEqual((again.status, again.body), (304, b""), path)
            self.assertEqual(again.headers["ETag"], first.headers["ETag"])
            other = self.client.get(path, headers={"If-None-Match": 'W/"other"'})
            self.assertEqual(other.status, 200)

    def test_head_is_get_without_a_body(self):
        answer = self.client.call("HEAD", "/api/v1/memo")
        self.assertEqual((answer.status, answer.body), (200, b""))


class Keys(ServiceTest):
    """A key made by the command line opens its own project and no other."""

    def make_key(self, project):
        import subprocess
        made = subprocess.run(
            [self.service.binary, "key", "create", "--project", project, "--data",
             self.service.data], capture_output=True, text=True, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        for word in made.stdout.split():
            if word.startswith("sk_proj_"):
                return word
        self.fail(made.stdout)

    def test_a_key_opens_its_project_only(self):
        key = "Bearer " + self.make_key("other")
        uuid = self.create("mine", "in the default project")
        self.assertEqual(self.client.get("/api/v1/memo", key=key).json["count"], 0)
        self.expect_error(self.client.get(f"/api/v1/memo/{uuid}", key=key), 404, "Memo not found")
        self.expect_error(self.client.call("DELETE", f"/api/v1/memo/{uuid}", key=key), 404,
                          "Memo not found")
        self.expect_error(
            self.client.call("PATCH", f"/api/v1/memo/{uuid}", {"title": "x"}, key=key), 404,
            "Memo not found")
        self.wait_processed(uuid)
        found = self.client.post("/api/v1/search", {"query": "default project"}, key=key)
        self.assertEqual(found.json, {"results": []})
        self.assertEqual(self.client.get(f"/api/v1/memo/{uuid}").status, 200)

    def routes(self):
        """[(method, path)] of every route of the gateway's table that wants a key."""
        with open(ROUTES) as table:
            rows = re.findall(r'EDDA_ROUTE\(\w+, (\w+), "([^"]+)", \w+, ([^)]*)\)', table.read())
        return [(method, path) for method, path, flags in rows if "EDDA_ROUTE_OPEN" not in flags]

    def test_every_route_is_closed_without_a_key_and_shows_another_project_nothing(self):
        memo = self.create(MARK, MARK)
        self.wait_processed(memo)
        chat = self.client.post("/api/v1/chat", {"query": MARK}).json["chat_id"]
        key = "Bearer " + self.make_key("stranger")
        bodies = {"/api/v1/search": {"query": MARK}, "/api/v1/chat": {"query": MARK, "chat_id": chat},
                  "/api/v1/memo": {"title": "t", "content": "c"}, "/api/v1/memo/{id}": {"title": "t"}}
        seen = 0
        for method, path in self.routes():
            body = bodies.get(path, {}) if method in ("POST", "PATCH") else None
            at = path.replace("{id}", chat if path.startswith("/api/v1/chat") else memo)
            for nobody in (None, "Bearer sk_proj_" + "0" * 40):
                self.expect_error(self.client.call(method, at, body, key=nobody), 401, "Unauthorized")
            answer = self.client.call(method, at, body, key=key)
            if "{id}" in path or method == "POST" and path == "/api/v1/chat":
                self.assertEqual(answer.status, 404, f"{method} {path}")
            self.assertNotIn(MARK, answer.body.decode(), f"{method} {path}")
            for uuid in (memo, chat):
                self.assertNotIn(uuid, answer.body.decode(), f"{method} {path}")
            seen += 1
        self.assertGreaterEqual(seen, 12)
        kept = self.client.get(f"/api/v1/memo/{memo}").json
        self.assertEqual((kept["title"], self.client.get(f"/api/v1/chat/{chat}").status), (MARK, 200))


if __name__ == "__main__":
    unittest.main()
