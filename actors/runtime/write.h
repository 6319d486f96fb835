/* actors/runtime/write.h: JSON text into a buffer, as JavaScript's JSON.stringify would write it:
 * what gateway and providers share.
 *
 * Errors stick in the buffer; look once at the end. Texts are UTF-8 already. Pure. */
#ifndef EDDA_RUNTIME_WRITE_H
#define EDDA_RUNTIME_WRITE_H

#include "proto/buffer.h"
#include "proto/types.h"

/* A quoted string; null when absent. */
void edda_write_text(struct edda_buffer *out, struct edda_text text);

/* The escaped characters alone, for strings written in pieces. */
void edda_write_escaped(struct edda_buffer *out, struct edda_text text);

/* Raw bytes, such as JSON that is ready. */
void edda_write_raw(struct edda_buffer *out, struct edda_text text);
#define EDDA_WRITE(out, literal) edda_write_raw((out), EDDA_TEXT(literal))

void edda_write_unsigned(struct edda_buffer *out, uint64_t number);

#endif
