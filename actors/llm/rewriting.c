/* actors/llm/rewriting.c: the life of one llm.rewrite. A question without history is its own
 * answer; whoever fails is left out by the requester, who searches for the question as it is. */
#include <stdlib.h>

#include "actors/llm/generation.h"
#include "actors/llm/rewrite.h"
#include "actors/llm/stage.h"

#define ANSWER_BYTES 4096 /* more is no question */

struct rewriting {
    struct edda_llm_task task;
    struct edda_llm_rewrite arguments;
    struct edda_buffer answer;
    edda_generation_t *generation;
};

static void dispose(struct rewriting *rewriting) {
    edda_generation_cancel(&rewriting->generation);
    edda_buffer_done(&rewriting->answer);
    edda_llm_task_end(&rewriting->task);
    free(rewriting);
}

static void fail(struct rewriting *rewriting, const struct edda_generation_end *end) {
    edda_job_t *job = rewriting->task.job;
    edda_job_fail(&job, end->error, end->blame, end->retry_after_ms,
                  end->text[0] ? end->text : NULL);
    dispose(rewriting);
}

static void fail_task(struct edda_llm_task *task, int code) {
    struct edda_generation_end end = {.error = code, .blame = EDDA_BLAME_WORKER};
    fail((struct rewriting *)task, &end);
}

static void take_cancel(void *context) {
    struct edda_generation_end end = {.error = EDDA_E_CANCELLED};
    fail(context, &end);
}

static void finish(struct rewriting *rewriting, struct edda_text query) {
    edda_job_t *job = rewriting->task.job;
    struct edda_rewritten rewritten = {.query = query};
    edda_job_finish(&job, EDDA_BODY_REWRITTEN, &rewritten);
    dispose(rewriting);
}

static void finish_cleaned(struct rewriting *rewriting) {
    struct edda_text answer = {(const char *)rewriting->answer.data, rewriting->answer.size};
    finish(rewriting, edda_rewrite_clean(answer, rewriting->arguments.query));
}

static void take_text(void *context, struct edda_text text) {
    struct rewriting *rewriting = context;
    if (edda_buffer_append(&rewriting->answer, text.data, text.size) != 0) {
        finish(rewriting, rewriting->arguments.query);
    }
}

static void take_end(void *context, const struct edda_generation_end *end) {
    struct rewriting *rewriting = context;
    struct edda_llm_stage *stage = rewriting->task.stage;
    edda_cell_add(stage->input_tokens, end->input_tokens);
    edda_cell_add(stage->output_tokens, end->output_tokens);
    if (end->error) {
        fail(rewriting, end);
    } else {
        finish_cleaned(rewriting);
    }
}

static void rewrite_by_provider(struct rewriting *rewriting) {
    struct edda_llm_stage *stage = rewriting->task.stage;
    struct edda_generation_options options = {
        .loop = stage->loop,
        .model = rewriting->task.model,
        .first_byte_ms = stage->first_byte_ms,
        .deadline_ms = edda_job_deadline_ms(rewriting->task.job),
        .on_text = take_text,
        .on_end = take_end,
        .context = rewriting,
    };
    struct edda_generation_end end = {.error = EDDA_E_MEMORY, .blame = EDDA_BLAME_WORKER};
    struct edda_chat_prompt prompt;
    edda_job_on_cancel(rewriting->task.job, take_cancel, rewriting);
    edda_buffer_init(&rewriting->answer, ANSWER_BYTES);
    if (edda_rewrite_prompt(&rewriting->arguments, edda_job_arena(rewriting->task.job), &prompt) !=
            0 ||
        edda_generation_new(&options, &prompt, &rewriting->generation, &end) != 0) {
        fail(rewriting, &end);
    }
}

static void rewrite_here(struct rewriting *rewriting) {
    struct edda_text query;
    int error =
        edda_rewrite_builtin(rewriting->task.stage->tools[0].analyser, &rewriting->arguments,
                             edda_job_arena(rewriting->task.job), &query);
    if (error) {
        fail_task(&rewriting->task, error);
    } else {
        finish(rewriting, query);
    }
}

void edda_llm_rewrite_job(void *context, edda_job_t *job) {
    struct rewriting *rewriting = calloc(1, sizeof *rewriting);
    if (!rewriting) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    rewriting->task.fail = fail_task;
    if (!edda_llm_task_begin(&rewriting->task, context, job, EDDA_BODY_LLM_REWRITE,
                             &rewriting->arguments, &rewriting->arguments.provider)) {
        free(rewriting);
    } else if (rewriting->arguments.history.count == 0) {
        finish(rewriting, rewriting->arguments.query);
    } else if (rewriting->task.model->provider) {
        rewrite_by_provider(rewriting);
    } else {
        rewrite_here(rewriting);
    }
}
