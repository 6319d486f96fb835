/* tests/sim/faults.c: what befalls nodes and the wires between them. Faults that are a matter of
 * chance at each message, step or commit are where those are. */
#include "tests/sim/network.h"
#include "tests/sim/plan.h"
#include "tests/sim/roles.h"

static struct edda_timer next_fault;
static struct edda_timer outages[SIM_NODES];

static void harm(struct sim_node *node, enum sim_fault fault, int64_t for_us) {
    sim_event(node->name, "harmed", "kind=%s for_ms=%lld", sim_fault_name(fault),
              (long long)(for_us / SIM_MS));
}

static int64_t pick_time(int64_t low_ms, int64_t high_ms) {
    return sim_between(SIM_DICE_FAULTS, low_ms, high_ms) * SIM_MS;
}

static struct sim_node *pick_node(void) {
    struct sim_node *node = &sim->nodes[sim_below(SIM_DICE_FAULTS, sim->node_count)];
    return node->up && !node->muted ? node : NULL;
}

/* ---- one of each ---- */

/* In a gentle run another of its kind must be there. */
static bool is_spared(const struct sim_node *node) {
    size_t others = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *other = &sim->nodes[i];
        others += other != node && other->role == node->role && other->up && !other->draining &&
                  sim->now_us - other->started_us > 2 * SIM_SECOND;
    }
    return sim->plan.gentle && others == 0;
}

/* A failover takes brokers alone. */
static bool stays(const struct sim_node *node) {
    return sim->plan.failover && (node->role != &sim_role_broker || is_spared(node));
}

static void crash(struct sim_node *node) {
    if (stays(node)) {
        return;
    }
    sim_node_crash(node, false, pick_time(0, 3000));
}

static void power_off(struct sim_node *node) {
    if (!stays(node)) {
        sim_node_crash(node, true, pick_time(500, 5000));
    }
}

static void pause_node(struct sim_node *node) {
    sim_node_pause(node,
                   sim_chance(SIM_DICE_FAULTS, 500) ? pick_time(10, 500) : pick_time(500, 8000));
}

static void partition(struct sim_node *node) {
    int64_t for_us = sim_chance(SIM_DICE_FAULTS, 500) ? pick_time(50, 1000) : pick_time(1000, 8000);
    bool inside[SIM_NODES] = {false};
    size_t count = sim_below(SIM_DICE_FAULTS, sim->node_count / 2 + 1);
    bool one_way = sim_chance(SIM_DICE_FAULTS, 300);
    inside[node->index] = true;
    while (count-- > 1) {
        inside[sim_below(SIM_DICE_FAULTS, sim->node_count)] = true;
    }
    for (size_t i = 0; i < sim->node_count; i++) {
        for (size_t j = 0; j < sim->node_count; j++) {
            if (inside[i] && !inside[j]) {
                sim->cut_until_us[i][j] = sim->now_us + for_us;
                sim->cut_until_us[j][i] = one_way ? sim->cut_until_us[j][i] : sim->now_us + for_us;
            }
        }
        if (inside[i]) {
            harm(&sim->nodes[i], SIM_FAULT_PARTITION, for_us);
        }
    }
}

static struct sim_connection *pick_connection(const struct sim_node *node) {
    struct sim_connection *chosen = NULL;
    size_t count = 0;
    for (struct sim_connection *connection = sim->connections; connection;
         connection = connection->next) {
        bool of_node = connection->nodes[0] == node || connection->nodes[1] == node;
        if (of_node && !connection->broken && sim_below(SIM_DICE_FAULTS, ++count) == 0) {
            chosen = connection;
        }
    }
    return chosen;
}

static void break_connection(struct sim_node *node) {
    struct sim_connection *connection = pick_connection(node);
    if (connection) {
        sim_network_break(connection);
    }
}

static void silence(struct sim_node *node) {
    struct sim_connection *connection = pick_connection(node);
    if (connection && !connection->silent) {
        sim_network_silence(connection);
    }
}

