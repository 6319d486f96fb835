/* actors/llm/extractive_state.h: a question and the sentences read for it, private to the files of
 * the extractor: extractive.c reads and scores, extract_choose.c chooses and writes. */
#ifndef EDDA_ACTORS_LLM_EXTRACTIVE_STATE_H
#define EDDA_ACTORS_LLM_EXTRACTIVE_STATE_H

#include "actors/llm/extractive.h"
#include "actors/llm/quote.h"
#include "actors/text/likeness.h"

#define EDDA_EXTRACT_WORDS 64 /* of a question: bits of a mask */

struct edda_question_word {
    uint64_t hash;
    double idf;
    struct edda_likeness likeness;
    bool likely; /* may be matched by likeness */
};

struct edda_sentence {
    struct edda_quote quote; /* a part of its hit's text */
    uint32_t hit;
    uint32_t words; /* in it */
    uint64_t held;  /* bits of question words */
    uint64_t alike; /* bits of question words that a word of it resembles */
    uint64_t pairs; /* bit i: words i and i + 1 stand near each other */
    bool first;     /* of its hit */
    bool asks;
    bool number;
    double own;   /* share of the question it holds itself, 0..1 */
    double share; /* with what stands around it */
    double score;
};

struct edda_extractor {
    edda_analyser_t *analyser;
    enum edda_language language; /* of the question, and so of what can match it */
    struct edda_question_word words[EDDA_EXTRACT_WORDS];
    size_t word_count;
    double total; /* of all words' idf */
    double pair_total;
    bool asks_number;
    struct edda_sentence *sentences; /* owned; hit by hit, in order */
    size_t sentence_count;
    size_t sentence_capacity;
};

/* From scored sentences to the answer's pieces, in the arena. EDDA_E_MEMORY. */
int edda_extract_choose(edda_extractor_t *self, bool alone, struct edda_arena *arena,
                        struct edda_extract *ret_extract) EDDA_MUST_CHECK;

#endif
