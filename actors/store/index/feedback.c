/* actors/store/index/feedback.c: the words of the best chunks, weighed and added. */
#include "actors/store/index/feedback.h"

#include <stdlib.h>

#include "actors/store/index/words.h"

#define FEEDBACK_CHUNKS 3
#define FEEDBACK_WORDS  30

static int compare_terms(const void *left, const void *right) {
    const struct edda_feedback_term *a = left;
    const struct edda_feedback_term *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static int compare_weights(const void *left, const void *right) {
    const struct edda_feedback_term *a = left;
    const struct edda_feedback_term *b = right;
    if (a->weight != b->weight) {
        return a->weight > b->weight ? -1 : 1;
    }
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Every word of the best chunks, once for each; a chunk's score is shared by its words. */
static int collect_terms(const edda_index_t *self, edda_index_scratch_t *scratch,
                         size_t *ret_count) {
    const struct edda_lexical *lexical = &self->lexical;
    size_t found = 0;
    *ret_count = 0;
    for (size_t i = 0; i < scratch->candidate_count && i < FEEDBACK_CHUNKS; i++) {
        const struct edda_index_hit *hit = &scratch->candidates[i].hit;
        const uint8_t *at = lexical->forward + lexical->places[hit->candidate];
        uint32_t count = edda_varint_take(&at);
        int error = EDDA_GROW(scratch->feedback, scratch->feedback_capacity, found + count);
        if (error) {
            return error;
        }
        for (uint32_t left = count; left > 0; left--) {
            uint32_t term = edda_varint_take(&at);
            scratch->feedback[found++] = (struct edda_feedback_term){
                .term = term,
                .hash = lexical->terms[term].hash,
                .chunk = (uint32_t)i,
                .weight = hit->score / (float)count,
            };
        }
    }
    *ret_count = found;
    return 0;
}

/* The heaviest words, heaviest first. Sums are made in the order of hash and chunk, so that equal
 * collections give equal bits. */
static size_t choose_terms(const edda_index_t *self, struct edda_feedback_term *terms,
                           size_t count) {
    size_t kept = 0;
    qsort(terms, count, sizeof *terms, compare_terms);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && terms[kept - 1].hash == terms[i].hash) {
            terms[kept - 1].weight += terms[i].weight;
        } else {
            terms[kept++] = terms[i];
        }
    }
    for (size_t i = 0; i < kept; i++) {
        terms[i].weight *= edda_lexical_idf(&self->lexical, self->lexical.terms[terms[i].term].df);
    }
    qsort(terms, kept, sizeof *terms, compare_weights);
    return kept < FEEDBACK_WORDS ? kept : FEEDBACK_WORDS;
}

int edda_feedback_add(const edda_index_t *self, edda_index_scratch_t *scratch) {
    struct edda_lexical_sums sums = {.scores = scratch->scores};
    size_t count = 0;
    float all = 0;
    double asked = 0;
    int error = collect_terms(self, scratch, &count);
    if (error || count == 0) {
        return error;
    }
    count = choose_terms(self, scratch->feedback, count);
    for (size_t i = 0; i < count; i++) {
        all += scratch->feedback[i].weight;
    }
    for (size_t i = 0; i < scratch->term_count; i++) {
        asked += scratch->terms[i].idf;
    }
    edda_lexical_begin(&self->lexical, &sums);
    for (size_t i = 0; i < count && all > 0; i++) {
        const struct edda_feedback_term *term = &scratch->feedback[i];
        if (edda_words_afford(self, scratch, term->term)) {
            edda_lexical_sum(&self->lexical, term->term, (float)asked * term->weight / all, &sums);
        }
    }
    return 0;
}
