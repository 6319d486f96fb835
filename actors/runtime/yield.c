/* actors/runtime/yield.c: sched_yield with a memory of what it was good for. */
#include "actors/runtime/yield.h"

#include <sched.h>

#include "actors/runtime/clock.h"

#define SHORT_SLEEP_US 200
#define LONG_YIELD_US  1000
#define PAUSE_US       20000

void edda_yield_init(struct edda_yield *yield) {
    *yield = (struct edda_yield){.slept_us = SHORT_SLEEP_US};
}

bool edda_yield_try(struct edda_yield *yield, int64_t *now_us) {
    if (yield->slept_us >= SHORT_SLEEP_US || *now_us < yield->from_us) {
        return false;
    }
    int64_t began_us = *now_us;
    (void)sched_yield();
    *now_us = edda_clock_us();
    if (*now_us - began_us >= LONG_YIELD_US) {
        yield->from_us = *now_us + PAUSE_US;
    }
    return true;
}
