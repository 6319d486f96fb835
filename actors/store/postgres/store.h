/* actors/store/postgres/store.h: the PostgreSQL store's own object, for the files of this folder.
 */
#ifndef EDDA_ACTORS_STORE_POSTGRES_STORE_H
#define EDDA_ACTORS_STORE_POSTGRES_STORE_H

#include "actors/runtime/metric.h"
#include "actors/runtime/pool.h"
#include "actors/store/known.h"
#include "actors/store/postgres/backend.h"
#include "actors/store/postgres/backlog.h"
#include "actors/store/postgres/call.h"
#include "actors/store/postgres/projects.h"
#include "actors/store/postgres/waker.h"

struct edda_postgres {
    struct edda_backend backend; /* first */
    edda_loop_t *loop;
    struct edda_backend_events events;
    uint64_t life; /* of this process: who holds the leases it gives; below 2^62 */
    int64_t lease_ms;
    unsigned threads;
    edda_pg_url_t *url;
    edda_pg_connector_t *connector;
    edda_pg_t *database; /* NULL once destroyed */
    edda_pool_t *pool;
    struct edda_pg_worker *workers; /* one a pool thread */
    struct edda_pg_call *calls;     /* not answered yet */
    size_t open;                    /* how many */
    bool closing;
    struct edda_known known; /* words already stored */
    struct edda_pg_projects projects;
    struct edda_pg_catalogue *catalogue;
    struct edda_index_options index_options;
    uint64_t exact_chunks;   /* of so many a project's nearest are looked for exactly */
    edda_cell_t *exact_cell; /* how often an index gave too few */
    struct edda_pg_waker waker;
    struct edda_pg_backlog backlog;
};

#endif
