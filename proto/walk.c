/* proto/walk.c: the walk without recursion, and the typed reader over what it accepted.
 *
 * The walk bounds every declared count by the bytes that are left, since each value takes at least
 * one; so its time is linear in the bytes, whatever they claim. */
#include "proto/walk.h"

#include "proto/read.h"

#define DEEPEST 32

const struct edda_head edda_heads[256] = {
    [0x00 ... 0x7f] = {EDDA_SHAPE_PLAIN, 0, 0, 0},    /* 0..127 */
    [0x80 ... 0x8f] = {EDDA_SHAPE_MAP, 0, 0x0f, 0},   /* fixmap */
    [0x90 ... 0x9f] = {EDDA_SHAPE_ARRAY, 0, 0x0f, 0}, /* fixarray */
    [0xa0 ... 0xbf] = {EDDA_SHAPE_TEXT, 0, 0x1f, 0},  /* fixstr */
    [0xc0] = {EDDA_SHAPE_PLAIN, 0, 0, 0},             /* nil */
    [0xc2 ... 0xc3] = {EDDA_SHAPE_PLAIN, 0, 0, 0},    /* false, true */
    [0xc4] = {EDDA_SHAPE_BYTES, 0, 0, 1},             /* bin 8, 16, 32 */
    [0xc5] = {EDDA_SHAPE_BYTES, 0, 0, 2},
    [0xc6] = {EDDA_SHAPE_BYTES, 0, 0, 4},
    [0xca] = {EDDA_SHAPE_PLAIN, 4, 0, 0}, /* float 32, 64 */
    [0xcb] = {EDDA_SHAPE_PLAIN, 8, 0, 0},
    [0xcc] = {EDDA_SHAPE_PLAIN, 1, 0, 0}, /* uint 8, 16, 32, 64 */
    [0xcd] = {EDDA_SHAPE_PLAIN, 2, 0, 0},
    [0xce] = {EDDA_SHAPE_PLAIN, 4, 0, 0},
    [0xcf] = {EDDA_SHAPE_PLAIN, 8, 0, 0},
    [0xd0] = {EDDA_SHAPE_PLAIN, 1, 0, 0}, /* int 8, 16, 32, 64 */
    [0xd1] = {EDDA_SHAPE_PLAIN, 2, 0, 0},
    [0xd2] = {EDDA_SHAPE_PLAIN, 4, 0, 0},
    [0xd3] = {EDDA_SHAPE_PLAIN, 8, 0, 0},
    [0xd9] = {EDDA_SHAPE_TEXT, 0, 0, 1}, /* str 8, 16, 32 */
    [0xda] = {EDDA_SHAPE_TEXT, 0, 0, 2},
    [0xdb] = {EDDA_SHAPE_TEXT, 0, 0, 4},
    [0xdc] = {EDDA_SHAPE_ARRAY, 0, 0, 2}, /* array 16, 32 */
    [0xdd] = {EDDA_SHAPE_ARRAY, 0, 0, 4},
    [0xde] = {EDDA_SHAPE_MAP, 0, 0, 2}, /* map 16, 32 */
    [0xdf] = {EDDA_SHAPE_MAP, 0, 0, 4},
    [0xe0 ... 0xff] = {EDDA_SHAPE_PLAIN, 0, 0, 0}, /* -32..-1 */
};

/* A container that is open: how many values or pairs are still to come, and for a map the least key
 * that may come next. */
struct level {
    uint64_t left;
    uint64_t least_key;
    bool is_map;
};

/* Takes a map key and checks its order. Nothing may follow the largest key. */
static bool take_key(const uint8_t **at, const uint8_t *end, struct level *level) {
    if (*at == end) {
        return false;
    }
    uint64_t key = *(*at)++;
    if (key >= 0x80) {
        if (key < 0xcc || key > 0xcf) {
            return false;
        }
        size_t size = (size_t)1 << (key - 0xcc);
        if ((size_t)(end - *at) < size) {
            return false;
        }
        key = edda_load_big(*at, size);
        *at += size;
    }
    if (key < level->least_key || (key == UINT64_MAX && level->left > 0)) {
        return false;
    }
    level->least_key = key + 1;
    return true;
}

