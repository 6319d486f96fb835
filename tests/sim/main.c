/* tests/sim/main.c: runs seeds; prints the one that fails and the command that replays it.
 *
 * Seeds run in a child process, so that one that aborts is reported as any other. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/breaks.h"
#include "tests/sim/run.h"

#define SEEDS         400
#define BATCH         100
#define SHRINK_TRIES  60
#define FAILED_STATUS 3
#define TWICE_EVERY   50 /* seeds, one goes its way twice */

struct options {
    uint64_t first;
    uint64_t seeds;
    bool forever;
    int64_t seconds; /* 0: as many seeds as there are */
    bool trace;
    bool shrink;
    bool quiet;
    bool all; /* does not stop at the first that fails */
    const char *program;
    struct sim_less less;
    enum sim_break broken;
    bool breaks; /* each break is to be found */
};

/* What the child tells its parent, also when it aborts. */
struct shared {
    uint64_t seed; /* the one it runs */
    uint64_t done;
    uint64_t faults[SIM_FAULT_COUNT];
    uint64_t messages;
    uint64_t turns;
    int64_t simulated_us;
    char offence[96]; /* the first one's words without its names and numbers; empty: it aborted */
};

static struct shared *shared;

/* ---- in the child ---- */

/* Two failures are the same when these words are. */
static void keep_offence(const char *report) {
    size_t size = 0;
    for (; *report && *report != '\n' && size < sizeof(shared->offence) - 1; report++) {
        if (*report < '0' || *report > '9') {
            shared->offence[size++] = *report;
        }
    }
    shared->offence[size] = '\0';
}

/* A seed that goes another way the second time cannot be replayed. */
static void go_again(const struct sim_options *run, struct sim_result *result) {
    struct sim_result again = sim_run(run);
    if (again.hash != result->hash && result->offences == 0) {
        free(result->report);
        result->report = strdup("G0: the same seed went another way\n");
        EDDA_ASSERT(result->report);
        result->offences = 1;
    }
    free(again.report);
}

static bool run_one(const struct options *options, uint64_t seed) {
    const struct sim_options run = {.seed = seed,
                                    .less = options->less,
                                    .broken = options->broken,
                                    .trace = options->trace ? stdout : NULL};
    shared->seed = seed;
    shared->offence[0] = '\0';
    struct sim_result result = sim_run(&run);
    if (seed % TWICE_EVERY == 0 && !options->trace) {
        go_again(&run, &result);
    }
    if (result.offences) {
        keep_offence(result.report);
        fprintf(stderr, "%s", options->quiet ? "" : result.report);
    }
    for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
        shared->faults[i] += result.counts.faults[i];
    }
    shared->messages += result.counts.sent;
    shared->turns += result.counts.turns;
    shared->simulated_us += result.simulated_us;
    shared->done++;
    free(result.report);
    return result.offences == 0;
}

/* Runs seeds in a child; false when one of them failed, which is then shared->seed. */
static bool run_batch(const struct options *options, uint64_t first, uint64_t count) {
    fflush(NULL);
    pid_t child = fork();
    EDDA_ASSERT(child >= 0);
    if (child == 0) {
        if (options->quiet && !freopen("/dev/null", "w", stderr)) {
            exit(FAILED_STATUS);
        }
        for (uint64_t i = 0; i < count; i++) {
            if (!run_one(options, first + i)) {
                exit(FAILED_STATUS);
            }
        }
        exit(0); /* memory that was lost is found here */
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        EDDA_ASSERT(errno == EINTR);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what a failure needs ---- */

static void print_command(const struct options *options, uint64_t seed) {
    const struct sim_less *less = &options->less;
    fprintf(stderr, "    %s --seed %llu --trace", options->program, (unsigned long long)seed);
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        if (less->without >> fault & 1) {
            fprintf(stderr, " --without %s", sim_fault_name((enum sim_fault)fault));
        }
    }
    if (less->memos) {
        fprintf(stderr, " --memos %zu", less->memos);
    }
    if (less->questions) {
        fprintf(stderr, " --questions %zu", less->questions - 1);
    }
    if (less->brokers) {
        fprintf(stderr, " --brokers %zu", less->brokers);
    }
    if (less->workers) {
        fprintf(stderr, " --workers %zu", less->workers);
    }
    if (less->faulty_ms) {
        fprintf(stderr, " --ms %lld", (long long)less->faulty_ms);
    }
    fprintf(stderr, "\n");
}

static bool still_fails(const struct options *options, const struct sim_less *less, uint64_t seed,
                        int *tries) {
    struct options smaller = *options;
    smaller.less = *less;
    smaller.quiet = true;
    smaller.trace = false;
    char offence[sizeof(shared->offence)];
    memcpy(offence, shared->offence, sizeof(offence));
    bool fails =
        (*tries)-- > 0 && !run_batch(&smaller, seed, 1) && strcmp(offence, shared->offence) == 0;
    memcpy(shared->offence, offence, sizeof(offence));
    return fails;
}

/* Leaves out what the failure happens without: faults, questions, nodes, time. */
static void shrink(struct options *options, uint64_t seed) {
    struct sim_less *less = &options->less;
    int tries = SHRINK_TRIES;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        struct sim_less next = *less;
        next.without |= 1u << fault;
        *less = still_fails(options, &next, seed, &tries) ? next : *less;
    }
    const struct sim_less candidates[] = {
        {.questions = 1}, {.brokers = 1},      {.workers = 1},      {.memos = 1},
        {.memos = 3},     {.faulty_ms = 1000}, {.faulty_ms = 3000},
    };
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        struct sim_less next = *less;
        const struct sim_less *try = &candidates[i];
        next.questions = try->questions ? try->questions : next.questions;
        next.brokers = try->brokers ? try->brokers : next.brokers;
        next.workers = try->workers ? try->workers : next.workers;
        next.memos = try->memos && !next.memos ? try->memos : next.memos;
        next.faulty_ms = try->faulty_ms && !next.faulty_ms ? try->faulty_ms : next.faulty_ms;
        *less = still_fails(options, &next, seed, &tries) ? next : *less;
    }
}

