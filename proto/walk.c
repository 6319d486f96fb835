/* proto/walk.c: the walk without recursion, and the typed reader over what it accepted.
 *
 * The walk bounds every declared count by the bytes that are left, since each value takes at least
 * one; so its time is linear in the bytes, whatever they claim. */
#include "proto/walk.h"

#include "proto/utf8.h"

#define DEEPEST 32

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* A container that is open: how many values are still to come, and the last key if it is a map. */
struct level {
    uint64_t left;
    uint64_t last_key;
    bool is_map;
    bool has_key;
};

enum shape { SHAPE_PLAIN, SHAPE_TEXT, SHAPE_BYTES, SHAPE_ARRAY, SHAPE_MAP, SHAPE_BAD };

static uint64_t load_big(const uint8_t *at, size_t size) {
    switch (size) {
    case 1:
        return at[0];
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    case 4: {
        uint32_t value;
        memcpy(&value, at, 4);
        return __builtin_bswap32(value);
    }
    default: {
        uint64_t value;
        memcpy(&value, at, 8);
        return __builtin_bswap64(value);
    }
    }
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load_big and edda_floats rely on it");

/* Takes a count of `size` bytes; sets *ret to more than any frame when it is cut off. */
static bool take_count(struct cursor *cursor, size_t size, uint64_t *ret) {
    if ((size_t)(cursor->end - cursor->at) < size) {
        return false;
    }
    *ret = load_big(cursor->at, size);
    cursor->at += size;
    return true;
}

/* Takes the head of the next value, of which there is at least one byte. *ret_size is the bytes of
 * content that follow, or for a container the number of values or pairs. */
static enum shape take_head(struct cursor *cursor, uint64_t *ret_size) {
    uint8_t head = *cursor->at++;
    *ret_size = 0;
    if (head < 0x80 || head >= 0xe0) {
        return SHAPE_PLAIN;
    }
    if (head < 0xc0) {
        *ret_size = head < 0xa0 ? head & 0x0f : head & 0x1f;
        return head < 0x90 ? SHAPE_MAP : head < 0xa0 ? SHAPE_ARRAY : SHAPE_TEXT;
    }
    switch (head) {
    case 0xc0: /* nil, false, true */
    case 0xc2:
    case 0xc3:
        return SHAPE_PLAIN;
    case 0xc4: /* bin 8, 16, 32 */
    case 0xc5:
    case 0xc6:
        return take_count(cursor, (size_t)1 << (head - 0xc4), ret_size) ? SHAPE_BYTES : SHAPE_BAD;
    case 0xca: /* float 32, 64 */
    case 0xcb:
        *ret_size = head == 0xca ? 4 : 8;
        return SHAPE_PLAIN;
    case 0xcc: /* unsigned 8, 16, 32, 64, then signed */
    case 0xcd:
    case 0xce:
    case 0xcf:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        *ret_size = (uint64_t)1 << (head & 3);
        return SHAPE_PLAIN;
    case 0xd9: /* str 8, 16, 32 */
    case 0xda:
    case 0xdb:
        return take_count(cursor, (size_t)1 << (head - 0xd9), ret_size) ? SHAPE_TEXT : SHAPE_BAD;
    case 0xdc: /* array 16, 32 */
    case 0xdd:
        return take_count(cursor, head == 0xdc ? 2 : 4, ret_size) ? SHAPE_ARRAY : SHAPE_BAD;
    case 0xde: /* map 16, 32 */
    case 0xdf:
        return take_count(cursor, head == 0xde ? 2 : 4, ret_size) ? SHAPE_MAP : SHAPE_BAD;
    default: /* ext, and 0xc1, which is no type */
        return SHAPE_BAD;
    }
}

/* Takes a map key and checks its order. */
static bool take_key(struct cursor *cursor, struct level *level) {
    uint64_t key;
    if (cursor->at == cursor->end) {
        return false;
    }
    uint8_t head = *cursor->at++;
    if (head < 0x80) {
        key = head;
    } else if (head < 0xcc || head > 0xcf ||
               !take_count(cursor, (size_t)1 << (head - 0xcc), &key)) {
        return false;
    }
    if (level->has_key && key <= level->last_key) {
        return false;
    }
    level->last_key = key;
    level->has_key = true;
    return true;
}

int edda_walk(struct edda_bytes bytes, unsigned depth, size_t objects) {
    EDDA_ASSERT(depth <= DEEPEST);
    struct cursor cursor = {bytes.data, bytes.data + bytes.size};
    struct level levels[DEEPEST + 1];
    unsigned open = 0;
    size_t budget = objects;
    levels[0] = (struct level){.left = 1};
    for (;;) {
        while (levels[open].left == 0) {
            if (open == 0) {
                return cursor.at == cursor.end ? 0 : EDDA_E_MALFORMED;
            }
            open--;
        }
        struct level *level = &levels[open];
        level->left--;
        size_t takes = level->is_map ? 2 : 1;
        if (budget < takes || (level->is_map && !take_key(&cursor, level)) ||
            cursor.at == cursor.end) {
            return EDDA_E_MALFORMED;
        }
        budget -= takes;
        uint64_t size;
        enum shape shape = take_head(&cursor, &size);
        uint64_t left = (uint64_t)(cursor.end - cursor.at);
        if (shape == SHAPE_ARRAY || shape == SHAPE_MAP) {
            if (open == depth || (shape == SHAPE_MAP ? size * 2 : size) > left) {
                return EDDA_E_MALFORMED;
            }
            levels[++open] = (struct level){.left = size, .is_map = shape == SHAPE_MAP};
        } else if (shape == SHAPE_BAD || size > left) {
            return EDDA_E_MALFORMED;
        } else {
            cursor.at += size;
        }
    }
}

void edda_reader_init(struct edda_reader *reader, struct edda_bytes bytes) {
    *reader = (struct edda_reader){bytes.data, bytes.data + bytes.size, 0};
}

static void fail_with(struct edda_reader *reader, int code) {
    if (!reader->error) {
        reader->error = code;
    }
    reader->at = reader->end; /* the next read finds nothing and stays failed */
}

/* Takes a head of the wanted shape and its content. NULL on error; *ret_size as take_head. */
static const uint8_t *take_shape(struct edda_reader *reader, enum shape wanted,
                                 uint64_t *ret_size) {
    if (reader->at == reader->end) {
        fail_with(reader, EDDA_E_MALFORMED);
        return NULL;
    }
    struct cursor cursor = {reader->at, reader->end};
    enum shape shape = take_head(&cursor, ret_size);
    uint64_t taken = shape == SHAPE_ARRAY || shape == SHAPE_MAP ? 0 : *ret_size;
    if (shape != wanted || taken > (uint64_t)(cursor.end - cursor.at)) {
        fail_with(reader, EDDA_E_MALFORMED);
        return NULL;
    }
    reader->at = cursor.at + taken;
    return cursor.at;
}

size_t edda_reader_map(struct edda_reader *reader) {
    uint64_t count;
    return take_shape(reader, SHAPE_MAP, &count) ? (size_t)count : 0;
}

size_t edda_reader_array(struct edda_reader *reader) {
    uint64_t count;
    return take_shape(reader, SHAPE_ARRAY, &count) ? (size_t)count : 0;
}

/* Takes an integer of any width. *ret_negative says how to read the 64 bits. */
static bool take_integer(struct edda_reader *reader, uint64_t *ret_bits, bool *ret_negative) {
    if (reader->at < reader->end && *reader->at < 0x80) {
        *ret_bits = *reader->at++;
        *ret_negative = false;
        return true;
    }
    uint8_t head = reader->at < reader->end ? *reader->at : 0xc0;
    if (head >= 0xe0) {
        reader->at++;
        *ret_bits = (uint64_t)(int64_t)(int8_t)head;
        *ret_negative = true;
        return true;
    }
    if (head < 0xcc || head > 0xd3) {
        fail_with(reader, EDDA_E_MALFORMED);
        return false;
    }
    size_t size = (size_t)1 << (head & 3);
    if ((size_t)(reader->end - reader->at) <= size) {
        fail_with(reader, EDDA_E_MALFORMED);
        return false;
    }
    uint64_t bits = load_big(reader->at + 1, size);
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
        fail_with(reader, negative ? EDDA_E_MALFORMED : EDDA_E_LIMIT);
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
        fail_with(reader, EDDA_E_LIMIT);
        return 0;
    }
    return (int64_t)bits;
}

