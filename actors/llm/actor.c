#include "actors/llm/actor.h"

#include <stdio.h>

#include "actors/llm/delivery.h"
#include "actors/llm/stage.h"
#include "proto/body_peer.h"
#include "proto/limits.h"

/* ---- tasks ---- */

bool edda_llm_task_begin(struct edda_llm_task *task, struct edda_llm_stage *stage, edda_job_t *job,
                         uint16_t type, void *ret_arguments, const struct edda_text *provider) {
    int error = edda_job_arguments(job, type, ret_arguments);
    if (error) {
        edda_job_fail(&job, error, EDDA_BLAME_JOB, 0, NULL);
        return false;
    }
    task->model = edda_models_find(stage->models, *provider);
    if (!task->model) {
        char text[EDDA_MAX_ERROR_TEXT + 1];
        edda_models_refusal(stage->models, *provider, text);
        edda_job_fail(&job, EDDA_E_INVALID, EDDA_BLAME_JOB, 0, text);
        return false;
    }
    task->stage = stage;
    task->job = job;
    task->next = stage->tasks;
    if (task->next) {
        task->next->previous = task;
    }
    stage->tasks = task;
    return true;
}

void edda_llm_task_end(struct edda_llm_task *task) {
    *(task->previous ? &task->previous->next : &task->stage->tasks) = task->next;
    if (task->next) {
        task->next->previous = task->previous;
    }
}

/* ---- the role ---- */

static void handle_providers(void *context, edda_job_t *job) {
    struct edda_llm_stage *stage = context;
    size_t count = edda_models_count(stage->models);
    struct edda_llm_provider *items = edda_arena_take(edda_job_arena(job), count * sizeof *items);
    if (!items) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct edda_model *model = edda_models_get(stage->models, i);
        items[i] = (struct edda_llm_provider){.provider = edda_text_of(model->name),
                                              .label = edda_text_of(model->label),
                                              .model = edda_text_of(model->model)};
        const char *failing = model->provider ? edda_provider_failing(model->provider) : NULL;
        if (failing) {
            items[i].failing = edda_text_of(failing);
        }
    }
    struct edda_llm_providers providers = {.providers = {items, count}};
    edda_job_finish(&job, EDDA_BODY_LLM_PROVIDERS, &providers);
}

static int make_tools(struct edda_llm_tools *tools) {
    tools->analyser = edda_analyser_new();
    tools->extractor = tools->analyser ? edda_extractor_new(tools->analyser) : NULL;
    return tools->extractor ? 0 : EDDA_E_MEMORY;
}

static void destroy_tools(struct edda_llm_tools *tools) {
    edda_extractor_destroy(&tools->extractor);
    edda_analyser_destroy(&tools->analyser);
}

/* Providers take no more at once than is set; quotes are cheap. */
static uint32_t choose_window(const struct edda_llm_stage *stage, const edda_config_t *config) {
    int64_t concurrency = edda_config_number(config, EDDA_CONFIG_PROVIDER_CONCURRENCY);
    bool narrow = edda_models_count(stage->models) > 1 && concurrency < EDDA_MAX_WORKER_WINDOW;
    return narrow ? (uint32_t)concurrency : EDDA_MAX_WORKER_WINDOW;
}

static int start(struct edda_llm_stage *stage, const struct edda_role *role) {
    static const struct edda_operation operations[] = {{"llm.answer", edda_llm_answer_job},
                                                       {"llm.rewrite", edda_llm_rewrite_job},
                                                       {"llm.providers", handle_providers}};
    int error = edda_models_new(stage->loop, role->config, &stage->models);
    if (error) {
        return error;
    }
    stage->pool = edda_pool_new(stage->loop, "llm", 1, EDDA_MAX_WORKER_WINDOW);
    if (!stage->pool || make_tools(&stage->tools[0]) || make_tools(&stage->tools[1])) {
        return EDDA_E_MEMORY;
    }
    const struct edda_model *standard = edda_models_get(stage->models, 0);
    stage->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = stage->loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .service = "llm",
        .model = standard->model,
        .name = role->name,
        .operations = operations,
        .operation_count = sizeof operations / sizeof operations[0],
        .window = choose_window(stage, role->config),
        .stage = stage,
    });
    return stage->actor ? 0 : EDDA_E_MEMORY;
}

int edda_llm_serve(edda_loop_t *loop, const struct edda_role *role, int64_t slow_ms) {
    struct edda_llm_stage stage = {
        .loop = loop,
        .context_tokens =
            (uint32_t)edda_config_number(role->config, EDDA_CONFIG_LLM_CONTEXT_TOKENS),
        .max_tokens = (uint32_t)edda_config_number(role->config, EDDA_CONFIG_LLM_MAX_TOKENS),
        .first_byte_ms = edda_config_number(role->config, EDDA_CONFIG_PROVIDER_CONNECT_MS) +
                         edda_config_number(role->config, EDDA_CONFIG_PROVIDER_FIRST_BYTE_MS),
        .slow_ms = slow_ms,
        .input_tokens = edda_metric_cell(EDDA_METRIC_LLM_TOKENS, "input"),
        .output_tokens = edda_metric_cell(EDDA_METRIC_LLM_TOKENS, "output"),
    };
    int error = start(&stage, role);
    if (!error) {
        const struct edda_model *standard = edda_models_get(stage.models, 0);
        char detail[256];
        (void)snprintf(detail, sizeof detail, "answers with %s", standard->model);
        role->ready(role->context, role->name, detail);
        error = edda_loop_run(loop);
    }
    /* Finishes what runs, before the actor counts its jobs; then those that wait for somebody. */
    edda_pool_destroy(&stage.pool);
    while (stage.tasks) {
        stage.tasks->fail(stage.tasks, EDDA_E_DRAINING);
    }
    edda_actor_destroy(&stage.actor);
    edda_models_destroy(&stage.models);
    destroy_tools(&stage.tools[0]);
    destroy_tools(&stage.tools[1]);
    return error;
}

int edda_llm_main(edda_loop_t *loop, const struct edda_role *role) {
    return edda_llm_serve(loop, role, EDDA_DELIVERY_SLOW_MS);
}
