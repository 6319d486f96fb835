/* actors/store/postgres/migrate.c: the version table, and steps that are not yet in it. */
#include "actors/store/postgres/migrate.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/sqlstate.h"

#define NEWER                                                                                      \
    "the database has schema version %lld, this program knows up to %zu: use the newer program"

/* Until the transaction's end. A step may wait for locks and take as long as it takes. The lock's
 * number is "edda" in ASCII. */
static const char begin[] = "BEGIN; SET LOCAL client_min_messages = error;"
                            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                            "SET LOCAL idle_in_transaction_session_timeout = 0;"
                            "SELECT pg_advisory_xact_lock(1701078113)";
static const char make_table[] =
    "CREATE TABLE schema_version (version bigint PRIMARY KEY, applied_ms bigint NOT NULL)";
static const char find_vector[] =
    "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
    "(SELECT default_version FROM pg_available_extensions WHERE name = 'vector'), '')";

struct migration {
    const edda_pg_url_t *url;
    PGconn *handle;
    char *message;
    size_t message_size;
};

static void say(struct migration *self, const char *doing, const char *why) {
    char words[EDDA_PG_WORDS];
    edda_pg_words(self->url, why, words);
    snprintf(self->message, self->message_size, "%s: %s", doing, words);
}

/* ---- the connection ---- */

/* Names may be looked up by libpq here: nobody else is on this thread. */
static int start(struct migration *self) {
    struct edda_pg_address addresses[EDDA_PG_HOSTS];
    struct edda_pg_conninfo conninfo;
    size_t count = edda_pg_url_hosts(self->url);
    for (size_t i = 0; i < count; i++) {
        const struct edda_pg_host *host = edda_pg_url_host(self->url, i);
        addresses[i].host = i;
        snprintf(addresses[i].text, sizeof addresses[i].text, "%s",
                 host->address ? host->address : "");
    }
    int error = edda_pg_conninfo_make(&conninfo, self->url, addresses, count, NULL);
    if (error) {
        snprintf(self->message, self->message_size, "%s", edda_error_text(error));
        return error;
    }
    self->handle = PQconnectStartParams(conninfo.keywords, conninfo.values, 0);
    edda_pg_conninfo_done(&conninfo);
    return self->handle ? 0 : EDDA_E_MEMORY;
}

static int wait_for_socket(struct migration *self, short events, int64_t until_ms) {
    struct pollfd look = {.fd = PQsocket(self->handle), .events = events};
    for (;;) {
        int64_t left_ms = until_ms - edda_clock_ms();
        int ready = poll(&look, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0) {
            return 0;
        }
        if (ready == 0 || errno != EINTR) {
            return EDDA_E_TIMEOUT;
        }
    }
}

static int connect_to(struct migration *self, int64_t connect_ms) {
    int64_t until_ms = edda_clock_ms() + connect_ms;
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    int error = start(self);
    while (!error && PQstatus(self->handle) != CONNECTION_BAD && polling != PGRES_POLLING_OK &&
           polling != PGRES_POLLING_FAILED) {
        error =
            wait_for_socket(self, polling == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms);
        if (error) {
            say(self, "the database", "no connection in time");
        } else {
            polling = PQconnectPoll(self->handle);
        }
    }
    if (!error && PQstatus(self->handle) != CONNECTION_OK) {
        say(self, "the database", PQerrorMessage(self->handle));
        error = EDDA_E_UNAVAILABLE;
    }
    return error;
}

static void ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

/* ---- statements ---- */

/* doing: for the message. *ret_value (NULL: not wanted) gets the first column of the first row, ""
 * when there is none. */
static int run(struct migration *self, const char *sql, const char *doing, char *ret_value,
               size_t value_size) {
    PGresult *result = PQexec(self->handle, sql);
    ExecStatusType status = PQresultStatus(result);
    int error = 0;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        const struct edda_sqlstate *state =
            edda_sqlstate_find(PQresultErrorField(result, PG_DIAG_SQLSTATE));
        say(self, doing, PQerrorMessage(self->handle));
        error = state->flags & EDDA_SQLSTATE_LOST ? EDDA_E_UNAVAILABLE : EDDA_E_IO;
    } else if (ret_value) {
        bool some = PQntuples(result) > 0 && PQnfields(result) > 0;
        snprintf(ret_value, value_size, "%s", some ? PQgetvalue(result, 0, 0) : "");
    }
    PQclear(result);
    return error;
}

static int read_text(struct migration *self, const char *sql, char *ret_value, size_t value_size) {
    return run(self, sql, "cannot read the database", ret_value, value_size);
}

static int read_number(struct migration *self, const char *sql, int64_t *ret_number) {
    char value[32];
    int error = read_text(self, sql, value, sizeof value);
    *ret_number = error ? 0 : strtoll(value, NULL, 10);
    return error;
}

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
static int check_server(struct migration *self) {
    char encoding[32];
    char vector[32];
    int error = read_text(self, "SHOW server_encoding", encoding, sizeof encoding);
    if (!error) {
        error = read_text(self, find_vector, vector, sizeof vector);
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
    return 0;
}

static int read_version(struct migration *self, int64_t *ret_version) {
    int64_t there = 0;
    int error =
        read_number(self, "SELECT (to_regclass('schema_version') IS NOT NULL)::int", &there);
    if (!error && !there) {
        error = run(self, make_table, "cannot make a table", NULL, 0);
    }
    return error ? error
                 : read_number(self, "SELECT coalesce(max(version), 0) FROM schema_version",
                               ret_version);
}

/* In a transaction of its own, with the lock: the step that is missing next, if one is. */
static int take_step(struct migration *self, const struct edda_store_schema *schema,
                     bool *ret_over) {
    static const char failed[] = "the database cannot be brought to this schema";
    int64_t version = 0;
    char record[160];
    int error = run(self, begin, "cannot lock the schema", NULL, 0);
    if (!error) {
        error = read_version(self, &version);
    }
    if (error) {
        return error;
    }
    if (version < 0 || (uint64_t)version > schema->count) {
        snprintf(self->message, self->message_size, NEWER, (long long)version, schema->count);
        return EDDA_E_VERSION;
    }
    *ret_over = (size_t)version == schema->count;
    if (!*ret_over) {
        snprintf(record, sizeof record,
                 "INSERT INTO schema_version (version, applied_ms) VALUES (%lld, %lld)",
                 (long long)version + 1, (long long)edda_clock_wall_ms());
        error = run(self, schema->steps[version], failed, NULL, 0);
        error = error ? error : run(self, record, failed, NULL, 0);
    }
    return error ? error : run(self, "COMMIT", failed, NULL, 0);
}

/* Unfinished transactions go with the connection. */
int edda_pg_migrate(const edda_pg_url_t *url, const struct edda_store_schema *schema,
                    int64_t connect_ms, char *message, size_t message_size) {
    struct migration self = {.url = url, .message = message, .message_size = message_size};
    bool over = false;
    snprintf(message, message_size, "out of memory");
    int error = connect_to(&self, connect_ms);
    if (!error) {
        (void)PQsetNoticeReceiver(self.handle, ignore_notice, NULL);
        error = check_server(&self);
    }
    while (!error && !over) {
        error = take_step(&self, schema, &over);
    }
    PQfinish(self.handle);
    return error;
}
