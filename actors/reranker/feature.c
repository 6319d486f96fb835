/* actors/reranker/feature.c: see feature.h. */
#include "actors/reranker/feature.h"

#include "actors/reranker/state.h"

#define WINDOW_WORDS 50
#define REVERSED     0.5

static const struct edda_rerank_feature_info features[EDDA_RERANK_FEATURES] = {
#define EDDA_RERANK_FEATURE(name, key, weight, meaning) {key, weight, meaning},
#include "actors/reranker/feature.def"
#undef EDDA_RERANK_FEATURE
};

const struct edda_rerank_feature_info *edda_rerank_feature(enum edda_rerank_feature feature) {
    return &features[feature];
}

double edda_rerank_score(const double values[EDDA_RERANK_FEATURES], uint32_t without) {
    double score = 0;
    double weights = 0;
    for (size_t i = 0; i < EDDA_RERANK_FEATURES; i++) {
        double weight = without >> i & 1 ? 0 : features[i].weight;
        score += weight * values[i];
        weights += weight;
    }
    return weights > 0 ? score / weights : 0;
}

/* How near two words stand at their best: 1 side by side and in order, down with the distance, half
 * of it the other way round. */
static double measure_pair(const struct edda_rerank_match *matches, size_t count, uint8_t first,
                           uint8_t second) {
    const struct edda_rerank_match *last_first = NULL;
    const struct edda_rerank_match *last_second = NULL;
    double best = 0;
    for (size_t i = 0; i < count; i++) {
        const struct edda_rerank_match *match = &matches[i];
        const struct edda_rerank_match *other = NULL;
        double near = match->weight;
        if (match->word == first) {
            last_first = match;
            other = last_second;
            near *= REVERSED;
        } else if (match->word == second) {
            last_second = match;
            other = last_first;
        }
        if (other) {
            uint32_t distance = match->position - other->position;
            near *= other->weight / (double)(distance > 1 ? distance : 1);
            best = near > best ? near : best;
        }
    }
    return best;
}

/* Pairs of adjacent query words, weighted by their idf. */
static double measure_proximity(const edda_reranker_t *self,
                                const struct edda_rerank_match *matches, size_t count) {
    double found = 0;
    double all = 0;
    for (size_t pair = 0; pair + 1 < self->sequence_count; pair++) {
        uint8_t first = self->sequence[pair];
        uint8_t second = self->sequence[pair + 1];
        double weight = self->words[first].idf + self->words[second].idf;
        if (first != second) {
            all += weight;
            found += weight * measure_pair(matches, count, first, second);
        }
    }
    return all > 0 ? found / all : 0;
}

/* The largest share of the query within WINDOW_WORDS words, each word at its best in there. */
static double measure_window(const edda_reranker_t *self, const struct edda_rerank_match *matches,
                             size_t count, double total) {
    float inside[EDDA_RERANK_WORDS] = {0};
    double best = 0;
    for (size_t from = 0; from < count; from++) {
        double held = 0;
        size_t to = from;
        for (; to < count && matches[to].position - matches[from].position < WINDOW_WORDS; to++) {
            const struct edda_rerank_match *match = &matches[to];
            if (match->weight > inside[match->word]) {
                held +=
                    self->words[match->word].idf * (double)(match->weight - inside[match->word]);
                inside[match->word] = match->weight;
            }
        }
        best = held > best ? held : best;
        for (size_t i = from; i < to; i++) {
            inside[matches[i].word] = 0;
        }
    }
    return best / total;
}

/* Words found as they are asked for, each the more the earlier it first stands. */
static double measure_early(const edda_reranker_t *self, const struct edda_rerank_match *matches,
                            size_t count, uint32_t words, double total) {
    uint64_t seen = 0;
    double early = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << matches[i].word;
        if (matches[i].weight >= 1 && !(seen & bit)) {
            seen |= bit;
            early += self->words[matches[i].word].idf *
                     (1 - (double)matches[i].position / (double)words);
        }
    }
    return early / total;
}

void edda_rerank_measure(const edda_reranker_t *self, const struct edda_rerank_read *read,
                         double total, double ret_features[EDDA_RERANK_FEATURES]) {
    const struct edda_rerank_match *matches = self->matches + read->first_match;
    size_t count = read->match_count;
    double title = 0;
    double like = 0;
    for (size_t word = 0; word < self->word_count; word++) {
        double idf = self->words[word].idf;
        title += read->title_words >> word & 1 ? idf : 0;
        like += idf * (double)read->likeness[word];
    }
    memset(ret_features, 0, EDDA_RERANK_FEATURES * sizeof *ret_features);
    ret_features[EDDA_RERANK_TITLE] = title / total;
    ret_features[EDDA_RERANK_LIKENESS] = like / total;
    if (count > 0) {
        ret_features[EDDA_RERANK_PROXIMITY] = measure_proximity(self, matches, count);
        ret_features[EDDA_RERANK_WINDOW] = measure_window(self, matches, count, total);
        ret_features[EDDA_RERANK_EARLY] = measure_early(self, matches, count, read->words, total);
    }
}
