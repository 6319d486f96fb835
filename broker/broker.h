/* broker/broker.h: the thin loop around the core: its ROUTERs, a tick, a drain.
 *
 *   clients --REQ--> front ROUTER (URL) | core | back ROUTER (URL.back) <--DONE-- workers
 *
 * The back is read first: finish work before admitting more. Frames are moved and shared, never
 * copied. Everything that decides is in core.h. With a key, tcp has a pair of ROUTERs of its own.
 *
 * Threads: the loop's. Source: PROTOCOL.md sections 5.1 and 5.13. */
#ifndef EDDA_BROKER_BROKER_H
#define EDDA_BROKER_BROKER_H

#include "actors/runtime/role.h"

typedef struct edda_broker edda_broker_t;

struct edda_broker_options {
    edda_loop_t *loop;
    void *zmq_context;
    const char *const *urls; /* at least one; both endpoints of each are bound */
    size_t url_count;
    bool allow_plain_tcp;      /* beyond loopback */
    const edda_curve_t *curve; /* borrowed; tcp is reached with it only (gate.h); NULL: plain */
    const char *authorized;    /* with curve: path of the authorized file; borrowed */
    uint32_t ping_ms;          /* 0: EDDA_PING_MS */
    uint32_t liveness;         /* 0: EDDA_LIVENESS */
};

/* Binds and serves from the loop's next turn. Registers itself with the loop's drain: DRAIN to all
 * peers, no new requests, and its hold on the loop ends when the last request has ended.
 * EDDA_E_INVALID: a URL; EDDA_E_CONFLICT: an endpoint is taken; EDDA_E_DENIED: plain tcp beyond
 * loopback; EDDA_E_MEMORY; and those of edda_gate_new and edda_gate_listen. */
int edda_broker_new(const struct edda_broker_options *options,
                    edda_broker_t **ret_broker) EDDA_MUST_CHECK;

/* Closes its sockets. Takes NULL and half-built brokers. */
void edda_broker_destroy(edda_broker_t **self_p);

/* Its core, to look at; for tests. */
struct edda_core *edda_broker_core(const edda_broker_t *self);

/* The role "broker": binds role->listen, serves until the loop ends. */
int edda_broker_main(edda_loop_t *loop, const struct edda_role *role);

#endif
