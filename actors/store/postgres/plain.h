/* actors/store/postgres/plain.h: one connection that blocks its caller: for before a loop runs, and
 * for commands.
 *
 * Errors have words for people, without the password: message, which is the caller's. Threads: one.
 */
#ifndef EDDA_ACTORS_STORE_POSTGRES_PLAIN_H
#define EDDA_ACTORS_STORE_POSTGRES_PLAIN_H

#include "actors/store/postgres/url.h"
#include "proto/error.h"

#define EDDA_PG_PLAIN_LOOK_MS 100

typedef struct pg_conn edda_pg_handle_t; /* libpq's own */

struct edda_pg_plain {
    const edda_pg_url_t *url; /* borrowed, as message */
    edda_pg_handle_t *handle;
    char *message;
    size_t message_size;
    bool (*stopped)(void *context); /* asked while something is waited for; NULL: nobody stops it */
    void *context;                  /* its */
};

/* url, message and message_size are set. EDDA_E_UNAVAILABLE, EDDA_E_TIMEOUT: it does not answer, or
 * refuses us. EDDA_E_MEMORY. EDDA_E_CANCELLED, here and below: it was stopped, within
 * EDDA_PG_PLAIN_LOOK_MS, and a statement is cancelled. To be closed in any case. */
int edda_pg_plain_open(struct edda_pg_plain *self, int64_t connect_ms) EDDA_MUST_CHECK;
void edda_pg_plain_close(struct edda_pg_plain *self);

/* doing: for the message. ret_value (NULL: not wanted) gets the first column of the first row, ""
 * when there is none. EDDA_E_UNAVAILABLE: the connection was lost; EDDA_E_IO. */
int edda_pg_plain_run(struct edda_pg_plain *self, const char *sql, const char *doing,
                      char *ret_value, size_t value_size) EDDA_MUST_CHECK;
int edda_pg_plain_number(struct edda_pg_plain *self, const char *sql,
                         int64_t *ret_number) EDDA_MUST_CHECK;

/* Puts words into message: "doing: why". */
void edda_pg_plain_say(struct edda_pg_plain *self, const char *doing, const char *why);

#endif
