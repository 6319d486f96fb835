/* tests/sim/plan.h: what a seed decides: how many of what, how fast, and which faults. */
#ifndef EDDA_TESTS_SIM_PLAN_H
#define EDDA_TESTS_SIM_PLAN_H

#include "tests/sim/world.h"

/* What a replay leaves out or makes smaller, to find what a failure needs. 0: as the seed says. */
struct sim_less {
    uint32_t without; /* bits of enum sim_fault */
    size_t memos;     /* at most */
    size_t questions; /* at most, + 1 */
    size_t brokers;
    size_t workers; /* of each stage */
    int64_t faulty_ms;
};

/* Fills sim->plan by its dice and what is to be left out. */
void sim_plan_make(const struct sim_less *less);

/* As one line for people. */
void sim_plan_print(FILE *file);

/* The next fault, again and again, while the world is faulty. */
void sim_faults_begin(void);

/* No more of them: everything is whole again, and who is down comes up. */
void sim_faults_end(void);

#endif
