/* broker/core.h: the broker as a pure function: one event in, a list of actions out.
 *
 *   messages, ticks, drain --> edda_core_step --> SEND, RELEASE, FORGET, NOTE, DRAINED
 *
 * No socket, clock, log or transport lives here, so that a seed replays a run. The state tables are
 * 1 and 3 of proto/README.md. What always holds, asserted after every step or by edda_core_check:
 * - admitted == ended + queued + running (conservation, G6)
 * - sent <= granted for every worker, in messages and body bytes (G7)
 * - nothing a worker could take is left waiting (G10)
 *
 * Bodies are opaque handles. A handle given with an event is borrowed for the step; the core takes
 * it by nulling its place in event->bodies and then owns it until a RELEASE action. Handles in a
 * SEND are borrowed: the loop shares the bytes and must do so before it obeys a later RELEASE.
 * Credit, queue and pending limits count body bytes, not envelopes.
 *
 * A peer is bound to the identity of the key it came with (broker/permit.h); each message is
 * checked against it, and against what the key may do at that moment.
 *
 * Peers are numbers below EDDA_CORE_PEERS that the loop gives to connections. A number is the
 * connection's from its first event until FORGET; a peer that never joined is forgotten at once.
 *
 * Threads: one. Limits: proto/limits.h and those below. Memory grows to the caps and stays. */
#ifndef EDDA_BROKER_CORE_H
#define EDDA_BROKER_CORE_H

#include "broker/authorized.h"
#include "proto/body_peer.h"
#include "proto/message.h"

#define EDDA_CORE_PEERS       (EDDA_MAX_PEERS + 1) /* one spare number, to tell the last comer no */
#define EDDA_CORE_SERVICES    64                   /* distinct service names in a broker's life */
#define EDDA_CORE_OPS         1024                 /* distinct op names in a broker's life */
#define EDDA_CORE_TICK_BUDGET 512 /* requests one TICK may end; the next does the rest */

typedef struct edda_core edda_core_t;

enum edda_side {
    EDDA_SIDE_FRONT, /* clients */
    EDDA_SIDE_BACK,  /* workers */
};

enum edda_event_kind {
    EDDA_EVENT_MESSAGE,
    EDDA_EVENT_MALFORMED, /* a message came that does not decode; error says why */
    EDDA_EVENT_UNSENT, /* the transport refused a WORK: nobody began it. UNREACHABLE or FULL follows
                        */
    EDDA_EVENT_UNREACHABLE, /* the transport has lost the peer */
    EDDA_EVENT_FULL,        /* the transport takes no more for the peer: a bug under G7 */
    EDDA_EVENT_DOUBT, /* a connection ended, whose is not told: the next TICK asks every worker, and
                         the transport says UNREACHABLE of the one that is gone */
    EDDA_EVENT_TICK,  /* time passed: at least every 100 ms */
    EDDA_EVENT_DRAIN, /* no new requests; DRAINED comes when none is left */
    EDDA_EVENT_ACCESS, /* the authorized file changed: who may not be here any more, goes */
};

struct edda_event {
    enum edda_event_kind kind;
    uint32_t peer;       /* not with DOUBT, TICK, DRAIN and ACCESS */
    enum edda_side side; /* the socket it came from; with MESSAGE and MALFORMED */
    int error;           /* MALFORMED: EDDA_E_MALFORMED, EDDA_E_LIMIT or EDDA_E_VERSION */
    /* MESSAGE and MALFORMED: what the connection it came through may do. Never NULL. */
    const struct edda_permit *permit;
    const edda_authorized_t *authorized; /* ACCESS */
    /* MESSAGE: decoded and checked, borrowed; UNSENT: the WORK, of which id, step and attempt are
     * looked at */
    const struct edda_message *message;
    void **bodies; /* MESSAGE: envelope.body_count handles, NULL for absent bodies; see above */
};

enum edda_action_kind {
    EDDA_ACTION_SEND,
    EDDA_ACTION_RELEASE, /* free `handle` */
    EDDA_ACTION_FORGET,  /* the peer's number may be given to another connection */
    EDDA_ACTION_NOTE,    /* something for the log; nothing depends on it */
    EDDA_ACTION_DRAINED, /* after EDDA_EVENT_DRAIN: nothing is left; BYE was sent to all */
};

