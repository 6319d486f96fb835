/* actors/provider/api_jina.c: Jina, and the reranking shape that vLLM, infinity and llama.cpp share
 * with it. Source: Jina's openapi.json; the projects' own documentation. */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    edda_api_path(request, account, "/embeddings");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    (void)edda_buffer_append_text(out, query ? ",\"task\":\"retrieval.query\""
                                             : ",\"task\":\"retrieval.passage\"");
    if (account->dimension > 0) {
        edda_api_number(out, "dimensions", account->dimension);
    }
    EDDA_WRITE(out, ",\"embedding_type\":\"base64\",\"truncate\":true,\"input\":");
    edda_api_texts(out, texts);
    EDDA_WRITE(out, "}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    int64_t tokens = edda_api_whole(json_object_get(json, "usage"), "total_tokens");
    rows->vectors->tokens = tokens > 0 ? (uint64_t)tokens : 0;
    return edda_api_indexed_rows(rows, json_object_get(json, "data"));
}

const struct edda_embed_api edda_jina_embed = {
    .limits = {.items = 1024, .bytes = 1024 * 1024, .item_bytes = 24 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

const struct edda_rerank_api edda_jina_rerank = {
    .path = "/rerank",
    .named = true,
    .documents = "documents",
    .most = "top_n",
    .more = ",\"return_documents\":false",
    .list = "results",
    .score = "relevance_score",
};
