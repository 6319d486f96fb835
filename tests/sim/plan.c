/* tests/sim/plan.c: a seed's choices. Each run has some of the faults, so that some runs are spared
 * what hides a bug in others (swarm testing). */
#include "tests/sim/plan.h"

#include "tests/sim/breaks.h"

#define GENTLE_SHARE   150 /* of seeds: nothing may fail */
#define CALM_SHARE     50  /* no fault at all: and nothing may be slow */
#define FAILOVER_SHARE 80  /* brokers are killed and nobody may notice */
#define FAULT_SHARE    300 /* of faults, in any other seed */

/* What must not fail a request or cost an attempt, where every stage has two of its kind. */
static const enum sim_fault gentle_faults[] = {SIM_FAULT_DRAIN,  SIM_FAULT_DRIFT,
                                               SIM_FAULT_WALL,   SIM_FAULT_CANCEL,
                                               SIM_FAULT_RETURN, SIM_FAULT_DUPLICATE};

static size_t pick(size_t low, size_t high) {
    return (size_t)sim_between(SIM_DICE_PLAN, (int64_t)low, (int64_t)high);
}

static int64_t pick_time(int64_t low, int64_t high) {
    return sim_between(SIM_DICE_PLAN, low, high);
}

static void choose_size(struct sim_plan *plan) {
    static const size_t brokers[] = {1, 1, 1, 2, 2, 2, 2, 3};
    bool large = sim_chance(SIM_DICE_PLAN, 150);
    plan->brokers = brokers[sim_below(SIM_DICE_PLAN, 8)];
    plan->gateways = pick(1, 2);
    plan->chunkers = pick(1, 3);
    plan->embedders = pick(1, 3);
    plan->rerankers = pick(0, 2);
    plan->llms = pick(0, 2);
    plan->memos = pick(1, large ? 24 : 8);
    plan->questions = pick(0, large ? 30 : 10);
    plan->window = (uint32_t)pick(1, 6);
    plan->pump_window = (uint32_t)pick(1, 16);
}

static void choose_times(struct sim_plan *plan) {
    plan->faulty_us = pick_time(1, sim_chance(SIM_DICE_PLAN, 150) ? 30 : 8) * SIM_SECOND;
    plan->between_us = pick_time(50, 1500) * SIM_MS;
    plan->latency_us = pick_time(50, sim_chance(SIM_DICE_PLAN, 200) ? 20000 : 1000);
    plan->step_us = pick_time(1, sim_chance(SIM_DICE_PLAN, 300) ? 500 : 50) * SIM_MS;
    plan->lease_ms = pick_time(1000, 20000);
    plan->ping_ms = (uint32_t)pick(2, 10) * 100;
}

static void choose_faults(struct sim_plan *plan) {
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        plan->faults |= sim_chance(SIM_DICE_PLAN, FAULT_SHARE) ? 1u << fault : 0;
    }
    plan->duplicate = (uint32_t)pick(1, 100);
    plan->lose_credit = (uint32_t)pick(10, 500);
    plan->misbehave = (uint32_t)pick(10, 200);
    plan->store_harm = (uint32_t)pick(5, 60);
}

static void be_gentle(struct sim_plan *plan) {
    uint32_t allowed = 0;
    for (size_t i = 0; i < sizeof(gentle_faults) / sizeof(gentle_faults[0]); i++) {
        allowed |= sim_chance(SIM_DICE_PLAN, 600) ? 1u << gentle_faults[i] : 0;
    }
    plan->faults = allowed;
    plan->gentle = true;
    plan->brokers = plan->brokers < 2 ? 2 : plan->brokers;
    plan->gateways = 2;
    plan->chunkers += plan->chunkers < 2;
    plan->embedders += plan->embedders < 2;
    plan->llms = 2;
    plan->latency_us = plan->latency_us < 2000 ? plan->latency_us : 2000;
    plan->step_us = plan->step_us < 50 * SIM_MS ? plan->step_us : 50 * SIM_MS;
    plan->misbehave = plan->misbehave < 50 ? plan->misbehave : 50;
}

