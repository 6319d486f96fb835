/* actors/llm/stage.h: what the jobs of one llm stage share; private to its files. */
#ifndef EDDA_ACTORS_LLM_STAGE_H
#define EDDA_ACTORS_LLM_STAGE_H

#include "actors/llm/extractive.h"
#include "actors/llm/models.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/pool.h"

/* What one thread needs to quote: the loop's is tools[0], the pool's tools[1]. */
struct edda_llm_tools {
    edda_analyser_t *analyser;
    edda_extractor_t *extractor;
};

/* A job on its way: the first member of its own struct, in the stage's list until it leaves. */
struct edda_llm_task {
    struct edda_llm_task *next;
    struct edda_llm_task *previous;
    struct edda_llm_stage *stage;
    edda_job_t *job;
    const struct edda_model *model;
    void (*fail)(struct edda_llm_task *task, int code); /* ends it */
};

struct edda_llm_stage {
    edda_loop_t *loop;
    struct edda_llm_task *tasks;
    edda_actor_t *actor;
    edda_pool_t *pool;
    struct edda_llm_tools tools[2];
    edda_models_t *models;
    uint32_t context_tokens;
    uint32_t max_tokens;
    int64_t first_byte_ms; /* connecting and all tries included */
    int64_t slow_ms;
    edda_cell_t *input_tokens;
    edda_cell_t *output_tokens;
};

/* Decodes arguments of this type and chooses the model they name; false: the job has been failed.
 */
bool edda_llm_task_begin(struct edda_llm_task *task, struct edda_llm_stage *stage, edda_job_t *job,
                         uint16_t type, void *ret_arguments, const struct edda_text *provider);
void edda_llm_task_end(struct edda_llm_task *task);

/* The ops: each takes the job, which leaves by its door now or later. */
void edda_llm_answer_job(void *stage, edda_job_t *job);
void edda_llm_rewrite_job(void *stage, edda_job_t *job);

#endif
