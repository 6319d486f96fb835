/* actors/store/index/words.c: the words of a query, widened and scored. */
#include "actors/store/index/words.h"

#include <stdlib.h>

#define QUERY_TERMS_MAX    512 /* distinct words of a query that are scored, the rarest first */
#define QUERY_EXPANDED_MAX 64  /* of which so many are widened */

static int compare_hashes(const void *left, const void *right) {
    uint32_t a = (uint32_t)((const struct edda_query_term *)left)->hash;
    uint32_t b = (uint32_t)((const struct edda_query_term *)right)->hash;
    return a < b ? -1 : a > b;
}

/* The fixed order of summation: df, then hash. */
static int compare_terms(const void *left, const void *right) {
    const struct edda_query_term *a = left;
    const struct edda_query_term *b = right;
    return a->df != b->df ? (a->df < b->df ? -1 : 1) : compare_hashes(left, right);
}

/* Adds up equal words and looks them up; sorted by (df, hash). */
static size_t merge_terms(const edda_index_t *self, struct edda_query_term *terms, size_t count) {
    size_t kept = 0;
    qsort(terms, count, sizeof *terms, compare_hashes);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && (uint32_t)terms[kept - 1].hash == (uint32_t)terms[i].hash) {
            terms[kept - 1].tf++;
            continue;
        }
        struct edda_query_term term = terms[i];
        term.term = edda_lexical_find(&self->lexical, (uint32_t)term.hash);
        term.df = term.term == EDDA_INDEX_NONE ? 0 : self->lexical.terms[term.term].df;
        terms[kept++] = term;
    }
    qsort(terms, kept, sizeof *terms, compare_terms);
    return kept < QUERY_TERMS_MAX ? kept : QUERY_TERMS_MAX;
}

/* A query that does not say its language is read in the collection's. */
static enum edda_language choose_language(const edda_index_t *self, edda_index_scratch_t *scratch,
                                          struct edda_text text) {
    enum edda_language language = edda_analyser_language(scratch->analyser, text);
    return language == EDDA_LANGUAGE_AUTO ? edda_lexical_language(&self->lexical) : language;
}

int edda_words_read(const edda_index_t *self, edda_index_scratch_t *scratch, struct edda_text text,
                    size_t *ret_count) {
    struct edda_tokens tokens = {0};
    size_t count = 0;
    size_t meaning = 0;
    *ret_count = 0;
    edda_gram_query_clear(&scratch->grams);
    int error = 0;
    if (text.size) {
        error = edda_analyser_run(scratch->analyser, text, choose_language(self, scratch, text),
                                  &tokens);
    }
    if (!error) {
        error = EDDA_GROW(scratch->query_terms, scratch->query_terms_capacity, tokens.count);
    }
    if (error || tokens.count == 0) {
        return error;
    }
    for (size_t i = 0; i < tokens.count; i++) {
        meaning += !tokens.items[i].stopword;
    }
    for (size_t i = 0; i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        if (token->stopword && meaning > 0) {
            continue;
        }
        edda_gram_query_add(&scratch->grams, &scratch->folder, token);
        scratch->query_terms[count++] = (struct edda_query_term){
            .hash = token->hash,
            .text = token->stem,
            .tf = 1,
            .expandable = token->kind == EDDA_TOKEN_WORD && !token->stopword,
        };
    }
    *ret_count = merge_terms(self, scratch->query_terms, count);
    return 0;
}

struct member {
    uint32_t term;
    float weight;
};

static void sort_members(const struct edda_lexical *lexical, struct member *members, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct member moved = members[i];
        const struct edda_postings *left = &lexical->terms[moved.term];
        size_t at = i;
        for (; at > 0; at--) {
            const struct edda_postings *right = &lexical->terms[members[at - 1].term];
            if (right->df < left->df || (right->df == left->df && right->hash < left->hash)) {
                break;
            }
            members[at] = members[at - 1];
        }
        members[at] = moved;
    }
}

bool edda_words_afford(const edda_index_t *self, edda_index_scratch_t *scratch, uint32_t term) {
    uint32_t df = self->lexical.terms[term].df;
    if (scratch->postings > 0 && scratch->postings + df > scratch->postings_most) {
        return false;
    }
    scratch->postings += df;
    return true;
}

/* Scores one word of the query with its expansions; returns its idf as the collection sees it. */
static int score_term(const edda_index_t *self, edda_index_scratch_t *scratch,
                      struct edda_lexical_sums *sums, const struct edda_query_term *term,
                      bool expand, float *ret_idf) {
    const struct edda_lexical *lexical = &self->lexical;
    struct edda_expansion found[EDDA_EXPANSIONS];
    struct member members[EDDA_EXPANSIONS + 1];
    size_t found_count = 0;
    size_t count = 0;
    float cap = edda_lexical_idf(lexical, term->df);
    if (expand && term->df > 0) {
        found_count =
            edda_vocabulary_variants(&self->vocabulary, lexical, term->term, term->text, found);
    } else if (expand) {
        int error = edda_vocabulary_neighbours(&self->vocabulary, lexical, &scratch->vocabulary,
                                               term->text, found, &found_count);
        if (error) {
            return error;
        }
    }
    if (term->df > 0) {
        members[count++] = (struct member){term->term, 1.0f};
    }
    for (size_t i = 0; i < found_count; i++) {
        members[count++] = (struct member){found[i].term, found[i].weight};
        float idf = edda_lexical_idf(lexical, lexical->terms[found[i].term].df);
        cap = term->df == 0 && idf < cap ? idf : cap;
    }
    *ret_idf = cap;
    sort_members(lexical, members, count);
    for (size_t i = 0; i < count; i++) {
        float idf = edda_lexical_idf(lexical, lexical->terms[members[i].term].df);
        float weight = members[i].weight * (idf < cap ? idf : cap) * (float)term->tf;
        if (!edda_words_afford(self, scratch, members[i].term)) {
            break; /* what comes behind it is more frequent */
        }
        if (count == 1) {
            edda_lexical_sum(lexical, members[i].term, weight, sums);
        } else {
            edda_lexical_sum_best(lexical, members[i].term, weight, sums);
        }
    }
    if (count > 1) {
        edda_lexical_end_group(sums);
    }
    return 0;
}

int edda_words_score(const edda_index_t *self, edda_index_scratch_t *scratch, size_t count,
                     bool widen) {
    struct edda_lexical_sums sums;
    sums.scores = scratch->scores;
    sums.best = scratch->best;
    sums.touched = scratch->touched;
    sums.touched_count = 0;
    edda_lexical_begin(&self->lexical, &sums);
    int error = EDDA_GROW(scratch->terms, scratch->terms_capacity, count);
    size_t expanded = 0;
    scratch->term_count = 0;
    for (size_t i = 0; !error && i < count; i++) {
        const struct edda_query_term *term = &scratch->query_terms[i];
        bool expand = widen && term->expandable && expanded < QUERY_EXPANDED_MAX;
        float idf = 0;
        expanded += expand;
        error = score_term(self, scratch, &sums, term, expand, &idf);
        scratch->terms[scratch->term_count++] = (struct edda_hit_term){term->hash, (double)idf};
    }
    return error;
}
