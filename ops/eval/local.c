/* ops/eval/local.c: the parts up and down, one exchange of messages, a search. */
#include "ops/eval/local_state.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "ops/endpoint.h"
#include "proto/body_store.h"
#include "proto/op.h"

#define OWN_URL  "inproc://edda-eval"
#define DRAIN_MS 10000
#define RETRY_MS 5

static void stop_loop(void *context) {
    edda_local_t *self = context;
    edda_loop_stop(self->loop);
}

void edda_local_pause(edda_local_t *self, int64_t wait_ms) {
    edda_loop_timer_set(self->loop, &self->timer, edda_clock_ms() + wait_ms);
    (void)edda_loop_run(self->loop);
    edda_loop_timer_cancel(self->loop, &self->timer);
}

int edda_local_say(edda_local_t *self, int error, const char *first, const char *second) {
    snprintf(self->message, EDDA_LOCAL_MESSAGE, "%s%s", first, second);
    return error;
}

/* ---- up and down ---- */

static int make_directory(edda_local_t *self, edda_config_t *config) {
    const char *root = getenv("TMPDIR");
    const char *why = NULL;
    snprintf(self->directory, sizeof self->directory, "%s/edda-eval-XXXXXX",
             root && root[0] ? root : "/tmp");
    if (!mkdtemp(self->directory))
        return edda_local_say(self, EDDA_E_IO, "cannot make a directory like ", self->directory);
    self->made = true;
    int error = edda_data_prepare(self->directory, self->message, EDDA_LOCAL_MESSAGE);
    if (!error && edda_config_flag(config, "--data", self->directory, &why) != 0)
        error = edda_local_say(self, EDDA_E_INVALID, why ? why : "", "");
    return error;
}

static int start_parts(edda_local_t *self) {
    static const char *const names[] = {"broker", "store", "chunker", "embedder", "reranker"};
    const char *url = OWN_URL;
    int error = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !error; i++) {
        const char *ended = names[i];
        error = i == 0
                    ? edda_launch_start(self->launch, edda_part_find(names[i]), NULL, 0, &url, 1)
                    : edda_launch_start(self->launch, edda_part_find(names[i]), &url, 1, NULL, 0);
        if (!error)
            error = edda_launch_wait_ready(self->launch, &ended);
        if (error == EDDA_E_CANCELLED)
            edda_local_say(self, error, "interrupted", "");
        else if (error)
            edda_local_say(self, error, "the part that did not start: ", ended ? ended : names[i]);
    }
    return error;
}

static int connect_client(edda_local_t *self) {
    const char *url = OWN_URL;
    self->loop = edda_loop_new("eval");
    struct edda_client_options options = {
        .loop = self->loop,
        .zmq_context = self->zmq_context,
        .brokers = &url,
        .broker_count = 1,
        .role = "cli",
        .name = "eval",
    };
    self->client = self->loop ? edda_client_new(&options) : NULL;
    return self->client ? 0 : edda_local_say(self, EDDA_E_MEMORY, "out of memory", "");
}

int edda_local_open(edda_config_t *config, edda_local_t **ret_local,
                    char message[EDDA_LOCAL_MESSAGE]) {
    edda_local_t *self = calloc(1, sizeof *self);
    snprintf(message, EDDA_LOCAL_MESSAGE, "out of memory");
    if (!self)
        return EDDA_E_MEMORY;
    self->message = message;
    self->timer = (struct edda_timer){.fire = stop_loop, .context = self, .name = "eval"};
    edda_buffer_init(&self->buffer, EDDA_MAX_FRAME_BYTES);
    edda_process_tune();
    self->signal_fd = edda_signals_open();
    int error = make_directory(self, config);
    if (!error) {
        self->zmq_context = edda_context_new();
        self->launch =
            self->zmq_context ? edda_launch_new(config, self->zmq_context, self->signal_fd) : NULL;
        error = self->launch ? start_parts(self) : EDDA_E_MEMORY;
    }
    if (!error)
        error = connect_client(self);
    if (error)
        edda_local_close(&self, false);
    else
        *ret_local = self;
    return error;
}

static int remove_one(const char *path, const struct stat *state, int kind, struct FTW *place) {
    (void)state;
    (void)kind;
    (void)place;
    return remove(path) == 0 ? 0 : -1;
}