struct edda_note {
    const char *event;     /* "worker_joined"; static */
    struct edda_text name; /* of the peer or service */
    const char *reason;    /* an error's name, or NULL; static */
    uint64_t count;        /* what the event counts: running steps, credit */
};

/* Texts of message and note live until the next step. */
struct edda_action {
    enum edda_action_kind kind;
    uint32_t peer;
    void *handle;
    struct edda_note note;
    struct edda_message message; /* SEND; message.bodies is not filled, bodies[] is */
    void *bodies[2];             /* envelope.body_count of them; NULL for an absent one */
    uint16_t record_type; /* SEND: when not 0 the one body is `record`, which the loop encodes */
    union {
        struct edda_welcome welcome;
        struct edda_credit_grant credit;
        struct edda_ping ping;
        struct edda_reset reset;
        struct edda_broker_status status;
    } record;
};

/* Zero-initialised by the owner; the core appends, edda_actions_done frees. */
struct edda_actions {
    struct edda_action *items;
    size_t count;
    size_t capacity;
};

enum edda_end {
    EDDA_END_DONE,
    EDDA_END_FAILED,
    EDDA_END_EXPIRED,
    EDDA_END_CANCELLED,
    EDDA_END_COUNT,
};

enum edda_requeue {
    EDDA_REQUEUE_DIED,
    EDDA_REQUEUE_TIMEOUT,
    EDDA_REQUEUE_FAILED,   /* FAIL with blame on the worker, or its protocol error */
    EDDA_REQUEUE_RETURNED, /* RETURN, BYE or a new connection of the same worker */
    EDDA_REQUEUE_COUNT,
};

#define EDDA_CORE_CODES 32 /* wire numbers of errors below this have a counter */

/* Every message that changes nothing is in exactly one of these (G9). */
struct edda_counters {
    uint64_t admitted;
    uint64_t ended[EDDA_END_COUNT];
    uint64_t refused[EDDA_CORE_CODES]; /* REQs answered with FAIL at admission, by wire number */
    uint64_t resets[EDDA_CORE_CODES];
    uint64_t requeued[EDDA_REQUEUE_COUNT];
    uint64_t repeated; /* REQs of an id in flight or with a kept reply */
    uint64_t late;     /* results whose attempt was over */
    uint64_t dropped;  /* CANCEL, CREDIT or PROGRESS for nothing; repeated PARTs */
    uint64_t skipped;  /* steps that failed and were passed over */
    uint64_t
        unretried; /* steps that failed and had a retry left, but their service's budget none */
    uint64_t full; /* times the transport took no more */
};

struct edda_core_options {
    struct edda_uuid epoch; /* names this life of the broker */
    uint32_t ping_ms;       /* 0: EDDA_PING_MS */
    uint32_t liveness;      /* 0: EDDA_LIVENESS */
    int64_t now_ms;
};

/* NULL when out of memory. */
edda_core_t *edda_core_new(const struct edda_core_options *options);

/* Appends RELEASE actions for every handle still owned, then frees the core and nulls the pointer.
 * Takes NULL and half-built cores. */
void edda_core_destroy(edda_core_t **self_p, struct edda_actions *actions);

/* Resets actions and fills it with what the event makes necessary, in the order to obey. now_ms is
 * monotonic and never less than at the last step. Aborts when memory for actions is out. */
void edda_core_step(edda_core_t *self, const struct edda_event *event, int64_t now_ms,
                    struct edda_actions *actions);

void edda_actions_done(struct edda_actions *actions);

const struct edda_counters *edda_core_counters(const edda_core_t *self);

/* Numbers and services as broker.status tells them; services.items lives until the next call. */
void edda_core_status(edda_core_t *self, int64_t now_ms, struct edda_broker_status *ret_status);

/* Counts every list and asserts every invariant above. For tests: linear in all that is held. */
void edda_core_check(const edda_core_t *self);

#endif
