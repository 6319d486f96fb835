"""What is counted and recorded, clients that leave, a thousand at once."""

import json
import resource
import selectors
import time

from wire import QUESTION, FakeTest


class Counting(FakeTest):
    PATH = "/openai/v1/embeddings"

    def test_requests_items_batches_paths_and_bytes(self):
        self.embed(["a", "b", "c"])
        self.embed("a", "/voyage/v1/embeddings")
        self.fake.set(embed={"fail": {"status": 500}})
        self.call(self.PATH, {"model": "m", "input": ["a"] * 4})
        self.ask("/cohere/v2/rerank", {"query": "a", "documents": ["a", "b"]})
        self.fake.set(chat={"tokens": 5})
        self.stream()
        counters = self.fake.counters()
        embed = counters["embed"]
        self.assertEqual((embed["requests"], embed["items"], embed["batches"], embed["failed"]), (3, 4, [3, 1, 4], 1))
        self.assertEqual((counters["rerank"]["batches"], counters["rerank"]["items"]), ([2], 2))
        self.assertEqual((counters["chat"]["requests"], counters["chat"]["tokens"]), (1, 5))
        self.assertEqual(counters["paths"], {self.PATH: 2, "/voyage/v1/embeddings": 1, "/cohere/v2/rerank": 1,
                                             "/openai/v1/chat/completions": 1})
        self.assertEqual((counters["open"], counters["cancelled"]), (0, 0))
        self.assertGreater(counters["bytes_out"], 2500)
        self.assertGreater(counters["bytes_in"], 150)
        self.assertGreaterEqual(counters["connections"], 5)
        self.fake.reset()
        self.assertEqual(self.fake.counters()["embed"]["batches"], [])

    def test_the_last_thousand_batches_are_kept(self):
        connection = self.fake.connect()
        for number in range(1005):
            body = {"model": "m", "dimensions": 1, "input": ["a"] * (1 + (number < 6))}
            connection.request("POST", self.PATH, json.dumps(body))
            self.assertEqual(connection.getresponse().read()[:1], b"{")
        connection.close()
        self.assertEqual(self.fake.counters()["embed"]["batches"], [2] + [1] * 999)

    def test_requests_are_recorded_word_for_word(self):
        body = '{"model":"m",  "input":"Größe"}'.encode()
        for number in range(102):
            self.call(self.PATH + f"?n={number}", body, {"X-One": "1", "Authorization": "Bearer k", "x-two": "a, b"})
        recorded = self.fake.requests()
        self.assertEqual([one["path"] for one in recorded], [f"{self.PATH}?n={n}" for n in range(2, 102)])
        last = self.fake.requests(1)
        self.assertEqual((len(last), last[0]["method"], last[0]["body"]), (1, "POST", body.decode()))
        self.assertEqual(last[0]["headers"][-3:], [["X-One", "1"], ["Authorization", "Bearer k"], ["x-two", "a, b"]])

    def test_a_client_that_leaves_while_it_waits_is_counted_soon(self):
        for settings in ({"hang": True}, {"latency_ms": 60000}):
            self.fake.reset()
            self.fake.set(embed=settings)
            connection = self.send(self.PATH, {"model": "m", "input": "a"})
            self.fake.wait(lambda counters: counters["embed"]["open"] == 1)
            left = time.monotonic()
            connection.close()
            counters = self.fake.wait(lambda counters: counters["embed"]["cancelled"] == 1 and counters["open"] == 0)
            print(f"noticed {counters['last_cancelled_us'] / 1e3 - left * 1e3:.2f} ms after the close")
            self.assertGreaterEqual(counters["last_cancelled_us"], left * 1e6 - 1)

    def test_a_client_that_leaves_in_the_middle_of_a_stream_is_counted(self):
        self.fake.set(chat={"tokens": 100000, "token_ms": 5})
        connection = self.send("/openai/v1/chat/completions", {"model": "g", "stream": True, **QUESTION})
        self.assertIn(b"200 OK", connection.recv(65536))
        connection.close()
        counters = self.fake.wait(lambda counters: counters["chat"]["cancelled"] == 1 and counters["open"] == 0)
        self.assertLess(counters["chat"]["tokens"], 100000)

    def test_a_reset_cuts_what_is_open(self):
        self.fake.set(embed={"hang": True})
        with self.send(self.PATH, {"model": "m", "input": "a"}) as connection:
            self.fake.wait(lambda counters: counters["open"] == 1)
            self.fake.reset()
            self.assertEqual(connection.recv(1), b"")
        self.assertEqual(self.fake.wait(lambda counters: counters["open"] == 0)["cancelled"], 0)

    def test_a_thousand_wait_at_once(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreater(hard, 1100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
        self.fake.set(embed={"latency_ms": 100})
        selector = selectors.DefaultSelector()
        before, began = self.fake.cpu_seconds(), time.monotonic()
        for _ in range(1000):
            connection = self.send(self.PATH, {"model": "m", "input": "what is a blue whale"})
            selector.register(connection, selectors.EVENT_READ)
        answered = 0
        while answered < 1000:
            ready = selector.select(60)
            self.assertTrue(ready, f"{answered} of 1000 were answered")
            for key, _ in ready:
                self.assertTrue(key.fileobj.recv(65536).startswith(b"HTTP/1.1 200 OK"))
                selector.unregister(key.fileobj)
                key.fileobj.close()
                answered += 1
        seconds, cpu = time.monotonic() - began, self.fake.cpu_seconds() - before
        counters = self.fake.counters()
        print(f"1,000 requests of 100 ms: {seconds:.2f} s, {counters['most_open']} at once, "
              f"{cpu * 1e3:.0f} ms of the fake's CPU")
        self.assertEqual((counters["embed"]["requests"], counters["embed"]["items"]), (1000, 1000))
        self.assertEqual(counters["cancelled"], 0)
        self.assertGreater(counters["most_open"], 1)
