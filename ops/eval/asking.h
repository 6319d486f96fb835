/* ops/eval/asking.h: the legs of one search of the parts in this process.
 *
 * The hits of a search say what words, 4-grams and vector gave each chunk; from them come the
 * rankings of the widened words, of words with 4-grams, of the fusion and of the reranker. Words as
 * they are and the vector alone are asked for in searches of their own, whose time does not count.
 */
#ifndef EDDA_OPS_EVAL_ASKING_H
#define EDDA_OPS_EVAL_ASKING_H

#include "ops/eval/local.h"
#include "ops/eval/run.h"
#include "ops/eval/tune.h"

struct edda_asking {
    edda_local_t *local; /* borrowed */
    bool all_legs;       /* also those that need searches of their own */
    uint32_t without;    /* as edda_local_search */
    uint32_t without_rerank;
    /* NULL, or by query: the scores of the legs of every chunk found; hits have room for
     * EDDA_TUNE_HITS. Filled by the search. */
    struct edda_tune_question *tuning;
};

/* An edda_eval_search; context is a struct edda_asking. */
int edda_asking_search(void *context, size_t query, const char *text,
                       struct edda_eval_answer *ret_answer, char *message);

/* Which part "expansion", "grams", "vector", "rerank" or a feature of the reranker is: its bit is
 * set. False for names of none. */
bool edda_asking_without(struct edda_asking *asking, const char *part);

/* The parts by number, for tables; NULL after the last. */
const char *edda_asking_part(size_t number);

#endif
