/* actors/store/sqlite/database.c: connections, their settings and their statements. */
#include "actors/store/sqlite/database.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct edda_database {
    sqlite3 *handle;
    sqlite3_stmt *statements[EDDA_SQL_COUNT];
    char reason[160];
};

#define EDDA_STATEMENT(name, sql) [EDDA_SQL_##name] = (sql),
static const char *const texts[EDDA_SQL_COUNT] = {
#include "actors/store/sqlite/statement.def"
};
#undef EDDA_STATEMENT

/* The page size must be set before anything else is written. FULL: a commit is on the disk when it
 * returns. Freed text need not be overwritten (Debian's default does). Not mapped: every
 * connection's mapping would count as memory of ours, and a page the disk cannot give would be a
 * signal instead of an error; a reader's cache of 16 MB makes reading as quick. */
static const char write_settings[] = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;"
                                     "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF;"
                                     "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -8192;"
                                     "PRAGMA journal_size_limit = 67108864;"
                                     "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0";
static const char read_settings[] = "PRAGMA query_only = ON; PRAGMA cache_size = -16384;"
                                    "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0";

int edda_database_error(edda_database_t *self, int sqlite_code) {
    switch (sqlite_code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    default:
        break;
    }
    snprintf(self->reason, sizeof(self->reason), "%s (%d)", sqlite3_errmsg(self->handle),
             sqlite_code);
    switch (sqlite_code & 0xff) {
    case SQLITE_NOMEM:
        return EDDA_E_MEMORY;
    case SQLITE_TOOBIG:
        return EDDA_E_LIMIT;
    default:
        return EDDA_E_IO;
    }
}

