/* tests/provider/chat.c: what is answered, and when which part of it is due. */
#include "tests/provider/chat.h"

#include <stdio.h>

#include "actors/runtime/write.h"
#include "tests/provider/chat_words.h"

/* ---- what is asked ---- */

/* Every text of a prompt is a string somewhere in it. */
static bool has_text(const json_t *json, const char *wanted) {
    const char *name;
    json_t *value;
    size_t i;
    if (json_is_string(json)) {
        return strstr(json_string_value(json), wanted) != NULL;
    }
    json_array_foreach(json, i, value) {
        if (has_text(value, wanted)) {
            return true;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        if (has_text(value, wanted)) {
            return true;
        }
    }
    return false;
}

static size_t count_words(const json_t *json) {
    const char *name;
    json_t *value;
    size_t count = json_is_string(json) ? fake_words_count(fake_text_of(json)) : 0;
    size_t i;
    json_array_foreach(json, i, value) {
        count += count_words(value);
    }
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        count += count_words(value);
    }
    return count;
}

/* The first text of a message's content: a string, or parts. */
static struct edda_text content_text(const json_t *message) {
    const json_t *content = json_object_get(message, "content");
    if (json_is_string(content)) {
        return fake_text_of(content);
    }
    const json_t *parts = content ? content : json_object_get(message, "parts");
    return fake_text_of(json_object_get(json_array_get(parts, 0), "text"));
}

static struct edda_text last_question(const json_t *messages) {
    for (size_t i = json_array_size(messages); i > 0; i--) {
        const json_t *message = json_array_get(messages, i - 1);
        const json_t *role = json_object_get(message, "role");
        struct edda_text text = content_text(message);
        if (text.size > 0 && (!role || edda_text_is(fake_text_of(role), "user"))) {
            return text;
        }
    }
    return (struct edda_text){NULL, 0};
}

static const char *literal_answer(const struct fake_request *request) {
    const json_t *rule;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)request->behaviour->answers, i, rule) {
        const char *wanted = json_string_value(json_object_get(rule, "contains"));
        const char *text = json_string_value(json_object_get(rule, "text"));
        if (wanted && text && has_text(request->json, wanted)) {
            return text;
        }
    }
    return request->behaviour->answer;
}

static int64_t most_tokens(const json_t *json) {
    static const char *const names[] = {"max_completion_tokens", "max_tokens", "maxOutputTokens"};
    const json_t *configuration = json_object_get(json, "generationConfig");
    for (size_t i = 0; i < 3; i++) {
        const json_t *most = json_object_get(i < 2 ? json : configuration, names[i]);
        if (json_is_integer(most)) {
            return json_integer_value(most);
        }
    }
    return INT64_MAX;
}

/* ---- tokens ---- */

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static struct edda_text token_at(struct edda_text text, size_t at) {
    size_t end = at;
    while (end < text.size && is_blank(text.data[end])) {
        end++;
    }
    while (end < text.size && !is_blank(text.data[end])) {
        end++;
    }
    while (end < text.size && is_blank(text.data[end])) {
        end++;
    }
    return (struct edda_text){text.data + at, end - at};
}

static size_t count_tokens(struct edda_text text) {
    size_t count = 0;
    for (size_t at = 0; at < text.size; count++) {
        at += token_at(text, at).size;
    }
    return count;
}

static struct edda_text take_token(struct fake_chat *chat) {
    struct edda_text base = {(const char *)chat->base.data, chat->base.size};
    struct edda_text token = token_at(base, chat->at);
    chat->at = chat->at + token.size < base.size ? chat->at + token.size : 0;
    chat->sent++;
    return token;
}

/* A literal answer is its own tokens; a made-up one cites, and has the question's words again and
 * again. */
static void choose_text(struct fake_chat *chat, struct edda_text question) {
    const char *literal = literal_answer(chat->request);
    if (literal) {
        (void)edda_buffer_append_text(&chat->base, literal);
        chat->tokens = count_tokens((struct edda_text){literal, strlen(literal)});
        return;
    }
    (void)edda_buffer_append_text(&chat->base, "From [[1]] and [[2]]: ");
    (void)edda_buffer_append(&chat->base, question.data, question.size);
    (void)edda_buffer_append_text(&chat->base, " ");
    chat->tokens = (size_t)chat->request->behaviour->tokens;
}

