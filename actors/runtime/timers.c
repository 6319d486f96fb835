/* actors/runtime/timers.c: a binary heap whose members know their place. */
#include "actors/runtime/timers.h"

#include <stdlib.h>

void edda_timers_done(struct edda_timers *timers) {
    for (size_t i = 0; i < timers->count; i++) {
        timers->items[i]->index = 0;
    }
    free(timers->items);
    *timers = (struct edda_timers){0};
}

static void place(struct edda_timers *timers, size_t at, struct edda_timer *timer) {
    timers->items[at] = timer;
    timer->index = at + 1;
}

static void sift_up(struct edda_timers *timers, size_t at, struct edda_timer *timer) {
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (timers->items[parent]->at_ms <= timer->at_ms) {
            break;
        }
        place(timers, at, timers->items[parent]);
        at = parent;
    }
    place(timers, at, timer);
}

static void sift_down(struct edda_timers *timers, size_t at, struct edda_timer *timer) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            timers->items[child + 1]->at_ms < timers->items[child]->at_ms) {
            child++;
        }
        if (timers->items[child]->at_ms >= timer->at_ms) {
            break;
        }
        place(timers, at, timers->items[child]);
        at = child;
    }
    place(timers, at, timer);
}

static void settle(struct edda_timers *timers, size_t at, struct edda_timer *timer) {
    if (at > 0 && timers->items[(at - 1) / 2]->at_ms > timer->at_ms) {
        sift_up(timers, at, timer);
    } else {
        sift_down(timers, at, timer);
    }
}

void edda_timers_set(struct edda_timers *timers, struct edda_timer *timer, int64_t at_ms) {
    EDDA_ASSERT(timer->fire);
    timer->at_ms = at_ms;
    if (timer->index) {
        settle(timers, timer->index - 1, timer);
        return;
    }
    if (timers->count == timers->capacity) {
        size_t capacity = timers->capacity ? timers->capacity * 2 : 32;
        struct edda_timer **items = realloc(timers->items, capacity * sizeof(struct edda_timer *));
        EDDA_ASSERT(items);
        timers->items = items;
        timers->capacity = capacity;
    }
    sift_up(timers, timers->count++, timer);
}

void edda_timers_cancel(struct edda_timers *timers, struct edda_timer *timer) {
    if (!timer->index) {
        return;
    }
    size_t at = timer->index - 1;
    EDDA_ASSERT(at < timers->count && timers->items[at] == timer);
    timer->index = 0;
    struct edda_timer *last = timers->items[--timers->count];
    if (last != timer) {
        settle(timers, at, last);
    }
}

struct edda_timer *edda_timers_take(struct edda_timers *timers, int64_t now_ms) {
    if (timers->count == 0 || timers->items[0]->at_ms > now_ms) {
        return NULL;
    }
    struct edda_timer *timer = timers->items[0];
    edda_timers_cancel(timers, timer);
    return timer;
}

int64_t edda_timers_next(const struct edda_timers *timers) {
    return timers->count ? timers->items[0]->at_ms : INT64_MAX;
}