static void delay(struct sim_node *node) {
    int64_t for_us = pick_time(200, 5000);
    node->slow_until_us = sim->now_us + for_us;
    node->slow_us = pick_time(5, 1500);
    harm(node, SIM_FAULT_DELAY, for_us + node->slow_us);
}

static void fill(struct sim_node *node) {
    struct sim_connection *connection = pick_connection(node);
    if (connection) {
        int end = (int)sim_below(SIM_DICE_FAULTS, 2);
        connection->full_until_us[end] = sim->now_us + pick_time(10, 1000);
        harm(connection->nodes[0], SIM_FAULT_FULL, 1000 * SIM_MS);
        harm(connection->nodes[1], SIM_FAULT_FULL, 1000 * SIM_MS);
    }
}

static void drain(struct sim_node *node) {
    if (!is_spared(node)) {
        int64_t limit_us = sim->plan.gentle ? 40 * SIM_SECOND : pick_time(100, 10000);
        sim_node_drain(node, limit_us, pick_time(0, 3000));
    }
}

static void restore(void *context) {
    struct sim_node *node = context;
    if (node->up && !node->muted) {
        sim_worker_outage(node, false);
    }
}

static void begin_outage(struct sim_node *node) {
    if (!node->role->worker) {
        return;
    }
    sim_trace(node->name, "its provider is away");
    sim_worker_outage(node, true);
    struct edda_timer *timer = &outages[node->index];
    if (!timer->index) {
        *timer = (struct edda_timer){.fire = restore, .context = node, .name = "outage"};
    }
    sim_at(timer, sim->now_us + pick_time(100, 5000));
}

static void set_wall(struct sim_node *node) {
    node->wall_ms += sim_between(SIM_DICE_FAULTS, -3600000, 3600000);
    sim_trace(node->name, "its wall clock is set");
}

static const struct {
    enum sim_fault fault;
    void (*happen)(struct sim_node *node);
} active[] = {
    {SIM_FAULT_CRASH, crash},
    {SIM_FAULT_POWER, power_off},
    {SIM_FAULT_PAUSE, pause_node},
    {SIM_FAULT_PARTITION, partition},
    {SIM_FAULT_BREAK, break_connection},
    {SIM_FAULT_SILENCE, silence},
    {SIM_FAULT_DELAY, delay},
    {SIM_FAULT_FULL, fill},
    {SIM_FAULT_DRAIN, drain},
    {SIM_FAULT_OUTAGE, begin_outage},
    {SIM_FAULT_WALL, set_wall},
};
#define ACTIVE (sizeof(active) / sizeof(active[0]))

static void happen(void *context) {
    (void)context;
    size_t chosen = sim_below(SIM_DICE_FAULTS, ACTIVE);
    struct sim_node *node = pick_node();
    if (node && sim_has(active[chosen].fault)) {
        sim->counts.faults[active[chosen].fault]++;
        active[chosen].happen(node);
    }
    /* The more kinds a seed has, the more often one of them is drawn. */
    sim_at(&next_fault, sim->now_us + sim_around(SIM_DICE_FAULTS, sim->plan.between_us / 3));
}

void sim_faults_begin(void) {
    bool drifts = sim->plan.faults >> SIM_FAULT_DRIFT & 1;
    memset(outages, 0, sizeof(outages));
    next_fault = (struct edda_timer){.fire = happen, .name = "fault"};
    sim->faulty = true;
    sim_at(&next_fault, sim->plan.between_us);
    for (size_t i = 0; drifts && i < sim->node_count; i++) {
        sim->nodes[i].drift_ppm = sim_between(SIM_DICE_FAULTS, -50000, 50000);
    }
}

void sim_faults_end(void) {
    sim->faulty = false;
    sim_cancel(&next_fault);
    sim_network_mend();
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->slow_until_us = 0;
        if (outages[i].index) {
            sim_cancel(&outages[i]);
            restore(node);
        }
        sim_node_resume(node);
        if (!node->up && !node->restart.index) {
            sim_node_start(node);
        }
    }
}
