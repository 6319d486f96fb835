/* ops/eval/metric.h: how good one ranking of documents is.
 *
 * nDCG with linear gain and a logarithm of base two, as trec_eval and BEIR count it; recall of the
 * first 10 and 100; the reciprocal rank of the first right one among ten. A document counts where
 * it stands first. Grades below or at 0 are no relevance. Pure.
 * Source: trec_eval's m_ndcg_cut.c. */
#ifndef EDDA_OPS_EVAL_METRIC_H
#define EDDA_OPS_EVAL_METRIC_H

#include "proto/types.h"

#define EDDA_METRIC_DEPTH 100

struct edda_figures {
    double ndcg_10;
    double recall_10;
    double recall_100;
    double reciprocal_10;
};

/* What is right for one query: every judged document with its grade. */
struct edda_grade {
    size_t document;
    double grade;
};

/* Whether anything is right at all; then the figures of documents ranked[0..count), best first. */
bool edda_metric_judge(const struct edda_grade *grades, size_t grade_count, const size_t *ranked,
                       size_t count, struct edda_figures *ret_figures);

#endif
