/* actors/store/sqlite/shelf.h: one project's search index and the cards of its memos.
 *
 * There is one way to change it: look at a memo's row and make the index say the same (refresh). It
 * does not matter how often or in which order rows are looked at, as long as each commit is
 * followed by a look that sees it. The index's keys are numbers of this shelf alone.
 *
 * Threads: readers hold lock for reading; whoever refreshes or tidies holds it for writing, in
 * slices, so that a large memo does not keep searches waiting. While LOADING it is its loader's. */
#ifndef EDDA_ACTORS_STORE_SQLITE_SHELF_H
#define EDDA_ACTORS_STORE_SQLITE_SHELF_H

#include <pthread.h>

#include "actors/store/cards.h"
#include "actors/store/sqlite/call.h"

enum edda_shelf_state { EDDA_SHELF_LOADING, EDDA_SHELF_READY, EDDA_SHELF_SPOILED };

struct edda_shelf {
    struct edda_sqlite *store;
    uint64_t project;
    int64_t
        serving; /* the model that served it when it was loaded; 0: none. Another: a new shelf */
    char *serving_name; /* owned */
    uint32_t serving_dimension;
    edda_index_t *index;     /* under lock */
    struct edda_cards cards; /* under lock */
    uint64_t last_key;
    bool said_damaged; /* damage.h's; whoever refreshes */
    pthread_rwlock_t lock;

    /* Under the catalogue's lock. */
    enum edda_shelf_state state;
    unsigned users;
    int64_t used_ms;
    size_t bytes;
    bool queued; /* with the loader */
    struct edda_sqlite_call *waiting;
    int64_t *dirty; /* owned: memos changed while LOADING */
    size_t dirty_count;
    size_t dirty_capacity;
    bool dirty_words;
    bool lost;                   /* a change could not be noted */
    bool outdated;               /* another model serves since: not to be used once it is loaded */
    struct edda_shelf *next_due; /* under the store's lock */
};

struct edda_shelf *edda_shelf_new(struct edda_sqlite *store, uint64_t project);
void edda_shelf_destroy(struct edda_shelf **self_p);

/* The loader, alone: everything the project has. */
int edda_shelf_load(struct edda_shelf *self, edda_database_t *database) EDDA_MUST_CHECK;
int edda_shelf_load_words(struct edda_shelf *self, edda_database_t *database) EDDA_MUST_CHECK;

/* Makes the index say of one memo what its row says. locked: take the lock (READY), else alone. On
 * an error the shelf is not to be trusted any more. */
int edda_shelf_refresh(struct edda_shelf *self, edda_database_t *database, int64_t memo,
                       bool locked) EDDA_MUST_CHECK;

int edda_shelf_put_words(struct edda_shelf *self, const struct edda_new_word *words, size_t count,
                         bool locked) EDDA_MUST_CHECK;

/* Whether tidying is due. Takes the lock for reading. */
bool edda_shelf_is_untidy(struct edda_shelf *self);

/* Compaction and the sample of 4-grams. */
int edda_shelf_tidy(struct edda_shelf *self, struct edda_reader *reader,
                    bool locked) EDDA_MUST_CHECK;

size_t edda_shelf_bytes(const struct edda_shelf *self);

#endif
