#include "actors/embedder/actor.h"

#include <stdio.h>

#include "actors/embedder/batch.h"
#include "actors/embedder/request.h"
#include "proto/limits.h"

#define WINDOW 32 /* of hash-256 */

/* One job of hash-256, or one on its way to a request; lives in the job's arena. */
struct work {
    struct edda_embed_stage *embedder;
    edda_job_t *job;
    struct edda_embed_arguments arguments;
    struct edda_chunks chunks; /* embed.chunks: the input, and with vectors the output */
    struct edda_batch batch;
    bool is_chunks;
    int error;
};

static void finish_work(struct work *work) {
    edda_job_t *job = work->job;
    if (work->error != 0) {
        bool ours = work->error == EDDA_E_MEMORY || work->error == EDDA_E_DRAINING ||
                    work->error == EDDA_E_BUSY;
        edda_job_fail(&job, work->error, ours ? EDDA_BLAME_WORKER : EDDA_BLAME_JOB, 0, NULL);
    } else if (work->is_chunks) {
        work->chunks.model = EDDA_TEXT(EDDA_HASH_EMBED_MODEL);
        work->chunks.dimension = EDDA_HASH_EMBED_DIMENSION;
        work->chunks.vectors = edda_batch_vectors(&work->batch);
        work->chunks.halves = (struct edda_bytes){0};
        edda_job_finish(&job, EDDA_BODY_CHUNKS, &work->chunks);
    } else {
        struct edda_embeddings embeddings = {
            .model = EDDA_TEXT(EDDA_HASH_EMBED_MODEL),
            .dimension = EDDA_HASH_EMBED_DIMENSION,
            .count = (uint32_t)work->batch.count,
            .vectors = edda_batch_vectors(&work->batch),
        };
        edda_job_finish(&job, EDDA_BODY_EMBEDDINGS, &embeddings);
    }
}

static void run_slice(void *context, unsigned thread_index) {
    (void)thread_index;
    struct work *work = context;
    struct edda_embed_stage *embedder = work->embedder;
    work->error = edda_job_cancelled(work->job)
                      ? EDDA_E_CANCELLED
                      : edda_batch_run(&work->batch, embedder->bulk_embed, &embedder->bulk_scratch,
                                       EDDA_EMBED_SLICE_BYTES);
}

/* Behind a slice: the next one goes to the end of the queue, or the job is finished. */
static void end_slice(void *context) {
    struct work *work = context;
    struct edda_embed_stage *embedder = work->embedder;
    if (work->error == 0 && work->batch.next < work->batch.count) {
        int error = embedder->ending ? EDDA_E_DRAINING
                                     : edda_pool_run(embedder->pool, run_slice, end_slice, work);
        if (error == 0)
            return; /* the pool's thread has it already */
        work->error = error;
    }
    finish_work(work);
}

static bool is_known_type(struct edda_text input_type) {
    return input_type.size == 0 || edda_text_is(input_type, "query") ||
           edda_text_is(input_type, "document");
}

/* The job's arguments decoded and checked; NULL when the job has been failed. */
static struct work *begin_work(struct edda_embed_stage *embedder, edda_job_t *job) {
    struct work *work = edda_arena_take(edda_job_arena(job), sizeof *work);
    if (work == NULL) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return NULL;
    }
    work->embedder = embedder;
    work->job = job;
    int error = edda_job_arguments(job, EDDA_BODY_EMBED_ARGUMENTS, &work->arguments);
    if (error == 0 && is_known_type(work->arguments.input_type))
        return work;
    if (error == 0)
        edda_job_fail(&job, EDDA_E_INVALID, EDDA_BLAME_JOB, 0,
                      "input_type is neither \"query\" nor \"document\"");
    else
        edda_job_fail(&job, error, EDDA_BLAME_JOB, 0, NULL);
    return NULL;
}

static void start_bulk(struct work *work) {
    edda_job_t *job = work->job;
    if (work->error != 0 || work->batch.count == 0)
        finish_work(work);
    else if (edda_pool_run(work->embedder->pool, run_slice, end_slice, work) != 0)
        edda_job_return(&job);
}

/* One query: from the cache, else here and now. */
static int embed_query(struct work *work) {
    struct edda_embed_stage *embedder = work->embedder;
    struct edda_text text = work->arguments.texts.items[0];
    struct edda_cache_key key =
        edda_cache_key(EDDA_TEXT(EDDA_HASH_EMBED_MODEL), EDDA_HASH_EMBED_DIMENSION,
                       work->arguments.input_type, text);
    const float *known = edda_cache_get(embedder->cache, &key);
    edda_cell_add(known != NULL ? embedder->hits : embedder->misses, 1);
    if (known != NULL) {
        edda_batch_set(&work->batch, 0, known);
        return 0;
    }
    float vector[EDDA_HASH_EMBED_DIMENSION];
    int error = edda_hash_embed_text(embedder->query_embed, text, vector);
    if (error != 0)
        return error;
    edda_cache_put(embedder->cache, &key, vector);
    edda_batch_set(&work->batch, 0, vector);
    return 0;
}

