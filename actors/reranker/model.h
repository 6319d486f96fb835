/* actors/reranker/model.h: jobs whose documents a provider's model scores.
 *
 *   begin -> documents joined -> calls of EDDA_RERANK_BATCH documents, side by side
 *         -> all answered: sorted by relevance, cut to top_k: DONE
 *         -> one failed, or the provider is not asked now: FAIL at once, the others are cancelled
 *
 * A document is a hit's title, heading path and text, a line each, or as it was given; one that is
 * blank is not sent, its relevance is 0. `score` is the relevance, 0..1; first_score and the legs
 * stay. Ties keep the order given.
 *
 * Threads: the loop's. Limits: EDDA_RERANK_TRIES of a call, all before the job's deadline. */
#ifndef EDDA_ACTORS_RERANKER_MODEL_H
#define EDDA_ACTORS_RERANKER_MODEL_H

#include "actors/runtime/config.h"
#include "actors/runtime/job.h"
#include "proto/body_stage.h"

#define EDDA_RERANK_TRIES 2

typedef struct edda_rerank_model edda_rerank_model_t;

/* The account of RERANKING_PROVIDER, which is not "builtin". EDDA_E_INVALID: it is not complete;
 * what is missing is logged. EDDA_E_MEMORY. */
int edda_rerank_model_new(edda_loop_t *loop, const edda_config_t *config,
                          edda_rerank_model_t **ret_model) EDDA_MUST_CHECK;

/* Fails the jobs that are open. */
void edda_rerank_model_destroy(edda_rerank_model_t **self_p);

/* "cohere:rerank-v3.5" */
const char *edda_rerank_model_name(const edda_rerank_model_t *self);

/* Takes the job. hits: the input of rerank, NULL: rerank.texts; both are views into the job. */
void edda_rerank_model_begin(edda_rerank_model_t *self, edda_job_t *job,
                             const struct edda_rerank_arguments *arguments,
                             const struct edda_hits *hits);

#endif
