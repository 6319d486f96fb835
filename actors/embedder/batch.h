/* actors/embedder/batch.h: the texts of one job and the vectors made of them, slice by slice.
 *
 * Pure but for the embedder it is given: the actor decides on which thread a slice runs. */
#ifndef EDDA_ACTORS_EMBEDDER_BATCH_H
#define EDDA_ACTORS_EMBEDDER_BATCH_H

#include "actors/embedder/hash_embed.h"
#include "proto/arena.h"
#include "proto/body_stage.h"
#include "proto/buffer.h"

struct edda_batch {
    const struct edda_chunks *chunks; /* embed.chunks, or NULL: then texts */
    struct edda_texts texts;
    size_t count;
    size_t next;      /* first text not embedded yet */
    uint8_t *vectors; /* count * EDDA_HASH_EMBED_DIMENSION little-endian floats, in the arena */
};

/* Views are borrowed for the batch's life. EDDA_E_MEMORY: the arena is full. */
int edda_batch_init_texts(struct edda_batch *batch, struct edda_texts texts,
                          struct edda_arena *arena) EDDA_MUST_CHECK;
int edda_batch_init_chunks(struct edda_batch *batch, const struct edda_chunks *chunks,
                           struct edda_arena *arena) EDDA_MUST_CHECK;

/* Embeds texts until the batch is done or slice_bytes of text were used; scratch holds a chunk's
 * joined text. Done when batch->next == batch->count. EDDA_E_MEMORY, EDDA_E_LIMIT (scratch). */
int edda_batch_run(struct edda_batch *batch, edda_hash_embed_t *embed, struct edda_buffer *scratch,
                   size_t slice_bytes) EDDA_MUST_CHECK;

/* Puts one vector in its place. */
void edda_batch_set(struct edda_batch *batch, size_t index, const float *vector);

/* All vectors one after another, as a body carries them; borrowed for the batch's life. */
struct edda_floats edda_batch_vectors(const struct edda_batch *batch);

#endif
