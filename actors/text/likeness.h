/* actors/text/likeness.h: how alike two words are spelled: Dice of their trigrams.
 *
 * Trigrams of "<word>" as a set of hashes with a 64-bit signature (one bit a trigram), so that most
 * unlike words are refused by one popcount. Pure. Limit: the first 30 trigrams. */
#ifndef EDDA_ACTORS_TEXT_LIKENESS_H
#define EDDA_ACTORS_TEXT_LIKENESS_H

#include "proto/types.h"

#define EDDA_LIKENESS_TRIGRAMS 30
#define EDDA_LIKENESS_MIN      0.5f

struct edda_likeness {
    uint64_t signature;
    uint32_t trigrams[EDDA_LIKENESS_TRIGRAMS]; /* hashes, distinct */
    uint32_t count;
};

/* Of a word as it is written. */
void edda_likeness_of(struct edda_text surface, struct edda_likeness *ret_likeness);

/* Dice, 0..1; 0 when below EDDA_LIKENESS_MIN. */
float edda_likeness_compare(const struct edda_likeness *a, const struct edda_likeness *b);

#endif
