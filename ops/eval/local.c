/* ops/eval/local.c: see local.h. */
#include "ops/eval/local.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/client.h"
#include "actors/runtime/clock.h"
#include "actors/text/parts.h"
#include "actors/text/text.h"
#include "ops/endpoint.h"
#include "ops/launch.h"
#include "ops/progress.h"
#include "proto/body_store.h"
#include "proto/op.h"
#include "proto/uuid.h"

#define OWN_URL      "inproc://edda-eval"
#define PROJECT      "eval"
#define WINDOW       64 /* memos on their way at once */
#define CALL_MS      60000
#define DRAIN_MS     10000
#define RETRY_MS     5
#define LOOK_MS      50
#define REPLY_BYTES  ((size_t)16 << 20)
#define MAX_PARTS    (2 * (EDDA_INLINE_CONTENT_BYTES / EDDA_PART_BYTES) + 2)
#define TITLE_POINTS EDDA_MAX_TITLE

struct edda_local {
    char directory[256];
    bool made; /* the directory */
    int signal_fd;
    void *zmq_context;
    edda_launch_t *launch;
    edda_loop_t *loop;
    edda_client_t *client;
    struct edda_uuid *memos; /* by document: made here, ascending */
    size_t memo_count;
    char model[EDDA_MAX_NAME + 1];
    struct edda_buffer buffer; /* arguments on their way out */
    struct edda_timer timer;
    char *message; /* of the call under way */

    /* The exchange under way. */
    bool replied;
    int error;
    uint16_t type;
    struct edda_arena *arena;
    struct edda_bytes body; /* in arena */
    char degraded[64];

    /* The ingest under way. */
    const struct edda_collection *collection;
    struct edda_progress progress;
    size_t next;
    size_t open;
};

static void stop_loop(void *context) {
    edda_local_t *self = context;
    edda_loop_stop(self->loop);
}

static void pause_for(edda_local_t *self, int64_t wait_ms) {
    edda_loop_timer_set(self->loop, &self->timer, edda_clock_ms() + wait_ms);
    (void)edda_loop_run(self->loop);
    edda_loop_timer_cancel(self->loop, &self->timer);
}

static int say(edda_local_t *self, int error, const char *first, const char *second) {
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
        return say(self, EDDA_E_IO, "cannot make a directory like ", self->directory);
    self->made = true;
    int error = edda_data_prepare(self->directory, self->message, EDDA_LOCAL_MESSAGE);
    if (!error && edda_config_flag(config, "--data", self->directory, &why) != 0)
        error = say(self, EDDA_E_INVALID, why ? why : "", "");
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
            say(self, error, "interrupted", "");
        else if (error)
            say(self, error, "the part that did not start: ", ended ? ended : names[i]);
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
    return self->client ? 0 : say(self, EDDA_E_MEMORY, "out of memory", "");
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
        pause_for(self, 10); /* or the broker takes us for lost and warns */
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
        fprintf(stderr, "edda eval: the data directory is kept in %s (project " PROJECT ")\n",
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
        say(self, 0, edda_error_text(reply->error), "");
    else if (reply->body.size > 0) {
        uint8_t *copy = edda_arena_take(self->arena, reply->body.size);
        self->body = (struct edda_bytes){copy, copy ? reply->body.size : 0};
        if (copy)
            memcpy(copy, reply->body.data, reply->body.size);
        else
            self->error = say(self, EDDA_E_MEMORY, "the answer is too large", "");
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
        .project = EDDA_TEXT(PROJECT),
        .ttl_ms = CALL_MS,
        .broker = -1,
        .on_reply = take_reply,
        .context = self,
    };
    self->replied = false;
    self->arena = arena;
    self->body = (struct edda_bytes){NULL, 0};
    int error;
    while ((error = edda_client_call(self->client, &request, NULL)) == EDDA_E_BUSY)
        pause_for(self, RETRY_MS);
    if (error)
        return say(self, error, edda_error_text(error), "");
    int ran = 0;
    while (!self->replied && ran == 0)
        ran = edda_loop_run(self->loop);
    if (edda_signals_take(self->signal_fd))
        return say(self, EDDA_E_CANCELLED, "interrupted", "");
    if (!self->replied)
        return say(self, EDDA_E_INTERNAL, "no reply came", "");
    if (self->error)
        return self->error;
    if (self->degraded[0])
        return say(self, EDDA_E_FAILED, "a search went on without ", self->degraded);
    error = self->type == last->output
                ? edda_body_decode(last->output, self->body, arena, ret_record)
                : EDDA_E_TYPE;
    return error ? say(self, error, edda_error_text(error), "") : 0;
}

/* Encodes arguments behind those before; the views are made at the end, by place_steps. */
static int add_step(edda_local_t *self, struct edda_step *step, const char *op, uint16_t type,
                    const void *record) {
    size_t from = self->buffer.size;
    int error = edda_body_encode(type, record, &self->buffer);
    *step = (struct edda_step){.op = op, .type = type};
    step->arguments.size = self->buffer.size - from;
    return error;
}

static void place_steps(edda_local_t *self, struct edda_step *steps, size_t count) {
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        steps[i].arguments.data = self->buffer.data + from;
        from += steps[i].arguments.size;
    }
}

