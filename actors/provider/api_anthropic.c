/* actors/provider/api_anthropic.c: Anthropic's Messages API.
 *
 * The system text stands beside the messages, and two messages of one role in a row are one.
 * Source: anthropic-sdk-python, types/message_create_params.py and raw_*_event.py. */
#include "actors/provider/api_state.h"
#include "actors/provider/mend.h"

#define VERSION "2023-06-01"

static bool is_user(const struct edda_llm_message *message) {
    return edda_text_is(message->role, "user");
}

static void write_messages(struct edda_buffer *out, const struct edda_llm_messages *messages) {
    for (size_t i = 0; i < messages->count; i++) {
        const struct edda_llm_message *message = &messages->items[i];
        bool joined = i > 0 && is_user(message) == is_user(message - 1);
        if (joined) {
            EDDA_WRITE(out, "\\n\\n");
        } else {
            (void)edda_buffer_printf(out, "%s{\"role\":\"%s\",\"content\":\"", i > 0 ? "\"}," : "",
                                     is_user(message) ? "user" : "assistant");
        }
        edda_write_escaped(out, message->content);
    }
    (void)edda_buffer_append_text(out, messages->count > 0 ? "\"}" : "");
}

static void build_chat(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                       struct edda_api_request *request) {
    struct edda_buffer *out = &request->body;
    edda_api_path(request, account, "/v1/messages");
    edda_api_header(request, "Accept", "application/json");
    edda_api_header(request, "Content-Type", "application/json");
    edda_api_header(request, "anthropic-version", VERSION);
    edda_api_header(request, "x-api-key", account->key);
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(account->model));
    edda_api_number(out, "max_tokens", prompt->max_tokens);
    if (prompt->system.size > 0) {
        EDDA_WRITE(out, ",\"system\":");
        edda_write_text(out, prompt->system);
    }
    EDDA_WRITE(out, ",\"messages\":[");
    write_messages(out, &prompt->messages);
    /* No temperature: models since 2026 refuse any but their own. */
    EDDA_WRITE(out, "],\"stream\":true}");
}

static void take_finish(struct edda_chat_stream *stream, const char *reason) {
    if (!reason) {
        return;
    }
    bool length =
        strcmp(reason, "max_tokens") == 0 || strcmp(reason, "model_context_window_exceeded") == 0;
    bool refused = strcmp(reason, "refusal") == 0;
    edda_chat_finish(stream, length ? "length" : refused ? "content_filter" : "stop");
}

static void take_usage(struct edda_chat_stream *stream, const json_t *usage) {
    int64_t input = edda_api_whole(usage, "input_tokens");
    int64_t output = edda_api_whole(usage, "output_tokens");
    stream->input_tokens = input > 0 ? (uint32_t)input : stream->input_tokens;
    stream->output_tokens = output > 0 ? (uint32_t)output : stream->output_tokens;
}

static void take_error(struct edda_chat_stream *stream, const json_t *error) {
    const char *words = json_string_value(json_object_get(error, "message"));
    const char *type = json_string_value(json_object_get(error, "type"));
    bool ours = type && strcmp(type, "invalid_request_error") == 0;
    edda_chat_break(stream, ours ? EDDA_E_FAILED : EDDA_E_UNAVAILABLE, words);
}

static void take_typed(struct edda_chat_stream *stream, const char *type, const json_t *json) {
    const json_t *delta = json_object_get(json, "delta");
    if (strcmp(type, "content_block_delta") == 0) {
        const char *kind = json_string_value(json_object_get(delta, "type"));
        if (kind && strcmp(kind, "text_delta") == 0) {
            edda_chat_text(stream, json_object_get(delta, "text"));
        }
    } else if (strcmp(type, "message_start") == 0) {
        take_usage(stream, json_object_get(json_object_get(json, "message"), "usage"));
    } else if (strcmp(type, "message_delta") == 0) {
        take_finish(stream, json_string_value(json_object_get(delta, "stop_reason")));
        take_usage(stream, json_object_get(json, "usage"));
    } else if (strcmp(type, "message_stop") == 0) {
        stream->ended = true;
        if (!stream->finish[0]) {
            edda_chat_finish(stream, "stop");
        }
    } else if (strcmp(type, "error") == 0) {
        take_error(stream, json_object_get(json, "error"));
    }
}

static void take_chat(struct edda_chat_stream *stream, struct edda_text event,
                      struct edda_text data) {
    json_t *json = edda_provider_json(data.data, data.size);
    const char *type = json_string_value(json_object_get(json, "type"));
    (void)event; /* repeats the type */
    if (type) {
        take_typed(stream, type, json);
    } else {
        edda_chat_break(stream, EDDA_E_FAILED, "an event of the stream is no JSON object");
    }
    json_decref(json);
}

const struct edda_chat_api edda_anthropic_chat = {.build = build_chat, .event = take_chat};
