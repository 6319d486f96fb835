/* actors/store/part_vectors.h: the vectors that come with a part's chunks, looked over. Pure. */
#ifndef EDDA_ACTORS_STORE_PART_VECTORS_H
#define EDDA_ACTORS_STORE_PART_VECTORS_H

#include "proto/arena.h"
#include "proto/body_stage.h"

/* One float32 vector a chunk, absent where it is all zeros or the chunks came without vectors. Of
 * vectors they are borrowed from chunks, of halves made in the arena. EDDA_E_INVALID, with words:
 * they do not fit the chunks, or one holds a value that is no number. EDDA_E_MEMORY. */
int edda_part_vectors_look(struct edda_arena *arena, const struct edda_chunks *chunks,
                           struct edda_bytes **ret_vectors, const char **ret_text) EDDA_MUST_CHECK;

/* What is said, in the arena or static, of chunks whose vectors are of another model than wanted.
 */
const char *edda_part_vectors_refuse(struct edda_arena *arena, const struct edda_chunks *chunks,
                                     struct edda_text wanted, uint32_t dimension);

#endif