/* SQLite's own count of its memory is a lock around every allocation of every thread. */
static void configure_sqlite(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int edda_database_open(const char *path, enum edda_database_use use, char *message,
                       size_t message_size, edda_database_t **ret_database) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    edda_database_t *self = calloc(1, sizeof(*self));
    if (!self) {
        return EDDA_E_MEMORY;
    }
    (void)pthread_once(&once, configure_sqlite);
    /* Readers also open for writing: a WAL's shared memory must be made by whoever comes first;
     * query_only keeps them from writing. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= use == EDDA_DATABASE_WRITE ? SQLITE_OPEN_CREATE : 0;
    int code = sqlite3_open_v2(path, &self->handle, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(self->handle, 5000);
        const char *settings = use == EDDA_DATABASE_WRITE ? write_settings : read_settings;
        code = sqlite3_exec(self->handle, settings, NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        int error = self->handle ? edda_database_error(self, code) : EDDA_E_MEMORY;
        snprintf(message, message_size, "cannot open %s: %s", path, self->reason);
        edda_database_close(&self);
        return error;
    }
    *ret_database = self;
    return 0;
}

void edda_database_close(edda_database_t **self_p) {
    edda_database_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < EDDA_SQL_COUNT; i++) {
        sqlite3_finalize(self->statements[i]);
    }
    sqlite3_close(self->handle);
    free(self);
    *self_p = NULL;
}

sqlite3 *edda_database_handle(edda_database_t *self) {
    return self->handle;
}

const char *edda_database_reason(const edda_database_t *self) {
    return self->reason;
}

static int bind(sqlite3_stmt *query, int at, const struct edda_value *value) {
    switch (value->type) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(query, at, value->integer);
    case SQLITE_TEXT:
        return sqlite3_bind_text64(query, at, value->data, value->size, SQLITE_STATIC, SQLITE_UTF8);
    case SQLITE_BLOB:
        return sqlite3_bind_blob64(query, at, value->data, value->size, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(query, at);
    }
}

int edda_query_begin(edda_database_t *self, enum edda_statement statement,
                     const struct edda_value *values, size_t count, sqlite3_stmt **ret_query) {
    sqlite3_stmt *query = self->statements[statement];
    int code = SQLITE_OK;
    if (!query) {
        code = sqlite3_prepare_v3(self->handle, texts[statement], -1, SQLITE_PREPARE_PERSISTENT,
                                  &self->statements[statement], NULL);
        query = self->statements[statement];
    }
    if (code != SQLITE_OK) {
        return edda_database_error(self, code);
    }
    EDDA_ASSERT(!sqlite3_stmt_busy(query));
    EDDA_ASSERT((size_t)sqlite3_bind_parameter_count(query) == count);
    for (size_t i = 0; i < count; i++) {
        code = bind(query, (int)i + 1, &values[i]);
        if (code != SQLITE_OK) {
            return edda_database_error(self, code);
        }
    }
    *ret_query = query;
    return 0;
}

int edda_query_next(edda_database_t *self, sqlite3_stmt *query) {
    int code = sqlite3_step(query);
    return code == SQLITE_ROW ? 1 : edda_database_error(self, code);
}

void edda_query_end(sqlite3_stmt *query) {
    if (query) {
        sqlite3_reset(query);
    }
}

int edda_query_one(edda_database_t *self, enum edda_statement statement,
                   const struct edda_value *values, size_t count, sqlite3_stmt **ret_query) {
    sqlite3_stmt *query = NULL;
    int found = edda_query_begin(self, statement, values, count, &query);
    if (found == 0) {
        found = edda_query_next(self, query);
    }
    if (found == 1) {
        *ret_query = query;
    } else {
        edda_query_end(query);
    }
    return found;
}

int edda_query_integer(edda_database_t *self, enum edda_statement statement,
                       const struct edda_value *values, size_t count, int64_t fallback,
                       int64_t *ret_value) {
    sqlite3_stmt *query = NULL;
    int found = edda_query_one(self, statement, values, count, &query);
    *ret_value = fallback;
    if (found == 1) {
        if (sqlite3_column_type(query, 0) != SQLITE_NULL) {
            *ret_value = sqlite3_column_int64(query, 0);
        }
        edda_query_end(query);
        return 0;
    }
    return found;
}

int edda_query_run(edda_database_t *self, enum edda_statement statement,
                   const struct edda_value *values, size_t count, int64_t *ret_changes) {
    sqlite3_stmt *query = NULL;
    int found = edda_query_begin(self, statement, values, count, &query);
    if (found == 0) {
        do {
            found = edda_query_next(self, query);
        } while (found == 1);
    }
    edda_query_end(query);
    if (found == 0 && ret_changes) {
        *ret_changes = sqlite3_changes64(self->handle);
    }
    return found;
}

struct edda_text edda_column_text(sqlite3_stmt *query, int column) {
    if (sqlite3_column_type(query, column) == SQLITE_NULL) {
        return (struct edda_text){NULL, 0};
    }
    const char *data = (const char *)sqlite3_column_text(query, column);
    return (struct edda_text){data, (size_t)sqlite3_column_bytes(query, column)};
}

struct edda_bytes edda_column_blob(sqlite3_stmt *query, int column) {
    const void *data = sqlite3_column_blob(query, column);
    return (struct edda_bytes){data, data ? (size_t)sqlite3_column_bytes(query, column) : 0};
}

struct edda_uuid edda_column_uuid(sqlite3_stmt *query, int column) {
    struct edda_uuid uuid = {{0}};
    struct edda_bytes bytes = edda_column_blob(query, column);
    if (bytes.size == sizeof(uuid.bytes)) {
        memcpy(uuid.bytes, bytes.data, sizeof(uuid.bytes));
    }
    return uuid;
}

int edda_column_copy(sqlite3_stmt *query, int column, struct edda_arena *arena,
                     struct edda_text *ret_text) {
    struct edda_text text = edda_column_text(query, column);
    *ret_text = edda_arena_text(arena, text);
    return text.data && !ret_text->data ? EDDA_E_MEMORY : 0;
}

int edda_database_begin_read(edda_database_t *self) {
    return edda_query_run(self, EDDA_SQL_READ_BEGIN, NO_VALUES, NULL);
}

int edda_database_end_read(edda_database_t *self) {
    int error = edda_query_run(self, EDDA_SQL_COMMIT, NO_VALUES, NULL);
    if (!sqlite3_get_autocommit(self->handle)) {
        sqlite3_exec(self->handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return error;
}
