/* actors/provider/mend.c: see mend.h. */
#include "actors/provider/mend.h"

#include <stdlib.h>

#include "proto/types.h"

#define ESCAPE 6 /* bytes of \uXXXX */

static unsigned digit_of(char c) {
    unsigned digit = (unsigned)(c - '0');
    unsigned letter = (unsigned)((c | 0x20) - 'a');
    return digit <= 9 ? digit : letter <= 5 ? letter + 10 : 16;
}

/* The UTF-16 unit that \uXXXX here stands for; 0: there is none. */
static unsigned unit_at(const char *at, size_t left) {
    unsigned unit = 0;
    if (left < ESCAPE || at[0] != '\\' || at[1] != 'u') {
        return 0;
    }
    for (size_t i = 2; i < ESCAPE; i++) {
        unsigned digit = digit_of(at[i]);
        if (digit > 15) {
            return 0;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_first_half(unsigned unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_second_half(unsigned unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Where the next \uXXXX begins that is half a pair; size: there is none. */
static size_t find_half(const char *text, size_t size, size_t at) {
    const char *escape;
    while (at < size && (escape = memchr(text + at, '\\', size - at))) {
        at = (size_t)(escape - text);
        unsigned unit = unit_at(escape, size - at);
        bool first = is_first_half(unit);
        bool pair = first && is_second_half(unit_at(escape + ESCAPE, size - at - ESCAPE));
        if (!pair && (first || is_second_half(unit))) {
            return at;
        }
        at += pair ? 2 * ESCAPE : 2; /* an escaped backslash begins nothing */
    }
    return size;
}

json_t *edda_provider_json(const void *data, size_t size) {
    json_t *json = json_loadb(data, size, JSON_ALLOW_NUL, NULL);
    size_t at = json ? size : find_half(data, size, 0);
    char *copy = at < size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        for (; at < size; at = find_half(copy, size, at)) {
            memcpy(copy + at, "\\ufffd", ESCAPE);
        }
        json = json_loadb(copy, size, JSON_ALLOW_NUL, NULL);
    }
    free(copy);
    return json;
}
