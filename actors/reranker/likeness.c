/* actors/reranker/likeness.c: trigram sets of words. */
#include "actors/reranker/likeness.h"

#include "actors/text/grams.h"

void edda_likeness_of(struct edda_text surface, struct edda_likeness *ret_likeness) {
    struct edda_gram_word word;
    edda_gram_word_init(&word, surface, '<', '>');
    size_t grams = edda_gram_count(&word, 3);
    ret_likeness->signature = 0;
    ret_likeness->count = 0;
    for (size_t i = 0; i < grams && ret_likeness->count < EDDA_LIKENESS_TRIGRAMS; i++) {
        uint64_t hash = edda_gram_hash(&word, i, 3);
        uint64_t bit = UINT64_C(1) << (hash >> 58);
        uint32_t seen = 0;
        if (ret_likeness->signature & bit) {
            while (seen < ret_likeness->count &&
                   ret_likeness->trigrams[seen] != (uint32_t)hash) {
                seen++;
            }
        } else {
            seen = ret_likeness->count;
        }
        if (seen == ret_likeness->count) {
            ret_likeness->trigrams[ret_likeness->count++] = (uint32_t)hash;
            ret_likeness->signature |= bit;
        }
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
