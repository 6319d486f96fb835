/* gateway/write.h: JSON text into a buffer, as JavaScript's JSON.stringify would write it.
 *
 * Errors stick in the buffer; look once at the end. Texts are UTF-8 already. Pure. */
#ifndef EDDA_GATEWAY_WRITE_H
#define EDDA_GATEWAY_WRITE_H

#include <jansson.h>

#include "proto/buffer.h"
#include "proto/types.h"

/* A quoted string; null when absent. */
void edda_write_text(struct edda_buffer *out, struct edda_text text);

/* The escaped characters alone, for strings written in pieces. */
void edda_write_escaped(struct edda_buffer *out, struct edda_text text);

/* Raw bytes, such as JSON that is ready. */
void edda_write_raw(struct edda_buffer *out, struct edda_text text);
#define EDDA_WRITE(out, literal) edda_write_raw((out), EDDA_TEXT(literal))

/* JSON text that is ready, or `fallback` when it is absent or empty. */
void edda_write_ready(struct edda_buffer *out, struct edda_text json, const char *fallback);

void edda_write_unsigned(struct edda_buffer *out, uint64_t number);

/* The shortest decimal that reads back the same; whole numbers without a point; 0 for NaN and
 * infinities, which JSON has not. */
void edda_write_double(struct edda_buffer *out, double number);

/* An ISO date in quotes; null for 0. */
void edda_write_date(struct edda_buffer *out, int64_t wall_ms);

void edda_write_uuid(struct edda_buffer *out, const struct edda_uuid *uuid);
void edda_write_bool(struct edda_buffer *out, bool value);

/* A whole value without white space. */
void edda_write_value(struct edda_buffer *out, const json_t *value);

#endif
