/* proto/buffer.c: growth by doubling up to the maximum given at the start. */
#include "proto/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 1000 /* what malloc still keeps for its thread */

void edda_buffer_init(struct edda_buffer *buffer, size_t maximum) {
    *buffer = (struct edda_buffer){.maximum = maximum};
}

void edda_buffer_done(struct edda_buffer *buffer) {
    free(buffer->data);
    edda_buffer_init(buffer, buffer->maximum);
}

void edda_buffer_reset(struct edda_buffer *buffer) {
    buffer->size = 0;
    buffer->error = 0;
}

static bool grow_by(struct edda_buffer *buffer, size_t size) {
    if (size > buffer->maximum - buffer->size) {
        buffer->error = EDDA_E_LIMIT;
        return false;
    }
    size_t needed = buffer->size + size;
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        capacity = capacity > buffer->maximum / 2 ? buffer->maximum : capacity * 2;
    }
    if (capacity > buffer->maximum) {
        capacity = buffer->maximum;
    }
    /* One byte more than is counted: the NUL that vsnprintf writes, and an address for maximum 0.
     */
    uint8_t *data = realloc(buffer->data, capacity + 1);
    if (!data) {
        buffer->error = EDDA_E_MEMORY;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *edda_buffer_reserve(struct edda_buffer *buffer, size_t size) {
    if (buffer->error) {
        return NULL;
    }
    if ((size > buffer->capacity - buffer->size || !buffer->data) && !grow_by(buffer, size)) {
        return NULL;
    }
    return buffer->data + buffer->size;
}

int edda_buffer_append(struct edda_buffer *buffer, const void *data, size_t size) {
    if (size == 0) {
        return buffer->error;
    }
    uint8_t *at = edda_buffer_reserve(buffer, size);
    if (at) {
        memcpy(at, data, size);
        buffer->size += size;
    }
    return buffer->error;
}

int edda_buffer_append_text(struct edda_buffer *buffer, const char *string) {
    return edda_buffer_append(buffer, string, strlen(string));
}

int edda_buffer_printf(struct edda_buffer *buffer, const char *format, ...) {
    if (buffer->error) {
        return buffer->error;
    }
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    EDDA_ASSERT(length >= 0);
    uint8_t *at = edda_buffer_reserve(buffer, (size_t)length);
    if (at) {
        vsnprintf((char *)at, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return buffer->error;
}

void edda_buffer_take(struct edda_buffer *buffer, uint8_t **ret_data, size_t *ret_size) {
    if (buffer->error) {
        edda_buffer_done(buffer);
    }
    *ret_data = buffer->data;
    *ret_size = buffer->size;
    edda_buffer_init(buffer, buffer->maximum);
}
