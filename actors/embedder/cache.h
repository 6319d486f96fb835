/* actors/embedder/cache.h: vectors already computed, in memory, bounded by bytes.
 *
 * Keyed by SHA-256 of (model, dimension, input type, text), so that a hit is a hit and the text is
 * not kept. When the bound is reached the least recently used vectors go. Nothing is written to
 * disk. One thread. */
#ifndef EDDA_ACTORS_EMBEDDER_CACHE_H
#define EDDA_ACTORS_EMBEDDER_CACHE_H

#include "proto/error.h"
#include "proto/types.h"

struct edda_cache_key {
    uint8_t bytes[32];
};

typedef struct edda_cache edda_cache_t;

/* maximum_bytes counts vectors and book-keeping; every vector has `dimension` floats. NULL when
 * memory is short or not even one vector fits. All memory is taken here. */
edda_cache_t *edda_cache_new(size_t maximum_bytes, uint32_t dimension);
void edda_cache_destroy(edda_cache_t **self_p);

/* Fields are length-prefixed inside, so that no two different tuples give the same key. */
struct edda_cache_key edda_cache_key(struct edda_text model, uint32_t dimension,
                                     struct edda_text input_type, struct edda_text text);

/* The vector of key, borrowed until the next put; NULL when it is not here. */
const float *edda_cache_get(edda_cache_t *self, const struct edda_cache_key *key);

/* Copies vector in, replacing what key had. Never fails. */
void edda_cache_put(edda_cache_t *self, const struct edda_cache_key *key, const float *vector);

/* Vectors held now, and the most that can be held. */
size_t edda_cache_count(const edda_cache_t *self);
size_t edda_cache_capacity(const edda_cache_t *self);

#endif
