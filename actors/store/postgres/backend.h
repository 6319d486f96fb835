/* actors/store/postgres/backend.h: the store in a PostgreSQL database, which any number of store
 * processes may share.
 *
 * How it works: README.md of this folder. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_BACKEND_H
#define EDDA_ACTORS_STORE_POSTGRES_BACKEND_H

#include "actors/store/backend.h"
#include "actors/store/index/index.h"

#define EDDA_EXACT_CHUNKS 15000 /* an exact look at so many takes some 20 ms */

struct edda_postgres_options {
    edda_loop_t *loop;
    const char *url;      /* postgres://...; holds a password: it is never repeated */
    unsigned connections; /* at most: 1..64 */
    bool prepare;         /* false: behind a pooler in transaction mode */
    int64_t statement_ms; /* of one statement */
    int64_t connect_ms;   /* until a connection stands */
    unsigned threads;     /* for CPU work: 1..64 */
    int64_t lease_ms;     /* of a claimed job; 0: EDDA_LEASE_MS */
    size_t index_bytes;   /* memory of search indexes before the least used is dropped; 0: 1 GiB */
    struct edda_index_options index; /* all 0: the defaults */
    uint64_t exact_chunks;   /* of more chunks the vectors' index is asked; 0: EDDA_EXACT_CHUNKS */
    int64_t backlog;         /* parts that may wait before new content is refused; 0: no limit */
    int64_t project_backlog; /* the same of one project */
    struct edda_backend_events events;
};

/* Brings the schema up to date, which blocks, then returns: connections are made as the loop runs.
 * Errors are those of edda_pg_url_parse and edda_pg_migrate;
 * EDDA_E_CANCELLED: the loop was asked to drain meanwhile. message gets words for people, without
 * the password. */
int edda_postgres_open(const struct edda_postgres_options *options, char *message,
                       size_t message_size, edda_backend_t **ret_backend) EDDA_MUST_CHECK;

/* "edda@db.example:5432/edda": for people and logs. Lives as long as the backend. */
const char *edda_postgres_place(const edda_backend_t *backend);

#endif
