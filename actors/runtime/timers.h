/* actors/runtime/timers.h: the loop's timers as a binary heap of borrowed structs.
 *
 * Invariant: timer->index - 1 is its place in the heap, or index is 0. Setting, moving and
 * cancelling cost O(log n). Used by loop.c alone; memory short for the heap aborts (it is bounded
 * by objects that have their own limits). */
#ifndef EDDA_RUNTIME_TIMERS_H
#define EDDA_RUNTIME_TIMERS_H

#include "actors/runtime/loop.h"

struct edda_timers {
    struct edda_timer **items; /* owned */
    size_t count;
    size_t capacity;
};

void edda_timers_done(struct edda_timers *timers);
void edda_timers_set(struct edda_timers *timers, struct edda_timer *timer, int64_t at_ms);
void edda_timers_cancel(struct edda_timers *timers, struct edda_timer *timer);

/* Removes and returns the earliest timer that is due, or NULL. */
struct edda_timer *edda_timers_take(struct edda_timers *timers, int64_t now_ms);

/* When the earliest is due; INT64_MAX without any. */
int64_t edda_timers_next(const struct edda_timers *timers);

#endif
