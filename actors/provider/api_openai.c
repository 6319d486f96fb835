/* actors/provider/api_openai.c: OpenAI and every service that speaks its API.
 *
 * Fields and headers are those the openai npm package sends: base64 vectors when nobody asks for
 * anything else. Services that answer with arrays of numbers all the same are understood.
 * Source: openai-openapi 2.3.0, CreateEmbeddingRequest, CreateChatCompletionRequest. */
#include "actors/provider/api_state.h"
#include "actors/provider/mend.h"

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    (void)query;
    edda_api_path(request, account, "/embeddings");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    EDDA_WRITE(out, ",\"input\":");
    edda_api_texts(out, texts);
    if (account->dimension > 0) {
        edda_api_number(out, "dimensions", account->dimension);
    }
    EDDA_WRITE(out, ",\"encoding_format\":\"base64\"}");
}

static void note_tokens(const json_t *json, struct edda_api_rows *rows) {
    int64_t tokens = edda_api_whole(json_object_get(json, "usage"), "total_tokens");
    rows->vectors->tokens = tokens > 0 ? (uint64_t)tokens : 0;
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    int error = edda_api_indexed_rows(rows, json_object_get(json, "data"));
    note_tokens(json, rows);
    return error;
}

const struct edda_embed_api edda_openai_embed = {
    .limits = {.items = 1536, .tokens = 300000, .bytes = 1024 * 1024, .item_bytes = 24 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

/* ---- chat ---- */

static void write_message(struct edda_buffer *out, bool first, const char *role,
                          struct edda_text content) {
    (void)edda_buffer_printf(out, "%s{\"role\":\"%s\",\"content\":", first ? "" : ",", role);
    edda_write_text(out, content.data ? content : EDDA_TEXT(""));
    EDDA_WRITE(out, "}");
}

/* OpenAI's reasoning models refuse any temperature but their own. */
static bool takes_temperature(const struct edda_account *account) {
    const char *model = account->model;
    bool reasons =
        (model[0] == 'o' && model[1] >= '0' && model[1] <= '9') || strncmp(model, "gpt-5", 5) == 0;
    return account->kind != EDDA_PROVIDER_OPENAI || !reasons;
}

static void build_chat(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                       struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    bool first = true;
    edda_api_path(request, account, "/chat/completions");
    edda_api_usual_headers(request, account);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    EDDA_WRITE(out, ",\"messages\":[");
    if (prompt->system.size > 0) {
        write_message(out, true, "system", prompt->system);
        first = false;
    }
    for (size_t i = 0; i < prompt->messages.count; i++) {
        const struct edda_llm_message *message = &prompt->messages.items[i];
        bool user = edda_text_is(message->role, "user");
        write_message(out, first, user ? "user" : "assistant", message->content);
        first = false;
    }
    EDDA_WRITE(out, "],\"stream\":true");
    if (takes_temperature(account)) {
        EDDA_WRITE(out, ",\"temperature\":0");
    }
    /* What others built to the older API know only by its older name. */
    edda_api_number(out,
                    account->kind == EDDA_PROVIDER_OPENAI ? "max_completion_tokens" : "max_tokens",
                    prompt->max_tokens);
    EDDA_WRITE(out, ",\"stream_options\":{\"include_usage\":true}}");
}

static void take_usage(struct edda_chat_stream *stream, const json_t *usage) {
    int64_t input = edda_api_whole(usage, "prompt_tokens");
    int64_t output = edda_api_whole(usage, "completion_tokens");
    stream->input_tokens = input > 0 ? (uint32_t)input : stream->input_tokens;
    stream->output_tokens = output > 0 ? (uint32_t)output : stream->output_tokens;
}

static void take_error(struct edda_chat_stream *stream, const json_t *error) {
    const char *words = json_string_value(json_object_get(error, "message"));
    const char *text = json_string_value(error);
    edda_chat_break(stream, EDDA_E_UNAVAILABLE, words ? words : text);
}

static void take_chat(struct edda_chat_stream *stream, struct edda_text event,
                      struct edda_text data) {
    (void)event;
    if (edda_text_is(data, "[DONE]")) {
        stream->ended = true;
        if (!stream->finish[0]) {
            edda_chat_finish(stream, "stop");
        }
        return;
    }
    json_t *json = edda_provider_json(data.data, data.size);
    if (!json_is_object(json)) {
        json_decref(json);
        edda_chat_break(stream, EDDA_E_FAILED, "an event of the stream is no JSON object");
        return;
    }
    const json_t *error = json_object_get(json, "error");
    const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
    const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
    if (error && !json_is_null(error)) {
        take_error(stream, error);
    }
    edda_chat_text(stream, json_object_get(json_object_get(choice, "delta"), "content"));
    if (finish) {
        edda_chat_finish(stream, finish);
    }
    take_usage(stream, json_object_get(json, "usage"));
    json_decref(json);
}

const struct edda_chat_api edda_openai_chat = {.build = build_chat, .event = take_chat};
