#include "actors/embedder/request.h"

#include <stdlib.h>

#include "actors/embedder/rows.h"
#include "actors/text/headings.h"
#include "actors/text/text.h"
#include "actors/text/tokens.h"

#define INLINE_BYTES ((size_t)32 * 1024) /* of text: more is prepared on the pool's thread */

/* Lives in the job's arena, as its texts do. */
struct edda_embed_request {
    struct edda_embed_request *next;
    struct edda_embed_request *previous;
    struct edda_embed_stage *stage;
    edda_job_t *job;
    edda_embed_model_t *model;
    uint32_t dimension;               /* of the model when the job came */
    struct edda_texts texts;          /* embed */
    const struct edda_chunks *chunks; /* embed.chunks */
    enum edda_gather_class class;
    bool query;
    bool pooled; /* the pool's thread has it */
    bool over;   /* it was cancelled meanwhile */
    int error;   /* of its preparation */
    int64_t began_ms;
    int64_t deadline_ms;
    struct edda_rows rows;
    struct edda_gather_want *wants; /* of texts without a row: to be looked for, then asked for */
    uint32_t *places;               /* their rows */
    size_t want_count;
    size_t left; /* asked for and not there yet */
};

/* ---- ends ---- */

static void unlink_request(struct edda_embed_request *request) {
    edda_embed_model_forget(request->model, request->wants, request->want_count);
    *(request->previous ? &request->previous->next : &request->stage->requests) = request->next;
    if (request->next) {
        request->next->previous = request->previous;
    }
}

static void fail(struct edda_embed_request *request, const struct edda_embed_failure *failure) {
    edda_job_t *job = request->job;
    unlink_request(request);
    edda_rows_done(&request->rows);
    edda_job_fail(&job, failure->code, failure->blame, failure->retry_after_ms, failure->text);
}

static void fail_code(struct edda_embed_request *request, int code, const char *text) {
    enum edda_blame blame = code == EDDA_E_LIMIT ? EDDA_BLAME_JOB : EDDA_BLAME_WORKER;
    fail(request, &(struct edda_embed_failure){.code = code, .blame = blame, .text = text});
}

static void give_back(struct edda_embed_request *request) {
    edda_job_t *job = request->job;
    unlink_request(request);
    edda_rows_done(&request->rows);
    edda_job_return(&job);
}

static void finish_chunks(struct edda_embed_request *request, struct edda_text model) {
    edda_job_t *job = request->job;
    struct edda_rows rows = request->rows; /* the request goes with the job */
    struct edda_chunks chunks = *request->chunks;
    chunks.model = model;
    if (edda_rows_give(&rows, &chunks) != 0) {
        fail_code(request, EDDA_E_LIMIT, "the vectors of these chunks are too large for a message");
        return;
    }
    unlink_request(request);
    edda_job_finish(&job, EDDA_BODY_CHUNKS, &chunks);
    edda_rows_done(&rows);
}

static void finish_texts(struct edda_embed_request *request, struct edda_text model) {
    edda_job_t *job = request->job;
    struct edda_rows rows = request->rows;
    struct edda_embeddings embeddings = {.model = model,
                                         .dimension = rows.dimension,
                                         .count = (uint32_t)rows.count,
                                         .vectors = edda_rows_floats(&rows)};
    unlink_request(request);
    edda_job_finish(&job, EDDA_BODY_EMBEDDINGS, &embeddings);
    edda_rows_done(&rows);
}

static void finish(struct edda_embed_request *request) {
    struct edda_text model = edda_text_of(edda_embed_model_name(request->model));
    if (request->chunks) {
        finish_chunks(request, model);
    } else {
        finish_texts(request, model);
    }
}

static void on_cancel(void *context) {
    struct edda_embed_request *request = context;
    if (request->pooled) {
        request->over = true;
    } else {
        fail_code(request, EDDA_E_CANCELLED, NULL);
    }
}

/* ---- texts ---- */

