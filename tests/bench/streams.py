"""Many readers of streamed answers in one thread: when the first token comes, and the end.

A visit is a chain of requests, one after the other, each on a connection of its own: (port, bytes,
mark). It has begun when the mark is in the last response, and has ended with that."""

import json
import selectors
import socket
import time


def request(path, body, key=None):
    body = json.dumps(body).encode()
    head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n")
    return (head + (f"Authorization: Bearer {key}\r\n" if key else "") + "\r\n").encode() + body


class Visit:
    def __init__(self, steps):
        self.steps = list(steps)
        self.began = time.monotonic()
        self.first = self.ended = None
        self.next()

    def next(self):
        self.port, self.out, self.mark = self.steps.pop(0)
        self.received = b""
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self.out)

    def read(self):
        """Whether the visit goes on with this socket."""
        piece = self.socket.recv(65536)
        if piece:
            self.received += piece
            if not self.steps and self.first is None and self.mark in self.received:
                self.first = time.monotonic() - self.began
            return True
        self.socket.close()
        if not self.received.startswith(b"HTTP/1.1 200") or self.mark not in self.received:
            raise SystemExit(f"a step of a visit failed: {self.received[:400]!r}")
        return False


def visit_all(chains, concurrency):
    """{first_ms: [...], total_ms: [...], seconds}: all chains, so many at a time."""
    chains = list(chains)
    selector = selectors.DefaultSelector()
    done, began = [], time.monotonic()

    def start():
        visit = Visit(chains.pop(0))
        selector.register(visit.socket, selectors.EVENT_READ, visit)

    for _ in range(min(concurrency, len(chains))):
        start()
    while selector.get_map():
        for key, _ in selector.select(60):
            visit = key.data
            if visit.read():
                continue
            selector.unregister(key.fileobj)
            if visit.steps:
                visit.next()
                selector.register(visit.socket, selectors.EVENT_READ, visit)
            else:
                visit.ended = time.monotonic() - visit.began
                done.append(visit)
                if chains:
                    start()
    return {"first_ms": sorted(visit.first * 1e3 for visit in done),
            "total_ms": sorted(visit.ended * 1e3 for visit in done), "seconds": time.monotonic() - began}
