/* ops/eval/local_ingest.c: a collection's documents accepted and processed. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/text/parts.h"
#include "actors/text/text.h"
#include "ops/eval/local_state.h"
#include "proto/body.h"
#include "proto/body_store.h"
#include "proto/uuid.h"

#define WINDOW       64 /* memos on their way at once */
#define LOOK_MS      50
#define REPLY_BYTES  ((size_t)16 << 20)
#define MAX_PARTS    (2 * (EDDA_INLINE_CONTENT_BYTES / EDDA_PART_BYTES) + 2)
#define TITLE_POINTS EDDA_MAX_TITLE

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
        self->error = edda_local_say(self, EDDA_E_CANCELLED, "interrupted", "");
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
        return edda_local_say(self, EDDA_E_LIMIT,
                              "longer than 512 KiB, which is too long here: document ",
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
    int error = edda_local_add(self, &step, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    if (error)
        return edda_local_say(self, error, edda_error_text(error), "");
    edda_local_place(self, &step, 1);
    struct edda_request request = {
        .steps = &step,
        .step_count = 1,
        .project = EDDA_TEXT(EDDA_LOCAL_PROJECT),
        .ttl_ms = EDDA_LOCAL_CALL_MS,
        .broker = -1,
        .on_reply = take_accepted,
        .context = self,
    };
    error = edda_client_call(self->client, &request, NULL);
    return !error || error == EDDA_E_BUSY ? error
                                          : edda_local_say(self, error, edda_error_text(error), "");
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
        edda_local_pause(self, LOOK_MS);
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
        int error = edda_local_call(self, "store.statistics", &nothing, &arena, &statistics);
        edda_arena_done(&arena);
        if (error)
            return error;
        if (statistics.jobs_dead > 0 || statistics.memos_error > 0)
            return edda_local_say(self, EDDA_E_FAILED, "a document could not be processed", "");
        uint64_t left = statistics.memos_processing;
        if (left == 0 && statistics.jobs_ready + statistics.jobs_leased == 0)
            return 0;
        edda_progress_show(&self->progress, "processing", self->memo_count - (size_t)left, 0);
        edda_local_pause(self, LOOK_MS);
    }
}

/* The embedder says what model it has by embedding a word. */
static int learn_model(edda_local_t *self) {
    struct edda_text word = EDDA_TEXT("edda");
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("query"), .texts = {&word, 1}};
    struct edda_embeddings embeddings;
    struct edda_arena arena;
    edda_arena_init(&arena, REPLY_BYTES);
    int error = edda_local_call(self, "embed", &arguments, &arena, &embeddings);
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
        return edda_local_say(self, EDDA_E_MEMORY, "out of memory", "");
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
