/* actors/store/sqlite/fence.h: the end of a durable job, which only its holder can bring about.
 *
 * The statement that finishes the job checks the token; whatever else the commit changes hangs on
 * its result. */
#ifndef EDDA_ACTORS_STORE_SQLITE_FENCE_H
#define EDDA_ACTORS_STORE_SQLITE_FENCE_H

#include "actors/store/sqlite/call.h"

/* What a job is about. */
struct edda_target {
    int64_t project; /* row ids */
    int64_t memo;
    int64_t version;
    int64_t part;
    struct edda_text title; /* of the memo now; in the call's arena */
};

/* For a call whose arguments are edda_store_put_chunks: 1: the job was this token's and is now
 * done, *ret_target says what it is about; 0: it was not, nothing changed. EDDA_E_INVALID: the job
 * is of another kind, or not what the arguments say. */
int edda_fence_pass(struct edda_turn *turn, struct edda_sqlite_call *call, enum edda_job_kind kind,
                    struct edda_target *ret_target) EDDA_MUST_CHECK;

/* The row of the memo's version and part that arguments name, whatever its job's state. 1, 0: there
 * is no such version, or the same errors. */
int edda_fence_find(edda_database_t *database, struct edda_sqlite_call *call,
                    struct edda_target *ret_target) EDDA_MUST_CHECK;

#endif
