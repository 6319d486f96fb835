/* ops/eval/report.h: runs as tables for people and as JSON for programs, and one run against an
 * earlier one. */
#ifndef EDDA_OPS_EVAL_REPORT_H
#define EDDA_OPS_EVAL_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "ops/eval/run.h"

/* A table of every known leg, and what a search took. */
void edda_report_print(FILE *out, const struct edda_run *run);

/* A new object with the figures and every query's own; NULL when out of memory. */
json_t *edda_report_json(const struct edda_run *run);

/* An earlier answer of `edda eval --json`, to compare with. EDDA_E_IO, EDDA_E_INVALID: message says
 * why. */
int edda_report_read(const char *path, json_t **ret_earlier,
                     char message[EDDA_RUN_MESSAGE]) EDDA_MUST_CHECK;

struct edda_comparison {
    size_t count; /* queries in both; 0: nothing to compare */
    double earlier[EDDA_FIGURE_COUNT];
    double now[EDDA_FIGURE_COUNT];
    double p[EDDA_FIGURE_COUNT];
};

/* The last leg of run against the run of the same name in an earlier answer. EDDA_E_MEMORY. */
int edda_report_compare(const struct edda_run *run, const json_t *earlier,
                        struct edda_comparison *ret_comparison) EDDA_MUST_CHECK;
void edda_report_print_comparison(FILE *out, const struct edda_run *run,
                                  const struct edda_comparison *comparison);
json_t *edda_report_comparison_json(const struct edda_comparison *comparison);

#endif
