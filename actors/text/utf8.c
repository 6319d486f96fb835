#include "actors/text/text.h"

#include <endian.h>

static bool is_continuation(const char *at, const char *end) {
    return at < end && ((unsigned char)*at & 0xC0) == 0x80;
}

uint32_t edda_text_next(const char **at, const char *end) {
    const char *from = *at;
    uint32_t first = (unsigned char)*from;
    *at = from + 1;
    if (first < 0x80)
        return first;
    size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4)
        return 0xFFFD;
    uint32_t point = first & (0x3Fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if (!is_continuation(from + i, end))
            return 0xFFFD;
        point = point << 6 | ((unsigned char)from[i] & 0x3Fu);
    }
    /* Overlong forms, surrogates, beyond the last plane. */
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10FFFF)) ||
        (point >= 0xD800 && point <= 0xDFFF))
        return 0xFFFD;
    *at = from + more + 1;
    return point;
}

size_t edda_text_length(struct edda_text text) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    size_t length = 0;
    for (; at < end; length++)
        edda_text_next(&at, end);
    return length;
}

struct edda_text edda_text_prefix(struct edda_text text, size_t count) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    for (size_t i = 0; i < count && at < end; i++)
        edda_text_next(&at, end);
    return (struct edda_text){text.data, (size_t)(at - text.data)};
}

static bool is_plain_word(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    /* No high bit, and no zero byte: the classic test, exact because high bits are excluded. */
    return (word & UINT64_C(0x8080808080808080)) == 0 &&
           ((word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080)) == 0;
}

bool edda_text_valid(struct edda_text text) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    while (at < end) {
        if (end - at >= 8 && is_plain_word(at)) {
            at += 8;
            continue;
        }
        const char *from = at;
        uint32_t point = edda_text_next(&at, end);
        if (point == 0 || (point == 0xFFFD && at - from == 1))
            return false;
    }
    return true;
}

static uint64_t load_64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return le64toh(value);
}

static uint64_t load_32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return le32toh(value);
}

static uint64_t mix(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The multiply-and-fold construction of wyhash: four bytes to sixteen in two loads. */
uint64_t edda_text_hash(const void *data, size_t size) {
    static const uint64_t keys[3] = {UINT64_C(0xA0761D6478BD642F), UINT64_C(0xE7037ED1A0B428DB),
                                     UINT64_C(0x8EBC6AF09C88C6E3)};
    const uint8_t *at = data;
    uint64_t state = keys[0];
    size_t left = size;
    for (; left > 16; left -= 16, at += 16)
        state = mix(load_64(at) ^ keys[1], load_64(at + 8) ^ state);
    uint64_t low = 0;
    uint64_t high = 0;
    if (left >= 8) {
        low = load_64(at);
        high = load_64(at + left - 8);
    } else if (left >= 4) {
        low = load_32(at);
        high = load_32(at + left - 4);
    } else if (left > 0) {
        low = (uint64_t)at[0] << 16 | (uint64_t)at[left / 2] << 8 | at[left - 1];
    }
    return mix(keys[1] ^ size, mix(low ^ keys[1], high ^ state) ^ keys[2]);
}
