/* actors/llm/answering.c: the life of one llm.answer: its passages, its text, its one end.
 *
 *   builtin   quotes found (in a pool when there is much to read) -> a PART each -> DONE
 *   provider  prompt -> generation -> PARTs, paused while nobody takes them -> DONE */
#include <stdio.h>
#include <stdlib.h>

#include "actors/llm/delivery.h"
#include "actors/llm/generation.h"
#include "actors/llm/prompt.h"
#include "actors/llm/stage.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "proto/limits.h"

#define INLINE_BYTES 262144 /* of passages: about three milliseconds */

struct answering {
    struct edda_llm_task task;
    struct edda_llm_answer arguments;
    struct edda_hits hits;
    struct edda_answer answer; /* what the end will say */
    struct edda_delivery delivery;
    struct edda_extract extract;
    size_t next_piece;
    edda_generation_t *generation;
    char finish[24];
    bool ended;                        /* no more text will come */
    struct edda_generation_end broken; /* error not 0: to be told when the text before has gone */
    int64_t began_us;
    int error; /* of the pool's work */
};

static void dispose(struct answering *answering) {
    edda_generation_cancel(&answering->generation);
    edda_delivery_done(&answering->delivery);
    edda_llm_task_end(&answering->task);
    free(answering);
}

static void fail(struct answering *answering, int code, enum edda_blame blame,
                 uint32_t retry_after_ms, const char *text) {
    edda_job_t *job = answering->task.job;
    if (answering->delivery.sent > 0 && code != EDDA_E_CANCELLED) {
        /* The requester will hear of a broken stream alone. */
        edda_log(EDDA_LOG_WARNING, "llm_broken", "provider=%s error=%s sent=%zu text=\"%s\"",
                 answering->task.model->name, edda_error_name(code), answering->delivery.sent,
                 text ? text : edda_error_text(code));
    }
    edda_job_fail(&job, code, blame, retry_after_ms, text);
    dispose(answering);
}

static void fail_task(struct edda_llm_task *task, int code) {
    fail((struct answering *)task, code, EDDA_BLAME_WORKER, 0, NULL);
}

static void take_cancel(void *context) {
    fail(context, EDDA_E_CANCELLED, EDDA_BLAME_JOB, 0, NULL);
}

static void take_slow(void *context) {
    fail(context, EDDA_E_STREAM_BROKEN, EDDA_BLAME_OUTSIDE, 0, "slow_client");
}

static void finish(struct answering *answering) {
    struct edda_answer *answer = &answering->answer;
    edda_job_t *job = answering->task.job;
    edda_cell_add(answering->task.stage->input_tokens, answer->input_tokens);
    edda_cell_add(answering->task.stage->output_tokens, answer->output_tokens);
    answer->text = edda_delivery_text(&answering->delivery);
    answer->finish = edda_text_of(answering->delivery.full ? "length" : answering->finish);
    answer->provider = edda_text_of(answering->task.model->name);
    answer->model = edda_text_of(answering->task.model->model);
    answer->degraded = answering->hits.degraded;
    answer->serving_model = answering->hits.model;
    answer->serving_dimension = answering->hits.dimension;
    edda_job_finish(&job, EDDA_BODY_ANSWER, answer);
    dispose(answering);
}

static void begin_delivery(struct answering *answering, edda_task_fn on_room) {
    answering->delivery.slow_ms = answering->task.stage->slow_ms;
    answering->delivery.on_room = on_room;
    answering->delivery.on_slow = take_slow;
    answering->delivery.context = answering;
    edda_delivery_begin(&answering->delivery, answering->task.stage->loop, answering->task.job);
    edda_job_on_cancel(answering->task.job, take_cancel, answering);
}

/* False: the answer is over. */
static bool give(struct answering *answering, struct edda_text text) {
    struct edda_delivery *delivery = &answering->delivery;
    if (delivery->text.size == 0) {
        edda_cell_observe(answering->task.model->first_token,
                          (double)(edda_clock_us() - answering->began_us) / 1e6);
    }
    int error = edda_delivery_add(delivery, text);
    if (error) {
        fail(answering, error, EDDA_BLAME_WORKER, 0, NULL);
    }
    return !error;
}

/* ---- quotes ---- */

static void give_quotes(void *context) {
    struct answering *answering = context;
    const struct edda_texts *pieces = &answering->extract.pieces;
    while (!answering->delivery.waiting && answering->next_piece < pieces->count) {
        if (!give(answering, pieces->items[answering->next_piece++])) {
            return;
        }
    }
    if (!answering->delivery.waiting) {
        finish(answering);
    }
}

static void find_quotes(struct answering *answering, struct edda_llm_tools *tools) {
    bool alone = edda_models_count(answering->task.stage->models) == 1;
    edda_job_t *job = answering->task.job;
    answering->error =
        edda_job_cancelled(job)
            ? EDDA_E_CANCELLED
            : edda_extractor_run(tools->extractor, &answering->arguments, &answering->hits, alone,
                                 edda_job_arena(job), &answering->extract);
}

static void run_pooled(void *context, unsigned thread_index) {
    struct answering *answering = context;
    (void)thread_index;
    find_quotes(answering, &answering->task.stage->tools[1]);
}

