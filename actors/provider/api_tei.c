/* actors/provider/api_tei.c: Hugging Face's Text Embeddings Inference. Source: its
 * openapi.json 1.9.3.
 */
#include "actors/provider/api_state.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    (void)query; /* its prompts are the server's own configuration */
    edda_api_path(request, account, "/embed");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"inputs\":");
    edda_api_texts(out, texts);
    EDDA_WRITE(out, ",\"normalize\":true,\"truncate\":true");
    if (account->dimension > 0) {
        edda_api_number(out, "dimensions", account->dimension);
    }
    EDDA_WRITE(out, "}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    return edda_api_plain_rows(rows, json);
}

const struct edda_embed_api edda_tei_embed = {
    .limits = {.items = 32, .bytes = 512 * 1024, .item_bytes = 64 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

const struct edda_rerank_api edda_tei_rerank = {
    .path = "/rerank",
    .documents = "texts",
    .more = ",\"raw_scores\":false,\"return_text\":false,\"truncate\":true",
    .score = "score",
};
