/* actors/store/sqlite/versions.c: versions, their parts and jobs. */
#include "actors/store/sqlite/versions.h"

#include "actors/store/rows.h"
#include "actors/store/sqlite/reembed.h"
#include "actors/store/sqlite/store.h"
#include "proto/uuid.h"

/* ---- measuring ---- */

static int read_staged(edda_database_t *database, struct edda_arena *arena, int64_t version,
                       uint32_t count, struct edda_text format, struct edda_content *content) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_begin(
        database, EDDA_SQL_PARTS_WITH_TEXT,
        VALUES(INTEGER(edda_row_part(version, 0)), INTEGER(edda_row_last_part(version))), &row);
    while (!found && (found = edda_query_next(database, row)) == 1) {
        bool in_order = edda_row_part_of(sqlite3_column_int64(row, 0)) == content->count;
        found = in_order ? edda_content_add(arena, format, edda_column_text(row, 4),
                                            edda_column_blob(row, 3),
                                            (uint64_t)sqlite3_column_int64(row, 2), count, content)
                         : EDDA_E_INVALID;
    }
    edda_query_end(row);
    return found;
}

int edda_content_staged(edda_database_t *database, struct edda_arena *arena, int64_t project,
                        const struct edda_uuid *uuid, uint32_t count, uint64_t content_bytes,
                        struct edda_text format, struct edda_content *ret_content) {
    int64_t version = 0;
    int error = edda_content_begin(arena, count, ret_content);
    if (!error) {
        error = edda_query_integer(database, EDDA_SQL_STAGING_OPEN,
                                   VALUES(INTEGER(project), UUID(uuid)), 0, &version);
    }
    if (error || version == 0) {
        return error;
    }
    ret_content->staged = version;
    error = read_staged(database, arena, version, count, format, ret_content);
    return error ? error : edda_content_end(count, content_bytes, ret_content);
}

/* ---- writing ---- */

int edda_part_write(struct edda_turn *turn, int64_t row, uint64_t first_byte,
                    const struct edda_part_facts *facts, struct edda_text text) {
    struct edda_bytes sha = {facts->sha, EDDA_SHA_BYTES};
    int error = edda_query_run(turn->database, EDDA_SQL_PART_PUT,
                               VALUES(INTEGER(row), INTEGER(first_byte), INTEGER(facts->bytes),
                                      INTEGER(facts->length), BLOB(sha), TEXT(facts->heading)),
                               NULL);
    if (error) {
        return error;
    }
    return edda_query_run(turn->database, EDDA_SQL_PART_TEXT_PUT,
                          VALUES(INTEGER(row), TEXT(edda_text_or_empty(text))), NULL);
}

static int insert_version(struct edda_turn *turn, int64_t memo, int64_t number,
                          const struct edda_content *content, int64_t *ret_version) {
    struct edda_bytes sha = {content->sha, EDDA_SHA_BYTES};
    int error = edda_query_run(
        turn->database, EDDA_SQL_VERSION_INSERT,
        VALUES(INTEGER(memo), INTEGER(number), INTEGER(EDDA_VERSION_OPEN), INTEGER(content->count),
               INTEGER(content->count), INTEGER(content->bytes), INTEGER(content->length),
               BLOB(sha), TEXT(content->snippet), INTEGER(turn->wall_ms), INTEGER(turn->wall_ms)),
        NULL);
    if (error) {
        return error;
    }
    int64_t version = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
    uint64_t first_byte = 0;
    for (size_t i = 0; i < content->count && !error; i++) {
        error = edda_part_write(turn, edda_row_part(version, (uint32_t)i), first_byte,
                                &content->parts[i], content->texts->items[i]);
        first_byte += content->parts[i].bytes;
    }
    *ret_version = version;
    return error;
}

