/* actors/store/postgres/vector_index.c: HNSW over the rows of one model. */
#include "actors/store/postgres/vector_index.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/postgres/migrate.h"

#define LOOK_MS 500 /* between two looks at the progress */
#define PARALLEL_SINCE                                                                             \
    "0.8.2" /* parallel builds of older ones read beyond a buffer (CVE-2026-3172) */

static const char failed[] = "the index cannot be made";

static const char list[] =
    "SELECT o.id, o.name, o.dimension,"
    " (SELECT count(*) FROM chunk_vector v WHERE v.model = o.id),"
    " (SELECT coalesce(max(p.chunks), 0) FROM project p WHERE p.model = o.id),"
    " CASE WHEN i.indexrelid IS NULL THEN 0 WHEN i.indisvalid THEN 2 ELSE 1 END,"
    " coalesce(pg_relation_size(i.indexrelid), 0)"
    " FROM model o LEFT JOIN pg_index i ON i.indexrelid = to_regclass('chunk_vector_hnsw_' || o.id)"
    " ORDER BY o.id";

static int64_t number_at(const PGresult *result, int row, int column) {
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

int edda_pg_vector_indexes(struct edda_pg_plain *database, struct edda_pg_vector_index *items,
                           size_t most, size_t *ret_count) {
    PGresult *result = PQexec(database->handle, list);
    *ret_count = 0;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        edda_pg_plain_say(database, "cannot read the database", PQerrorMessage(database->handle));
        PQclear(result);
        return EDDA_E_IO;
    }
    for (int row = 0; row < PQntuples(result) && *ret_count < most; row++) {
        struct edda_pg_vector_index *item = &items[(*ret_count)++];
        *item = (struct edda_pg_vector_index){
            .model = number_at(result, row, 0),
            .dimension = number_at(result, row, 2),
            .vectors = number_at(result, row, 3),
            .largest = number_at(result, row, 4),
            .state = (enum edda_pg_index_state)number_at(result, row, 5),
            .bytes = number_at(result, row, 6),
        };
        snprintf(item->name, sizeof item->name, "%s", PQgetvalue(result, row, 1));
    }
    PQclear(result);
    return 0;
}

/* Two that change indexes at once wait for each other, and the server ends one of them, which may
 * have built for an hour. For as long as the connection stands: a build whose program was killed
 * goes on. The number is one above migrate.c's. */
static int reserve(struct edda_pg_plain *database) {
    int64_t reserved = 0;
    int error =
        edda_pg_plain_number(database, "SELECT pg_try_advisory_lock(1701078114)::int", &reserved);
    if (!error && !reserved) {
        edda_pg_plain_say(database, "not now",
                          "another program, or what it began, makes or drops an index here");
        error = EDDA_E_BUSY;
    }
    return error;
}

static int drop(struct edda_pg_plain *database, const struct edda_pg_vector_index *index) {
    char sql[160];
    snprintf(sql, sizeof sql, "DROP INDEX CONCURRENTLY IF EXISTS chunk_vector_hnsw_%lld",
             (long long)index->model);
    return edda_pg_plain_run(database, sql, "the index cannot be dropped", NULL, 0);
}

int edda_pg_vector_index_drop(struct edda_pg_plain *database,
                              const struct edda_pg_vector_index *index) {
    int error = reserve(database);
    return error ? error : drop(database, index);
}

/* ---- building ---- */

/* It may take as long as it takes. */
static int prepare(struct edda_pg_plain *database) {
    char version[32];
    int error = edda_pg_plain_run(database, "SET statement_timeout = 0", failed, NULL, 0);
    error = error ? error : edda_pg_plain_run(database, "SET lock_timeout = 0", failed, NULL, 0);
    error = error
                ? error
                : edda_pg_plain_run(database,
                                    "SELECT extversion FROM pg_extension WHERE extname = 'vector'",
                                    failed, version, sizeof version);
    if (!error && edda_pg_is_older(version, PARALLEL_SINCE)) {
        error = edda_pg_plain_run(database, "SET max_parallel_maintenance_workers = 0", failed,
                                  NULL, 0);
    }
    return error;
}

/* pgvector counts rows and knows no total; in other phases the server counts blocks, or whom it
 * waits for. */
static void tell_progress(struct edda_pg_plain *database, struct edda_pg_plain *watch,
                          int64_t vectors, edda_pg_progress_fn progress, void *context) {
    char sql[200];
    snprintf(
        sql, sizeof sql,
        "SELECT phase, tuples_done, greatest(blocks_done, lockers_done), greatest(blocks_total,"
        " lockers_total) FROM pg_stat_progress_create_index WHERE pid = %d",
        PQbackendPID(database->handle));
    PGresult *result = PQexec(watch->handle, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0) {
        int64_t rows = number_at(result, 0, 1);
        progress(context, PQgetvalue(result, 0, 0), rows > 0 ? rows : number_at(result, 0, 2),
                 rows > 0 ? vectors : number_at(result, 0, 3));
    }
    PQclear(result);
}

/* Until the server has answered. */
static int wait_for_end(struct edda_pg_plain *database, struct edda_pg_plain *watch,
                        int64_t vectors, edda_pg_progress_fn progress, void *context) {
    struct pollfd look = {.fd = PQsocket(database->handle), .events = POLLIN};
    int error = 0;
    while (PQisBusy(database->handle) && !error) {
        if (poll(&look, 1, LOOK_MS) == 0) {
            tell_progress(database, watch, vectors, progress, context);
        } else if (!PQconsumeInput(database->handle)) {
            error = EDDA_E_UNAVAILABLE;
        }
    }
    for (PGresult *result; !error && (result = PQgetResult(database->handle)) != NULL;
         PQclear(result)) {
        error = PQresultStatus(result) == PGRES_COMMAND_OK ? error : EDDA_E_IO;
    }
    if (error) {
        edda_pg_plain_say(database, failed, PQerrorMessage(database->handle));
    }
    return error;
}

int edda_pg_vector_index_build(struct edda_pg_plain *database, struct edda_pg_plain *watch,
                               const struct edda_pg_vector_index *index,
                               edda_pg_progress_fn progress, void *context) {
    char sql[300];
    if (index->dimension > EDDA_PG_INDEX_DIMENSION) {
        edda_pg_plain_say(database, failed, "pgvector indexes vectors of up to 4000 dimensions");
        return EDDA_E_LIMIT;
    }
    int error = reserve(database);
    error = error ? error : prepare(database);
    if (!error && index->state == EDDA_PG_INDEX_BROKEN) {
        error = drop(database, index);
    }
    if (error) {
        return error;
    }
    snprintf(sql, sizeof sql,
             "CREATE INDEX CONCURRENTLY chunk_vector_hnsw_%lld ON chunk_vector USING hnsw"
             " ((vector::halfvec(%lld)) halfvec_ip_ops) WHERE model = %lld",
             (long long)index->model, (long long)index->dimension, (long long)index->model);
    if (!PQsendQuery(database->handle, sql)) {
        edda_pg_plain_say(database, failed, PQerrorMessage(database->handle));
        return EDDA_E_UNAVAILABLE;
    }
    return wait_for_end(database, watch, index->vectors, progress, context);
}
