/* actors/embedder/actor.h: the embed stage as a role: service "embed", ops "embed" and
 * "embed.chunks".
 *
 * The stage's own model is that of EMBEDDING_PROVIDER's account, or the built-in "hash-256"
 * (hash_embed.h). embed answers with the model that is wanted, where hash-256, or an account that
 * is set up here, can; else with its own. embed.chunks is always of the stage's own, and keeps rows
 * of it that are there already.
 *
 * A chunk is embedded as its title, its heading path and its text, a line each: a question often
 * names what only the headings say.
 *
 * hash-256: a short query is embedded where it arrives, by way of a cache; everything else on the
 * stage's pool thread in slices of at most EDDA_EMBED_SLICE_BYTES of text, between which other jobs
 * have their turn and a cancelled one stops. Queries therefore never wait for bulk. It costs less
 * than the digest of its text, so only repeated queries are cached, never documents.
 *
 * Others: request.h, and what happens while the provider does not answer in model.h. */
#ifndef EDDA_ACTORS_EMBEDDER_ACTOR_H
#define EDDA_ACTORS_EMBEDDER_ACTOR_H

#include "actors/runtime/role.h"

#define EDDA_EMBED_SLICE_BYTES  (128u * 1024u)
#define EDDA_EMBED_INLINE_BYTES 4096u /* of a query: well under a tenth of a millisecond */
#define EDDA_EMBED_CACHE_BYTES  (4u * 1024u * 1024u)

/* Runs until the loop is drained or stopped. EDDA_E_MEMORY. EDDA_E_INVALID: the provider's settings
 * are not complete; what is missing is logged. */
int edda_embedder_main(edda_loop_t *loop, const struct edda_role *role);

/* The same with another limit of texts in line (model.h); for tests. */
int edda_embedder_serve(edda_loop_t *loop, const struct edda_role *role, size_t waiting);

#endif
