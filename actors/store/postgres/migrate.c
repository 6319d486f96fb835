/* actors/store/postgres/migrate.c: the version table, and steps that are not yet in it. */
#include "actors/store/postgres/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/store/postgres/plain.h"

/* Until the transaction's end. A step may wait for locks and take as long as it takes; who is
 * silent between two statements is gone, or stopped, and keeps all stores from starting. */
static const char begin[] = "BEGIN; SET LOCAL client_min_messages = error;"
                            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                            "SET LOCAL idle_in_transaction_session_timeout = '60s'";
/* The number is "edda" in ASCII. */
static const char try_lock[] = "SELECT pg_try_advisory_xact_lock(1701078113)::int";
static const char wait_for_lock[] = "SELECT pg_advisory_xact_lock(1701078113)";
static const char make_table[] =
    "CREATE TABLE schema_version (version bigint PRIMARY KEY, applied_ms bigint NOT NULL)";
static const char reading[] = "cannot read the database";
static const char find_vector[] =
    "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
    "(SELECT default_version FROM pg_available_extensions WHERE name = 'vector'), '')";

static const char find_hidden_vector[] =
    "SELECT coalesce((SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname ="
    " 'vector' AND to_regtype('halfvec') IS NULL), '')";

bool edda_pg_is_older(const char *version, const char *least) {
    for (;;) {
        char *end = NULL;
        char *least_end = NULL;
        long number = strtol(version, &end, 10);
        long wanted = strtol(least, &least_end, 10);
        if (end == version || number != wanted) {
            return end == version || number < wanted;
        }
        if (*least_end != '.') {
            return false;
        }
        version = *end == '.' ? end + 1 : end;
        least = least_end + 1;
    }
}

/* What no step could make good. */
static int check_server(struct edda_pg_plain *self) {
    char encoding[32];
    char vector[32];
    char hidden[64];
    int error = edda_pg_plain_run(self, "SHOW server_encoding", reading, encoding, sizeof encoding);
    if (!error) {
        error = edda_pg_plain_run(self, find_vector, reading, vector, sizeof vector);
    }
    if (error) {
        return error;
    }
    if (PQserverVersion(self->handle) < EDDA_PG_SERVER_LEAST) {
        snprintf(self->message, self->message_size, "the server is PostgreSQL %d; 15 is needed",
                 PQserverVersion(self->handle) / 10000);
        return EDDA_E_VERSION;
    }
    if (strcmp(encoding, "UTF8") != 0) {
        snprintf(self->message, self->message_size,
                 "the database's encoding is %s; it must be UTF8", encoding);
        return EDDA_E_INVALID;
    }
    if (edda_pg_is_older(vector, EDDA_PG_VECTOR_LEAST)) {
        snprintf(self->message, self->message_size, "the server has %s%s; pgvector %s is needed",
                 vector[0] ? "pgvector " : "no pgvector", vector, EDDA_PG_VECTOR_LEAST);
        return EDDA_E_VERSION;
    }
    error = edda_pg_plain_run(self, find_hidden_vector, reading, hidden, sizeof hidden);
    if (!error && hidden[0]) {
        snprintf(self->message, self->message_size,
                 "pgvector is in schema %s, which is not in the search_path of this user", hidden);
        return EDDA_E_INVALID;
    }
    return error;
}

static int read_version(struct edda_pg_plain *self, bool make, int64_t *ret_version) {
    int64_t there = 0;
    int error = edda_pg_plain_number(
        self, "SELECT (to_regclass('schema_version') IS NOT NULL)::int", &there);
    if (!error && !there && !make) {
        *ret_version = 0;
        return 0;
    }
    if (!error && !there) {
        error = edda_pg_plain_run(self, make_table, "cannot make a table", NULL, 0);
    }
    return error ? error
                 : edda_pg_plain_number(
                       self, "SELECT coalesce(max(version), 0) FROM schema_version", ret_version);
}

