/* ops/command_chat.c: `edda chat "question"`: an answer as it is written, then where it is from. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/provider/sse.h"
#include "ops/answer.h"
#include "ops/command.h"
#include "ops/fetch.h"
#include "ops/terminal.h"

#define PATIENCE_MS  10000
#define MAX_ANSWER   ((size_t)4 * 1024 * 1024)
#define LONGEST_CITE 16 /* "[[4294967295]]" */

struct chat {
    bool as_json;
    bool colours;
    bool done;
    bool failed;
    struct edda_event_reader reader;
    struct edda_buffer answer; /* as it was printed, for what it cites */
    json_t *references;        /* owned, or NULL */
};

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* On standard error, so that the answer alone can be piped on. */
static void print_degraded(const json_t *done) {
    const json_t *names = json_object_get(done, "degraded");
    size_t index;
    json_t *name;
    if (json_array_size(names) == 0)
        return;
    fprintf(stderr, "edda chat: without");
    json_array_foreach((json_t *)(uintptr_t)names, index, name) {
        fprintf(stderr, "%s ", index > 0 ? "," : "");
        edda_print_word(stderr, json_string_value(name), json_string_length(name));
    }
    fprintf(stderr, "\n");
}

static bool is_cited(const struct chat *chat, const char *number) {
    char cite[LONGEST_CITE];
    int size = snprintf(cite, sizeof cite, "[[%s]]", number);
    return chat->answer.size > 0 && size > 0 && (size_t)size < sizeof cite &&
           memmem(chat->answer.data, chat->answer.size, cite, (size_t)size);
}

static void print_source(const struct chat *chat, const char *number, const json_t *source) {
    const char *title = text_of(source, "memo_title");
    const char *memo = text_of(source, "memo_uuid");
    printf("%s[", chat->colours ? "\033[1m" : "");
    edda_print_word(stdout, number, strlen(number));
    printf("]%s ", chat->colours ? "\033[0m" : "");
    edda_print_word(stdout, title, strlen(title));
    printf("  (memo ");
    edda_print_word(stdout, memo, strlen(memo));
    printf(")\n");
}

/* Those the answer cites; all of them when it cites none. */
static void print_sources(struct chat *chat) {
    const char *number;
    json_t *source;
    bool any = false;
    json_object_foreach(chat->references, number, source) {
        any = any || is_cited(chat, number);
    }
    if (json_object_size(chat->references) > 0)
        printf("\n");
    json_object_foreach(chat->references, number, source) {
        if (!any || is_cited(chat, number))
            print_source(chat, number, source);
    }
}

static void take_token(struct chat *chat, const json_t *event) {
    const json_t *content = json_object_get(event, "content");
    const char *text = json_string_value(content);
    if (!text)
        return;
    edda_print_lines(stdout, text, json_string_length(content));
    (void)fflush(stdout);
    (void)edda_buffer_append(&chat->answer, text, json_string_length(content));
}

static void take_error(struct chat *chat, const json_t *event) {
    const char *content = text_of(event, "content");
    const char *reason = text_of(event, "reason");
    printf("%s", chat->answer.size > 0 ? "\n" : "");
    (void)fflush(stdout);
    fprintf(stderr, "edda chat: ");
    edda_print_word(stderr, content, strlen(content));
    fprintf(stderr, "%s", reason[0] ? ": " : "");
    edda_print_word(stderr, reason, strlen(reason));
    fprintf(stderr, "\n");
    chat->failed = true;
}

static void take_done(struct chat *chat, const json_t *event) {
    chat->done = true;
    if (chat->failed)
        return;
    printf("\n");
    print_sources(chat);
    (void)fflush(stdout);
    if (json_is_true(json_object_get(event, "extractive")))
        fprintf(stderr, "edda chat: quoted from the sources, no language model wrote this\n");
    print_degraded(event);
    fprintf(stderr, "edda chat: go on with --chat ");
    edda_print_word(stderr, text_of(event, "chat_id"), strlen(text_of(event, "chat_id")));
    fprintf(stderr, "\n");
}

