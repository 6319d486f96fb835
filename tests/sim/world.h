/* tests/sim/world.h: one world under one seed: its time, its dice, and the nodes that live in it.
 *
 *   sim_run (run.h) --> plan, nodes --> events in order of time --> turns of nodes --> real code
 *
 * A node is a process: one loop (loop.c), its sockets (zmq.c), its clocks, and a role that makes
 * real objects of broker, client, actor and pump on them. Everything happens in one thread, one
 * event after the other; all chance comes from the seed, one stream of it for each purpose, so that
 * a fault that is left out leaves the rest much as it was.
 *
 * World time is microseconds from 0. A node's clocks are its own. */
#ifndef EDDA_TESTS_SIM_WORLD_H
#define EDDA_TESTS_SIM_WORLD_H

#include <stdio.h>

#include "actors/runtime/loop.h"
#include "actors/runtime/timers.h"
#include "tests/proto/random.h"
#include "tests/sim/checker.h"

#define SIM_NODES   32
#define SIM_BROKERS 3
#define SIM_NAME    24
#define SIM_MS      INT64_C(1000) /* in the world's microseconds */
#define SIM_SECOND  INT64_C(1000000)
#define SIM_NEVER   INT64_MAX

#define SIM_FAULT(name, text, what) SIM_FAULT_##name,
enum sim_fault {
#include "tests/sim/fault.def"
    SIM_FAULT_COUNT
};
#undef SIM_FAULT

#define SIM_BREAK(name, text, promise, needs, what) SIM_BREAK_##name,
#define SIM_CALM                                    UINT32_MAX /* of what a break needs: that nothing else is wrong */
enum sim_break {
    SIM_BREAK_NONE,
#include "tests/sim/break.def"
    SIM_BREAK_COUNT
};
#undef SIM_BREAK

enum sim_dice {
    SIM_DICE_PLAN,
    SIM_DICE_NETWORK,
    SIM_DICE_FAULTS,
    SIM_DICE_WORK, /* what workers, stores and askers do */
    SIM_DICE_TIME, /* what turns cost */
    SIM_DICE_CODE, /* edda_random32, edda_uuid_new */
    SIM_DICE_RARE,
    SIM_DICE_COUNT
};

/* What the seed decides before anything happens. */
struct sim_plan {
    uint32_t faults; /* bits of enum sim_fault */
    size_t brokers;
    size_t gateways;
    size_t chunkers;
    size_t embedders;
    size_t rerankers;
    size_t llms;
    size_t memos;
    size_t questions; /* searches, chats and looks */
    int64_t faulty_us;
    int64_t between_us; /* two faults, on average */
    int64_t latency_us;
    int64_t step_us; /* of a worker's work, on average */
    uint32_t window; /* of workers, at most */
    uint32_t pump_window;
    int64_t lease_ms;
    uint32_t ping_ms;
    uint32_t duplicate; /* chances in a thousand */
    uint32_t lose_credit;
    uint32_t misbehave; /* of a worker, for each step */
    uint32_t store_harm;
    bool gentle;   /* nothing that may fail a request: none must fail */
    bool calm;     /* nothing at all: none must be slow */
    bool failover; /* gentle, but brokers are killed where another is there: none must be slow */
};

struct sim_node;
struct sim_socket;
struct edda_actor;
struct edda_client;

struct sim_role {
    const char *name;
    void (*start)(struct sim_node *node); /* makes its objects on node->loop, sets node->state */
    void (*stop)(struct sim_node *node);  /* takes them down; a muted node says nothing */
    size_t (*open)(const struct sim_node *node, const char **ret_what); /* things not finished */
    struct edda_actor *(*actor)(const struct sim_node *node);           /* NULL: it has none */
    struct edda_client *(*client)(const struct sim_node *node); /* NULL: it has none to look at */
    bool worker;                                                /* whose provider can be away */
};

