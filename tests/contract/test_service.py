"""Health, readiness, metrics, pipeline, the description, idempotency, drain."""

import concurrent.futures
import json
import signal
import threading
import time
import unittest

from service import Client, ServiceTest, connect, start

PATH = "/api/v1/memo"


class Service(ServiceTest):
    def test_health(self):
        for path in ("/api/health", "/api/health/"):
            answer = self.client.get(path, key=None)
            self.assertEqual((answer.status, answer.body),
                             (200, b'{"status":"ok","checks":{"database":true}}'))

    def test_live_and_ready(self):
        self.assertEqual(self.client.get("/livez", key=None).json, {"status": "ok"})
        all_well = {"draining": False, "broker": True, "store": True,
                    "embed": True, "rerank": True, "chunk": True, "llm": True}
        for path in ("/readyz", "/healthz"):
            answer = self.client.get_when(path, lambda answer: answer.json["checks"] == all_well, key=None)
            self.assertEqual((answer.status, answer.json["status"]), (200, "ready"))

    def test_metrics(self):
        answer = self.client.get_when("/metrics", lambda answer: b"edda_pipeline_store_up 1" in answer.body, key=None)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        text = answer.body.decode()
        for name in ("edda_http_requests_total{", "edda_http_request_seconds_bucket{",
                     "edda_http_connections ", "edda_http_unmetered_total 0\n", 'edda_pipeline_workers{service="store"} 1',
                     "edda_pipeline_jobs_ready ", "edda_pipeline_store_up 1",
                     'edda_pipeline_broker_up{broker="0"} 1', 'edda_pipeline_broker_admitted_total{broker="0"} '):
            self.assertIn(name, text)
        seen = set()
        for line in text.splitlines():
            if line.startswith("# TYPE"):
                self.assertNotIn(line.split()[2], seen)
                seen.add(line.split()[2])
            elif line and not line.startswith("#"):
                float(line.rpartition(" ")[2])

    def test_pipeline(self):
        self.expect_error(self.client.get("/api/v1/pipeline", key=None), 401, "Unauthorized")
        pipeline = self.client.get_when("/api/v1/pipeline", lambda answer: "jobs" in answer.json["store"] and all(
            one["live"] for one in answer.json["brokers"])).json
        self.assertEqual(len(pipeline["brokers"]), 1)
        self.assertTrue(pipeline["brokers"][0]["live"])
        stages = {stage["name"]: stage for stage in pipeline["stages"]}
        for name in ("store", "embed", "rerank", "chunk"):
            self.assertGreaterEqual(stages[name]["workers"], 1)
            for field in ("queued", "oldest_ms", "in_flight", "rate_per_second", "done", "failed"):
                self.assertIn(field, stages[name])
        self.assertEqual(set(pipeline["store"]["jobs"]),
                         {"ready", "leased", "dead", "oldest_ready_ms"})

    def test_the_description_names_every_route(self):
        for path in ("/openapi.json", "/api-spec"):
            answer = self.client.get(path, key=None)
            self.assertEqual(answer.status, 200)
            document = answer.json
            self.assertTrue(document["openapi"].startswith("3."))
        described = {(method.upper(), path) for path, item in document["paths"].items()
                     for method in item if method != "parameters"}
        for route in (("POST", PATH), ("GET", PATH), ("GET", PATH + "/{id}"),
                      ("PATCH", PATH + "/{id}"), ("DELETE", PATH + "/{id}"),
                      ("GET", PATH + "/{id}/status"), ("POST", "/api/v1/search"),
                      ("GET", "/api/v1/config/llm-providers"), ("GET", "/api/health"),
                      ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics"),
                      ("GET", "/api/v1/pipeline"), ("GET", "/openapi.json")):
            self.assertIn(route, described)

    def test_references_in_the_description_resolve(self):
        document = self.client.get("/openapi.json", key=None).json

        def check(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    target = document
                    for name in node["$ref"].removeprefix("#/").split("/"):
                        target = target[name]
                for value in node.values():
                    check(value)
            elif isinstance(node, list):
                for value in node:
                    check(value)

        check(document)

    def test_the_front_page(self):
        self.assertEqual(self.client.get("/", key=None).json["name"], "edda")


class Idempotency(ServiceTest):
    def post(self, key, body, client=None):
        return (client or self.client).post(PATH, body, headers={"Idempotency-Key": key})

    def test_the_same_key_and_body_give_the_same_memo(self):
        body = {"title": "once", "content": "only once"}
        first = self.post('"k-1"', body)
        again = self.post('"k-1"', body)
        bare = self.post("k-1", body)
        self.assertEqual(first.status, 201)
        self.assertEqual((again.status, again.body), (201, first.body))
        self.assertEqual(bare.body, first.body)
        titles = [memo["title"] for memo in self.client.get(PATH).json["results"]]
        self.assertEqual(titles.count("once"), 1)

    def test_another_body_is_refused(self):
        self.assertEqual(self.post("k-2", {"title": "a", "content": "a"}).status, 201)
        answer = self.post("k-2", {"title": "a", "content": "b"})
        self.assertEqual(answer.status, 422)
        self.assertIn("error", answer.json)

    def test_malformed_keys(self):
        body = {"title": "a", "content": "a"}
        for key in ("", '""', '"a', "a b", "x" * 256):
            self.assertEqual(self.post(key, body).status, 400, key)
        self.assertEqual(self.post("x" * 255, body).status, 201)

    def test_a_refused_request_may_be_corrected(self):
        self.assertEqual(self.post("k-3", {"title": "a"}).status, 400)
        self.assertEqual(self.post("k-3", {"title": "a", "content": "b"}).status, 201)

    def test_many_at_once_make_one_memo(self):
        body = {"title": "race", "content": "race " * 2000}
        clients = [Client(self.port) for _ in range(16)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda client: self.post("k-4", body, client), clients))
        for client in clients:
            client.close()
        self.assertTrue({answer.status for answer in answers} <= {201, 409})
        uuids = {answer.json["memo_uuid"] for answer in answers if answer.status == 201}
        self.assertEqual(len(uuids), 1)
        for answer in answers:
            if answer.status == 409:
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        titles = [memo["title"] for memo in self.client.get(PATH).json["results"]]
        self.assertEqual(titles.count("race"), 1)


class Drain(unittest.TestCase):
    def test_readiness_fails_first_and_open_requests_finish(self):
        with start(GRACE_MS=2500) as service:
            client = Client(service.port)
            slow = connect(service.port)
            body = json.dumps({"title": "slow", "content": "x" * 1000}).encode()
            slow.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                         .encode() + body[:10])
            self.assertEqual(client.get("/readyz").status, 200)
            service.process.send_signal(signal.SIGTERM)
            answer = client.get_when("/readyz", lambda answer: answer.json["checks"]["draining"])
            self.assertEqual(answer.status, 503)
            threading.Timer(3, lambda: slow.sendall(body[10:])).start()
            slow.settimeout(60)
            received = slow.recv(65536)
            self.assertIn(b"201 Created", received)
            self.assertIn(b"Connection: close", received)
            slow.close()
            client.close()
            self.assertEqual(service.process.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
