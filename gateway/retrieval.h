/* gateway/retrieval.h: from a question to ranked hits, and on to one more step that takes them, as
 * one itinerary: embed -> store.search -> rerank [-> then].
 *
 * It goes on without what it can do without: when no embedder or no reranker is there, or the
 * embedder fails, the same is sent once more by the route that is left, and `degraded` names what
 * was missing. Only the store it needs. It is never sent again when the last step has failed, which
 * may have delivered already.
 *
 * The question is embedded by the model that serves the visit's project, as far as that is known
 * (serving.h). Threads: the loop's. */
#ifndef EDDA_GATEWAY_RETRIEVAL_H
#define EDDA_GATEWAY_RETRIEVAL_H

#include "gateway/degraded.h"
#include "gateway/visit.h"

#define EDDA_RETRIEVAL_MINIMUM_MS 50 /* no further try with less time than this */

/* Lives as long as the visit's work; views too. */
struct edda_retrieval {
    struct edda_text query;
    struct edda_store_filters filters;
    double minimum_cosine;     /* 0: none */
    uint32_t candidates;       /* hits asked of the store when a reranker follows */
    uint32_t candidates_alone; /* and when none does */
    uint32_t top_k;            /* hits asked of the reranker */
    bool rerank;               /* wanted */
    bool assemble;      /* the reranker's hits as passages: neighbours joined, duplicates folded */
    uint32_t budget_ms; /* embedder and reranker may take a third of it for a try; 0: of all the
                           time left */
    const char *then;   /* op of the step after, or NULL */
    uint16_t then_type; /* of its arguments */
    const void *then_record;
    uint16_t flags;          /* of the request */
    uint64_t grant_messages; /* PARTs the step after may send before more are granted */
    uint64_t grant_bytes;
    edda_part_fn on_part; /* context is the visit */
    edda_progress_fn on_progress;
    edda_visit_reply_fn on_reply; /* the end, also for what failed here before anything was sent */

    /* its own */
    bool without_embedder;
    bool without_reranker;
    bool retried;
    bool corrected;                /* asked again with another model */
    unsigned then_step;            /* index in the route that was sent last */
    struct edda_degraded degraded; /* filled before on_reply */
    char model[EDDA_MAX_NAME + 1]; /* the embedder was asked for; "": its own */
    uint32_t dimension;
};

/* Sends it. on_reply comes once, perhaps from within this call. */
void edda_retrieval_send(struct edda_visit *visit, struct edda_retrieval *retrieval);

/* A reply said that another model serves the project (its text is absent when it did not). True:
 * the question is sent once more with that model, on_reply will come again. */
bool edda_retrieval_correct(struct edda_visit *visit, struct edda_retrieval *retrieval,
                            struct edda_text model, uint32_t dimension);

/* Remembers that model for the project's next question. */
void edda_retrieval_learn(struct edda_visit *visit, struct edda_text model, uint32_t dimension);

/* Whether a failed reply is about the step after, not about the search before it. */
bool edda_retrieval_then_failed(const struct edda_retrieval *retrieval,
                                const struct edda_reply *reply);

#endif
