/* actors/text/sieve.h: which words of a text cannot be, nor resemble, any word of a question.
 *
 * Most words of a passage have nothing to do with the question it is read for. A sieve says so from
 * their letters alone, some 400 bytes that stay in the nearest cache, so that they need not be
 * looked up or stemmed. It errs to one side: a word it holds back has neither the stem of a word
 * that was added nor a likeness to one (likeness.h); one that passes may have none either.
 *
 * Looked at are runs of ASCII letters and digits; all others pass, and every word of the languages
 * whose stemmer changes the beginnings of words. What it knows of stemmers: the first letter stays,
 * and the second of a stem of three letters or more, but for y that becomes i (dying, die).
 *
 * Pure; a value, filled anew for each question. */
#ifndef EDDA_ACTORS_TEXT_SIEVE_H
#define EDDA_ACTORS_TEXT_SIEVE_H

#include "actors/text/text.h"

#define EDDA_SIEVE_LETTERS_MIN 4 /* shorter words resemble none */

struct edda_sieve {
    uint32_t heads[32];    /* by the first letter: bits of the second */
    uint32_t trigrams[64]; /* bits of those of words that may be resembled, by hash */
    uint32_t fewest;       /* trigrams of such a word; 0: there is none */
    bool open;             /* everything passes */
};

/* Empty, for words stemmed for language. */
void edda_sieve_init(struct edda_sieve *sieve, enum edda_language language);

/* Words with the token's stem pass from here; and, when alike is set, those whose likeness to its
 * surface is EDDA_LIKENESS_MIN or more. */
void edda_sieve_add(struct edda_sieve *sieve, const struct edda_token *token, bool alike);

/* Whether a run of 1 to 64 bytes, its ASCII letters in lower case, must be looked at. */
bool edda_sieve_passes(const struct edda_sieve *sieve, struct edda_text run);

#endif