static int call(edda_local_t *self, const char *op, const void *arguments, struct edda_arena *arena,
                void *ret_record) {
    struct edda_step step;
    edda_buffer_reset(&self->buffer);
    int error = add_step(self, &step, op, edda_op_find(edda_text_of(op))->arguments, arguments);
    if (error)
        return say(self, error, edda_error_text(error), "");
    place_steps(self, &step, 1);
    return exchange(self, &step, 1, arena, ret_record);
}

/* ---- ingest ---- */

/* What the HTTP API asks for: a title, and a text. */
static struct edda_text title_of(const struct edda_judged_document *document) {
    const char *title = document->title[0] ? document->title : document->id;
    return edda_text_prefix(edda_text_of(title), TITLE_POINTS);
}

static struct edda_text text_of(const struct edda_judged_document *document) {
    return edda_text_of(document->text[0] ? document->text : document->title);
}

static void send_more(edda_local_t *self);

static void take_accepted(void *context, const struct edda_reply *reply) {
    edda_local_t *self = context;
    self->open--;
    if (reply->error && !self->error) {
        self->error = reply->error;
        snprintf(self->message, EDDA_LOCAL_MESSAGE, "a document was refused: %.*s",
                 (int)reply->detail.text.size,
                 reply->detail.text.size ? reply->detail.text.data : "");
    }
    if (!self->error && edda_signals_take(self->signal_fd))
        self->error = say(self, EDDA_E_CANCELLED, "interrupted", "");
    edda_progress_show(&self->progress, "accepting", self->next - self->open, 0);
    send_more(self);
    if (self->open == 0)
        edda_loop_stop(self->loop);
}

