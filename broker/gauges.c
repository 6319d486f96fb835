/* broker/gauges.c: differences of counters to the metrics registry. */
#include "broker/gauges.h"

#include <stdio.h>

static const char *const end_names[EDDA_END_COUNT] = {"done", "failed", "expired", "cancelled"};
static const char *const requeue_names[EDDA_REQUEUE_COUNT] = {"died", "timeout", "failed",
                                                              "returned"};

static void add_since(enum edda_metric metric, const char *label, uint64_t now, uint64_t before) {
    if (now > before) {
        edda_metric_add(metric, label, now - before);
    }
}

static void add_codes(enum edda_metric metric, const uint64_t *now, const uint64_t *before) {
    for (int i = 0; i < EDDA_CORE_CODES; i++) {
        add_since(metric, edda_error_name(-i), now[i], before[i]);
    }
}

static void add_counters(struct edda_counters *seen, const struct edda_counters *now) {
    add_since(EDDA_METRIC_BROKER_ADMITTED, NULL, now->admitted, seen->admitted);
    for (size_t i = 0; i < EDDA_END_COUNT; i++) {
        add_since(EDDA_METRIC_BROKER_ENDED, end_names[i], now->ended[i], seen->ended[i]);
    }
    for (size_t i = 0; i < EDDA_REQUEUE_COUNT; i++) {
        add_since(EDDA_METRIC_BROKER_REQUEUED, requeue_names[i], now->requeued[i],
                  seen->requeued[i]);
    }
    add_codes(EDDA_METRIC_BROKER_REFUSED, now->refused, seen->refused);
    add_codes(EDDA_METRIC_BROKER_RESETS, now->resets, seen->resets);
    add_since(EDDA_METRIC_BROKER_UNRETRIED, NULL, now->unretried, seen->unretried);
    add_since(EDDA_METRIC_BROKER_LATE, NULL, now->late, seen->late);
    add_since(EDDA_METRIC_DROPPED, "repeated_request", now->repeated, seen->repeated);
    add_since(EDDA_METRIC_DROPPED, "for_nothing", now->dropped, seen->dropped);
    *seen = *now;
}

static void make_cells(struct edda_gauges *gauges, size_t index, struct edda_text service) {
    char name[EDDA_MAX_NAME + 1];
    (void)snprintf(name, sizeof(name), "%.*s", (int)service.size, service.data);
    gauges->services[index].queued = edda_metric_cell(EDDA_METRIC_BROKER_QUEUED, name);
    gauges->services[index].running = edda_metric_cell(EDDA_METRIC_BROKER_RUNNING, name);
    gauges->services[index].workers = edda_metric_cell(EDDA_METRIC_BROKER_WORKERS, name);
}

void edda_gauges_update(struct edda_gauges *gauges, edda_core_t *core, int64_t now_ms) {
    struct edda_broker_status status;
    add_counters(&gauges->seen, edda_core_counters(core));
    edda_core_status(core, now_ms, &status);
    for (size_t i = 0; i < status.services.count; i++) {
        const struct edda_service_status *service = &status.services.items[i];
        if (!gauges->services[i].queued) {
            make_cells(gauges, i, service->name);
        }
        edda_cell_set(gauges->services[i].queued, service->queued);
        edda_cell_set(gauges->services[i].running, service->running);
        edda_cell_set(gauges->services[i].workers, service->workers);
    }
}
