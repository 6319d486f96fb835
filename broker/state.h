/* broker/state.h: what the core holds, for the core's own files only.
 *
 *   peer (a connection) --worker--> running: pendings it was sent
 *                       --client--> client (a node, outlives its connection by liveness x ping)
 *                                      open: pendings it asked for
 *   pending: in exactly one of a service's queue (QUEUED) or a worker's running list (RUNNING);
 *            edda_pending_enter is the only door between its states.
 *   service: queue of pendings whose next step it does, workers that offer it. */
#ifndef EDDA_BROKER_STATE_H
#define EDDA_BROKER_STATE_H

#include "broker/budget.h"
#include "broker/core.h"
#include "broker/list.h"
#include "broker/table.h"
#include "proto/credit.h"
#include "proto/op.h"

#define EDDA_BANDS                3 /* priorities 0..2, 3..6, 7..9 */
#define EDDA_BAND_BULK            2
#define EDDA_AGING_MS             250  /* a band that waited this long counts as one band higher */
#define EDDA_QUANTUM_BYTES        4096 /* deficit round robin; also the least a message costs */
#define EDDA_DEATHS               2    /* workers one request may cost */
#define EDDA_DEFAULT_BUDGET_MS    30000
#define EDDA_ENDED_OVERHEAD_BYTES 256 /* what a kept reply costs beside its body */
#define EDDA_RATE_MARKS           13
#define EDDA_RATE_MARK_MS         5000
#define EDDA_CLIENTS              (2 * EDDA_MAX_PEERS)
#define EDDA_FLOWS                (EDDA_MAX_PROJECTS_TRACKED + EDDA_CORE_SERVICES * EDDA_BANDS)
#define EDDA_PENDING_TEXT         (EDDA_MAX_NAME + 55 + EDDA_MAX_TRACESTATE + EDDA_MAX_IDEMPOTENCY)

enum edda_pending_state {
    EDDA_PENDING_FREE,
    EDDA_PENDING_QUEUED,
    EDDA_PENDING_RUNNING,
};

struct edda_op_entry {
    char name[EDDA_MAX_NAME];
    size_t name_size;
    const struct edda_op *known;  /* NULL: types unchecked */
    struct edda_service *service; /* NULL until some worker offered it */
};

struct edda_body {
    void *handle; /* owned; NULL for an absent body */
    uint32_t bytes;
    uint16_t type;
    uint8_t version;
};

struct edda_pending_step {
    struct edda_op_entry *op;
    uint32_t budget_ms;
    uint8_t on_error;
    struct edda_body arguments;
};

struct edda_pending {
    struct edda_uuid id;
    uint32_t hash;
    uint32_t slot;
    uint8_t state; /* enum edda_pending_state */
    uint8_t step;
    uint8_t step_count;
    uint8_t attempt;
    uint8_t retries; /* left */
    uint8_t deaths;
    uint8_t priority;
    uint8_t band;
    uint8_t skipped; /* bit k: step k was passed over */
    bool delivered;  /* a PART went to the client: never run again */
    bool solo;       /* run with nothing beside it */
    bool unsent;     /* RUNNING: its WORK did not go out, and its worker is about to be gone */
    bool avoids;
    bool returned; /* QUEUED: the worker it avoids gave it back; its attempt was none */
    bool begun;    /* in its flow's begun list */
    uint16_t flags;
    struct edda_uuid avoid; /* node of the last failed worker */
    int64_t deadline_ms;
    int64_t step_deadline_ms; /* RUNNING */
    int64_t since_ms;         /* when queued, or sent */
    struct edda_client *client;
    struct edda_peer *worker; /* RUNNING */
    struct edda_flow *flow;   /* QUEUED and not special */
    struct edda_link link;    /* flow or special list, or worker's running */
    struct edda_link client_link;
    uint64_t session;          /* client session that is charged; 0 none */
    uint64_t request_bytes;    /* what it is charged */
    uint64_t held_bytes;       /* bodies held now */
    uint32_t queued_bytes;     /* as counted by the queue */
    struct edda_credit stream; /* client's grant of PARTs, and what was forwarded */
    uint32_t sequence;         /* of the next PART */
    uint64_t fence;
    struct edda_body input;
    struct edda_text project;
    struct edda_text traceparent;
    struct edda_text tracestate;
    struct edda_bytes idempotency;
    struct edda_pending_step steps[EDDA_MAX_ROUTE];
    char text[EDDA_PENDING_TEXT]; /* what the four views above point into */
};

/* What one project has waiting in one band of one service. */
struct edda_flow {
    struct edda_link link;  /* the band's ring of flows */
    struct edda_list begun; /* later steps and returned work: before fresh */
    struct edda_list fresh;
    uint64_t deficit_bytes;
    struct edda_service *service;
    uint32_t hash;
    uint32_t slot;
    uint8_t band;
    char project[EDDA_MAX_NAME];
    size_t project_size;
};

struct edda_band {
    struct edda_list special; /* jobs with avoid or solo: tried one by one, before the flows */
    struct edda_list flows;   /* round robin */
    uint32_t count;
    uint64_t bytes;
    int64_t since_ms; /* when it last was served, or stopped being empty */
};

struct edda_queue {
    struct edda_band bands[EDDA_BANDS];
    uint32_t count;
    uint64_t bytes;
    uint32_t solo_count; /* special ones that want a worker of their own */
};

