/* actors/store/postgres/copy_target.c: see copy_target.h.
 *
 * Rows travel as COPY's binary format: a head, then of each row a count of columns (16 bits) and of
 * each column a length (32 bits, -1: NULL) and bytes; a count of -1 ends it.
 * Source: PostgreSQL's manual, COPY, "Binary Format". */
#include "actors/store/postgres/copy_target.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/store/index/vectors.h"
#include "actors/store/postgres/value.h"
#include "proto/limits.h"
#include "proto/uuid.h"

#define DOING     "cannot copy into the database"
#define HEAD_SIZE 19
#define LOCK      "SELECT pg_try_advisory_lock(7012025)::int"
/* Whatever limits role or database have: a digest reads a whole table, and no retry ends it. */
#define PATIENT                                                                                    \
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0"

static const char head[HEAD_SIZE] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

static int run(struct edda_copy_target *self, const char *sql) {
    return edda_pg_plain_run(self->database, sql, DOING, NULL, 0);
}

static int refuse(struct edda_copy_target *self, const char *why) {
    edda_pg_plain_say(self->database, DOING, why);
    return EDDA_E_CONFLICT;
}

/* ---- how far it is ---- */

static int is_empty(struct edda_copy_target *self) {
    const struct edda_copy_table *table;
    for (size_t i = 0; (table = edda_copy_table(i)) != NULL; i++) {
        char sql[128];
        int64_t some = 0;
        snprintf(sql, sizeof sql, "SELECT EXISTS (SELECT 1 FROM %s)::int", table->name);
        int error = edda_pg_plain_number(self->database, sql, &some);
        if (error) {
            return error;
        }
        if (some) {
            return refuse(self, "it holds a store already; an empty one is needed");
        }
    }
    return 0;
}

static int begin_anew(struct edda_copy_target *self, const char *source) {
    char *quoted = PQescapeLiteral(self->database->handle, source, strlen(source));
    if (!quoted) {
        return EDDA_E_MEMORY;
    }
    char sql[3 * EDDA_COPY_SOURCE];
    int size =
        snprintf(sql, sizeof sql,
                 "BEGIN; CREATE TABLE copy_progress (source text NOT NULL, at bigint NOT NULL,"
                 " done bigint NOT NULL, finished bigint NOT NULL);"
                 " INSERT INTO copy_progress VALUES (%s, 0, 0, 0); COMMIT",
                 quoted);
    PQfreemem(quoted);
    return size > 0 && (size_t)size < sizeof sql ? run(self, sql) : EDDA_E_LIMIT;
}

static int read_progress(struct edda_copy_target *self, const char *source) {
    char found[EDDA_COPY_SOURCE];
    int64_t finished = 0;
    int error = edda_pg_plain_run(self->database, "SELECT source FROM copy_progress", DOING, found,
                                  sizeof found);
    if (!error) {
        error = edda_pg_plain_number(self->database, "SELECT at FROM copy_progress", &self->table);
    }
    if (!error) {
        error = edda_pg_plain_number(self->database, "SELECT done FROM copy_progress", &self->done);
    }
    if (!error) {
        error =
            edda_pg_plain_number(self->database, "SELECT finished FROM copy_progress", &finished);
    }
    self->finished = finished > 0;
    if (!error && strncmp(found, source, EDDA_UUID_TEXT - 1) != 0) {
        return refuse(self, "it holds a copy, or part of one, of another store; an empty one is "
                            "needed");
    }
    if (!error && strcmp(found, source) != 0) {
        return refuse(self, "it holds a copy, or part of one, of this store, which has run or was "
                            "changed since; begin anew with an empty one");
    }
    return error;
}

int edda_copy_target_open(struct edda_copy_target *self, struct edda_pg_plain *database,
                          const char *source) {
    int64_t alone = 0;
    int64_t begun = 0;
    *self = (struct edda_copy_target){.database = database};
    edda_buffer_init(&self->rows, EDDA_COPY_BATCH_BYTES + EDDA_COPY_ROW_BYTES);
    int error = run(self, PATIENT);
    error = error ? error : edda_pg_plain_number(database, LOCK, &alone);
    if (!error && !alone) {
        return refuse(self, "another copy into it is under way");
    }
    if (!error) {
        error = edda_pg_plain_number(
            database, "SELECT (to_regclass('copy_progress') IS NOT NULL)::int", &begun);
    }
    if (!error && !begun) {
        error = is_empty(self);
        return error ? error : begin_anew(self, source);
    }
    return error ? error : read_progress(self, source);
}

