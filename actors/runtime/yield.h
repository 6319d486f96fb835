/* actors/runtime/yield.h: whether a loop lets other threads run once more before it sleeps.
 *
 * After a short sleep the next is likely to be short too, and costs two switches of threads and the
 * waker's system calls. Letting the peers run first often brings their messages without it. Where a
 * thread that computes took the processor instead, there is a pause: a wake-up gets it back sooner
 * than a yield does. Used by loop.c alone.
 *
 * Limits: sleeps under 200 us are short; a yield over 1 ms is followed by 20 ms without. */
#ifndef EDDA_RUNTIME_YIELD_H
#define EDDA_RUNTIME_YIELD_H

#include "proto/types.h"

struct edda_yield {
    int64_t slept_us; /* the last time */
    int64_t from_us;  /* not before */
};

void edda_yield_init(struct edda_yield *yield);

/* Yields when it is worth it and moves *now_us on. False: it was not. */
bool edda_yield_try(struct edda_yield *yield, int64_t *now_us);

#endif
