"""Creating, reading, listing, changing, deleting memos (contract 1.3, 1.5, 1.6, and section 0)."""

import json
import re
import time
import unittest

from service import ServiceTest, json_text

UNKNOWN = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
PATH = "/api/v1/memo"


class Create(ServiceTest):
    def expect_refused(self, body, text):
        self.expect_error(self.client.post(PATH, body), 400, text)

    def with_fields(self, **fields):
        return {"title": "t", "content": "c", **fields}

    def test_the_answer(self):
        answer = self.client.post(PATH, self.with_fields())
        self.assertEqual(answer.status, 201)
        self.assertEqual(list(answer.json), ["memo_uuid", "ok"])

    def test_required_fields(self):
        self.expect_refused({}, "Required,Required")
        self.expect_refused([], "Expected object, received array")
        self.expect_error(self.client.raw_json(PATH, ""), 400, "Required")
        self.expect_refused({"title": "", "content": "c"}, "Title is required")
        self.expect_refused({"title": "t", "content": ""}, "Content is required")
        self.expect_refused({"title": "x" * 256, "content": "c"},
                            "Title must be 255 characters or less")
        self.expect_refused({"title": 7, "content": "c"}, "Expected string, received number")
        self.expect_refused({"content": "c"}, "Required")

    def test_a_title_of_255_wide_characters(self):
        self.create(title="漢" * 255)

    def test_optional_fields(self):
        long = "String must contain at most 255 character(s)"
        self.expect_refused(self.with_fields(source="x" * 256), long)
        self.expect_refused(self.with_fields(reference_id="x" * 256), long)
        self.expect_refused(self.with_fields(tags="red"), "Expected array, received string")
        self.expect_refused(self.with_fields(tags=[1]), "Expected string, received number")
        self.expect_refused(self.with_fields(metadata=[]), "Expected object, received array")
        self.expect_refused(self.with_fields(scopes={"a": 1}), "Expected string, received number")
        self.create(source=None, reference_id=None, expiration_date=None, anything={"x": 1})

    def test_expiration_dates(self):
        self.expect_refused(self.with_fields(expiration_date="2020-01-01"),
                            "Expiration date must be in the future")
        self.expect_refused(self.with_fields(expiration_date="soon"), "Invalid date")
        for date in ("2099-01-01", "2099-01-01T10:00:00Z", "2099-01-01T10:00:00+02:00",
                     4070908800000):
            uuid = self.create(expiration_date=date)
            self.assertRegex(self.client.get(f"{PATH}/{uuid}").json["expiration_date"], DATE)

    def test_content_types(self):
        body = b'{"title":"t","content":"c"}'
        answer = self.client.call("POST", PATH, body)
        self.expect_error(answer, 400, "Content-Type header is required")
        answer = self.client.call("POST", PATH, body, headers={"Content-Type": "text/plain"})
        self.expect_error(answer, 400,
                          "Content-Type must be multipart/form-data or application/json")
        answer = self.client.call("POST", PATH, body,
                                  headers={"Content-Type": "application/json; charset=utf-8"})
        self.assertEqual(answer.status, 201)

    def test_a_reference_id_may_repeat(self):
        first = self.create(reference_id="twice")
        second = self.create(reference_id="twice")
        self.assertNotEqual(first, second)
        answer = self.client.get(f"{PATH}/twice?id_type=reference_id")
        self.assertEqual(answer.json["uuid"], second)

    def test_a_chunked_body(self):
        body = json_text(self.with_fields())
        answer = self.client.call("POST", PATH, None, headers={
            "Content-Type": "application/json", "Content-Length": "0"})
        self.expect_error(answer, 400, "Required")
        self.client.connection.request(
            "POST", PATH, iter([body[:10], body[10:]]),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.client.key}"},
            encode_chunked=True)
        self.assertEqual(self.client.connection.getresponse().status, 201)


