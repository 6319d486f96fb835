/* gateway/uri.c: one pass over the bytes each time; nothing is kept. */
#include "gateway/uri.h"

#include "proto/utf8.h"

#define NUMBER_LIMIT INT64_C(1000000000)

bool edda_uri_clean(struct edda_text target) {
    for (size_t i = 0; i < target.size; i++) {
        unsigned char byte = (unsigned char)target.data[i];
        if (byte <= 0x20 || byte == 0x7f) {
            return false;
        }
    }
    return target.size > 0;
}

void edda_uri_split(struct edda_text target, struct edda_text *ret_path,
                    struct edda_text *ret_query) {
    const char *hash = target.size ? memchr(target.data, '#', target.size) : NULL;
    if (hash) {
        target.size = (size_t)(hash - target.data);
    }
    const char *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
    *ret_path = target;
    *ret_query = (struct edda_text){0};
    if (mark) {
        ret_path->size = (size_t)(mark - target.data);
        *ret_query = (struct edda_text){mark + 1, target.size - ret_path->size - 1};
    }
}

int edda_uri_decode(struct edda_text raw, bool plus, struct edda_arena *arena,
                    struct edda_text *ret_text) {
    char *out = edda_arena_take(arena, raw.size + 1);
    size_t size = 0;
    if (!out) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < raw.size; i++) {
        char byte = raw.data[i];
        if (byte == '%') {
            int high = raw.size - i > 2 ? edda_hex_digit(raw.data[i + 1]) : -1;
            int low = high >= 0 ? edda_hex_digit(raw.data[i + 2]) : -1;
            if (low < 0) {
                return EDDA_E_INVALID;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        if (byte == '\0') {
            return EDDA_E_INVALID;
        }
        out[size++] = byte;
    }
    if (!edda_utf8_valid(out, size)) {
        return EDDA_E_INVALID;
    }
    *ret_text = (struct edda_text){out, size};
    return 0;
}

int edda_uri_parameter(struct edda_text query, const char *name, struct edda_arena *arena,
                       struct edda_text *ret_value) {
    size_t at = 0;
    *ret_value = (struct edda_text){0};
    while (at < query.size) {
        const char *pair = query.data + at;
        const char *ampersand = memchr(pair, '&', query.size - at);
        size_t size = ampersand ? (size_t)(ampersand - pair) : query.size - at;
        const char *equals = size ? memchr(pair, '=', size) : NULL;
        size_t name_size = equals ? (size_t)(equals - pair) : size;
        if (edda_text_is((struct edda_text){pair, name_size}, name)) {
            struct edda_text raw = {equals ? equals + 1 : pair + size, 0};
            raw.size = equals ? size - name_size - 1 : 0;
            return edda_uri_decode(raw, true, arena, ret_value);
        }
        at += size + 1;
    }
    return 0;
}

bool edda_uri_number(struct edda_text text, int64_t *ret_number) {
    size_t i = 0;
    bool negative = false;
    bool digits = false;
    int64_t number = 0;
    while (i < text.size && memchr(" \t\n\r\v\f", text.data[i], 6)) {
        i++;
    }
    if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) {
        negative = text.data[i] == '-';
        i++;
    }
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        digits = true;
        if (number < NUMBER_LIMIT) {
            number = number * 10 + (text.data[i] - '0');
        }
    }
    number = number > NUMBER_LIMIT ? NUMBER_LIMIT : number;
    *ret_number = negative ? -number : number;
    return digits;
}
