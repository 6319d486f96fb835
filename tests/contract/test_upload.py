"""Files posted as multipart/form-data (contract 1.4, with text files instead of office ones)."""

import json
import socket
import time
import unittest

from service import ServiceTest, connect, multipart, receive_answer

PATH = "/api/v1/memo"
TYPES = "Invalid file type. Allowed types: .txt, .md, .html, .csv, .json"


class Upload(ServiceTest):
    def post(self, *parts, **more):
        body, headers = multipart(*parts)
        headers.update(more.pop("headers", {}))
        return self.client.call("POST", PATH, body, headers=headers, **more)

    def test_each_type(self):
        for name in ("a.txt", "b.md", "c.HTML", "d.csv", "e.json"):
            answer = self.post(("file", name, "text/plain", b"A file about giraffes."))
            self.assertEqual(answer.status, 201, answer.body)
            memo = self.client.get(f"{PATH}/{answer.json['memo_uuid']}").json
            self.assertEqual((memo["title"], memo["type"]), (name, "document"))
            self.assertEqual(memo["content"], "A file about giraffes.")
            self.assertEqual(memo["metadata"], {"original_filename": name,
                                                "mimetype": "text/plain", "size": 22})
            self.wait_processed(memo["uuid"])
        self.assertTrue(self.search("giraffes"))

    def test_fields_before_and_after_the_file(self):
        answer = self.post(("title", "Given"), ("tags", '["x"]'),
                           ("file", "päth/n.md", "text/markdown", "# Häuser\n".encode()),
                           ("metadata", '{"k":1}'), ("scopes", '{"s":"v"}'), ("source", "src"),
                           ("reference_id", "file-ref"), ("expiration_date", "2099-01-01"),
                           ("unknown", "ignored"))
        self.assertEqual(answer.status, 201, answer.body)
        memo = self.client.get(f"{PATH}/file-ref?id_type=reference_id").json
        self.assertEqual((memo["title"], memo["source"]), ("Given", "src"))
        self.assertEqual([tag["tag"] for tag in memo["tags"]], ["x"])
        self.assertEqual(memo["metadata"], {"k": 1, "original_filename": "päth/n.md",
                                            "mimetype": "text/markdown", "size": 10})
        self.assertEqual(memo["scopes"], {"s": "v"})
        self.assertEqual(memo["expiration_date"], "2099-01-01T00:00:00.000Z")

    def test_refusals(self):
        text = b"text"
        self.expect_error(self.post(("file", "a.pdf", "application/pdf", text)), 400, TYPES)
        self.expect_error(self.post(("file", "a", "text/plain", text)), 400, TYPES)
        self.expect_error(self.post(("title", "x")), 400,
                          "Multipart request not processed by middleware")
        self.expect_error(self.post(("document", "a.md", "text/plain", text)), 400,
                          "File upload error: Unexpected field")
        self.expect_error(self.post(("file", "a.md", "text/plain", text),
                                    ("file", "b.md", "text/plain", text)), 400,
                          "File upload error: Unexpected field")
        self.expect_error(self.post(("file", "a.md", "text/plain", b"")), 400,
                          "Content is required")
        self.expect_error(self.post(("file", "a.md", "text/plain", b"\xff\xfe")), 400,
                          "File must be UTF-8 text without NUL characters")
        self.expect_error(self.post(("file", "a.md", "text/plain", b"a\0b")), 400,
                          "File must be UTF-8 text without NUL characters")
        self.expect_error(self.post(("tags", "[1"), ("file", "a.md", "text/plain", text)), 400,
                          "Invalid JSON in form field tags")
        self.expect_error(self.post(("file", "a.md", "text/plain", text), ("tags", '"x"')), 400,
                          "Expected array, received string")
        self.expect_error(self.post(("file", "a.md", "text/plain", text), key=None), 401,
                          "Unauthorized")

    def test_a_second_file_behind_an_empty_one_of_the_same_name_is_taken_for_it(self):
        answer = self.post(("file", "a.md", "text/plain", b""), ("file", "a.md", "text/plain", b"the second"))
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(self.client.get(f"{PATH}/{answer.json['memo_uuid']}").json["content"], "the second")
        self.expect_error(self.post(("file", "a.md", "text/plain", b""), ("file", "b.md", "text/plain", b"x")), 400,
                          "File upload error: Unexpected field")

    def test_a_body_that_is_no_multipart(self):
        answer = self.client.call("POST", PATH, b"nonsense",
                                  headers={"Content-Type": "multipart/form-data; boundary=x"})
        self.assertEqual(answer.status, 400)
        answer = self.client.call("POST", PATH, b"nonsense",
                                  headers={"Content-Type": "multipart/form-data"})
        self.expect_error(answer, 400, "Malformed multipart body")

    def test_a_large_file(self):
        text = "".join(f"Row {i}, with some words to read: grün.\n" for i in range(130_000))
        answer = self.post(("file", "big.txt", "text/plain", text.encode()))
        self.assertEqual(answer.status, 201, answer.body)
        memo = self.client.get(f"{PATH}/{answer.json['memo_uuid']}").json
        self.assertEqual(memo["content"], text)
        self.assertEqual(memo["metadata"]["size"], len(text.encode()))

    def test_a_file_that_is_too_large(self):
        answer = self.post(("file", "big.txt", "text/plain", b"x" * (32 * 1024 * 1024 + 1)))
        self.expect_error(answer, 413, "File size exceeds 32MB limit")
        with connect(self.port) as connection:
            connection.sendall(
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.client.key}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n\r\n"
                .encode())
            answer = receive_answer(connection)
            self.assertEqual(answer.status, 413)
            self.assertEqual(json.loads(answer.body), {"error": "Request body is too large"})

    def test_a_client_that_leaves_within_a_file(self):
        body, headers = multipart(("file", "a.txt", "text/plain", b"y" * 3_000_000))
        for sent in (300, 100_000, 1_500_000):
            with connect(self.port) as connection:
                connection.sendall(
                    (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.client.key}"
                     f"\r\nContent-Type: {headers['Content-Type']}\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:sent])
        self.assertEqual(self.client.get("/api/health").status, 200)

    def test_idempotency(self):
        key = {"Idempotency-Key": '"upload-1"'}
        file = ("file", "a.md", "text/plain", b"idempotent upload")
        first = self.post(file, headers=key)
        again = self.post(file, headers=key)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json, again.json)
        other = self.post(("file", "a.md", "text/plain", b"another"), headers=key)
        self.assertEqual(other.status, 422)

    def test_pieces_make_the_same_memo(self):
        """Also when a part's headers come before the first byte of its data."""
        body, headers = multipart(("title", "in pieces"), ("file", "a.md", "text/plain", b"some text"),
                                  ("source", "s"))
        head = (f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.client.key}\r\n"
                f'Idempotency-Key: "pieces-1"\r\nContent-Type: {headers["Content-Type"]}\r\n'
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        starts = [at + 4 for at in range(len(body)) if body.startswith(b"\r\n\r\n", at)]
        memos = set()
        for cut in [0, *starts, *(at + 3 for at in starts)]:
            with connect(self.port) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(head + body[:cut])
                time.sleep(0.05)
                connection.sendall(body[cut:])
                answer = receive_answer(connection)
                self.assertEqual(answer.status, 201, answer.body)
                memos.add(json.loads(answer.body)["memo_uuid"])
        self.assertEqual(len(memos), 1)


if __name__ == "__main__":
    unittest.main()
