/* actors/runtime/metric.c: cells in a fixed table; made under a mutex, counted without one. */
#include "actors/runtime/metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LABEL_BYTES 64
#define BOUNDS      19

enum metric_kind { COUNTER, GAUGE, HISTOGRAM };

struct metric_info {
    enum metric_kind kind;
    const char *name;
    const char *label;
    const char *help;
};

#define EDDA_METRIC(name, kind, text, label, help) {kind, text, label, help},
static const struct metric_info infos[EDDA_METRIC_COUNT] = {
#include "actors/runtime/metric.def"
};
#undef EDDA_METRIC

/* Upper bounds in seconds. */
static const double bounds[BOUNDS] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                      0.01,    0.025,  0.05,    0.1,    0.25,  0.5,    1.0,
                                      2.5,     5.0,    10.0,    30.0,   60.0};

struct edda_cell {
    enum edda_metric metric;
    char label[LABEL_BYTES];
    _Atomic int64_t value;   /* counter, gauge */
    _Atomic uint64_t sum_us; /* histogram */
    _Atomic uint64_t counts[BOUNDS + 1];
};

/* What has no label, or comes after the table is full. Always there, so a cell never fails. */
static struct edda_cell spare[EDDA_METRIC_COUNT];
static struct edda_cell *_Atomic cells[EDDA_METRIC_MAX_CELLS];
static size_t cell_count; /* under lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Label values end up in a text format: keep what cannot break it. */
static void copy_label(char out[LABEL_BYTES], const char *value) {
    size_t size = 0;
    for (; value[size] && size < LABEL_BYTES - 1; size++) {
        char c = value[size];
        out[size] = (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == 0x7f ? '_' : c;
    }
    out[size] = '\0';
}

static struct edda_cell *find_or_make(enum edda_metric metric, const char *label) {
    for (size_t i = 0; i < cell_count; i++) {
        struct edda_cell *cell = cells[i];
        if (cell->metric == metric && strcmp(cell->label, label) == 0) {
            return cell;
        }
    }
    struct edda_cell *made = cell_count < EDDA_METRIC_MAX_CELLS ? calloc(1, sizeof *made) : NULL;
    if (!made) {
        return &spare[metric];
    }
    made->metric = metric;
    memcpy(made->label, label, LABEL_BYTES);
    cells[cell_count++] = made;
    return made;
}

edda_cell_t *edda_metric_cell(enum edda_metric metric, const char *label_value) {
    EDDA_ASSERT((unsigned)metric < EDDA_METRIC_COUNT);
    if (!infos[metric].label || !label_value) {
        return &spare[metric];
    }
    char label[LABEL_BYTES] = {0};
    copy_label(label, label_value);
    pthread_mutex_lock(&lock);
    struct edda_cell *cell = find_or_make(metric, label);
    pthread_mutex_unlock(&lock);
    return cell;
}

void edda_cell_add(edda_cell_t *cell, uint64_t amount) {
    atomic_fetch_add_explicit(&cell->value, (int64_t)amount, memory_order_relaxed);
}

void edda_cell_set(edda_cell_t *cell, int64_t value) {
    atomic_store_explicit(&cell->value, value, memory_order_relaxed);
}

void edda_cell_observe(edda_cell_t *cell, double seconds) {
    size_t bucket = 0;
    while (bucket < BOUNDS && seconds > bounds[bucket]) {
        bucket++;
    }
    uint64_t us = seconds > 0 ? (uint64_t)(seconds * 1e6) : 0;
    atomic_fetch_add_explicit(&cell->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->sum_us, us, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->value, 1, memory_order_relaxed);
}

int64_t edda_cell_value(const edda_cell_t *cell) {
    return atomic_load_explicit(&cell->value, memory_order_relaxed);
}

void edda_metric_add(enum edda_metric metric, const char *label_value, uint64_t amount) {
    edda_cell_add(edda_metric_cell(metric, label_value), amount);
}

static void write_histogram(struct edda_buffer *out, const struct metric_info *info,
                            const struct edda_cell *cell, const char *label) {
    char pair[LABEL_BYTES + 64] = "";
    if (info->label) {
        (void)snprintf(pair, sizeof pair, "%s=\"%s\",", info->label, label);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        total += atomic_load_explicit(&cell->counts[i], memory_order_relaxed);
        edda_buffer_printf(out, "%s_bucket{%sle=\"%g\"} %llu\n", info->name, pair, bounds[i],
                           (unsigned long long)total);
    }
    total += atomic_load_explicit(&cell->counts[BOUNDS], memory_order_relaxed);
    uint64_t sum_us = atomic_load_explicit(&cell->sum_us, memory_order_relaxed);
    edda_buffer_printf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", info->name, pair,
                       (unsigned long long)total);
    size_t size = strlen(pair);
    if (size > 0) {
        pair[size - 1] = '\0';
    }
    const char *open = size > 0 ? "{" : "";
    const char *close = size > 0 ? "}" : "";
    edda_buffer_printf(out, "%s_sum%s%s%s %.6f\n", info->name, open, pair, close,
                       (double)sum_us / 1e6);
    edda_buffer_printf(out, "%s_count%s%s%s %llu\n", info->name, open, pair, close,
                       (unsigned long long)total);
}

static void write_cell(struct edda_buffer *out, const struct metric_info *info,
                       const struct edda_cell *cell, const char *label) {
    if (info->kind == HISTOGRAM) {
        write_histogram(out, info, cell, label);
        return;
    }
    long long value = (long long)edda_cell_value(cell);
    if (info->label) {
        edda_buffer_printf(out, "%s{%s=\"%s\"} %lld\n", info->name, info->label, label, value);
    } else {
        edda_buffer_printf(out, "%s %lld\n", info->name, value);
    }
}

void edda_metric_write(struct edda_buffer *out) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&lock);
    for (size_t metric = 0; metric < EDDA_METRIC_COUNT; metric++) {
        const struct metric_info *info = &infos[metric];
        edda_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help, info->name,
                           kinds[info->kind]);
        if (!info->label || edda_cell_value(&spare[metric]) != 0) {
            write_cell(out, info, &spare[metric], "other");
        }
        for (size_t i = 0; i < cell_count; i++) {
            if (cells[i]->metric == metric) {
                write_cell(out, info, cells[i], cells[i]->label);
            }
        }
    }
    pthread_mutex_unlock(&lock);
}