static int adopt_staged(struct edda_turn *turn, int64_t memo, int64_t number,
                        const struct edda_content *content) {
    struct edda_bytes sha = {content->sha, EDDA_SHA_BYTES};
    int64_t adopted = 0;
    int error = edda_query_run(turn->database, EDDA_SQL_VERSION_ADOPT,
                               VALUES(INTEGER(memo), INTEGER(number), INTEGER(content->count),
                                      INTEGER(content->count), INTEGER(content->bytes),
                                      INTEGER(content->length), BLOB(sha), TEXT(content->snippet),
                                      INTEGER(turn->wall_ms), INTEGER(content->staged)),
                               &adopted);
    if (!error && adopted == 0) {
        error = EDDA_E_AGAIN;
    }
    uint64_t first_byte = 0;
    for (size_t i = 0; i < content->count && !error; i++) {
        if (i > 0) {
            error = edda_query_run(turn->database, EDDA_SQL_PART_PLACE,
                                   VALUES(INTEGER(first_byte), TEXT(content->parts[i].heading),
                                          INTEGER(edda_row_part(content->staged, (uint32_t)i))),
                                   NULL);
        }
        first_byte += content->parts[i].bytes;
    }
    return error;
}

int edda_version_make(struct edda_turn *turn, int64_t project, int64_t memo, int64_t number,
                      const struct edda_content *content, int64_t *ret_version) {
    int error;
    if (content->staged) {
        *ret_version = content->staged;
        error = adopt_staged(turn, memo, number, content);
    } else {
        error = insert_version(turn, memo, number, content, ret_version);
    }
    int priority = content->staged ? EDDA_JOB_PRIORITY_STAGED : EDDA_JOB_PRIORITY_INLINE;
    for (size_t i = 0; i < content->count && !error; i++) {
        error = edda_query_run(turn->database, EDDA_SQL_JOB_INSERT,
                               VALUES(INTEGER(edda_row_part(*ret_version, (uint32_t)i)),
                                      INTEGER(project), INTEGER(priority), INTEGER(turn->now_ms)),
                               NULL);
        turn->jobs_ready = true;
    }
    return error;
}

