/* actors/store/postgres/remove.c: deleting is a mark at once and rows later, in small slices. */
#include "actors/store/postgres/heads.h"
#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"

#define SLICE_MEMOS   50
#define SLICE_ROWS    2000 /* of chunks and vectors */
#define SLICE_TEXTS   500  /* and of other things */
#define SLICE_SETTLED 1000

/* ---- burying ---- */

/* Marks memos as deleted: nobody finds them from now on, their jobs are gone. Jobs and versions go
 * before the memos are locked, as every transaction locks, and once more behind: a patch may have
 * made new ones meanwhile. */
static void say_bury(struct edda_pg_call *call, const struct edda_pg_built *memos) {
    for (int i = 0; i < 2; i++) {
        edda_pg_call_say(call, EDDA_PGSQL_JOBS_OF_MEMOS_DROP, VALUES(BUILT(memos)), NULL);
        edda_pg_call_say(call, EDDA_PGSQL_VERSIONS_BURY, VALUES(BUILT(memos)), NULL);
        if (i == 0) {
            edda_pg_call_say(call, EDDA_PGSQL_MEMOS_LOCK, VALUES(BUILT(memos)), NULL);
            edda_pg_call_say(call, EDDA_PGSQL_MEMOS_LOCK_PROJECTS, VALUES(BUILT(memos)), NULL);
        }
    }
    edda_pg_call_say(call, EDDA_PGSQL_MEMOS_BURY, VALUES(BUILT(memos)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_MEMOS_LOOK, VALUES(BUILT(memos)), NULL);
}

static int on_delete(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_pg_memo_head *head = call->state;
    struct edda_pg_built memos;
    (void)none;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&memos, &call->buffer, EDDA_PG_BIGINT);
    edda_pg_array_bigint(&memos, head->id);
    if (call->buffer.error) {
        return call->buffer.error;
    }
    say_bury(call, &memos);
    edda_pg_call_commit(call);
    return 0;
}

static int on_found(struct edda_pg_call *call, edda_pg_result_t *result) {
    int error = edda_pg_read_head(call, result, call->state);
    return error ? error : edda_pg_call_begin(call, on_delete, NULL);
}

int edda_postgres_delete(struct edda_pg_call *call) {
    const struct edda_store_select *select = call->request.arguments;
    struct edda_pg_memo_head *head = edda_pg_call_need_state(call, sizeof *head);
    return head ? edda_pg_find_head(call, select->id, select->by_reference, on_found)
                : EDDA_E_MEMORY;
}

/* ---- sweeping: one transaction after the other ---- */

static struct edda_swept *swept_of(const struct edda_pg_call *call) {
    return call->record;
}

static void count(struct edda_pg_call *call, uint64_t rows, uint64_t most) {
    swept_of(call)->rows += rows;
    swept_of(call)->more = swept_of(call)->more || rows >= most;
}

static int on_old_dropped(struct edda_pg_call *call, edda_pg_result_t *result) {
    count(call, edda_pg_changed(result), SLICE_TEXTS);
    return 0;
}

static int on_memos_dropped(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    count(call, (uint64_t)edda_pg_bigint(&row, 0), SLICE_TEXTS);
    return row.error;
}

static int on_settled(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_bigint(&row, 0) > 0) {
        swept_of(call)->more = true; /* at least the look that finds nothing more */
    }
    swept_of(call)->rows += (uint64_t)edda_pg_bigint(&row, 1);
    return row.error;
}

static int on_sweep_old(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_STAGING_DROP,
                     VALUES(BIGINT(EDDA_KEEP_STAGED_MS), BIGINT(SLICE_TEXTS)), on_old_dropped);
    edda_pg_call_say(call, EDDA_PGSQL_TAGS_BURIED_DROP,
                     VALUES(BIGINT(EDDA_KEEP_TOMBSTONE_MS), BIGINT(SLICE_TEXTS)), on_old_dropped);
    edda_pg_call_say(call, EDDA_PGSQL_MEMOS_BURIED_DROP,
                     VALUES(BIGINT(EDDA_KEEP_TOMBSTONE_MS), BIGINT(SLICE_TEXTS)), on_memos_dropped);
    edda_pg_call_say(call, EDDA_PGSQL_IDEMPOTENCY_DROP,
                     VALUES(BIGINT(EDDA_KEEP_IDEMPOTENCY_MS), BIGINT(SLICE_TEXTS)), on_old_dropped);
    edda_pg_call_say(call, EDDA_PGSQL_SETTLE, VALUES(BIGINT(SLICE_SETTLED)), on_settled);
    edda_pg_call_commit(call);
    return 0;
}

