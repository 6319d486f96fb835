/* actors/store/postgres/vector_index.h: the indexes over vectors, one a model: for `edda index`.
 *
 * They are made beside everything that goes on (CONCURRENTLY), which takes a table's worth of
 * reading and much memory, and makes later writes slower: so by hand, when a project has more
 * chunks than are looked at exactly, and after the bulk was loaded. Blocks its caller.
 *
 * One at a time makes or drops indexes of a database (EDDA_E_BUSY): of two the server ends one. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_VECTOR_INDEX_H
#define EDDA_ACTORS_STORE_POSTGRES_VECTOR_INDEX_H

#include "actors/store/postgres/plain.h"
#include "proto/types.h"

#define EDDA_PG_INDEX_DIMENSION 4000 /* most that HNSW takes of a halfvec */

enum edda_pg_index_state { EDDA_PG_INDEX_NONE, EDDA_PG_INDEX_BROKEN, EDDA_PG_INDEX_READY };

struct edda_pg_vector_index {
    int64_t model;
    char name[128]; /* the model's */
    int64_t dimension;
    int64_t vectors;
    int64_t largest; /* project's chunks, of those the model serves */
    enum edda_pg_index_state state;
    int64_t bytes;
};

/* All models: at most `most` of them. */
int edda_pg_vector_indexes(struct edda_pg_plain *database, struct edda_pg_vector_index *items,
                           size_t most, size_t *ret_count) EDDA_MUST_CHECK;

/* How far it is: what the server calls the phase, and rows. */
typedef void (*edda_pg_progress_fn)(void *context, const char *phase, int64_t done, int64_t total);

/* Makes one that is not READY; a broken one, of a build that was interrupted, goes first.
 * EDDA_E_LIMIT: the dimension. watch: a second connection to the same database, for progress. */
int edda_pg_vector_index_build(struct edda_pg_plain *database, struct edda_pg_plain *watch,
                               const struct edda_pg_vector_index *index,
                               edda_pg_progress_fn progress, void *context) EDDA_MUST_CHECK;
int edda_pg_vector_index_drop(struct edda_pg_plain *database,
                              const struct edda_pg_vector_index *index) EDDA_MUST_CHECK;

#endif
