/* tests/sim/breaks.c: each break of break.def, in a process of its own for each seed. */
#include "tests/sim/breaks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/run.h"

static const struct {
    const char *name;
    const char *promise;
    uint32_t needs;
} breaks[] = {
    {"none", "", 0},
#define SIM_BREAK(name, text, promise, needs, what) {text, promise, needs},
#include "tests/sim/break.def"
#undef SIM_BREAK
};

enum sim_break sim_break_named(const char *name) {
    for (int i = 1; i < SIM_BREAK_COUNT; i++) {
        if (strcmp(breaks[i].name, name) == 0) {
            return (enum sim_break)i;
        }
    }
    return SIM_BREAK_NONE;
}

uint32_t sim_break_needs(enum sim_break broken) {
    return breaks[broken].needs;
}

static bool says(const char *report, const char *promise) {
    const char *at = report;
    while (strncmp(at, promise, strlen(promise)) != 0) {
        at = strchr(at, '\n');
        if (!at++) {
            return false;
        }
    }
    return true;
}

static bool is_found(enum sim_break broken, uint64_t seed) {
    fflush(NULL);
    pid_t child = fork();
    EDDA_ASSERT(child >= 0);
    if (child == 0) {
        const struct sim_options options = {.seed = seed, .broken = broken};
        struct sim_result result = sim_run(&options);
        _exit(says(result.report, breaks[broken].promise) ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        EDDA_ASSERT(errno == EINTR);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool sim_breaks_are_found(uint64_t first, uint64_t seeds) {
    bool all = true;
    for (int i = 1; i < SIM_BREAK_COUNT; i++) {
        uint64_t seed = first;
        while (seed < first + seeds && !is_found((enum sim_break)i, seed)) {
            seed++;
        }
        bool found = seed < first + seeds;
        printf("%s %s %s", breaks[i].promise, breaks[i].name, found ? "is found" : "is NOT found");
        printf(found ? " by seed %llu\n" : " in %llu seeds\n",
               (unsigned long long)(found ? seed : seeds));
        all &= found;
    }
    return all;
}
