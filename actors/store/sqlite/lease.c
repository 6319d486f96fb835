/* actors/store/sqlite/lease.c: durable jobs between ready and done, by the rules of jobs.h. */
#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/store/rows.h"
#include "actors/store/sqlite/reembed.h"
#include "actors/store/sqlite/store.h"
#include "actors/store/sqlite/versions.h"

#define MOST_AT_ONCE 4096 /* in memory, of a release or a redrive */

/* The columns of every statement that reads jobs for a decision. */
enum { ID, STATE, ATTEMPTS, DEATHS, DELAYS, SOLO, TOKEN, LEASE_UNTIL, RUN_AT };

static struct edda_job_row read_job(sqlite3_stmt *row) {
    return (struct edda_job_row){
        .state = (enum edda_job_state)sqlite3_column_int64(row, STATE),
        .attempts = (uint32_t)sqlite3_column_int64(row, ATTEMPTS),
        .deaths = (uint32_t)sqlite3_column_int64(row, DEATHS),
        .delays = (uint32_t)sqlite3_column_int64(row, DELAYS),
        .solo = sqlite3_column_int64(row, SOLO) != 0,
        .token = (uint64_t)sqlite3_column_int64(row, TOKEN),
        .lease_until_ms = sqlite3_column_int64(row, LEASE_UNTIL),
        .run_at_ms = sqlite3_column_int64(row, RUN_AT),
    };
}

/* Writes what was decided, if the row is still the one that was decided about. */
static int write_job(struct edda_turn *turn, int64_t id, const struct edda_job_row *before,
                     const struct edda_job_row *after, uint64_t holder, struct edda_text error) {
    return edda_query_run(
        turn->database, EDDA_SQL_JOB_SET,
        VALUES(INTEGER(after->state), INTEGER(after->attempts), INTEGER(after->deaths),
               INTEGER(after->delays), INTEGER(after->solo), INTEGER(after->token),
               INTEGER(after->lease_until_ms), INTEGER(after->run_at_ms), INTEGER(holder),
               TEXT(error), INTEGER(id), INTEGER(before->state), INTEGER(before->token)),
        NULL);
}

/* ---- claim ---- */

struct found_job {
    int64_t id;
    struct edda_job_row row;
};

struct found_jobs {
    struct found_job items[EDDA_CLAIM_MOST];
    size_t count;
};

static int gather(edda_database_t *database, sqlite3_stmt *row, size_t limit,
                  struct found_jobs *jobs) {
    int found = 0;
    while (jobs->count < limit && (found = edda_query_next(database, row)) == 1) {
        jobs->items[jobs->count++] =
            (struct found_job){sqlite3_column_int64(row, ID), read_job(row)};
    }
    edda_query_end(row);
    return found < 0 ? found : 0;
}

/* Of one kind, until there are `limit` in all: leases that are over first, then by priority and
 * age. */
static int find_claimable(struct edda_turn *turn, enum edda_job_kind kind, size_t limit,
                          struct found_jobs *jobs) {
    sqlite3_stmt *row = NULL;
    int error =
        edda_query_begin(turn->database, EDDA_SQL_JOBS_OVER,
                         VALUES(INTEGER(kind), INTEGER(turn->now_ms), INTEGER(limit)), &row);
    if (!error) {
        error = gather(turn->database, row, limit, jobs);
    }
    for (unsigned priority = 0; priority < EDDA_JOB_PRIORITIES && jobs->count < limit && !error;
         priority++) {
        if (edda_job_kind_of_priority(priority) != kind) {
            continue;
        }
        error = edda_query_begin(turn->database, EDDA_SQL_JOBS_DUE,
                                 VALUES(INTEGER(priority), INTEGER(turn->now_ms), INTEGER(limit)),
                                 &row);
        if (!error) {
            error = gather(turn->database, row, limit, jobs);
        }
    }
    return error;
}

static int copy_texts(sqlite3_stmt *row, struct edda_arena *arena, struct edda_claimed *claimed) {
    int error = edda_column_copy(row, 2, arena, &claimed->title);
    error = error ? error : edda_column_copy(row, 3, arena, &claimed->format);
    error = error ? error : edda_column_copy(row, 4, arena, &claimed->project);
    error = error ? error : edda_column_copy(row, 6, arena, &claimed->heading);
    return error ? error : edda_column_copy(row, 7, arena, &claimed->text);
}

