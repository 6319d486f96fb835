/* actors/store/index/fusion.h: how the legs become one score.
 *
 * Each leg's best scores are stretched to 0..1 (min-max) and added with weights. The low end is the
 * last score of a full leg, else 0, so that what only just made the cut weighs nothing; a chunk a
 * leg did not find has 0 there. Weights depend on where the vectors come from: those of our hash
 * models know spelling, which words and grams know better; a real model knows meaning. Pure.
 * Source: measurements in README.md. */
#ifndef EDDA_ACTORS_STORE_INDEX_FUSION_H
#define EDDA_ACTORS_STORE_INDEX_FUSION_H

#include "actors/store/index/index.h"

#define EDDA_FUSION_BUILTIN                                                                        \
    ((struct edda_fusion_weights){.words = .55f, .grams = .35f, .vector = .10f})
#define EDDA_FUSION_MODEL                                                                          \
    ((struct edda_fusion_weights){.words = .35f, .grams = .15f, .vector = .5f})

/* Whether a model's vectors are made by our own hash embedder. */
bool edda_fusion_is_builtin(struct edda_text model);

/* weights with the vector's share spread over the others; words and grams keep their ratio. */
struct edda_fusion_weights edda_fusion_without_vector(struct edda_fusion_weights weights);

/* The ends a leg is stretched between. */
struct edda_fusion_range {
    float low;
    float high;
};

/* scores: of what the leg found, in any order; full: as many as it may find. */
struct edda_fusion_range edda_fusion_range(const float *scores, size_t count, size_t full);

/* 0..1; 0 for score <= 0, which means "not found". */
float edda_fusion_stretch(struct edda_fusion_range range, float score);

#endif
