"""Requests nobody sends by accident: the service answers something and goes on."""

import os
import time
import unittest

from service import ServiceTest, connect, live, receive_all

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


class Memory(ServiceTest):
    """What one connection may use up before its headers are complete."""

    settings = {"HEADER_MS": 1000}

    def send(self, data):
        with connect(self.port) as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass
            return receive_all(connection)

    def test_a_query_of_thousands_of_arguments(self):
        for query in (b"a=b&" * 3000, b"a&" * 1500, b"&" * 4000, b"a=b&" * 65):
            received = self.send(b"GET /livez?" + query + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received[:80])
            self.assertEqual(self.client.get("/livez").status, 200)

    def test_thousands_of_headers_and_cookies(self):
        for headers in (b"a: b\r\n" * 3000, b"Cookie: " + b"a=b; " * 3000 + b"\r\n",
                        b"X: " + b"a" * 40000 + b"\r\n"):
            received = self.send(HEAD + headers + b"\r\n")
            self.assertTrue(received.startswith(b"HTTP/1.1 431 "), received[:80])
            self.assertEqual(self.client.get("/livez").status, 200)

    def test_more_trailers_than_memory(self):
        received = self.send(b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                             b"0\r\n" + b"a: b\r\n" * 5000)
        self.assertTrue(received.startswith(b"HTTP/1.1 4"), received[:80])

class Rest(ServiceTest):
    """What a service costs that does nothing."""

    def count_switches(self):
        total = 0
        tasks = f"/proc/{self.service.process.pid}/task"
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/status") as status:
                total += sum(int(line.split()[1]) for line in status
                             if line.startswith("voluntary_ctxt_switches"))
        return total

    def test_threads_sleep_when_nothing_is_to_do(self):
        time.sleep(2)
        began, before = time.monotonic(), self.count_switches()
        time.sleep(3)
        rate = (self.count_switches() - before) / (time.monotonic() - began)
        # 133 a second when every peer looked at the clock twenty times a second.
        self.assertLess(rate, 110)

    @unittest.skipIf(live.server, "SQLite's own")
    def test_the_database_is_not_mapped(self):
        uuid = self.create(content="a page that cannot be read is an error and no signal")
        self.wait_processed(uuid)
        self.assertEqual(len(self.search("page signal")), 1)
        with open(f"/proc/{self.service.process.pid}/maps") as maps:
            self.assertEqual([line for line in maps if line.rstrip().endswith("/edda.db")], [])


if __name__ == "__main__":
    unittest.main()