static int send_document(edda_local_t *self, size_t number) {
    const struct edda_judged_document *document = &self->collection->documents[number];
    struct edda_text rest = text_of(document);
    struct edda_text parts[MAX_PARTS];
    struct edda_store_accept accept = {
        .memo = self->memos[number],
        .title = title_of(document),
        .content_bytes = rest.size,
        .reference_id = edda_text_of(document->id),
        .type = EDDA_TEXT("plaintext"),
        .format = EDDA_TEXT("markdown"),
    };
    if (rest.size > EDDA_INLINE_CONTENT_BYTES)
        return say(self, EDDA_E_LIMIT, "longer than 512 KiB, which is too long here: document ",
                   document->id);
    while (rest.size > 0) {
        size_t size = edda_parts_cut(rest);
        EDDA_ASSERT(accept.parts.count < MAX_PARTS && size > 0);
        parts[accept.parts.count++] = (struct edda_text){rest.data, size};
        rest = (struct edda_text){rest.data + size, rest.size - size};
    }
    accept.parts.items = parts;
    struct edda_step step;
    edda_buffer_reset(&self->buffer);
    int error = add_step(self, &step, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    if (error)
        return say(self, error, edda_error_text(error), "");
    place_steps(self, &step, 1);
    struct edda_request request = {
        .steps = &step,
        .step_count = 1,
        .project = EDDA_TEXT(PROJECT),
        .ttl_ms = CALL_MS,
        .broker = -1,
        .on_reply = take_accepted,
        .context = self,
    };
    error = edda_client_call(self->client, &request, NULL);
    return !error || error == EDDA_E_BUSY ? error : say(self, error, edda_error_text(error), "");
}

static void send_more(edda_local_t *self) {
    while (!self->error && self->open < WINDOW && self->next < self->collection->document_count) {
        int error = send_document(self, self->next);
        if (error == EDDA_E_BUSY)
            return; /* a reply, or the timer, tries again */
        if (error) {
            self->error = error;
            return;
        }
        self->next++;
        self->open++;
    }
}

static int accept_all(edda_local_t *self) {
    self->next = 0;
    self->open = 0;
    self->error = 0;
    send_more(self);
    while (self->open > 0 || (!self->error && self->next < self->collection->document_count)) {
        pause_for(self, LOOK_MS);
        send_more(self);
    }
    return self->error;
}

static int wait_until_processed(edda_local_t *self) {
    struct edda_store_statistics statistics;
    struct edda_arena arena;
    const uint8_t nothing = 0;
    for (;;) {
        edda_arena_init(&arena, REPLY_BYTES);
        int error = call(self, "store.statistics", &nothing, &arena, &statistics);
        edda_arena_done(&arena);
        if (error)
            return error;
        if (statistics.jobs_dead > 0 || statistics.memos_error > 0)
            return say(self, EDDA_E_FAILED, "a document could not be processed", "");
        uint64_t left = statistics.memos_processing;
        if (left == 0 && statistics.jobs_ready + statistics.jobs_leased == 0)
            return 0;
        edda_progress_show(&self->progress, "processing", self->memo_count - (size_t)left, 0);
        pause_for(self, LOOK_MS);
    }
}

/* The embedder says what model it has by embedding a word. */
static int learn_model(edda_local_t *self) {
    struct edda_text word = EDDA_TEXT("edda");
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("query"), .texts = {&word, 1}};
    struct edda_embeddings embeddings;
    struct edda_arena arena;
    edda_arena_init(&arena, REPLY_BYTES);
    int error = call(self, "embed", &arguments, &arena, &embeddings);
    if (!error)
        snprintf(self->model, sizeof self->model, "%.*s", (int)embeddings.model.size,
                 embeddings.model.size ? embeddings.model.data : "");
    edda_arena_done(&arena);
    return error;
}

int edda_local_ingest(edda_local_t *self, const struct edda_collection *collection,
                      char message[EDDA_LOCAL_MESSAGE]) {
    int64_t start_ms = edda_clock_wall_ms();
    self->message = message;
    self->collection = collection;
    self->memo_count = collection->document_count;
    self->memos = malloc((self->memo_count + 1) * sizeof *self->memos);
    if (!self->memos)
        return say(self, EDDA_E_MEMORY, "out of memory", "");
    /* One millisecond each, so that they ascend and a document is found by bisection. */
    for (size_t i = 0; i < self->memo_count; i++)
        self->memos[i] = edda_uuid_v7(start_ms + (int64_t)i, (const uint8_t[10]){0});
    edda_progress_init(&self->progress, self->memo_count);
    int error = accept_all(self);
    if (!error)
        error = wait_until_processed(self);
    edda_progress_clear(&self->progress);
    return error ? error : learn_model(self);
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
    int error = add_step(self, &steps[0], "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    if (!error)
        error = add_step(self, &steps[1], "store.search", EDDA_BODY_STORE_SEARCH, &find);
    if (!error)
        error = add_step(self, &steps[2], "rerank", EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    if (error)
        return say(self, error, "a query cannot be sent: ", edda_error_text(error));
    place_steps(self, steps, 3);
    double cpu_before = cpu_ms();
    int64_t before_us = edda_clock_us();
    error = exchange(self, steps, count, arena, ret_hits);
    ret_cost->wall_ms = (double)(edda_clock_us() - before_us) / 1e3;
    ret_cost->cpu_ms = cpu_ms() - cpu_before;
    if (!error && ret_hits->degraded.count > 0)
        error = say(self, EDDA_E_FAILED, "a search went on without a leg: ",
                    edda_text_is(ret_hits->degraded.items[0], "vector") ? "vector" : "words");
    return error;
}