/* What an EMBED job's message needs; its chunks are read when a worker wants them. */
static int read_embed(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t job,
                      struct edda_claimed *claimed) {
    sqlite3_stmt *row = NULL;
    int64_t version = edda_row_version_of(edda_row_part_row_of_job(job));
    int found =
        edda_query_one(turn->database, EDDA_SQL_VERSION_OWNER, VALUES(INTEGER(version)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    claimed->memo = edda_column_uuid(row, 2);
    claimed->version = (uint64_t)sqlite3_column_int64(row, 4);
    int error = edda_column_copy(row, 5, &call->arena, &claimed->project);
    edda_query_end(row);
    return error;
}

/* Everything the job's message needs. */
static int read_claimed(struct edda_turn *turn, struct edda_sqlite_call *call,
                        const struct found_job *job, const struct edda_job_row *after,
                        struct edda_claimed *claimed) {
    sqlite3_stmt *row = NULL;
    claimed->job = (uint64_t)job->id;
    claimed->kind = edda_row_kind_of(job->id);
    claimed->token = after->token;
    claimed->part = edda_row_part_of(job->id);
    claimed->solo = after->solo;
    if (claimed->kind == EDDA_JOB_EMBED) {
        return read_embed(turn, call, job->id, claimed);
    }
    int found =
        edda_query_one(turn->database, EDDA_SQL_JOB_CONTENT,
                       VALUES(INTEGER(job->id), INTEGER(edda_row_version_of(job->id))), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    claimed->memo = edda_column_uuid(row, 0);
    claimed->version = (uint64_t)sqlite3_column_int64(row, 1);
    claimed->first_byte = (uint32_t)sqlite3_column_int64(row, 5);
    int error = copy_texts(row, &call->arena, claimed);
    edda_query_end(row);
    return error;
}

static int claim_job(struct edda_turn *turn, struct edda_sqlite_call *call,
                     const struct found_job *job, struct edda_claims *claims) {
    struct edda_job_row after;
    struct edda_job_input input = {
        .event = EDDA_JOB_CLAIM, .now_ms = turn->now_ms, .lease_ms = call->store->lease_ms};
    if (!edda_job_next(&job->row, &input, &after)) {
        return 0;
    }
    if (job->row.state == EDDA_JOB_LEASED) {
        edda_metric_add(EDDA_METRIC_STORE_REDELIVERED, "lease_over", 1);
    }
    int error =
        write_job(turn, job->id, &job->row, &after, call->store->life, (struct edda_text){NULL, 0});
    if (!error && edda_row_kind_of(job->id) == EDDA_JOB_CHUNK) {
        error = edda_query_run(
            turn->database, EDDA_SQL_VERSION_STARTED,
            VALUES(INTEGER(turn->wall_ms), INTEGER(edda_row_version_of(job->id))), NULL);
    }
    return error ? error : read_claimed(turn, call, job, &after, &claims->items[claims->count++]);
}

/* When the next job of a kind may be claimed; INT64_MAX: none waits. */
static int find_next(struct edda_turn *turn, enum edda_job_kind kind, int64_t *ret_next_ms) {
    int64_t at_ms = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_JOBS_NEXT_OVER, VALUES(INTEGER(kind)),
                                   INT64_MAX, ret_next_ms);
    for (unsigned priority = 0; priority < EDDA_JOB_PRIORITIES && !error; priority++) {
        if (edda_job_kind_of_priority(priority) != kind) {
            continue;
        }
        error = edda_query_integer(turn->database, EDDA_SQL_JOBS_NEXT_DUE,
                                   VALUES(INTEGER(priority)), INT64_MAX, &at_ms);
        *ret_next_ms = !error && at_ms < *ret_next_ms ? at_ms : *ret_next_ms;
    }
    return error;
}

/* How long until there is something to claim of what is wanted. */
static int find_wait(struct edda_turn *turn, const struct edda_claim *claim, int64_t *ret_wait_ms) {
    int64_t next_ms = INT64_MAX;
    int error = 0;
    for (unsigned kind = 0; kind < EDDA_JOB_KINDS && !error; kind++) {
        int64_t at_ms = INT64_MAX;
        if (claim->limits[kind]) {
            error = find_next(turn, kind, &at_ms);
        }
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    *ret_wait_ms = next_ms == INT64_MAX ? -1 : next_ms > turn->now_ms ? next_ms - turn->now_ms : 0;
    return error;
}

static int find_jobs(struct edda_turn *turn, const struct edda_claim *claim,
                     struct found_jobs *jobs) {
    int error = 0;
    for (unsigned kind = 0; kind < EDDA_JOB_KINDS && !error; kind++) {
        size_t most = jobs->count + claim->limits[kind];
        most = most < claim->limit ? most : claim->limit;
        if (jobs->count < most) {
            error = find_claimable(turn, kind, most, jobs);
        }
    }
    return error;
}

int edda_claim_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_claim *claim = call->request.arguments;
    struct edda_claims *claims = call->record;
    struct found_jobs jobs = {.count = 0};
    if (claim->limit == 0 || claim->limit > EDDA_CLAIM_MOST) {
        return EDDA_E_INVALID;
    }
    int error = find_jobs(turn, claim, &jobs);
    claims->items = edda_arena_take(&call->arena, (jobs.count + 1) * sizeof(*claims->items));
    if (!error && !claims->items) {
        error = EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < jobs.count && !error; i++) {
        error = claim_job(turn, call, &jobs.items[i], claims);
    }
    return error ? error : find_wait(turn, claim, &claims->wait_ms);
}

/* ---- what holders report ---- */

/* 1 with the job's row, 0, or an error. */
static int find_job(struct edda_turn *turn, uint64_t id, struct edda_job_row *ret_row) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(turn->database, EDDA_SQL_JOB_FIND, VALUES(INTEGER(id)), &row);
    if (found == 1) {
        *ret_row = read_job(row);
        edda_query_end(row);
    }
    return found;
}

int edda_renew_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_leases *leases = call->request.arguments;
    struct edda_store_count *renewed = call->record;
    for (size_t i = 0; i < leases->count; i++) {
        struct edda_job_row before;
        struct edda_job_row after;
        struct edda_job_input input = {.event = EDDA_JOB_PROGRESS,
                                       .token = leases->items[i].token,
                                       .now_ms = turn->now_ms,
                                       .lease_ms = call->store->lease_ms};
        int found = find_job(turn, leases->items[i].job, &before);
        if (found == 1 && edda_job_next(&before, &input, &after)) {
            found = edda_query_run(turn->database, EDDA_SQL_JOB_RENEW,
                                   VALUES(INTEGER(after.lease_until_ms),
                                          INTEGER(leases->items[i].job), INTEGER(after.token)),
                                   NULL);
            renewed->count++;
        }
        if (found < 0) {
            return found;
        }
    }
    return 0;
}

