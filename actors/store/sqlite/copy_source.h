/* actors/store/sqlite/copy_source.h: a store in a directory, read whole: for `edda copy`.
 *
 * The directory is held as a running service holds it, and brought to this program's schema first;
 * all rows are of one moment. Blocks its caller. Threads: one. */
#ifndef EDDA_ACTORS_STORE_SQLITE_COPY_SOURCE_H
#define EDDA_ACTORS_STORE_SQLITE_COPY_SOURCE_H

#include "actors/store/copy.h"
#include "proto/error.h"

typedef struct edda_copy_source edda_copy_source_t;

/* EDDA_E_NOT_FOUND: there is no store in it (and none is made). EDDA_E_CONFLICT: it is in use.
 * EDDA_E_VERSION: of a newer program. EDDA_E_IO, EDDA_E_MEMORY. message gets words for people, as
 * by all calls here. */
int edda_copy_source_open(const char *directory, char *message, size_t message_size,
                          edda_copy_source_t **ret_source) EDDA_MUST_CHECK;
void edda_copy_source_close(edda_copy_source_t **self_p);

/* Which store it is, and when a service last ran on it: Unix time, 0: never. One that did not run
 * since has changed nothing. */
int edda_copy_source_identity(edda_copy_source_t *self, struct edda_uuid *ret_store,
                              int64_t *ret_alive_wall_ms) EDDA_MUST_CHECK;

int edda_copy_source_count(edda_copy_source_t *self, const struct edda_copy_table *table,
                           int64_t *ret_rows) EDDA_MUST_CHECK;

/* The last id a sequence gave. Only of tables that have one. */
int edda_copy_source_sequence(edda_copy_source_t *self, const struct edda_copy_table *table,
                              int64_t *ret_id) EDDA_MUST_CHECK;

/* Begins a table behind its first `skipped` rows; one table at a time. */
int edda_copy_source_begin(edda_copy_source_t *self, const struct edda_copy_table *table,
                           int64_t skipped) EDDA_MUST_CHECK;

/* 1 with the next row in values; 0: no more; or an error. U+0000, which the target's texts cannot
 * hold, is a space in them: as long, so that places in a text stay what they are. */
int edda_copy_source_next(edda_copy_source_t *self,
                          struct edda_copy_value values[EDDA_COPY_COLUMNS]) EDDA_MUST_CHECK;

/* Of the rows that were given since the table was begun: how many texts had U+0000. */
uint64_t edda_copy_source_spaced(const edda_copy_source_t *self);

#endif
