/* actors/embedder/hash_embed.h: the built-in model "hash-256": text in, 256 floats out, no network.
 *
 * Per distinct word w = 1 + ln tf. Its features are its stem, weight .5 w, and the character 3-, 4-
 * and 5-grams of "<surface>", which share .75 w equally. A feature's 64-bit hash names a column
 * and a sign; features are added, the sum is L2-normalised. Stopwords count like other words.
 * Knows spelling, not meaning. The name is the version: a change of any of this takes a new name,
 * because vectors of different versions never mix.
 *
 * A text without words gives a row of zeros: "no vector", never matched. Pure but for the
 * analyser's memory of words, which never shows in a result. One thread for each embedder. */
#ifndef EDDA_ACTORS_EMBEDDER_HASH_EMBED_H
#define EDDA_ACTORS_EMBEDDER_HASH_EMBED_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_HASH_EMBED_MODEL     "hash-256"
#define EDDA_HASH_EMBED_DIMENSION 256

typedef struct edda_hash_embed edda_hash_embed_t;

/* NULL when memory is short. Owns an analyser (actors/text/text.h). */
edda_hash_embed_t *edda_hash_embed_new(void);
void edda_hash_embed_destroy(edda_hash_embed_t **self_p);

/* Writes EDDA_HASH_EMBED_DIMENSION floats. EDDA_E_MEMORY. */
int edda_hash_embed_text(edda_hash_embed_t *self, struct edda_text text,
                         float *ret_vector) EDDA_MUST_CHECK;

#endif
