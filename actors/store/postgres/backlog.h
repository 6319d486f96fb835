/* actors/store/postgres/backlog.h: whether new content is taken while so much is not processed yet.
 *
 * All that waits is counted, up to the limit, at most once a second while there is room; a
 * project's only when all of it is more than a project may have. Calls that need a count wait for
 * the one that goes on.
 * Limits: one document of this process goes over. Other processes on the same database are met by
 * the next count: together they go over by what they take meanwhile, which is a second, or with
 * more than some 200,000 parts waiting ten times what a count takes (waiting.h). Threads: the
 * loop's. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_BACKLOG_H
#define EDDA_ACTORS_STORE_POSTGRES_BACKLOG_H

#include "actors/store/postgres/call.h"
#include "actors/store/postgres/waiting.h"
#include "proto/limits.h"

#define EDDA_PG_BACKLOG_PROJECTS                                                                   \
    64 /* whose counts are kept; a newer one takes an older's place                                \
        */

/* A count and those that wait for it. */
struct edda_pg_counted {
    struct edda_postgres *store;
    struct edda_pg_waiting waiting;
    struct edda_pg_query query;
    struct edda_pg_call *first; /* in the order they came: who began the count uses it first */
    struct edda_pg_call **end;
    size_t size;
    char project[EDDA_MAX_NAME]; /* of which; of all: nothing */
};

struct edda_pg_backlog {
    int64_t all; /* parts that may wait; 0: no limit */
    int64_t project;
    struct edda_pg_counted every;
    struct edda_pg_counted projects[EDDA_PG_BACKLOG_PROJECTS];
};

void edda_pg_backlog_init(struct edda_postgres *store, int64_t all, int64_t project);

/* Asks for so many parts of the call's project, then comes the step, when edda_pg_backlog_refused
 * is 0 or says why not. Errors are those of a statement. */
int edda_pg_backlog_ask(struct edda_pg_call *call, size_t parts,
                        edda_pg_step_fn then) EDDA_MUST_CHECK;

/* 0; or, with words and for the step to return, EDDA_E_QUOTA: the project has too much,
 * EDDA_E_BUSY: all have. */
int edda_pg_backlog_refused(struct edda_pg_call *call) EDDA_MUST_CHECK;

/* What the call was admitted with makes no jobs: it failed, begins again, or was a repeat. */
void edda_pg_backlog_withdraw(struct edda_pg_call *call);

#endif
