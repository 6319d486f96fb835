/* actors/embedder/actor.h: the embed stage as a role: service "embed", ops "embed" and
 * "embed.chunks".
 *
 * A short query is embedded where it arrives, by way of a cache; everything else on the stage's
 * pool thread in slices of at most EDDA_EMBED_SLICE_BYTES of text, between which other jobs have
 * their turn and a cancelled one stops. Queries therefore never wait for bulk.
 *
 * A chunk is embedded as its title, its heading path and its text, a line each: a question often
 * names what only the headings say.
 *
 * The built-in model "hash-256" (hash_embed.h) is the only provider here: it costs less than the
 * digest of its text, so only repeated queries are cached, never documents. */
#ifndef EDDA_ACTORS_EMBEDDER_ACTOR_H
#define EDDA_ACTORS_EMBEDDER_ACTOR_H

#include "actors/runtime/role.h"

#define EDDA_EMBED_SLICE_BYTES  (128u * 1024u)
#define EDDA_EMBED_INLINE_BYTES 4096u /* of a query: well under a tenth of a millisecond */
#define EDDA_EMBED_CACHE_BYTES  (4u * 1024u * 1024u)

/* Runs until the loop is drained or stopped. EDDA_E_MEMORY. */
int edda_embedder_main(edda_loop_t *loop, const struct edda_role *role);

#endif