struct sim_node {
    char name[SIM_NAME];
    const struct sim_role *role;
    size_t index;
    size_t number; /* among its role's */
    bool up;
    bool muted; /* it is dying: nothing leaves it any more */
    bool power; /* and nobody is told */
    bool draining;
    uint32_t life;
    int64_t paused_until_us; /* 0: it is not */
    int64_t slow_until_us;   /* its messages take long */
    int64_t slow_us;
    int64_t busy_until_us;
    int64_t spent_us; /* of this turn */
    int64_t started_us;
    int64_t restart_us;
    int64_t clock_us; /* its monotonic clock at world time 0 */
    int64_t drift_ppm;
    int64_t wall_ms; /* its wall clock minus the world's */
    edda_loop_t *loop;
    struct edda_timer wake;
    struct edda_timer resume;
    struct edda_timer restart;
    struct sim_socket *sockets;
    void *state;
};

struct sim_counts {
    uint64_t sent; /* messages that a socket took */
    uint64_t doubled;
    uint64_t received; /* that a socket gave */
    uint64_t lost;     /* with a connection, or unread with a socket */
    uint64_t turns;
    uint64_t cut; /* drains that came to their limit */
    uint64_t faults[SIM_FAULT_COUNT];
};

struct sim_world {
    uint64_t seed;
    int64_t now_us;
    bool faulty; /* faults happen */
    enum sim_break broken;
    bool healing; /* no new work, everything is to end */
    struct random dice[SIM_DICE_COUNT];
    struct sim_plan plan;
    struct edda_timers timers; /* their at_ms are the world's microseconds */
    struct sim_node nodes[SIM_NODES];
    size_t node_count;
    struct sim_node *running; /* whose code runs */
    struct sim_connection *connections;
    uint32_t connection_count;                  /* ever */
    int socket_count;                           /* ever */
    int64_t cut_until_us[SIM_NODES][SIM_NODES]; /* [from][to] */
    struct sim_truth *truth;                    /* what stores have committed */
    struct sim_office *office;                  /* who asks, outside of all nodes */
    struct sim_counts counts;
    struct checker *checker;
    FILE *trace;   /* or NULL */
    uint64_t hash; /* of all lines: two runs of a seed must agree */
};

extern struct sim_world *sim;

/* ---- time ---- */

/* fire runs at that time; ties in a fixed order. */
void sim_at(struct edda_timer *timer, int64_t at_us);
void sim_cancel(struct edda_timer *timer);

/* One event; false when none is left. */
bool sim_step(void);

/* A node's own clocks, now. */
int64_t sim_local_us(const struct sim_node *node);
int64_t sim_wall_ms(const struct sim_node *node);

/* When the node's monotonic clock will show this. */
int64_t sim_world_us(const struct sim_node *node, int64_t local_us);

/* ---- chance ---- */

size_t sim_below(enum sim_dice dice, size_t bound); /* 0..bound-1 */
int64_t sim_between(enum sim_dice dice, int64_t low, int64_t high);
bool sim_chance(enum sim_dice dice, uint32_t per_mille);

/* Mostly near mean_us, seldom ten times that. */
int64_t sim_around(enum sim_dice dice, int64_t mean_us);

bool sim_has(enum sim_fault fault); /* the seed has it, and faults happen now */
bool sim_is_broken(enum sim_break broken, uint32_t per_mille); /* this time, by chance */
const char *sim_fault_name(enum sim_fault fault);

/* ---- nodes ---- */

struct sim_node *sim_node_add(const struct sim_role *role, size_t number);
void sim_node_start(struct sim_node *node);

/* At once, or at the end of the turn when it is its own. restart_us from now, or SIM_NEVER. */
void sim_node_crash(struct sim_node *node, bool power, int64_t restart_us);
void sim_node_pause(struct sim_node *node, int64_t for_us);
void sim_node_resume(struct sim_node *node);
void sim_node_drain(struct sim_node *node, int64_t limit_us, int64_t restart_us);

/* A turn is due: something became readable, or was deferred. */
void sim_node_wake(struct sim_node *node);

/* Takes it down without a word and forgets it; for the end of the world. */
void sim_node_end(struct sim_node *node);

/* Runs the function as the node, so that clocks and dice are its own. */
void sim_node_enter(struct sim_node *node);
void sim_node_leave(struct sim_node *node);

/* ---- the log ---- */

/* One line of event.def, to the checker and the trace. */
void sim_event(const char *node, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line for people, only in a trace. */
void sim_trace(const char *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
