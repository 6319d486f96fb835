/* actors/runtime/deferred.h: what is done at the end of a phase of a loop's turn, at most once.
 *
 * A node lives inside its owner's struct, zero-initialised but for fire and context. What is added
 * while the list runs waits for the next run. Used through edda_loop_defer.
 *
 * Threads: the loop's. */
#ifndef EDDA_RUNTIME_DEFERRED_H
#define EDDA_RUNTIME_DEFERRED_H

#include "actors/runtime/loop.h"

struct edda_deferred {
    edda_task_fn fire;
    void *context;
    struct edda_deferred **link; /* what points here; NULL when not in a list */
    struct edda_deferred *next;
};

struct edda_deferred_list {
    struct edda_deferred *first;
};

/* Does nothing when it is in the list already. */
void edda_deferred_add(struct edda_deferred_list *list, struct edda_deferred *deferred);

/* Also from within a run. Does nothing when it is in no list. */
void edda_deferred_cancel(struct edda_deferred *deferred);

/* Calls everything that is in the list now. */
void edda_deferred_run(struct edda_deferred_list *list);

#endif
