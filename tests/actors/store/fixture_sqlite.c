/* tests/actors/store/fixture_sqlite.c: a store in a directory. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/store/sqlite/sqlite.h"
#include "tests/actors/store/fixture_store.h"

static void make_place(struct fixture *f) {
    snprintf(f->directory, sizeof(f->directory), "/tmp/edda-store-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
}

static void remove_place(struct fixture *f) {
    static const char *const names[] = {"edda.db", "edda.db-wal", "edda.db-shm", "store.lock"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    rmdir(f->directory);
}

static int open_store(struct fixture *f, char *message, size_t size) {
    struct edda_sqlite_options options = {
        .loop = f->loop,
        .directory = f->directory,
        .threads = 2,
        .lease_ms = f->lease_ms,
        .index_bytes = f->index_bytes,
        .backlog = f->backlog,
        .project_backlog = f->project_backlog,
        .events = {fixture_on_ready, f},
    };
    return edda_sqlite_open(&options, message, size, &f->backend);
}

/* ---- beside the store ---- */

static sqlite3 *open_beside(struct fixture *f) {
    char path[128];
    sqlite3 *handle = NULL;
    snprintf(path, sizeof(path), "%s/edda.db", f->directory);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    return handle;
}

static int64_t integer(struct fixture *f, const char *sql) {
    sqlite3 *handle = open_beside(f);
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(handle, sql, -1, &query, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    }
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(handle);
    return value;
}

static void run(struct fixture *f, const char *sql) {
    sqlite3 *handle = open_beside(f);
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    }
    sqlite3_close(handle);
}

const struct fixture_store fixture_sqlite = {
    .make_place = make_place,
    .remove_place = remove_place,
    .open = open_store,
    .integer = integer,
    .run = run,
    .check_tables = check_tables_sqlite,
    .vectors_of_model =
        "SELECT count(*) FROM chunk_index i JOIN model o ON o.id = i.model WHERE o.name = '%s'",
    .vectors_waiting = "SELECT count(*) FROM vector_next",
};
