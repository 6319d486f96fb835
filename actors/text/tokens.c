#include "actors/text/tokens.h"

#include "actors/text/text.h"

static bool is_within(uint32_t value, uint32_t first, uint32_t last) {
    return value >= first && value <= last;
}

/* Scripts whose tokenizers give about one token a character. */
static bool is_dense(uint32_t point) {
    return is_within(point, 0x0E00, 0x0EFF) || is_within(point, 0x1000, 0x109F) ||
           is_within(point, 0x1780, 0x17FF) || is_within(point, 0x2E80, 0x9FFF) ||
           is_within(point, 0xAC00, 0xD7A3) || is_within(point, 0xF900, 0xFAFF) ||
           is_within(point, 0xFF66, 0xFF9D) || is_within(point, 0x20000, 0x3FFFD);
}

uint32_t edda_units_next(const char **at, const char *end, bool *blank_before) {
    if ((unsigned char)**at < 0x80) {
        bool blank = edda_text_is_blank(*(*at)++);
        uint32_t units = blank && *blank_before ? 0 : EDDA_UNITS_A_CHARACTER;
        *blank_before = blank;
        return units;
    }
    *blank_before = false;
    return is_dense(edda_text_next(at, end)) ? EDDA_UNITS_A_TOKEN : EDDA_UNITS_A_CHARACTER;
}

uint32_t edda_units_of(struct edda_text text) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    bool blank_before = false;
    uint32_t units = 0;
    while (at < end)
        units += edda_units_next(&at, end, &blank_before);
    return units;
}

uint32_t edda_tokens_of(struct edda_text text) {
    return (edda_units_of(text) + EDDA_UNITS_A_TOKEN - 1) / EDDA_UNITS_A_TOKEN;
}

struct edda_text edda_tokens_prefix(struct edda_text text, uint32_t tokens) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    const char *last = at;
    bool blank_before = false;
    uint64_t left = (uint64_t)tokens * EDDA_UNITS_A_TOKEN;
    while (at < end) {
        uint32_t units = edda_units_next(&at, end, &blank_before);
        if (units > left)
            break;
        left -= units;
        last = at;
    }
    return (struct edda_text){text.data, (size_t)(last - text.data)};
}
