/* tests/provider/rerank.c: scores by shared words, in every provider's shape, best first. */
#include <stdlib.h>

#include "actors/runtime/write.h"
#include "tests/provider/request.h"

struct hit {
    size_t index;
    double score;
};

static int compare_hits(const void *left, const void *right) {
    const struct hit *a = left;
    const struct hit *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

/* The shapes: what is around the list, and what the fields are called. */
static const struct shape {
    const char *head;
    const char *score;
    const char *tail;
    bool named; /* the model and usage come after the tail */
} results = {"{\"results\":[", "relevance_score", "]", true},
  voyage = {"{\"object\":\"list\",\"data\":[", "relevance_score", "]", true},
  cohere = {"{\"id\":\"fake\",\"results\":[", "relevance_score",
            "],\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":"
            "{\"search_units\":1}}}",
            false},
  tei = {"[", "score", "]", false}, local = {"{\"results\":[", "relevance_score", "]}", false};

static const struct shape *shape_of(enum fake_provider provider) {
    return provider == FAKE_COHERE   ? &cohere
           : provider == FAKE_VOYAGE ? &voyage
           : provider == FAKE_TEI    ? &tei
           : provider == FAKE_LOCAL  ? &local
                                     : &results;
}

/* How the document is given back: not at all, as a string, or as {"text"}. */
static void write_document(struct edda_buffer *out, const struct fake_request *request,
                           struct edda_text document) {
    const json_t *wanted = json_object_get(request->json, "return_documents");
    bool given = request->provider == FAKE_VLLM || json_is_true(wanted) ||
                 (request->provider == FAKE_JINA && !wanted);
    if (request->provider == FAKE_LOCAL || (request->provider == FAKE_VOYAGE && given)) {
        EDDA_WRITE(out, ",\"document\":");
        edda_write_text(out, document);
    } else if (request->provider == FAKE_TEI) {
        if (json_is_true(json_object_get(request->json, "return_text"))) {
            EDDA_WRITE(out, ",\"text\":");
            edda_write_text(out, document);
        }
    } else if (given && request->provider != FAKE_COHERE) {
        EDDA_WRITE(out, ",\"document\":{\"text\":");
        edda_write_text(out, document);
        EDDA_WRITE(out, "}");
    }
}

static size_t most_results(const struct fake_request *request, size_t count) {
    const json_t *top = json_object_get(request->json, "top_n");
    top = top ? top : json_object_get(request->json, "top_k");
    int64_t most = top ? json_integer_value(top) : (int64_t)count;
    if (!top && request->provider == FAKE_LOCAL) {
        most = 10;
    }
    most = most < (int64_t)count ? most : (int64_t)count;
    most += request->behaviour->wrong_count;
    return most > 0 ? (size_t)most : 0;
}

static void write_hits(struct edda_buffer *out, const struct fake_request *request,
                       const struct hit *hits, size_t count) {
    const struct fake_behaviour *behaviour = request->behaviour;
    const struct shape *shape = shape_of(request->provider);
    const json_t *documents = fake_request_list(request);
    size_t rows = most_results(request, count);
    for (size_t row = 0; row < rows; row++) {
        size_t from = row < count ? row : count - 1;
        size_t index = row < count ? hits[row].index : row;
        if (behaviour->duplicate_index && row + 1 == rows) {
            index = hits[0].index;
        }
        (void)edda_buffer_printf(out, "%s{\"index\":%zu,\"%s\":", row ? "," : "", index,
                                 shape->score);
        if (behaviour->nan && row == 0) {
            EDDA_WRITE(out, "NaN");
        } else {
            (void)edda_buffer_printf(out, "%.6f", hits[from].score);
        }
        write_document(out, request,
                       fake_request_text(json_array_get(documents, hits[from].index)));
        EDDA_WRITE(out, "}");
    }
}

static void write_tail(struct edda_buffer *out, const struct fake_request *request) {
    const struct shape *shape = shape_of(request->provider);
    (void)edda_buffer_append_text(out, shape->tail);
    if (shape->named) {
        EDDA_WRITE(out, ",\"model\":");
        edda_write_text(out, fake_text_of(json_object_get(request->json, "model")));
        EDDA_WRITE(out, ",\"usage\":{\"total_tokens\":1}}");
    }
}

static struct fake_answer refuse(const char *message) {
    return (struct fake_answer){.status = 400, .message = message};
}

struct fake_answer fake_rerank_answer(const struct fake_request *request, struct edda_buffer *out) {
    const json_t *documents = fake_request_list(request);
    const json_t *query = json_object_get(request->json, "query");
    size_t count = json_array_size(documents);
    if (!json_is_string(query) || count == 0) {
        return refuse("query and documents are required");
    }
    struct hit *hits = calloc(count, sizeof *hits);
    EDDA_ASSERT(hits);
    for (size_t i = 0; i < count; i++) {
        struct edda_text document = fake_request_text(json_array_get(documents, i));
        if (!document.data) {
            free(hits);
            return refuse("a document is no text");
        }
        hits[i] = (struct hit){i, fake_words_score(fake_text_of(query), document)};
    }
    if (!request->behaviour->shuffle) {
        qsort(hits, count, sizeof *hits, compare_hits);
    }
    (void)edda_buffer_append_text(out, shape_of(request->provider)->head);
    write_hits(out, request, hits, count);
    write_tail(out, request);
    free(hits);
    return (struct fake_answer){.status = 200, .items = count};
}
