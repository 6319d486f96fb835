/* proto/read.h: the insides of walk.h, where the codecs can inline them. Private to proto. */
#ifndef EDDA_PROTO_READ_H
#define EDDA_PROTO_READ_H

#include "proto/utf8.h"
#include "proto/walk.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "edda_load_big and edda_floats rely on it");

enum edda_shape {
    EDDA_SHAPE_BAD, /* ext, and 0xc1, which is no type */
    EDDA_SHAPE_PLAIN,
    EDDA_SHAPE_TEXT,
    EDDA_SHAPE_BYTES,
    EDDA_SHAPE_ARRAY,
    EDDA_SHAPE_MAP,
};

/* What the first byte of a value says. Its content has `fixed` bytes plus the byte's own bits under
 * `mask`, or as many as the big-endian number in the next `count` bytes says. */
struct edda_head {
    uint8_t shape;
    uint8_t fixed;
    uint8_t mask;
    uint8_t count;
};

extern const struct edda_head edda_heads[256];

static inline uint64_t edda_load_big(const uint8_t *at, size_t size) {
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        return at[0];
    case 2:
        memcpy(&two, at, 2);
        return __builtin_bswap16(two);
    case 4:
        memcpy(&four, at, 4);
        return __builtin_bswap32(four);
    default:
        memcpy(&eight, at, 8);
        return __builtin_bswap64(eight);
    }
}

/* Takes the head of the next value, of which there is at least one byte. *ret_size is the bytes of
 * content that follow, or for a container the number of values or pairs. */
static inline enum edda_shape edda_take_head(const uint8_t **at, const uint8_t *end,
                                             uint64_t *ret_size) {
    uint8_t first = *(*at)++;
    struct edda_head head = edda_heads[first];
    *ret_size = head.fixed + (uint64_t)(first & head.mask);
    if (__builtin_expect(head.count != 0, 0)) {
        if ((size_t)(end - *at) < head.count) {
            return EDDA_SHAPE_BAD;
        }
        *ret_size = edda_load_big(*at, head.count);
        *at += head.count;
    }
    return (enum edda_shape)head.shape;
}

static inline void edda_read_fail(struct edda_reader *reader, int code) {
    if (!reader->error) {
        reader->error = code;
    }
    reader->at = reader->end; /* the next read finds nothing and stays failed */
}

/* Takes a head of the wanted shape with its content. NULL on error; *ret_size as edda_take_head. */
static inline const uint8_t *edda_read_shape(struct edda_reader *reader, enum edda_shape wanted,
                                             uint64_t *ret_size) {
    const uint8_t *at = reader->at;
    if (__builtin_expect(at != reader->end, 1)) {
        enum edda_shape shape = edda_take_head(&at, reader->end, ret_size);
        bool is_container = wanted == EDDA_SHAPE_ARRAY || wanted == EDDA_SHAPE_MAP;
        if (shape == wanted && (is_container || *ret_size <= (uint64_t)(reader->end - at))) {
            reader->at = is_container ? at : at + *ret_size;
            return at;
        }
    }
    edda_read_fail(reader, EDDA_E_MALFORMED);
    return NULL;
}

/* How many pairs follow. */
static inline size_t edda_read_map(struct edda_reader *reader) {
    uint64_t count;
    return edda_read_shape(reader, EDDA_SHAPE_MAP, &count) ? (size_t)count : 0;
}

/* How many values follow. */
static inline size_t edda_read_array(struct edda_reader *reader) {
    uint64_t count;
    return edda_read_shape(reader, EDDA_SHAPE_ARRAY, &count) ? (size_t)count : 0;
}

static inline uint64_t edda_read_unsigned(struct edda_reader *reader, uint64_t maximum) {
    if (__builtin_expect(reader->at < reader->end && *reader->at < 0x80 && *reader->at <= maximum,
                         1)) {
        return *reader->at++;
    }
    return edda_reader_unsigned(reader, maximum);
}

/* Valid UTF-8 only. */
static inline struct edda_text edda_read_text(struct edda_reader *reader, size_t maximum) {
    uint64_t size;
    const char *data = (const char *)edda_read_shape(reader, EDDA_SHAPE_TEXT, &size);
    if (data && size <= maximum && edda_utf8_valid(data, (size_t)size)) {
        return (struct edda_text){data, (size_t)size};
    }
    if (data) {
        edda_read_fail(reader, size > maximum ? EDDA_E_LIMIT : EDDA_E_MALFORMED);
    }
    return (struct edda_text){NULL, 0};
}

static inline struct edda_bytes edda_read_bytes(struct edda_reader *reader, size_t maximum) {
    uint64_t size;
    const uint8_t *data = edda_read_shape(reader, EDDA_SHAPE_BYTES, &size);
    if (data && size <= maximum) {
        return (struct edda_bytes){data, (size_t)size};
    }
    if (data) {
        edda_read_fail(reader, EDDA_E_LIMIT);
    }
    return (struct edda_bytes){NULL, 0};
}

static inline void edda_read_uuid(struct edda_reader *reader, struct edda_uuid *ret_uuid) {
    struct edda_bytes bytes = edda_read_bytes(reader, sizeof(ret_uuid->bytes));
    if (bytes.size == sizeof(ret_uuid->bytes)) {
        memcpy(ret_uuid->bytes, bytes.data, sizeof(ret_uuid->bytes));
    } else {
        edda_read_fail(reader, EDDA_E_MALFORMED);
    }
}

#endif
