/* ops/eval/metric.c: see metric.h. */
#include "ops/eval/metric.h"

#include <math.h>

#define TOP 10

static double discount(size_t rank) {
    return 1 / log2((double)rank + 2);
}

/* The gain of the best order: the largest grades first, each taken once. */
static double measure_ideal(const struct edda_grade *grades, size_t count) {
    double sum = 0;
    double last = INFINITY;
    size_t equal = 0; /* of grades equal to last, so many are taken */
    for (size_t rank = 0; rank < TOP; rank++) {
        double best = 0;
        size_t same = 0;
        for (size_t i = 0; i < count; i++) {
            same += grades[i].grade == last;
            best = grades[i].grade < last && grades[i].grade > best ? grades[i].grade : best;
        }
        if (same > equal) {
            best = last;
            equal++;
        } else {
            equal = 1;
        }
        if (best <= 0)
            break;
        sum += best * discount(rank);
        last = best;
    }
    return sum;
}

static double grade_of(const struct edda_grade *grades, size_t count, size_t document) {
    for (size_t i = 0; i < count; i++) {
        if (grades[i].document == document)
            return grades[i].grade;
    }
    return 0;
}

bool edda_metric_judge(const struct edda_grade *grades, size_t grade_count, const size_t *ranked,
                       size_t count, struct edda_figures *ret_figures) {
    double relevant = 0;
    double found_10 = 0;
    double found_100 = 0;
    *ret_figures = (struct edda_figures){0};
    for (size_t i = 0; i < grade_count; i++)
        relevant += grades[i].grade > 0;
    if (relevant == 0)
        return false;
    double ideal = measure_ideal(grades, grade_count);
    for (size_t rank = 0; rank < count && rank < EDDA_METRIC_DEPTH; rank++) {
        double grade = grade_of(grades, grade_count, ranked[rank]);
        if (grade <= 0)
            continue;
        found_100++;
        if (rank >= TOP)
            continue;
        if (found_10 == 0)
            ret_figures->reciprocal_10 = 1 / (double)(rank + 1);
        found_10++;
        ret_figures->ndcg_10 += grade * discount(rank) / ideal;
    }
    ret_figures->recall_10 = found_10 / relevant;
    ret_figures->recall_100 = found_100 / relevant;
    return true;
}