/* A dead CHUNK job's version says why. */
static int mark_version(struct edda_turn *turn, uint64_t job, struct edda_text reason) {
    return edda_query_run(
        turn->database, EDDA_SQL_VERSION_DIE,
        VALUES(TEXT(reason), INTEGER(turn->wall_ms), INTEGER(edda_row_version_of((int64_t)job))),
        NULL);
}

int edda_fail_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_failure *failure = call->request.arguments;
    struct edda_failed *failed = call->record;
    struct edda_job_row before;
    struct edda_job_row after;
    struct edda_job_input input = {.event = failure->event,
                                   .token = failure->lease.token,
                                   .now_ms = turn->now_ms,
                                   .retry_after_ms = failure->retry_after_ms,
                                   .random = edda_random32()};
    if (failure->event < EDDA_JOB_RETURNED || failure->event > EDDA_JOB_DIED) {
        return EDDA_E_INVALID;
    }
    int found = find_job(turn, failure->lease.job, &before);
    if (found < 0) {
        return found;
    }
    if (found == 0 || !edda_job_next(&before, &input, &after)) {
        failed->stale = true;
        return 0;
    }
    struct edda_text reason = edda_job_reason_of(failure->event, failure->reason);
    int error = write_job(turn, (int64_t)failure->lease.job, &before, &after, 0, reason);
    failed->dead = after.state == EDDA_JOB_DEAD;
    if (!error && failed->dead && edda_row_kind_of((int64_t)failure->lease.job) == EDDA_JOB_CHUNK) {
        error = mark_version(turn, failure->lease.job, reason);
    } else if (!error && failed->dead) {
        error = edda_reembed_show(turn, call, (int64_t)failure->lease.job);
    }
    return error;
}