double edda_reader_double(struct edda_reader *reader) {
    size_t left = (size_t)(reader->end - reader->at);
    if (left >= 9 && *reader->at == 0xcb) {
        uint64_t bits = load_big(reader->at + 1, 8);
        double value;
        memcpy(&value, &bits, 8);
        reader->at += 9;
        return value;
    }
    if (left >= 5 && *reader->at == 0xca) {
        uint32_t bits = (uint32_t)load_big(reader->at + 1, 4);
        float value;
        memcpy(&value, &bits, 4);
        reader->at += 5;
        return (double)value;
    }
    fail_with(reader, EDDA_E_MALFORMED);
    return 0;
}

bool edda_reader_bool(struct edda_reader *reader) {
    if (reader->at < reader->end && (*reader->at == 0xc2 || *reader->at == 0xc3)) {
        return *reader->at++ == 0xc3;
    }
    fail_with(reader, EDDA_E_MALFORMED);
    return false;
}

struct edda_text edda_reader_text(struct edda_reader *reader, size_t maximum) {
    uint64_t size;
    const char *data = (const char *)take_shape(reader, SHAPE_TEXT, &size);
    if (!data) {
        return (struct edda_text){NULL, 0};
    }
    if (size > maximum) {
        fail_with(reader, EDDA_E_LIMIT);
        return (struct edda_text){NULL, 0};
    }
    if (!edda_utf8_valid(data, (size_t)size)) {
        fail_with(reader, EDDA_E_MALFORMED);
        return (struct edda_text){NULL, 0};
    }
    return (struct edda_text){data, (size_t)size};
}

struct edda_bytes edda_reader_bytes(struct edda_reader *reader, size_t maximum) {
    uint64_t size;
    const uint8_t *data = take_shape(reader, SHAPE_BYTES, &size);
    if (data && size > maximum) {
        fail_with(reader, EDDA_E_LIMIT);
        data = NULL;
    }
    return data ? (struct edda_bytes){data, (size_t)size} : (struct edda_bytes){NULL, 0};
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
            fail_with(reader, EDDA_E_MALFORMED);
            return;
        }
        struct cursor cursor = {reader->at, reader->end};
        enum shape shape = take_head(&cursor, &size);
        left--;
        if (shape == SHAPE_ARRAY || shape == SHAPE_MAP) {
            left += shape == SHAPE_MAP ? size * 2 : size;
            size = 0;
        }
        if (shape == SHAPE_BAD || size > (uint64_t)(cursor.end - cursor.at)) {
            fail_with(reader, EDDA_E_MALFORMED);
            return;
        }
        reader->at = cursor.at + size;
    }
}
