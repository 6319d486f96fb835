/* actors/store/sqlite/remove.c: deleting is a mark at once and rows later, in small slices. */
#include "actors/store/rows.h"
#include "actors/store/sqlite/reembed.h"
#include "actors/store/sqlite/versions.h"

#define SLICE 500 /* rows of one kind a sweep removes */

/* Marks a memo as deleted: nobody finds it from now on, its jobs are gone. */
static int bury(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                int64_t memo) {
    int64_t chunks = 0;
    int64_t buried = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_MEMO_CURRENT_CHUNKS,
                                   VALUES(INTEGER(memo)), 0, &chunks);
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_MEMO_BURY,
                               VALUES(INTEGER(turn->wall_ms), INTEGER(memo)), &buried);
    }
    if (error || buried == 0) {
        return error;
    }
    error = edda_query_run(turn->database, EDDA_SQL_JOBS_OF_MEMO_DROP,
                           VALUES(INTEGER(EDDA_ROW_PART_BITS), INTEGER(memo)), NULL);
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_VERSIONS_BURY, VALUES(INTEGER(memo)), NULL);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_PROJECT_COUNT,
                               VALUES(INTEGER(-1), INTEGER(-chunks), INTEGER(project)), NULL);
    }
    if (!error) {
        error = edda_reembed_look(turn, call, project, NULL);
    }
    return error ? error : edda_call_change(call, (uint64_t)project, memo, false);
}

int edda_delete_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_select *select = call->request.arguments;
    struct edda_memo_head head;
    int error = edda_memo_find(turn->database, &call->arena, call->request.project, select->id,
                               select->by_reference, &head);
    return error ? error : bury(turn, call, head.project, head.id);
}

/* ---- sweeping ---- */

static int bury_expired(struct edda_turn *turn, struct edda_sqlite_call *call) {
    int64_t memos[SLICE / 10];
    int64_t projects[SLICE / 10];
    size_t count = 0;
    sqlite3_stmt *row = NULL;
    struct edda_swept *swept = call->record;
    int found = edda_query_begin(
        turn->database, EDDA_SQL_MEMOS_EXPIRED,
        VALUES(INTEGER(turn->wall_ms - EDDA_KEEP_EXPIRED_MS), INTEGER(SLICE / 10)), &row);
    while (!found && (found = edda_query_next(turn->database, row)) == 1) {
        memos[count] = sqlite3_column_int64(row, 0);
        projects[count++] = sqlite3_column_int64(row, 1);
        found = 0;
    }
    edda_query_end(row);
    for (size_t i = 0; i < count && !found; i++) {
        found = bury(turn, call, projects[i], memos[i]);
        swept->rows++;
    }
    swept->more = swept->more || count == SLICE / 10;
    return found;
}

/* Runs a limited delete and counts its rows. */
static int drop(struct edda_turn *turn, struct edda_swept *swept, enum edda_statement statement,
                int64_t first, int64_t last, int64_t *ret_rows) {
    int error = edda_query_run(turn->database, statement,
                               VALUES(INTEGER(first), INTEGER(last), INTEGER(SLICE)), ret_rows);
    swept->rows += error ? 0 : (uint64_t)*ret_rows;
    return error;
}

/* Some rows of a version, or the version itself when it has none left. */
static int drop_version(struct edda_turn *turn, struct edda_swept *swept, int64_t version) {
    int64_t first_chunk = edda_row_first_chunk(version);
    int64_t last_chunk = edda_row_last_chunk(version);
    int64_t first_part = edda_row_part(version, 0);
    int64_t last_part = edda_row_last_part(version);
    int64_t chunks = 0;
    int64_t rows = 0;
    int error = drop(turn, swept, EDDA_SQL_CHUNKS_DROP, first_chunk, last_chunk, &chunks);
    if (!error) {
        error = drop(turn, swept, EDDA_SQL_CHUNK_INDEX_DROP, first_chunk, last_chunk, &rows);
    }
    if (!error) {
        error = drop(turn, swept, EDDA_SQL_NEXT_DROP, first_chunk, last_chunk, &rows);
    }
    if (!error && chunks == SLICE) {
        swept->more = true;
        return 0;
    }
    if (!error) {
        error = drop(turn, swept, EDDA_SQL_PART_TEXTS_DROP, first_part, last_part, &rows);
    }
    if (!error && rows == SLICE) {
        swept->more = true;
        return 0;
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_PARTS_DROP,
                               VALUES(INTEGER(first_part), INTEGER(last_part)), NULL);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_JOBS_DROP,
                               VALUES(INTEGER(first_part), INTEGER(last_part)), NULL);
    }
    return error ? error
                 : edda_query_run(turn->database, EDDA_SQL_VERSION_DROP, VALUES(INTEGER(version)),
                                  NULL);
}

/* Versions in a state since before a time: superseded ones, and parts nobody came for. */
static int drop_versions(struct edda_turn *turn, struct edda_swept *swept,
                         enum edda_version_state state, int64_t before_ms) {
    int64_t versions[SLICE / 10];
    size_t count = 0;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_begin(turn->database, EDDA_SQL_VERSIONS_SETTLED,
                         VALUES(INTEGER(state), INTEGER(before_ms), INTEGER(SLICE / 10)), &row);
    while (!found && (found = edda_query_next(turn->database, row)) == 1) {
        versions[count++] = sqlite3_column_int64(row, 0);
        found = 0;
    }
    edda_query_end(row);
    uint64_t most = swept->rows + (uint64_t)SLICE * 4;
    size_t done = 0;
    for (; done < count && !found && swept->rows < most; done++) {
        found = drop_version(turn, swept, versions[done]);
    }
    swept->more = swept->more || done < count || count == SLICE / 10;
    return found;
}

static int drop_old(struct edda_turn *turn, struct edda_swept *swept, enum edda_statement statement,
                    int64_t before_ms) {
    int64_t rows = 0;
    int error = edda_query_run(turn->database, statement,
                               VALUES(INTEGER(before_ms), INTEGER(SLICE)), &rows);
    swept->rows += error ? 0 : (uint64_t)rows;
    swept->more = swept->more || rows == SLICE;
    return error;
}

int edda_sweep_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    struct edda_swept *swept = call->record;
    int64_t now_ms = turn->wall_ms;
    int error = bury_expired(turn, call);
    if (!error) {
        error =
            drop_versions(turn, swept, EDDA_VERSION_SUPERSEDED, now_ms - EDDA_KEEP_SUPERSEDED_MS);
    }
    if (!error) {
        error = drop_versions(turn, swept, EDDA_VERSION_STAGED, now_ms - EDDA_KEEP_STAGED_MS);
    }
    if (!error) {
        error = drop_old(turn, swept, EDDA_SQL_STAGING_DROP, now_ms - EDDA_KEEP_STAGED_MS);
    }
    if (!error) {
        error = drop_old(turn, swept, EDDA_SQL_TAGS_BURIED_DROP, now_ms - EDDA_KEEP_TOMBSTONE_MS);
    }
    if (!error) {
        error = drop_old(turn, swept, EDDA_SQL_MEMOS_BURIED_DROP, now_ms - EDDA_KEEP_TOMBSTONE_MS);
    }
    if (!error) {
        error = drop_old(turn, swept, EDDA_SQL_IDEMPOTENCY_DROP, now_ms - EDDA_KEEP_IDEMPOTENCY_MS);
    }
    return error ? error : edda_reembed_sweep(turn, swept);
}
