"""A chat's stream as it comes, for tests that do something in the middle of it."""

import http.client
import json


class Stream:
    """POST /api/v1/chat of a live.Edda; events() yields each as it comes, and ends where the stream does."""

    def __init__(self, edda, query, timeout=60):
        self.connection = http.client.HTTPConnection("127.0.0.1", edda.port, timeout=timeout)
        self.connection.request("POST", "/api/v1/chat", json.dumps({"query": query, "stream": True}), {
            "Authorization": "Bearer " + edda.key, "Content-Type": "application/json"})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.seen = []

    def events(self):
        if self.status != 200:
            raise AssertionError(f"no stream but {self.status} {self.response.read().decode(errors='replace')}")
        for line in iter(self.response.readline, b""):
            if line.startswith(b"data: "):
                self.seen.append(json.loads(line[len(b"data: "):]))
                yield self.seen[-1]
        self.connection.close()

    def wait_tokens(self, events, count=1):
        """Until so many more have come."""
        for _ in range(count):
            if not any(event["type"] == "token" for event in events):
                raise AssertionError(f"it ended before a token that was to come: {self.seen}")

    def text(self):
        return "".join(event["content"] for event in self.seen if event["type"] == "token")

    def kinds(self):
        """The types in order, tokens left out."""
        return [event["type"] for event in self.seen if event["type"] != "token"]
