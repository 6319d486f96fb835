/* actors/store/postgres/admin.c: keys, the list of jobs, statistics. */
#include "actors/runtime/clock.h"
#include "actors/store/content.h"
#include "actors/store/postgres/catalogue.h"
#include "actors/store/postgres/read.h"
#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"
#include "proto/uuid.h"

#define MOST_KEYS    1000
#define DEFAULT_JOBS 100
#define MOST_JOBS    1000
#define LISTED_BYTES (768u * 1024u) /* what a frame has room for */

/* ---- keys ---- */

static int read_key(const edda_pg_result_t *result, size_t number, struct edda_store_key *key) {
    struct edda_pg_row row = edda_pg_row(result, number);
    *key = (struct edda_store_key){
        .uuid = edda_pg_uuid(&row, 0),
        .project = edda_pg_text(&row, 1),
        .name = edda_pg_text(&row, 2),
        .prefix = edda_pg_text(&row, 3),
        .created_wall_ms = edda_pg_bigint(&row, 4),
        .revoked = edda_pg_bigint(&row, 5) != 0,
        .rate = (uint32_t)edda_pg_bigint(&row, 6),
        .concurrency = (uint32_t)edda_pg_bigint(&row, 7),
    };
    return row.error;
}

static int on_created_key(struct edda_pg_call *call, edda_pg_result_t *result) {
    edda_pg_call_keep(call);
    return edda_pg_rows(result) ? read_key(result, 0, call->record) : EDDA_E_CONFLICT;
}

static int create_key(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_uuid uuid = edda_uuid_is_nil(&key->uuid) ? edda_uuid_new() : key->uuid;
    (void)result;
    edda_pg_call_say(call, EDDA_PGSQL_KEY_INSERT,
                     VALUES(UUID(&uuid), TEXT(key->project), TEXT(edda_text_or_empty(key->name)),
                            BYTEA(key->hash), TEXT(edda_text_or_empty(key->prefix)),
                            BIGINT(key->rate), BIGINT(key->concurrency)),
                     NULL);
    edda_pg_call_say(call, EDDA_PGSQL_KEY_FIND, VALUES(BYTEA(key->hash)), on_created_key);
    edda_pg_call_commit(call);
    return 0;
}

int edda_postgres_key_create(struct edda_pg_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    if (key->hash.size == 0 || key->project.size == 0) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "a key needs a hash and a project");
    }
    return edda_pg_call_begin(call, create_key, NULL);
}

static int on_checked_key(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_key *key = call->record;
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_NOT_FOUND;
    }
    edda_pg_call_keep(call);
    int error = read_key(result, 0, key);
    return error ? error : key->revoked ? EDDA_E_NOT_FOUND : 0;
}

int edda_postgres_key_check(struct edda_pg_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    return edda_pg_call_run(call, EDDA_PGSQL_KEY_FIND, VALUES(BYTEA(key->hash)), on_checked_key);
}

static int on_keys(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_keys *keys = call->record;
    size_t rows = edda_pg_rows(result);
    int error = 0;
    edda_pg_call_keep(call);
    keys->keys.items = edda_arena_take(&call->arena, (rows + 1) * sizeof(*keys->keys.items));
    if (!keys->keys.items) {
        return EDDA_E_MEMORY;
    }
    while (keys->keys.count < rows && !error) {
        error = read_key(result, keys->keys.count, &keys->keys.items[keys->keys.count]);
        keys->keys.count++;
    }
    return error;
}

int edda_postgres_key_list(struct edda_pg_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_text project = key ? key->project : (struct edda_text){NULL, 0};
    return edda_pg_call_run(call, EDDA_PGSQL_KEY_LIST, VALUES(TEXT(project), BIGINT(MOST_KEYS)),
                            on_keys);
}

static int on_revoked(struct edda_pg_call *call, edda_pg_result_t *result) {
    ((struct edda_store_count *)call->record)->count = edda_pg_changed(result);
    return 0;
}

