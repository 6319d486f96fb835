/* tests/sim/store.h: the database behind the pump, as a model: tables that outlive every process.
 *
 * It is a model and not the SQLite backend, because that has threads, files and a clock of its own
 * and costs a thousand times more a run. Its decisions are the store's own: every change of a job
 * is actors/store/jobs.h's, and it keeps backend.h's promise of one transaction an operation, of
 * which the answer may be lost. What is SQL in the real one is tested with it. */
#ifndef EDDA_TESTS_SIM_STORE_H
#define EDDA_TESTS_SIM_STORE_H

#include "actors/store/backend.h"
#include "proto/arena.h"
#include "tests/sim/world.h"

#define SIM_DIMENSION 4
#define SIM_PART_TEXT 64

struct sim_memo {
    struct edda_uuid uuid;
    char key[SIM_NAME];
    bool deleted;
    bool dead;
    char reason[128];
    uint32_t open_jobs;
    uint32_t chunks;
    uint64_t first_job; /* and those of its other parts behind it */
    uint32_t parts;
};

struct sim_job {
    struct edda_job_row row;
    size_t memo;
    uint32_t part;
    uint64_t holder; /* which life of a store has it */
    char text[SIM_PART_TEXT];
};

struct sim_row {
    size_t memo;
    uint32_t part;
    uint32_t number;
    uint32_t dimension;
};

struct sim_truth {
    struct sim_memo *memos;
    size_t memo_count;
    struct sim_job *jobs; /* their id is their place + 1 */
    size_t job_count;
    struct sim_row *rows;
    size_t row_count;
    uint64_t lives;
};

struct sim_truth *sim_truth_new(void);
void sim_truth_free(struct sim_truth **self_p);

/* One transaction at this time of the store's clock. record is the operation's result struct; lists
 * in it live in arena. */
int sim_truth_apply(struct sim_truth *self, const char *node, uint64_t life, int64_t now_ms,
                    int64_t lease_ms, const struct edda_backend_request *request, void *record,
                    struct edda_arena *arena);

/* Jobs that are neither done nor dead. */
size_t sim_truth_open(const struct sim_truth *self);

/* What is there, as lines of the log. */
void sim_truth_write(const struct sim_truth *self);

/* The pump's and the service's database on the running node. */
edda_backend_t *sim_backend_new(int64_t lease_ms, struct edda_backend_events events);

#endif
