/* broker/gauges.h: the core's counters as metrics of this process. */
#ifndef EDDA_BROKER_GAUGES_H
#define EDDA_BROKER_GAUGES_H

#include "actors/runtime/metric.h"
#include "broker/core.h"

struct edda_gauges {
    struct edda_counters seen; /* what was already added */
    struct {
        edda_cell_t *queued;
        edda_cell_t *running;
        edda_cell_t *workers;
    } services[EDDA_CORE_SERVICES];
};

/* Zero-initialised at first. Adds what was counted since the last call; once a second or so. */
void edda_gauges_update(struct edda_gauges *gauges, edda_core_t *core, int64_t now_ms);

#endif
