/* gateway/write.h: what responses are written with, besides actors/runtime/write.h: dates, numbers,
 * values, as JavaScript's JSON.stringify would write them.
 *
 * Errors stick in the buffer; look once at the end. Texts are UTF-8 already. Pure. */
#ifndef EDDA_GATEWAY_WRITE_H
#define EDDA_GATEWAY_WRITE_H

#include <jansson.h>

#include "actors/runtime/write.h"

/* JSON text that is ready, or `fallback` when it is absent or empty. */
void edda_write_ready(struct edda_buffer *out, struct edda_text json, const char *fallback);

/* The shortest decimal that reads back the same; whole numbers without a point; 0 for NaN and
 * infinities, which JSON has not. */
void edda_write_double(struct edda_buffer *out, double number);

/* An ISO date in quotes; null for 0. */
void edda_write_date(struct edda_buffer *out, int64_t wall_ms);

void edda_write_uuid(struct edda_buffer *out, const struct edda_uuid *uuid);
void edda_write_bool(struct edda_buffer *out, bool value);

/* ,"start":S,"end":E: the bytes of a memo's content that a text stands for. */
void edda_write_range(struct edda_buffer *out, uint32_t start, uint32_t end);

/* A whole value without white space. */
void edda_write_value(struct edda_buffer *out, const json_t *value);

#endif
