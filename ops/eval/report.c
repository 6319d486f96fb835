/* ops/eval/report.c: see report.h. */
#include "ops/eval/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "ops/eval/statistics.h"

#define SEED 1
#define KEPT 1e-5 /* an answer in JSON has six digits: what differs by less is the same */

static double wall_of(const struct edda_outcome *outcome) {
    return outcome->wall_ms;
}

static double cpu_of(const struct edda_outcome *outcome) {
    return outcome->cpu_ms;
}

/* The p-th percentile of what a query took; 0 when memory is short. */
static double spent(const struct edda_run *run, double (*of)(const struct edda_outcome *),
                    double share) {
    double *values = malloc((run->count + 1) * sizeof *values);
    double answer = 0;
    if (values) {
        for (size_t i = 0; i < run->count; i++)
            values[i] = of(&run->outcomes[i]);
        answer = edda_percentile(values, run->count, share);
    }
    free(values);
    return answer;
}

struct cell {
    double value;
    struct edda_interval interval;
};

/* In percent. */
static struct cell measure(const struct edda_run *run, enum edda_leg leg, enum edda_figure figure) {
    struct cell cell = {0};
    double *values = malloc((run->count + 1) * sizeof *values);
    if (values) {
        edda_run_values(run, leg, figure, values);
        cell.value = 100 * edda_mean(values, run->count);
        cell.interval = edda_bootstrap(values, run->count, SEED);
        cell.interval.low *= 100;
        cell.interval.high *= 100;
    }
    free(values);
    return cell;
}

void edda_report_print(FILE *out, const struct edda_run *run) {
    fprintf(out, "%s: %zu documents, %zu queries, as %s; %% [95 %% interval]\n%-26s",
            run->collection->name, run->collection->document_count, run->count, run->name, "");
    for (size_t figure = 0; figure < EDDA_FIGURE_COUNT; figure++)
        fprintf(out, "%-19s", edda_figure_name((enum edda_figure)figure));
    fputc('\n', out);
    for (size_t leg = 0; leg < EDDA_LEG_COUNT; leg++) {
        if (!run->known[leg])
            continue;
        fprintf(out, "%-26s", edda_leg_words((enum edda_leg)leg));
        for (size_t figure = 0; figure < EDDA_FIGURE_COUNT; figure++) {
            struct cell cell = measure(run, (enum edda_leg)leg, (enum edda_figure)figure);
            fprintf(out, "%5.2f [%4.1f %4.1f]  ", cell.value, cell.interval.low,
                    cell.interval.high);
        }
        fputc('\n', out);
    }
    fprintf(out, "a search took %.2f ms at the median, %.2f at the 99th percentile",
            spent(run, wall_of, 0.5), spent(run, wall_of, 0.99));
    if (run->has_cpu)
        fprintf(out, "; processor time of all parts %.2f and %.2f ms", spent(run, cpu_of, 0.5),
                spent(run, cpu_of, 0.99));
    fputs("\n\n", out);
}

/* ---- JSON ---- */

static json_t *legs_json(const struct edda_run *run) {
    json_t *legs = json_object();
    for (size_t leg = 0; leg < EDDA_LEG_COUNT; leg++) {
        if (!run->known[leg])
            continue;
        json_t *figures = json_object();
        for (size_t figure = 0; figure < EDDA_FIGURE_COUNT; figure++) {
            struct cell cell = measure(run, (enum edda_leg)leg, (enum edda_figure)figure);
            json_object_set_new(figures, edda_figure_name((enum edda_figure)figure),
                                json_pack("{s:f,s:f,s:f}", "value", cell.value, "low",
                                          cell.interval.low, "high", cell.interval.high));
        }
        json_object_set_new(legs, edda_leg_key((enum edda_leg)leg), figures);
    }
    return legs;
}

static json_t *queries_json(const struct edda_run *run) {
    json_t *queries = json_array();
    for (size_t i = 0; i < run->count; i++) {
        const struct edda_figures *figures = &run->outcomes[i].legs[EDDA_LEG_RERANKED];
        json_t *query = json_pack("{s:s}", "id", run->collection->queries[i].id);
        for (size_t figure = 0; figure < EDDA_FIGURE_COUNT; figure++)
            json_object_set_new(query, edda_figure_name((enum edda_figure)figure),
                                json_real(edda_figure_of(figures, (enum edda_figure)figure)));
        json_array_append_new(queries, query);
    }
    return queries;
}

