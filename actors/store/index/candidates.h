/* actors/store/index/candidates.h: the list that the legs of a query become, in the scratch.
 *
 * fuse, then lengthen when more than EDDA_INDEX_CANDIDATES are wanted, then finish: candidates are
 * numbered in their order and become the hits. Until then hit.candidate is the chunk's slot. */
#ifndef EDDA_ACTORS_STORE_INDEX_CANDIDATES_H
#define EDDA_ACTORS_STORE_INDEX_CANDIDATES_H

#include "actors/store/index/state.h"

/* The fused list of scratch->words (word_count, at most EDDA_INDEX_LEG) and vectors, best first. */
void edda_candidates_fuse(const edda_index_t *self, edda_index_scratch_t *scratch,
                          size_t word_count, const struct edda_scored *vectors,
                          size_t vector_count);

/* Behind the first EDDA_INDEX_CANDIDATES, which must be there: scratch->words (word_count, at most
 * EDDA_INDEX_DEPTH) in its order, then what the fusion left over; what the head has already stays
 * where it is. */
void edda_candidates_lengthen(const edda_index_t *self, edda_index_scratch_t *scratch,
                              size_t word_count);

/* Keeps at most limit of them and fills *ret_result. */
void edda_candidates_finish(edda_index_scratch_t *scratch, size_t limit,
                            struct edda_index_result *ret_result);

#endif