void edda_copy_target_close(struct edda_copy_target *self) {
    edda_buffer_done(&self->rows);
}

/* ---- rows ---- */

static void append16(struct edda_buffer *buffer, uint16_t value) {
    value = htobe16(value);
    edda_buffer_append(buffer, &value, sizeof value);
}

static void append32(struct edda_buffer *buffer, uint32_t value) {
    value = htobe32(value);
    edda_buffer_append(buffer, &value, sizeof value);
}

static void append_integer(struct edda_buffer *buffer, int64_t value) {
    uint64_t bits = htobe64((uint64_t)value);
    append32(buffer, sizeof bits);
    edda_buffer_append(buffer, &bits, sizeof bits);
}

/* Of length 1, as all vectors here; one without a direction is near to nothing, whatever it is. */
static void append_vector(struct edda_buffer *buffer, struct edda_bytes bytes) {
    uint16_t halves[EDDA_MAX_DIMENSION];
    float unit[EDDA_MAX_DIMENSION];
    struct edda_floats floats = {bytes.data, bytes.size};
    size_t dimension = bytes.size / sizeof *unit;
    struct edda_pg_built built;
    if (bytes.size % sizeof *unit == 0 && dimension <= EDDA_MAX_DIMENSION &&
        edda_vectors_narrow(floats, (uint32_t)dimension, halves)) {
        for (size_t i = 0; i < dimension; i++) {
            unit[i] = edda_half_to_float(halves[i]);
        }
        floats.data = (const uint8_t *)unit;
    }
    append32(buffer, (uint32_t)(4 + 2 * dimension));
    edda_pg_build_halfvec(&built, buffer, floats);
}

int edda_copy_row(struct edda_buffer *rows, const struct edda_copy_table *table,
                  const struct edda_copy_value *values) {
    append16(rows, (uint16_t)strlen(table->types));
    for (size_t i = 0; table->types[i]; i++) {
        const struct edda_copy_value *value = &values[i];
        if (value->absent) {
            append32(rows, UINT32_MAX);
        } else if (table->types[i] == 'i') {
            append_integer(rows, value->integer);
        } else if (table->types[i] == 'v') {
            append_vector(rows, value->bytes);
        } else {
            append32(rows, (uint32_t)value->bytes.size);
            edda_buffer_append(rows, value->bytes.data, value->bytes.size);
        }
    }
    return rows->error;
}

/* ---- into the database ---- */

static int begin_copy(struct edda_copy_target *self, const char *sql, ExecStatusType wanted) {
    PGresult *result = PQexec(self->database->handle, sql);
    bool begun = PQresultStatus(result) == wanted;
    if (!begun) {
        edda_pg_plain_say(self->database, DOING, PQerrorMessage(self->database->handle));
    }
    PQclear(result);
    return begun ? 0 : EDDA_E_IO;
}

/* What a COPY or a series of commands said in the end: the first error of all. */
static int end_copy(struct edda_copy_target *self) {
    PGresult *result;
    int error = 0;
    while ((result = PQgetResult(self->database->handle)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && !error) {
            edda_pg_plain_say(self->database, DOING, PQresultErrorMessage(result));
            error = EDDA_E_IO;
        }
        PQclear(result);
    }
    return error;
}

static int put(struct edda_copy_target *self, const void *data, size_t size) {
    if (PQputCopyData(self->database->handle, data, (int)size) == 1) {
        return 0;
    }
    edda_pg_plain_say(self->database, DOING, PQerrorMessage(self->database->handle));
    return EDDA_E_UNAVAILABLE;
}

static int put_rows(struct edda_copy_target *self, const struct edda_copy_table *table) {
    static const uint8_t tail[2] = {0xFF, 0xFF};
    char sql[512];
    snprintf(sql, sizeof sql, "COPY %s (%s) FROM STDIN (FORMAT binary)", table->name,
             table->columns);
    int error = begin_copy(self, sql, PGRES_COPY_IN);
    if (error) {
        return error;
    }
    error = put(self, head, HEAD_SIZE);
    for (size_t at = 0; at < self->rows.size && !error; at += EDDA_COPY_BATCH_BYTES) {
        size_t left = self->rows.size - at;
        error = put(self, self->rows.data + at,
                    left < EDDA_COPY_BATCH_BYTES ? left : EDDA_COPY_BATCH_BYTES);
    }
    if (!error) {
        error = put(self, tail, sizeof tail);
    }
    if (PQputCopyEnd(self->database->handle, error ? "given up" : NULL) != 1 && !error) {
        error = put(self, tail, 0);
    }
    int at_end = end_copy(self);
    return error ? error : at_end;
}

