/* actors/store/sqlite/database.h: one connection with its prepared statements, and values in and
 * out.
 *
 * All SQL is in statement.def; a statement is prepared when first used and kept. A query that was
 * begun must be ended before the same statement is used again on this connection.
 * Every error of SQLite comes out as EDDA_E_IO, EDDA_E_MEMORY or EDDA_E_LIMIT; its own words are in
 * edda_database_reason until the next error. A connection belongs to one thread at a time. */
#ifndef EDDA_ACTORS_STORE_SQLITE_DATABASE_H
#define EDDA_ACTORS_STORE_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "proto/arena.h"
#include "proto/error.h"
#include "proto/types.h"

#define EDDA_STATEMENT(name, sql) EDDA_SQL_##name,
enum edda_statement {
#include "actors/store/sqlite/statement.def"
    EDDA_SQL_COUNT
};
#undef EDDA_STATEMENT

typedef struct edda_database edda_database_t;

enum edda_database_use { EDDA_DATABASE_WRITE, EDDA_DATABASE_READ };

/* Opens path; WRITE makes it when it is not there. message gets words for people on failure. */
int edda_database_open(const char *path, enum edda_database_use use, char *message,
                       size_t message_size, edda_database_t **ret_database) EDDA_MUST_CHECK;
void edda_database_close(edda_database_t **self_p);

sqlite3 *edda_database_handle(edda_database_t *self);
const char *edda_database_reason(const edda_database_t *self);

/* The code for SQLite's; keeps the words. 0 for OK, ROW and DONE. */
int edda_database_error(edda_database_t *self, int sqlite_code);

/* One snapshot for all queries between. The end never leaves a transaction open. */
int edda_database_begin_read(edda_database_t *self) EDDA_MUST_CHECK;
int edda_database_end_read(edda_database_t *self) EDDA_MUST_CHECK;

/* ---- values ---- */

struct edda_value {
    int type; /* SQLITE_INTEGER, SQLITE_TEXT, SQLITE_BLOB, SQLITE_NULL */
    int64_t integer;
    const void *data;
    size_t size;
};

static inline struct edda_value edda_value_integer(int64_t value) {
    return (struct edda_value){.type = SQLITE_INTEGER, .integer = value};
}

static inline struct edda_value edda_value_bytes(int type, const void *data, size_t size) {
    return (struct edda_value){.type = data ? type : SQLITE_NULL, .data = data, .size = size};
}

static inline struct edda_value edda_value_text(struct edda_text text) {
    return edda_value_bytes(SQLITE_TEXT, text.data, text.size);
}

static inline struct edda_value edda_value_blob(struct edda_bytes bytes) {
    return edda_value_bytes(SQLITE_BLOB, bytes.data, bytes.size);
}

/* How statements are given their values, in the order of their question marks. Views are borrowed
 * until the query ends; an absent view is NULL, and so is a 0 of INTEGER_OR_NULL. */
#define INTEGER(value)         edda_value_integer((int64_t)(value))
#define INTEGER_OR_NULL(value) ((value) ? INTEGER(value) : (struct edda_value){.type = SQLITE_NULL})
#define TEXT(value)            edda_value_text(value)
#define BLOB(value)            edda_value_blob(value)
#define UUID(value)            edda_value_bytes(SQLITE_BLOB, (value)->bytes, 16)
#define VALUES(...)                                                                                \
    (const struct edda_value[]){__VA_ARGS__},                                                      \
        sizeof((const struct edda_value[]){__VA_ARGS__}) / sizeof(struct edda_value)
#define NO_VALUES NULL, 0

/* ---- queries ---- */

/* Binds and does not step. */
int edda_query_begin(edda_database_t *self, enum edda_statement statement,
                     const struct edda_value *values, size_t count,
                     sqlite3_stmt **ret_query) EDDA_MUST_CHECK;

/* 1: a row is there; 0: no more; or an error. */
int edda_query_next(edda_database_t *self, sqlite3_stmt *query) EDDA_MUST_CHECK;

/* NULL is allowed. */
void edda_query_end(sqlite3_stmt *query);

/* Begin and next in one: 1 with *ret_query on the first row (to be ended by the caller), 0 or an
 * error with the query already ended. */
int edda_query_one(edda_database_t *self, enum edda_statement statement,
                   const struct edda_value *values, size_t count,
                   sqlite3_stmt **ret_query) EDDA_MUST_CHECK;

/* The first column of the first row; `fallback` when there is no row or it is NULL. */
int edda_query_integer(edda_database_t *self, enum edda_statement statement,
                       const struct edda_value *values, size_t count, int64_t fallback,
                       int64_t *ret_value) EDDA_MUST_CHECK;

/* Runs to the end, rows ignored. *ret_changes (may be NULL) is how many rows it changed. */
int edda_query_run(edda_database_t *self, enum edda_statement statement,
                   const struct edda_value *values, size_t count,
                   int64_t *ret_changes) EDDA_MUST_CHECK;

/* Columns of the present row: views until the next step or the end; NULL is absent. */
struct edda_text edda_column_text(sqlite3_stmt *query, int column);
struct edda_bytes edda_column_blob(sqlite3_stmt *query, int column);
struct edda_uuid edda_column_uuid(sqlite3_stmt *query, int column); /* nil when it is not one */

/* A copy in the arena. EDDA_E_MEMORY. */
int edda_column_copy(sqlite3_stmt *query, int column, struct edda_arena *arena,
                     struct edda_text *ret_text) EDDA_MUST_CHECK;

#endif