/* A provider's model is asked, if one is to be; false: hash-256 is. */
static bool ask_provider(struct work *work, edda_embed_model_t *model) {
    if (model == NULL)
        return false;
    edda_embed_request_begin(work->embedder, work->job, model, &work->arguments,
                             work->is_chunks ? &work->chunks : NULL);
    return true;
}

static void handle_embed(void *stage, edda_job_t *job) {
    struct work *work = begin_work(stage, job);
    if (work == NULL || ask_provider(work, edda_embed_stage_choose(stage, work->arguments.model,
                                                                   work->arguments.dimension)))
        return;
    work->error = edda_batch_init_texts(&work->batch, work->arguments.texts, edda_job_arena(job));
    bool is_short_query = work->batch.count == 1 &&
                          edda_text_is(work->arguments.input_type, "query") &&
                          work->arguments.texts.items[0].size <= EDDA_EMBED_INLINE_BYTES;
    if (work->error != 0 || !is_short_query) {
        start_bulk(work);
        return;
    }
    work->error = embed_query(work);
    finish_work(work);
}

static void handle_chunks(void *stage, edda_job_t *job) {
    struct work *work = begin_work(stage, job);
    if (work == NULL)
        return;
    work->is_chunks = true;
    work->error = edda_job_input(job, EDDA_BODY_CHUNKS, &work->chunks);
    if (work->error == 0 && ask_provider(work, work->embedder->own))
        return;
    if (work->error == 0)
        work->error = edda_batch_init_chunks(&work->batch, &work->chunks, edda_job_arena(job));
    start_bulk(work);
}

static int make_tools(struct edda_embed_stage *embedder) {
    embedder->query_embed = edda_hash_embed_new();
    embedder->bulk_embed = edda_hash_embed_new();
    embedder->cache = edda_cache_new(EDDA_EMBED_CACHE_BYTES, EDDA_HASH_EMBED_DIMENSION);
    embedder->pool = edda_pool_new(embedder->loop, "embedder", 1, EDDA_MAX_WORKER_WINDOW);
    bool whole = embedder->query_embed != NULL && embedder->bulk_embed != NULL &&
                 embedder->cache != NULL && embedder->pool != NULL;
    return whole ? 0 : EDDA_E_MEMORY;
}

static int start(struct edda_embed_stage *embedder, const struct edda_role *role) {
    static const struct edda_operation operations[] = {{"embed", handle_embed},
                                                       {"embed.chunks", handle_chunks}};
    int error = make_tools(embedder);
    if (error == 0)
        error = edda_embed_stage_open(embedder);
    if (error != 0)
        return error;
    const edda_embed_model_t *own = embedder->own;
    embedder->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = embedder->loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .service = "embed",
        .model = own != NULL ? edda_embed_model_name(own) : EDDA_HASH_EMBED_MODEL,
        .dimension = own != NULL ? edda_embed_model_dimension(own) : EDDA_HASH_EMBED_DIMENSION,
        .name = role->name,
        .operations = operations,
        .operation_count = sizeof operations / sizeof operations[0],
        .window = own != NULL ? EDDA_MAX_WORKER_WINDOW : WINDOW,
        .stage = embedder,
    });
    if (embedder->actor == NULL)
        return EDDA_E_MEMORY;
    if (own != NULL)
        edda_actor_set_window(embedder->actor, edda_embed_model_window(own));
    return 0;
}

int edda_embedder_serve(edda_loop_t *loop, const struct edda_role *role, size_t waiting) {
    struct edda_embed_stage embedder = {
        .loop = loop,
        .config = role->config,
        .waiting = waiting,
        .progress = {.fire = edda_embed_request_progress,
                     .context = &embedder,
                     .name = "embed_progress"},
        .hits = edda_metric_cell(EDDA_METRIC_EMBED_CACHE, "hit"),
        .misses = edda_metric_cell(EDDA_METRIC_EMBED_CACHE, "miss"),
        .cached = edda_metric_cell(EDDA_METRIC_EMBED_TEXTS, "cache"),
    };
    edda_buffer_init(&embedder.bulk_scratch, 2 * EDDA_PART_BYTES);
    int error = start(&embedder, role);
    if (error == 0) {
        char detail[128];
        (void)snprintf(detail, sizeof detail, "embeds with %s",
                       embedder.own != NULL ? edda_embed_model_name(embedder.own)
                                            : EDDA_HASH_EMBED_MODEL);
        role->ready(role->context, role->name, detail);
        error = edda_loop_run(loop);
    }
    embedder.ending = true;
    edda_pool_destroy(&embedder.pool); /* finishes what runs: before the actor counts its jobs */
    edda_embed_request_end_all(&embedder);
    edda_embed_stage_close(&embedder);
    edda_actor_destroy(&embedder.actor);
    edda_cache_destroy(&embedder.cache);
    edda_hash_embed_destroy(&embedder.query_embed);
    edda_hash_embed_destroy(&embedder.bulk_embed);
    edda_buffer_done(&embedder.bulk_scratch);
    return error;
}

int edda_embedder_main(edda_loop_t *loop, const struct edda_role *role) {
    return edda_embedder_serve(loop, role, 0);
}
