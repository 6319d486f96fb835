/* actors/text/likeness.c: trigram sets of words. */
#include "actors/text/likeness.h"

#include "actors/text/text.h"

static uint32_t hash_three(uint64_t three) {
    return (uint32_t)(three * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static void add_trigram(struct edda_likeness *likeness, uint32_t hash) {
    uint64_t bit = UINT64_C(1) << (hash >> 26);
    if (likeness->signature & bit) {
        for (uint32_t i = 0; i < likeness->count; i++) {
            if (likeness->trigrams[i] == hash) {
                return;
            }
        }
    }
    likeness->trigrams[likeness->count++] = hash;
    likeness->signature |= bit;
}

void edda_likeness_of(struct edda_text surface, struct edda_likeness *ret_likeness) {
    const char *at = surface.data;
    const char *end = at + surface.size;
    uint64_t three = (uint64_t)'<' << 42; /* three code points of 21 bits, the newest on top */
    bool first = true;
    ret_likeness->signature = 0;
    ret_likeness->count = 0;
    while (at <= end && ret_likeness->count < EDDA_LIKENESS_TRIGRAMS) {
        uint64_t point = '>';
        if (at == end) {
            at++;
        } else {
            unsigned char byte = (unsigned char)*at;
            point = byte < 0x80 ? (at++, byte) : edda_text_next(&at, end);
        }
        three = three >> 21 | point << 42;
        if (!first) {
            add_trigram(ret_likeness, hash_three(three));
        }
        first = false;
    }
}

float edda_likeness_compare(const struct edda_likeness *a, const struct edda_likeness *b) {
    uint32_t both = a->count + b->count;
    uint32_t shared = 0;
    /* Each bit of a that b lacks is at least one trigram not shared. */
    uint32_t lost = (uint32_t)__builtin_popcountll(a->signature & ~b->signature);
    uint32_t possible = a->count - lost;
    possible = possible < b->count ? possible : b->count;
    if (4 * possible < both) {
        return 0;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            if (a->trigrams[i] == b->trigrams[k]) {
                shared++;
                break;
            }
        }
    }
    float dice = 2.0f * (float)shared / (float)both;
    return dice >= EDDA_LIKENESS_MIN ? dice : 0;
}
