/* actors/store/postgres/shelf.h: one project's search index in this process, and how it follows the
 * database.
 *
 * The index holds words, what filters ask, and the vectors of the built-in model when it serves;
 * another model's stay in the database. Following is a round:
 * the memos that changed after the revision the shelf has, in slices; for those with another
 * version or title their chunks' term vectors, in slices; the texts of words that are new; then
 * each memo is published in one step. Loading a project is a round that begins at nothing.
 *
 *   memos -> plan -+-> terms -> add -> words -> put -+-> publish -> next memos, or the end -> tidy
 *                  |     ^                           |
 *                  |     +--- until all are there ---+
 *                  +--- nothing to fetch ------------+
 *
 * A chunk's vector comes with its terms and never later: before a version is shown it is there, and
 * when a project changes over to the built-in model, what was begun before is loaded anew (since).
 *
 * A server that restarted may be the same with the same history, or a backup of it: the shelf asks
 * for its witness, and follows from there when the database has it.
 *
 * A memo whose chunks are gone meanwhile has a newer row already: it is left for the next look.
 *
 * Threads: the loop's; cards and index are read under lock by pool threads, and written under it by
 * the round's work, of which there is one at a time. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_SHELF_H
#define EDDA_ACTORS_STORE_POSTGRES_SHELF_H

#include <pthread.h>

#include "actors/store/cards.h"
#include "actors/store/postgres/call.h"

#define EDDA_PG_SLICE_MEMOS   256
#define EDDA_PG_SLICE_CHUNKS  2048 /* of one statement; 0.7 MB, with built-in vectors 1.8 */
#define EDDA_PG_SLICE_TEXTS   100
#define EDDA_PG_ROUND_REPEATS 5
#define EDDA_PG_ROUND_BYTES   (64u * 1024u * 1024u)

struct edda_pg_shelf;

/* A memo of a slice. */
struct edda_pg_incoming {
    int64_t memo;
    int64_t version; /* that is shown; 0: none */
    uint64_t key; /* in the index; 0: its chunks are there already, or there is nothing to show */
    uint64_t chunks; /* that the version has */
    uint64_t added;
};

/* The last change that a shelf has, and what tells it from any other: when the database has it,
 * then all that came before, too. */
struct edda_pg_witness {
    int64_t memo;
    int64_t revision;
    int64_t hash; /* of its uuid, versions and times: WITNESS */
};

/* What is on its way. */
struct edda_pg_round {
    struct edda_pg_query query;
    edda_pg_result_t *memos; /* the slice; owned */
    edda_pg_result_t *rows;  /* of the last other statement; owned */
    struct edda_arena arena; /* items and wanted */
    struct edda_buffer values;
    float *vector; /* one chunk's; in arena; NULL: not needed yet */
    struct edda_pg_incoming *items;
    size_t count;
    size_t first; /* items whose chunks are asked for: first..end */
    size_t end;
    int64_t after_revision; /* of the last memo seen */
    int64_t after_memo;
    int64_t after_chunk;
    struct edda_pg_witness witness; /* of the last memo seen */
    int64_t target;                 /* the revision that is certainly reached */
    struct edda_row_map missing; /* words of the last chunks that are to be asked for: hash + 1 */
    struct edda_uuid *wanted;    /* chunks for the sample */
    size_t wanted_count;
    size_t wanted_at;
    struct edda_index_grams *grams; /* owned, EDDA_INDEX_SAMPLE */
    size_t gram_count;
    unsigned repeats;
    bool missed;  /* a memo was left for the next look */
    bool touched; /* the index was: after an error it is not to be trusted */
    int error;    /* of work, or of what could not be begun */
    struct edda_deferred failed;
    int (*work)(struct edda_pg_worker *worker, struct edda_pg_shelf *shelf);
    void (*then)(struct edda_pg_shelf *shelf);
};

struct edda_pg_shelf {
    struct edda_postgres *store;
    struct edda_pg_shelf *next; /* of the catalogue's */
    int64_t project;
    edda_index_t *index;     /* under lock */
    struct edda_cards cards; /* under lock */
    pthread_rwlock_t lock;
    uint64_t last_key;
    struct edda_row_map textless; /* hash + 1 of words that have no text */

    int64_t revision;  /* everything up to it is in the index */
    int64_t since;     /* the project's, before the first statement of the load */
    int64_t wanted;    /* somebody waits for it */
    bool said_damaged; /* damage.h's; the round's work */
    bool said_near;    /* the same of vectors in the database; the loop's */
    bool loaded;
    bool busy;                      /* with a round */
    bool doubted;                   /* of a database that was replaced, or only restarted */
    bool disproved;                 /* it was replaced */
    struct edda_pg_witness witness; /* of the last memo it has; memo 0: none */
    bool spoiled;                   /* out of sight; freed when nobody uses it any more */
    unsigned users;
    int64_t used_ms;
    int64_t begun_ms;
    size_t bytes;
    struct edda_pg_call *waiting;
    struct edda_pg_round round;
};

/* NULL: no memory. */
struct edda_pg_shelf *edda_pg_shelf_new(struct edda_postgres *store, int64_t project);
void edda_pg_shelf_destroy(struct edda_pg_shelf **self_p);
size_t edda_pg_shelf_bytes(struct edda_pg_shelf *self);
bool edda_pg_shelf_is_untidy(struct edda_pg_shelf *self);

/* Work of a round, on a pool thread; each reads what round has. */
int edda_pg_shelf_plan(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_add(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_put_words(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_publish(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_compact(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_count_grams(struct edda_pg_worker *worker, struct edda_pg_shelf *self);
int edda_pg_shelf_take_sample(struct edda_pg_worker *worker, struct edda_pg_shelf *self);

/* Begins a round, or another after one. Its end comes to edda_pg_catalogue_followed. */
void edda_pg_shelf_follow(struct edda_pg_shelf *self);

/* When there is no database and no pool any more. */
void edda_pg_shelf_abandon(struct edda_pg_shelf *self);

#endif
