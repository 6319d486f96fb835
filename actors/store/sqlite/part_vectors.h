/* actors/store/sqlite/part_vectors.h: the vectors that come with a part's chunks, and their model.
 */
#ifndef EDDA_ACTORS_STORE_SQLITE_PART_VECTORS_H
#define EDDA_ACTORS_STORE_SQLITE_PART_VECTORS_H

#include "actors/store/part_vectors.h"
#include "actors/store/sqlite/call.h"

/* edda_part_vectors_look, in the call's arena and with its words. */
int edda_part_vectors(struct edda_sqlite_call *call, const struct edda_chunks *chunks,
                      struct edda_bytes **ret_vectors) EDDA_MUST_CHECK;

/* The row of a model, made when there is none. */
int edda_model_need(struct edda_turn *turn, struct edda_text name, uint32_t dimension,
                    int64_t *ret_model) EDDA_MUST_CHECK;

#endif
