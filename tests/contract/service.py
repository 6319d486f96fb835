"""The service under test, and requests to it: whole ones over http.client, odd ones over a socket.

run.py sets `binary`. Each test file shares one service for its tests (ServiceTest), unless it needs
other settings (a nested `with start(...)`)."""

import http.client
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
import live  # noqa: E402
import provider  # noqa: E402

binary = os.environ.get("EDDA_BINARY", "")
fake_provider = None  # its path, when it is not in edda's build tree
KEY = live.KEY


def start(**settings):
    """A service with EDDA_ settings: start(HEADER_MS=300)."""
    environment = {f"EDDA_{name}": str(value) for name, value in settings.items()}
    return live.Edda(binary, environment=environment)


def start_provider(*flags, **more):
    """The fake provider (tests/provider), serving."""
    return provider.FakeProvider(provider.find(binary, fake_provider), *flags, **more).start()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One keep-alive connection with the key."""

    def __init__(self, port, key=KEY, timeout=60):
        self.key = key
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def close(self):
        self.connection.close()

    def call(self, method, path, body=None, headers=None, key=True):
        fields = {}
        if key is True and self.key:
            fields["Authorization"] = "Bearer " + self.key
        elif isinstance(key, str):
            fields["Authorization"] = key
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            fields["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode()
        fields.update(headers or {})
        for attempt in (0, 1):
            try:
                self.connection.request(method, path, body, fields)
                response = self.connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.connection.close()
                if attempt:
                    raise

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def get_when(self, path, holds, seconds=60, **more):
        """The first answer that holds: what a service knows of its parts is a second old, and a part that did not
        say within a second how it is counts as away."""
        until = time.monotonic() + seconds
        while not holds(answer := self.get(path, **more)):
            assert time.monotonic() < until, f"{path} is {answer.status} {answer.body.decode(errors='replace')}"
            time.sleep(0.1)
        return answer

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def raw_json(self, path, text, method="POST", **more):
        return self.call(method, path, text, headers={"Content-Type": "application/json"}, **more)


def wait_processed(edda, uuid, seconds=60):
    """Until a memo of a live.Edda is processed; its status."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer, _, status = edda.request("GET", f"/api/v1/memo/{uuid}/status")
        assert answer == 200, (answer, status)
        if status["status"] != "processing":
            return status
        time.sleep(0.05)
    raise AssertionError(f"{uuid} was not processed in {seconds} s")


class ServiceTest(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.service = start(**cls.settings).start()
        cls.port = cls.service.port

    @classmethod
    def tearDownClass(cls):
        cls.service.__exit__(None, None, None)

    def setUp(self):
        self.client = Client(self.port)

    def tearDown(self):
        self.client.close()
        self.assertIsNone(self.service.process.poll(), "the service ended:\n" + self.service.log())

    def expect_error(self, answer, status, text):
        self.assertEqual((answer.status, answer.body), (status, json_text({"error": text})))
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")

    def create(self, title="title", content="content", **fields):
        answer = self.client.post("/api/v1/memo", {"title": title, "content": content, **fields})
        self.assertEqual(answer.status, 201, answer.body)
        self.assertIs(answer.json["ok"], True)
        return answer.json["memo_uuid"]

    def wait_processed(self, uuid, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = self.client.get(f"/api/v1/memo/{uuid}/status")
            self.assertEqual(answer.status, 200, answer.body)
            status = answer.json
            if status["status"] != "processing":
                self.assertEqual(status["status"], "processed", status)
                return status
            time.sleep(0.05)
        self.fail(f"{uuid} was not processed in {seconds} s")

    def search(self, query, **fields):
        answer = self.client.post("/api/v1/search", {"query": query, **fields})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["results"]


def json_text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def connect(port, timeout=20):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def receive_all(connection, seconds=20):
    """Everything until the other side closes."""
    connection.settimeout(seconds)
    received = b""
    try:
        while True:
            piece = connection.recv(65536)
            if not piece:
                return received
            received += piece
    except ConnectionResetError:
        return received


def receive_answer(connection, seconds=20):
    """One response with Content-Length; the rest stays unread for the next call."""
    connection.settimeout(seconds)
    head = b""
    while b"\r\n\r\n" not in head:
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError(f"closed after {head!r}")
        head += byte
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in
               (line.partition(":") for line in lines[1:] if line)}
    body = b""
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(int(headers["content-length"]) - len(body))
        if not piece:
            raise ConnectionError("closed within a body")
        body += piece
    return Answer(int(lines[0].split()[1]), headers, body)


def multipart(*parts, boundary="edda-boundary"):
    """(body, headers) of parts (name, value) or (name, file name, type, bytes)."""
    body = b""
    for part in parts:
        body += f"--{boundary}\r\n".encode()
        if len(part) == 2:
            name, value = part
            body += f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
            body += value.encode() if isinstance(value, str) else value
        else:
            name, file_name, kind, value = part
            body += (f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
                     f"Content-Type: {kind}\r\n\r\n").encode()
            body += value
        body += b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
