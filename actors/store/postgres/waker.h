/* actors/store/postgres/waker.h: tells pumps that jobs are claimable: this process's own at once,
 * those of others by a notification.
 *
 *   a commit made jobs ──► on_ready, here
 *                     └──► pg_notify, at most one every EDDA_PG_NOTIFY_MS ──► listeners of others
 *
 * The notification is not part of the commit: the server lets those that notify commit one after
 * the other. One that is lost costs others no more than their next look: a pump looks every few
 * seconds anyway, and a store without a listener has its own look every EDDA_PG_LOOK_MS. Threads:
 * the loop's. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_WAKER_H
#define EDDA_ACTORS_STORE_POSTGRES_WAKER_H

#include "actors/store/backend.h"
#include "actors/store/postgres/database.h"
#include "actors/store/postgres/listener.h"

#define EDDA_PG_NOTIFY_MS 50
#define EDDA_PG_LOOK_MS   1000

struct edda_pg_waker {
    edda_loop_t *loop;
    edda_pg_t *database;
    edda_pg_listener_t *listener; /* NULL behind a pooler */
    struct edda_backend_events events;
    char life[24];
    bool due; /* others are to be told */
    bool stopped;
    struct edda_timer notify;
    struct edda_timer look;
    struct edda_pg_query query;
    bool telling;
};

/* listens: false behind a pooler in transaction mode. EDDA_E_MEMORY. */
int edda_pg_waker_init(struct edda_pg_waker *waker, edda_loop_t *loop, edda_pg_t *database,
                       edda_pg_connector_t *connector, bool listens, uint64_t life,
                       const struct edda_backend_events *events) EDDA_MUST_CHECK;

/* Before the database goes. Zeroed is fine. */
void edda_pg_waker_done(struct edda_pg_waker *waker);

/* Jobs became claimable by a commit of this process. */
void edda_pg_waker_wake(struct edda_pg_waker *waker);

#endif
