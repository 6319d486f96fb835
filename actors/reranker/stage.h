/* actors/reranker/stage.h: the two operations of the stage on decoded bodies.
 *
 * Pure but for the arena; the actor around them only moves messages. */
#ifndef EDDA_ACTORS_RERANKER_STAGE_H
#define EDDA_ACTORS_RERANKER_STAGE_H

#include "actors/reranker/rerank.h"
#include "proto/arena.h"

#define EDDA_RERANK_DEPTH 50 /* hits that are read; deeper ones gain nothing measurable */

/* Hits that are in order: cut to top_k (0: all), assembled (assemble.h) when the arguments say so.
 * EDDA_E_MEMORY. */
int edda_rerank_cut(const struct edda_rerank_arguments *arguments, struct edda_arena *arena,
                    struct edda_hits *hits) EDDA_MUST_CHECK;

/* Reorders hits by score, best first, sets `score`, and cuts them. Only the first EDDA_RERANK_DEPTH
 * are read; the others stay behind them as they stood, with no higher score. EDDA_E_MEMORY. */
int edda_rerank_hits(edda_reranker_t *reranker, const struct edda_rerank_arguments *arguments,
                     struct edda_arena *arena, struct edda_hits *hits) EDDA_MUST_CHECK;

/* A hit for each document: number is its place in the arguments, text is not repeated. Sorted and
 * cut as above; the hits live in the arena. EDDA_E_MEMORY. */
int edda_rerank_texts(edda_reranker_t *reranker, const struct edda_rerank_arguments *arguments,
                      struct edda_arena *arena, struct edda_hits *ret_hits) EDDA_MUST_CHECK;

#endif
