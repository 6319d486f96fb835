/* actors/llm/extractive.h: the built-in answerer "extractive-1": the sentences of the passages that
 * answer a question best, quoted with their numbers. No model, no network.
 *
 * A sentence's score, words weighted by the idf that the hits carry:
 *   words     1    the share of the question it holds, a word of similar spelling counting .6;
 *                  of what it lacks, the sentence before counts .35, title and heading .3, the
 *                  sentence behind .1
 *   pairs     .3   neighbours in the question that stand near each other in it
 *   passage   .3   the passage's own score, of the best one's
 *   number    .15  it has a number and the question asks for one
 * A question among the sentences counts a third, and gives its words to the sentence behind it; a
 * line of code counts .7.
 *
 * Given are at most four, of EDDA_EXTRACT_TOKENS in all, none much worse than the best, none that
 * nearly repeats another; grouped by passage in order of relevance. When the best has too little of
 * the question, the answer says that the documents hold none.
 *
 * Deterministic: same input, same answer. An extractor belongs to one thread. Limits: the first 64
 * distinct words of a question, the first 8,192 sentences. Source: README.md. */
#ifndef EDDA_ACTORS_LLM_EXTRACTIVE_H
#define EDDA_ACTORS_LLM_EXTRACTIVE_H

#include "actors/text/text.h"
#include "proto/arena.h"
#include "proto/body_stage.h"

#define EDDA_EXTRACT_MODEL     "extractive-1"
#define EDDA_EXTRACT_TOKENS    140 /* about 600 characters of Latin writing */
#define EDDA_EXTRACT_SENTENCES 4

struct edda_extract {
    struct edda_texts pieces;    /* one behind the other they are the answer; a line that says what
                                    it is, then a sentence each */
    struct edda_sources sources; /* the passages looked at */
    bool found;
};

typedef struct edda_extractor edda_extractor_t;

/* analyser is borrowed for the extractor's life. NULL when memory is short. */
edda_extractor_t *edda_extractor_new(edda_analyser_t *analyser);
void edda_extractor_destroy(edda_extractor_t **self_p);

/* alone: no language model is configured, and the answer says so. Texts live in the arena.
 * EDDA_E_MEMORY. */
int edda_extractor_run(edda_extractor_t *self, const struct edda_llm_answer *arguments,
                       const struct edda_hits *hits, bool alone, struct edda_arena *arena,
                       struct edda_extract *ret_extract) EDDA_MUST_CHECK;

#endif
