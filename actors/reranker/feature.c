/* actors/reranker/feature.c: see feature.h. */
#include "actors/reranker/feature.h"

#include "actors/reranker/state.h"

#define WINDOW_WORDS 30

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

/* Pairs of adjacent query words: the weight of a pair over the distance of its nearest places. */
static double measure_proximity(const edda_reranker_t *self,
                                const struct edda_rerank_match *matches, size_t count) {
    double found = 0;
    double all = 0;
    for (size_t pair = 0; pair + 1 < self->sequence_count; pair++) {
        uint8_t first = self->sequence[pair];
        uint8_t second = self->sequence[pair + 1];
        double weight = self->words[first].idf + self->words[second].idf;
        uint32_t nearest = UINT32_MAX;
        uint32_t last_first = UINT32_MAX;
        uint32_t last_second = UINT32_MAX;
        if (first == second) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            uint32_t other = UINT32_MAX;
            if (matches[i].word == first) {
                last_first = matches[i].position;
                other = last_second;
            } else if (matches[i].word == second) {
                last_second = matches[i].position;
                other = last_first;
            }
            if (other != UINT32_MAX && matches[i].position - other < nearest) {
                nearest = matches[i].position - other;
            }
        }
        all += weight;
        if (nearest != UINT32_MAX) {
            found += weight / (double)(nearest > 1 ? nearest : 1);
        }
    }
    return all > 0 ? found / all : 0;
}

/* The largest share of the query within WINDOW_WORDS words. */
static double measure_window(const edda_reranker_t *self, const struct edda_rerank_match *matches,
                             size_t count, double total) {
    uint16_t inside[EDDA_RERANK_WORDS] = {0};
    double held = 0;
    double best = 0;
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (inside[matches[i].word]++ == 0) {
            held += self->words[matches[i].word].idf;
        }
        while (matches[i].position - matches[from].position >= WINDOW_WORDS) {
            if (--inside[matches[from].word] == 0) {
                held -= self->words[matches[from].word].idf;
            }
            from++;
        }
        best = held > best ? held : best;
    }
    return best / total;
}

static double measure_early(const edda_reranker_t *self, const struct edda_rerank_match *matches,
                            size_t count, uint32_t words, double total) {
    uint64_t seen = 0;
    double early = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << matches[i].word;
        if (!(seen & bit)) {
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