/* Lines that are no event of ours are passed over, as every client of this stream does. */
static int take_event(void *context, struct edda_text name, struct edda_text data) {
    struct chat *chat = context;
    json_t *event = json_loadb(data.data, data.size, JSON_ALLOW_NUL, NULL);
    const char *type = text_of(event, "type");
    (void)name;
    if (strcmp(type, "token") == 0) {
        take_token(chat, event);
    } else if (strcmp(type, "references") == 0) {
        json_decref(chat->references);
        chat->references = json_loads(text_of(event, "content"), JSON_ALLOW_NUL, NULL);
    } else if (strcmp(type, "error") == 0) {
        take_error(chat, event);
    } else if (strcmp(type, "done") == 0) {
        take_done(chat, event);
    }
    json_decref(event);
    return 0;
}

static bool on_bytes(void *context, struct edda_bytes bytes) {
    struct chat *chat = context;
    return edda_event_reader_feed(&chat->reader, bytes) == 0;
}

static void on_done(void *context, int status, struct edda_bytes body, const char *error) {
    struct chat *chat = context;
    char problem[512];
    if (status == 200 && chat->as_json) {
        chat->done = true;
        fwrite(body.data, 1, body.size, stdout);
        putchar('\n');
    } else if (status != 200 && !chat->done) {
        printf("%s", chat->answer.size > 0 ? "\n" : "");
        (void)fflush(stdout);
        edda_answer_problem(status, body, error, problem, sizeof problem);
        fprintf(stderr, "edda chat: %s\n", problem);
    } else if (!chat->done) {
        printf("%s", chat->answer.size > 0 ? "\n" : "");
        (void)fflush(stdout);
        fprintf(stderr, "edda chat: the answer broke off\n");
    }
}

static char *make_body(const struct edda_options *options, bool stream) {
    const char *chat = edda_options_own_value(options, "--chat=");
    const char *provider = edda_options_own_value(options, "--provider=");
    bool sources = !edda_options_own(options, "--no-sources");
    char *question = edda_words_joined(options);
    json_t *json = question ? json_pack("{s:s, s:b, s:{s:{s:b}}}", "query", question, "stream",
                                        stream, "rag_config", "references", "enabled", sources)
                            : NULL;
    int failed = 0;
    if (json && chat)
        failed |= json_object_set_new(json, "chat_id", json_string(chat));
    if (json && provider)
        failed |= json_object_set_new(json_object_get(json, "rag_config"), "llm_provider",
                                      json_string(provider));
    char *body = json && !failed ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    free(question);
    return body;
}

static void ask(struct chat *chat, const struct edda_options *options, const char *body) {
    struct edda_fetch_options fetch_options = {
        .url = edda_config_text(options->config, EDDA_CONFIG_URL),
        .key = edda_answer_key(options->config),
        .concurrency = 1,
        .patience_ms = PATIENCE_MS,
    };
    struct edda_fetch_request request = {
        .method = "POST",
        .path = "/api/v1/chat",
        .content_type = "application/json",
        .body = {(const uint8_t *)body, strlen(body)},
        .once = true,
        .on_bytes = chat->as_json ? NULL : on_bytes,
        .on_done = on_done,
        .context = chat,
    };
    edda_fetch_t *fetch = edda_fetch_new(&fetch_options);
    if (!fetch || edda_fetch_add(fetch, &request) != 0 || edda_fetch_run(fetch, NULL, NULL) != 0)
        fprintf(stderr, "edda chat: out of memory\n");
    edda_fetch_destroy(&fetch);
}

int edda_command_chat(const struct edda_command *command, const struct edda_options *options) {
    struct chat chat = {
        .as_json = edda_options_own(options, "--json"),
        .colours = isatty(STDOUT_FILENO) == 1,
    };
    char *body = make_body(options, !chat.as_json);
    if (!body)
        return edda_command_misused(command, "what was given is no UTF-8 text");
    edda_event_reader_init(&chat.reader, take_event, &chat);
    edda_buffer_init(&chat.answer, MAX_ANSWER);
    ask(&chat, options, body);
    edda_event_reader_done(&chat.reader);
    edda_buffer_done(&chat.answer);
    json_decref(chat.references);
    free(body);
    return chat.done && !chat.failed ? EDDA_EXIT_OK : EDDA_EXIT_FAILED;
}