int edda_backlog_check(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project) {
    const struct edda_sqlite *store = call->store;
    sqlite3_stmt *row = NULL;
    if (store->backlog == 0 && store->project_backlog == 0) {
        return 0;
    }
    int found = edda_query_one(turn->database, EDDA_SQL_BACKLOG, VALUES(INTEGER(project)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    int64_t mine = sqlite3_column_int64(row, 0);
    int64_t all = sqlite3_column_int64(row, 1);
    edda_query_end(row);
    if (store->project_backlog > 0 && mine >= store->project_backlog) {
        return edda_sqlite_call_fail(call, EDDA_E_QUOTA,
                                     "too much of this project is still being processed");
    }
    if (store->backlog > 0 && all >= store->backlog) {
        return edda_sqlite_call_fail(call, EDDA_E_BUSY, "too much is still being processed");
    }
    return 0;
}

/* Numbers the chunks across the parts. */
static int number_parts(struct edda_turn *turn, int64_t version, int64_t parts) {
    int64_t number = 0;
    int error = 0;
    for (int64_t i = 0; i < parts && parts > 1 && !error; i++) {
        sqlite3_stmt *row = NULL;
        int found = edda_query_one(
            turn->database, EDDA_SQL_PART_NUMBER,
            VALUES(INTEGER(number), INTEGER(edda_row_part(version, (uint32_t)i))), &row);
        if (found == 1) {
            number += sqlite3_column_int64(row, 0);
            found = edda_query_next(turn->database, row);
            edda_query_end(row);
        }
        error = found;
    }
    return error;
}

int edda_version_complete(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                          int64_t memo, int64_t version) {
    edda_database_t *database = turn->database;
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(database, EDDA_SQL_VERSION_COMPLETE,
                               VALUES(INTEGER(turn->wall_ms), INTEGER(version)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    int64_t parts = sqlite3_column_int64(row, 0);
    int64_t chunks = sqlite3_column_int64(row, 1);
    edda_query_end(row);
    int error = number_parts(turn, version, parts);
    int64_t old = 0;
    int64_t old_chunks = 0;
    if (!error) {
        error = edda_query_integer(database, EDDA_SQL_MEMO_CURRENT, VALUES(INTEGER(memo)), 0, &old);
    }
    if (!error && old) {
        error = edda_query_integer(database, EDDA_SQL_VERSION_SUPERSEDE,
                                   VALUES(INTEGER(turn->wall_ms), INTEGER(old)), 0, &old_chunks);
    }
    if (!error) {
        error = edda_query_run(database, EDDA_SQL_MEMO_SHOW,
                               VALUES(INTEGER(version), INTEGER(memo)), NULL);
    }
    if (!error) {
        error = edda_query_run(database, EDDA_SQL_PROJECT_COUNT,
                               VALUES(INTEGER(0), INTEGER(chunks - old_chunks), INTEGER(project)),
                               NULL);
    }
    if (!error) {
        error = edda_reembed_version(turn, call, project, version, old);
    }
    return error ? error : edda_call_change(call, (uint64_t)project, memo, true);
}

int edda_version_supersede(struct edda_turn *turn, int64_t version) {
    int64_t chunks = 0;
    int error = edda_query_run(
        turn->database, EDDA_SQL_JOBS_DROP,
        VALUES(INTEGER(edda_row_part(version, 0)), INTEGER(edda_row_last_part(version))), NULL);
    return error ? error
                 : edda_query_integer(turn->database, EDDA_SQL_VERSION_SUPERSEDE,
                                      VALUES(INTEGER(turn->wall_ms), INTEGER(version)), 0, &chunks);
}

/* ---- finding ---- */

int edda_project_find(edda_database_t *database, struct edda_text name, int64_t *ret_project) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(database, EDDA_SQL_PROJECT_FIND, VALUES(TEXT(name)), &row);
    if (found == 1) {
        *ret_project = sqlite3_column_int64(row, 0);
        edda_query_end(row);
    }
    return found;
}

int edda_project_need(struct edda_turn *turn, struct edda_text name, int64_t *ret_project) {
    if (name.size == 0 || name.size > EDDA_MAX_NAME) {
        return EDDA_E_INVALID;
    }
    int found = edda_project_find(turn->database, name, ret_project);
    if (found == 0) {
        int error =
            edda_query_run(turn->database, EDDA_SQL_PROJECT_INSERT, VALUES(TEXT(name)), NULL);
        *ret_project = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
        return error;
    }
    return found == 1 ? 0 : found;
}

static int read_head(sqlite3_stmt *row, struct edda_arena *arena, struct edda_memo_head *head) {
    head->id = sqlite3_column_int64(row, 0);
    head->uuid = edda_column_uuid(row, 1);
    head->current = sqlite3_column_int64(row, 4);
    head->latest = sqlite3_column_int64(row, 5);
    head->number = sqlite3_column_int64(row, 6);
    head->state = (enum edda_version_state)sqlite3_column_int64(row, 7);
    struct edda_bytes sha = edda_column_blob(row, 8);
    if (sha.size == EDDA_SHA_BYTES) {
        memcpy(head->sha, sha.data, EDDA_SHA_BYTES);
    }
    int error = edda_column_copy(row, 2, arena, &head->title);
    return error ? error : edda_column_copy(row, 3, arena, &head->format);
}

int edda_memo_find(edda_database_t *database, struct edda_arena *arena, struct edda_text project,
                   struct edda_text id, bool by_reference, struct edda_memo_head *ret_head) {
    struct edda_uuid uuid;
    *ret_head = (struct edda_memo_head){0};
    if (!by_reference && edda_uuid_parse(id, &uuid)) {
        return EDDA_E_NOT_FOUND;
    }
    sqlite3_stmt *row = NULL;
    int found = edda_project_find(database, project, &ret_head->project);
    if (found == 1) {
        found = by_reference
                    ? edda_query_one(database, EDDA_SQL_MEMO_BY_REFERENCE,
                                     VALUES(INTEGER(ret_head->project), TEXT(id)), &row)
                    : edda_query_one(database, EDDA_SQL_MEMO_BY_UUID,
                                     VALUES(INTEGER(ret_head->project), UUID(&uuid)), &row);
    }
    if (found != 1) {
        return found < 0 ? found : EDDA_E_NOT_FOUND;
    }
    int error = read_head(row, arena, ret_head);
    edda_query_end(row);
    return error;
}
