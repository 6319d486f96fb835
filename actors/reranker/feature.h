/* actors/reranker/feature.h: what lexical-1 looks at, and how much each counts.
 *
 * Each feature is 0..1; the score is their weighted mean. Pure. */
#ifndef EDDA_ACTORS_RERANKER_FEATURE_H
#define EDDA_ACTORS_RERANKER_FEATURE_H

#include "proto/types.h"

#define EDDA_RERANK_FEATURE(name, key, weight, meaning) EDDA_RERANK_##name,
enum edda_rerank_feature {
#include "actors/reranker/feature.def"
    EDDA_RERANK_FEATURES
};
#undef EDDA_RERANK_FEATURE

struct edda_rerank_feature_info {
    const char *key;
    double weight;
    const char *meaning;
};

const struct edda_rerank_feature_info *edda_rerank_feature(enum edda_rerank_feature feature);

/* The weighted mean of a passage's features, those whose bit is set in `without` left out. */
double edda_rerank_score(const double values[EDDA_RERANK_FEATURES], uint32_t without);

#endif
