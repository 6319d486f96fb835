/* tests/sim/node.c: a process's life: turns, death, sleep, and its next life. */
#include <stdlib.h>

#include "tests/sim/loop.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

#define LONG_TURN_US INT64_C(20000)

void sim_node_enter(struct sim_node *node) {
    EDDA_ASSERT(!sim->running);
    node->spent_us = 0;
    sim->running = node;
}

void sim_node_leave(struct sim_node *node) {
    EDDA_ASSERT(sim->running == node);
    int64_t free_us = sim->now_us + node->spent_us;
    node->busy_until_us = free_us > node->busy_until_us ? free_us : node->busy_until_us;
    node->spent_us = 0;
    sim->running = NULL;
}

static void wake_at(struct sim_node *node, int64_t at_us) {
    if (node->paused_until_us) {
        return; /* it looks by itself when it goes on */
    }
    at_us = at_us > node->busy_until_us ? at_us : node->busy_until_us;
    if (!node->wake.index || node->wake.at_ms > at_us) {
        sim_at(&node->wake, at_us);
    }
}

void sim_node_wake(struct sim_node *node) {
    if (node->up && node != sim->running) {
        wake_at(node, sim->now_us);
    }
}

static void plan_turn(struct sim_node *node) {
    int64_t next_ms = sim_loop_next_ms(node->loop);
    if (next_ms == INT64_MIN) {
        wake_at(node, sim->now_us);
    } else if (next_ms != INT64_MAX) {
        wake_at(node, sim_world_us(node, next_ms * 1000));
    }
}

/* Down, with its sockets and everything it held in memory. */
static void take_down(struct sim_node *node, const char *event, const char *result) {
    sim_node_enter(node);
    node->role->stop(node);
    EDDA_ASSERT(!node->sockets);
    edda_loop_destroy(&node->loop);
    sim_node_leave(node);
    sim_cancel(&node->wake);
    node->up = false;
    node->state = NULL;
    node->draining = false;
    if (result) {
        sim_event(node->name, event, "result=%s", result);
    } else {
        sim_event(node->name, event, " ");
    }
    if (node->restart_us != SIM_NEVER) {
        sim_at(&node->restart, node->restart_us);
    }
}

static void die(struct sim_node *node) {
    sim_network_abandon(node);
    take_down(node, "crashed", NULL);
}

static void take_turn(void *context) {
    struct sim_node *node = context;
    int result = 0;
    sim->counts.turns++;
    sim_node_enter(node);
    bool over = sim_loop_turn(node->loop, &result);
    sim_node_leave(node);
    node->busy_until_us += sim_between(SIM_DICE_TIME, 5, 50);
    if (sim->faulty && sim_chance(SIM_DICE_TIME, 2)) {
        node->busy_until_us += sim_between(SIM_DICE_TIME, 0, LONG_TURN_US);
    }
    if (node->muted) {
        die(node);
    } else if (over) {
        sim->counts.cut += result != 0;
        take_down(node, "ended", result == 0 ? "ok" : "cut");
    } else {
        plan_turn(node);
    }
}

static void begin_again(void *context) {
    struct sim_node *node = context;
    if (!node->up) {
        sim_node_start(node);
    }
}

static void go_on(void *context) {
    struct sim_node *node = context;
    sim_event(node->name, "continued", " ");
    node->paused_until_us = 0;
    plan_turn(node);
}

struct sim_node *sim_node_add(const struct sim_role *role, size_t number) {
    EDDA_ASSERT(sim->node_count < SIM_NODES);
    struct sim_node *node = &sim->nodes[sim->node_count];
    node->index = sim->node_count++;
    node->number = number;
    node->role = role;
    (void)snprintf(node->name, sizeof(node->name), "%s-%zu", role->name, number);
    node->wake = (struct edda_timer){.fire = take_turn, .context = node, .name = "turn"};
    node->resume = (struct edda_timer){.fire = go_on, .context = node, .name = "resume"};
    node->restart = (struct edda_timer){.fire = begin_again, .context = node, .name = "restart"};
    node->clock_us = sim_between(SIM_DICE_PLAN, 1, 1000) * SIM_SECOND;
    return node;
}

void sim_node_start(struct sim_node *node) {
    EDDA_ASSERT(!node->up);
    sim_cancel(&node->restart);
    node->muted = false;
    node->power = false;
    node->restart_us = SIM_NEVER;
    node->life++;
    node->started_us = sim->now_us;
    node->busy_until_us = sim->now_us;
    sim_event(node->name, "started", " ");
    sim_node_enter(node);
    node->up = true;
    node->loop = edda_loop_new(node->name);
    node->role->start(node);
    sim_node_leave(node);
    plan_turn(node);
}

void sim_node_crash(struct sim_node *node, bool power, int64_t restart_us) {
    if (!node->up || node->muted) {
        return;
    }
    node->muted = true;
    node->power = power;
    node->restart_us = restart_us == SIM_NEVER ? SIM_NEVER : sim->now_us + restart_us;
    if (node->paused_until_us) {
        sim_cancel(&node->resume);
        sim_event(node->name, "continued", " ");
        node->paused_until_us = 0;
    }
    if (sim->running != node) {
        die(node);
    }
}

void sim_node_pause(struct sim_node *node, int64_t for_us) {
    if (!node->up || node->muted || node->paused_until_us) {
        return;
    }
    sim_event(node->name, "stopped", " ");
    node->paused_until_us = sim->now_us + for_us;
    sim_cancel(&node->wake);
    sim_at(&node->resume, node->paused_until_us);
}

void sim_node_resume(struct sim_node *node) {
    if (node->paused_until_us) {
        sim_cancel(&node->resume);
        go_on(node);
    }
}

void sim_node_drain(struct sim_node *node, int64_t limit_us, int64_t restart_us) {
    if (!node->up || node->muted || node->draining) {
        return;
    }
    node->draining = true;
    node->restart_us = restart_us == SIM_NEVER ? SIM_NEVER : sim->now_us + restart_us;
    sim_trace(node->name, "is asked to end");
    edda_loop_drain(node->loop, limit_us / 1000);
}

void sim_node_end(struct sim_node *node) {
    sim_cancel(&node->restart);
    node->restart_us = SIM_NEVER;
    if (node->up) {
        node->muted = true;
        die(node);
    }
}
