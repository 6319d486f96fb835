/* actors/llm/delivery.h: an answer on its way to who asked: the text as far as it has come, and
 * PARTs of it as fast as they are taken.
 *
 *   add text -> PART at once, or: no credit, text waits -> credit -> PARTs -> on_room
 *                                                       -> slow_ms without any -> on_slow
 *
 * While it is open the job says every second that it is alive. Who does not take PARTs gets none;
 * then nothing waits. Threads: the loop's. Limits: EDDA_MAX_ANSWER_BYTES of text, the rest is cut;
 * EDDA_DELIVERY_PART of a PART. */
#ifndef EDDA_ACTORS_LLM_DELIVERY_H
#define EDDA_ACTORS_LLM_DELIVERY_H

#include "actors/runtime/job.h"
#include "proto/buffer.h"

#define EDDA_DELIVERY_PART    4096 /* bytes: less than any reader's window */
#define EDDA_DELIVERY_SLOW_MS 30000

struct edda_delivery {
    edda_loop_t *loop;
    edda_job_t *job;
    struct edda_buffer text; /* all that came */
    size_t sent;             /* of it */
    bool streaming;
    bool full;    /* text was cut */
    bool waiting; /* for credit, with text */
    int64_t waiting_since_ms;
    int64_t slow_ms;
    struct edda_timer tick;
    edda_task_fn on_room; /* nothing waits any more; may end the delivery */
    edda_task_fn on_slow; /* the same */
    void *context;
};

/* In zeroed memory; the callbacks, context and slow_ms are the caller's to set. Says that the job
 * is alive. */
void edda_delivery_begin(struct edda_delivery *delivery, edda_loop_t *loop, edda_job_t *job);

/* Also when it was never begun. The job may have left. */
void edda_delivery_done(struct edda_delivery *delivery);

/* Takes text and sends what may be sent. `full` and `waiting` say what came of it. EDDA_E_MEMORY;
 * any other: the job can deliver no more. */
int edda_delivery_add(struct edda_delivery *delivery, struct edda_text text) EDDA_MUST_CHECK;

struct edda_text edda_delivery_text(const struct edda_delivery *delivery);

#endif
