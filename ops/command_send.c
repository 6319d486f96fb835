/* ops/command_send.c: `edda send OP < args.json`: one step to one stage, its output as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/json.h"
#include "actors/runtime/nearest.h"
#include "ops/command.h"
#include "ops/session.h"

#define ARENA_BYTES     (64u << 20)
#define MAX_INPUT_BYTES (16u << 20)
#define MAX_OPS         64

static int report(const char *first, const char *second) {
    fprintf(stderr, "edda send: %s%s\n", first, second);
    return EDDA_EXIT_FAILED;
}

static int list_ops(FILE *out) {
    size_t count = 0;
    const struct edda_op *table = edda_op_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct edda_schema *arguments = edda_body_schema(table[i].arguments);
        fprintf(out, "%-18s %s%s\n", table[i].name, table[i].meaning,
                table[i].input != EDDA_BODY_NONE ? " (a later step of a flow, not sent alone)"
                                                 : "");
        for (size_t n = 0; arguments && n < arguments->count; n++)
            fprintf(out, "%s%s%s", n == 0 ? "                   takes: " : ", ",
                    arguments->fields[n].name, arguments->fields[n].required ? " (needed)" : "");
        if (arguments && arguments->count > 0)
            fprintf(out, "\n");
    }
    return EDDA_EXIT_OK;
}

static int refuse_op(const char *name) {
    size_t count = 0;
    const struct edda_op *table = edda_op_table(&count);
    const char *known[MAX_OPS] = {NULL};
    count = count < MAX_OPS ? count : MAX_OPS;
    for (size_t i = 0; i < count; i++)
        known[i] = table[i].name;
    const char *nearest = edda_nearest(name, known, count, edda_nearest_typo(name));
    fprintf(stderr, "edda send: there is no op %s%s%s%s; `edda send` lists them\n", name,
            nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return EDDA_EXIT_USAGE;
}

/* Everything on standard input; an empty or missing input is an empty object. A terminal is not
 * waited for. */
static int read_arguments(json_t **ret_json, char *message, size_t message_size) {
    char *text = malloc(MAX_INPUT_BYTES + 1);
    if (!text)
        return EDDA_E_MEMORY;
    size_t size = 0;
    ssize_t got = 0;
    if (!isatty(STDIN_FILENO)) {
        while (size <= MAX_INPUT_BYTES &&
               (got = read(STDIN_FILENO, text + size, MAX_INPUT_BYTES + 1 - size)) > 0)
            size += (size_t)got;
    }
    size_t blank = 0;
    while (blank < size && strchr(" \t\r\n", text[blank]))
        blank++;
    json_error_t problem;
    int error = 0;
    if (size > MAX_INPUT_BYTES) {
        snprintf(message, message_size, "more than %u bytes of arguments", MAX_INPUT_BYTES);
        error = EDDA_E_LIMIT;
    } else if (blank == size) {
        *ret_json = json_object();
    } else {
        *ret_json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
        if (!*ret_json) {
            snprintf(message, message_size, "the arguments are not JSON: line %d: %s", problem.line,
                     problem.text);
            error = EDDA_E_INVALID;
        }
    }
    free(text);
    return error;
}

static int print_output(const struct edda_op *op, const void *record) {
    json_t *json = edda_json_from_body(op->output, record);
    if (!json)
        return report("out of memory", "");
    int written = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(json);
    return written == 0 && printf("\n") > 0 ? EDDA_EXIT_OK : report("could not write", "");
}

/* JSON to body, over the wire, body to JSON. */
static int send_one(const struct edda_op *op, const struct edda_options *options,
                    const json_t *json, struct edda_arena *arena) {
    const struct edda_schema *takes = edda_body_schema(op->arguments);
    const struct edda_schema *gives = edda_body_schema(op->output);
    if (!takes || !gives)
        return report(op->name, " cannot be sent alone");
    void *record = edda_arena_take(arena, takes->size);
    void *output = edda_arena_take(arena, gives->size);
    if (!record || !output)
        return report("out of memory", "");
    const char *why = NULL;
    if (edda_json_to_body(op->arguments, json, arena, record, &why) != 0)
        return report("arguments: ", why ? why : "not what this op takes");
    char message[EDDA_SESSION_MESSAGE];
    edda_session_t *session = NULL;
    if (edda_session_open(options->config, EDDA_SESSION_FAILS, &session, message) != 0)
        return report(message, "");
    const char *project = edda_config_text(options->config, EDDA_CONFIG_PROJECT);
    int error = edda_session_call(session, op, project, record, arena, output, message);
    int status = error == 0 ? print_output(op, output) : report(message, "");
    edda_session_close(&session);
    return status;
}

int edda_command_send(const struct edda_command *command, const struct edda_options *options) {
    if (options->word_count == 0)
        return list_ops(stdout);
    const struct edda_op *op = edda_op_find(edda_text_of(options->words[0]));
    if (!op)
        return refuse_op(options->words[0]);
    if (op->input != EDDA_BODY_NONE)
        return edda_command_misused(
            command, "%s works on another step's output and cannot be sent alone", op->name);
    char message[256] = "out of memory";
    json_t *json = NULL;
    if (read_arguments(&json, message, sizeof message) != 0 || !json)
        return report(message, "");
    struct edda_arena arena;
    edda_arena_init(&arena, ARENA_BYTES);
    int status = send_one(op, options, json, &arena);
    edda_arena_done(&arena);
    json_decref(json);
    return status;
}
