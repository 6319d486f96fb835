/* broker/flow.h: what becomes of a request between its admission and its end (state table 3).
 *
 *   edda_flow_enter --> QUEUED --pick--> RUNNING --+--> edda_flow_advance --> QUEUED(k + 1) or RESP
 *                         ^                        |
 *                         +-- edda_flow_failed ----+--> skip, or FAIL */
#ifndef EDDA_BROKER_FLOW_H
#define EDDA_BROKER_FLOW_H

#include "broker/peers.h"
#include "broker/queue.h"

/* Queues the step that is due, dispatching at once where nothing waits before it. A step that may
 * be skipped and has no worker is skipped. The pending is RUNNING (detached) or FREE. */
void edda_flow_enter(struct edda_core *core, struct edda_pending *pending, enum edda_place place);

/* The step is over and its output is in pending->input: on to the next, or RESP. Detached. */
void edda_flow_advance(struct edda_core *core, struct edda_pending *pending);

/* The step failed in a worker: retry elsewhere, skip, or FAIL to the requester. Detached.
 * worker: whom to avoid. */
void edda_flow_failed(struct edda_core *core, struct edda_pending *pending,
                      const struct edda_uuid *worker, const struct edda_wire_error *error);

/* The worker gave it back unstarted: no attempt. Detached. */
void edda_flow_returned(struct edda_core *core, struct edda_pending *pending,
                        const struct edda_uuid *worker);

/* Its worker is gone. Attached still. */
void edda_flow_lost(struct edda_core *core, struct edda_pending *pending, enum edda_loss loss);

/* A deadline passed: the request's, or the step's. */
void edda_flow_overdue(struct edda_core *core, struct edda_pending *pending);

/* Nobody waits for it any more. */
void edda_flow_cancel(struct edda_core *core, struct edda_pending *pending);

/* FAIL with this code and its standard text, from whatever state. */
void edda_flow_fail(struct edda_core *core, struct edda_pending *pending, int code,
                    uint32_t retry_after_ms);

/* FAIL, or skip where the route allows: its service stays gone. */
void edda_flow_unserved(struct edda_core *core, struct edda_pending *pending);

/* Takes a RUNNING pending from its worker. It must be entered, ended or advanced next. */
void edda_flow_detach(struct edda_core *core, struct edda_pending *pending);

/* Whether this step's input may stand for its output. */
bool edda_flow_skippable(const struct edda_pending_step *step);

#endif
