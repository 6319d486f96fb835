/* actors/runtime/pool.h: a few threads for CPU work and blocking calls; results return to the loop.
 *
 * work runs on a pool thread, then done on the loop's thread, in no order between tasks (a pool of
 * one thread keeps order). Queue bounded at creation. */
#ifndef EDDA_RUNTIME_POOL_H
#define EDDA_RUNTIME_POOL_H

#include "actors/runtime/loop.h"

typedef struct edda_pool edda_pool_t;

/* thread_index is 0..threads-1: for per-thread scratch such as analysers and database handles. */
typedef void (*edda_work_fn)(void *context, unsigned thread_index);

edda_pool_t *edda_pool_new(edda_loop_t *loop, const char *name, unsigned threads,
                           size_t maximum_queued);

/* Finishes what is queued (done callbacks included, called from here), then joins the threads. */
void edda_pool_destroy(edda_pool_t **self_p);

/* EDDA_E_BUSY when the queue is full: nothing was taken. done may be NULL. */
int edda_pool_run(edda_pool_t *self, edda_work_fn work, edda_task_fn done,
                  void *context) EDDA_MUST_CHECK;

size_t edda_pool_queued(const edda_pool_t *self);

#endif
