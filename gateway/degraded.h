/* gateway/degraded.h: what an answer had to go without, each name once. Pure. */
#ifndef EDDA_GATEWAY_DEGRADED_H
#define EDDA_GATEWAY_DEGRADED_H

#include "proto/buffer.h"
#include "proto/limits.h"

#define EDDA_DEGRADED_NAMES 8

struct edda_degraded {
    char names[EDDA_DEGRADED_NAMES][EDDA_MAX_NAME + 1];
    size_t count;
};

/* Copies the name; one that is there already, or the ninth, changes nothing. */
void edda_degraded_add(struct edda_degraded *degraded, struct edda_text name);
void edda_degraded_add_all(struct edda_degraded *degraded, const struct edda_text *names,
                           size_t count);

/* ,"degraded":["vector"] or nothing at all. */
void edda_degraded_write(struct edda_buffer *out, const struct edda_degraded *degraded);

#endif