static void add_want(struct edda_embed_request *request, size_t i, struct edda_text text) {
    if (edda_text_trim(text).size == 0) {
        return;
    }
    request->places[request->want_count] = (uint32_t)i;
    request->wants[request->want_count++] = (struct edda_gather_want){
        .text = text,
        .key = edda_embed_model_key(request->model, request->query, text),
        .tokens = edda_tokens_of(text),
        .deadline_ms = request->deadline_ms,
        .owner = request,
    };
}

static int prepare_row(struct edda_embed_request *request, size_t i) {
    struct edda_text text;
    if (!request->chunks) {
        add_want(request, i, request->texts.items[i]);
        return 0;
    }
    struct edda_text model = edda_text_of(edda_embed_model_name(request->model));
    if (edda_rows_given(request->chunks, model, request->dimension, i)) {
        int error = edda_rows_take(&request->rows, request->dimension);
        if (!error) {
            edda_rows_set_given(&request->rows, request->chunks, i);
        }
        return error;
    }
    const struct edda_chunk *chunk = &request->chunks->chunks.items[i];
    int error = edda_headed_text(request->chunks->title, chunk->heading, chunk->text,
                                 edda_job_arena(request->job), &text);
    if (!error) {
        add_want(request, i, text);
    }
    return error;
}

/* Also on the pool's thread. */
static void prepare(void *context, unsigned thread_index) {
    struct edda_embed_request *request = context;
    struct edda_arena *arena = edda_job_arena(request->job);
    size_t count = request->rows.count;
    (void)thread_index;
    request->wants = edda_arena_take(arena, (count + 1) * sizeof *request->wants);
    request->places = edda_arena_take(arena, (count + 1) * sizeof *request->places);
    request->error = request->wants && request->places ? 0 : EDDA_E_MEMORY;
    for (size_t i = 0; i < count && !request->error; i++) {
        request->error =
            edda_job_cancelled(request->job) ? EDDA_E_CANCELLED : prepare_row(request, i);
    }
}

/* ---- rows ---- */

/* Vectors the cache has; the wants of the others move up. */
static int take_known(struct edda_embed_request *request) {
    struct edda_embed_stage *stage = request->stage;
    size_t asked = 0;
    for (size_t i = 0; i < request->want_count; i++) {
        const float *row = edda_embed_model_find(request->model, &request->wants[i].key);
        if (!row) {
            request->wants[asked] = request->wants[i];
            request->places[asked++] = request->places[i];
            continue;
        }
        if (edda_rows_take(&request->rows, edda_embed_model_dimension(request->model)) != 0) {
            return EDDA_E_MEMORY;
        }
        edda_rows_set(&request->rows, request->places[i], row);
    }
    edda_cell_add(stage->hits, request->want_count - asked);
    edda_cell_add(stage->cached, request->want_count - asked);
    edda_cell_add(stage->misses, asked);
    request->want_count = asked;
    request->left = asked;
    return 0;
}

/* Texts that are all blank have zeros of the model's dimension, if somebody knows it. */
static int take_blank(struct edda_embed_request *request) {
    uint32_t dimension = edda_embed_model_dimension(request->model);
    return dimension > 0 ? edda_rows_take(&request->rows, dimension) : 0;
}

static void ask(struct edda_embed_request *request) {
    struct edda_embed_failure failure;
    int error = edda_embed_model_ask(request->model, request->class, request->query, request->wants,
                                     request->want_count, &failure);
    if (error == EDDA_E_UNAVAILABLE) {
        fail(request, &failure);
    } else if (error == EDDA_E_BUSY) {
        give_back(request); /* not begun: it costs no attempt, and the window is narrow by then */
    } else if (error) {
        fail_code(request, error, NULL);
    }
}

static void look_for(struct edda_embed_request *request) {
    int error = request->error ? request->error : take_known(request);
    if (!error && request->left == 0) {
        error = take_blank(request);
    }
    if (error) {
        fail_code(request, error, NULL);
    } else if (request->left > 0) {
        ask(request);
    } else {
        finish(request);
    }
}

