/* actors/store/sqlite/migrate.c: the version table, and steps that are not yet in it. */
#include "actors/store/sqlite/migrate.h"

#include <limits.h>
#include <stdio.h>

#include "actors/store/schema/schema.h"
#include "actors/store/sqlite/database.h"
#include "actors/store/sqlite/sqlite.h"

static int fail(sqlite3 *handle, const char *doing, char *message, size_t size) {
    snprintf(message, size, "%s: %s", doing, sqlite3_errmsg(handle));
    if (!sqlite3_get_autocommit(handle)) {
        sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return EDDA_E_IO;
}

static int read_version(sqlite3 *handle, int64_t *ret_version) {
    sqlite3_stmt *query = NULL;
    int code = sqlite3_prepare_v2(handle, "SELECT coalesce(max(version), 0) FROM schema_version",
                                  -1, &query, NULL);
    if (code == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW) {
        *ret_version = sqlite3_column_int64(query, 0);
    } else {
        code = SQLITE_ERROR;
    }
    sqlite3_finalize(query);
    return code == SQLITE_OK ? 0 : EDDA_E_IO;
}

static int apply(sqlite3 *handle, size_t step, int64_t wall_ms, char *message, size_t size) {
    char record[160];
    snprintf(record, sizeof(record),
             "INSERT INTO schema_version (version, applied_ms) VALUES (%zu, %lld); COMMIT",
             step + 1, (long long)wall_ms);
    if (sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(handle, edda_store_schema_sqlite.steps[step], NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(handle, record, NULL, NULL, NULL) != SQLITE_OK) {
        return fail(handle, "cannot bring the database to this schema", message, size);
    }
    return 0;
}

int edda_migrate(sqlite3 *handle, int64_t wall_ms, char *message, size_t message_size) {
    static const char table[] =
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY "
        "KEY, applied_ms INTEGER NOT NULL) STRICT";
    int64_t version = 0;
    if (sqlite3_exec(handle, table, NULL, NULL, NULL) != SQLITE_OK ||
        read_version(handle, &version) != 0) {
        return fail(handle, "cannot read the database", message, message_size);
    }
    int refused =
        edda_store_schema_admit(&edda_store_schema_sqlite, version, message, message_size);
    if (refused) {
        return refused;
    }
    for (size_t step = (size_t)version; step < edda_store_schema_sqlite.count; step++) {
        int error = apply(handle, step, wall_ms, message, message_size);
        if (error) {
            return error;
        }
    }
    return 0;
}

int edda_sqlite_check_tables(const char *directory, char *message, size_t message_size) {
    char path[PATH_MAX];
    edda_database_t *database = NULL;
    int64_t version = 0;
    int size = snprintf(path, sizeof path, "%s/edda.db", directory);
    if (size < 0 || (size_t)size >= sizeof path) {
        return EDDA_E_LIMIT;
    }
    int error = edda_database_open(path, EDDA_DATABASE_READ, message, message_size, &database);
    if (!error && read_version(edda_database_handle(database), &version) != 0) {
        version = 0; /* the table of versions is a start's, too */
    }
    if (!error) {
        error =
            edda_store_schema_compare(&edda_store_schema_sqlite, version, message, message_size);
    }
    edda_database_close(&database);
    return error;
}