static int begin_step(struct edda_pg_plain *self) {
    static const char failed[] = "cannot lock the schema";
    int64_t locked = 0;
    int error = edda_pg_plain_run(self, begin, failed, NULL, 0);
    error = error ? error : edda_pg_plain_number(self, try_lock, &locked);
    if (!error && !locked) {
        edda_log(EDDA_LOG_INFO, "schema_locked",
                 "reason=\"another program looks at the schema or changes it; waiting for it\"");
        error = edda_pg_plain_run(self, wait_for_lock, failed, NULL, 0);
    }
    return error;
}

/* In a transaction of its own, with the lock: the step that is missing next, if one is. */
static int take_step(struct edda_pg_plain *self, const struct edda_store_schema *schema,
                     bool *ret_over) {
    static const char failed[] = "the database cannot be brought to this schema";
    int64_t version = 0;
    char record[160];
    int error = begin_step(self);
    if (!error) {
        error = read_version(self, true, &version);
    }
    if (!error) {
        error = edda_store_schema_admit(schema, version, self->message, self->message_size);
    }
    if (error) {
        return error;
    }
    *ret_over = (size_t)version == schema->count;
    if (!*ret_over) {
        snprintf(record, sizeof record,
                 "INSERT INTO schema_version (version, applied_ms) VALUES (%lld, %lld)",
                 (long long)version + 1, (long long)edda_clock_wall_ms());
        error = edda_pg_plain_run(self, schema->steps[version], failed, NULL, 0);
        error = error ? error : edda_pg_plain_run(self, record, failed, NULL, 0);
    }
    return error ? error : edda_pg_plain_run(self, "COMMIT", failed, NULL, 0);
}

/* What a store wrote into half a copy would be in the way of the other half. */
static int check_whole(struct edda_pg_plain *self) {
    int64_t copied = 0;
    int64_t unfinished = 0;
    int error = edda_pg_plain_number(self, "SELECT (to_regclass('copy_progress') IS NOT NULL)::int",
                                     &copied);
    if (!error && copied) {
        error = edda_pg_plain_number(self, "SELECT count(*) FROM copy_progress WHERE finished = 0",
                                     &unfinished);
    }
    if (!error && unfinished) {
        snprintf(self->message, self->message_size,
                 "the database holds an unfinished copy; `edda copy` again finishes it");
        return EDDA_E_INVALID;
    }
    return error;
}

/* Unfinished transactions go with the connection. */
static int migrate(struct edda_pg_plain *self, const struct edda_store_schema *schema,
                   int64_t connect_ms, bool serving) {
    bool over = false;
    snprintf(self->message, self->message_size, "out of memory");
    int error = edda_pg_plain_open(self, connect_ms);
    if (!error) {
        error = check_server(self);
    }
    while (!error && !over) {
        error = take_step(self, schema, &over);
    }
    if (!error && serving) {
        error = check_whole(self);
    }
    edda_pg_plain_close(self);
    return error;
}

int edda_pg_migrate(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                    int64_t connect_ms, char *message, size_t message_size) {
    struct edda_pg_plain self = {.url = url, .message = message, .message_size = message_size};
    return migrate(&self, schema, connect_ms, false);
}

int edda_pg_migrate_to_serve(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                             int64_t connect_ms, char *message, size_t message_size,
                             bool (*stopped)(void *context), void *context) {
    struct edda_pg_plain self = {.url = url,
                                 .message = message,
                                 .message_size = message_size,
                                 .stopped = stopped,
                                 .context = context};
    return migrate(&self, schema, connect_ms, true);
}

int edda_pg_check_tables(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                         int64_t connect_ms, bool may_be_empty, char *message,
                         size_t message_size) {
    struct edda_pg_plain self = {.url = url, .message = message, .message_size = message_size};
    int64_t version = 0;
    snprintf(message, message_size, "out of memory");
    int error = edda_pg_plain_open(&self, connect_ms);
    error = error ? error : read_version(&self, false, &version);
    edda_pg_plain_close(&self);
    if (!error && (version > 0 || !may_be_empty)) {
        error = edda_store_schema_compare(schema, version, message, message_size);
    }
    return error;
}
