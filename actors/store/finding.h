/* actors/store/finding.h: from an index's candidates to hits, the same for every database.
 *
 *   edda_index_search ──► keep (under the index's lock) ──► the backend fills each item's text
 *   ──► texts ──► edda_index_rescore ──► the backend completes those that are left ──► hits
 *
 * Everything is in the arena of the request. Pure. */
#ifndef EDDA_ACTORS_STORE_FINDING_H
#define EDDA_ACTORS_STORE_FINDING_H

#include "actors/store/cards.h"
#include "actors/store/index/index.h"
#include "proto/arena.h"

/* One candidate: first what the index and the memo's card say, then what its rows say. */
struct edda_found {
    int64_t row; /* of the chunk; 0: its memo is gone */
    struct edda_uuid memo;
    struct edda_text title;
    struct edda_text reference_id;
    /* The backend's, in the arena. */
    struct edda_index_text text; /* absent: the chunk is gone */
    uint32_t start;
    uint32_t end;
    uint32_t first_number; /* of its part's chunks, in the memo */
    /* The card's, where it has them; else the backend's. */
    uint64_t version; /* its number */
    struct edda_text snippet;
};

struct edda_finding {
    struct edda_arena *arena; /* borrowed */
    struct edda_found *items; /* in the index's order */
    size_t count;
    bool vector_degraded;
};

/* Keeps of each candidate what does not outlive the index's lock. EDDA_E_MEMORY. */
int edda_finding_keep(struct edda_finding *finding, const struct edda_cards *cards,
                      const struct edda_index_result *result) EDDA_MUST_CHECK;

/* What rescoring reads. NULL: no memory. */
const struct edda_index_text *edda_finding_texts(const struct edda_finding *finding);

/* Names the model that serves a project when the query's vector is of another. EDDA_E_MEMORY. */
int edda_finding_name_serving(const struct edda_finding *finding,
                              const struct edda_index_query *query, struct edda_text serving,
                              uint32_t dimension, struct edda_hits *hits) EDDA_MUST_CHECK;

/* The hits of a rescored result. EDDA_E_MEMORY. */
int edda_finding_hits(const struct edda_finding *finding, const struct edda_index_result *result,
                      struct edda_hits *hits) EDDA_MUST_CHECK;

void edda_finding_say_degraded(const struct edda_finding *finding, struct edda_hits *hits);

/* Fills the query with what the embedder gave, when it gave one vector of the size it
 * says; else false. */
bool edda_finding_vector(const struct edda_embeddings *embeddings, struct edda_index_query *query);

#endif
