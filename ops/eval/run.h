/* ops/eval/run.h: the figures of a collection's queries, as written or mistyped, of every leg.
 *
 * What answers is behind edda_eval_search: the parts of this process (every leg is known) or a
 * service over HTTP (the last alone). Threads: the caller's. */
#ifndef EDDA_OPS_EVAL_RUN_H
#define EDDA_OPS_EVAL_RUN_H

#include "ops/eval/collection.h"
#include "ops/eval/ranking.h"

#define EDDA_RUN_MESSAGE 512

/* One query answered. */
struct edda_eval_answer {
    struct edda_ranking legs[EDDA_LEG_COUNT];
    bool known[EDDA_LEG_COUNT];
    double wall_ms;
    double cpu_ms; /* < 0: not known */
};

/* Answers query number `query` of the collection, asked as `text`. Errors are said in message. */
typedef int (*edda_eval_search)(void *context, size_t query, const char *text,
                                struct edda_eval_answer *ret_answer, char *message);

struct edda_outcome {
    struct edda_figures legs[EDDA_LEG_COUNT];
    double wall_ms;
    double cpu_ms;
};

struct edda_run {
    const char *name;                         /* "written" or "mistyped"; static */
    const struct edda_collection *collection; /* borrowed */
    struct edda_outcome *outcomes;            /* by query */
    size_t count;
    bool known[EDDA_LEG_COUNT];
    bool has_cpu;
};

/* Asks every query, mistyped where wanted. The errors are the search's, and EDDA_E_MEMORY. */
int edda_run_make(struct edda_run *ret_run, const struct edda_collection *collection, bool typo,
                  edda_eval_search search, void *context,
                  char message[EDDA_RUN_MESSAGE]) EDDA_MUST_CHECK;
void edda_run_done(struct edda_run *run);

enum edda_figure { EDDA_NDCG_10, EDDA_RECALL_10, EDDA_RECALL_100, EDDA_MRR_10, EDDA_FIGURE_COUNT };

/* "nDCG@10" */
const char *edda_figure_name(enum edda_figure figure);

double edda_figure_of(const struct edda_figures *figures, enum edda_figure figure);

/* Copies one figure of one leg of every query into ret_values[count]. */
void edda_run_values(const struct edda_run *run, enum edda_leg leg, enum edda_figure figure,
                     double *ret_values);

#endif
