#include "actors/chunker/actor.h"

#include "actors/chunker/chunk.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/isolate.h"
#include "actors/runtime/pool.h"
#include "proto/fault_point.h"
#include "proto/limits.h"

#define WINDOW       16
#define CHILDREN     2
#define CHILD_USES   1000
#define CHILD_ARENA  ((size_t)16 * 1024 * 1024)
#define POISON       6     /* bytes of a text by which a test names what it is to die of */
#define INLINE_BYTES 16384 /* about a tenth of a millisecond */

struct chunker {
    edda_actor_t *actor;
    edda_pool_t *pool;
    edda_isolate_t *isolate; /* NULL: this process cuts itself */
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

int edda_chunker_isolated(struct edda_bytes request, struct edda_buffer *out) {
    struct edda_chunk_arguments arguments;
    struct edda_chunks chunks;
    struct edda_arena arena;
    edda_arena_init(&arena, CHILD_ARENA);
    int error = edda_body_decode(EDDA_BODY_CHUNK_ARGUMENTS, request, &arena, &arguments);
    if (error == 0)
        error = edda_chunk_text(&arguments, &arena, &chunks);
    if (error == 0)
        error = edda_body_encode(EDDA_BODY_CHUNKS, &chunks, out);
    edda_arena_done(&arena);
    return error;
}

/* What a child says is looked at like any bytes from outside. */
static void take_isolated(void *context, const struct edda_isolate_answer *answer) {
    struct cut *cut = context;
    edda_job_t *job = cut->job;
    cut->error = answer->error;
    if (cut->error == 0)
        cut->error =
            edda_body_decode(EDDA_BODY_CHUNKS, answer->bytes, edda_job_arena(job), &cut->chunks);
    bool child_is_to_blame = answer->error == EDDA_E_MEMORY || answer->error == EDDA_E_CANCELLED;
    if (cut->error == 0)
        edda_job_finish(&job, EDDA_BODY_CHUNKS, &cut->chunks);
    else
        edda_job_fail(&job, cut->error, child_is_to_blame ? EDDA_BLAME_WORKER : EDDA_BLAME_JOB, 0,
                      answer->reason);
}

static void cut_isolated(struct chunker *chunker, struct cut *cut) {
    struct edda_buffer request;
    edda_buffer_init(&request, EDDA_ISOLATE_REQUEST);
    int error = edda_body_encode(EDDA_BODY_CHUNK_ARGUMENTS, &cut->arguments, &request);
    if (error == 0)
        error = edda_isolate_run(chunker->isolate, edda_buffer_bytes(&request), take_isolated, cut);
    edda_buffer_done(&request);
    if (error != 0)
        edda_job_return(&cut->job);
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
    struct edda_text text = cut->arguments.text;
    if (cut->error == 0 && text.size >= POISON)
        EDDA_FAULT_POINT("chunker.%.*s", POISON, text.data);
    if (cut->error == 0 && chunker->isolate != NULL) {
        cut_isolated(chunker, cut);
        return;
    }
    if (cut->error == 0 && cut->arguments.text.size > INLINE_BYTES) {
        if (edda_pool_run(chunker->pool, run_cut, finish_cut, cut) != 0)
            edda_job_return(&job);
        return;
    }
    if (cut->error == 0)
        run_cut(cut, 0);
    finish_cut(cut);
}

static edda_isolate_t *open_isolate(edda_loop_t *loop, const edda_config_t *config) {
    static const char *const arguments[] = {"isolated", "chunker", NULL};
    return edda_isolate_new(&(struct edda_isolate_options){
        .loop = loop,
        .name = "chunker",
        .arguments = arguments,
        .children = CHILDREN,
        .memory_bytes = (size_t)edda_config_number(config, EDDA_CONFIG_ISOLATED_MIB) << 20,
        .run_ms = (uint32_t)edda_config_number(config, EDDA_CONFIG_ISOLATED_MS),
        .uses = CHILD_USES,
        .answer_bytes = EDDA_MAX_FRAME_BYTES,
    });
}

int edda_chunker_main(edda_loop_t *loop, const struct edda_role *role) {
    static const struct edda_operation operations[] = {{"chunk", handle_chunk}};
    bool isolated = edda_config_switch(role->config, EDDA_CONFIG_CHUNKER_ISOLATED);
    struct chunker chunker = {.pool = edda_pool_new(loop, "chunker", 1, EDDA_MAX_WORKER_WINDOW)};
    if (isolated)
        chunker.isolate = open_isolate(loop, role->config);
    if (chunker.pool != NULL && (chunker.isolate != NULL || !isolated))
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
            .window = isolated ? CHILDREN : WINDOW,
            .stage = &chunker,
        });
    int error = chunker.actor != NULL ? 0 : EDDA_E_MEMORY;
    if (error == 0) {
        role->ready(role->context, role->name,
                    isolated ? "cuts text into chunks, in processes of their own"
                             : "cuts text into chunks");
        error = edda_loop_run(loop);
    }
    edda_pool_destroy(&chunker.pool); /* finishes what runs: before the actor counts its jobs */
    edda_isolate_destroy(&chunker.isolate);
    edda_actor_destroy(&chunker.actor);
    return error;
}