/* What one pass changed. */
struct changed {
    struct found_job *jobs;
    int64_t *ids;
    size_t count;
};

static int make_room_for_changed(struct edda_arena *arena, struct changed *changed) {
    changed->jobs = edda_arena_take(arena, MOST_AT_ONCE * sizeof(*changed->jobs));
    changed->ids = edda_arena_take(arena, MOST_AT_ONCE * sizeof(*changed->ids));
    return changed->jobs && changed->ids ? 0 : EDDA_E_MEMORY;
}

/* Applies an event to up to MOST_AT_ONCE jobs that a statement finds; the next pass finds the rest,
 * until one changes fewer. */
static int apply_to_all(struct edda_turn *turn, sqlite3_stmt *row, enum edda_job_event event,
                        struct changed *changed) {
    size_t count = 0;
    int found = 0;
    while (!found && count < MOST_AT_ONCE && (found = edda_query_next(turn->database, row)) == 1) {
        changed->jobs[count++] = (struct found_job){sqlite3_column_int64(row, ID), read_job(row)};
        found = 0;
    }
    edda_query_end(row);
    changed->count = 0;
    for (size_t i = 0; i < count && !found; i++) {
        const struct found_job *job = &changed->jobs[i];
        struct edda_job_row after;
        struct edda_job_input input = {.event = event, .now_ms = turn->now_ms};
        if (edda_job_next(&job->row, &input, &after)) {
            found = write_job(turn, job->id, &job->row, &after, 0, (struct edda_text){NULL, 0});
            changed->ids[changed->count++] = job->id;
            turn->jobs_ready = true;
        }
    }
    return found;
}

int edda_release_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    struct edda_store_count *released = call->record;
    struct changed changed;
    int error = make_room_for_changed(&call->arena, &changed);
    if (!error) {
        /* A back-off longer than there can be is a wall clock that was set back. */
        error = edda_query_run(
            turn->database, EDDA_SQL_JOBS_CLAMP,
            VALUES(INTEGER(turn->now_ms), INTEGER(turn->now_ms + EDDA_JOB_BACKOFF_MAX_MS)), NULL);
    }
    do {
        sqlite3_stmt *row = NULL;
        if (!error) {
            error = edda_query_begin(turn->database, EDDA_SQL_JOBS_OF_OTHERS,
                                     VALUES(INTEGER(call->store->life)), &row);
        }
        if (!error) {
            error = apply_to_all(turn, row, EDDA_JOB_RELEASE, &changed);
        }
        released->count += error ? 0 : changed.count;
    } while (!error && changed.count == MOST_AT_ONCE);
    edda_metric_add(EDDA_METRIC_STORE_REDELIVERED, "restart", released->count);
    return error;
}

/* A memo whose jobs are all alive again is processed again. */
static int revive(struct edda_turn *turn, int64_t job) {
    int64_t version = edda_row_version_of(job);
    return edda_row_kind_of(job) != EDDA_JOB_CHUNK
               ? 0
               : edda_query_run(turn->database, EDDA_SQL_VERSION_REVIVE,
                                VALUES(INTEGER(turn->wall_ms), INTEGER(version),
                                       INTEGER(edda_row_part(version, 0)),
                                       INTEGER(edda_row_last_part(version))),
                                NULL);
}

int edda_redrive_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_redrive *redrive = call->request.arguments;
    struct edda_store_count *redriven = call->record;
    struct changed changed;
    if (!redrive->all && redrive->id == 0) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "which job, or all?");
    }
    int error = make_room_for_changed(&call->arena, &changed);
    do {
        sqlite3_stmt *row = NULL;
        if (!error) {
            error = edda_query_begin(
                turn->database, EDDA_SQL_JOBS_DEAD,
                VALUES(INTEGER(redrive->all ? 0 : redrive->id), TEXT(call->request.project)), &row);
        }
        if (!error) {
            error = apply_to_all(turn, row, EDDA_JOB_REDRIVE, &changed);
        }
        for (size_t i = 0; i < changed.count && !error; i++) {
            error = revive(turn, changed.ids[i]);
        }
        redriven->count += error ? 0 : changed.count;
    } while (!error && changed.count == MOST_AT_ONCE);
    return error;
}
