/* actors/text/sentence.h: where a sentence ends, in Latin, Cyrillic, Indic and CJK writing.
 *
 * Latin marks end a sentence when white space follows and what comes next does not begin in lower
 * case; common abbreviations and initials do not end one. Ideographic marks end one at once. */
#ifndef EDDA_ACTORS_TEXT_SENTENCE_H
#define EDDA_ACTORS_TEXT_SENTENCE_H

#include "proto/types.h"

/* Bytes of text's first sentence with the white space behind it; text.size when it has but one.
 * More than 0 for text that is not empty. */
size_t edda_sentence_next(struct edda_text text);

#endif
