/* actors/reranker/rerank.h: the built-in reranker "lexical-1": how well a passage answers a query,
 * by words.
 *
 * score = weighted mean of the features in feature.def, each 0..1, words weighted by their idf.
 * Stopwords of the query count only when it has nothing else. Without statistics of the
 * collection (terms NULL) document frequencies come from the passages themselves.
 *
 * The query's language, or when it does not say that of the first passage, is used for all
 * passages.
 *
 * A reranker belongs to one thread and remembers words from passage to passage, never results.
 * Limits: the first 64 distinct words of a query, 65,535 words of a passage.
 * Source: measurements in README.md. */
#ifndef EDDA_ACTORS_RERANKER_RERANK_H
#define EDDA_ACTORS_RERANKER_RERANK_H

#include "actors/reranker/feature.h"
#include "actors/text/text.h"
#include "proto/body_stage.h"

#define EDDA_RERANK_MODEL "lexical-1"

struct edda_rerank_passage {
    struct edda_text title;   /* or absent */
    struct edda_text heading; /* or absent */
    struct edda_text text;
    double prior; /* the first stage's score, 0..1 */
};

struct edda_rerank_order {
    uint32_t passage; /* index into the passages given */
    double score;     /* 0..1, higher is better */
};

typedef struct edda_reranker edda_reranker_t;

/* analyser is borrowed for the reranker's life. NULL when memory is short. */
edda_reranker_t *edda_reranker_new(edda_analyser_t *analyser);
void edda_reranker_destroy(edda_reranker_t **self_p);

/* The prior of passage i of count when only the caller's order is known: 1 for the first, falling
 * evenly to 0 after the last. */
double edda_rerank_prior(size_t i, size_t count);

/* Fills ret_order[0..count) best first; ties keep the passages' order. A query without words leaves
 * the prior's order. without: bits of features left out (1 << enum edda_rerank_feature), to measure
 * what each is worth. EDDA_E_MEMORY. */
int edda_reranker_run(edda_reranker_t *self, struct edda_text query,
                      const struct edda_rerank_passage *passages, size_t count,
                      const struct edda_hit_terms *terms, uint32_t without,
                      struct edda_rerank_order *ret_order) EDDA_MUST_CHECK;

#endif