static void take_quotes(void *context) {
    struct answering *answering = context;
    if (edda_job_cancelled(answering->task.job)) {
        answering->error = EDDA_E_CANCELLED; /* while nobody here was listening */
    }
    if (answering->error) {
        fail(answering, answering->error, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    answering->answer.extractive = true;
    answering->answer.sources = answering->extract.sources;
    begin_delivery(answering, give_quotes);
    give_quotes(answering);
}

static size_t count_bytes(const struct edda_hits *hits) {
    size_t bytes = 0;
    for (size_t i = 0; i < hits->hits.count; i++) {
        bytes += hits->hits.items[i].text.size;
    }
    return bytes;
}

static void answer_by_quotes(struct answering *answering) {
    struct edda_llm_stage *stage = answering->task.stage;
    edda_job_progress(answering->task.job);
    if (count_bytes(&answering->hits) <= INLINE_BYTES) {
        find_quotes(answering, &stage->tools[0]);
        take_quotes(answering);
    } else if (edda_pool_run(stage->pool, run_pooled, take_quotes, answering) != 0) {
        edda_job_return(&answering->task.job);
        dispose(answering);
    }
}

/* ---- a provider ---- */

static void take_room(void *context) {
    struct answering *answering = context;
    const struct edda_generation_end *broken = &answering->broken;
    if (broken->error) {
        fail(answering, broken->error, broken->blame, broken->retry_after_ms, broken->text);
    } else if (answering->ended) {
        finish(answering);
    } else {
        edda_generation_pause(answering->generation, false);
    }
}

static void end_text(struct answering *answering) {
    answering->ended = true;
    edda_generation_cancel(&answering->generation);
    if (!answering->delivery.waiting) {
        finish(answering);
    }
}

static void take_text(void *context, struct edda_text text) {
    struct answering *answering = context;
    if (!give(answering, text)) {
        return;
    }
    if (answering->delivery.full) {
        end_text(answering);
    } else if (answering->delivery.waiting) {
        edda_generation_pause(answering->generation, true);
    }
}

static void take_end(void *context, const struct edda_generation_end *end) {
    struct answering *answering = context;
    if (end->error && answering->delivery.waiting) {
        answering->broken = *end;
        edda_generation_cancel(&answering->generation);
    } else if (end->error) {
        fail(answering, end->error, end->blame, end->retry_after_ms, end->text);
    }
    if (end->error) {
        return;
    }
    if (answering->delivery.text.size == 0) {
        char text[EDDA_MAX_ERROR_TEXT + 1];
        (void)snprintf(text, sizeof text, "%s: the model gave no text (%s)",
                       answering->task.model->name, end->finish);
        fail(answering, EDDA_E_FAILED, EDDA_BLAME_OUTSIDE, 0, text);
        return;
    }
    answering->answer.input_tokens = end->input_tokens;
    answering->answer.output_tokens = end->output_tokens;
    (void)snprintf(answering->finish, sizeof answering->finish, "%s", end->finish);
    end_text(answering);
}

static int start_generation(struct answering *answering, struct edda_generation_end *ret_end) {
    struct edda_llm_stage *stage = answering->task.stage;
    struct edda_generation_options options = {
        .loop = stage->loop,
        .model = answering->task.model,
        .first_byte_ms = stage->first_byte_ms,
        .deadline_ms = edda_job_deadline_ms(answering->task.job),
        .on_text = take_text,
        .on_end = take_end,
        .context = answering,
    };
    struct edda_prompt prompt;
    int error =
        edda_prompt_build(&answering->arguments, &answering->hits.hits, stage->context_tokens,
                          edda_job_arena(answering->task.job), &prompt);
    if (error) {
        bool long_question = error == EDDA_E_LIMIT;
        *ret_end = (struct edda_generation_end){
            .error = error, .blame = long_question ? EDDA_BLAME_JOB : EDDA_BLAME_WORKER};
        (void)snprintf(ret_end->text, sizeof ret_end->text, "%s",
                       long_question ? "the question and its instructions leave no room for "
                                       "passages in EDDA_LLM_CONTEXT_TOKENS"
                                     : edda_error_text(error));
        return error;
    }
    answering->answer.sources = prompt.sources;
    prompt.chat.max_tokens = stage->max_tokens;
    return edda_generation_new(&options, &prompt.chat, &answering->generation, ret_end);
}

static void answer_by_provider(struct answering *answering) {
    struct edda_generation_end end;
    begin_delivery(answering, take_room);
    if (start_generation(answering, &end) != 0) {
        fail(answering, end.error, end.blame, end.retry_after_ms, end.text);
    }
}

/* ---- the job ---- */

void edda_llm_answer_job(void *context, edda_job_t *job) {
    struct answering *answering = calloc(1, sizeof *answering);
    if (!answering) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    answering->task.fail = fail_task;
    answering->began_us = edda_clock_us();
    (void)snprintf(answering->finish, sizeof answering->finish, "stop");
    if (!edda_llm_task_begin(&answering->task, context, job, EDDA_BODY_LLM_ANSWER,
                             &answering->arguments, &answering->arguments.provider)) {
        free(answering);
        return;
    }
    int error = edda_job_input(job, EDDA_BODY_HITS, &answering->hits);
    if (error) {
        fail(answering, error, EDDA_BLAME_JOB, 0, NULL);
    } else if (answering->task.model->provider) {
        answer_by_provider(answering);
    } else {
        answer_by_quotes(answering);
    }
}