static void choose_finish(struct fake_chat *chat) {
    int64_t most = most_tokens(chat->request->json);
    chat->finish = "stop";
    if (most < (int64_t)chat->tokens) {
        chat->tokens = most > 0 ? (size_t)most : 0;
        chat->finish = "length";
    }
    if (chat->request->behaviour->finish) {
        chat->finish = chat->request->behaviour->finish;
    }
}

static bool is_streamed(const struct fake_request *request) {
    static const char path[] = ":streamGenerateContent";
    size_t size = sizeof path - 1;
    return json_is_true(json_object_get(request->json, "stream")) ||
           (request->path.size > size &&
            memcmp(request->path.data + request->path.size - size, path, size) == 0);
}

int fake_chat_begin(struct fake_chat *chat, const struct fake_request *request,
                    const char **ret_message) {
    bool gemini = request->provider == FAKE_GEMINI;
    const json_t *messages = json_object_get(request->json, gemini ? "contents" : "messages");
    const json_t *options = json_object_get(request->json, "stream_options");
    struct edda_text question = last_question(messages);
    *chat = (struct fake_chat){.request = request, .stream = is_streamed(request)};
    edda_buffer_init(&chat->base, SIZE_MAX / 4);
    *ret_message = question.data ? NULL : "there is no message of a user";
    if (gemini && chat->stream && !edda_text_is(request->query, "alt=sse")) {
        *ret_message = "only alt=sse is spoken here";
    }
    if (*ret_message) {
        return 400;
    }
    const char *model = fake_request_model(request, chat->model, sizeof chat->model);
    if (model != chat->model) {
        (void)snprintf(chat->model, sizeof chat->model, "%s", model);
    }
    chat->include_usage = json_is_true(json_object_get(options, "include_usage"));
    chat->prompt_tokens = count_words(request->json);
    choose_text(chat, question);
    choose_finish(chat);
    return 0;
}

void fake_chat_done(struct fake_chat *chat) {
    edda_buffer_done(&chat->base);
}

/* ---- events ---- */

int64_t fake_chat_due(const struct fake_chat *chat) {
    const struct fake_behaviour *behaviour = chat->request->behaviour;
    if (!chat->begun) {
        return 0;
    }
    size_t before = chat->sent < chat->tokens || chat->sent == 0 ? chat->sent : chat->sent - 1;
    return behaviour->first_token_ms + (int64_t)before * behaviour->token_ms;
}

/* What goes wrong instead of the next event, if anything; true: something did. */
static bool go_wrong(struct fake_chat *chat, struct edda_buffer *out) {
    const struct fake_behaviour *behaviour = chat->request->behaviour;
    const struct fake_chat_words *words = fake_chat_words_of(chat->request->provider);
    if (behaviour->error_event >= 0 && (size_t)behaviour->error_event <= chat->sent) {
        words->error(chat, out);
        chat->ended = true;
        return true;
    }
    if (behaviour->half_body && chat->sent == chat->tokens / 2) {
        size_t size = out->size;
        words->token(chat, out, EDDA_TEXT("half of this "));
        out->size = size + (out->size - size) / 2;
        chat->ended = chat->cut = true;
        return true;
    }
    if (behaviour->malformed_sse && !chat->garbled && chat->sent == chat->tokens / 2) {
        edda_write_raw(out, EDDA_TEXT("data: {\"choices\":[{\"delta\":{\"content\":\n\n"));
        chat->garbled = true;
        return true;
    }
    return false;
}

void fake_chat_next(struct fake_chat *chat, struct edda_buffer *out) {
    const struct fake_chat_words *words = fake_chat_words_of(chat->request->provider);
    if (!chat->begun) {
        chat->begun = true;
        words->start(chat, out);
    } else if (go_wrong(chat, out)) {
        return;
    } else if (chat->sent < chat->tokens) {
        words->token(chat, out, take_token(chat));
    } else {
        if (!chat->request->behaviour->no_end_mark) {
            words->end(chat, out);
        }
        chat->ended = true;
    }
}

void fake_chat_whole(struct fake_chat *chat, struct edda_buffer *out) {
    struct edda_buffer text;
    edda_buffer_init(&text, SIZE_MAX / 4);
    while (chat->sent < chat->tokens) {
        struct edda_text token = take_token(chat);
        (void)edda_buffer_append(&text, token.data, token.size);
    }
    fake_chat_words_of(chat->request->provider)
        ->whole(chat, out, (struct edda_text){text.data ? (const char *)text.data : "", text.size});
    edda_buffer_done(&text);
}
