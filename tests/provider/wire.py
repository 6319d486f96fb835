"""What the fake's own tests stand on: one fake for a class of tests, and requests to it as bytes.

run.py sets `binary`."""

import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import provider  # noqa: E402

binary = ""
QUESTION = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it?"}]}


def events(body):
    """[(event, data)] of a stream."""
    found = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if fields:
            found.append((fields.get("event"), fields["data"]))
    return found


class FakeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = provider.FakeProvider(binary, "--dimension", "64").start()

    @classmethod
    def tearDownClass(cls):
        status = cls.fake.stop()
        assert status == 0, f"the fake ended with {status}"

    def setUp(self):
        self.fake.reset()

    def call(self, path, body, headers=None, method="POST"):
        """(status, headers, bytes)."""
        connection = self.fake.connect()
        try:
            connection.request(method, path, body if isinstance(body, (bytes, type(None))) else json.dumps(body),
                               headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ask(self, path, body, headers=None):
        status, _, content = self.call(path, body, headers)
        self.assertEqual(status, 200, content)
        return json.loads(content)

    def send(self, path, body):
        """A connection with the request on its way."""
        connection = socket.create_connection(("127.0.0.1", self.fake.port), timeout=60)
        content = json.dumps(body).encode()
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: fake\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                           + content)
        return connection

    def raw(self, path, body):
        """(head, body) as bytes until the connection is closed by the fake."""
        with self.send(path, body) as connection:
            received = b""
            while piece := connection.recv(65536):
                received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        return head, rest

    def receive(self, connection, end):
        """Bytes up to this end of them."""
        received = b""
        while not received.endswith(end):
            piece = connection.recv(65536)
            self.assertTrue(piece, received)
            received += piece
        return received

    def expect_silence(self, connection):
        """Nothing more has come when the fake has answered something else, twice."""
        for _ in range(2):
            self.assertEqual(self.fake.counters()["open"], 1)
        connection.setblocking(False)
        with self.assertRaises(BlockingIOError):
            connection.recv(1)

    def embed(self, texts, path="/openai/v1/embeddings", **more):
        return self.ask(path, {"model": "m", "input": texts, **more})

    def stream(self, path="/openai/v1/chat/completions", **more):
        status, headers, content = self.call(path, {"model": "g", "stream": True, **QUESTION, **more})
        self.assertEqual(status, 200, content)
        self.assertTrue(headers["Content-Type"].startswith("text/event-stream"))
        return events(content)