static void be_calm(struct sim_plan *plan) {
    be_gentle(plan);
    plan->faults = 0;
    plan->calm = true;
}

static void fail_over(struct sim_plan *plan) {
    be_gentle(plan);
    plan->faults &= ~(1u << SIM_FAULT_DRAIN | 1u << SIM_FAULT_CANCEL | 1u << SIM_FAULT_RETURN);
    plan->faults |= 1u << SIM_FAULT_CRASH;
    plan->between_us = plan->between_us < SIM_SECOND ? SIM_SECOND : plan->between_us;
    plan->faulty_us = plan->faulty_us < 6 * SIM_SECOND ? 6 * SIM_SECOND : plan->faulty_us;
    if (sim_chance(SIM_DICE_PLAN, 500)) {
        plan->faults |= 1u << SIM_FAULT_POWER;
        plan->ping_ms = plan->ping_ms < 400 ? plan->ping_ms : 400; /* found out by silence */
    }
    plan->failover = true;
}

static size_t at_most(size_t value, size_t most) {
    return most && most < value ? most : value;
}

static void make_less(struct sim_plan *plan, const struct sim_less *less) {
    plan->faults &= ~less->without;
    plan->memos = at_most(plan->memos, less->memos);
    plan->questions =
        less->questions ? at_most(plan->questions + 1, less->questions) - 1 : plan->questions;
    plan->brokers = at_most(plan->brokers, less->brokers);
    plan->chunkers = at_most(plan->chunkers, less->workers);
    plan->embedders = at_most(plan->embedders, less->workers);
    plan->rerankers = at_most(plan->rerankers, less->workers);
    plan->llms = at_most(plan->llms, less->workers);
    if (less->faulty_ms && less->faulty_ms * SIM_MS < plan->faulty_us) {
        plan->faulty_us = less->faulty_ms * SIM_MS;
    }
}

void sim_plan_make(const struct sim_less *less) {
    struct sim_plan *plan = &sim->plan;
    choose_size(plan);
    choose_times(plan);
    choose_faults(plan);
    if (sim_chance(SIM_DICE_PLAN, GENTLE_SHARE)) {
        be_gentle(plan);
    } else if (sim_chance(SIM_DICE_PLAN, CALM_SHARE)) {
        be_calm(plan);
    } else if (sim_chance(SIM_DICE_PLAN, FAILOVER_SHARE)) {
        fail_over(plan);
    }
    if (sim_break_needs(sim->broken) == SIM_CALM) {
        be_calm(plan);
    } else {
        plan->faults |= sim_break_needs(sim->broken);
    }
    make_less(plan, less);
}

void sim_plan_print(FILE *file) {
    const struct sim_plan *plan = &sim->plan;
    fprintf(file,
            "# seed %llu: %zu brokers, %zu gateways, %zu chunkers, %zu embedders, %zu rerankers, "
            "%zu llms, %zu memos, %zu questions, %lld ms%s\n#",
            (unsigned long long)sim->seed, plan->brokers, plan->gateways, plan->chunkers,
            plan->embedders, plan->rerankers, plan->llms, plan->memos, plan->questions,
            (long long)(plan->faulty_us / SIM_MS),
            plan->failover ? ", failover"
            : plan->calm   ? ", calm"
            : plan->gentle ? ", gentle"
                           : "");
    fprintf(file, " lease %lld ms, ping %u ms, latency %lld us, step %lld ms, faults:",
            (long long)plan->lease_ms, plan->ping_ms, (long long)plan->latency_us,
            (long long)(plan->step_us / SIM_MS));
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        if (plan->faults >> fault & 1) {
            fprintf(file, " %s", sim_fault_name((enum sim_fault)fault));
        }
    }
    fprintf(file, "\n");
}
