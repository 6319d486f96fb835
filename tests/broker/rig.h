/* tests/broker/rig.h: the core on a bench: events made in memory, actions and bodies counted.
 *
 * Peers are numbers the rig gives out. Body handles are live objects of the rig's own; freeing one
 * twice, sending a freed one or leaking one fails the test. edda_core_check runs after steps. */
#ifndef EDDA_TESTS_BROKER_RIG_H
#define EDDA_TESTS_BROKER_RIG_H

#include "broker/core.h"
#include "proto/body.h"
#include "tests/proto/cmocka.h"

#define RIG_PEERS EDDA_CORE_PEERS

struct rig_handle {
    uint32_t magic;
};

struct rig {
    edda_core_t *core;
    struct edda_actions actions; /* of the last step */
    int64_t now_ms;
    size_t live; /* handles not released */
    uint64_t ids;
    bool known[RIG_PEERS]; /* numbers in use */
    enum edda_side side[RIG_PEERS];
    const struct edda_permit *permit[RIG_PEERS]; /* NULL: a local peer's */
    uint64_t granted[RIG_PEERS];                 /* messages a worker granted */
    size_t drained;                              /* DRAINED actions seen */
    bool unchecked; /* skip edda_core_check after each step: it is linear */
};

struct rig *rig_new(void);
struct rig *rig_start(void); /* a broker that has just started and waits for its workers */
void rig_free(struct rig **self_p);

/* Moves time on and ticks: at least once a ping interval, or once behind all of it. */
void rig_tick(struct rig *self, int64_t elapsed_ms);
void rig_sleep(struct rig *self, int64_t elapsed_ms);
void rig_drain(struct rig *self);
void rig_step(struct rig *self, const struct edda_event *event);

/* A number nobody has. */
uint32_t rig_stranger(struct rig *self, enum edda_side side);

/* HELLO; the number stays the caller's if the core keeps it. node makes the node's uuid. */
void rig_hello(struct rig *self, uint32_t peer, const char *role, const char *services,
               uint16_t node, uint64_t incarnation, uint32_t window);

/* Joined peers; the node is new. The worker has granted its window. */
uint32_t rig_worker(struct rig *self, const char *services, uint32_t window);
uint32_t rig_worker_without_credit(struct rig *self, const char *services, uint32_t window);
uint32_t rig_client(struct rig *self, const char *role);
uint16_t rig_node(const struct rig *self, uint32_t peer);

struct edda_uuid rig_id(struct rig *self);

struct rig_request {
    const char *route;   /* "a -> b? -> c(250)" as in tests/harness/scenario.h */
    const char *project; /* NULL: "test" */
    uint8_t priority;
    uint8_t retries;
    uint32_t ttl_ms; /* 0: really zero */
    uint16_t flags;
    uint32_t bytes;      /* of each argument body */
    uint16_t wrong_type; /* of the first argument body, when not 0 */
    bool no_arguments;   /* of the first step */
    struct edda_uuid id; /* nil: new */
};

/* retries 2, ttl 5 s. */
struct edda_uuid rig_req(struct rig *self, uint32_t client, const char *route);
struct edda_uuid rig_req_with(struct rig *self, uint32_t client, const struct rig_request *request);

/* A command about a request; step and attempt as in the WORK last seen for it are the caller's. */
void rig_done(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
              uint8_t attempt, uint16_t type);
void rig_fail(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
              uint8_t attempt, int code, enum edda_blame blame);
void rig_about(struct rig *self, uint32_t peer, enum edda_command command,
               const struct edda_uuid *id, uint8_t step, uint8_t attempt);
void rig_part(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t attempt,
              uint32_t sequence);
void rig_command(struct rig *self, uint32_t peer, enum edda_command command);

/* Totals; id NULL: the session's. A worker of rig_worker has granted its window. */
void rig_credit(struct rig *self, uint32_t peer, const struct edda_uuid *id, uint64_t messages,
                uint64_t bytes);
void rig_ping(struct rig *self, uint32_t peer, enum edda_command command, uint64_t stamp,
              uint64_t messages, uint64_t bytes);
void rig_lose(struct rig *self, uint32_t peer, enum edda_event_kind kind);
void rig_unsent(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
                uint8_t attempt);

/* Any message, with a fresh handle for every body of a type; message->bodies are its bytes. */
void rig_send(struct rig *self, uint32_t peer, const struct edda_message *message);

/* What the last step did. */
const struct edda_action *rig_sent(const struct rig *self, uint32_t peer,
                                   enum edda_command command);
size_t rig_count(const struct rig *self, enum edda_command command);       /* to anybody */
uint32_t rig_work_for(const struct rig *self, const struct edda_uuid *id); /* or UINT32_MAX */
int rig_fail_code(const struct rig *self, uint32_t client,
                  const struct edda_uuid *id); /* 0: none */
bool rig_forgot(const struct rig *self, uint32_t peer);
int rig_reset_code(const struct rig *self, uint32_t peer); /* 0: none */

struct edda_broker_status rig_status(struct rig *self);

#endif
