/* actors/runtime/client.h: speaks to N brokers as one: sends requests, gives each exactly one
 * reply.
 *
 * The client is the retry agent of what it sends: while a call's ttl lasts and no PART has come, a
 * lost session makes it send the same id again, to the same broker after WELCOME or to another live
 * one. While no broker is live, calls wait up to 3 s, then fail with EDDA_E_UNAVAILABLE. The better
 * of two random live brokers gets a call (fewest outstanding). Credit: a call whose first service
 * has no ingress credit left at any live broker fails at once with EDDA_E_BUSY; a service no live
 * broker has ever granted credit for is tried without (the broker answers no_service). A call that
 * a broker has no workers for goes to each of the other live ones once; the last of them waits for
 * a worker that has just gone (EDDA_FLAG_ELSEWHERE).
 *
 * Threads: the loop's. Limits: EDDA_CLIENT_MAX_CALLS open calls. */
#ifndef EDDA_RUNTIME_CLIENT_H
#define EDDA_RUNTIME_CLIENT_H

#include "actors/runtime/curve.h"
#include "actors/runtime/loop.h"
#include "proto/envelope.h"

#define EDDA_CLIENT_MAX_BROKERS 8
#define EDDA_CLIENT_MAX_CALLS   16384
#define EDDA_CLIENT_WAIT_MS     3000

typedef struct edda_client edda_client_t;
typedef struct edda_call edda_call_t;

struct edda_client_options {
    edda_loop_t *loop;
    void *zmq_context;
    const char *const *brokers; /* URLs, copied */
    size_t broker_count;
    const edda_curve_t *curve; /* for tcp; borrowed; NULL: plain */
    const char *role;          /* "gateway", "pump" or "cli" */
    const char *name;          /* for people */
    edda_task_fn on_change;    /* a broker came or went, or credit grew; may be NULL */
    void *context;
};

struct edda_step {
    const char *op;
    uint16_t type;               /* of arguments; 0: none */
    struct edda_bytes arguments; /* encoded body, copied */
    uint8_t on_error;            /* enum edda_on_error */
    uint32_t budget_ms;          /* 0: the op's default */
};

/* Everything is borrowed for the callback only. */
struct edda_reply {
    int error;                     /* 0 or EDDA_E_ */
    struct edda_wire_error detail; /* text, blame, retry_after_ms when error != 0 */
    unsigned step;                 /* of a broker's error: index of the step that failed */
    uint16_t type;                 /* body type */
    struct edda_bytes body;
    const struct edda_text *degraded;
    size_t degraded_count;
};

typedef void (*edda_reply_fn)(void *context, const struct edda_reply *reply);
typedef void (*edda_part_fn)(void *context, uint32_t sequence, uint16_t type,
                             struct edda_bytes body);
typedef void (*edda_progress_fn)(void *context, unsigned step); /* index in the request's steps */

struct edda_request {
    const struct edda_step *steps; /* copied */
    size_t step_count;             /* 1..EDDA_MAX_ROUTE */
    struct edda_uuid id;           /* nil: a new UUIDv7 */
    struct edda_text project;
    struct edda_text traceparent;
    struct edda_text tracestate;
    uint8_t priority;
    uint8_t retries; /* re-dispatches by the broker */
    uint32_t ttl_ms; /* 1..EDDA_MAX_TTL_MS */
    uint16_t flags;
    uint64_t fence;
    struct edda_bytes idempotency;
    int broker;                   /* index of the one to use, or -1 for any */
    edda_reply_fn on_reply;       /* exactly once per call, never from within edda_client_call */
    edda_part_fn on_part;         /* may be NULL */
    edda_progress_fn on_progress; /* may be NULL */
    void *context;
};

edda_client_t *edda_client_new(const struct edda_client_options *options);

/* Open calls are answered with EDDA_E_CANCELLED first. */
void edda_client_destroy(edda_client_t **self_p);

/* EDDA_E_BUSY, EDDA_E_LIMIT, EDDA_E_INVALID, EDDA_E_MEMORY, EDDA_E_DRAINING (after
 * edda_client_leave): nothing was sent and on_reply will not come. ret_call may be NULL; the call
 * is valid until its on_reply. */
int edda_client_call(edda_client_t *self, const struct edda_request *request,
                     edda_call_t **ret_call) EDDA_MUST_CHECK;

/* The broker is told; on_reply will not come. Nulls the pointer. */
void edda_client_cancel(edda_client_t *self, edda_call_t **call_p);

/* Stream credit: lets the worker send up to these totals of PARTs for this call. */
void edda_client_grant(edda_client_t *self, edda_call_t *call, uint64_t messages, uint64_t bytes);

/* Requests that may still be sent whose first step is this service, over all live brokers. */
uint64_t edda_client_credit(const edda_client_t *self, const char *service);

size_t edda_client_brokers_live(const edda_client_t *self);
size_t edda_client_open_calls(const edda_client_t *self);

/* Whether broker `index` (0..brokers given) is live now. */
bool edda_client_broker_live(const edda_client_t *self, size_t index);

/* Tells the brokers BYE when no call is open any more; used by drain. */
void edda_client_leave(edda_client_t *self);

#endif
