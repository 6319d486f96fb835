/* actors/store/postgres/copy_target.h: a database that a whole store is copied into: for `edda
 * copy`.
 *
 * How far a copy is stands in a table of its own (copy_progress), written by the transaction that
 * wrote the rows: whatever dies when, a copy goes on behind what is there. Blocks its caller.
 * Threads: one. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_COPY_TARGET_H
#define EDDA_ACTORS_STORE_POSTGRES_COPY_TARGET_H

#include "actors/store/copy.h"
#include "actors/store/postgres/plain.h"
#include "proto/buffer.h"

#define EDDA_COPY_BATCH_BYTES                                                                      \
    ((size_t)4 << 20) /* of one transaction; one row more may be in it                             \
                       */
#define EDDA_COPY_ROW_BYTES ((size_t)64 << 20)
#define EDDA_COPY_SOURCE    1024 /* of the words that say what is copied */

struct edda_copy_target {
    struct edda_pg_plain *database; /* borrowed, open, of this program's schema */
    struct edda_buffer rows;
    int64_t row_count; /* in rows */
    int64_t table;     /* that is being copied: those before are there */
    int64_t done;      /* of its rows */
    bool finished;     /* copied and compared */
};

/* source: what is copied, for a copy that goes on: the store's uuid, then all that changes when it
 * does. EDDA_E_CONFLICT: the database holds something else, another source or a changed one, or is
 * being copied into at this moment. */
int edda_copy_target_open(struct edda_copy_target *self, struct edda_pg_plain *database,
                          const char *source) EDDA_MUST_CHECK;
void edda_copy_target_close(struct edda_copy_target *self);

/* Appends a row in the database's binary form. EDDA_E_LIMIT, EDDA_E_INVALID: a vector that is none;
 * EDDA_E_MEMORY. */
int edda_copy_row(struct edda_buffer *rows, const struct edda_copy_table *table,
                  const struct edda_copy_value *values) EDDA_MUST_CHECK;

/* Adds a row of table self->table, and sends what was gathered when it is much. */
int edda_copy_target_add(struct edda_copy_target *self, const struct edda_copy_table *table,
                         const struct edda_copy_value *values) EDDA_MUST_CHECK;

/* All rows were added: sends the rest; the next table's turn. sequence: the last id that was ever
 * given, 0 for a table without. */
int edda_copy_target_next_table(struct edda_copy_target *self, const struct edda_copy_table *table,
                                int64_t sequence) EDDA_MUST_CHECK;

/* Of the rows that are there. */
int edda_copy_target_digest(struct edda_copy_target *self, const struct edda_copy_table *table,
                            struct edda_copy_digest *ret_digest) EDDA_MUST_CHECK;

/* Everything was compared. */
int edda_copy_target_finish(struct edda_copy_target *self) EDDA_MUST_CHECK;

#endif
