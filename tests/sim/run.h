/* tests/sim/run.h: one seed from its beginning to what the checker says of it. */
#ifndef EDDA_TESTS_SIM_RUN_H
#define EDDA_TESTS_SIM_RUN_H

#include "tests/sim/plan.h"

struct sim_options {
    uint64_t seed;
    struct sim_less less;
    enum sim_break broken; /* SIM_BREAK_NONE */
    FILE *trace;           /* or NULL */
};

struct sim_result {
    size_t offences;
    char *report;  /* owned; a line an offence */
    uint64_t hash; /* of the log */
    struct sim_counts counts;
    int64_t simulated_us;
};

/* Faults, healing, the end. Aborts where an assertion of the code fails. */
struct sim_result sim_run(const struct sim_options *options);

#endif
