/* actors/text/stopword.h: which languages a folded word is a stopword of.
 *
 * The lists stand in stopword_*.def in their usual spelling and are folded once per process, when
 * the first analyser is made; after that the table is only read, from any thread. */
#ifndef EDDA_ACTORS_TEXT_STOPWORD_H
#define EDDA_ACTORS_TEXT_STOPWORD_H

#include "actors/text/text.h"

/* Bit (1u << enum edda_language) for every language that has the word; hash is edda_text_hash of
 * the folded surface. 0 for most words. */
uint32_t edda_stopword_languages(uint64_t hash);

#endif
