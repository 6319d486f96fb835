/* tests/provider/chat_words.c: OpenAI's chunks, Anthropic's events, Gemini's chunks.
 *
 * Source: openai-openapi 2.3.0 CreateChatCompletionStreamResponse, anthropic-sdk-python
 * raw_*_event.py, google/genai/types.py. */
#include "tests/provider/chat_words.h"

#include <time.h>

#include "actors/runtime/write.h"

#define PRINT(out, ...) ((void)edda_buffer_printf((out), __VA_ARGS__))

static size_t prompt(const struct fake_chat *chat) {
    return chat->prompt_tokens;
}

/* ---- OpenAI and its likes ---- */

static void write_openai_head(const struct fake_chat *chat, struct edda_buffer *out,
                              const char *object) {
    PRINT(out, "{\"id\":\"chatcmpl-fake-%lld\",\"object\":\"%s\",\"created\":%lld,\"model\":",
          (long long)chat->request->number, object, (long long)time(NULL));
    edda_write_text(out, edda_text_of(chat->model));
    EDDA_WRITE(out, ",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[");
}

static void write_openai_usage(const struct fake_chat *chat, struct edda_buffer *out) {
    PRINT(out,
          "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu,"
          "\"prompt_tokens_details\":{\"cached_tokens\":0},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":0}}}",
          prompt(chat), chat->sent, prompt(chat) + chat->sent);
}

/* delta: the object, written by the caller between the two. */
static void begin_chunk(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "data: ");
    write_openai_head(chat, out, "chat.completion.chunk");
    EDDA_WRITE(out, "{\"index\":0,\"delta\":{");
}