int edda_walk(struct edda_bytes bytes, unsigned depth, size_t objects) {
    EDDA_ASSERT(depth <= DEEPEST);
    if (bytes.size == 0) {
        return EDDA_E_MALFORMED;
    }
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.size;
    struct level levels[DEEPEST + 1];
    struct level *level = levels;
    size_t budget = objects;
    levels[0] = (struct level){.left = 1};
    for (;;) {
        while (level->left == 0) {
            if (level == levels) {
                return at == end ? 0 : EDDA_E_MALFORMED;
            }
            level--;
        }
        level->left--;
        size_t takes = level->is_map ? 2 : 1;
        if (budget < takes || (level->is_map && !take_key(&at, end, level)) || at == end) {
            return EDDA_E_MALFORMED;
        }
        budget -= takes;
        uint64_t size;
        enum edda_shape shape = edda_take_head(&at, end, &size);
        uint64_t left = (uint64_t)(end - at);
        if (shape >= EDDA_SHAPE_ARRAY) {
            bool is_map = shape == EDDA_SHAPE_MAP;
            if (level == levels + depth || (is_map ? size * 2 : size) > left) {
                return EDDA_E_MALFORMED;
            }
            *++level = (struct level){.left = size, .is_map = is_map};
        } else if (shape == EDDA_SHAPE_BAD || size > left) {
            return EDDA_E_MALFORMED;
        } else {
            at += size;
        }
    }
}

void edda_reader_init(struct edda_reader *reader, struct edda_bytes bytes) {
    *reader = (struct edda_reader){bytes.data, bytes.data + bytes.size, 0};
}

/* Takes an integer of any width. *ret_negative says how to read the 64 bits. */
static bool take_integer(struct edda_reader *reader, uint64_t *ret_bits, bool *ret_negative) {
    uint8_t head = reader->at < reader->end ? *reader->at : 0xc0;
    if (head < 0x80 || head >= 0xe0) {
        reader->at++;
        *ret_bits = (uint64_t)(int64_t)(int8_t)head;
        *ret_negative = head >= 0xe0;
        return true;
    }
    size_t size = (size_t)1 << (head & 3);
    if (head < 0xcc || head > 0xd3 || (size_t)(reader->end - reader->at) <= size) {
        edda_read_fail(reader, EDDA_E_MALFORMED);
        return false;
    }
    uint64_t bits = edda_load_big(reader->at + 1, size);
    reader->at += 1 + size;
    *ret_negative = false;
    if (head >= 0xd0) { /* widen the sign */
        unsigned shift = 64 - 8 * (unsigned)size;
        bits = (uint64_t)((int64_t)(bits << shift) >> shift);
        *ret_negative = (int64_t)bits < 0;
    }
    *ret_bits = bits;
    return true;
}

uint64_t edda_reader_unsigned(struct edda_reader *reader, uint64_t maximum) {
    uint64_t bits;
    bool negative;
    if (!take_integer(reader, &bits, &negative)) {
        return 0;
    }
    if (negative || bits > maximum) {
        edda_read_fail(reader, negative ? EDDA_E_MALFORMED : EDDA_E_LIMIT);
        return 0;
    }
    return bits;
}

int64_t edda_reader_signed(struct edda_reader *reader) {
    uint64_t bits;
    bool negative;
    if (!take_integer(reader, &bits, &negative)) {
        return 0;
    }
    if (!negative && bits > INT64_MAX) {
        edda_read_fail(reader, EDDA_E_LIMIT);
        return 0;
    }
    return (int64_t)bits;
}

double edda_reader_double(struct edda_reader *reader) {
    size_t left = (size_t)(reader->end - reader->at);
    if (left >= 9 && *reader->at == 0xcb) {
        uint64_t bits = edda_load_big(reader->at + 1, 8);
        double value;
        memcpy(&value, &bits, 8);
        reader->at += 9;
        return value;
    }
    if (left >= 5 && *reader->at == 0xca) {
        uint32_t bits = (uint32_t)edda_load_big(reader->at + 1, 4);
        float value;
        memcpy(&value, &bits, 4);
        reader->at += 5;
        return (double)value;
    }
    edda_read_fail(reader, EDDA_E_MALFORMED);
    return 0;
}

bool edda_reader_bool(struct edda_reader *reader) {
    if (reader->at < reader->end && (*reader->at == 0xc2 || *reader->at == 0xc3)) {
        return *reader->at++ == 0xc3;
    }
    edda_read_fail(reader, EDDA_E_MALFORMED);
    return false;
}

bool edda_reader_nil(struct edda_reader *reader) {
    if (reader->at < reader->end && *reader->at == 0xc0) {
        reader->at++;
        return true;
    }
    return false;
}

void edda_reader_skip(struct edda_reader *reader) {
    uint64_t left = 1;
    while (left > 0) {
        uint64_t size;
        if (reader->at == reader->end) {
            edda_read_fail(reader, EDDA_E_MALFORMED);
            return;
        }
        const uint8_t *at = reader->at;
        enum edda_shape shape = edda_take_head(&at, reader->end, &size);
        left--;
        if (shape >= EDDA_SHAPE_ARRAY) {
            left += shape == EDDA_SHAPE_MAP ? size * 2 : size;
            size = 0;
        }
        if (shape == EDDA_SHAPE_BAD || size > (uint64_t)(reader->end - at)) {
            edda_read_fail(reader, EDDA_E_MALFORMED);
            return;
        }
        reader->at = at + size;
    }
}
