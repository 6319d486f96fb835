/* proto/types.h: the borrowed views, what is asked of them, and the assertion that all use.
 *
 * A view never owns its bytes; the header of the function that fills it says until when they live.
 */
#ifndef EDDA_PROTO_TYPES_H
#define EDDA_PROTO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* UTF-8 text, not NUL-terminated. data == NULL means absent (null), size 0 with data means empty.
 */
struct edda_text {
    const char *data;
    size_t size;
};

/* Opaque bytes. data == NULL means absent. */
struct edda_bytes {
    const uint8_t *data;
    size_t size;
};

struct edda_uuid {
    uint8_t bytes[16];
};

/* float32 values in little-endian order at any alignment; size is count * 4. */
struct edda_floats {
    const uint8_t *data;
    size_t size;
};

struct edda_texts {
    struct edda_text *items;
    size_t count;
};

#define EDDA_TEXT(literal) ((struct edda_text){(literal), sizeof(literal) - 1})

static inline struct edda_text edda_text_of(const char *string) {
    return (struct edda_text){string, string ? strlen(string) : 0};
}

static inline bool edda_text_equal(struct edda_text a, struct edda_text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool edda_text_is(struct edda_text a, const char *string) {
    return edda_text_equal(a, edda_text_of(string));
}

/* 0..15, or -1 for what is no hexadecimal digit. */
static inline int edda_hex_digit(char digit) {
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

static inline bool edda_uuid_equal(const struct edda_uuid *a, const struct edda_uuid *b) {
    return memcmp(a->bytes, b->bytes, 16) == 0;
}

/* Our own invariants, checked in release builds too. Never for bytes from outside. */
#define EDDA_ASSERT(condition)                                                                     \
    ((condition) ? (void)0 : edda_assert_failed(#condition, __FILE__, __LINE__))

/* Prints the broken invariant to standard error and aborts. */
void edda_assert_failed(const char *condition, const char *file, int line)
    __attribute__((noreturn, cold));

#endif