class Read(ServiceTest):
    def test_every_field_in_order(self):
        uuid = self.create("The title", "Some content, é漢😀.", tags=["a", "b"],
                           metadata={"n": 7, "f": 0.1, "s": "x", "l": [1, None]},
                           scopes={"k": "v"}, source="src", reference_id="ref/1 x")
        self.wait_processed(uuid)
        memo = self.client.get(f"{PATH}/{uuid}").json
        order = ["uuid", "created_at", "updated_at", "title", "content", "summary", "metadata",
                 "scopes", "client_reference_id", "source", "type", "expiration_date", "archived",
                 "processing_status", "tags", "chunks"]
        self.assertEqual([key for key in memo if key in order], order)
        self.assertEqual(memo["uuid"], uuid)
        self.assertRegex(memo["created_at"], DATE)
        self.assertRegex(memo["updated_at"], DATE)
        self.assertEqual(memo["content"], "Some content, é漢😀.")
        self.assertIsNone(memo["summary"])
        self.assertEqual(memo["metadata"], {"n": 7, "f": 0.1, "s": "x", "l": [1, None]})
        self.assertEqual(memo["scopes"], {"k": "v"})
        self.assertEqual((memo["client_reference_id"], memo["source"]), ("ref/1 x", "src"))
        self.assertEqual((memo["type"], memo["archived"]), ("plaintext", False))
        self.assertIsNone(memo["expiration_date"])
        self.assertEqual(memo["processing_status"], "processed")
        self.assertEqual(sorted(tag["tag"] for tag in memo["tags"]), ["a", "b"])
        self.assertEqual(set(memo["tags"][0]), {"uuid", "tag"})
        self.assertEqual(set(memo["chunks"][0]), {"uuid", "chunk_content", "chunk_index"})
        self.assertEqual(memo["chunks"][0]["chunk_index"], 0)
        self.assertEqual(memo["content_length"], len("Some content, é漢😀."))
        self.assertIs(memo["pending"], False)
        by_reference = self.client.get(f"{PATH}/ref%2F1%20x?id_type=reference_id")
        self.assertEqual(by_reference.json, memo)

    def test_defaults(self):
        memo = self.client.get(f"{PATH}/{self.create()}").json
        self.assertEqual(memo["metadata"], {})
        for field in ("scopes", "client_reference_id", "source", "summary", "expiration_date"):
            self.assertIsNone(memo[field])
        self.assertEqual(memo["tags"], [])

    def test_ids(self):
        for method in ("GET", "DELETE", "PATCH"):
            body = {} if method == "PATCH" else None
            for uuid in (UNKNOWN, "not-a-uuid", "7"):
                self.expect_error(self.client.call(method, f"{PATH}/{uuid}", body), 404,
                                  "Memo not found")
            self.expect_error(
                self.client.call(method, f"{PATH}/nobody?id_type=reference_id", body), 404,
                "Memo not found")
            self.expect_error(self.client.call(method, f"{PATH}/{UNKNOWN}?id_type=name", body), 400,
                              "id_type must be either 'memo_uuid' or 'reference_id'")
        self.expect_error(self.client.get(f"{PATH}/{UNKNOWN}/status"), 404, "Memo not found")
        self.expect_error(self.client.get(f"{PATH}/x/status"), 404, "Memo not found")
        uuid = self.create()
        self.assertEqual(self.client.get(f"{PATH}/{uuid}?id_type=memo_uuid").status, 200)
        self.assertEqual(self.client.get(f"{PATH}/{uuid.upper()}").status, 200)

    def test_status(self):
        uuid = self.create(reference_id="status-1")
        status = self.wait_processed(uuid)
        self.assertEqual(list(status), ["memo_uuid", "status", "processing_started_at",
                                        "processing_completed_at", "error_reason"])
        self.assertRegex(status["processing_completed_at"], DATE)
        self.assertIsNone(status["error_reason"])
        answer = self.client.get(f"{PATH}/status-1/status?id_type=reference_id")
        self.assertEqual(answer.json, status)
        self.assertEqual(answer.headers["Cache-Control"], "no-cache")
        self.assertTrue(answer.headers["ETag"])


