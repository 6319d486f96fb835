/* ops/eval/tune.h: weights of the legs of a search, chosen on judged questions.
 *
 * A question's chunks are searched for once; every set of weights is then tried on their scores.
 * How good the choice is, is said by cross-validation: of EDDA_TUNE_FOLDS parts of the questions
 * each is judged with the weights that the others choose, so no question judges its own weights.
 * What is kept is chosen on all of them. Of equal choices the one nearest to the given weights.
 * Pure.
 *
 * The figure is nDCG@10 of the fused ranking, before the reranker, whose own order follows it. */
#ifndef EDDA_OPS_EVAL_TUNE_H
#define EDDA_OPS_EVAL_TUNE_H

#include "ops/eval/collection.h"
#include "proto/error.h"

#define EDDA_TUNE_FOLDS 5
#define EDDA_TUNE_STEP  5   /* hundredths */
#define EDDA_TUNE_HITS  200 /* chunks of a question */

struct edda_tune_hit {
    size_t document;
    float words; /* of each leg, 0..1 */
    float grams;
    float vector;
};

struct edda_tune_question {
    const struct edda_judged_query *judged; /* borrowed */
    struct edda_tune_hit *hits;             /* owned by the caller */
    size_t hit_count;
};

/* Hundredths; they add up to 100. */
struct edda_tune_weights {
    unsigned words;
    unsigned grams;
    unsigned vector;
};

struct edda_tuned {
    struct edda_tune_weights weights;
    double before; /* mean nDCG@10 of the given weights */
    double after;  /* by cross-validation */
    double p;      /* of the difference being chance */
};

/* At least EDDA_TUNE_FOLDS questions: EDDA_E_INVALID; EDDA_E_MEMORY. */
int edda_tune(const struct edda_tune_question *questions, size_t count,
              struct edda_tune_weights given, struct edda_tuned *ret_tuned) EDDA_MUST_CHECK;

#endif
