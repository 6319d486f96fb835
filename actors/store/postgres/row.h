/* actors/store/postgres/row.h: what the server sent: rows, and typed columns that believe nothing.
 *
 *   struct edda_pg_row row = edda_pg_row(result, i);
 *   memo->id = edda_pg_bigint(&row, 0);
 *   memo->title = edda_pg_text(&row, 1);
 *   if (row.error) ...
 *
 * Every column is checked: that it exists, came in binary, has a type that fits and the length its
 * type has. The first that does not makes row->error EDDA_E_IO and stays; the value is then 0, nil
 * or absent. Look once, when the row was read. A NULL is absent where that can be said; where it
 * cannot it is the error, but for the functions that name a fallback.
 *
 * Texts and bytes are views into the result: they live as long as it does. Any thread that has the
 * result alone. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_ROW_H
#define EDDA_ACTORS_STORE_POSTGRES_ROW_H

#include "actors/store/postgres/type.h"
#include "proto/error.h"
#include "proto/types.h"

typedef struct pg_result edda_pg_result_t; /* libpq's own */

/* NULL is allowed. */
void edda_pg_result_free(edda_pg_result_t *result);

size_t edda_pg_rows(const edda_pg_result_t *result);

/* Rows that INSERT, UPDATE or DELETE changed; 0 for other statements. */
uint64_t edda_pg_changed(const edda_pg_result_t *result);

struct edda_pg_row {
    const edda_pg_result_t *result; /* borrowed */
    int number;
    int error;
};

/* Past the last row every column is an error. */
struct edda_pg_row edda_pg_row(const edda_pg_result_t *result, size_t number);

bool edda_pg_is_absent(struct edda_pg_row *row, int column);

/* smallint, integer, oid and bigint. */
int64_t edda_pg_bigint(struct edda_pg_row *row, int column);
int64_t edda_pg_bigint_or(struct edda_pg_row *row, int column, int64_t fallback);

bool edda_pg_boolean(struct edda_pg_row *row, int column);
double edda_pg_double(struct edda_pg_row *row, int column); /* real too */

/* text, varchar and name; a NUL follows the bytes. */
struct edda_text edda_pg_text(struct edda_pg_row *row, int column);
struct edda_bytes edda_pg_bytea(struct edda_pg_row *row, int column);

/* nil when NULL. */
struct edda_uuid edda_pg_uuid(struct edda_pg_row *row, int column);

/* A halfvec's halves as they came, big-endian; 0 of them when NULL. The column's type is not looked
 * at: it differs from database to database. */
struct edda_pg_halves {
    const uint8_t *data;
    size_t dimension;
};
struct edda_pg_halves edda_pg_halfvec(struct edda_pg_row *row, int column);

/* dimension floats, which are this machine's own. */
void edda_pg_halves_to_floats(struct edda_pg_halves halves, float *ret_floats);

/* ---- arrays: of one dimension, or of none ---- */

struct edda_pg_elements {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t left; /* elements that are still to come */
};

/* The column must be an array of this element type (enum edda_pg_type). NULL has no elements. */
struct edda_pg_elements edda_pg_array(struct edda_pg_row *row, int column, uint32_t element);

/* The next element's bytes, absent when it is NULL; false when there is none any more, or when what
 * the server sent is no array, which row->error then says. */
bool edda_pg_array_next(struct edda_pg_row *row, struct edda_pg_elements *elements,
                        struct edda_bytes *ret_bytes);

#endif
