/* ops/command_search.c: `edda search "question"`: ranked passages on a terminal. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ops/answer.h"
#include "ops/command.h"
#include "ops/fetch.h"
#include "ops/terminal.h"

#define PATIENCE_MS 20000
#define LIMIT       5
#define MAX_WIDTH   100

struct search {
    int status; /* exit status */
    bool as_json;
    bool colours;
    size_t width;
};

/* Letters on a terminal, near enough: bytes that do not continue a character. */
static size_t count_letters(const char *text, size_t size) {
    size_t letters = 0;
    for (size_t i = 0; i < size; i++)
        letters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return letters;
}

/* Lines are filled anew; blank lines, which part paragraphs and headings, stay line ends. */
static void print_wrapped(const struct search *search, const char *text) {
    size_t column = 0;
    while (*text) {
        size_t blank = strspn(text, " \t\r\n");
        const char *line = memchr(text, '\n', blank);
        bool parted = line && memchr(line + 1, '\n', blank - (size_t)(line + 1 - text));
        text += blank;
        size_t size = strcspn(text, " \t\r\n");
        if (size == 0)
            break;
        size_t letters = count_letters(text, size);
        if (column > 0 && (parted || column + 1 + letters > search->width - 4)) {
            putchar('\n');
            column = 0;
        }
        printf("%s", column == 0 ? "    " : " ");
        column += letters + (column > 0 ? 1 : 0);
        edda_print_word(stdout, text, size);
        text += size;
    }
    putchar('\n');
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void print_results(const struct search *search, json_t *results) {
    const char *bold = search->colours ? "\033[1m" : "";
    const char *plain = search->colours ? "\033[0m" : "";
    size_t index;
    json_t *result;
    json_array_foreach(results, index, result) {
        printf("%s%zu. ", bold, index + 1);
        edda_print_word(stdout, text_of(result, "memo_title"),
                        strlen(text_of(result, "memo_title")));
        printf("%s  (%.3f, memo %s)\n", plain,
               1.0 - json_number_value(json_object_get(result, "distance")),
               text_of(result, "memo_uuid"));
        print_wrapped(search, text_of(result, "chunk_content"));
        putchar('\n');
    }
    if (json_array_size(results) == 0)
        printf("nothing found\n");
}

static void on_answer(void *context, int status, struct edda_bytes body, const char *error) {
    struct search *search = context;
    char problem[512];
    if (status != 200) {
        edda_answer_problem(status, body, error, problem, sizeof problem);
        fprintf(stderr, "edda search: %s\n", problem);
        return;
    }
    if (search->as_json) {
        fwrite(body.data, 1, body.size, stdout);
        putchar('\n');
        search->status = EDDA_EXIT_OK;
        return;
    }
    json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
    json_t *results = json_object_get(json, "results");
    if (json_is_array(results)) {
        print_results(search, results);
        search->status = EDDA_EXIT_OK;
    } else {
        fprintf(stderr, "edda search: the answer is no list of results\n");
    }
    json_decref(json);
}

static char *make_body(const struct edda_options *options) {
    char *question = edda_words_joined(options);
    json_t *json = question ? json_pack("{s:s, s:i}", "query", question, "limit", LIMIT) : NULL;
    char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    free(question);
    return body;
}

static size_t measure_width(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
        return MAX_WIDTH;
    return size.ws_col < MAX_WIDTH ? size.ws_col : MAX_WIDTH;
}

int edda_command_search(const struct edda_command *command, const struct edda_options *options) {
    struct search search = {
        .status = EDDA_EXIT_FAILED,
        .as_json = edda_options_own(options, "--json"),
        .colours = isatty(STDOUT_FILENO) == 1,
        .width = measure_width(),
    };
    struct edda_fetch_options fetch_options = {
        .url = edda_config_text(options->config, EDDA_CONFIG_URL),
        .key = edda_answer_key(options->config),
        .concurrency = 1,
        .patience_ms = PATIENCE_MS,
    };
    char *body = make_body(options);
    edda_fetch_t *fetch = edda_fetch_new(&fetch_options);
    if (!body || !fetch) {
        edda_fetch_destroy(&fetch);
        free(body);
        return edda_command_misused(command, "the question is no UTF-8 text");
    }
    struct edda_fetch_request request = {
        .method = "POST",
        .path = "/api/v1/search",
        .content_type = "application/json",
        .body = {(const uint8_t *)body, strlen(body)},
        .on_done = on_answer,
        .context = &search,
    };
    if (edda_fetch_add(fetch, &request) != 0 || edda_fetch_run(fetch, NULL, NULL) != 0)
        fprintf(stderr, "edda search: out of memory\n");
    edda_fetch_destroy(&fetch);
    free(body);
    return search.status;
}