class List(ServiceTest):
    def test_pages(self):
        uuids = [self.create(f"memo {i}") for i in range(5)]
        answer = self.client.get(f"{PATH}?page=1&page_size=2").json
        self.assertEqual(list(answer), ["results", "count", "page", "page_size", "total_pages",
                                        "next", "previous"])
        self.assertEqual([memo["uuid"] for memo in answer["results"]], [uuids[4], uuids[3]])
        self.assertEqual(list(answer["results"][0]), [
            "uuid", "created_at", "updated_at", "title", "summary", "content_length", "metadata",
            "client_reference_id", "processing_status"])
        self.assertEqual((answer["count"], answer["page"], answer["page_size"],
                          answer["total_pages"]), (5, 1, 2, 3))
        self.assertIsNone(answer["previous"])
        second = answer["next"]
        self.assertTrue(second.startswith(f"http://127.0.0.1:{self.port}/api/v1/memo?"))
        answer = self.client.get(second[second.index("/api"):]).json
        self.assertEqual([memo["uuid"] for memo in answer["results"]], [uuids[2], uuids[1]])
        answer = self.client.get(f"{PATH}?page=3&page_size=2").json
        self.assertEqual(len(answer["results"]), 1)
        self.assertIsNone(answer["next"])
        answer = self.client.get(f"{PATH}?page=9&page_size=2").json
        self.assertEqual((answer["results"], answer["count"]), ([], 5))

    def test_odd_numbers(self):
        for query, page, size in (("", 1, 20), ("page=0&page_size=0", 1, 20),
                                  ("page=abc&page_size=x", 1, 20), ("page=1.9", 1, 20),
                                  ("page=&page_size=", 1, 20), ("page_size=100", 1, 100)):
            answer = self.client.get(f"{PATH}?{query}").json
            self.assertEqual((answer["page"], answer["page_size"]), (page, size), query)
        self.expect_error(self.client.get(f"{PATH}?page_size=101"), 400,
                          "page_size must be less than or equal to 100")
        self.expect_error(self.client.get(f"{PATH}?page=-1"), 400,
                          "page must be greater than or equal to 1")
        self.expect_error(self.client.get(f"{PATH}?page_size=-1"), 400,
                          "page_size must be greater than or equal to 1")
        self.assertEqual(self.client.get(f"{PATH}?page=999999999999999").json["results"], [])