int edda_postgres_key_revoke(struct edda_pg_call *call) {
    const struct edda_store_key *key = call->request.arguments;
    struct edda_bytes none = {NULL, 0};
    struct edda_text prefix = key->prefix.size ? key->prefix : (struct edda_text){NULL, 0};
    return edda_pg_call_run(
        call, EDDA_PGSQL_KEY_REVOKE,
        VALUES(edda_uuid_is_nil(&key->uuid) ? NOTHING(EDDA_PG_UUID) : UUID(&key->uuid),
               BYTEA(key->hash.size ? key->hash : none), TEXT(prefix)),
        on_revoked);
}

/* ---- jobs ---- */

static int read_job(const edda_pg_result_t *result, size_t number, struct edda_store_job *job) {
    struct edda_pg_row row = edda_pg_row(result, number);
    int64_t id = edda_pg_bigint(&row, 1);
    *job = (struct edda_store_job){
        .id = (uint64_t)id,
        .memo = edda_pg_uuid(&row, 2),
        .project = edda_pg_text(&row, 3),
        .title = edda_pg_text(&row, 4),
        .version = (uint64_t)edda_pg_bigint(&row, 5),
        .part = edda_row_part_of(id),
        .state = edda_text_of(edda_job_state_name((enum edda_job_state)edda_pg_bigint(&row, 6))),
        .attempts = (uint32_t)edda_pg_bigint(&row, 7),
        .deaths = (uint32_t)edda_pg_bigint(&row, 8),
        .error = edda_pg_text(&row, 9),
        .run_at_wall_ms = edda_pg_bigint(&row, 10),
    };
    return row.error;
}

static int on_jobs(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_jobs *jobs = call->record;
    struct edda_store_job *items = NULL;
    size_t bytes = 0;
    size_t rows = 0;
    int error =
        edda_pg_list_rows(call, result, 1, sizeof *items, &jobs->total, (void **)&items, &rows);
    jobs->jobs.items = items;
    while (!error && jobs->jobs.count < rows && bytes < LISTED_BYTES) {
        struct edda_store_job *job = &items[jobs->jobs.count];
        error = read_job(result, jobs->jobs.count++, job);
        bytes += job->title.size + job->error.size + job->project.size + 128;
    }
    return error;
}

int edda_postgres_jobs(struct edda_pg_call *call) {
    static const struct edda_store_jobs_query everything = {0};
    const struct edda_store_jobs_query *query =
        call->request.arguments ? call->request.arguments : &everything;
    uint32_t limit = query->limit ? query->limit : DEFAULT_JOBS;
    return edda_pg_call_run(call, EDDA_PGSQL_JOB_LIST,
                            VALUES(BIGINT(query->after),
                                   BIGINT(limit < MOST_JOBS ? limit : MOST_JOBS),
                                   BOOLEAN(query->dead), TEXT(call->request.project)),
                            on_jobs);
}

/* ---- statistics ---- */

static int on_statistics(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_statistics *statistics = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    uint64_t *const fields[] = {
        &statistics->projects,         &statistics->memos,       &statistics->chunks,
        &statistics->memos_processing, &statistics->memos_error, &statistics->jobs_ready,
        &statistics->jobs_leased,      &statistics->jobs_dead,   &statistics->database_bytes};
    for (int i = 0; i < 9; i++) {
        *fields[i] = (uint64_t)edda_pg_bigint(&row, i);
    }
    statistics->index_bytes = edda_pg_catalogue_bytes(call->store->catalogue);
    statistics->oldest_ready_ms = (uint64_t)edda_pg_bigint_or(&row, 9, 0);
    return row.error;
}

int edda_postgres_statistics(struct edda_pg_call *call) {
    return edda_pg_call_run(call, EDDA_PGSQL_STATISTICS, NO_VALUES, on_statistics);
}
