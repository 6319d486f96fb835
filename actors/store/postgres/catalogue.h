/* actors/store/postgres/catalogue.h: the search indexes that this process has in memory.
 *
 * A search says which revision of its project it must see; when the project's shelf has less, or
 * there is none, it waits until the shelf has followed. So several processes on one database see
 * each other's commits, and what STATUS calls processed, SEARCH finds. Beyond the most bytes the
 * shelf that was least used goes.
 *
 * Threads: the loop's. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_CATALOGUE_H
#define EDDA_ACTORS_STORE_POSTGRES_CATALOGUE_H

#include "actors/store/postgres/shelf.h"

#define EDDA_PG_INDEX_BYTES (1024u * 1024u * 1024u) /* default of maximum_bytes */

typedef struct edda_pg_catalogue edda_pg_catalogue_t;

/* maximum_bytes 0: the default. NULL: no memory. */
edda_pg_catalogue_t *edda_pg_catalogue_new(struct edda_postgres *store, size_t maximum_bytes);

/* When there is no database and no pool any more: wakes who waits, with EDDA_E_DRAINING. NULL is
 * allowed. */
void edda_pg_catalogue_stop(edda_pg_catalogue_t *self);

/* Then, when no call is left. */
void edda_pg_catalogue_destroy(edda_pg_catalogue_t **self_p);

/* What a search has read of its project: a shelf that has less than forgotten, or was begun before
 * embedded, is loaded anew. */
struct edda_pg_wanted {
    uint64_t doubts; /* edda_pg_catalogue_doubts before it asked */
    int64_t project;
    int64_t revision;
    int64_t forgotten;
    int64_t embedded;
};

/* 1: *ret_shelf has the revision and stays until given back. 0: the call waits, and then comes when
 * it is worth asking again. EDDA_E_MEMORY. EDDA_E_AGAIN: what it wants is of a database that was
 * replaced since, where the revision may have been of something else. */
int edda_pg_catalogue_borrow(edda_pg_catalogue_t *self, struct edda_pg_call *call,
                             const struct edda_pg_wanted *wanted, edda_pg_step_fn then,
                             struct edda_pg_shelf **ret_shelf) EDDA_MUST_CHECK;
void edda_pg_catalogue_return(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf);

/* The database is another one (edda_pg_saw): every shelf is loaded anew when it is next asked for,
 * or, when it may be the same all the same, proved by what it read last (follow.c). */
void edda_pg_catalogue_doubt(edda_pg_catalogue_t *self, bool may_be_the_same);

/* How often they were doubted. */
uint64_t edda_pg_catalogue_doubts(const edda_pg_catalogue_t *self);

/* Working memory for a search, between its candidates and their order. As above. */
int edda_pg_catalogue_borrow_scratch(edda_pg_catalogue_t *self, struct edda_pg_call *call,
                                     edda_pg_step_fn then,
                                     edda_index_scratch_t **ret_scratch) EDDA_MUST_CHECK;
void edda_pg_catalogue_return_scratch(edda_pg_catalogue_t *self, edda_index_scratch_t *scratch);

/* A round of the shelf ended; it may go on with tidying what it has (more). */
void edda_pg_catalogue_followed(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf, int error,
                                bool more);

/* Memory of all indexes. */
size_t edda_pg_catalogue_bytes(const edda_pg_catalogue_t *self);

#endif