void edda_local_close(edda_local_t **self_p, bool keep) {
    edda_local_t *self = *self_p;
    if (!self)
        return;
    if (self->client) {
        edda_client_leave(self->client);
        edda_local_pause(self, 10); /* or the broker takes us for lost and warns */
        edda_client_destroy(&self->client);
    }
    if (self->loop)
        edda_loop_destroy(&self->loop);
    if (self->launch) {
        if (edda_launch_drain(self->launch, DRAIN_MS) != 0)
            fprintf(stderr, "edda eval: a part did not end cleanly\n");
        edda_launch_destroy(&self->launch);
    }
    edda_context_destroy(&self->zmq_context);
    if (self->signal_fd >= 0)
        close(self->signal_fd);
    if (self->made && keep)
        fprintf(stderr,
                "edda eval: the data directory is kept in %s (project " EDDA_LOCAL_PROJECT ")\n",
                self->directory);
    else if (self->made && nftw(self->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "edda eval: could not remove all of %s\n", self->directory);
    edda_buffer_done(&self->buffer);
    free(self->memos);
    free(self);
    *self_p = NULL;
}

/* ---- one exchange ---- */

static void take_reply(void *context, const struct edda_reply *reply) {
    edda_local_t *self = context;
    struct edda_text text = reply->detail.text;
    self->error = reply->error;
    self->type = reply->type;
    self->replied = true;
    self->degraded[0] = '\0';
    if (reply->degraded_count > 0)
        snprintf(self->degraded, sizeof self->degraded, "%.*s", (int)reply->degraded[0].size,
                 reply->degraded[0].data);
    if (reply->error && text.size > 0)
        snprintf(self->message, EDDA_LOCAL_MESSAGE, "%.*s", (int)text.size, text.data);
    else if (reply->error)
        edda_local_say(self, 0, edda_error_text(reply->error), "");
    else if (reply->body.size > 0) {
        uint8_t *copy = edda_arena_take(self->arena, reply->body.size);
        self->body = (struct edda_bytes){copy, copy ? reply->body.size : 0};
        if (copy)
            memcpy(copy, reply->body.data, reply->body.size);
        else
            self->error = edda_local_say(self, EDDA_E_MEMORY, "the answer is too large", "");
    }
    edda_loop_stop(self->loop);
}

/* Sends the steps and waits for the record they end with. */
static int exchange(edda_local_t *self, const struct edda_step *steps, size_t count,
                    struct edda_arena *arena, void *ret_record) {
    const struct edda_op *last = edda_op_find(edda_text_of(steps[count - 1].op));
    struct edda_request request = {
        .steps = steps,
        .step_count = count,
        .project = EDDA_TEXT(EDDA_LOCAL_PROJECT),
        .ttl_ms = EDDA_LOCAL_CALL_MS,
        .broker = -1,
        .on_reply = take_reply,
        .context = self,
    };
    self->replied = false;
    self->arena = arena;
    self->body = (struct edda_bytes){NULL, 0};
    int error;
    while ((error = edda_client_call(self->client, &request, NULL)) == EDDA_E_BUSY)
        edda_local_pause(self, RETRY_MS);
    if (error)
        return edda_local_say(self, error, edda_error_text(error), "");
    int ran = 0;
    while (!self->replied && ran == 0)
        ran = edda_loop_run(self->loop);
    if (edda_signals_take(self->signal_fd))
        return edda_local_say(self, EDDA_E_CANCELLED, "interrupted", "");
    if (!self->replied)
        return edda_local_say(self, EDDA_E_INTERNAL, "no reply came", "");
    if (self->error)
        return self->error;
    if (self->degraded[0])
        return edda_local_say(self, EDDA_E_FAILED, "a search went on without ", self->degraded);
    error = self->type == last->output
                ? edda_body_decode(last->output, self->body, arena, ret_record)
                : EDDA_E_TYPE;
    return error ? edda_local_say(self, error, edda_error_text(error), "") : 0;
}

int edda_local_add(edda_local_t *self, struct edda_step *step, const char *op, uint16_t type,
                   const void *record) {
    size_t from = self->buffer.size;
    int error = edda_body_encode(type, record, &self->buffer);
    *step = (struct edda_step){.op = op, .type = type};
    step->arguments.size = self->buffer.size - from;
    return error;
}

void edda_local_place(edda_local_t *self, struct edda_step *steps, size_t count) {
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        steps[i].arguments.data = self->buffer.data + from;
        from += steps[i].arguments.size;
    }
}

int edda_local_call(edda_local_t *self, const char *op, const void *arguments,
                    struct edda_arena *arena, void *ret_record) {
    struct edda_step step;
    edda_buffer_reset(&self->buffer);
    int error =
        edda_local_add(self, &step, op, edda_op_find(edda_text_of(op))->arguments, arguments);
    if (error)
        return edda_local_say(self, error, edda_error_text(error), "");
    edda_local_place(self, &step, 1);
    return exchange(self, &step, 1, arena, ret_record);
}

/* ---- searching ---- */

size_t edda_local_document(const edda_local_t *self, const struct edda_uuid *memo) {
    size_t low = 0;
    size_t high = self->memo_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(self->memos[middle].bytes, memo->bytes, sizeof memo->bytes);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return EDDA_NO_DOCUMENT;
}

const char *edda_local_model(const edda_local_t *self) {
    return self->model;
}

static double cpu_ms(void) {
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e3 + (double)spent.tv_nsec / 1e6;
}

int edda_local_find(edda_local_t *self, const struct edda_local_search *search,
                    struct edda_arena *arena, struct edda_hits *ret_hits,
                    struct edda_local_cost *ret_cost, char message[EDDA_LOCAL_MESSAGE]) {
    struct edda_text query = search->query;
    struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("query"), .texts = {&query, 1}};
    struct edda_store_search find = {.query = search->vector_alone ? EDDA_TEXT("") : query,
                                     .limit = search->limit,
                                     .without = search->without};
    struct edda_rerank_arguments rerank = {.query = query, .without = search->without_rerank};
    struct edda_step steps[3];
    size_t count = search->first_stage || search->vector_alone ? 2 : 3;
    self->message = message;
    edda_buffer_reset(&self->buffer);
    int error = edda_local_add(self, &steps[0], "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    if (!error)
        error = edda_local_add(self, &steps[1], "store.search", EDDA_BODY_STORE_SEARCH, &find);
    if (!error)
        error = edda_local_add(self, &steps[2], "rerank", EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    if (error)
        return edda_local_say(self, error, "a query cannot be sent: ", edda_error_text(error));
    edda_local_place(self, steps, 3);
    double cpu_before = cpu_ms();
    int64_t before_us = edda_clock_us();
    error = exchange(self, steps, count, arena, ret_hits);
    ret_cost->wall_ms = (double)(edda_clock_us() - before_us) / 1e3;
    ret_cost->cpu_ms = cpu_ms() - cpu_before;
    if (!error && ret_hits->degraded.count > 0)
        error = edda_local_say(self, EDDA_E_FAILED, "a search went on without a leg: ",
                               edda_text_is(ret_hits->degraded.items[0], "vector") ? "vector"
                                                                                   : "words");
    return error;
}
