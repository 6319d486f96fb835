/* actors/store/postgres/migrate.h: brings a database to this program's schema, never back.
 *
 * Each missing step (schema/postgres/NNN.sql) is one transaction that first takes an advisory lock
 * of the database, for the transaction: of many processes that start at once one does a step and
 * the others find it done. Needs no session, so a pooler may stand between. Blocks its caller: for
 * before the loop runs. A step may take its time; a server that is gone is noticed by TCP within
 * ten seconds, and one of us that is silent in the middle gives its lock back after one. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_MIGRATE_H
#define EDDA_ACTORS_STORE_POSTGRES_MIGRATE_H

#include "actors/store/postgres/url.h"
#include "actors/store/schema/schema.h"

#define EDDA_PG_SERVER_LEAST 150000 /* PostgreSQL 15, as server_version_num says it */
#define EDDA_PG_VECTOR_LEAST "0.8"  /* of pgvector: iterative scans */

/* Of versions in numbers and dots: "0.8" is older than "0.10"; what is no version is. Pure. */
bool edda_pg_is_older(const char *version, const char *least);

/* schema: this program's is edda_store_schema_postgres. connect_ms: for the connection.
 * EDDA_E_VERSION: the database is newer than this program, or the server or its pgvector too old.
 * EDDA_E_INVALID: the database is not in UTF-8, or pgvector is in a schema that is not searched.
 * EDDA_E_UNAVAILABLE, EDDA_E_TIMEOUT: it does not answer, or refuses us. EDDA_E_IO: a step failed,
 * and nothing of it stays. message gets words for people, without the password. */
int edda_pg_migrate(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                    int64_t connect_ms, char *message, size_t message_size) EDDA_MUST_CHECK;

/* The same for a store that is to serve. EDDA_E_INVALID: an unfinished copy is in it, too.
 * EDDA_E_CANCELLED: stopped (may be NULL) said so, which is asked every EDDA_PG_PLAIN_LOOK_MS. */
int edda_pg_migrate_to_serve(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                             int64_t connect_ms, char *message, size_t message_size,
                             bool (*stopped)(void *context), void *context) EDDA_MUST_CHECK;

/* Changes nothing. EDDA_E_VERSION: the tables are newer or older than this program's.
 * EDDA_E_NOT_FOUND: there are none, unless they may_be_empty. EDDA_E_UNAVAILABLE, EDDA_E_TIMEOUT,
 * EDDA_E_IO. message says what to do. */
int edda_pg_check_tables(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                         int64_t connect_ms, bool may_be_empty, char *message,
                         size_t message_size) EDDA_MUST_CHECK;

#endif