json_t *edda_report_json(const struct edda_run *run) {
    json_t *json = json_pack("{s:s,s:i,s:o,s:{s:f,s:f}}", "name", run->name, "count",
                             (int)run->count, "legs", legs_json(run), "wall_ms", "p50",
                             spent(run, wall_of, 0.5), "p99", spent(run, wall_of, 0.99));
    if (json && run->has_cpu)
        json_object_set_new(json, "cpu_ms",
                            json_pack("{s:f,s:f}", "p50", spent(run, cpu_of, 0.5), "p99",
                                      spent(run, cpu_of, 0.99)));
    if (json)
        json_object_set_new(json, "queries", queries_json(run));
    return json;
}

/* ---- against an earlier one ---- */

int edda_report_read(const char *path, json_t **ret_earlier, char message[EDDA_RUN_MESSAGE]) {
    FILE *file = fopen(path, "r");
    json_error_t problem;
    if (!file) {
        snprintf(message, EDDA_RUN_MESSAGE, "cannot read %s: %s", path, strerror(errno));
        return EDDA_E_IO;
    }
    *ret_earlier = json_loadf(file, 0, &problem);
    fclose(file);
    if (json_is_array(json_object_get(*ret_earlier, "runs")))
        return 0;
    json_decref(*ret_earlier);
    *ret_earlier = NULL;
    snprintf(message, EDDA_RUN_MESSAGE, "%s is no answer of edda eval --json", path);
    return EDDA_E_INVALID;
}

/* The earlier run's queries by id, a new object. */
static json_t *index_queries(const json_t *earlier, const char *name) {
    json_t *index = json_object();
    size_t at;
    size_t number;
    json_t *run;
    json_t *query;
    json_array_foreach(json_object_get(earlier, "runs"), at, run) {
        const char *its_name = json_string_value(json_object_get(run, "name"));
        if (!its_name || strcmp(its_name, name) != 0)
            continue;
        json_array_foreach(json_object_get(run, "queries"), number, query) {
            const char *id = json_string_value(json_object_get(query, "id"));
            if (id)
                json_object_set(index, id, query);
        }
    }
    return index;
}

static size_t compare_figure(const struct edda_run *run, const json_t *index,
                             enum edda_figure figure, double *differences,
                             struct edda_comparison *comparison) {
    size_t count = 0;
    double before = 0;
    double now = 0;
    for (size_t i = 0; i < run->count; i++) {
        const json_t *query = json_object_get(index, run->collection->queries[i].id);
        const json_t *value = json_object_get(query, edda_figure_name(figure));
        if (!json_is_number(value) || json_number_value(value) < 0 || json_number_value(value) > 1)
            continue; /* no figure of ours */
        double mine = edda_figure_of(&run->outcomes[i].legs[EDDA_LEG_RERANKED], figure);
        double difference = mine - json_number_value(value);
        differences[count++] = fabs(difference) < KEPT ? 0 : difference;
        before += json_number_value(value);
        now += mine;
    }
    if (count > 0) {
        comparison->earlier[figure] = 100 * before / (double)count;
        comparison->now[figure] = 100 * now / (double)count;
        comparison->p[figure] = edda_randomisation(differences, count, SEED);
    }
    return count;
}

int edda_report_compare(const struct edda_run *run, const json_t *earlier,
                        struct edda_comparison *ret_comparison) {
    json_t *index = index_queries(earlier, run->name);
    double *differences = malloc((run->count + 1) * sizeof *differences);
    *ret_comparison = (struct edda_comparison){0};
    for (size_t figure = 0; figure < EDDA_FIGURE_COUNT && index && differences; figure++)
        ret_comparison->count =
            compare_figure(run, index, (enum edda_figure)figure, differences, ret_comparison);
    int error = index && differences ? 0 : EDDA_E_MEMORY;
    json_decref(index);
    free(differences);
    return error;
}

void edda_report_print_comparison(FILE *out, const struct edda_run *run,
                                  const struct edda_comparison *comparison) {
    fprintf(out, "%s, as %s, against the earlier run, %zu queries of both:\n",
            run->collection->name, run->name, comparison->count);
    for (size_t figure = 0; figure < EDDA_FIGURE_COUNT && comparison->count > 0; figure++)
        fprintf(out, "  %-8s %6.2f -> %6.2f   %+.2f   p = %.4f\n",
                edda_figure_name((enum edda_figure)figure), comparison->earlier[figure],
                comparison->now[figure], comparison->now[figure] - comparison->earlier[figure],
                comparison->p[figure]);
    fputc('\n', out);
}

json_t *edda_report_comparison_json(const struct edda_comparison *comparison) {
    json_t *json = json_pack("{s:i}", "queries", (int)comparison->count);
    for (size_t figure = 0; figure < EDDA_FIGURE_COUNT && comparison->count > 0; figure++)
        json_object_set_new(json, edda_figure_name((enum edda_figure)figure),
                            json_pack("{s:f,s:f,s:f}", "earlier", comparison->earlier[figure],
                                      "now", comparison->now[figure], "p", comparison->p[figure]));
    return json;
}
