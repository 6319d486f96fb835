/* ops/eval/run.c: see run.h. */
#include "ops/eval/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/eval/typo.h"
#include "ops/progress.h"

static const char *const figure_names[EDDA_FIGURE_COUNT] = {"nDCG@10", "R@10", "R@100", "MRR@10"};

const char *edda_figure_name(enum edda_figure figure) {
    return figure_names[figure];
}

double edda_figure_of(const struct edda_figures *figures, enum edda_figure figure) {
    switch (figure) {
    case EDDA_NDCG_10:
        return figures->ndcg_10;
    case EDDA_RECALL_10:
        return figures->recall_10;
    case EDDA_RECALL_100:
        return figures->recall_100;
    case EDDA_MRR_10:
    case EDDA_FIGURE_COUNT:
        break;
    }
    return figures->reciprocal_10;
}

static int ask(struct edda_run *run, size_t number, bool typo, edda_eval_search search,
               void *context, struct edda_eval_answer *answer, char *message) {
    const struct edda_judged_query *query = &run->collection->queries[number];
    char *typed = typo ? edda_typo_new(edda_text_of(query->text)) : NULL;
    if (typo && !typed)
        return EDDA_E_MEMORY;
    int error = search(context, number, typed ? typed : query->text, answer, message);
    free(typed);
    if (error)
        return error;
    struct edda_outcome *outcome = &run->outcomes[number];
    outcome->wall_ms = answer->wall_ms;
    outcome->cpu_ms = answer->cpu_ms;
    run->has_cpu = answer->cpu_ms >= 0;
    for (size_t leg = 0; leg < EDDA_LEG_COUNT; leg++) {
        const struct edda_ranking *ranking = &answer->legs[leg];
        run->known[leg] = answer->known[leg];
        if (answer->known[leg] &&
            !edda_metric_judge(query->grades, query->grade_count, ranking->documents,
                               ranking->count, &outcome->legs[leg]))
            return EDDA_E_INTERNAL; /* collections keep no such query */
    }
    return 0;
}

int edda_run_make(struct edda_run *ret_run, const struct edda_collection *collection, bool typo,
                  edda_eval_search search, void *context, char message[EDDA_RUN_MESSAGE]) {
    struct edda_eval_answer *answer = malloc(sizeof *answer);
    struct edda_progress progress;
    *ret_run = (struct edda_run){.name = typo ? "mistyped" : "written",
                                 .collection = collection,
                                 .count = collection->query_count};
    ret_run->outcomes = calloc(ret_run->count + 1, sizeof *ret_run->outcomes);
    snprintf(message, EDDA_RUN_MESSAGE, "out of memory");
    int error = answer && ret_run->outcomes ? 0 : EDDA_E_MEMORY;
    edda_progress_init(&progress, ret_run->count);
    for (size_t i = 0; i < ret_run->count && !error; i++) {
        *answer = (struct edda_eval_answer){.cpu_ms = -1};
        error = ask(ret_run, i, typo, search, context, answer, message);
        edda_progress_show(&progress, "asking", i + 1, 0);
    }
    edda_progress_clear(&progress);
    free(answer);
    if (error)
        edda_run_done(ret_run);
    return error;
}

void edda_run_done(struct edda_run *run) {
    free(run->outcomes);
    run->outcomes = NULL;
    run->count = 0;
}

void edda_run_values(const struct edda_run *run, enum edda_leg leg, enum edda_figure figure,
                     double *ret_values) {
    for (size_t i = 0; i < run->count; i++)
        ret_values[i] = edda_figure_of(&run->outcomes[i].legs[leg], figure);
}
