/* actors/store/sqlite/admin.c: keys, the list of jobs, statistics, and the probe of health. */
#include "actors/runtime/clock.h"
#include "actors/store/rows.h"
#include "actors/store/sqlite/store.h"
#include "actors/store/sqlite/versions.h"
#include "proto/uuid.h"

#define MOST_KEYS    1000
#define DEFAULT_JOBS 100
#define MOST_JOBS    1000
#define LISTED_BYTES (768u * 1024u) /* what a frame has room for */

/* ---- keys ---- */

static int read_key(sqlite3_stmt *row, struct edda_arena *arena, struct edda_store_key *key) {
    *key = (struct edda_store_key){.uuid = edda_column_uuid(row, 0),
                                   .created_wall_ms = sqlite3_column_int64(row, 4),
                                   .revoked = sqlite3_column_int64(row, 5) != 0,
                                   .rate = (uint32_t)sqlite3_column_int64(row, 6),
                                   .concurrency = (uint32_t)sqlite3_column_int64(row, 7)};
    int error = edda_column_copy(row, 1, arena, &key->project);
    error = error ? error : edda_column_copy(row, 2, arena, &key->name);
    return error ? error : edda_column_copy(row, 3, arena, &key->prefix);
}

int edda_key_create_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_uuid uuid = edda_uuid_is_nil(&key->uuid) ? edda_uuid_new() : key->uuid;
    sqlite3_stmt *row = NULL;
    if (key->hash.size == 0 || key->project.size == 0) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "a key needs a hash and a project");
    }
    int error = edda_query_run(turn->database, EDDA_SQL_KEY_INSERT,
                               VALUES(UUID(&uuid), TEXT(key->project),
                                      TEXT(edda_text_or_empty(key->name)), BLOB(key->hash),
                                      TEXT(edda_text_or_empty(key->prefix)), INTEGER(turn->wall_ms),
                                      INTEGER(key->rate), INTEGER(key->concurrency)),
                               NULL);
    if (error) {
        return error;
    }
    int found = edda_query_one(turn->database, EDDA_SQL_KEY_FIND, VALUES(BLOB(key->hash)), &row);
    if (found == 1) {
        error = read_key(row, &call->arena, call->record);
        edda_query_end(row);
        return error;
    }
    return found < 0 ? found : EDDA_E_CONFLICT;
}

int edda_key_check_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_store_key *ret_key = call->record;
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(reader->database, EDDA_SQL_KEY_FIND, VALUES(BLOB(key->hash)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_NOT_FOUND;
    }
    int error = read_key(row, &call->arena, ret_key);
    edda_query_end(row);
    return error ? error : ret_key->revoked ? EDDA_E_NOT_FOUND : 0;
}

int edda_key_list_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_store_keys *keys = call->record;
    struct edda_text project = key ? key->project : (struct edda_text){NULL, 0};
    sqlite3_stmt *row = NULL;
    struct edda_store_key *items = edda_arena_take(&call->arena, MOST_KEYS * sizeof(*items));
    int found = items ? edda_query_begin(reader->database, EDDA_SQL_KEY_LIST,
                                         VALUES(TEXT(project), INTEGER(MOST_KEYS)), &row)
                      : EDDA_E_MEMORY;
    keys->keys.items = items;
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        found = read_key(row, &call->arena, &items[keys->keys.count++]);
    }
    edda_query_end(row);
    return found;
}

int edda_key_revoke_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_store_count *revoked = call->record;
    struct edda_bytes uuid = {key->uuid.bytes, 16};
    struct edda_bytes none = {NULL, 0};
    int64_t count = 0;
    struct edda_text prefix = key->prefix.size ? key->prefix : (struct edda_text){NULL, 0};
    int error = edda_query_run(turn->database, EDDA_SQL_KEY_REVOKE,
                               VALUES(INTEGER(turn->wall_ms),
                                      BLOB(edda_uuid_is_nil(&key->uuid) ? none : uuid),
                                      BLOB(key->hash.size ? key->hash : none), TEXT(prefix)),
                               &count);
    revoked->count = (uint64_t)count;
    return error;
}

/* ---- jobs ---- */

