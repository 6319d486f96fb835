/* actors/store/sqlite/part_vectors.h: the vectors that come with a part's chunks, and their model.
 */
#ifndef EDDA_ACTORS_STORE_SQLITE_PART_VECTORS_H
#define EDDA_ACTORS_STORE_SQLITE_PART_VECTORS_H

#include "actors/store/sqlite/call.h"

/* One float32 vector a chunk, absent where it is all zeros or the chunks came without vectors. Of
 * vectors they are borrowed from chunks, of halves made in the call's arena. EDDA_E_INVALID, with
 * words: they do not fit the chunks, or one holds a value that is no number. EDDA_E_MEMORY. */
int edda_part_vectors(struct edda_sqlite_call *call, const struct edda_chunks *chunks,
                      struct edda_bytes **ret_vectors) EDDA_MUST_CHECK;

/* The row of a model, made when there is none. */
int edda_model_need(struct edda_turn *turn, struct edda_text name, uint32_t dimension,
                    int64_t *ret_model) EDDA_MUST_CHECK;

#endif
