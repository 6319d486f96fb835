/* actors/chunker/actor.h: the chunk stage as a role: service "chunk", op "chunk".
 *
 * Small texts are cut where they arrive; larger ones on the stage's pool thread, so that the loop
 * never waits. A job is one part and at most EDDA_PART_BYTES, which bounds both. Stateless: any
 * number of chunkers may serve the same brokers, and a job may come twice.
 *
 * With EDDA_CHUNKER_ISOLATED texts are cut in child processes (actors/runtime/isolate.h): a text
 * that crashes the code, or keeps it busy without end, fails its own job with the reason and
 * nothing else. */
#ifndef EDDA_ACTORS_CHUNKER_ACTOR_H
#define EDDA_ACTORS_CHUNKER_ACTOR_H

#include "actors/runtime/role.h"
#include "proto/buffer.h"

/* Runs until the loop is drained or stopped. EDDA_E_MEMORY. */
int edda_chunker_main(edda_loop_t *loop, const struct edda_role *role);

/* What a child process does: CHUNK_ARGUMENTS in, CHUNKS out (actors/runtime/isolated.h). */
int edda_chunker_isolated(struct edda_bytes request, struct edda_buffer *out);

#endif
