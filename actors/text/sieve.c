/* actors/text/sieve.c: see sieve.h. */
#include "actors/text/sieve.h"

#define LETTER(byte) ((unsigned char)(byte)&31u) /* digits share with letters */

/* Finnish loses one of two equal consonants wherever they stand, Turkish turns soft ones hard. */
void edda_sieve_init(struct edda_sieve *sieve, enum edda_language language) {
    memset(sieve, 0, sizeof *sieve);
    sieve->open = language == EDDA_LANGUAGE_FINNISH || language == EDDA_LANGUAGE_TURKISH;
}

void edda_sieve_add(struct edda_sieve *sieve, struct edda_text stem) {
    if (stem.size == 0 || (unsigned char)stem.data[0] >= 0x80) {
        return; /* no run of ASCII has it */
    }
    uint32_t *seconds = &sieve->heads[LETTER(stem.data[0])];
    if (stem.size < 3 || (unsigned char)stem.data[1] >= 0x80) {
        *seconds = UINT32_MAX;
        return;
    }
    *seconds |= UINT32_C(1) << LETTER(stem.data[1]);
    if (stem.data[1] == 'i') {
        *seconds |= UINT32_C(1) << LETTER('y');
    }
}

static bool is_plain(struct edda_text run) {
    unsigned char all = 0;
    for (size_t i = 0; i < run.size; i++) {
        all |= (unsigned char)run.data[i];
    }
    return all < 0x80;
}

bool edda_sieve_passes(const struct edda_sieve *sieve, struct edda_text run) {
    uint32_t seconds = sieve->heads[LETTER(run.data[0])];
    bool head = run.size > 1 ? seconds >> LETTER(run.data[1]) & 1 : seconds != 0;
    return head || sieve->open || !is_plain(run);
}
