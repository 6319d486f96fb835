/* actors/store/sqlite/writer.h: the one thread that writes, many operations to a commit.
 *
 * It takes all that waits (at most EDDA_WRITER_BATCH), runs each in a savepoint of one transaction,
 * and commits once: an operation that fails is rolled back alone; a commit that fails fails them
 * all. After the commit it brings the search indexes up to date; only then are the answers given,
 * so that what a client was told is durable and can be found. */
#ifndef EDDA_ACTORS_STORE_SQLITE_WRITER_H
#define EDDA_ACTORS_STORE_SQLITE_WRITER_H

#include "actors/store/sqlite/call.h"

#define EDDA_WRITER_BATCH 256

typedef struct edda_writer edda_writer_t;

/* reader is what it writes with, borrowed. NULL when no thread could be made. */
edda_writer_t *edda_writer_new(struct edda_sqlite *store, struct edda_reader *reader);

/* Ends when nothing is queued. */
void edda_writer_destroy(edda_writer_t **self_p);

/* Any thread. The call comes back through edda_sqlite_finish or edda_sqlite_again. */
void edda_writer_push(edda_writer_t *self, struct edda_sqlite_call *call);

#endif
