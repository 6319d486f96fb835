/* actors/store/sqlite/copy_source.c: see copy_source.h. */
#include "actors/store/sqlite/copy_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/runtime/loop.h"
#include "actors/store/sqlite/database.h"
#include "actors/store/sqlite/sqlite.h"
#include "proto/arena.h"

#define ROW_BYTES ((size_t)64 << 20) /* as the target has it */

struct edda_copy_source {
    edda_loop_t *loop;
    edda_backend_t *holder; /* whose lock keeps others away; it is given nothing to do */
    edda_database_t *database;
    sqlite3_stmt *query; /* NULL: no table was begun */
    const struct edda_copy_table *table;
    struct edda_arena texts; /* of this row that are not as they were stored */
    uint64_t spaced;
    char *message; /* borrowed */
    size_t message_size;
};

static int fail(edda_copy_source_t *self, int code) {
    int error = edda_database_error(self->database, code);
    snprintf(self->message, self->message_size, "cannot read the store: %s",
             edda_database_reason(self->database));
    return error ? error : EDDA_E_IO;
}

static int hold(edda_copy_source_t *self, const char *directory) {
    self->loop = edda_loop_new("copy");
    struct edda_sqlite_options options = {.loop = self->loop, .directory = directory, .threads = 1};
    snprintf(self->message, self->message_size, "out of memory");
    return self->loop ? edda_sqlite_open(&options, self->message, self->message_size, &self->holder)
                      : EDDA_E_MEMORY;
}

int edda_copy_source_open(const char *directory, char *message, size_t message_size,
                          edda_copy_source_t **ret_source) {
    char path[4096];
    *ret_source = NULL;
    int size = snprintf(path, sizeof path, "%s/edda.db", directory);
    if (size < 0 || (size_t)size >= sizeof path || access(path, R_OK) != 0) {
        snprintf(message, message_size, "there is no store in %s", directory);
        return EDDA_E_NOT_FOUND;
    }
    int error = edda_sqlite_check_tables(directory, message, message_size);
    if (error) {
        return error;
    }
    edda_copy_source_t *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(message, message_size, "out of memory");
        return EDDA_E_MEMORY;
    }
    edda_arena_init(&self->texts, ROW_BYTES);
    self->message = message;
    self->message_size = message_size;
    error = hold(self, directory);
    if (!error) {
        error =
            edda_database_open(path, EDDA_DATABASE_READ, message, message_size, &self->database);
    }
    if (!error) {
        error = edda_database_begin_read(self->database);
    }
    if (error) {
        edda_copy_source_close(&self);
    }
    *ret_source = self;
    return error;
}

static void end_table(edda_copy_source_t *self) {
    sqlite3_finalize(self->query);
    self->query = NULL;
}

void edda_copy_source_close(edda_copy_source_t **self_p) {
    edda_copy_source_t *self = *self_p;
    if (!self) {
        return;
    }
    end_table(self);
    edda_arena_done(&self->texts);
    edda_database_close(&self->database);
    edda_backend_destroy(&self->holder);
    edda_loop_destroy(&self->loop);
    free(self);
    *self_p = NULL;
}

/* The only SQL outside of statement.def: it is copy_table.def's. */
static int prepare(edda_copy_source_t *self, const char *sql) {
    end_table(self);
    int code =
        sqlite3_prepare_v2(edda_database_handle(self->database), sql, -1, &self->query, NULL);
    return code == SQLITE_OK ? 0 : fail(self, code);
}

static int read_number(edda_copy_source_t *self, const char *sql, int64_t *ret_number) {
    int error = prepare(self, sql);
    int code = error ? SQLITE_ERROR : sqlite3_step(self->query);
    *ret_number = code == SQLITE_ROW ? sqlite3_column_int64(self->query, 0) : 0;
    if (!error && code != SQLITE_ROW) {
        error = fail(self, code);
    }
    end_table(self);
    return error;
}