static void end_chunk(const struct fake_chat *chat, struct edda_buffer *out, const char *finish) {
    EDDA_WRITE(out, "},\"logprobs\":null,\"finish_reason\":");
    edda_write_text(out, edda_text_of(finish));
    (void)edda_buffer_append_text(out, chat->include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void start_openai(const struct fake_chat *chat, struct edda_buffer *out) {
    begin_chunk(chat, out);
    EDDA_WRITE(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    end_chunk(chat, out, NULL);
}

static void token_openai(const struct fake_chat *chat, struct edda_buffer *out,
                         struct edda_text token) {
    begin_chunk(chat, out);
    EDDA_WRITE(out, "\"content\":");
    edda_write_text(out, token);
    end_chunk(chat, out, NULL);
}

static void end_openai(const struct fake_chat *chat, struct edda_buffer *out) {
    begin_chunk(chat, out);
    end_chunk(chat, out, chat->finish);
    if (chat->include_usage) {
        EDDA_WRITE(out, "data: ");
        write_openai_head(chat, out, "chat.completion.chunk");
        EDDA_WRITE(out, "],");
        write_openai_usage(chat, out);
        EDDA_WRITE(out, "\n\n");
    }
    EDDA_WRITE(out, "data: [DONE]\n\n");
}

/* What a stream says of the failure that `message` or the status words. */
static void write_failure(const struct fake_chat *chat, struct edda_buffer *out) {
    const struct fake_behaviour *behaviour = chat->request->behaviour;
    int status = behaviour->status == 200 ? 503 : (int)behaviour->status;
    fake_refusal_write(out, chat->request->provider, status, behaviour->message);
    EDDA_WRITE(out, "\n\n");
}

static void error_openai(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "data: ");
    write_failure(chat, out);
}

static void whole_openai(const struct fake_chat *chat, struct edda_buffer *out,
                         struct edda_text text) {
    write_openai_head(chat, out, "chat.completion");
    EDDA_WRITE(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    edda_write_text(out, text);
    EDDA_WRITE(out, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":");
    edda_write_text(out, edda_text_of(chat->finish));
    EDDA_WRITE(out, "}],");
    write_openai_usage(chat, out);
}

/* ---- Anthropic ---- */

static const char *anthropic_finish(const struct fake_chat *chat) {
    return strcmp(chat->finish, "stop") == 0             ? "end_turn"
           : strcmp(chat->finish, "length") == 0         ? "max_tokens"
           : strcmp(chat->finish, "content_filter") == 0 ? "refusal"
                                                         : chat->finish;
}

static void write_anthropic_head(const struct fake_chat *chat, struct edda_buffer *out) {
    PRINT(out, "{\"id\":\"msg_fake_%lld\",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
          (long long)chat->request->number);
    edda_write_text(out, edda_text_of(chat->model));
    EDDA_WRITE(out, ",\"content\":[");
}

static void write_anthropic_usage(const struct fake_chat *chat, struct edda_buffer *out,
                                  size_t output) {
    PRINT(out,
          "\"stop_sequence\":null,\"usage\":{\"input_tokens\":%zu,"
          "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":%zu}}",
          prompt(chat), output);
}

static void start_anthropic(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    write_anthropic_head(chat, out);
    EDDA_WRITE(out, "],\"stop_reason\":null,");
    write_anthropic_usage(chat, out, 1);
    EDDA_WRITE(out, "}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\","
                    "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
                    "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

static void token_anthropic(const struct fake_chat *chat, struct edda_buffer *out,
                            struct edda_text token) {
    (void)chat;
    EDDA_WRITE(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                    "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":");
    edda_write_text(out, token);
    EDDA_WRITE(out, "}}\n\n");
}

static void end_anthropic(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
                    "\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\","
                    "\"delta\":{\"stop_reason\":");
    edda_write_text(out, edda_text_of(anthropic_finish(chat)));
    PRINT(out,
          ",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%zu}}\n\n"
          "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
          chat->sent);
}

static void error_anthropic(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "event: error\ndata: ");
    write_failure(chat, out);
}

static void whole_anthropic(const struct fake_chat *chat, struct edda_buffer *out,
                            struct edda_text text) {
    write_anthropic_head(chat, out);
    EDDA_WRITE(out, "{\"type\":\"text\",\"text\":");
    edda_write_text(out, text);
    EDDA_WRITE(out, "}],\"stop_reason\":");
    edda_write_text(out, edda_text_of(anthropic_finish(chat)));
    EDDA_WRITE(out, ",");
    write_anthropic_usage(chat, out, chat->sent);
}

/* ---- Gemini ---- */

static const char *gemini_finish(const struct fake_chat *chat) {
    return strcmp(chat->finish, "stop") == 0             ? "STOP"
           : strcmp(chat->finish, "length") == 0         ? "MAX_TOKENS"
           : strcmp(chat->finish, "content_filter") == 0 ? "SAFETY"
                                                         : chat->finish;
}

static void write_gemini(const struct fake_chat *chat, struct edda_buffer *out,
                         struct edda_text text, const char *finish) {
    EDDA_WRITE(out, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":");
    edda_write_text(out, text);
    EDDA_WRITE(out, "}],\"role\":\"model\"},");
    if (finish) {
        PRINT(out, "\"finishReason\":\"%s\",", finish);
    }
    PRINT(out,
          "\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":%zu,"
          "\"candidatesTokenCount\":%zu,\"totalTokenCount\":%zu},\"modelVersion\":",
          prompt(chat), chat->sent, prompt(chat) + chat->sent);
    edda_write_text(out, edda_text_of(chat->model));
    PRINT(out, ",\"responseId\":\"fake-%lld\"}", (long long)chat->request->number);
}

/* Nothing is said before the first token. */
static void start_gemini(const struct fake_chat *chat, struct edda_buffer *out) {
    (void)chat;
    (void)out;
}

static void token_gemini(const struct fake_chat *chat, struct edda_buffer *out,
                         struct edda_text token) {
    EDDA_WRITE(out, "data: ");
    write_gemini(chat, out, token, NULL);
    EDDA_WRITE(out, "\r\n\r\n");
}

static void end_gemini(const struct fake_chat *chat, struct edda_buffer *out) {
    EDDA_WRITE(out, "data: ");
    write_gemini(chat, out, EDDA_TEXT(""), gemini_finish(chat));
    EDDA_WRITE(out, "\r\n\r\n");
}

static void whole_gemini(const struct fake_chat *chat, struct edda_buffer *out,
                         struct edda_text text) {
    write_gemini(chat, out, text, gemini_finish(chat));
}

/* ---- */

static const struct fake_chat_words openai = {start_openai, token_openai, end_openai, error_openai,
                                              whole_openai};
static const struct fake_chat_words anthropic = {start_anthropic, token_anthropic, end_anthropic,
                                                 error_anthropic, whole_anthropic};
static const struct fake_chat_words gemini = {start_gemini, token_gemini, end_gemini, error_openai,
                                              whole_gemini};

const struct fake_chat_words *fake_chat_words_of(enum fake_provider provider) {
    return provider == FAKE_ANTHROPIC ? &anthropic : provider == FAKE_GEMINI ? &gemini : &openai;
}
