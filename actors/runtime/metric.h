/* actors/runtime/metric.h: counters, gauges and histograms of this process, from metric.def, as
 * Prometheus text.
 *
 * A metric has at most one label whose values come from closed or bounded sets; at most
 * EDDA_METRIC_MAX_CELLS cells exist, later ones share the label value "other". Cells are made once
 * and kept by the caller; adding is one relaxed atomic. Any thread. */
#ifndef EDDA_RUNTIME_METRIC_H
#define EDDA_RUNTIME_METRIC_H

#include "proto/buffer.h"
#include "proto/types.h"

#define EDDA_METRIC_MAX_CELLS 1024
#define EDDA_METRIC_TYPE      "text/plain; version=0.0.4; charset=utf-8" /* of the exposition text */

#define EDDA_METRIC(name, kind, text, label, help) EDDA_METRIC_##name,
enum edda_metric {
#include "actors/runtime/metric.def"
    EDDA_METRIC_COUNT
};
#undef EDDA_METRIC

typedef struct edda_cell edda_cell_t;

/* The cell of a metric and label value (NULL for metrics without label). Never fails. */
edda_cell_t *edda_metric_cell(enum edda_metric metric, const char *label_value);

void edda_cell_add(edda_cell_t *cell, uint64_t amount);    /* counters */
void edda_cell_set(edda_cell_t *cell, int64_t value);      /* gauges */
void edda_cell_observe(edda_cell_t *cell, double seconds); /* histograms: 50 us .. 60 s */
int64_t edda_cell_value(const edda_cell_t *cell); /* counter, gauge, or count of observations */

/* Shorthand for rare events. */
void edda_metric_add(enum edda_metric metric, const char *label_value, uint64_t amount);

/* Appends the exposition text. */
void edda_metric_write(struct edda_buffer *out);

#endif