static void end_preparation(void *context) {
    struct edda_embed_request *request = context;
    request->pooled = false;
    if (request->over) {
        fail_code(request, EDDA_E_CANCELLED, NULL);
    } else {
        look_for(request);
    }
}

void edda_embed_request_row(struct edda_gather_want *want, const float *row, uint32_t dimension) {
    struct edda_embed_request *request = want->owner;
    if (edda_rows_take(&request->rows, dimension) != 0) {
        fail_code(request, EDDA_E_MEMORY, NULL);
        return;
    }
    edda_rows_set(&request->rows, request->places[want - request->wants], row);
    if (--request->left == 0) {
        finish(request);
    }
}

void edda_embed_request_fail(struct edda_gather_want *want,
                             const struct edda_embed_failure *failure) {
    fail(want->owner, failure);
}

/* ---- the stage's requests ---- */

void edda_embed_request_progress(void *context) {
    struct edda_embed_stage *stage = context;
    int64_t now_ms = edda_loop_now(stage->loop);
    for (struct edda_embed_request *request = stage->requests; request; request = request->next) {
        if (request->class == EDDA_GATHER_BULK &&
            now_ms - request->began_ms >= EDDA_EMBED_PROGRESS_MS) {
            edda_job_progress(request->job);
        }
    }
    if (stage->requests) {
        edda_loop_timer_set(stage->loop, &stage->progress, now_ms + EDDA_EMBED_PROGRESS_MS);
    }
}

static void link_request(struct edda_embed_request *request) {
    struct edda_embed_stage *stage = request->stage;
    request->next = stage->requests;
    if (request->next) {
        request->next->previous = request;
    }
    stage->requests = request;
    if (!stage->progress.index) {
        edda_loop_timer_set(stage->loop, &stage->progress,
                            request->began_ms + EDDA_EMBED_PROGRESS_MS);
    }
}

static size_t measure_text(const struct edda_embed_request *request) {
    size_t bytes = 0;
    for (size_t i = 0; i < request->rows.count; i++) {
        bytes += request->chunks ? request->chunks->chunks.items[i].text.size
                                 : request->texts.items[i].size;
    }
    return bytes;
}

void edda_embed_request_begin(struct edda_embed_stage *stage, edda_job_t *job,
                              edda_embed_model_t *model,
                              const struct edda_embed_arguments *arguments,
                              const struct edda_chunks *chunks) {
    struct edda_embed_request *request = edda_arena_take(edda_job_arena(job), sizeof *request);
    if (!request) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    bool interactive = edda_job_envelope(job)->priority <= EDDA_EMBED_INTERACTIVE;
    request->stage = stage;
    request->job = job;
    request->model = model;
    request->dimension = edda_embed_model_dimension(model);
    request->texts = arguments->texts;
    request->chunks = chunks;
    request->class = interactive ? EDDA_GATHER_URGENT : EDDA_GATHER_BULK;
    request->query = !chunks && edda_text_is(arguments->input_type, "query");
    request->began_ms = edda_loop_now(stage->loop);
    request->deadline_ms = edda_job_deadline_ms(job);
    edda_rows_init(&request->rows, chunks ? chunks->chunks.count : arguments->texts.count);
    link_request(request);
    edda_job_on_cancel(job, on_cancel, request);
    if (measure_text(request) <= INLINE_BYTES) {
        prepare(request, 0);
        look_for(request);
        return;
    }
    request->pooled = true;
    if (edda_pool_run(stage->pool, prepare, end_preparation, request) != 0) {
        request->pooled = false;
        give_back(request);
    }
}

bool edda_embed_request_uses(const struct edda_embed_stage *stage,
                             const edda_embed_model_t *model) {
    const struct edda_embed_request *request = stage->requests;
    while (request && request->model != model) {
        request = request->next;
    }
    return request != NULL;
}

void edda_embed_request_end_all(struct edda_embed_stage *stage) {
    while (stage->requests) {
        fail_code(stage->requests, EDDA_E_DRAINING, NULL);
    }
    edda_loop_timer_cancel(stage->loop, &stage->progress);
}
