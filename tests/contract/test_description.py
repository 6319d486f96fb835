"""Answers are what /openapi.json says: every field is described, and none that is required is missing."""

import unittest

from service import ServiceTest

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


class Description:
    """The schemas of a document, as far as it uses them."""

    def __init__(self, document):
        self.document = document

    def find(self, node):
        while "$ref" in node:
            name = node["$ref"]
            node = self.document
            for part in name.removeprefix("#/").split("/"):
                node = node[part]
        return node

    def response(self, method, path, status):
        operation = self.document["paths"][path][method]
        return self.find(operation["responses"][str(status)])["content"]["application/json"]["schema"]

    def complaints(self, schema, value, where):
        schema = self.find(schema)
        if value is None:
            return [] if schema.get("nullable") else [f"{where} is null"]
        if "oneOf" in schema:
            each = [self.complaints(one, value, where) for one in schema["oneOf"]]
            return [] if [] in each else each[0]
        kind = schema.get("type")
        if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
            return [f"{where} is {value!r} and no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where} is {value!r}"]
        if kind == "array":
            return [text for i, item in enumerate(value)
                    for text in self.complaints(schema.get("items", {}), item, f"{where}[{i}]")]
        return self.complaints_of_object(schema, value, where) if kind == "object" else []

    def complaints_of_object(self, schema, value, where):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", False)
        found = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name in properties:
                found += self.complaints(properties[name], item, f"{where}.{name}")
            elif isinstance(others, dict):
                found += self.complaints(others, item, f"{where}.{name}")
            elif not others:
                found.append(f"{where}.{name} is not described")
        return found


class Answers(ServiceTest):
    def setUp(self):
        super().setUp()
        self.description = Description(self.client.get("/openapi.json", key=None).json)

    def expect_described(self, answer, method, path, status):
        self.assertEqual(answer.status, status, answer.body)
        schema = self.description.response(method, path, status)
        self.assertEqual(self.description.complaints(schema, answer.json, f"{method} {path}"), [])

    def test_every_answer_is_described(self):
        created = self.client.post("/api/v1/memo", {
            "title": "Tea", "content": "# Green\n\nGreen tea is best at eighty degrees.", "reference_id": "tea",
            "source": "kitchen", "tags": ["drinks"], "metadata": {"a": [1]}, "scopes": {"team": "t"},
            "expiration_date": "2090-01-01"})
        self.expect_described(created, "post", "/api/v1/memo", 201)
        memo = created.json["memo_uuid"]
        self.wait_processed(memo)
        question = {"query": "how hot should tea be?", "rag_config": {"references": {"enabled": True}}}
        chat = self.client.post("/api/v1/chat", question)
        self.expect_described(chat, "post", "/api/v1/chat", 200)
        path = f"/api/v1/memo/{memo}"
        self.expect_described(self.client.call("PATCH", path, {"title": "Teas"}), "patch", "/api/v1/memo/{id}", 200)
        found = {"query": "tea", "filters": [{"field": "tags", "operator": "in", "value": ["drinks"],
                                              "filter_type": "native_field"}]}
        self.expect_described(self.client.post("/api/v1/search", found), "post", "/api/v1/search", 200)
        self.expect_described(self.client.post("/api/v1/search", {**found, "assemble": True}),
                              "post", "/api/v1/search", 200)
        chats = f"/api/v1/chat/{chat.json['chat_id']}"
        for asked, described in ((path, "/api/v1/memo/{id}"), (path + "/status", "/api/v1/memo/{id}/status"),
                                 ("/api/v1/memo", None), ("/api/v1/chat", None), (chats, "/api/v1/chat/{id}"),
                                 ("/api/v1/config/llm-providers", None), ("/api/v1/pipeline", None),
                                 ("/api/health", None), ("/livez", None), ("/readyz", None), ("/healthz", None)):
            answer = self.client.get_when(asked, lambda answer: answer.status == 200)  # whether it is ready, too
            self.expect_described(answer, "get", described or asked, 200)

    def test_refusals_are_described(self):
        nobody = "/api/v1/memo/0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
        self.expect_described(self.client.get(nobody), "get", "/api/v1/memo/{id}", 404)
        self.expect_described(self.client.get(nobody, key=None), "get", "/api/v1/memo/{id}", 401)
        self.expect_described(self.client.post("/api/v1/search", {}), "post", "/api/v1/search", 400)

    def test_a_field_too_many_too_few_or_of_another_type_is_seen(self):
        schema = self.description.response("post", "/api/v1/memo", 201)
        good = {"memo_uuid": "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001", "ok": True}
        self.assertEqual(self.description.complaints(schema, good, "it"), [])
        for wrong in ({"ok": True}, {**good, "more": 1}, {**good, "ok": "yes"}, {**good, "memo_uuid": None}, []):
            self.assertNotEqual(self.description.complaints(schema, wrong, "it"), [], wrong)


if __name__ == "__main__":
    unittest.main()