/* Rows and what is said of them, in one transaction. */
static int send_rows(struct edda_copy_target *self, const struct edda_copy_table *table) {
    char sql[128];
    if (self->row_count == 0) {
        return 0;
    }
    snprintf(sql, sizeof sql, "UPDATE copy_progress SET done = %lld; COMMIT",
             (long long)(self->done + self->row_count));
    int error = run(self, "BEGIN");
    if (!error) {
        error = put_rows(self, table);
    }
    if (!error) {
        error = run(self, sql);
    }
    self->done += self->row_count;
    self->row_count = 0;
    edda_buffer_reset(&self->rows);
    return error;
}

int edda_copy_target_add(struct edda_copy_target *self, const struct edda_copy_table *table,
                         const struct edda_copy_value *values) {
    int error = edda_copy_row(&self->rows, table, values);
    if (error) {
        edda_pg_plain_say(self->database, DOING, edda_error_text(error));
        return error;
    }
    self->row_count++;
    return self->rows.size < EDDA_COPY_BATCH_BYTES ? 0 : send_rows(self, table);
}

int edda_copy_target_next_table(struct edda_copy_target *self, const struct edda_copy_table *table,
                                int64_t sequence) {
    char sql[256] = "";
    int error = send_rows(self, table);
    if (!error && sequence > 0) {
        snprintf(sql, sizeof sql, "SELECT setval(pg_get_serial_sequence('%s', 'id'), %lld)",
                 table->name, (long long)sequence);
        error = run(self, sql);
    }
    if (!error) {
        snprintf(sql, sizeof sql, "UPDATE copy_progress SET at = %lld, done = 0",
                 (long long)(self->table + 1));
        error = run(self, sql);
    }
    self->table++;
    self->done = 0;
    return error;
}

int edda_copy_target_finish(struct edda_copy_target *self) {
    int error = run(self, "ANALYZE");
    return error ? error : run(self, "UPDATE copy_progress SET finished = 1");
}

/* ---- what is there ---- */

/* Bytes of the row that begins at data; 0: not all of it is there. */
static size_t measure_row(const uint8_t *data, size_t size) {
    uint16_t count;
    if (size < sizeof count) {
        return 0;
    }
    memcpy(&count, data, sizeof count);
    count = be16toh(count);
    size_t at = sizeof count;
    for (uint16_t i = 0; count != UINT16_MAX && i < count; i++) {
        uint32_t length;
        if (size - at < sizeof length) {
            return 0;
        }
        memcpy(&length, data + at, sizeof length);
        length = be32toh(length);
        at += sizeof length;
        length = length == UINT32_MAX ? 0 : length;
        if (size - at < length) {
            return 0;
        }
        at += length;
    }
    return at;
}

/* Takes the rows that are whole from the front of what came. */
static void digest_rows(struct edda_buffer *came, bool *head_seen,
                        struct edda_copy_digest *digest) {
    size_t at = 0;
    size_t size;
    if (!*head_seen && came->size >= HEAD_SIZE) {
        *head_seen = true;
        at = HEAD_SIZE;
    }
    while (*head_seen &&
           (size = measure_row(came->data + at, came->size - at)) > sizeof(uint16_t)) {
        edda_copy_digest_add(digest, (struct edda_bytes){came->data + at, size});
        at += size;
    }
    if (at > 0) {
        memmove(came->data, came->data + at, came->size - at);
        came->size -= at;
    }
}

int edda_copy_target_digest(struct edda_copy_target *self, const struct edda_copy_table *table,
                            struct edda_copy_digest *ret_digest) {
    char sql[512];
    char *data = NULL;
    bool head_seen = false;
    int size = 0;
    *ret_digest = (struct edda_copy_digest){0};
    edda_buffer_reset(&self->rows);
    snprintf(sql, sizeof sql, "COPY %s (%s) TO STDOUT (FORMAT binary)", table->name,
             table->columns);
    int error = begin_copy(self, sql, PGRES_COPY_OUT);
    while (!error && (size = PQgetCopyData(self->database->handle, &data, 0)) > 0) {
        error = edda_buffer_append(&self->rows, data, (size_t)size);
        PQfreemem(data);
        digest_rows(&self->rows, &head_seen, ret_digest);
    }
    if (!error && size == -2) {
        edda_pg_plain_say(self->database, DOING, PQerrorMessage(self->database->handle));
        error = EDDA_E_UNAVAILABLE;
    }
    edda_buffer_reset(&self->rows);
    int at_end = error ? 0 : end_copy(self);
    return error ? error : at_end;
}
