/* actors/text/tokens.h: an estimate of how many tokens a model's tokenizer makes of a text.
 *
 * 1 for a character of Han, Kana, Hangul, Thai and their like, 2/9 for any other, a run of white
 * space counting as one character: 900 characters of English are 200 tokens. No tokenizer's truth,
 * but the same everywhere. Counted in units, so that sums of pieces stay exact. Pure. */
#ifndef EDDA_ACTORS_TEXT_TOKENS_H
#define EDDA_ACTORS_TEXT_TOKENS_H

#include "proto/types.h"

#define EDDA_UNITS_A_TOKEN     9u
#define EDDA_UNITS_A_CHARACTER 2u /* that is no token of its own */

/* Units of the code point at *at (< end), which is moved behind it. blank_before: whether the one
 * before was white space; kept for the next call, false at first. */
uint32_t edda_units_next(const char **at, const char *end, bool *blank_before);

/* Of a whole text, at most 256 MiB. */
uint32_t edda_units_of(struct edda_text text);

/* The same in tokens, rounded up: at least 1 for text that is not empty. */
uint32_t edda_tokens_of(struct edda_text text);

/* The longest prefix of at most this many tokens that ends between two code points. */
struct edda_text edda_tokens_prefix(struct edda_text text, uint32_t tokens);

#endif
