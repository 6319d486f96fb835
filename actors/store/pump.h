/* actors/store/pump.h: durable jobs out of the store, their results back in through put_chunks.
 *
 *   claim (at most what the broker will take) -> REQ [chunk, embed.chunks, store.put_chunks] ->
 * reply
 *                                                         |
 *                                     the lease is renewed every third of it while the call is open
 *
 * New content of a memo that had some goes through store.reuse behind chunk, which may be skipped.
 * The effects of a job are in its last step's fenced commit, never in the reply: a lost reply costs
 * nothing. A call that failed is told to the store, which decides by jobs.h. The pump is woken by
 * the commit that made jobs ready, by credit, by replies, and by a timer for back-offs and old
 * leases.
 *
 * Invariant: jobs in flight <= window, and never more claimed than the broker granted: a lease does
 * not begin before there is room for its work. Leases of an earlier life are released first.
 * Drain: no more claims, open calls cancelled, their leases given back. Threads: the loop's. */
#ifndef EDDA_ACTORS_STORE_PUMP_H
#define EDDA_ACTORS_STORE_PUMP_H

#include "actors/runtime/curve.h"
#include "actors/store/backend.h"

typedef struct edda_pump edda_pump_t;

struct edda_pump_options {
    edda_loop_t *loop;
    void *zmq_context;
    const char *const *brokers; /* URLs */
    size_t broker_count;
    const edda_curve_t *curve; /* for tcp; borrowed; NULL: plain */
    const char *name;
    edda_backend_t *backend; /* borrowed; must outlive the pump's open operations, see below */
    uint32_t window;         /* jobs in flight at once */
    int64_t lease_ms;
    uint32_t chunk_tokens; /* target of the chunker; 0: its default */
};

/* NULL when memory is short. */
edda_pump_t *edda_pump_new(const struct edda_pump_options *options);

/* After this nothing of the pump is left but its operations in the backend, whose answers it still
 * takes: destroy the backend next, then call edda_pump_free. */
void edda_pump_stop(edda_pump_t *self);
void edda_pump_free(edda_pump_t **self_p);

/* Jobs became ready. An edda_task_fn. */
void edda_pump_wake(void *pump);

size_t edda_pump_in_flight(const edda_pump_t *self);

#endif
