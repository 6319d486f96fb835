/* actors/store/postgres/connector.h: makes connections to the database that a URL names, without
 * blocking the loop.
 *
 *   connect ──► names looked up (a pool thread) ──► PQconnectStart ──► PQconnectPoll ... ──► done
 *
 * libpq looks names up inside PQconnectPoll and blocks there, for seconds when DNS does not answer.
 * So we look them up beforehand, on a thread of our own, and hand libpq addresses (hostaddr); the
 * names go along, for it to check certificates by. Numbers and sockets need no look-up and no
 * thread. Every attempt looks anew: a fail-over may have moved the name. TCP, TLS and SCRAM then
 * run non-blocking in the loop, in libpq's own order over all addresses, from the one on that the
 * last attempt began with; when an attempt ran out of its time, from the next one on: libpq alone
 * would wait for a host that hangs each time, and never come to its standby.
 *
 * The URL is libpq's (postgres://user:password@host:port/database?sslmode=verify-full), with what
 * it does not say set to: UTF-8, application_name edda, target_session_attrs=read-write (a standby
 * is passed over), keepalives every 2 s after 4, tcp_user_timeout 10 s (a host that is gone, or a
 * firewall that forgot us, is noticed after 10 s, busy or idle), gssencmode=disable (Kerberos would
 * block), jit off, notices off.
 *
 * Words about failures never hold the password: see edda_pg_words in url.h.
 * Threads: the loop's. Limits: EDDA_PG_ADDRESSES addresses in all. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_CONNECTOR_H
#define EDDA_ACTORS_STORE_POSTGRES_CONNECTOR_H

#include "actors/runtime/loop.h"
#include "actors/store/postgres/sqlstate.h"
#include "actors/store/postgres/url.h"
#include "proto/error.h"

#define EDDA_PG_SILENCE_MS 60000 /* a transaction that says nothing is rolled back */

typedef struct pg_conn edda_pg_handle_t; /* libpq's own */
typedef struct edda_pg_connector edda_pg_connector_t;
typedef struct edda_pg_attempt edda_pg_attempt_t;

struct edda_pg_connector_options {
    edda_loop_t *loop;
    const edda_pg_url_t *url; /* borrowed; lives longer */
    int64_t connect_ms;       /* names, TCP, TLS and log-in together */
    int64_t statement_ms;     /* the session's statement_timeout; 0: none */
    bool prepare;             /* false: behind a pooler in transaction mode, where a session has no
                                 settings, no prepared statements and no notifications */
};

/* error: 0 and a handle that is the callee's: connected, non-blocking, not in pipeline mode. Or
 * EDDA_E_UNAVAILABLE, EDDA_E_TIMEOUT, EDDA_E_MEMORY with words for people, borrowed for the call.
 */
struct edda_pg_arrival {
    int error;
    const char *text;
    const struct edda_sqlstate *state; /* what the server said, if it did */
    edda_pg_handle_t *handle;
};

typedef void (*edda_pg_arrived_fn)(void *context, const struct edda_pg_arrival *arrival);

/* NULL: no memory. */
edda_pg_connector_t *edda_pg_connector_new(const struct edda_pg_connector_options *options);

/* When no attempt is under way. Waits for a look-up that is still running: at most as long as the
 * system's resolver does. */
void edda_pg_connector_destroy(edda_pg_connector_t **self_p);

bool edda_pg_connector_prepares(const edda_pg_connector_t *self);

/* done comes once, never from within, at the latest after connect_ms; the attempt is gone with it.
 * NULL: no memory. */
edda_pg_attempt_t *edda_pg_connect(edda_pg_connector_t *self, edda_pg_arrived_fn done,
                                   void *context);

/* No callback any more. Nulls the pointer. */
void edda_pg_attempt_cancel(edda_pg_attempt_t **attempt_p);

#endif
