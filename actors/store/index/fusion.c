/* actors/store/index/fusion.c: min-max and weights. */
#include "actors/store/index/fusion.h"

bool edda_fusion_is_builtin(struct edda_text model) {
    static const char prefix[] = "hash-";
    return model.size >= sizeof prefix - 1 && memcmp(model.data, prefix, sizeof prefix - 1) == 0;
}

struct edda_fusion_weights edda_fusion_without_vector(struct edda_fusion_weights weights) {
    float rest = weights.words + weights.grams;
    if (rest <= 0) {
        return (struct edda_fusion_weights){.words = 0.65f, .grams = 0.35f};
    }
    return (struct edda_fusion_weights){.words = weights.words / rest,
                                        .grams = weights.grams / rest};
}

struct edda_fusion_range edda_fusion_range(const float *scores, size_t count, size_t full) {
    struct edda_fusion_range range = {0, 0};
    if (count == 0) {
        return range;
    }
    float least = scores[0];
    for (size_t i = 0; i < count; i++) {
        range.high = scores[i] > range.high ? scores[i] : range.high;
        least = scores[i] < least ? scores[i] : least;
    }
    range.low = count >= full && least > 0 ? least : 0;
    return range;
}

float edda_fusion_stretch(struct edda_fusion_range range, float score) {
    if (score <= 0 || score < range.low) {
        return 0;
    }
    if (range.high <= range.low) {
        return 1;
    }
    float stretched = (score - range.low) / (range.high - range.low);
    return stretched < 1 ? stretched : 1;
}
