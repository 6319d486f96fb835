#include "actors/chunker/actor.h"

#include "actors/chunker/chunk.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/pool.h"
#include "proto/limits.h"

#define WINDOW       16
#define INLINE_BYTES 16384 /* about a tenth of a millisecond */

struct chunker {
    edda_actor_t *actor;
    edda_pool_t *pool;
};

/* One job on its way through the pool; lives in the job's arena. */
struct cut {
    struct edda_chunk_arguments arguments;
    struct edda_chunks chunks;
    edda_job_t *job;
    int error;
};

static void run_cut(void *context, unsigned thread_index) {
    (void)thread_index;
    struct cut *cut = context;
    cut->error = edda_job_cancelled(cut->job)
                     ? EDDA_E_CANCELLED
                     : edda_chunk_text(&cut->arguments, edda_job_arena(cut->job), &cut->chunks);
}

static void finish_cut(void *context) {
    struct cut *cut = context;
    edda_job_t *job = cut->job;
    if (cut->error == 0) {
        edda_job_finish(&job, EDDA_BODY_CHUNKS, &cut->chunks);
        return;
    }
    enum edda_blame blame = cut->error == EDDA_E_MEMORY ? EDDA_BLAME_WORKER : EDDA_BLAME_JOB;
    edda_job_fail(&job, cut->error, blame, 0, NULL);
}

static void handle_chunk(void *stage, edda_job_t *job) {
    struct chunker *chunker = stage;
    struct cut *cut = edda_arena_take(edda_job_arena(job), sizeof *cut);
    if (cut == NULL) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    cut->job = job;
    cut->error = edda_job_arguments(job, EDDA_BODY_CHUNK_ARGUMENTS, &cut->arguments);
    if (cut->error == 0 && cut->arguments.text.size > INLINE_BYTES) {
        if (edda_pool_run(chunker->pool, run_cut, finish_cut, cut) != 0)
            edda_job_return(&job);
        return;
    }
    if (cut->error == 0)
        run_cut(cut, 0);
    finish_cut(cut);
}

int edda_chunker_main(edda_loop_t *loop, const struct edda_role *role) {
    static const struct edda_operation operations[] = {{"chunk", handle_chunk}};
    struct chunker chunker = {.pool = edda_pool_new(loop, "chunker", 1, EDDA_MAX_WORKER_WINDOW)};
    if (chunker.pool != NULL)
        chunker.actor = edda_actor_new(&(struct edda_actor_options){
            .loop = loop,
            .zmq_context = role->zmq_context,
            .brokers = role->connect,
            .broker_count = role->connect_count,
            .curve = role->curve,
            .service = "chunk",
            .name = role->name,
            .operations = operations,
            .operation_count = sizeof operations / sizeof operations[0],
            .window = WINDOW,
            .stage = &chunker,
        });
    int error = chunker.actor != NULL ? 0 : EDDA_E_MEMORY;
    if (error == 0) {
        role->ready(role->context, role->name, "cuts text into chunks");
        error = edda_loop_run(loop);
    }
    edda_pool_destroy(&chunker.pool); /* finishes what runs: before the actor counts its jobs */
    edda_actor_destroy(&chunker.actor);
    return error;
}
