"""Requests that one reader takes for one and another for two: refused, and the line with them.

Each case is followed by a whole request to /livez. What is refused is answered once and that request
never; what is taken is answered, and then that request is."""

import re
import unittest

from service import KEY, ServiceTest, connect, receive_all

AUTHORIZATION = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
BODY = b'{"query":"x"}'
CHUNKED = b"d\r\n" + BODY + b"\r\n0\r\n\r\n"
NEXT = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def post(headers, body, version=b"HTTP/1.1"):
    return (b"POST /api/v1/search " + version + b"\r\nHost: x\r\n" + AUTHORIZATION +
            b"Content-Type: application/json\r\n" + headers + b"\r\n" + body)


LENGTH = b"Content-Length: 13\r\n"
REFUSED = {
    "length and encoding": post(LENGTH + b"Transfer-Encoding: chunked\r\n", CHUNKED),
    "encoding and length": post(b"Transfer-Encoding: chunked\r\n" + LENGTH, CHUNKED),
    "a space before the colon of an encoding": post(b"Transfer-Encoding : chunked\r\n" + LENGTH, BODY),
    "the same alone": post(b"Transfer-Encoding : chunked\r\n", CHUNKED),
    "a space before the colon of a length": post(b"Content-Length : 13\r\n", BODY),
    "a tab before the colon": post(b"Content-Length\t: 13\r\n", BODY),
    "another coding": post(b"Transfer-Encoding: xchunked\r\n", CHUNKED),
    "a list of codings": post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKED),
    "chunked last of a list": post(b"Transfer-Encoding: identity, chunked\r\n", CHUNKED),
    "identity with a length": post(b"Transfer-Encoding: identity\r\n" + LENGTH, BODY),
    "two encodings": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKED),
    "a quoted coding": post(b'Transfer-Encoding: "chunked"\r\n', CHUNKED),
    "a control character before the coding": post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKED),
    "a carriage return in the coding": post(b"Transfer-Encoding: chunked\rX: y\r\n", CHUNKED),
    "an encoding after a bare line feed": post(b"X: y\nTransfer-Encoding: chunked\r\n" + LENGTH, CHUNKED),
    "a folded encoding": post(b"Transfer-Encoding:\r\n chunked\r\n" + LENGTH, CHUNKED),
    "the same alone, folded": post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED),
    "a folded length": post(b"Content-Length: 1\r\n 3\r\n", BODY),
    "a fold that would complete a name": post(b"Content-Lengt: 13\r\n h\r\n", BODY),
    "a length in a fold": post(b"X: y\r\n Content-Length: 0\r\n" + LENGTH, BODY),
    "a fold by a tab": post(b"X: y\r\n\tz\r\n" + LENGTH, BODY),
    "a first header with a space before it":
        b"POST /api/v1/search HTTP/1.1\r\n Content-Length: 13\r\nHost: x\r\n" + AUTHORIZATION + b"\r\n" + BODY,
    "a header without a name": post(b": y\r\n" + LENGTH, BODY),
    "the same at the end": post(LENGTH + b": y\r\n", BODY),
    "a header without a colon": post(b"Xyz\r\n" + LENGTH, BODY),
    "a zero in a name": post(b"Content-Length\0: 13\r\n", BODY),
    "a zero in a value": post(b"X: a\0b\r\n" + LENGTH, BODY),
    "a zero in the last value": post(LENGTH + b"X: a\0b\r\n", BODY),
    "a zero in the length": post(b"Content-Length: 13\0 5\r\n", BODY),
    "a control character in a value": post(b"X: a\x01b\r\n" + LENGTH, BODY),
    "bare line feeds": post(LENGTH, BODY).replace(b"\r\n", b"\n"),
    "one bare line feed": post(b"X: y\n" + LENGTH, BODY),
    "a bare line feed for the empty line, before a body that fills it up":
        post(b"Content-Length: 14\r\n", b"")[:-2] + b"\n\r" + BODY,
    "a length with a sign": post(b"Content-Length: +13\r\n", BODY),
    "no length": post(b"Content-Length: \r\n", BODY),
    "a hexadecimal length": post(b"Content-Length: 0xd\r\n", BODY),
    "a list of lengths": post(b"Content-Length: 13,13\r\n", BODY),
    "the same length twice": post(LENGTH + LENGTH, BODY),
    "two lengths": post(LENGTH + b"Content-Length: 0\r\n", BODY),
    "a length with a space in it": post(b"Content-Length: 1 3\r\n", BODY),
    "a length of 23 digits": post(b"Content-Length: 99999999999999999999999\r\n", BODY),
    "a negative chunk": post(b"Transfer-Encoding: chunked\r\n", b"-d\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk with 0x": post(b"Transfer-Encoding: chunked\r\n", b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk of 17 digits": post(b"Transfer-Encoding: chunked\r\n",
                                 b"ffffffffffffffffd\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk with a space before it": post(b"Transfer-Encoding: chunked\r\n",
                                           b" d\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk with no size": post(b"Transfer-Encoding: chunked\r\n", b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(b"Transfer-Encoding: chunked\r\n",
                                        b"d\r\n" + BODY + b"XX0\r\n\r\n"),
    "two hosts": post(b"Host: y\r\n" + LENGTH, BODY),
    "two keys": post(b"Authorization: Bearer wrong\r\n" + LENGTH, BODY),
    "two content types": post(b"Content-Type: text/plain\r\n" + LENGTH, BODY),
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "absolute form": b"GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "authority form": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2 without having been asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
}
MANY = b"".join(b"X-%d: %s\r\n" % (i, b"v" * (i % 40)) for i in range(60))
TAKEN = {
    "a length": post(LENGTH, BODY),
    "a length with zeros before it": post(b"Content-Length: 0013\r\n", BODY),
    "chunks": post(b"Transfer-Encoding: chunked\r\n", CHUNKED),
    "another case": post(b"tRANSFER-eNCODING: ChUnKeD\r\n", CHUNKED),
    "a tab after the colon": post(b"Transfer-Encoding:\tchunked\r\n", CHUNKED),
    "no space after the colon": post(b"Content-Length:13\r\n", BODY),
    "spaces on both sides": post(b"X-A:   y  \r\nX-B: z\t \r\n" + LENGTH, BODY),
    "spaces at the end": post(LENGTH + b"X-A: y \t \r\n", BODY),
    "values of nothing": post(b"X-A:\r\nX-B: \r\n" + LENGTH + b"X-C:\r\n", BODY),
    "bytes beyond ASCII in a value": post("X-A: é漢\r\n".encode() + LENGTH, BODY),
    "names of every kind of character": post(b"X!#$%&'*+-.^_`|~9: y\r\n" + LENGTH, BODY),
    "the same unknown header twice": post(b"X-A: y\r\nX-A: z\r\n" + LENGTH, BODY),
    "a cookie": post(b"Cookie: a=b; c=d\r\n" + LENGTH, BODY),
    "sixty headers": post(MANY + LENGTH, BODY),
    "a chunk's extension": post(b"Transfer-Encoding: chunked\r\n", b"d;x=y\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a length in a trailer": post(b"Transfer-Encoding: chunked\r\n",
                                  b"d\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "an unknown expectation": post(b"Expect: 200-ok\r\n" + LENGTH, BODY),
    "an upgrade nobody here knows": post(b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH, BODY),
    "empty lines before it": b"\r\n\r\n" + post(LENGTH, BODY),
}

# libmicrohttpd before 1.0 takes these, 1.0 refuses them: neither misreads one.
LEFT_TO_THE_LIBRARY = ("a chunk's extension", "empty lines before it")


def statuses(received):
    return [int(status) for status in re.findall(rb"(?:^|\}|>|\n)HTTP/1\.1 (\d\d\d) ", received)]


class Smuggling(ServiceTest):
    settings = {"HEADER_MS": 5000, "BODY_MS": 5000}

    def send(self, data, pieces=False):
        with connect(self.port) as connection:
            try:
                if pieces:
                    for at in range(0, len(data), 7):
                        connection.sendall(data[at:at + 7])
                else:
                    connection.sendall(data)
                connection.shutdown(1)
            except OSError:
                pass
            return receive_all(connection)

    def test_what_may_be_read_in_two_ways_is_refused(self):
        for name, request in REFUSED.items():
            received = self.send(request + NEXT)
            with self.subTest(name):
                self.assertRegex(received, rb"^HTTP/1\.1 (4\d\d|505) ", received)
                self.assertNotIn(b'"status":"ok"', received)
                self.assertNotIn(b'"results"', received)
                self.assertNotIn(b"Query is required", received, "its body was not seen")

    def test_what_may_not_is_taken_in_one_piece_and_in_many(self):
        for name, request in TAKEN.items():
            for pieces in (False, True):
                received = self.send(request + NEXT, pieces)
                with self.subTest(name, pieces=pieces):
                    if name in LEFT_TO_THE_LIBRARY and statuses(received) in ([400], []):
                        continue
                    self.assertEqual(statuses(received), [200, 200], received)
                    self.assertIn(b'{"results":[]}', received)
                    self.assertTrue(received.endswith(b'{"status":"ok"}'), received)

    def test_http_1_0_with_chunks_is_the_last_of_its_line(self):
        received = self.send(post(b"Transfer-Encoding: chunked\r\n", CHUNKED, b"HTTP/1.0") + NEXT)
        self.assertEqual(received.count(b'"status":"ok"'), 0, received)

    def test_a_body_of_get_is_not_a_request(self):
        received = self.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT)
        self.assertEqual(received.count(b'"status":"ok"'), 1, received)


class Paths(ServiceTest):
    """No spelling of a path opens what its plain form does not."""

    def get(self, target, key=True):
        head = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n" + (AUTHORIZATION if key else b"") + b"\r\n"
        with connect(self.port) as connection:
            connection.sendall(head)
            connection.shutdown(1)
            received = receive_all(connection)
        return int(received.split(b" ", 2)[1]) if received else 0

    def test_without_a_key_no_spelling_is_answered(self):
        for target in (b"/api%2fv1/memo", b"/livez/../api/v1/memo", b"/api/v1/x/../memo", b"//api/v1/memo",
                       b"/api//v1/memo", b"/API/v1/memo", b"/api/v1/memo;x=y", b"/%61pi/v1/memo",
                       b"/api/v1/%6demo", b"/api\\v1\\memo", b"/./api/v1/memo", b"/api/v1/memo%00",
                       b"/api/v1/memo%20", b"/api/v1/memo//", b"/livez%2f..%2fapi/v1/memo",
                       b"/api/v1/memo/", b"/api/v1/memo?x=/livez", b"/api/v1/memo#/livez",
                       b"/%252e%252e/api/v1/memo", b"/api/v1/\xc0\xafmemo", b"/api/v1/%c0%afmemo"):
            self.assertIn(self.get(target, key=False), (400, 401, 404), target)

    def test_open_routes_have_one_spelling(self):
        for target in (b"/%6civez", b"/LIVEZ", b"//livez", b"/livez/x", b"/metrics/..", b"/openapi.json%00"):
            self.assertIn(self.get(target, key=False), (400, 404), target)

    def test_names_that_are_no_text_or_encoded_twice(self):
        for target, status in ((b"/api/v1/memo/%c0%af?id_type=reference_id", 400),
                               (b"/api/v1/memo/\xc0\xaf?id_type=reference_id", 400),
                               (b"/api/v1/memo/%ed%a0%80?id_type=reference_id", 400),
                               (b"/api/v1/memo/%f5%80%80%80?id_type=reference_id", 400),
                               (b"/api/v1/memo/%zz?id_type=reference_id", 400),
                               (b"/api/v1/memo/%?id_type=reference_id", 400),
                               (b"/api/v1/memo/%00?id_type=reference_id", 400),
                               (b"/api/v1/memo/%252e%252e?id_type=reference_id", 404),
                               (b"/api/v1/memo/..%2f..%2fetc%2fpasswd?id_type=reference_id", 404)):
            self.assertEqual(self.get(target), status, target)


if __name__ == "__main__":
    unittest.main()