static void report(const struct options *options, uint64_t seed) {
    struct options smaller = *options;
    fprintf(stderr, "seed %llu failed; replay it with\n", (unsigned long long)seed);
    print_command(options, seed);
    if (options->shrink) {
        shrink(&smaller, seed);
        fprintf(stderr, "or, with less, by\n");
        print_command(&smaller, seed);
    }
}

/* ---- the seeds ---- */

/* A leak has no seed of its own: look for it one by one. */
static uint64_t find_seed(const struct options *options, uint64_t first, uint64_t count) {
    if (shared->done < count || count == 1) {
        return shared->seed;
    }
    struct options one = *options;
    one.quiet = true;
    for (uint64_t i = 0; i < count; i++) {
        if (!run_batch(&one, first + i, 1)) {
            return first + i;
        }
    }
    return first;
}

static bool goes_on(const struct options *options, uint64_t left, time_t began) {
    bool bounded = options->seconds > 0;
    return options->forever || (bounded ? time(NULL) - began < options->seconds : left > 0);
}

static bool run_seeds(const struct options *options) {
    time_t began = time(NULL);
    bool counts = !options->forever && options->seconds == 0;
    uint64_t seed = options->first;
    uint64_t left = options->seeds;
    uint64_t ran = 0;
    bool good = true;
    while (goes_on(options, left, began)) {
        uint64_t count = left < BATCH && counts ? left : BATCH;
        shared->done = 0;
        if (!run_batch(options, seed, count)) {
            uint64_t failed = find_seed(options, seed, count);
            report(options, failed);
            if (!options->all) {
                return false;
            }
            count = failed + 1 - seed;
            good = false;
        }
        seed += count;
        ran += count;
        left -= counts ? count : 0;
        if (options->forever) {
            fprintf(stderr, "%llu seeds, next %llu\n", (unsigned long long)ran,
                    (unsigned long long)seed);
        }
    }
    printf("%llu seeds, %lld s of their time, %llu messages, %llu turns; faults:",
           (unsigned long long)ran, (long long)(shared->simulated_us / SIM_SECOND),
           (unsigned long long)shared->messages, (unsigned long long)shared->turns);
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        if (shared->faults[fault]) {
            printf(" %s %llu", sim_fault_name((enum sim_fault)fault),
                   (unsigned long long)shared->faults[fault]);
        }
    }
    printf("\n");
    return good;
}

/* ---- words ---- */

static int usage(void) {
    fprintf(
        stderr,
        "sim [--seeds N | --seconds N | --forever] [--first N] [--all] [--no-shrink]\n"
        "sim --breaks | --broken BREAK\n"
        "sim --seed N [--trace] [--without FAULT]... [--memos N] [--questions N] [--brokers N]\n"
        "    [--workers N] [--ms N]\n");
    return 2;
}

static bool take_fault(struct options *options, const char *name) {
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        if (strcmp(name, sim_fault_name((enum sim_fault)fault)) == 0) {
            options->less.without |= 1u << fault;
            return true;
        }
    }
    return false;
}

static bool take_flag(struct options *options, const char *name) {
    if (strcmp(name, "--forever") == 0) {
        options->forever = true;
        options->first = (uint64_t)time(NULL) * 1000;
    } else if (strcmp(name, "--trace") == 0) {
        options->trace = true;
    } else if (strcmp(name, "--breaks") == 0) {
        options->breaks = true;
    } else if (strcmp(name, "--all") == 0) {
        options->all = true;
    } else if (strcmp(name, "--no-shrink") == 0) {
        options->shrink = false;
    } else {
        return false;
    }
    return true;
}

static bool take_value(struct options *options, const char *name, const char *value) {
    uint64_t number = strtoull(value, NULL, 10);
    struct sim_less *less = &options->less;
    if (strcmp(name, "--broken") == 0) {
        options->broken = sim_break_named(value);
        return options->broken != SIM_BREAK_NONE;
    } else if (strcmp(name, "--without") == 0) {
        return take_fault(options, value);
    } else if (strcmp(name, "--seed") == 0) {
        options->first = number;
        options->seeds = 1;
        options->shrink = false;
    } else if (strcmp(name, "--seeds") == 0) {
        options->seeds = number;
    } else if (strcmp(name, "--seconds") == 0) {
        options->seconds = (int64_t)number;
    } else if (strcmp(name, "--first") == 0) {
        options->first = number;
    } else if (strcmp(name, "--memos") == 0) {
        less->memos = (size_t)number;
    } else if (strcmp(name, "--questions") == 0) {
        less->questions = (size_t)number + 1;
    } else if (strcmp(name, "--brokers") == 0) {
        less->brokers = (size_t)number;
    } else if (strcmp(name, "--workers") == 0) {
        less->workers = (size_t)number;
    } else if (strcmp(name, "--ms") == 0) {
        less->faulty_ms = (int64_t)number;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    struct options options = {.first = 1, .seeds = SEEDS, .shrink = true, .program = argv[0]};
    for (int i = 1; i < argc; i++) {
        if (!take_flag(&options, argv[i]) &&
            (i + 1 == argc || !take_value(&options, argv[i], argv[i + 1]) || !++i)) {
            return usage();
        }
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EDDA_ASSERT(shared != MAP_FAILED);
    bool good =
        options.breaks ? sim_breaks_are_found(options.first, options.seeds) : run_seeds(&options);
    return good ? 0 : 1;
}
