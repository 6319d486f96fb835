/* actors/provider/api_ollama.c: Ollama's own embedding API. Source: ollama, api/types.go. */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    (void)query;
    edda_api_path(request, account, "/api/embed");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    EDDA_WRITE(out, ",\"input\":");
    edda_api_texts(out, texts);
    EDDA_WRITE(out, ",\"truncate\":true");
    if (account->dimension > 0) {
        edda_api_number(out, "dimensions", account->dimension);
    }
    EDDA_WRITE(out, "}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    int64_t tokens = edda_api_whole(json, "prompt_eval_count");
    rows->vectors->tokens = tokens > 0 ? (uint64_t)tokens : 0;
    return edda_api_plain_rows(rows, json_object_get(json, "embeddings"));
}

const struct edda_embed_api edda_ollama_embed = {
    .limits = {.items = 64, .bytes = 512 * 1024, .item_bytes = 64 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};
