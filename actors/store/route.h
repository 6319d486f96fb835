/* actors/store/route.h: the itinerary of a durable job, its steps' arguments encoded.
 *
 *   CHUNK, first content     chunk -> embed.chunks -> store.put_chunks
 *   CHUNK, changed content   chunk -> store.reuse (may fail) -> embed.chunks -> store.put_chunks
 *   EMBED                    store.part_chunks -> embed.chunks -> store.put_vectors */
#ifndef EDDA_ACTORS_STORE_ROUTE_H
#define EDDA_ACTORS_STORE_ROUTE_H

#include "actors/runtime/client.h"
#include "actors/store/backend.h"

#define EDDA_ROUTE_STEPS  4
#define EDDA_ROUTE_BODIES 3

/* Used again for one job after the other. */
struct edda_route {
    struct edda_buffer bodies[EDDA_ROUTE_BODIES];
    struct edda_step steps[EDDA_ROUTE_STEPS]; /* arguments point into bodies */
    size_t count;
};

void edda_route_init(struct edda_route *route);
void edda_route_done(struct edda_route *route);

/* Replaces what was made before. chunk_tokens: the chunker's target; 0: its default. EDDA_E_LIMIT,
 * EDDA_E_MEMORY. */
int edda_route_make(struct edda_route *route, const struct edda_claimed *job,
                    uint32_t chunk_tokens) EDDA_MUST_CHECK;

/* Whose credit a job of this kind needs: the service of its first step. Static. */
const char *edda_route_service(enum edda_job_kind kind);

#endif
