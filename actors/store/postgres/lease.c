/* actors/store/postgres/lease.c: durable jobs between ready and done, by the rules of jobs.h.
 *
 * A claim, a renewal and a release are decided in SQL, where only rows are that nobody else holds;
 * test_decisions compares them with edda_job_next, row by row. What a holder reports is decided by
 * edda_job_next, over a locked row. All times are the database's. */
#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"

#define HELD_MS 20 /* what is due and was not given is another claim's, for a moment */

/* ---- claim ---- */

enum {
    CLAIM_JOB,
    CLAIM_TOKEN,
    CLAIM_SOLO,
    CLAIM_AGAIN,
    CLAIM_MEMO,
    CLAIM_VERSION,
    CLAIM_PROJECT,
    CLAIM_TITLE,
    CLAIM_FORMAT,
    CLAIM_HEADING,
    CLAIM_TEXT,
    CLAIM_FIRST_BYTE,
};

static void read_claimed(struct edda_pg_row *row, struct edda_claimed *claimed) {
    claimed->job = (uint64_t)edda_pg_bigint(row, CLAIM_JOB);
    claimed->kind = edda_row_kind_of((int64_t)claimed->job);
    claimed->token = (uint64_t)edda_pg_bigint(row, CLAIM_TOKEN);
    claimed->part = edda_row_part_of((int64_t)claimed->job);
    claimed->solo = edda_pg_bigint(row, CLAIM_SOLO) != 0;
    claimed->memo = edda_pg_uuid(row, CLAIM_MEMO);
    claimed->version = (uint64_t)edda_pg_bigint(row, CLAIM_VERSION);
    claimed->project = edda_pg_text(row, CLAIM_PROJECT);
    if (claimed->kind == EDDA_JOB_CHUNK) {
        claimed->title = edda_pg_text(row, CLAIM_TITLE);
        claimed->format = edda_pg_text(row, CLAIM_FORMAT);
        claimed->heading = edda_pg_text(row, CLAIM_HEADING);
        claimed->text = edda_pg_text(row, CLAIM_TEXT);
        claimed->first_byte = (uint32_t)edda_pg_bigint(row, CLAIM_FIRST_BYTE);
    }
    if (edda_pg_boolean(row, CLAIM_AGAIN)) {
        edda_metric_add(EDDA_METRIC_STORE_REDELIVERED, "lease_over", 1);
    }
}

static int on_claimed(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_claims *claims = call->record;
    size_t count = edda_pg_rows(result);
    claims->items = edda_arena_take(&call->arena, (count + 1) * sizeof *claims->items);
    if (!claims->items) {
        return EDDA_E_MEMORY;
    }
    edda_pg_call_keep(call);
    for (size_t i = 0; i < count; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        read_claimed(&row, &claims->items[claims->count++]);
        if (row.error) {
            return row.error;
        }
    }
    return 0;
}

static int on_wait(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_claims *claims = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    claims->wait_ms = edda_pg_bigint_or(&row, 0, -1);
    if (claims->wait_ms == 0 && claims->count == 0) {
        claims->wait_ms = HELD_MS;
    }
    return row.error;
}

static uint32_t at_most(uint32_t limit, uint32_t most) {
    return limit < most ? limit : most;
}

/* Below 0: a life without a lock, whose leases run out. */
static int64_t holder_of(const struct edda_pg_call *call) {
    int64_t life = (int64_t)call->store->life;
    return call->store->waker.listener ? life : -life;
}

static int on_claim(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_claim *claim = call->request.arguments;
    const uint32_t *limits = claim->limits;
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_CLAIM,
                     VALUES(BIGINT(claim->limit),
                            BIGINT(at_most(limits[EDDA_JOB_CHUNK], claim->limit)),
                            BIGINT(at_most(limits[EDDA_JOB_EMBED], claim->limit)),
                            BIGINT(call->store->lease_ms), BIGINT(holder_of(call))),
                     on_claimed);
    edda_pg_call_say(
        call, EDDA_PGSQL_CLAIM_WAIT,
        VALUES(BOOLEAN(limits[EDDA_JOB_CHUNK] > 0), BOOLEAN(limits[EDDA_JOB_EMBED] > 0)), on_wait);
    edda_pg_call_commit(call);
    return 0;
}

int edda_postgres_claim(struct edda_pg_call *call) {
    const struct edda_claim *claim = call->request.arguments;
    if (claim->limit == 0 || claim->limit > EDDA_CLAIM_MOST) {
        return EDDA_E_INVALID;
    }
    return edda_pg_call_begin(call, on_claim, NULL);
}

/* ---- what holders report ---- */

static int on_renewed(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_count *renewed = call->record;
    renewed->count = edda_pg_changed(result);
    return 0;
}

int edda_postgres_renew(struct edda_pg_call *call) {
    const struct edda_leases *leases = call->request.arguments;
    struct edda_pg_built jobs;
    struct edda_pg_built tokens;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&jobs, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < leases->count; i++) {
        edda_pg_array_bigint(&jobs, (int64_t)leases->items[i].job);
    }
    edda_pg_build_array(&tokens, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < leases->count; i++) {
        edda_pg_array_bigint(&tokens, (int64_t)leases->items[i].token);
    }
    if (call->buffer.error) {
        return call->buffer.error;
    }
    return edda_pg_call_run(call, EDDA_PGSQL_JOBS_RENEW,
                            VALUES(BUILT(&jobs), BUILT(&tokens), BIGINT(call->store->lease_ms)),
                            on_renewed);
}

