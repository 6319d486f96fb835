/* actors/provider/api_gemini.c: Google's Gemini API. Source: google/genai/types.py.
 *
 * Its stream has no mark of its own at the end: the finishReason of a candidate is one. */
#include <stdio.h>

#include "actors/provider/api_state.h"
#include "actors/provider/mend.h"

static void add_headers(struct edda_api_request *request, const struct edda_account *account) {
    edda_api_header(request, "Accept", "application/json");
    edda_api_header(request, "Content-Type", "application/json");
    edda_api_header(request, "x-goog-api-key", account->key);
}

static void write_model(struct edda_buffer *out, const struct edda_account *account) {
    EDDA_WRITE(out, "\"models/");
    edda_write_escaped(out, edda_text_of(account->model));
    EDDA_WRITE(out, "\"");
}

static void add_path(struct edda_api_request *request, const struct edda_account *account,
                     const char *method) {
    char path[256];
    (void)snprintf(path, sizeof path, "/models/%s:%s", account->model, method);
    edda_api_path(request, account, path);
}

static void build_embed(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    add_path(request, account, "batchEmbedContents");
    add_headers(request, account);
    EDDA_WRITE(out, "{\"requests\":[");
    for (size_t i = 0; i < texts->count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? ",{\"model\":" : "{\"model\":");
        write_model(out, account);
        EDDA_WRITE(out, ",\"content\":{\"parts\":[{\"text\":");
        edda_write_text(out, texts->items[i].data ? texts->items[i] : EDDA_TEXT(""));
        (void)edda_buffer_append_text(out, query ? "}]},\"taskType\":\"RETRIEVAL_QUERY\""
                                                 : "}]},\"taskType\":\"RETRIEVAL_DOCUMENT\"");
        if (account->dimension > 0) {
            edda_api_number(out, "outputDimensionality", account->dimension);
        }
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "]}");
}

static int parse_embed(const json_t *json, struct edda_api_rows *rows) {
    const json_t *list = json_object_get(json, "embeddings");
    int error = 0;
    if (!json_is_array(list)) {
        rows->why = "it has no list of vectors";
        return EDDA_E_FAILED;
    }
    for (size_t i = 0; i < json_array_size(list) && !error; i++) {
        error = edda_api_row(rows, i, json_object_get(json_array_get(list, i), "values"));
    }
    return error;
}

const struct edda_embed_api edda_gemini_embed = {
    .limits = {.items = 100, .bytes = 512 * 1024, .item_bytes = 6 * 1024},
    .build = build_embed,
    .parse = parse_embed,
};

/* ---- chat ---- */

static void write_parts(struct edda_buffer *out, struct edda_text text) {
    EDDA_WRITE(out, "\"parts\":[{\"text\":");
    edda_write_text(out, text.data ? text : EDDA_TEXT(""));
    EDDA_WRITE(out, "}]");
}

static void build_chat(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                       struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    add_path(request, account, "streamGenerateContent?alt=sse");
    add_headers(request, account);
    EDDA_WRITE(out, "{\"contents\":[");
    for (size_t i = 0; i < prompt->messages.count; i++) {
        const struct edda_llm_message *message = &prompt->messages.items[i];
        bool user = edda_text_is(message->role, "user");
        (void)edda_buffer_printf(out, "%s{\"role\":\"%s\",", i > 0 ? "," : "",
                                 user ? "user" : "model");
        write_parts(out, message->content);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "]");
    if (prompt->system.size > 0) {
        EDDA_WRITE(out, ",\"systemInstruction\":{");
        write_parts(out, prompt->system);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, ",\"generationConfig\":{\"temperature\":0");
    edda_api_number(out, "maxOutputTokens", prompt->max_tokens);
    EDDA_WRITE(out, "}}");
}

static void take_parts(struct edda_chat_stream *stream, const json_t *parts) {
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        if (!json_is_true(json_object_get(part, "thought"))) {
            edda_chat_text(stream, json_object_get(part, "text"));
        }
    }
}

static void take_finish(struct edda_chat_stream *stream, const char *finish) {
    if (finish) {
        bool stop = strcmp(finish, "STOP") == 0;
        bool length = strcmp(finish, "MAX_TOKENS") == 0;
        edda_chat_finish(stream, stop ? "stop" : length ? "length" : "content_filter");
    }
}

static void take_usage(struct edda_chat_stream *stream, const json_t *usage) {
    int64_t input = edda_api_whole(usage, "promptTokenCount");
    int64_t output = edda_api_whole(usage, "candidatesTokenCount");
    stream->input_tokens = input > 0 ? (uint32_t)input : stream->input_tokens;
    stream->output_tokens = output > 0 ? (uint32_t)output : stream->output_tokens;
}

static void take_chat(struct edda_chat_stream *stream, struct edda_text event,
                      struct edda_text data) {
    json_t *json = edda_provider_json(data.data, data.size);
    (void)event;
    if (!json_is_object(json)) {
        json_decref(json);
        edda_chat_break(stream, EDDA_E_FAILED, "an event of the stream is no JSON object");
        return;
    }
    const json_t *error = json_object_get(json, "error");
    const json_t *candidate = json_array_get(json_object_get(json, "candidates"), 0);
    const json_t *blocked = json_object_get(json_object_get(json, "promptFeedback"), "blockReason");
    if (error) {
        const char *words = json_string_value(json_object_get(error, "message"));
        edda_chat_break(stream, EDDA_E_UNAVAILABLE, words);
    }
    take_parts(stream, json_object_get(json_object_get(candidate, "content"), "parts"));
    take_finish(stream, json_string_value(json_object_get(candidate, "finishReason")));
    if (json_is_string(blocked)) {
        edda_chat_finish(stream, "content_filter");
    }
    take_usage(stream, json_object_get(json, "usageMetadata"));
    json_decref(json);
}

const struct edda_chat_api edda_gemini_chat = {.build = build_chat, .event = take_chat};
