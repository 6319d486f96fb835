/* actors/store/damage.h: a stored vector that no commit can have written: it is not as long as its
 * model's. Searches do without it; it is counted, and said once an index.
 *
 * Threads: those of said. */
#ifndef EDDA_ACTORS_STORE_DAMAGE_H
#define EDDA_ACTORS_STORE_DAMAGE_H

#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"

/* chunk: its row; 0: one of them. */
static inline void edda_damage_note(bool *said, int64_t project, int64_t chunk) {
    edda_metric_add(EDDA_METRIC_STORE_DAMAGED, NULL, 1);
    if (!*said) {
        *said = true;
        edda_log(EDDA_LOG_ERROR, "vector_damaged",
                 "project=%lld chunk=%lld reason=\"not as long as its model's: left out\"",
                 (long long)project, (long long)chunk);
    }
}

#endif
