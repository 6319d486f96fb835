#include "actors/text/vote.h"

#define WHOLE         60u
#define SCRIPT_SHARE  6u
#define ENGLISH_AHEAD (WHOLE / 2)
#define CLEAR_LEAD    (6 * WHOLE)

static enum edda_language language_of_script(struct edda_text surface) {
    const char *at = surface.data;
    uint32_t point = edda_text_next(&at, surface.data + surface.size);
    if (point >= 0x0400 && point <= 0x04FF)
        return EDDA_LANGUAGE_RUSSIAN;
    if (point >= 0x0370 && point <= 0x03FF)
        return EDDA_LANGUAGE_GREEK;
    if (point >= 0x0600 && point <= 0x06FF)
        return EDDA_LANGUAGE_ARABIC;
    if (point >= 0x0900 && point <= 0x097F)
        return EDDA_LANGUAGE_HINDI;
    return EDDA_LANGUAGE_AUTO;
}

static bool is_decided(const struct edda_vote *vote) {
    uint32_t best = 0;
    uint32_t second = 0;
    for (size_t i = EDDA_LANGUAGE_ENGLISH; i < EDDA_LANGUAGE_COUNT; i++) {
        if (vote->shares[i] > best) {
            second = best;
            best = vote->shares[i];
        } else if (vote->shares[i] > second) {
            second = vote->shares[i];
        }
    }
    return best >= second + CLEAR_LEAD;
}

bool edda_vote_word(struct edda_vote *vote, const struct edda_word *word) {
    vote->words++;
    if (word->languages != 0) {
        uint32_t share = WHOLE / (uint32_t)__builtin_popcount(word->languages);
        for (uint32_t left = word->languages; left != 0; left &= left - 1)
            vote->shares[__builtin_ctz(left)] += share;
    }
    if (word->surface.size > 0 && (unsigned char)word->surface.data[0] >= 0x80)
        vote->shares[language_of_script(word->surface)] += SCRIPT_SHARE;
    return vote->words >= EDDA_VOTE_WORDS || (vote->words % 16 == 0 && is_decided(vote));
}

enum edda_language edda_vote_winner(const struct edda_vote *vote) {
    enum edda_language winner = EDDA_LANGUAGE_AUTO;
    uint32_t best = 0;
    for (enum edda_language i = EDDA_LANGUAGE_ENGLISH; i < EDDA_LANGUAGE_COUNT; i++) {
        uint32_t shares = vote->shares[i];
        if (i == EDDA_LANGUAGE_ENGLISH && shares > 0)
            shares += ENGLISH_AHEAD;
        if (shares > best) {
            best = shares;
            winner = i;
        }
    }
    return winner;
}
