"""`edda chat` against a service that says what a test tells it to:
`python3 tests/ops/chat_test.py --edda PATH`."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from live import free_port

OPTIONS = argparse.Namespace(edda="build/edda")
CHAT = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0003"
MEMO = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"


def event(kind, **fields):
    return "data: " + json.dumps({"type": kind, **fields}) + "\n\n"


def tokens(*texts):
    return [event("token", content=text) for text in texts]


REFERENCES = event("references", content=json.dumps(
    {str(i): {"memo_uuid": MEMO, "memo_title": f"Title {i}"} for i in range(1, 4)}))
DONE = event("done", chat_id=CHAT)


class Service(ThreadingHTTPServer):
    """Answers every POST with these pieces; None stands for waiting until the client has gone."""

    daemon_threads = True

    def __init__(self, pieces, status=200, kind="text/event-stream"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pieces, self.status, self.kind = pieces, status, kind
        self.requests, self.gone = [], threading.Event()
        self.began = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.kind)
        self.end_headers()
        self.wfile.write(b": ping\n\n" if self.server.kind == "text/event-stream" else b"")
        for piece in self.server.pieces:
            if piece is None:
                self.server.began.set()
                self.connection.settimeout(60)
                try:
                    gone = self.connection.recv(1) == b""
                except ConnectionResetError:  # it went with something unread
                    gone = True
                if gone:
                    self.server.gone.set()
                return
            self.wfile.write(piece.encode())
            self.wfile.flush()


class Chatting(unittest.TestCase):
    def chat(self, service, *words, seconds=60):
        url = service if isinstance(service, str) else service.url
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDDA_")}
        done = subprocess.run([OPTIONS.edda, "chat", *words, "--url", url, "--key", "k"],
                              capture_output=True, env=clean, timeout=seconds)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_an_answer_and_the_sources_it_cites(self):
        pieces = tokens("Tea at ", "80\u00b0 [[2]].\n", "Not [[9]].") + [REFERENCES, DONE]
        with Service(pieces) as service:
            status, out, error = self.chat(service, "how", "hot?")
            self.assertEqual(status, 0, error)
            self.assertEqual(out, "Tea at 80\u00b0 [[2]].\nNot [[9]].\n\n"
                                  f"[2] Title 2  (memo {MEMO})\n")
            self.assertIn(CHAT, error)
            path, headers, body = service.requests[0]
            self.assertEqual(path, "/api/v1/chat")
            self.assertEqual(headers["Authorization"], "Bearer k")
            self.assertEqual(body, {"query": "how hot?", "stream": True,
                                    "rag_config": {"references": {"enabled": True}}})

    def test_all_sources_when_none_is_cited(self):
        with Service(tokens("Tea.") + [REFERENCES, DONE]) as service:
            _, out, _ = self.chat(service, "x")
            self.assertEqual([line[:3] for line in out.splitlines()[2:]], ["[1]", "[2]", "[3]"])

    def test_flags_reach_the_request(self):
        with Service(tokens("Tea.") + [DONE]) as service:
            status, out, error = self.chat(service, "x", "--chat", CHAT, "--provider=local",
                                           "--no-sources")
            self.assertEqual((status, out), (0, "Tea.\n"), error)
            self.assertEqual(service.requests[0][2], {
                "query": "x", "stream": True, "chat_id": CHAT,
                "rag_config": {"references": {"enabled": False}, "llm_provider": "local"}})

    def test_quotes_and_what_was_missing_are_told(self):
        done = event("done", chat_id=CHAT, extractive=True, degraded=["vector", "rerank"])
        with Service(tokens("Tea.") + [done]) as service:
            status, out, error = self.chat(service, "x")
            self.assertEqual((status, out), (0, "Tea.\n"))
            self.assertIn("no language model", error)
            self.assertIn("without vector, rerank", error)

    def test_control_characters_do_not_reach_the_terminal(self):
        title = json.dumps({"1": {"memo_uuid": MEMO, "memo_title": "a\x1b[2Jb\nc"}})
        pieces = tokens("a\x1b[31mb\tc\nd\x9b1me\x00f\x7f\u00e9") + [
            event("references", content=title),
            event("done", chat_id="\x1b]0;x\x07", degraded=["\x1b[1m"])]
        with Service(pieces) as service:
            status, out, error = self.chat(service, "x")
            self.assertEqual(status, 0)
            self.assertTrue(out.startswith("a?[31mb\tc\nd?1me?f?\u00e9\n\n[1] a?[2Jb?c  (memo "), out)
            for text in (out, error):
                self.assertFalse(set(text) & set("\x1b\x07\x7f\x9b\x00"), text)

    def test_a_broken_answer_ends_with_one_and_its_reason(self):
        failure = event("error", content="An error occurred", reason="the model \x1b is away")
        with Service(tokens("Half an") + [failure, DONE]) as service:
            status, out, error = self.chat(service, "x")
            self.assertEqual((status, out), (1, "Half an\n"))
            self.assertEqual(error, "edda chat: An error occurred: the model ? is away\n")

    def test_a_stream_without_its_end_ends_with_one(self):
        with Service(tokens("Half an")) as service:
            status, out, error = self.chat(service, "x")
            self.assertEqual((status, out), (1, "Half an\n"))
            self.assertIn("broke off", error)

    def test_a_refusal_is_told_and_not_asked_again(self):
        with Service([json.dumps({"error": "Chat agent unavailable"})], 503,
                     "application/json") as service:
            status, out, error = self.chat(service, "x")
            self.assertEqual((status, out), (1, ""))
            self.assertIn("Chat agent unavailable (HTTP 503)", error)
            self.assertEqual(len(service.requests), 1)

    def test_a_connection_that_breaks_is_not_made_again(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.settimeout(60)
            accepted = []

            def cut():
                while len(accepted) < 2:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    accepted.append(connection.recv(65536))
                    connection.close()

            threading.Thread(target=cut, daemon=True).start()
            status, _, error = self.chat(f"http://127.0.0.1:{listener.getsockname()[1]}", "x")
            self.assertEqual(status, 1)
            self.assertIn("no answer", error)
            self.assertEqual(len(accepted), 1)

    def test_without_a_service_it_says_so(self):
        status, _, error = self.chat(f"http://127.0.0.1:{free_port()}", "x", seconds=90)
        self.assertEqual(status, 1)
        self.assertIn("no answer", error)

    def test_json_is_the_services_whole_answer(self):
        answer = json.dumps({"ok": True, "chat_id": CHAT, "response": "Tea."})
        with Service([answer], kind="application/json") as service:
            status, out, _ = self.chat(service, "x", "--json")
            self.assertEqual((status, out), (0, answer + "\n"))
            self.assertIs(service.requests[0][2]["stream"], False)

    def test_an_answer_shows_as_it_comes_and_an_interrupt_closes(self):
        with Service(tokens("First") + [None]) as service:
            child = subprocess.Popen([OPTIONS.edda, "chat", "x", "--url", service.url],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(child.stdout.read(5), b"First")
            self.assertTrue(service.began.wait(60))
            child.send_signal(signal.SIGINT)
            self.assertTrue(service.gone.wait(60))
            self.assertEqual(child.wait(60), -signal.SIGINT)
            child.stdout.close()
            child.stderr.close()

    def test_wrong_use(self):
        for words, said in (([], "missing"), (["x", "--chat"], "needs a value"),
                            (["x", "--provder", "y"], "--provder")):
            done = subprocess.run([OPTIONS.edda, "chat", *words], capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], "-v", *rest])
