/* actors/runtime/actor.h: what every stage stands on: a worker session to each broker, credit,
 * jobs.
 *
 * The stage names its service and its operations; the actor says HELLO, grants its window as
 * credit, turns WORK into jobs, and keeps the books: granted - finished = what may still come.
 * Handlers run on the loop's thread, must not block, and finish their job now or later. Every
 * handler is idempotent: the same job may come again from another broker or after a lost session.
 *
 * Drain: no new credit, DRAIN to the brokers, running jobs finish, BYE. Unknown ops are answered
 * with FAIL no_service. */
#ifndef EDDA_RUNTIME_ACTOR_H
#define EDDA_RUNTIME_ACTOR_H

#include "actors/runtime/curve.h"
#include "actors/runtime/job.h"
#include "actors/runtime/loop.h"

typedef struct edda_actor edda_actor_t;
typedef void (*edda_handler_fn)(void *stage, edda_job_t *job);

struct edda_operation {
    const char *op;
    edda_handler_fn handle; /* owns job: must leave through a door of job.h, now or later */
};

struct edda_actor_options {
    edda_loop_t *loop;
    void *zmq_context;
    const char *const *brokers; /* URLs, copied; the back endpoints are derived */
    size_t broker_count;
    const edda_curve_t *curve; /* for tcp; borrowed; NULL: plain */
    const char *service;
    const char *model;                       /* or NULL */
    uint32_t dimension;                      /* or 0 */
    const char *name;                        /* for people */
    const struct edda_operation *operations; /* static */
    size_t operation_count;
    uint32_t window; /* steps wanted at once, 1..EDDA_MAX_WORKER_WINDOW, per broker */
    void *stage;     /* borrowed */
};

edda_actor_t *edda_actor_new(const struct edda_actor_options *options);

/* Asserts that every job has been finished. Not before the loop has run its last: it calls the
 * actor when it drains. */
void edda_actor_destroy(edda_actor_t **self_p);

/* How many steps are wanted at once from now on, per broker: 0..options.window. This is how a
 * provider's limit becomes back-pressure. Grants already made stay; as they are used up no new ones
 * follow until fewer than this are open. With 1, brokers send interactive steps only (their last
 * slot is kept for those): the stage can refuse them at once, and bulk waits where it is. */
void edda_actor_set_window(edda_actor_t *self, uint32_t window);

size_t edda_actor_running(const edda_actor_t *self);
size_t edda_actor_brokers_live(const edda_actor_t *self);

#endif
