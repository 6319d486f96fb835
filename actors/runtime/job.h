/* actors/runtime/job.h: one step of work in a worker, from WORK to its one DONE, FAIL or RETURN.
 *
 * ACCEPTED -> RUNNING -> (PARKED) -> finished. The four functions that take edda_job_t ** are the
 * only doors out; a job leaves by exactly one (asserted). After a cancel or a lost session
 * finishing is still required and harmless.
 *
 * Threads: the loop's, except edda_job_cancelled, edda_job_arguments, edda_job_input and
 * edda_job_arena, which one pool thread at a time may use while it holds the job. */
#ifndef EDDA_RUNTIME_JOB_H
#define EDDA_RUNTIME_JOB_H

#include "actors/runtime/loop.h"
#include "proto/body.h"
#include "proto/envelope.h"

typedef struct edda_job edda_job_t;

/* Op, project, fence, attempt, traceparent, priority: views live as long as the job. */
const struct edda_envelope *edda_job_envelope(const edda_job_t *job);

/* Monotonic ms after which nobody waits for the result. */
int64_t edda_job_deadline_ms(const edda_job_t *job);

/* Decode the bodies by the op's table (or their descriptors' types): EDDA_E_TYPE when the type is
 * not what the op takes, EDDA_E_MALFORMED, EDDA_E_LIMIT, EDDA_E_MEMORY. Views live as long as the
 * job. An absent body gives the zero record. */
int edda_job_arguments(edda_job_t *job, uint16_t type, void *ret_record) EDDA_MUST_CHECK;
int edda_job_input(edda_job_t *job, uint16_t type, void *ret_record) EDDA_MUST_CHECK;

/* Memory that lives as long as the job, at most 16 MiB. */
struct edda_arena *edda_job_arena(edda_job_t *job);

bool edda_job_cancelled(const edda_job_t *job);

/* Called on the loop's thread when CANCEL comes or the session is lost; may be NULL. */
void edda_job_on_cancel(edda_job_t *job, edda_task_fn cancel, void *context);

/* "Alive": renews the broker's step timer and the requester's lease. */
void edda_job_progress(edda_job_t *job);

/* A streamed piece. EDDA_E_AGAIN: no stream credit; on_credit (if set) is called when there is.
 * EDDA_E_CANCELLED: nobody waits for it any more. */
int edda_job_part(edda_job_t *job, uint16_t type, const void *record) EDDA_MUST_CHECK;
void edda_job_on_credit(edda_job_t *job, edda_task_fn credit, void *context);

/* DONE with record encoded as type. When encoding fails the job fails with that error. */
void edda_job_finish(edda_job_t **job_p, uint16_t type, const void *record);

/* DONE with bytes already encoded; *buffer is emptied, its memory moves to the message. */
void edda_job_finish_buffer(edda_job_t **job_p, uint16_t type, struct edda_buffer *buffer);

/* FAIL. text may be NULL for the code's own; it is copied. */
void edda_job_fail(edda_job_t **job_p, int code, enum edda_blame blame, uint32_t retry_after_ms,
                   const char *text);

/* RETURN: not started; another worker gets it and it costs no attempt. */
void edda_job_return(edda_job_t **job_p);

#endif
