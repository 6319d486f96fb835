/* actors/store/service.h: the operations `store.*` as messages: each becomes one backend request.
 *
 * store.ping is answered at once from what the last probe said: a probe really reads and really
 * commits, every EDDA_PROBE_MS, so "database" is true only when the disk took a write within the
 * last two seconds. Threads: the loop's. */
#ifndef EDDA_ACTORS_STORE_SERVICE_H
#define EDDA_ACTORS_STORE_SERVICE_H

#include "actors/runtime/actor.h"
#include "actors/store/backend.h"

#define EDDA_PROBE_MS      700
#define EDDA_PROBE_GOOD_MS 2000
#define EDDA_EMPTIED_MS    5000 /* tables that are gone are waited for: a restore makes them again */
#define EDDA_SWEEP_MS      60000
#define EDDA_GAUGES_MS     5000

typedef struct edda_store_service edda_store_service_t;

/* backend is borrowed until edda_store_service_free. NULL when memory is short. */
edda_store_service_t *edda_store_service_new(edda_loop_t *loop, edda_backend_t *backend);

/* No timer runs after this; then destroy the backend (which answers what is open), then free. */
void edda_store_service_stop(edda_store_service_t *self);
void edda_store_service_free(edda_store_service_t **self_p);

/* Why it has ended the loop: EDDA_E_UNAVAILABLE, the database has lost its tables. A start makes
 * new ones. 0: it has not. */
int edda_store_service_error(const edda_store_service_t *self);

/* For edda_actor_options: stage is the service. */
const struct edda_operation *edda_store_service_operations(size_t *ret_count);

#endif
