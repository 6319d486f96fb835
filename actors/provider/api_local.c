/* actors/provider/api_local.c: Skald's own local service: one text a call, and a reranker that
 * gives back only the best `top_k`, so all are asked for. Source: the contract's section 2. */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    (void)query;
    edda_api_path(request, account, "/embed");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"content\":");
    edda_write_text(out, texts->items[0].data ? texts->items[0] : EDDA_TEXT(""));
    EDDA_WRITE(out, ",\"normalize\":true}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    return edda_api_row(rows, 0, json_object_get(json, "embedding"));
}

const struct edda_embed_api edda_local_embed = {
    .limits = {.items = 1, .bytes = 64 * 1024, .item_bytes = 64 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

const struct edda_rerank_api edda_local_rerank = {
    .path = "/rerank",
    .documents = "documents",
    .most = "top_k",
    .list = "results",
    .score = "relevance_score",
};
