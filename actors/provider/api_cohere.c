/* actors/provider/api_cohere.c: Cohere's second API. Source: cohere-python,
 * src/cohere/v2/client.py. */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    edda_api_path(request, account, "/v2/embed");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    (void)edda_buffer_append_text(out, query ? ",\"input_type\":\"search_query\",\"texts\":"
                                             : ",\"input_type\":\"search_document\",\"texts\":");
    edda_api_texts(out, texts);
    if (account->dimension > 0) {
        edda_api_number(out, "output_dimension", account->dimension);
    }
    EDDA_WRITE(out, ",\"embedding_types\":[\"float\"],\"truncate\":\"END\"}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    const json_t *units = json_object_get(json_object_get(json, "meta"), "billed_units");
    int64_t tokens = edda_api_whole(units, "input_tokens");
    rows->vectors->tokens = tokens > 0 ? (uint64_t)tokens : 0;
    return edda_api_plain_rows(rows, json_object_get(json_object_get(json, "embeddings"), "float"));
}

const struct edda_embed_api edda_cohere_embed = {
    .limits = {.items = 96, .bytes = 1024 * 1024, .item_bytes = 64 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

const struct edda_rerank_api edda_cohere_rerank = {
    .path = "/v2/rerank",
    .named = true,
    .documents = "documents",
    .most = "top_n",
    .list = "results",
    .score = "relevance_score",
};
