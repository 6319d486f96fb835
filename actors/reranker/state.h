/* actors/reranker/state.h: what a reranker holds of a query and of the passages read, private to
 * rerank.c and feature.c. */
#ifndef EDDA_ACTORS_RERANKER_STATE_H
#define EDDA_ACTORS_RERANKER_STATE_H

#include "actors/reranker/rerank.h"
#include "actors/text/likeness.h"
#include "actors/text/sieve.h"

#define EDDA_RERANK_WORDS  64
#define EDDA_RERANK_PLACES 256 /* of the query's words by hash */

struct edda_rerank_word {
    uint64_t hash;
    double idf;
    struct edda_likeness likeness;
    bool likely; /* may be matched by likeness */
};

/* A query word, or one that resembles it, at a place of a passage. */
struct edda_rerank_match {
    uint32_t position;
    float weight; /* 1, or the likeness */
    uint8_t word;
};

/* What a word of the passages is to the query: the words it resembles. */
struct edda_rerank_known {
    uint64_t hash;
    uint32_t round;
    uint8_t word; /* the query word most like it */
    float likeness;
};

struct edda_rerank_read {
    size_t first_match;
    size_t match_count;
    uint32_t words;                    /* tokens read */
    uint64_t title_words;              /* bits of query words in title or heading */
    float likeness[EDDA_RERANK_WORDS]; /* best per query word */
};

struct edda_reranker {
    edda_analyser_t *analyser;
    struct edda_rerank_word words[EDDA_RERANK_WORDS];
    size_t word_count;
    uint8_t sequence[EDDA_RERANK_WORDS * 2]; /* the query's words in order, as numbers */
    size_t sequence_count;
    uint8_t places[EDDA_RERANK_PLACES]; /* number + 1 */
    struct edda_sieve sieve;            /* of those words */
    struct edda_rerank_match *matches;
    size_t match_count;
    size_t match_capacity;
    struct edda_rerank_read *passages;
    size_t passage_capacity;
    double (*features)[EDDA_RERANK_FEATURES]; /* of the last run, by passage */
    size_t features_capacity;
    struct edda_rerank_known *known;
    uint32_t round;
    enum edda_language language; /* of the query, and so of what can match it */
};

/* The features of one passage that was read, the prior left at 0. total: sum of the words' idf, >
 * 0.
 */
void edda_rerank_measure(const edda_reranker_t *self, const struct edda_rerank_read *read,
                         double total, double ret_features[EDDA_RERANK_FEATURES]);

#endif
