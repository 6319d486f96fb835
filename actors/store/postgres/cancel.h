/* actors/store/postgres/cancel.h: tells a server that hangs to stop a statement, and waits for
 * nothing.
 *
 * libpq before 17 can only do it blocking, and that without any timeout: a host that accepts and
 * says nothing holds the caller for ever. So each is sent by a thread of its own that is detached
 * and owns all it touches: nobody has to wait for it, the end of the process neither. libpq sends
 * it unencrypted, also of a connection that has TLS; what a listener could learn from it is how to
 * cancel a connection that is closed anyway.
 *
 * Limits: EDDA_PG_CANCELS at once in the process; more are not sent: the server then notices the
 * closed connection, or its own statement_timeout. Any thread. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_CANCEL_H
#define EDDA_ACTORS_STORE_POSTGRES_CANCEL_H

#include "actors/store/postgres/connector.h"

#define EDDA_PG_CANCELS 8

/* The handle may be finished as soon as this returns. False: it was not sent. */
bool edda_pg_cancel_send(edda_pg_handle_t *handle);

#endif
