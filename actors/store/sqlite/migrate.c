/* actors/store/sqlite/migrate.c: the version table, and steps that are not yet in it. */
#include "actors/store/sqlite/migrate.h"

#include <stdio.h>

#include "actors/store/schema/schema.h"

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
    if (version < 0 || (uint64_t)version > edda_store_schema_sqlite.count) {
        snprintf(
            message, message_size,
            "the database has schema version %lld, this program knows up to %zu: use the newer "
            "program",
            (long long)version, edda_store_schema_sqlite.count);
        return EDDA_E_VERSION;
    }
    for (size_t step = (size_t)version; step < edda_store_schema_sqlite.count; step++) {
        int error = apply(handle, step, wall_ms, message, message_size);
        if (error) {
            return error;
        }
    }
    return 0;
}
