/* actors/text/grams.h: character n-grams of one word, on code points.
 *
 * A word is first framed by two boundary characters ("_word_" for the lexical index's 4-grams,
 * "<word>" for the embedder and the reranker), then gram i of n code points is a slice of the
 * frame.
 *
 *     struct edda_gram_word word;
 *     edda_gram_word_init(&word, token->surface, '_', '_');
 *     for (size_t i = 0; i < edda_gram_count(&word, 4); i++)
 *         count(edda_gram_hash(&word, i, 4));
 *
 * Everything here is pure, inline and without allocation: it runs a thousand times a query.
 * Limit: a surface of at most EDDA_GRAM_WORD_BYTES valid UTF-8 bytes, which every edda_token keeps.
 */
#ifndef EDDA_ACTORS_TEXT_GRAMS_H
#define EDDA_ACTORS_TEXT_GRAMS_H

#include "proto/types.h"

#include <endian.h>

#define EDDA_GRAM_WORD_BYTES 64
#define EDDA_GRAM_MAXIMUM    5 /* code points of the longest gram */

struct edda_gram_word {
    char bytes[EDDA_GRAM_WORD_BYTES + 2 +
               8]; /* the frame; 8 spare bytes so that loads stay inside */
    uint8_t starts[EDDA_GRAM_WORD_BYTES + 3]; /* starts[i] is code point i's first byte;
                                                 starts[length] is the frame's size */
    uint8_t length; /* code points, both boundaries included: at least 2 */
};

/* Frames surface (copied). open and close are ASCII. A longer surface is cut at a code point. */
static inline void edda_gram_word_init(struct edda_gram_word *word, struct edda_text surface,
                                       char open, char close) {
    size_t size = surface.size;
    if (size > EDDA_GRAM_WORD_BYTES) {
        size = EDDA_GRAM_WORD_BYTES;
        while (size > 0 && ((unsigned char)surface.data[size] & 0xC0) == 0x80)
            size--;
    }
    uint8_t at = 1;
    word->bytes[0] = open;
    word->starts[0] = 0;
    for (size_t i = 0; i < size; i++) {
        word->bytes[i + 1] = surface.data[i];
        if (((unsigned char)surface.data[i] & 0xC0) != 0x80)
            word->starts[at++] = (uint8_t)(i + 1);
    }
    word->bytes[size + 1] = close;
    word->starts[at] = (uint8_t)(size + 1);
    word->starts[at + 1] = (uint8_t)(size + 2);
    word->length = (uint8_t)(at + 1);
    memset(word->bytes + size + 2, 0, 8);
}

/* How many grams of `points` code points the frame has; a frame shorter than that counts as one
 * gram, itself, so that no word is without a gram. */
static inline size_t edda_gram_count(const struct edda_gram_word *word, size_t points) {
    return word->length >= points ? word->length - points + 1 : 1;
}

/* Gram `index` of `points` code points; points into word. */
static inline struct edda_text edda_gram_at(const struct edda_gram_word *word, size_t index,
                                            size_t points) {
    size_t end = index + points < word->length ? index + points : word->length;
    return (struct edda_text){word->bytes + word->starts[index],
                              (size_t)(word->starts[end] - word->starts[index])};
}

/* One well mixed word of two: the high half folded onto the low half of a 128-bit product. */
static inline uint64_t edda_gram_mix(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD1B54A32D192ED03u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* 64-bit hash of gram `index`: stable across builds and machines, because vectors made of it are
 * stored. points <= EDDA_GRAM_MAXIMUM, so a gram has at most 20 bytes. */
static inline uint64_t edda_gram_hash(const struct edda_gram_word *word, size_t index,
                                      size_t points) {
    struct edda_text gram = edda_gram_at(word, index, points);
    if (gram.size <= 8) { /* most: one load; reads the frame's spare bytes at worst */
        uint64_t bytes;
        memcpy(&bytes, gram.data, 8);
        return edda_gram_mix(le64toh(bytes) & ~UINT64_C(0) >> (64 - gram.size * 8), gram.size);
    }
    uint64_t parts[3] = {0, 0, 0};
    for (size_t i = 0, left = gram.size; i < 3 && left > 0; i++) {
        uint64_t part;
        memcpy(&part, gram.data + i * 8, 8);
        part = le64toh(part);
        parts[i] = left >= 8 ? part : part & ((UINT64_C(1) << (left * 8)) - 1);
        left = left >= 8 ? left - 8 : 0;
    }
    return edda_gram_mix(edda_gram_mix(parts[0], gram.size), edda_gram_mix(parts[1], parts[2]));
}

#endif
