"""Embeddings and reranking in every shape."""

import base64
import json
import math
import struct

from wire import FakeTest


def cosine(left, right):
    return sum(a * b for a, b in zip(left, right))


class Embeddings(FakeTest):
    TEXTS = ["The blue whale swims.", "A red fox"]

    def vectors(self, answer):
        return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]

    def test_openai_voyage_and_jina_answer_numbers_or_base64(self):
        answer = self.embed(self.TEXTS)
        self.assertEqual((answer["object"], answer["model"], answer["data"][1]["object"], answer["usage"]),
                         ("list", "m", "embedding", {"prompt_tokens": 7, "total_tokens": 7}))
        plain = self.vectors(answer)
        self.assertEqual([len(row) for row in plain], [64, 64])
        for path, field in (("/openai/v1/embeddings", "encoding_format"), ("/voyage/v1/embeddings", "encoding_format"),
                            ("/jina/v1/embeddings", "embedding_type"), ("/v1/embeddings", "encoding_format")):
            coded = self.vectors(self.embed(self.TEXTS, path, **{field: "base64"}))
            floats = [struct.unpack("<64f", base64.b64decode(row, validate=True)) for row in coded]
            expected = [struct.unpack("<64f", struct.pack("<64f", *row)) for row in plain]
            self.assertEqual(floats, expected, path)
        voyage = self.embed(self.TEXTS, "/voyage/v1/embeddings")
        self.assertEqual(voyage["usage"], {"total_tokens": 7})

    def test_one_string_is_an_input_and_dimensions_are_kept_to(self):
        for field in ("dimensions", "output_dimension"):
            rows = self.vectors(self.embed("The blue whale swims.", **{field: 7}))
            self.assertEqual([len(row) for row in rows], [7])
            coded = self.vectors(self.embed("whale", encoding_format="base64", **{field: 7}))
            self.assertEqual(len(base64.b64decode(coded[0], validate=True)), 28)
        self.fake.set(embed={"dimension": 9})
        self.assertEqual(len(self.vectors(self.embed("whale"))[0]), 9)

    def test_cohere(self):
        answer = self.ask("/cohere/v2/embed", {"model": "m", "texts": self.TEXTS, "input_type": "search_query",
                                               "embedding_types": ["float", "base64"], "output_dimension": 16})
        self.assertEqual(answer["texts"], self.TEXTS)
        self.assertEqual(answer["meta"]["billed_units"], {"input_tokens": 7})
        first = struct.unpack("<16f", base64.b64decode(answer["embeddings"]["base64"][0]))
        for one, other in zip(first, answer["embeddings"]["float"][0]):
            self.assertAlmostEqual(one, other, places=6)

    def test_gemini_names_its_model_in_the_path(self):
        requests = [{"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 64}
                    for text in self.TEXTS]
        answer = self.ask("/gemini/v1beta/models/m:batchEmbedContents", {"requests": requests})
        self.assertEqual([row["values"] for row in answer["embeddings"]], self.vectors(self.embed(self.TEXTS)))

    def test_ollama_tei_and_skalds_local_service(self):
        answer = self.ask("/ollama/api/embed", {"model": "m", "input": self.TEXTS})
        self.assertEqual(answer["embeddings"], self.vectors(self.embed(self.TEXTS)))
        self.assertEqual(answer["prompt_eval_count"], 7)
        for path in ("/tei/embed", "/embed"):
            bare = self.ask(path, {"inputs": self.TEXTS})
            self.assertEqual([len(row) for row in bare], [64, 64])
        for path in ("/local/embed", "/embed"):
            one = self.ask(path, {"content": self.TEXTS[0], "normalize": True})
            self.assertEqual((one["embedding"], one["dimension"]), (bare[0], 64))

    def test_vectors_are_of_length_one_near_by_shared_words_and_of_their_model(self):
        texts = ["Blue whales eat krill", "What do BLUE whales eat?", "Cars need fuel", "鯨は海に住む。", "海の鯨", "!!!"]
        rows = self.vectors(self.embed(texts, dimensions=512))
        for row in rows:
            self.assertAlmostEqual(math.sqrt(cosine(row, row)), 1, places=4)
        self.assertGreater(cosine(rows[0], rows[1]), cosine(rows[0], rows[2]) + 0.3)
        self.assertGreater(cosine(rows[3], rows[4]), cosine(rows[3], rows[2]) + 0.3)
        other = self.vectors(self.embed(texts, dimensions=512, model="m2"))
        self.assertLess(abs(cosine(rows[0], other[0])), 0.3)
        self.assertEqual(rows, self.vectors(self.embed(texts, dimensions=512)))

    def test_what_is_no_request_is_refused_and_so_are_batches_over_the_providers_own_limit(self):
        for body in ({"model": "m"}, {"model": "m", "input": []}, {"model": "m", "input": [1]}, b"{", b""):
            status, _, content = self.call("/openai/v1/embeddings", body)
            self.assertEqual(status, 400)
            self.assertEqual(json.loads(content)["error"]["type"], "invalid_request_error")
        for path, field, most, over in (("/cohere/v2/embed", "texts", 96, 400), ("/tei/embed", "inputs", 32, 413),
                                        ("/openai/v1/embeddings", "input", 2048, 400),
                                        ("/voyage/v1/embeddings", "input", 1000, 400)):
            body = {"model": "m", field: ["a"] * most, "dimensions": 2, "output_dimension": 2}
            self.ask(path, body)
            body[field].append("a")
            self.assertEqual(self.call(path, body)[0], over, path)


class Reranking(FakeTest):
    DOCUMENTS = ["red fox", "a blue whale", "Blue!", "nothing"]

    def rank(self, path, **more):
        return self.ask(path, {"model": "r", "query": "blue whale", "documents": self.DOCUMENTS, **more})

    def pairs(self, results, name="relevance_score"):
        return [(result["index"], result[name]) for result in results]

    def test_every_shape(self):
        best = [(1, 1.0), (2, 0.5)]
        for path in ("/cohere/v2/rerank", "/jina/v1/rerank", "/vllm/rerank", "/v2/rerank", "/v1/rerank"):
            self.assertEqual(self.pairs(self.rank(path, top_n=2)["results"]), best, path)
        for path in ("/voyage/v1/rerank", "/v1/rerank"):
            answer = self.rank(path, top_k=2)
            self.assertEqual((answer["object"], answer["model"], self.pairs(answer["data"])), ("list", "r", best))
        bare = self.ask("/tei/rerank", {"query": "blue whale", "texts": self.DOCUMENTS})
        self.assertEqual(self.pairs(bare, "score"), best + [(0, 0.0), (3, 0.0)])
        local = self.ask("/local/rerank", {"query": "blue whale", "documents": self.DOCUMENTS, "top_k": 2})
        self.assertEqual(local["results"][0], {"index": 1, "document": "a blue whale", "relevance_score": 1.0})

    def test_documents_may_be_objects_and_come_back_when_wanted(self):
        wrapped = [{"text": text} for text in self.DOCUMENTS]
        results = self.rank("/jina/v1/rerank", documents=wrapped, top_n=1)["results"]
        self.assertEqual(results[0]["document"], {"text": "a blue whale"})
        self.assertNotIn("document", self.rank("/jina/v1/rerank", return_documents=False)["results"][0])
        self.assertNotIn("document", self.rank("/cohere/v2/rerank")["results"][0])

    def test_indexes_and_scores_can_be_wrong(self):
        for settings, expected in (({"duplicate_index": True}, [1, 2, 0, 1]), ({"wrong_count": -1}, [1, 2, 0]),
                                   ({"wrong_count": 1}, [1, 2, 0, 3, 4]), ({"shuffle": True}, [0, 1, 2, 3])):
            self.fake.reset()
            self.fake.set(rerank=settings)
            results = self.rank("/cohere/v2/rerank")["results"]
            self.assertEqual([result["index"] for result in results], expected, settings)
        self.fake.reset()
        self.fake.set(rerank={"nan": True})
        self.assertIn(b'"relevance_score":NaN',
                      self.call("/cohere/v2/rerank", {"query": "a", "documents": ["a"]})[2])