/* The columns of JOB_FIND. */
enum { STATE, ATTEMPTS, DEATHS, DELAYS, SOLO, TOKEN, LEASE_UNTIL, RUN_AT, NOW };

static struct edda_job_row read_job(struct edda_pg_row *row) {
    return (struct edda_job_row){
        .state = (enum edda_job_state)edda_pg_bigint(row, STATE),
        .attempts = (uint32_t)edda_pg_bigint(row, ATTEMPTS),
        .deaths = (uint32_t)edda_pg_bigint(row, DEATHS),
        .delays = (uint32_t)edda_pg_bigint(row, DELAYS),
        .solo = edda_pg_bigint(row, SOLO) != 0,
        .token = (uint64_t)edda_pg_bigint(row, TOKEN),
        .lease_until_ms = edda_pg_bigint(row, LEASE_UNTIL),
        .run_at_ms = edda_pg_bigint(row, RUN_AT),
    };
}

static int on_failing(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_failure *failure = call->request.arguments;
    struct edda_failed *failed = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct edda_job_row after = {0};
    struct edda_text reason = edda_job_reason_of(failure->event, failure->reason);
    failed->stale = true;
    if (edda_pg_rows(result) > 0) {
        struct edda_job_row before = read_job(&row);
        struct edda_job_input input = {.event = failure->event,
                                       .token = failure->lease.token,
                                       .now_ms = edda_pg_bigint(&row, NOW),
                                       .retry_after_ms = failure->retry_after_ms,
                                       .random = edda_random32()};
        failed->stale = !edda_job_next(&before, &input, &after);
    }
    if (edda_pg_rows(result) > 0 && row.error) {
        return row.error;
    }
    if (!failed->stale) {
        failed->dead = after.state == EDDA_JOB_DEAD;
        call->jobs_ready = after.state == EDDA_JOB_READY;
        edda_pg_call_say(call, EDDA_PGSQL_JOB_SET,
                         VALUES(BIGINT(failure->lease.job), BIGINT(after.state),
                                BIGINT(after.attempts), BIGINT(after.deaths), BIGINT(after.delays),
                                BIGINT(after.solo), BIGINT(after.run_at_ms), TEXT(reason)),
                         NULL);
    }
    if (failed->dead && edda_row_kind_of((int64_t)failure->lease.job) == EDDA_JOB_CHUNK) {
        edda_pg_call_say(
            call, EDDA_PGSQL_VERSION_DIE,
            VALUES(BIGINT(edda_row_version_of((int64_t)failure->lease.job)), TEXT(reason)), NULL);
    } else if (failed->dead) {
        int64_t version =
            edda_row_version_of(edda_row_part_row_of_job((int64_t)failure->lease.job));
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_LOCK_PROJECT, VALUES(BIGINT(version)), NULL);
        edda_pg_call_say(call, EDDA_PGSQL_EMBED_SHOW, VALUES(BIGINT(version)), NULL);
    }
    edda_pg_call_commit(call);
    return 0;
}

static int on_fail(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_failure *failure = call->request.arguments;
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_JOB_FIND,
                     VALUES(BIGINT(failure->lease.job), UUID(&failure->lease.memo)), on_failing);
    return 0;
}

int edda_postgres_fail(struct edda_pg_call *call) {
    const struct edda_failure *failure = call->request.arguments;
    if (failure->event < EDDA_JOB_RETURNED || failure->event > EDDA_JOB_DIED) {
        return EDDA_E_INVALID;
    }
    return edda_pg_call_begin(call, on_fail, NULL);
}

/* ---- release and redrive ---- */

static int on_released(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_count *released = call->record;
    released->count = edda_pg_changed(result);
    call->jobs_ready = released->count > 0;
    edda_metric_add(EDDA_METRIC_STORE_REDELIVERED, "restart", released->count);
    return 0;
}

static int on_release(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_JOBS_CLAMP,
                     VALUES(BIGINT(EDDA_JOB_BACKOFF_MAX_MS), BIGINT(EDDA_LEASE_MAX_MS),
                            BIGINT(call->store->lease_ms)),
                     NULL);
    edda_pg_call_say(call, EDDA_PGSQL_JOBS_RELEASE, VALUES(BIGINT(holder_of(call))), on_released);
    edda_pg_call_commit(call);
    return 0;
}

/* Of lives that are over: those whose lock nobody holds (listener.h). */
int edda_postgres_release(struct edda_pg_call *call) {
    return edda_pg_call_begin(call, on_release, NULL);
}

static int on_redriven(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_count *redriven = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    redriven->count = (uint64_t)edda_pg_bigint(&row, 0);
    call->jobs_ready = redriven->count > 0;
    return row.error;
}

static int on_redrive(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_redrive *redrive = call->request.arguments;
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_JOBS_REDRIVE,
                     VALUES(BIGINT(redrive->all ? 0 : redrive->id), TEXT(call->request.project)),
                     on_redriven);
    edda_pg_call_say(call, EDDA_PGSQL_VERSIONS_REVIVE,
                     VALUES(BIGINT(redrive->all ? 0 : edda_row_version_of((int64_t)redrive->id)),
                            TEXT(call->request.project)),
                     NULL);
    edda_pg_call_commit(call);
    return 0;
}

int edda_postgres_redrive(struct edda_pg_call *call) {
    const struct edda_store_redrive *redrive = call->request.arguments;
    if (!redrive->all && redrive->id == 0) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "which job, or all?");
    }
    return edda_pg_call_begin(call, on_redrive, NULL);
}
