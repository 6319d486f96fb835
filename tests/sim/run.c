/* tests/sim/run.c: the world is made, made rough, healed, left alone, taken down, and judged. */
#include "tests/sim/run.h"

#include <stdlib.h>

#include "actors/runtime/actor.h"
#include "actors/runtime/client.h"
#include "tests/sim/books.h"
#include "tests/sim/network.h"
#include "tests/sim/office.h"
#include "tests/sim/roles.h"
#include "tests/sim/store.h"

#define HEALING_US  (400 * SIM_SECOND) /* the longest ttl is 300 s */
#define ENDING_US   (60 * SIM_SECOND)
#define DRAIN_US    (20 * SIM_SECOND)
#define LOOK_US     (20 * SIM_MS)
#define CHECK_STEPS 256
#define CALM_READY  2500
#define CALM_ANSWER 1500
#define OVER_ANSWER 3000 /* with a broker that is killed meanwhile */

static void add_nodes(const struct sim_role *role, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct sim_node *node = sim_node_add(role, i);
        sim_at(&node->restart, sim_between(SIM_DICE_PLAN, 0, 100 * SIM_MS));
    }
}

static void make_nodes(void) {
    const struct sim_plan *plan = &sim->plan;
    add_nodes(&sim_role_broker, plan->brokers);
    add_nodes(&sim_role_store, 1);
    add_nodes(&sim_role_gateway, plan->gateways);
    add_nodes(&sim_role_chunker, plan->chunkers);
    add_nodes(&sim_role_embedder, plan->embedders);
    add_nodes(&sim_role_reranker, plan->rerankers);
    add_nodes(&sim_role_llm, plan->llms);
}

static void make_world(const struct sim_options *options) {
    sim = calloc(1, sizeof(*sim));
    EDDA_ASSERT(sim);
    sim->seed = options->seed;
    sim->trace = options->trace;
    sim->broken = options->broken;
    struct random seeds = {options->seed};
    for (size_t i = 0; i < SIM_DICE_COUNT; i++) {
        sim->dice[i].state = random_next(&seeds);
    }
    sim->checker = checker_new();
    sim->truth = sim_truth_new();
    sim_plan_make(&options->less);
    if (sim->trace) {
        sim_plan_print(sim->trace);
    }
    make_nodes();
    sim->office = sim_office_new();
}

static void free_world(void) {
    for (size_t i = 0; i < sim->node_count; i++) {
        sim_node_end(&sim->nodes[i]);
    }
    sim_office_free(&sim->office);
    sim_network_clear();
    sim_truth_free(&sim->truth);
    checker_free(&sim->checker);
    edda_timers_done(&sim->timers);
    free(sim);
    sim = NULL;
}

/* ---- what is not done ---- */

static size_t missing_sessions(const struct sim_node *node) {
    const struct sim_role *role = node->role;
    size_t live = role->actor    ? edda_actor_brokers_live(role->actor(node))
                  : role->client ? edda_client_brokers_live(role->client(node))
                                 : sim->plan.brokers;
    return sim->plan.brokers - live;
}

/* Counts; and says so in the log when it is too late for it. */
static size_t open_at(const char *node, const char *what, size_t count, bool tell) {
    if (tell && count) {
        sim_event(node, "open", "what=\"%s\" count=%zu", what, count);
    }
    return count;
}

static size_t count_open(bool tell) {
    size_t open = open_at("-", "wishes", sim->office->open, tell);
    open += open_at("-", "durable jobs", sim_truth_open(sim->truth), tell);
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        const char *what = "";
        open += open_at(node->name, "processes down", !node->up, tell);
        if (node->up) {
            size_t count = node->role->open(node, &what);
            open += open_at(node->name, what, count, tell);
            open += open_at(node->name, "sessions missing", missing_sessions(node), tell);
        }
    }
    return open;
}

static bool all_down(void) {
    bool down = true;
    for (size_t i = 0; i < sim->node_count; i++) {
        down &= !sim->nodes[i].up;
    }
    return down;
}

/* ---- phases ---- */

static void check_brokers(void) {
    for (size_t i = 0; i < sim->plan.brokers; i++) {
        if (sim->nodes[i].up) {
            sim_books_check(&sim->nodes[i]);
        }
    }
}

/* Until that time, or until `over` says so, looked at now and then. */
static bool go_on_until(int64_t until_us, bool (*over)(void)) {
    int64_t look_us = sim->now_us;
    for (size_t steps = 0; sim->now_us < until_us; steps++) {
        if (!sim_step()) {
            break;
        }
        if (steps % CHECK_STEPS == 0) {
            sim_network_tidy();
            check_brokers();
        }
        if (over && sim->now_us >= look_us) {
            look_us = sim->now_us + LOOK_US;
            if (over()) {
                return true;
            }
        }
    }
    return false;
}

static bool is_quiet(void) {
    return count_open(false) == 0;
}

static void expect(void) {
    if (sim->plan.gentle) {
        sim_event("-", "gentle", "%s", sim->plan.failover ? "but=stream_broken" : " ");
    }
    if (sim->plan.calm) {
        sim_event("-", "bound", "what=ready ms=%d", CALM_READY);
        sim_event("-", "bound", "what=answered ms=%d", CALM_ANSWER);
    }
    if (sim->plan.failover) {
        sim_event("-", "bound", "what=answered ms=%d", OVER_ANSWER);
    }
}

/* Everything is whole again and nobody does any more harm: all must come to its end. */
static void heal(void) {
    sim_trace("-", "healing");
    sim_faults_end();
    sim->healing = true;
    bool quiet = go_on_until(sim->now_us + HEALING_US, is_quiet);
    if (!quiet) {
        (void)count_open(true);
        return;
    }
    /* Lost credit is told again with a PING. */
    (void)go_on_until(sim->now_us + 3 * sim->plan.ping_ms * SIM_MS + SIM_SECOND, NULL);
    (void)count_open(true);
    check_brokers();
    sim_books_close();
}

static void take_down(void) {
    sim_trace("-", "everybody is asked to end");
    uint64_t cut = sim->counts.cut;
    for (size_t i = sim->node_count; i > 0; i--) {
        sim_node_drain(&sim->nodes[i - 1], DRAIN_US, SIM_NEVER);
    }
    if (!go_on_until(sim->now_us + ENDING_US, all_down) && !all_down()) {
        sim_event("-", "open", "what=\"processes that do not end\" count=1");
    }
    (void)open_at("-", "drains cut", sim->counts.cut - cut, true);
}

static void judge(struct sim_result *result) {
    for (size_t i = 0; i < sim->node_count; i++) {
        sim_node_end(&sim->nodes[i]);
    }
    sim_network_clear();
    sim_books_moved();
    sim_truth_write(sim->truth);
    sim_event("-", "end", "all=1");
    result->offences = checker_finish(sim->checker);
    const char *report = checker_report(sim->checker);
    result->report = strdup(report);
    EDDA_ASSERT(result->report);
    result->hash = sim->hash;
    result->counts = sim->counts;
    result->simulated_us = sim->now_us;
    if (sim->trace) {
        fprintf(sim->trace, "%s", report);
    }
}

struct sim_result sim_run(const struct sim_options *options) {
    struct sim_result result = {0};
    make_world(options);
    expect();
    sim_faults_begin();
    (void)go_on_until(sim->plan.faulty_us, NULL);
    heal();
    take_down();
    judge(&result);
    free_world();
    return result;
}
