/* proto/buffer.h: a growable byte buffer that knows its maximum from the start.
 *
 * Invariant: size <= capacity <= maximum. The first failure (LIMIT or MEMORY) sticks in `error`;
 * later appends do nothing, so a caller may append many times and look once. */
#ifndef EDDA_PROTO_BUFFER_H
#define EDDA_PROTO_BUFFER_H

#include "proto/error.h"
#include "proto/types.h"

struct edda_buffer {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    size_t maximum;
    int error; /* 0 or the first negative code */
};

void edda_buffer_init(struct edda_buffer *buffer, size_t maximum);
void edda_buffer_done(struct edda_buffer *buffer);

/* Forgets content and error, keeps the memory. */
void edda_buffer_reset(struct edda_buffer *buffer);

/* Copies size bytes to the end. Returns buffer->error. */
int edda_buffer_append(struct edda_buffer *buffer, const void *data, size_t size);
int edda_buffer_append_text(struct edda_buffer *buffer, const char *string);

/* printf into the end; the result is not counted for the terminating NUL. Returns buffer->error. */
int edda_buffer_printf(struct edda_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for size more bytes and returns where they go, without counting them; NULL on error.
 * The caller adds what it wrote to buffer->size. */
uint8_t *edda_buffer_reserve(struct edda_buffer *buffer, size_t size);

/* Gives the bytes away: the caller frees *ret_data with free(); the buffer is empty after. */
void edda_buffer_take(struct edda_buffer *buffer, uint8_t **ret_data, size_t *ret_size);

static inline struct edda_bytes edda_buffer_bytes(const struct edda_buffer *buffer) {
    return (struct edda_bytes){buffer->data, buffer->size};
}

#endif