struct edda_service {
    char name[EDDA_MAX_NAME + 1];
    char model[EDDA_MAX_NAME + 1];
    uint32_t index;
    struct edda_peer **workers; /* owned array */
    uint32_t worker_count;
    uint32_t worker_capacity;
    uint32_t ready_count;   /* workers not draining */
    struct edda_peer *held; /* kept empty for a queued solo job */
    struct edda_queue queue;
    uint32_t running;
    int64_t gone_ms; /* when the last ready worker went */
    uint64_t done;
    uint64_t failed;
    uint64_t requeued;
    struct edda_budget budget; /* of retries of failed steps */
    double step_ms;            /* moving average */
    struct {
        int64_t at_ms;
        uint64_t done;
    } marks[EDDA_RATE_MARKS]; /* the last minute, for the rate */
    uint32_t mark_count;
    uint32_t mark_next;
};

/* What a client's session may send whose first step is one service. */
struct edda_account {
    uint64_t received;
    uint64_t received_bytes;
    uint64_t open;
    uint64_t open_bytes;
    uint64_t told; /* cumulative grant it knows */
    uint64_t told_bytes;
};

enum edda_peer_state { EDDA_PEER_LIVE, EDDA_PEER_DRAINING };

struct edda_peer {
    uint32_t number;
    enum edda_side side;
    enum edda_peer_state state;
    bool pump;
    struct edda_text role; /* static */
    uint64_t identity;     /* of its permit */
    struct edda_uuid node;
    uint64_t incarnation;
    uint64_t session;
    char name[EDDA_MAX_NAME + 1];
    int64_t heard_ms;
    int64_t sent_ms;
    /* workers */
    struct edda_credit credit;
    uint32_t window;
    struct edda_list running;
    struct edda_service *services[EDDA_MAX_SERVICES];
    uint32_t service_count;
    double step_ms;            /* moving average */
    uint64_t used;             /* core's dispatch count when last used */
    bool solo;                 /* runs a solo job */
    struct edda_service *held; /* kept empty for this one */
    /* clients */
    struct edda_client *client;
    int64_t repeated_ms;           /* when its credit was told again */
    struct edda_account *accounts; /* owned, EDDA_CORE_SERVICES of them */
    struct edda_peer *next_grave;
};

struct edda_client {
    bool used;
    struct edda_uuid node;
    uint64_t identity;      /* of the permit it came with */
    struct edda_peer *peer; /* NULL while away */
    int64_t gone_ms;
    struct edda_list open;
};

/* A terminal reply kept for a requester that asks again. */
struct edda_ended {
    struct edda_uuid id;
    struct edda_uuid node;
    uint64_t identity; /* of the client */
    int64_t at_ms;
    uint32_t hash;
    struct edda_body body;        /* RESP */
    struct edda_wire_error error; /* code 0: RESP; text.data is owned */
    uint8_t step;                 /* that failed */
    uint32_t parts;               /* that went before it */
    struct edda_op_entry *skipped[EDDA_MAX_ROUTE];
    uint8_t skipped_count;
};

struct edda_core {
    int64_t now_ms;
    int64_t began_ms;
    int64_t ticked_ms;
    int64_t listens_ms; /* since when it ticks without a gap of a ping interval */
    struct edda_uuid epoch;
    uint32_t ping_ms;
    uint32_t liveness;
    bool draining;
    bool drained;
    bool doubted; /* whether all workers are there: they are asked with the next tick */
    struct edda_actions *actions; /* of the step being made */

    struct edda_peer *peers[EDDA_CORE_PEERS];
    uint32_t peer_high;
    uint32_t peer_count;
    uint32_t worker_count;
    struct edda_peer *graves; /* gone in this step; freed at the next */
    uint64_t sessions;
    struct edda_client *clients; /* EDDA_CLIENTS */
    uint32_t client_high;

    struct edda_service services[EDDA_CORE_SERVICES];
    uint32_t service_count;
    uint64_t dirty; /* bit per service that may have something to dispatch */
    uint64_t dispatches;
    struct edda_op_entry *ops; /* EDDA_CORE_OPS */
    uint32_t op_count;
    struct edda_table op_table;

    struct edda_pending **slabs;
    int64_t *due_ms; /* per slot: when the sweep must look at it */
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t slot_high;
    struct edda_table pending_table;
    uint32_t queued;
    uint32_t running;
    uint64_t pending_bytes;

    struct edda_flow *flows;
    uint32_t *free_flows;
    uint32_t free_flow_count;
    uint32_t flow_high;
    struct edda_table flow_table;

    struct edda_ended *ended; /* ring of EDDA_ENDED_RING */
    uint32_t ended_first;
    uint32_t ended_count;
    uint64_t ended_bytes;
    struct edda_table ended_table;

    struct edda_counters counters;
    struct edda_service_status status_items[EDDA_CORE_SERVICES];
};

static inline struct edda_text edda_op_entry_name(const struct edda_op_entry *op) {
    return (struct edda_text){op->name, op->name_size};
}

static inline uint8_t edda_band_of(uint8_t priority) {
    return priority <= 2 ? 0 : priority <= 6 ? 1 : EDDA_BAND_BULK;
}

static inline struct edda_pending_step *edda_pending_step(struct edda_pending *pending) {
    return &pending->steps[pending->step];
}

/* The service of the step that is due. */
static inline struct edda_service *edda_pending_service(const struct edda_pending *pending) {
    return pending->steps[pending->step].op->service;
}

/* Body bytes of the step that is due. */
static inline uint32_t edda_pending_step_bytes(const struct edda_pending *pending) {
    return pending->steps[pending->step].arguments.bytes + pending->input.bytes;
}

#endif
