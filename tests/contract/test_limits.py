"""Bad and slow clients: limits of size, time and number."""

import json
import resource
import socket
import time
import unittest

from service import KEY, Client, ServiceTest, connect, receive_all, receive_answer, start

PATH = "/api/v1/memo"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
MIB = 1024 * 1024


class Size(ServiceTest):
    def test_33_mb_by_its_length(self):
        with connect(self.port) as connection:
            connection.sendall((HEAD + "Content-Type: application/json\r\n"
                                f"Content-Length: {33 * MIB}\r\n\r\n").encode())
            answer = receive_answer(connection)
            self.assertEqual(answer.status, 413)
            self.assertEqual(json.loads(answer.body), {"error": "Request body is too large"})
            self.assertEqual(answer.headers["connection"], "close")

    def test_33_mb_sent_in_full(self):
        body = b'{"title":"t","content":"' + b"x" * (33 * MIB) + b'"}'
        with connect(self.port) as connection:
            connection.settimeout(30)
            connection.sendall((HEAD + "Content-Type: application/json\r\n"
                                f"Content-Length: {len(body)}\r\n\r\n").encode())
            try:
                connection.sendall(body)
            except OSError:
                pass
            self.assertEqual(receive_answer(connection).status, 413)

    def test_33_mb_in_chunks(self):
        with connect(self.port) as connection:
            connection.sendall((HEAD + "Content-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n").encode())
            piece = b"x" * 65536
            try:
                for _ in range(33 * MIB // len(piece) + 16):
                    connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            except OSError:
                pass
            self.assertEqual(receive_answer(connection).status, 413)

    def test_text_of_more_than_32_mb(self):
        body = b'{"title":"t","content":"' + b"x" * (32 * MIB + 1) + b'"}'
        answer = self.client.raw_json(PATH, body)
        self.expect_error(answer, 413, "Content must be 33554432 bytes or less")

    def test_expect_continue_is_refused_before_the_body(self):
        with connect(self.port) as connection:
            connection.sendall((HEAD + "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                                f"Content-Length: {40 * MIB}\r\n\r\n").encode())
            self.assertEqual(receive_answer(connection).status, 413)

    def test_headers_that_are_too_large(self):
        with connect(self.port) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 60000)
            self.assertRegex(receive_all(connection), b"^HTTP/1.1 4[13][0-9] |^$")
        self.assertEqual(self.client.get("/livez").status, 200)

    def test_a_target_that_is_too_long(self):
        answer = self.client.get("/livez?x=" + "y" * 9000)
        self.assertEqual(answer.status, 400)


class Framing(ServiceTest):
    def send(self, text):
        with connect(self.port) as connection:
            try:
                connection.sendall(text.encode("latin-1"))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was cut before all was said
            return receive_all(connection)

    def test_conflicting_lengths(self):
        body = '{"title":"t","content":"c"}'
        for headers in ("Content-Length: 27\r\nContent-Length: 28\r\n",
                        "Content-Length: 27\r\nContent-Length: 27\r\n",
                        "Content-Length: 27\r\nTransfer-Encoding: chunked\r\n",
                        "Transfer-Encoding: gzip\r\n", "Content-Length: -1\r\n",
                        "Content-Length: 1e3\r\n", "Content-Length: 27, 27\r\n"):
            received = self.send(HEAD + "Content-Type: application/json\r\n" + headers + "\r\n" +
                                 body + "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertRegex(received, rb"^HTTP/1\.1 4\d\d ", headers)
            # What follows is not taken for another request.
            self.assertNotIn(b'"status":"ok"', received, headers)

    def test_bytes_that_are_no_http(self):
        for text in ("\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\0\x01", "GET / HTTP/9.9\r\n\r\n",
                     "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
                     "A" * 100000, "\r\n" * 1000, "GET / HTTP/1.1\r\nHost\r\n\r\n",
                     "GET /livez HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n"):
            received = self.send(text)
            self.assertTrue(received == b"" or received.startswith(b"HTTP/1."), received[:80])
        self.assertEqual(self.client.get("/livez").status, 200)

    def test_control_characters_in_a_target(self):
        received = self.send("GET /livez?a=\x01 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 400"), received[:80])
        self.assertIn(b'{"error":"Invalid request"}', received)
        self.assertEqual(self.client.get("/api/v1/memo/%zz?id_type=reference_id").status, 400)

    def test_pipelined_requests(self):
        one = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        with connect(self.port) as connection:
            connection.sendall((one + "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + one).encode())
            self.assertIn(b'"results"', receive_answer(connection).body)
            self.assertEqual(receive_answer(connection).body, b'{"status":"ok"}')
            self.assertIn(b'"results"', receive_answer(connection).body)

    def test_half_closed_connections_are_answered(self):
        body = '{"title":"half","content":"closed"}'
        received = self.send(HEAD + "Content-Type: application/json\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}")
        self.assertTrue(received.startswith(b"HTTP/1.1 201"), received[:200])
        received = self.send(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 200"), received[:200])

    def test_half_a_request(self):
        for text in ("GET /li", "GET /livez HTTP/1.1\r\nHo", HEAD + "Content-Length: 50\r\n\r\n{"):
            self.send(text)
        self.assertEqual(self.client.get("/livez").status, 200)

    def test_http_1_0(self):
        received = self.send("GET /livez HTTP/1.0\r\n\r\n")
        self.assertIn(b" 200 OK", received)


class Time(ServiceTest):
    settings = {"HEADER_MS": 400, "BODY_MS": 700, "IDLE_MS": 1500}

    def until_end(self, connection):
        began = time.monotonic()
        received = receive_all(connection)
        return received, time.monotonic() - began

    def test_slow_headers(self):
        with connect(self.port) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHo")
            received, seconds = self.until_end(connection)
            self.assertTrue(received.startswith(b"HTTP/1.1 408"), received)
            self.assertLess(seconds, 3)

    def test_headers_byte_by_byte(self):
        with connect(self.port) as connection:
            began = time.monotonic()
            try:
                for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 1000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 5)

    def test_slow_body(self):
        with connect(self.port) as connection:
            connection.sendall((HEAD + "Content-Type: application/json\r\n"
                                "Content-Length: 1000\r\n\r\n{").encode())
            received, seconds = self.until_end(connection)
            self.assertTrue(received.startswith(b"HTTP/1.1 408"), received)
            self.assertIn(b'{"error":', received)
            self.assertLess(seconds, 4)

    def test_a_body_that_trickles(self):
        with connect(self.port) as connection:
            connection.sendall((HEAD + "Content-Type: application/json\r\n"
                                "Content-Length: 1000\r\n\r\n{").encode())
            began = time.monotonic()
            try:
                while time.monotonic() - began < 10:
                    connection.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 5)

    def test_idle_connections_are_closed(self):
        with connect(self.port) as connection:
            received, seconds = self.until_end(connection)
            self.assertEqual(received, b"")
            self.assertGreater(seconds, 1)
            self.assertLess(seconds, 6)
        with connect(self.port) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(receive_answer(connection).status, 200)
            received, seconds = self.until_end(connection)
            self.assertEqual(received, b"")
            self.assertLess(seconds, 6)


class Number(unittest.TestCase):
    def test_over_the_limit_newcomers_are_told(self):
        with start(MAX_CONNECTIONS=32) as service:
            time.sleep(1)  # the connection that asked whether it is ready has been counted out
            held = [connect(service.port) for _ in range(32)]
            time.sleep(0.3)
            with connect(service.port) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                received = receive_all(connection)
            self.assertTrue(received.startswith(b"HTTP/1.1 503"), received)
            self.assertIn(b"Retry-After:", received)
            self.assertIn(b"Connection: close", received)
            self.assertIn(b'{"error":', received)
            for connection in held:
                connection.close()
            client = Client(service.port)
            client.get_when("/livez", lambda answer: answer.status == 200)  # until those are counted out
            client.close()

    def test_10000_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 12000:
            self.skipTest("this process may not open 10,000 sockets")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with start(MAX_CONNECTIONS=500) as service:
            client = Client(service.port)
            self.assertEqual(client.get("/livez").status, 200)
            held = []
            refused = 0
            for number in range(10000):
                # 127.0.0.2 and so on: one address has too few ports for all of them at once.
                held.append(socket.create_connection(
                    ("127.0.0.1", service.port), timeout=20,
                    source_address=(f"127.0.0.{2 + number // 5000}", 0)))
            for connection in held:
                connection.setblocking(False)
            until = time.monotonic() + 60
            open_ones = held
            while time.monotonic() < until and refused < 9000:
                left = []
                for connection in open_ones:
                    try:
                        received = connection.recv(4096)
                    except BlockingIOError:
                        left.append(connection)
                        continue
                    except OSError:
                        refused += 1
                        continue
                    if received.startswith(b"HTTP/1.1 503"):
                        refused += 1
                open_ones = left
                time.sleep(0.05)
            self.assertGreaterEqual(refused, 9000)
            self.assertEqual(client.get("/livez").status, 200)
            self.assertEqual(client.get("/api/health").status, 200)
            with open(f"/proc/{service.process.pid}/status") as status:
                resident = [line for line in status if line.startswith("VmRSS")][0]
            print(f"10,000 idle connections: {refused} refused, {resident.strip()}")
            for connection in held:
                connection.close()
            client.close()

    def test_bodies_together_are_bounded(self):
        with start(BUFFERED_BYTES=MIB) as service:
            client = Client(service.port)
            big = b'{"title":"t","content":"' + b"x" * (2 * MIB) + b'"}'
            answer = client.raw_json(PATH, big)
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.headers["Retry-After"])
            answer = client.post(PATH, {"title": "t", "content": "small"})
            self.assertEqual(answer.status, 201)
            client.close()


if __name__ == "__main__":
    unittest.main()