class Change(ServiceTest):
    def patch(self, uuid, body, **more):
        return self.client.call("PATCH", f"{PATH}/{uuid}", body, **more)

    def test_fields(self):
        uuid = self.create(tags=["old"], metadata={"a": 1}, reference_id="patch-1")
        before = self.client.get(f"{PATH}/{uuid}").json
        answer = self.patch(uuid, {
            "title": "new", "metadata": {"b": 2}, "client_reference_id": "patch-2", "source": "s",
            "scopes": {"k": "v"}, "expiration_date": "2099-01-01", "tags": ["x", "y"]})
        self.assertEqual((answer.status, answer.body), (200, b'{"ok":true}'))
        memo = self.client.get(f"{PATH}/{uuid}").json
        self.assertEqual(memo["title"], "new")
        self.assertEqual(memo["metadata"], {"b": 2})
        self.assertEqual(memo["client_reference_id"], "patch-2")
        self.assertEqual((memo["source"], memo["scopes"]), ("s", {"k": "v"}))
        self.assertEqual(memo["expiration_date"], "2099-01-01T00:00:00.000Z")
        self.assertEqual(sorted(tag["tag"] for tag in memo["tags"]), ["x", "y"])
        self.assertGreaterEqual(memo["updated_at"], before["updated_at"])
        self.assertEqual(memo["content"], before["content"])
        answer = self.patch("patch-2?id_type=reference_id", {"title": "by reference"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.client.get(f"{PATH}/{uuid}").json["title"], "by reference")

    def test_nothing_and_null_and_unknown(self):
        uuid = self.create("kept", reference_id="kept-ref")
        for body in ({}, {"title": None, "source": None, "metadata": None}, {"other": 1},
                     {"reference_id": "ignored"}):
            self.assertEqual(self.patch(uuid, body).status, 200)
        memo = self.client.get(f"{PATH}/{uuid}").json
        self.assertEqual((memo["title"], memo["client_reference_id"]), ("kept", "kept-ref"))

    def test_refusals(self):
        uuid = self.create()
        self.expect_error(self.patch(uuid, {"title": "x" * 256}), 400,
                          "title: String must contain at most 255 character(s)")
        self.expect_error(self.patch(uuid, {"title": 7}), 400,
                          "title: Expected string, received number")
        self.expect_error(self.patch(uuid, {"title": 7, "metadata": []}), 400,
                          "title: Expected string, received number; "
                          "metadata: Expected object, received array")
        self.expect_error(self.client.call("PATCH", f"{PATH}/{uuid}"), 400, "Required")
        self.expect_error(self.patch(uuid, {"content": None}), 400,
                          "content: Expected string, received null")
        memo = self.client.get(f"{PATH}/{uuid}").json
        self.assertEqual(memo["content"], "content")

    def test_content_is_replaced_and_tags_stay(self):
        uuid = self.create("animals", "The walrus naps on the ice.", tags=["zoo"])
        self.wait_processed(uuid)
        self.assertEqual(len(self.search("walrus")), 1)
        self.assertEqual(self.patch(uuid, {"content": "A zebra runs."}).status, 200)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            memo = self.client.get(f"{PATH}/{uuid}").json
            chunks = [chunk["chunk_content"] for chunk in memo["chunks"]]
            self.assertTrue(all("walrus" in c for c in chunks) or all("zebra" in c for c in chunks))
            if memo["processing_status"] == "processed":
                break
            time.sleep(0.02)
        self.assertEqual(memo["content"], "A zebra runs.")
        self.assertEqual(memo["content_length"], 13)
        self.assertEqual([tag["tag"] for tag in memo["tags"]], ["zoo"])
        self.assertGreater(memo["updated_at"], memo["created_at"])
        found = self.search("zebra", filters=[{"field": "tags", "operator": "in",
                                               "value": ["zoo"], "filter_type": "native_field"}])
        self.assertEqual([hit["chunk_content"] for hit in found], ["A zebra runs."])
        self.assertFalse(any("walrus" in hit["chunk_content"] for hit in self.search("walrus")))

    def test_delete(self):
        uuid = self.create("gone", "An axolotl regrows its legs.")
        answer = self.client.call("DELETE", f"{PATH}/{uuid}")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.expect_error(self.client.call("DELETE", f"{PATH}/{uuid}"), 404, "Memo not found")
        self.expect_error(self.client.get(f"{PATH}/{uuid}"), 404, "Memo not found")
        time.sleep(0.5)
        self.expect_error(self.client.get(f"{PATH}/{uuid}/status"), 404, "Memo not found")
        self.assertEqual(self.search("axolotl"), [])
        uuid = self.create(reference_id="gone-ref")
        self.assertEqual(
            self.client.call("DELETE", f"{PATH}/gone-ref?id_type=reference_id").status, 204)


class Large(ServiceTest):
    odd = 'Line {} of a long "memo" with\ttabs, backslashes \\ and ünïcode 漢字.\n'
    plain = "Line {} of a long memo, with few letters that JSON has to escape: ünïcode 漢字.\n"

    def round_trip(self, size, line=odd):
        text = "".join(line.format(i) for i in range(size // 60))
        text = text.encode()[:size].decode(errors="ignore")
        body = json.dumps({"title": "large", "content": text}, ensure_ascii=False).encode()
        answer = self.client.raw_json(PATH, body)
        self.assertEqual(answer.status, 201, answer.body)
        uuid = answer.json["memo_uuid"]
        memo = self.client.get(f"{PATH}/{uuid}").json
        self.assertEqual(memo["content"], text)
        self.assertEqual(memo["content_length"], len(text))
        return uuid, text

    def test_200_kb(self):
        uuid, _ = self.round_trip(200_000)
        self.wait_processed(uuid)

    def test_1_mb_with_its_chunks(self):
        uuid, text = self.round_trip(1_000_000)
        self.wait_processed(uuid, 120)
        answer = self.client.get(f"{PATH}/{uuid}")
        memo = answer.json
        self.assertEqual(memo["content"], text)
        self.assertEqual([chunk["chunk_index"] for chunk in memo["chunks"]],
                         list(range(len(memo["chunks"]))))
        self.assertGreater(len(memo["chunks"]), 500)
        again = self.client.get(f"{PATH}/{uuid}", headers={"If-None-Match": answer.headers["ETag"]})
        self.assertEqual(again.status, 304)

    def test_5_mb(self):
        self.round_trip(5_000_000)

    def test_32_mb(self):
        uuid, _ = self.round_trip(32 * 1024 * 1024, self.plain)
        self.assertEqual(self.client.call("DELETE", f"{PATH}/{uuid}").status, 204)

    def test_a_large_patch(self):
        uuid = self.create()
        text = "A patched line of text.\n" * 50_000
        answer = self.client.call("PATCH", f"{PATH}/{uuid}", {"content": text})
        self.assertEqual(answer.status, 200)
        self.wait_processed(uuid, 120)
        self.assertEqual(self.client.get(f"{PATH}/{uuid}").json["content"], text)


if __name__ == "__main__":
    unittest.main()
