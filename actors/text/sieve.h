/* actors/text/sieve.h: which words of a text cannot have the stem of any word of a question.
 *
 * Most words of a passage have nothing to do with the question it is read for. A sieve says so from
 * their first two letters, by 132 bytes that stay in the nearest cache, so that they need not be
 * looked up or stemmed. It errs to one side: a word it holds back has the stem of no word that was
 * added; one that passes may have none of them either.
 *
 * Looked at are runs of ASCII letters and digits; all others pass, and every word of the languages
 * whose stemmer changes the beginnings of words. What it knows of the other stemmers: the first
 * letter stays, and the second of a stem of three letters or more, but for y that becomes i
 * (dying, die).
 *
 * Pure; a value, filled anew for each question. */
#ifndef EDDA_ACTORS_TEXT_SIEVE_H
#define EDDA_ACTORS_TEXT_SIEVE_H

#include "actors/text/text.h"

struct edda_sieve {
    uint32_t heads[32]; /* by the first letter: bits of the second */
    bool open;          /* everything passes */
};

/* Empty, for words stemmed for language. */
void edda_sieve_init(struct edda_sieve *sieve, enum edda_language language);

/* Words with this stem pass from here. */
void edda_sieve_add(struct edda_sieve *sieve, struct edda_text stem);

/* Whether a run of 1 to 64 bytes, its ASCII letters in lower case, must be looked at. */
bool edda_sieve_passes(const struct edda_sieve *sieve, struct edda_text run);

#endif
