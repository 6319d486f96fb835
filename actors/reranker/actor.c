#include "actors/reranker/actor.h"

#include <stdio.h>

#include "actors/reranker/model.h"
#include "actors/reranker/stage.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/pool.h"
#include "proto/limits.h"

#define WINDOW       16     /* of lexical-1 */
#define INLINE_BYTES 262144 /* about three milliseconds */

/* What one thread needs: the loop's is tools[0], the pool's tools[1]. */
struct tools {
    edda_analyser_t *analyser;
    edda_reranker_t *reranker;
};

struct stage {
    edda_actor_t *actor;
    edda_pool_t *pool;
    struct tools tools[2];
    edda_rerank_model_t *model; /* NULL: lexical-1 */
};

/* One job on its way; lives in the job's arena. */
struct task {
    struct stage *stage;
    edda_job_t *job;
    struct edda_rerank_arguments arguments;
    struct edda_hits hits;
    bool texts; /* rerank.texts */
    int error;
};

static void run_task(struct task *task, struct tools *tools) {
    struct edda_arena *arena = edda_job_arena(task->job);
    if (edda_job_cancelled(task->job)) {
        task->error = EDDA_E_CANCELLED;
    } else if (task->texts) {
        task->error = edda_rerank_texts(tools->reranker, &task->arguments, arena, &task->hits);
    } else {
        task->error = edda_rerank_hits(tools->reranker, &task->arguments, arena, &task->hits);
    }
}

static void run_pooled(void *context, unsigned thread_index) {
    struct task *task = context;
    (void)thread_index;
    run_task(task, &task->stage->tools[1]);
}

static void finish_task(void *context) {
    struct task *task = context;
    edda_job_t *job = task->job;
    if (task->error == 0) {
        edda_job_finish(&job, EDDA_BODY_HITS, &task->hits);
        return;
    }
    enum edda_blame blame = task->error == EDDA_E_MEMORY ? EDDA_BLAME_WORKER : EDDA_BLAME_JOB;
    edda_job_fail(&job, task->error, blame, 0, NULL);
}

static size_t count_bytes(const struct task *task) {
    size_t bytes = 0;
    for (size_t i = 0; i < task->hits.hits.count; i++) {
        bytes += task->hits.hits.items[i].text.size;
    }
    for (size_t i = 0; task->texts && i < task->arguments.documents.count; i++) {
        bytes += task->arguments.documents.items[i].size;
    }
    return bytes;
}

static void handle(struct stage *stage, edda_job_t *job, bool texts) {
    struct task *task = edda_arena_take(edda_job_arena(job), sizeof *task);
    if (!task) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    *task = (struct task){.stage = stage, .job = job, .texts = texts};
    task->error = edda_job_arguments(job, EDDA_BODY_RERANK_ARGUMENTS, &task->arguments);
    if (task->error == 0 && !texts) {
        task->error = edda_job_input(job, EDDA_BODY_HITS, &task->hits);
    }
    if (task->error == 0 && stage->model) {
        edda_rerank_model_begin(stage->model, job, &task->arguments, texts ? NULL : &task->hits);
        return;
    }
    if (task->error == 0 && count_bytes(task) > INLINE_BYTES) {
        if (edda_pool_run(stage->pool, run_pooled, finish_task, task) != 0) {
            edda_job_return(&job);
        }
        return;
    }
    if (task->error == 0) {
        run_task(task, &stage->tools[0]);
    }
    finish_task(task);
}

static void handle_hits(void *stage, edda_job_t *job) {
    handle(stage, job, false);
}

static void handle_texts(void *stage, edda_job_t *job) {
    handle(stage, job, true);
}

static int make_tools(struct tools *tools) {
    tools->analyser = edda_analyser_new();
    tools->reranker = tools->analyser ? edda_reranker_new(tools->analyser) : NULL;
    return tools->reranker ? 0 : EDDA_E_MEMORY;
}

static void destroy_tools(struct tools *tools) {
    edda_reranker_destroy(&tools->reranker);
    edda_analyser_destroy(&tools->analyser);
}

static int start(struct stage *stage, edda_loop_t *loop, const struct edda_role *role) {
    static const struct edda_operation operations[] = {{"rerank", handle_hits},
                                                       {"rerank.texts", handle_texts}};
    const char *provider = edda_config_text(role->config, EDDA_CONFIG_RERANKING_PROVIDER);
    int error = strcmp(provider, "builtin") == 0
                    ? 0
                    : edda_rerank_model_new(loop, role->config, &stage->model);
    if (error) {
        return error;
    }
    stage->pool = edda_pool_new(loop, "reranker", 1, EDDA_MAX_WORKER_WINDOW);
    if (!stage->pool || make_tools(&stage->tools[0]) || make_tools(&stage->tools[1])) {
        return EDDA_E_MEMORY;
    }
    stage->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .service = "rerank",
        .model = stage->model ? edda_rerank_model_name(stage->model) : EDDA_RERANK_MODEL,
        .name = role->name,
        .operations = operations,
        .operation_count = sizeof operations / sizeof operations[0],
        .window = stage->model ? EDDA_MAX_WORKER_WINDOW : WINDOW,
        .stage = stage,
    });
    return stage->actor ? 0 : EDDA_E_MEMORY;
}

int edda_reranker_main(edda_loop_t *loop, const struct edda_role *role) {
    struct stage stage = {0};
    int error = start(&stage, loop, role);
    if (!error) {
        char detail[256] = "reorders what the store found";
        if (stage.model) {
            (void)snprintf(detail, sizeof detail, "reorders with %s",
                           edda_rerank_model_name(stage.model));
        }
        role->ready(role->context, role->name, detail);
        error = edda_loop_run(loop);
    }
    edda_pool_destroy(&stage.pool); /* finishes what runs: before the actor counts its jobs */
    edda_rerank_model_destroy(&stage.model);
    edda_actor_destroy(&stage.actor);
    destroy_tools(&stage.tools[0]);
    destroy_tools(&stage.tools[1]);
    return error;
}
