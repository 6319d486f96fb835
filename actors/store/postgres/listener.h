/* actors/store/postgres/listener.h: the one connection of a store that stays what it is: it says
 * that this store lives, and hears when another one made jobs claimable.
 *
 * It holds a shared advisory lock of the store's life, a random number, for as long as the
 * connection stands. So the server knows which lives are over, whatever ended them: leases of a
 * life whose lock nobody holds are given back when a store starts (JOBS_RELEASE), and those of
 * stores that live are left alone. A life whose connection is lost for a moment may have its leases
 * given away meanwhile: then a job is done twice, and the fence lets one of them in.
 *
 * Behind a pooler in transaction mode there is no such connection: leases of such a life are marked
 * (leased_by below 0) and run out; and nobody hears anything: the store looks by itself.
 *
 * Threads: the loop's. Lost connections come back by themselves (reconnect.h). */
#ifndef EDDA_ACTORS_STORE_POSTGRES_LISTENER_H
#define EDDA_ACTORS_STORE_POSTGRES_LISTENER_H

#include "actors/store/postgres/connector.h"

typedef struct edda_pg_listener edda_pg_listener_t;

struct edda_pg_listener_options {
    edda_loop_t *loop;
    edda_pg_connector_t *connector; /* borrowed; lives longer */
    uint64_t life;
    edda_task_fn on_ready; /* another store says so, or what it said may have been missed */
    void *context;
};

/* Begins to connect. NULL: no memory. */
edda_pg_listener_t *edda_pg_listener_new(const struct edda_pg_listener_options *options);

/* Gives the lock back first, and waits for that for at most a second: a store that is opened at
 * once behind this one finds the life over. */
void edda_pg_listener_destroy(edda_pg_listener_t **self_p);

/* Whether it holds the lock and listens. NULL: no. */
bool edda_pg_listener_stands(const edda_pg_listener_t *self);

#endif
