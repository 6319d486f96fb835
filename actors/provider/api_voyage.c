/* actors/provider/api_voyage.c: Voyage: embeddings of two kinds, reranking with `top_k` and `data`.
 * Source: voyageai-python, api_resources/embedding.py and client.py. */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    edda_api_path(request, account, "/embeddings");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"input\":");
    edda_api_texts(out, texts);
    EDDA_WRITE(out, ",\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    (void)edda_buffer_append_text(out, query ? ",\"input_type\":\"query\""
                                             : ",\"input_type\":\"document\"");
    if (account->dimension > 0) {
        edda_api_number(out, "output_dimension", account->dimension);
    }
    EDDA_WRITE(out, ",\"truncation\":true,\"encoding_format\":\"base64\"}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    int64_t tokens = edda_api_whole(json_object_get(json, "usage"), "total_tokens");
    rows->vectors->tokens = tokens > 0 ? (uint64_t)tokens : 0;
    return edda_api_indexed_rows(rows, json_object_get(json, "data"));
}

const struct edda_embed_api edda_voyage_embed = {
    .limits = {.items = 1000, .tokens = 120000, .bytes = 1024 * 1024, .item_bytes = 64 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

const struct edda_rerank_api edda_voyage_rerank = {
    .path = "/rerank",
    .named = true,
    .documents = "documents",
    .most = "top_k",
    .more = ",\"truncation\":true",
    .list = "data",
    .score = "relevance_score",
};
