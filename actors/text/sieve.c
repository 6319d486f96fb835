/* actors/text/sieve.c: see sieve.h. */
#include "actors/text/sieve.h"

#include "actors/text/likeness.h"

#define ANY_LETTER   UINT32_MAX
#define LETTER(byte) ((unsigned char)(byte)&31u) /* digits share with letters */

/* Finnish loses one of two equal consonants wherever they stand, Turkish turns soft ones hard. */
void edda_sieve_init(struct edda_sieve *sieve, enum edda_language language) {
    memset(sieve, 0, sizeof *sieve);
    sieve->open = language == EDDA_LANGUAGE_FINNISH || language == EDDA_LANGUAGE_TURKISH;
}

static uint32_t hash_three(uint32_t three) {
    return three * UINT32_C(0x9E3779B1) >> 15; /* 17 bits: 11 for the table, 6 others to count by */
}

static void add_head(struct edda_sieve *sieve, struct edda_text stem) {
    unsigned char first = (unsigned char)stem.data[0];
    if (first >= 0x80) {
        return;
    }
    uint32_t *seconds = &sieve->heads[LETTER(first)];
    if (stem.size < 3 || (unsigned char)stem.data[1] >= 0x80) {
        *seconds = ANY_LETTER;
        return;
    }
    *seconds |= UINT32_C(1) << LETTER(stem.data[1]);
    if (stem.data[1] == 'i') {
        *seconds |= UINT32_C(1) << LETTER('y');
    }
}

/* Those of a surface that an ASCII run can have too. */
static void add_trigrams(struct edda_sieve *sieve, struct edda_text surface) {
    struct edda_likeness likeness;
    uint32_t three = 0;
    uint32_t plain = 0; /* of its bytes, how many are ASCII since the last that was not */
    for (size_t i = 0; i < surface.size + 2; i++) {
        unsigned char byte = i == 0              ? '<'
                             : i <= surface.size ? (unsigned char)surface.data[i - 1]
                                                 : '>';
        three = three >> 8 | (uint32_t)byte << 16;
        plain = byte < 0x80 ? plain + 1 : 0;
        if (plain >= 3) {
            uint32_t hash = hash_three(three);
            sieve->trigrams[hash >> 11] |= UINT32_C(1) << (hash >> 6 & 31);
        }
    }
    edda_likeness_of(surface, &likeness);
    if (sieve->fewest == 0 || likeness.count < sieve->fewest) {
        sieve->fewest = likeness.count;
    }
}

void edda_sieve_add(struct edda_sieve *sieve, const struct edda_token *token, bool alike) {
    if (token->stem.size > 0) {
        add_head(sieve, token->stem);
    }
    if (alike) {
        add_trigrams(sieve, token->surface);
    }
}

/* Half of the trigrams of both words together must be shared, so at least a quarter of their
 * number. Trigrams that share a bit are taken for the same one when their number is asked, and for
 * shared ones when that is asked: both let more words pass. A word that is not of ASCII alone
 * passes. */
static bool may_resemble(const struct edda_sieve *sieve, struct edda_text run) {
    uint32_t byte = (unsigned char)run.data[0];
    uint32_t three = (uint32_t)'<' << 8 | byte << 16;
    uint32_t all = byte;
    uint32_t count = 0;
    uint32_t shared = 0;
    uint64_t seen = 0;
    for (size_t i = 1; i <= run.size; i++) {
        byte = i < run.size ? (unsigned char)run.data[i] : '>';
        three = three >> 8 | byte << 16;
        all |= byte;
        uint32_t hash = hash_three(three);
        shared += sieve->trigrams[hash >> 11] >> (hash >> 6 & 31) & 1;
        count += ~(uint32_t)(seen >> (hash & 63)) & 1;
        seen |= UINT64_C(1) << (hash & 63);
    }
    if (all >= 0x80) {
        return true;
    }
    count = count < EDDA_LIKENESS_TRIGRAMS ? count : EDDA_LIKENESS_TRIGRAMS;
    return run.size >= EDDA_SIEVE_LETTERS_MIN && sieve->fewest > 0 &&
           4 * shared >= count + sieve->fewest;
}

bool edda_sieve_passes(const struct edda_sieve *sieve, struct edda_text run) {
    uint32_t seconds = sieve->heads[LETTER(run.data[0])];
    bool head = run.size > 1 ? seconds >> LETTER(run.data[1]) & 1 : seconds != 0;
    return head || sieve->open || may_resemble(sieve, run);
}