static int sweep_old(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return edda_pg_call_begin(call, on_sweep_old, NULL);
}

/* What is left of versions whose chunks are all gone, and they themselves. */
static int on_emptied(struct edda_pg_call *call, edda_pg_result_t *result) {
    count(call, edda_pg_changed(result), SLICE_TEXTS);
    return 0;
}

static int on_chunks_dropped(struct edda_pg_call *call, edda_pg_result_t *result) {
    count(call, edda_pg_changed(result), SLICE_ROWS);
    return 0;
}

/* Superseded versions, and parts nobody came for. */
static int on_versions(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_built versions;
    size_t found = edda_pg_rows(result);
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&versions, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < found; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        edda_pg_array_bigint(&versions, edda_pg_bigint(&row, 0));
        if (row.error) {
            return row.error;
        }
    }
    if (call->buffer.error) {
        return call->buffer.error;
    }
    swept_of(call)->more = swept_of(call)->more || found == SLICE_MEMOS;
    if (found > 0) {
        edda_pg_call_say(call, EDDA_PGSQL_VECTORS_DROP,
                         VALUES(BUILT(&versions), BIGINT(SLICE_ROWS)), on_chunks_dropped);
        edda_pg_call_say(call, EDDA_PGSQL_CHUNKS_DROP, VALUES(BUILT(&versions), BIGINT(SLICE_ROWS)),
                         on_chunks_dropped);
        edda_pg_call_say(call, EDDA_PGSQL_PART_TEXTS_DROP,
                         VALUES(BUILT(&versions), BIGINT(SLICE_TEXTS)), on_emptied);
        edda_pg_call_say(call, EDDA_PGSQL_VERSIONS_DROP, VALUES(BUILT(&versions)), NULL);
    }
    edda_pg_call_commit(call);
    return 0;
}

static int on_sweep_versions(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    edda_pg_call_say(
        call, EDDA_PGSQL_VERSIONS_SETTLED,
        VALUES(BIGINT(EDDA_KEEP_SUPERSEDED_MS), BIGINT(EDDA_KEEP_STAGED_MS), BIGINT(SLICE_MEMOS)),
        on_versions);
    return 0;
}

static int sweep_versions(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return edda_pg_call_begin(call, on_sweep_versions, sweep_old);
}

static int on_bury_expired(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_pg_built *memos = call->state;
    (void)none;
    say_bury(call, memos);
    edda_pg_call_commit(call);
    return 0;
}

static int on_expired(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_built *memos = edda_pg_call_need_state(call, sizeof *memos);
    size_t found = edda_pg_rows(result);
    if (found == 0) {
        return sweep_versions(call, NULL);
    }
    if (!memos) {
        return EDDA_E_MEMORY;
    }
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(memos, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < found; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        edda_pg_array_bigint(memos, edda_pg_bigint(&row, 0));
        if (row.error) {
            return row.error;
        }
    }
    count(call, found, SLICE_MEMOS);
    return call->buffer.error ? call->buffer.error
                              : edda_pg_call_begin(call, on_bury_expired, sweep_versions);
}

static int on_clamped(struct edda_pg_call *call, edda_pg_result_t *result) {
    call->jobs_ready = edda_pg_changed(result) > 0;
    return edda_pg_call_run(call, EDDA_PGSQL_MEMOS_EXPIRED,
                            VALUES(BIGINT(EDDA_KEEP_EXPIRED_MS), BIGINT(SLICE_MEMOS)), on_expired);
}

int edda_postgres_sweep(struct edda_pg_call *call) {
    return edda_pg_call_run(call, EDDA_PGSQL_JOBS_CLAMP,
                            VALUES(BIGINT(EDDA_JOB_BACKOFF_MAX_MS), BIGINT(EDDA_LEASE_MAX_MS),
                                   BIGINT(call->store->lease_ms)),
                            on_clamped);
}
