/* actors/store/sqlite/store.h: the SQLite store's own object, for the files of this folder. */
#ifndef EDDA_ACTORS_STORE_SQLITE_STORE_H
#define EDDA_ACTORS_STORE_SQLITE_STORE_H

#include <pthread.h>

#include "actors/runtime/pool.h"
#include "actors/store/known.h"
#include "actors/store/sqlite/call.h"
#include "actors/store/sqlite/catalogue.h"
#include "actors/store/sqlite/sqlite.h"
#include "actors/store/sqlite/writer.h"

struct edda_sqlite {
    struct edda_backend backend; /* first */
    edda_loop_t *loop;
    struct edda_backend_events events;
    char *path;
    int lock_file;
    uint64_t life; /* of this process: who holds the leases it gives */
    int64_t lease_ms;
    int64_t backlog;          /* parts; 0: no limit */
    int64_t project_backlog;  /* the same of one project */
    int64_t wall_at_start_ms; /* the steady clock is this plus what passed since */
    int64_t clock_at_start_ms;
    struct edda_index_options index_options;
    unsigned threads;
    struct edda_reader *readers; /* one a pool thread, the loader's, the writer's */
    edda_pool_t *pool;
    edda_pool_t *loader; /* one thread: loads indexes, keeps them tidy */
    edda_writer_t *writer;
    edda_catalogue_t *catalogue;
    struct edda_known known; /* words already stored */
    edda_watch_t *watch;
    int wake;    /* eventfd: something below waits for the loop */
    size_t open; /* calls not answered yet; the loop's */

    pthread_mutex_t lock;
    pthread_cond_t told;               /* under lock: something below changed */
    struct edda_sqlite_call *answered; /* under lock: finished or to be run again, newest first */
    struct edda_shelf *due;            /* under lock: to be loaded or tidied, newest first */
    bool ready;                        /* under lock: jobs became claimable */
    size_t background;                 /* under lock: shelves that are due or with the loader */
};

/* Unix milliseconds when the process began plus the time since: jumps of the wall clock do not
 * touch leases. */
int64_t edda_sqlite_now(const struct edda_sqlite *self);

/* Any thread: the call has its error or its result; or it is to be run again from its beginning. */
void edda_sqlite_finish(struct edda_sqlite_call *call);
void edda_sqlite_again(struct edda_sqlite_call *call);

/* Any thread: jobs became claimable. */
void edda_sqlite_ready(struct edda_sqlite *self);

/* Any thread: has the loader load or tidy a shelf (edda_catalogue_work). */
void edda_sqlite_load(struct edda_sqlite *self, struct edda_shelf *shelf);

#endif
