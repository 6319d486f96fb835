/* actors/store/sqlite/catalogue.h: the search indexes that are in memory: one shelf a project.
 *
 *            first use            loaded                  least used, over the bytes
 *   (none) ------------> LOADING ---------> READY ----------------------------------> (none)
 *                           |                 |
 *                           +--- failed ------+---> spoiled: forgotten when its last user is gone
 *
 * Calls that come while a project is LOADING are parked on its shelf and run again when it is
 * READY. The writer tells of every commit: a READY shelf is brought up to date at once, a LOADING
 * one notes the memo and its loader looks at it again before it says READY; so a commit is never
 * missed.
 *
 * When another model serves a project its shelf is forgotten, and loaded anew by the next search;
 * one that is LOADING is forgotten when its load ends, and who waits for it waits for the next.
 *
 * Between COMMIT and the index's update a memo is "announced": whoever reads from the database that
 * it is processed asks edda_catalogue_is_announced after, and says processing if so.
 *
 * Threads: any; the lock here is held for moments only, a shelf has a lock of its own (shelf.h). */
#ifndef EDDA_ACTORS_STORE_SQLITE_CATALOGUE_H
#define EDDA_ACTORS_STORE_SQLITE_CATALOGUE_H

#include "actors/store/sqlite/call.h"

typedef struct edda_catalogue edda_catalogue_t;

edda_catalogue_t *edda_catalogue_new(struct edda_sqlite *store, size_t maximum_bytes);

/* No call may be parked and no shelf borrowed. */
void edda_catalogue_destroy(edda_catalogue_t **self_p);

/* 0: *ret_shelf is READY and stays until given back. EDDA_SQLITE_PARKED: the call waits for the
 * shelf, hands off. EDDA_E_MEMORY. */
int edda_catalogue_borrow(edda_catalogue_t *self, uint64_t project, struct edda_sqlite_call *call,
                          struct edda_shelf **ret_shelf) EDDA_MUST_CHECK;
void edda_catalogue_return(edda_catalogue_t *self, struct edda_shelf *shelf);

/* The loader's thread: loads what is LOADING, tidies what is READY. */
void edda_catalogue_work(edda_catalogue_t *self, struct edda_reader *reader,
                         struct edda_shelf *shelf);

/* The writer's thread, after its commit: call's words and changes. */
void edda_catalogue_commit(edda_catalogue_t *self, edda_database_t *database,
                           const struct edda_sqlite_call *call);

void edda_catalogue_announce(edda_catalogue_t *self, int64_t memo);
void edda_catalogue_withdraw(edda_catalogue_t *self, int64_t memo);
bool edda_catalogue_is_announced(edda_catalogue_t *self, int64_t memo);

/* Memory of all indexes. */
size_t edda_catalogue_bytes(edda_catalogue_t *self);

#endif
