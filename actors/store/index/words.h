/* actors/store/index/words.h: the lexical leg: a query's words, their expansions, their sums by
 * chunk.
 *
 * Works on the scratch: read fills query_terms and the gram query, score adds every word's BM25
 * into scores (zeroed by the caller) and says in `terms` what the collection knows of each word. A
 * word and its expansions are a group: a chunk gets the best of weight * tf part * idf, where no
 * idf counts more than the query word's own (or, when the word does not occur, than the lowest of
 * its expansions). Sums are made in the order of (df, hash), so that equal collections give equal
 * bits. */
#ifndef EDDA_ACTORS_STORE_INDEX_WORDS_H
#define EDDA_ACTORS_STORE_INDEX_WORDS_H

#include "actors/store/index/state.h"

/* *ret_count distinct words; stopwords only when there is nothing else. EDDA_E_MEMORY. */
int edda_words_read(const edda_index_t *self, edda_index_scratch_t *scratch, struct edda_text text,
                    size_t *ret_count) EDDA_MUST_CHECK;

/* Whether this search may still read a term's postings, which then count as read. Decided by df, so
 * that equal collections leave out the same, however many of their chunks are dead. */
bool edda_words_afford(const edda_index_t *self, edda_index_scratch_t *scratch, uint32_t term);

/* widen: with the words' expansions. The rarest words come first, and those that
 * edda_words_afford says no to add nothing. EDDA_E_MEMORY. */
int edda_words_score(const edda_index_t *self, edda_index_scratch_t *scratch, size_t count,
                     bool widen) EDDA_MUST_CHECK;

#endif
