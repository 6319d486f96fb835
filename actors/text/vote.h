/* actors/text/vote.h: the election of a text's language by its stopwords.
 *
 * A stopword gives its languages equal shares of one vote; a word in Cyrillic, Greek, Arabic or
 * Devanagari letters a small vote to the commonest language of the script. English, the language of
 * most texts without one clear voice, starts half a vote ahead, so that "de novo" or "die casting"
 * in an English question does not carry it away. At most EDDA_VOTE_WORDS words are heard. */
#ifndef EDDA_ACTORS_TEXT_VOTE_H
#define EDDA_ACTORS_TEXT_VOTE_H

#include "actors/text/words.h"

#define EDDA_VOTE_WORDS 128

struct edda_vote {
    uint32_t shares[EDDA_LANGUAGE_COUNT]; /* in 60ths of a vote */
    uint32_t words;                       /* heard so far */
};

/* Hears one word; true when more words would not change the winner or enough were heard. */
bool edda_vote_word(struct edda_vote *vote, const struct edda_word *word);

/* EDDA_LANGUAGE_AUTO when nothing voted. Ties go to the language first in enum edda_language. */
enum edda_language edda_vote_winner(const struct edda_vote *vote);

#endif