static int read_listed_job(sqlite3_stmt *row, struct edda_arena *arena,
                           struct edda_store_job *job) {
    int64_t id = sqlite3_column_int64(row, 0);
    *job = (struct edda_store_job){
        .id = (uint64_t)id,
        .memo = edda_column_uuid(row, 1),
        .version = (uint64_t)sqlite3_column_int64(row, 4),
        .part = edda_row_part_of(id),
        .state =
            edda_text_of(edda_job_state_name((enum edda_job_state)sqlite3_column_int64(row, 5))),
        .attempts = (uint32_t)sqlite3_column_int64(row, 6),
        .deaths = (uint32_t)sqlite3_column_int64(row, 7),
        .run_at_wall_ms = sqlite3_column_int64(row, 9),
    };
    int error = edda_column_copy(row, 2, arena, &job->project);
    error = error ? error : edda_column_copy(row, 3, arena, &job->title);
    return error ? error : edda_column_copy(row, 8, arena, &job->error);
}

int edda_jobs_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    static const struct edda_store_jobs_query everything = {0};
    const struct edda_store_jobs_query *query =
        call->request.arguments ? call->request.arguments : &everything;
    struct edda_store_jobs *jobs = call->record;
    uint32_t limit = query->limit ? query->limit : DEFAULT_JOBS;
    int64_t first_state = query->dead ? EDDA_JOB_DEAD : EDDA_JOB_READY;
    int64_t total = 0;
    size_t bytes = 0;
    sqlite3_stmt *row = NULL;
    limit = limit < MOST_JOBS ? limit : MOST_JOBS;
    struct edda_store_job *items = edda_arena_take(&call->arena, limit * sizeof(*items));
    int found = items
                    ? edda_query_integer(reader->database, EDDA_SQL_JOB_COUNT,
                                         VALUES(INTEGER(first_state), TEXT(call->request.project)),
                                         0, &total)
                    : EDDA_E_MEMORY;
    if (!found) {
        found = edda_query_begin(reader->database, EDDA_SQL_JOB_LIST,
                                 VALUES(INTEGER(query->after), INTEGER(first_state),
                                        TEXT(call->request.project), INTEGER(limit)),
                                 &row);
    }
    jobs->total = (uint64_t)total;
    jobs->jobs.items = items;
    while (!found && bytes < LISTED_BYTES &&
           (found = edda_query_next(reader->database, row)) == 1) {
        struct edda_store_job *job = &items[jobs->jobs.count++];
        found = read_listed_job(row, &call->arena, job);
        bytes += job->title.size + job->error.size + job->project.size + 128;
    }
    edda_query_end(row);
    return found;
}

/* ---- statistics and health ---- */

int edda_statistics_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    struct edda_store_statistics *statistics = call->record;
    sqlite3_stmt *row = NULL;
    int64_t now_ms = edda_sqlite_now(reader->store);
    int found = edda_query_one(reader->database, EDDA_SQL_STATISTICS, NO_VALUES, &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    uint64_t *const fields[] = {&statistics->projects,    &statistics->memos,
                                &statistics->chunks,      &statistics->memos_processing,
                                &statistics->memos_error, &statistics->jobs_ready,
                                &statistics->jobs_leased, &statistics->jobs_dead};
    for (int i = 0; i < 8; i++) {
        *fields[i] = (uint64_t)sqlite3_column_int64(row, i);
    }
    int64_t oldest_ms = sqlite3_column_int64(row, 8);
    if (sqlite3_column_type(row, 8) != SQLITE_NULL && oldest_ms < now_ms) {
        statistics->oldest_ready_ms = (uint64_t)(now_ms - oldest_ms);
    }
    edda_query_end(row);
    int64_t bytes = 0;
    found = edda_query_integer(reader->database, EDDA_SQL_DATABASE_BYTES, NO_VALUES, 0, &bytes);
    statistics->database_bytes = (uint64_t)bytes;
    statistics->index_bytes = edda_catalogue_bytes(reader->store->catalogue);
    return found;
}

int edda_probe_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    int64_t at_ms = 0;
    (void)call;
    return edda_query_integer(reader->database, EDDA_SQL_PROBE_READ, NO_VALUES, 0, &at_ms);
}

int edda_probe_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    (void)call;
    return edda_query_run(turn->database, EDDA_SQL_PROBE_WRITE, VALUES(INTEGER(turn->wall_ms)),
                          NULL);
}
