/* actors/store/index/candidates.c: the legs of a query become one list, before and after the texts.
 */
#include "actors/store/index/candidates.h"

#include "actors/store/index/state.h"

#include <stdlib.h>

static struct edda_candidate *add_candidate(const edda_index_t *self, edda_index_scratch_t *scratch,
                                            uint32_t slot) {
    struct edda_candidate *added = &scratch->candidates[scratch->candidate_count++];
    *added = (struct edda_candidate){0};
    added->hit.chunk = self->slots[slot].uuid;
    added->hit.memo = self->memos[self->slots[slot].memo].key;
    added->hit.candidate = slot; /* until the candidates are ordered */
    return added;
}

static struct edda_candidate *find_candidate(const edda_index_t *self,
                                             edda_index_scratch_t *scratch, uint32_t slot) {
    for (size_t i = 0; i < scratch->candidate_count; i++) {
        if (scratch->candidates[i].hit.candidate == slot) {
            return &scratch->candidates[i];
        }
    }
    return add_candidate(self, scratch, slot);
}

static struct edda_fusion_range range_of(const struct edda_scored *items, size_t count) {
    float scores[EDDA_INDEX_LEG];
    for (size_t i = 0; i < count; i++) {
        scores[i] = items[i].score;
    }
    return edda_fusion_range(scores, count, EDDA_INDEX_LEG);
}

static int compare_candidates(const void *left, const void *right) {
    const struct edda_index_hit *a = &((const struct edda_candidate *)left)->hit;
    const struct edda_index_hit *b = &((const struct edda_candidate *)right)->hit;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return memcmp(a->chunk.bytes, b->chunk.bytes, 16);
}

void edda_candidates_fuse(const edda_index_t *self, edda_index_scratch_t *scratch,
                          size_t word_count, const struct edda_scored *vectors,
                          size_t vector_count) {
    struct edda_fusion_range words = range_of(scratch->words, word_count);
    struct edda_fusion_range near = range_of(vectors, vector_count);
    scratch->candidate_count = 0;
    for (size_t i = 0; i < word_count; i++) {
        struct edda_candidate *candidate = add_candidate(self, scratch, scratch->words[i].slot);
        candidate->hit.words = edda_fusion_stretch(words, scratch->words[i].score);
    }
    for (size_t i = 0; i < vector_count; i++) {
        struct edda_candidate *candidate = find_candidate(self, scratch, vectors[i].slot);
        candidate->hit.vector = edda_fusion_stretch(near, vectors[i].score);
    }
    for (size_t i = 0; i < scratch->candidate_count; i++) {
        struct edda_index_hit *hit = &scratch->candidates[i].hit;
        hit->score = (scratch->weights.words + scratch->weights.grams) * hit->words +
                     scratch->weights.vector * hit->vector;
    }
    qsort(scratch->candidates, scratch->candidate_count, sizeof *scratch->candidates,
          compare_candidates);
}

void edda_candidates_lengthen(const edda_index_t *self, edda_index_scratch_t *scratch,
                              size_t word_count) {
    const size_t head = EDDA_INDEX_CANDIDATES;
    size_t fused = scratch->candidate_count;
    EDDA_ASSERT(fused >= head);
    float least = scratch->candidates[head - 1].hit.score;
    for (size_t i = head; i < fused; i++) {
        scratch->candidates[i].hit.score /= 2; /* at most least / 2, below those that follow */
    }
    for (size_t i = 0; i < word_count; i++) {
        struct edda_scored word = scratch->words[i];
        struct edda_candidate *candidate = find_candidate(self, scratch, word.slot);
        if (candidate >= scratch->candidates + head) {
            candidate->hit.score = least / 2 * (1 + word.score / scratch->words[0].score);
        }
    }
    qsort(scratch->candidates + head, scratch->candidate_count - head, sizeof *scratch->candidates,
          compare_candidates);
}

static void fill_result(const edda_index_scratch_t *scratch, size_t count,
                        struct edda_index_result *ret_result) {
    *ret_result = (struct edda_index_result){
        .items = scratch->hits,
        .count = count,
        .terms = scratch->terms,
        .term_count = scratch->term_count,
        .vector_degraded = scratch->vector_degraded,
        .postings = scratch->postings,
    };
}

void edda_candidates_finish(edda_index_scratch_t *scratch, size_t limit,
                            struct edda_index_result *ret_result) {
    if (scratch->candidate_count > limit) {
        scratch->candidate_count = limit;
    }
    for (size_t i = 0; i < scratch->candidate_count; i++) {
        scratch->candidates[i].hit.candidate = (uint32_t)i;
        scratch->hits[i] = scratch->candidates[i].hit;
    }
    fill_result(scratch, scratch->candidate_count, ret_result);
}

/* The 4-grams' score of each candidate that has a text; the others are left out. Returns how many
 * of those kept are rescored. */
static size_t read_grams(const edda_index_t *self, edda_index_scratch_t *scratch,
                         const struct edda_index_text *texts) {
    size_t rescored = 0;
    size_t kept = 0;
    edda_gram_query_ready(&scratch->grams, &self->sample);
    for (size_t i = 0; i < scratch->candidate_count; i++) {
        struct edda_candidate candidate = scratch->candidates[i];
        const struct edda_index_text *text = &texts[candidate.hit.candidate];
        bool head = candidate.hit.candidate < EDDA_INDEX_CANDIDATES;
        if (!text->text.data) {
            continue;
        }
        if (head && scratch->weights.grams > 0) {
            candidate.raw_grams = edda_gram_query_score(&scratch->grams, &scratch->folder, text);
        }
        rescored += head;
        scratch->candidates[kept++] = candidate;
    }
    scratch->candidate_count = kept;
    return rescored;
}

int edda_index_rescore(const edda_index_t *self, edda_index_scratch_t *scratch,
                       const struct edda_index_text *texts, size_t limit,
                       struct edda_index_result *ret_result) {
    const struct edda_fusion_weights *weights = &scratch->weights;
    float scores[EDDA_INDEX_CANDIDATES];
    size_t rescored = read_grams(self, scratch, texts);
    for (size_t i = 0; i < rescored; i++) {
        scores[i] = scratch->candidates[i].raw_grams;
    }
    struct edda_fusion_range grams = edda_fusion_range(scores, rescored, EDDA_INDEX_CANDIDATES);
    for (size_t i = 0; i < rescored; i++) {
        struct edda_index_hit *hit = &scratch->candidates[i].hit;
        hit->grams = edda_fusion_stretch(grams, scratch->candidates[i].raw_grams);
        hit->score = weights->words * hit->words + weights->grams * hit->grams +
                     weights->vector * hit->vector;
    }
    qsort(scratch->candidates, rescored, sizeof *scratch->candidates, compare_candidates);
    for (size_t i = rescored > 0 ? rescored : 1; i < scratch->candidate_count; i++) {
        float before = scratch->candidates[i - 1].hit.score;
        float *score = &scratch->candidates[i].hit.score;
        *score = *score < before ? *score : before;
    }
    size_t count = scratch->candidate_count < limit ? scratch->candidate_count : limit;
    for (size_t i = 0; i < count; i++) {
        scratch->hits[i] = scratch->candidates[i].hit;
    }
    fill_result(scratch, count, ret_result);
    return 0;
}
