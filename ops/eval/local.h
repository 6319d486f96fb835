/* ops/eval/local.h: a service of our own to measure: broker, store and stages as threads of this
 * process, on a scratch directory, spoken to by the messages a gateway sends.
 *
 * Embedder and reranker are what the configuration says. A search is [embed, store.search, rerank]
 * with no step skipped: what is missing is an error here. Threads: the caller's; calls block. */
#ifndef EDDA_OPS_EVAL_LOCAL_H
#define EDDA_OPS_EVAL_LOCAL_H

#include "actors/runtime/config.h"
#include "ops/eval/collection.h"
#include "proto/arena.h"
#include "proto/body_stage.h"

#define EDDA_LOCAL_MESSAGE 512

typedef struct edda_local edda_local_t;

/* Makes the directory (under TMPDIR, else /tmp), points config's --data at it and starts the parts.
 * On every error message says what and why. EDDA_E_MEMORY, EDDA_E_IO, EDDA_E_FAILED,
 * EDDA_E_CANCELLED (a signal came). */
int edda_local_open(edda_config_t *config, edda_local_t **ret_local,
                    char message[EDDA_LOCAL_MESSAGE]) EDDA_MUST_CHECK;

/* Drains the parts. keep: leaves the directory and says on standard error where it is. */
void edda_local_close(edda_local_t **self_p, bool keep);

/* Accepts every document and waits until all are processed. EDDA_E_LIMIT: one is too long here;
 * EDDA_E_FAILED: one was given up; EDDA_E_CANCELLED; what the store says. */
int edda_local_ingest(edda_local_t *self, const struct edda_collection *collection,
                      char message[EDDA_LOCAL_MESSAGE]) EDDA_MUST_CHECK;

struct edda_local_search {
    struct edda_text query;
    uint32_t limit;          /* chunks wanted, at most EDDA_MAX_CANDIDATES */
    bool vector_alone;       /* the store is given no words; not reranked */
    uint32_t without;        /* EDDA_WITHOUT_ bits, for the store */
    uint32_t without_rerank; /* bits of features, for the reranker */
    bool first_stage;        /* not reranked */
};

struct edda_local_cost {
    double wall_ms;
    double cpu_ms; /* of the whole process */
};

/* The hits live in the arena. EDDA_E_FAILED: a step or a leg is missing; EDDA_E_CANCELLED; what a
 * stage says. */
int edda_local_find(edda_local_t *self, const struct edda_local_search *search,
                    struct edda_arena *arena, struct edda_hits *ret_hits,
                    struct edda_local_cost *ret_cost,
                    char message[EDDA_LOCAL_MESSAGE]) EDDA_MUST_CHECK;

/* The document a memo was made of; EDDA_NO_DOCUMENT for a stranger. */
size_t edda_local_document(const edda_local_t *self, const struct edda_uuid *memo);

/* What embedded the queries, as its vectors are named; "" before the first search. */
const char *edda_local_model(const edda_local_t *self);

#endif
