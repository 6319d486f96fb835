/* actors/store/postgres/plain.c: libpq without a loop. */
#include "actors/store/postgres/plain.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/cancel.h"
#include "actors/store/postgres/sqlstate.h"

void edda_pg_plain_say(struct edda_pg_plain *self, const char *doing, const char *why) {
    char words[EDDA_PG_WORDS];
    edda_pg_words(self->url, why, words);
    snprintf(self->message, self->message_size, "%s: %s", doing, words);
}

/* ---- the connection ---- */

/* Names may be looked up by libpq here: nobody else is on this thread. first: of the URL's hosts.
 */
static int start(struct edda_pg_plain *self, size_t first) {
    struct edda_pg_address addresses[EDDA_PG_HOSTS];
    struct edda_pg_conninfo conninfo;
    size_t count = edda_pg_url_hosts(self->url);
    for (size_t i = 0; i < count; i++) {
        const struct edda_pg_host *host = edda_pg_url_host(self->url, (first + i) % count);
        addresses[i].host = (first + i) % count;
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

static int wait_for_socket(struct edda_pg_plain *self, short events, int64_t until_ms) {
    struct pollfd look = {.fd = PQsocket(self->handle), .events = events};
    for (;;) {
        int64_t left_ms = until_ms - edda_clock_ms();
        int64_t wait_ms = left_ms < EDDA_PG_PLAIN_LOOK_MS ? left_ms : EDDA_PG_PLAIN_LOOK_MS;
        int ready = poll(&look, 1, wait_ms > 0 ? (int)wait_ms : 0);
        if (ready > 0) {
            return 0;
        }
        if (self->stopped && self->stopped(self->context)) {
            return EDDA_E_CANCELLED;
        }
        if (left_ms <= 0 || (ready < 0 && errno != EINTR)) {
            return EDDA_E_TIMEOUT;
        }
    }
}

static void ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

static int open_from(struct edda_pg_plain *self, size_t first, int64_t connect_ms) {
    int64_t until_ms = edda_clock_ms() + connect_ms;
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    int error = start(self, first);
    while (!error && PQstatus(self->handle) != CONNECTION_BAD && polling != PGRES_POLLING_OK &&
           polling != PGRES_POLLING_FAILED) {
        error =
            wait_for_socket(self, polling == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms);
        if (error) {
            edda_pg_plain_say(self, "the database",
                              error == EDDA_E_TIMEOUT ? "no connection in time"
                                                      : edda_error_text(error));
        } else {
            polling = PQconnectPoll(self->handle);
        }
    }
    if (!error && PQstatus(self->handle) != CONNECTION_OK) {
        edda_pg_plain_say(self, "the database", PQerrorMessage(self->handle));
        error = EDDA_E_UNAVAILABLE;
    }
    if (!error) {
        (void)PQsetNoticeReceiver(self->handle, ignore_notice, NULL);
    }
    return error;
}

/* A host that hangs is not passed over by libpq: each has its turn to be the first. */
int edda_pg_plain_open(struct edda_pg_plain *self, int64_t connect_ms) {
    int error = EDDA_E_TIMEOUT;
    for (size_t i = 0; i < edda_pg_url_hosts(self->url) && error == EDDA_E_TIMEOUT; i++) {
        edda_pg_plain_close(self);
        error = open_from(self, i, connect_ms);
    }
    return error;
}

void edda_pg_plain_close(struct edda_pg_plain *self) {
    PQfinish(self->handle);
    self->handle = NULL;
}

/* ---- statements ---- */

/* As PQexec: the last result of all that sql says, or the error that kept the rest from being run.
 * But it can be stopped. */
static int execute(struct edda_pg_plain *self, const char *sql, PGresult **ret_result) {
    PGresult *next = NULL;
    int error = 0;
    *ret_result = NULL;
    if (PQsendQuery(self->handle, sql) != 1) {
        return 0; /* the connection's words say why */
    }
    do {
        while (!error && PQisBusy(self->handle)) {
            error = wait_for_socket(self, POLLIN, INT64_MAX);
            if (!error && PQconsumeInput(self->handle) != 1) {
                break; /* the next result says that it was lost */
            }
        }
        next = error ? NULL : PQgetResult(self->handle);
        if (next) {
            PQclear(*ret_result);
            *ret_result = next;
        }
    } while (next);
    if (error) {
        (void)edda_pg_cancel_send(self->handle);
    }
    return error;
}

int edda_pg_plain_run(struct edda_pg_plain *self, const char *sql, const char *doing,
                      char *ret_value, size_t value_size) {
    PGresult *result = NULL;
    int error = execute(self, sql, &result);
    ExecStatusType status = PQresultStatus(result);
    if (error) {
        edda_pg_plain_say(self, doing, edda_error_text(error));
    } else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        const struct edda_sqlstate *state =
            edda_sqlstate_find(PQresultErrorField(result, PG_DIAG_SQLSTATE));
        edda_pg_plain_say(self, doing, PQerrorMessage(self->handle));
        error = state->flags & EDDA_SQLSTATE_LOST ? EDDA_E_UNAVAILABLE : EDDA_E_IO;
    } else if (ret_value) {
        bool some = PQntuples(result) > 0 && PQnfields(result) > 0;
        snprintf(ret_value, value_size, "%s", some ? PQgetvalue(result, 0, 0) : "");
    }
    PQclear(result);
    return error;
}

int edda_pg_plain_number(struct edda_pg_plain *self, const char *sql, int64_t *ret_number) {
    char value[32];
    int error = edda_pg_plain_run(self, sql, "cannot read the database", value, sizeof value);
    *ret_number = error ? 0 : strtoll(value, NULL, 10);
    return error;
}
