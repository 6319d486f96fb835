/* proto/utf8.c: eight ASCII bytes at a time, one sequence at a time otherwise. */
#include "proto/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_tail(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The length of the sequence at `at`, whose first byte is not ASCII; 0 if it is ill-formed. */
static size_t measure_sequence(const uint8_t *at, size_t left) {
    uint8_t first = at[0];
    if (first >= 0xc2 && first <= 0xdf) {
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        if (left < 3 || !is_tail(at[1]) || !is_tail(at[2])) {
            return 0;
        }
        bool overlong = first == 0xe0 && at[1] < 0xa0;
        bool surrogate = first == 0xed && at[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (left < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3])) {
            return 0;
        }
        bool overlong = first == 0xf0 && at[1] < 0x90;
        bool beyond = first == 0xf4 && at[1] > 0x8f;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

/* Most texts are ASCII and most of those are short: two overlapping loads see all of them. */
static bool is_short_ascii(const uint8_t *at, size_t size) {
    uint64_t first = 0;
    uint64_t last = 0;
    if (size >= 8) {
        memcpy(&first, at, 8);
        memcpy(&last, at + size - 8, 8);
    } else if (size >= 4) {
        memcpy(&first, at, 4);
        memcpy(&last, at + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++) {
            first |= at[i];
        }
    }
    return ((first | last) & HIGH_BITS) == 0;
}

bool edda_utf8_valid(const char *data, size_t size) {
    const uint8_t *at = (const uint8_t *)data;
    size_t left = size;
    while (left > 16) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        size_t length = 8;
        if (word & HIGH_BITS) {
            length = *at < 0x80 ? 1 : measure_sequence(at, left);
            if (length == 0) {
                return false;
            }
        }
        at += length;
        left -= length;
    }
    if (is_short_ascii(at, left)) {
        return true;
    }
    while (left > 0) {
        size_t length = *at < 0x80 ? 1 : measure_sequence(at, left);
        if (length == 0) {
            return false;
        }
        at += length;
        left -= length;
    }
    return true;
}
