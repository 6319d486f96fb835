/* tests/broker/world_state.h: what the world's own files share. */
#ifndef EDDA_TESTS_BROKER_WORLD_STATE_H
#define EDDA_TESTS_BROKER_WORLD_STATE_H

#include "tests/broker/world.h"

#define CLIENTS    6
#define WORKERS    9
#define JOBS       16
#define OPEN       48
#define REMEMBERED 65536 /* power of two: requests by number */
#define NOBODY     UINT32_MAX
#define SERVICES   5
#define LARGE      ((uint64_t)1 << 40)

struct job {
    struct edda_uuid id;
    uint8_t step;
    uint8_t attempt;
    uint32_t sequence;
    uint64_t stream_credit;
    uint16_t output;
    bool streams;
};

struct worker {
    uint32_t peer; /* NOBODY: no connection */
    uint64_t incarnation;
    bool hung; /* its process is gone or stuck, the connection still there */
    bool draining;
    uint32_t window;
    uint64_t granted;
    uint64_t received;
    struct job jobs[JOBS];
    size_t job_count;
};

struct client {
    uint32_t peer;
    uint64_t incarnation;
    uint64_t granted[SERVICES];
    uint64_t sent[SERVICES];
    uint32_t open[OPEN]; /* numbers of requests not answered */
    size_t open_count;
};

struct asked {
    uint8_t sends;
    uint8_t terminals;
    bool answered; /* and not sent again since */
    bool streaming;
    uint8_t route;
    uint32_t sequence;
};

struct world {
    struct rig *rig;
    world_choose_fn choose;
    void *context;
    bool calm; /* no faults */
    struct worker workers[WORKERS];
    struct client clients[CLIENTS];
    uint32_t owner[RIG_PEERS]; /* clients first, then workers; NOBODY */
    struct asked *asked;       /* ring of REMEMBERED */
    uint32_t asked_count;
    uint64_t incarnations;
    size_t events;
    struct world_counts counts;
};

static inline size_t choose(struct world *self, size_t bound) {
    return self->choose(self->context, bound);
}

static inline struct edda_uuid id_of(uint32_t number) {
    struct edda_uuid id = {{0}};
    uint32_t mixed = number * 0x9e3779b9u;
    memcpy(id.bytes, &number, sizeof(number));
    memcpy(id.bytes + 8, &mixed, sizeof(mixed));
    id.bytes[15] = 7;
    return id;
}

static inline struct asked *asked_of(struct world *self, const struct edda_uuid *id) {
    uint32_t number;
    memcpy(&number, id->bytes, sizeof(number));
    return &self->asked[number % REMEMBERED];
}

/* After every step of the core: what it said reaches the peers. */
void world_deliver(struct world *self);

void world_tell_worker(struct world *self, struct worker *worker, const struct edda_action *action);
void world_tell_client(struct world *self, struct client *client, const struct edda_action *action);
void world_connect_client(struct world *self, size_t index);
void world_resend(struct world *self, struct client *client);
void world_step_client(struct world *self, size_t index);
void world_step_worker(struct world *self, size_t index);

#endif
