"""Search and its filters (contract 1.7 and section 0)."""

import time
import unittest

from service import ServiceTest

PATH = "/api/v1/search"
OPERATORS = ("Invalid operator. Must be one of: eq, neq, contains, startswith, endswith, in, "
             "not_in")


def condition(field, operator, value, kind="native_field"):
    return {"field": field, "operator": operator, "value": value, "filter_type": kind}


class Validation(ServiceTest):
    def expect_refused(self, body, text):
        self.expect_error(self.client.post(PATH, body), 400, text)

    def test_query(self):
        for body in ({}, {"query": ""}, {"query": None}, []):
            self.expect_refused(body, "Query is required")
        self.expect_error(self.client.call("POST", PATH), 400, "Query is required")
        self.expect_error(self.client.raw_json(PATH, ""), 400, "Query is required")
        self.expect_refused({"query": "x" * 20000}, "Query must be 16384 bytes or less")
        self.assertEqual(self.client.post(PATH, {"query": 5}).status, 200)

    def test_limit(self):
        for limit in (0, None, "2", 1.5, 50, ""):
            answer = self.client.post(PATH, {"query": "x", "limit": limit})
            self.assertEqual(answer.status, 200, limit)
        self.expect_refused({"query": "x", "limit": 51},
                            "Limit must be less than or equal to 50")
        self.expect_refused({"query": "x", "limit": -1},
                            "Limit must be greater than or equal to 1")
        self.expect_refused({"query": "x", "limit": "abc"}, "Limit must be a number")
        self.expect_refused({"query": "x", "assemble": "yes"}, "Assemble must be a boolean")

    def test_unknown_fields_are_ignored(self):
        answer = self.client.post(PATH, {"query": "x", "search_method": "y", "scopes": {"a": "b"},
                                         "project_id": "z"})
        self.assertEqual(answer.status, 200)

    def test_filters(self):
        def expect(filters, text):
            self.expect_refused({"query": "x", "filters": filters}, text)

        expect({}, "Filters must be a list")
        expect("x", "Filters must be a list")
        self.assertEqual(self.client.post(PATH, {"query": "x", "filters": None}).status, 200)
        missing = "Invalid filter: Filter must have field, operator, value, and filter_type"
        expect([{}], missing)
        expect([7], missing)
        for field in ("field", "operator", "value", "filter_type"):
            broken = condition("title", "eq", "x")
            del broken[field]
            expect([broken], missing)
        expect([condition("title", "like", "x")], "Invalid filter: " + OPERATORS)
        expect([condition("title", "eq", "x", "other")],
               "Invalid filter: Invalid filter type. Must be one of: native_field, "
               "custom_metadata, scope")
        expect([condition("uuid", "eq", "x")],
               "Invalid filter: Invalid field for native_field filter. Must be one of: title, "
               "source, client_reference_id, tags")
        for operator in ("in", "not_in"):
            expect([condition("title", operator, "x")],
                   "Invalid filter: Value must be a list for in or not_in operators")
        expect([condition("tags", "eq", "x")],
               "Invalid filter: Value must be a list for tags filter")
        expect([condition("tags", "in", [1])],
               "Invalid filter: Value must be a list of strings for tags filter")
        expect([condition("tags", "eq", ["x"])],
               "Invalid filter: Operator must be in or not_in for tags filter")


