/* proto/pack.h: msgpack-c's packer writing into an edda_buffer. Private to proto. */
#ifndef EDDA_PROTO_PACK_H
#define EDDA_PROTO_PACK_H

#include "proto/buffer.h"

#include <msgpack/pack.h>

/* The packer calls this for every few bytes, so the common case is here and not behind a call.
 * Failures stick in the buffer, where the owner looks once. */
static inline int edda_pack_write(void *context, const char *data, size_t size) {
    struct edda_buffer *buffer = context;
    if (size <= buffer->capacity - buffer->size && !buffer->error && size > 0) {
        if (size == 1) { /* most of what is packed */
            buffer->data[buffer->size] = (uint8_t)*data;
        } else {
            memcpy(buffer->data + buffer->size, data, size);
        }
        buffer->size += size;
        return 0;
    }
    return edda_buffer_append(buffer, data, size);
}

static inline void edda_pack_text(msgpack_packer *packer, struct edda_text text) {
    msgpack_pack_str(packer, text.size);
    msgpack_pack_str_body(packer, text.data, text.size);
}

static inline void edda_pack_bytes(msgpack_packer *packer, const void *data, size_t size) {
    msgpack_pack_bin(packer, size);
    msgpack_pack_bin_body(packer, data, size);
}

#endif