int edda_copy_source_identity(edda_copy_source_t *self, struct edda_uuid *ret_store,
                              int64_t *ret_alive_wall_ms) {
    int error = prepare(self, "SELECT s.uuid, p.at_ms FROM store s, probe p");
    int code = error ? SQLITE_ERROR : sqlite3_step(self->query);
    if (code == SQLITE_ROW) {
        *ret_store = edda_column_uuid(self->query, 0);
        *ret_alive_wall_ms = sqlite3_column_int64(self->query, 1);
    } else if (!error) {
        error = fail(self, code);
    }
    end_table(self);
    return error;
}

int edda_copy_source_count(edda_copy_source_t *self, const struct edda_copy_table *table,
                           int64_t *ret_rows) {
    char sql[2048];
    int size = snprintf(sql, sizeof sql, "SELECT count(*) FROM (%s)", table->source);
    EDDA_ASSERT(size > 0 && (size_t)size < sizeof sql);
    return read_number(self, sql, ret_rows);
}

int edda_copy_source_sequence(edda_copy_source_t *self, const struct edda_copy_table *table,
                              int64_t *ret_id) {
    return read_number(self, table->sequence, ret_id);
}

int edda_copy_source_begin(edda_copy_source_t *self, const struct edda_copy_table *table,
                           int64_t skipped) {
    int error = prepare(self, table->source);
    self->table = table;
    self->spaced = 0;
    for (int64_t i = 0; i < skipped && !error; i++) {
        int code = sqlite3_step(self->query);
        error = code == SQLITE_ROW ? 0 : fail(self, code);
    }
    return error;
}

static int read_text(edda_copy_source_t *self, int column, struct edda_bytes *ret_bytes) {
    const void *data = sqlite3_column_text(self->query, column);
    struct edda_bytes bytes = {data, (size_t)sqlite3_column_bytes(self->query, column)};
    if (bytes.size > 0 && memchr(bytes.data, '\0', bytes.size)) {
        uint8_t *copy = edda_arena_take(&self->texts, bytes.size);
        if (!copy) {
            snprintf(self->message, self->message_size, "out of memory");
            return EDDA_E_MEMORY;
        }
        for (size_t i = 0; i < bytes.size; i++) {
            copy[i] = bytes.data[i] ? bytes.data[i] : ' ';
        }
        bytes.data = copy;
        self->spaced++;
    }
    *ret_bytes = bytes;
    return 0;
}

static int read_column(edda_copy_source_t *self, int column, struct edda_copy_value *ret_value) {
    char type = self->table->types[column];
    sqlite3_stmt *query = self->query;
    *ret_value =
        (struct edda_copy_value){.absent = sqlite3_column_type(query, column) == SQLITE_NULL};
    if (ret_value->absent) {
        return 0;
    }
    if (type == 't') {
        return read_text(self, column, &ret_value->bytes);
    }
    if (type == 'i') {
        ret_value->integer = sqlite3_column_int64(query, column);
    } else {
        const void *data = sqlite3_column_blob(query, column);
        ret_value->bytes = (struct edda_bytes){data, (size_t)sqlite3_column_bytes(query, column)};
    }
    return 0;
}

int edda_copy_source_next(edda_copy_source_t *self,
                          struct edda_copy_value values[EDDA_COPY_COLUMNS]) {
    int code = sqlite3_step(self->query);
    if (code == SQLITE_DONE) {
        end_table(self);
        return 0;
    }
    if (code != SQLITE_ROW) {
        return fail(self, code);
    }
    int error = 0;
    edda_arena_done(&self->texts);
    edda_arena_init(&self->texts, ROW_BYTES);
    for (int column = 0; self->table->types[column] && !error; column++) {
        error = read_column(self, column, &values[column]);
    }
    return error ? error : 1;
}

uint64_t edda_copy_source_spaced(const edda_copy_source_t *self) {
    return self->spaced;
}