class Results(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.case = cls("test_shape")
        cls.case.setUp()
        cls.memos = {}
        cls.add("Alpha", "The quick lantern glows in the harbour.", tags=["python", "beginner"],
                metadata={"level": 7, "name": "50%_off"}, source="docs/a.md",
                reference_id="ref-a", scopes={"team": "red"})
        cls.add("Beta", "A lantern of another harbour.", tags=["python"],
                metadata={"level": 8, "name": "50 or off"}, source="Docs/b.md",
                reference_id="ref-b", scopes={"team": "blue"})
        cls.add("Gamma", "The third lantern stays dark.")
        for uuid in cls.memos.values():
            cls.case.wait_processed(uuid)

    @classmethod
    def tearDownClass(cls):
        cls.case.client.close()
        super().tearDownClass()

    @classmethod
    def add(cls, title, content, **fields):
        cls.memos[title] = cls.case.create(title, content, **fields)

    def titles(self, *filters, **fields):
        return sorted(hit["memo_title"] for hit in
                      self.search("lantern", filters=list(filters), **fields))

    def test_shape(self):
        answer = self.client.post(PATH, {"query": "quick lantern"}).json
        self.assertEqual(list(answer), ["results"])
        hit = answer["results"][0]
        self.assertEqual(list(hit), ["chunk_uuid", "memo_uuid", "memo_title", "memo_summary",
                                     "content_snippet", "chunk_content", "distance", "start", "end"])
        self.assertEqual((hit["memo_uuid"], hit["memo_title"]), (self.memos["Alpha"], "Alpha"))
        self.assertEqual(hit["memo_summary"], "")
        self.assertEqual((hit["start"], hit["end"]), (0, 39))
        self.assertEqual(hit["content_snippet"], "The quick lantern glows in the harbour.")
        self.assertEqual(hit["chunk_content"], "The quick lantern glows in the harbour.")
        distances = [one["distance"] for one in answer["results"]]
        self.assertEqual(distances, sorted(distances))
        self.assertTrue(all(0 <= distance <= 1 for distance in distances))
        self.assertEqual(len(answer["results"]), 3)

    def test_a_range_is_the_texts_place_in_the_memo(self):
        content = "# Größe\n\n" + "\n\n".join(
            f"Absatz {i} über Hafenlaternen: " + "wörter " * 60 for i in range(12))
        uuid = self.create("Ranges", content, tags=["ranges"])
        self.wait_processed(uuid)
        only = [condition("tags", "in", ["ranges"])]
        for fields in ({}, {"assemble": True}):
            hits = self.search("Hafenlaternen Absatz", filters=only, limit=50, **fields)
            for hit in hits:
                meant = content.encode()[hit["start"]:hit["end"]].decode()
                self.assertEqual(hit["chunk_content"].split(), meant.split())
        self.assertGreater(len(self.search("Hafenlaternen", filters=only, limit=50)), len(hits))
        self.client.call("DELETE", f"/api/v1/memo/{uuid}")

    def test_limit(self):
        self.assertEqual(len(self.titles(limit=1)), 1)
        self.assertEqual(len(self.titles(limit="2")), 2)

    def test_pages_of_results_are_one_list(self):
        whole = self.search("lantern", limit=3)
        pages = [self.search("lantern", limit=1, offset=at) for at in range(4)]
        self.assertEqual([hit["chunk_uuid"] for page in pages for hit in page],
                         [hit["chunk_uuid"] for hit in whole])
        self.assertEqual(pages[3], [])

    def test_equality(self):
        self.assertEqual(self.titles(condition("title", "eq", "Alpha")), ["Alpha"])
        self.assertEqual(self.titles(condition("title", "eq", "alpha")), [])
        self.assertEqual(self.titles(condition("source", "neq", "docs/a.md")), ["Beta"])
        self.assertEqual(self.titles(condition("client_reference_id", "eq", "ref-b")), ["Beta"])
        self.assertEqual(self.titles(condition("source", "eq", None)), [])

    def test_parts_of_text(self):
        self.assertEqual(self.titles(condition("source", "contains", "DOCS")), ["Alpha", "Beta"])
        self.assertEqual(self.titles(condition("source", "startswith", "docs")), ["Alpha"])
        self.assertEqual(self.titles(condition("source", "startswith", "Docs")), ["Beta"])
        self.assertEqual(self.titles(condition("source", "endswith", ".md")), ["Alpha", "Beta"])
        self.assertEqual(self.titles(condition("source", "endswith", ".MD")), [])
        self.assertEqual(
            self.titles(condition("name", "startswith", "50%_", "custom_metadata")), ["Alpha"])

    def test_lists(self):
        self.assertEqual(self.titles(condition("title", "in", ["Alpha", "Gamma"])),
                         ["Alpha", "Gamma"])
        self.assertEqual(self.titles(condition("title", "not_in", ["Alpha"])), ["Beta", "Gamma"])
        self.assertEqual(
            self.titles(condition("level", "in", [7, "9"], "custom_metadata")), ["Alpha"])
        self.assertEqual(
            self.titles(condition("level", "not_in", ["7"], "custom_metadata")), ["Beta"])

    def test_tags(self):
        self.assertEqual(self.titles(condition("tags", "in", ["python"])), ["Alpha", "Beta"])
        self.assertEqual(self.titles(condition("tags", "in", ["beginner", "x"])), ["Alpha"])
        self.assertEqual(self.titles(condition("tags", "not_in", ["beginner"])),
                         ["Beta", "Gamma"])
        self.assertEqual(self.titles(condition("tags", "not_in", ["python"])), ["Gamma"])

    def test_metadata_and_scopes(self):
        for value in (7, "7", 7.0):
            self.assertEqual(self.titles(condition("level", "eq", value, "custom_metadata")),
                             ["Alpha"])
        self.assertEqual(self.titles(condition("team", "eq", "blue", "scope")), ["Beta"])
        self.assertEqual(self.titles(condition("team", "neq", "blue", "scope")), ["Alpha"])

    def test_conditions_are_anded(self):
        self.assertEqual(self.titles(condition("tags", "in", ["python"]),
                                     condition("team", "eq", "blue", "scope")), ["Beta"])


class More(ServiceTest):
    def test_a_limit_is_reached(self):
        words = "The beacon number {} shines over the bay."
        uuids = [self.create(f"Many {i}", words.format(i)) for i in range(30)]
        for uuid in uuids:
            self.wait_processed(uuid)
        for limit in (20, 25, 30):
            found = self.search("beacon bay", limit=limit, filters=[
                condition("title", "startswith", "Many")])
            self.assertEqual(len(found), limit)

    def test_expired_memos_are_not_found(self):
        soon = int((time.time() + 4) * 1000)
        uuid = self.create("Expiring", "The lantern of the ephemeral mayfly.",
                           expiration_date=soon)
        self.wait_processed(uuid)

        def found():
            return self.search("mayfly", filters=[condition("title", "eq", "Expiring")])

        until = time.monotonic() + 60
        while found():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)
        self.assertGreater(time.time() * 1000, soon)


if __name__ == "__main__":
    unittest.main()
