/* actors/store/postgres/listener.c: connect, lock, listen; again when it is lost. */
#include "actors/store/postgres/listener.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/store/postgres/reconnect.h"

#define FAREWELL_MS 1000
#define WORDS       200

struct edda_pg_listener {
    struct edda_pg_listener_options options;
    edda_pg_attempt_t *attempt;
    PGconn *handle;
    edda_watch_t *watch;
    bool stands;
    int64_t stood_ms; /* since when */
    struct edda_reconnect reconnect;
    struct edda_timer retry;
};

static void open_connection(void *context);

static void close_handle(edda_pg_listener_t *self) {
    edda_loop_unwatch(self->options.loop, &self->watch);
    PQfinish(self->handle);
    self->handle = NULL;
    self->stands = false;
}

static void try_again(edda_pg_listener_t *self) {
    edda_loop_timer_set(self->options.loop, &self->retry, self->reconnect.not_before_ms);
}

static void lose(edda_pg_listener_t *self) {
    int64_t now_ms = edda_loop_now(self->options.loop);
    int64_t stood_ms = self->stands ? now_ms - self->stood_ms : 0;
    if (self->stands) {
        edda_log(EDDA_LOG_WARNING, "database_listener_lost", "stood_ms=%" PRId64, stood_ms);
    }
    edda_reconnect_lost(&self->reconnect, stood_ms, now_ms, edda_random32());
    close_handle(self);
    try_again(self);
}

/* False: the server refused, or began a COPY, of which libpq tells for ever. */
static bool take_results(edda_pg_listener_t *self) {
    bool good = true;
    while (good && !PQisBusy(self->handle)) {
        PGresult *result = PQgetResult(self->handle);
        if (!result) {
            break;
        }
        ExecStatusType status = PQresultStatus(result);
        good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        PQclear(result);
    }
    return good;
}

static void take_notices(edda_pg_listener_t *self) {
    char own[32];
    bool heard = false;
    PGnotify *notice;
    snprintf(own, sizeof own, "%" PRIu64, self->options.life);
    while ((notice = PQnotifies(self->handle)) != NULL) {
        heard = heard || strcmp(notice->extra, own) != 0;
        PQfreemem(notice);
    }
    if (heard) {
        self->options.on_ready(self->options.context);
    }
}

static void on_socket(void *context, uint32_t epoll_events) {
    edda_pg_listener_t *self = context;
    if (epoll_events & EPOLLOUT) {
        int left = PQflush(self->handle);
        if (left < 0) {
            lose(self);
            return;
        }
        edda_loop_watch_change(self->options.loop, self->watch,
                               left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    if (PQconsumeInput(self->handle) != 1 || !take_results(self) ||
        PQstatus(self->handle) == CONNECTION_BAD) {
        lose(self);
        return;
    }
    if (!self->stands && PQtransactionStatus(self->handle) == PQTRANS_IDLE) {
        self->stands = true;
        self->stood_ms = edda_loop_now(self->options.loop);
        edda_reconnect_succeeded(&self->reconnect);
        self->options.on_ready(self->options.context); /* nobody told us what came before */
    }
    take_notices(self);
}

static void on_arrived(void *context, const struct edda_pg_arrival *arrival) {
    edda_pg_listener_t *self = context;
    char sql[WORDS];
    self->attempt = NULL;
    if (arrival->error) {
        bool refused = arrival->state && arrival->state->flags & EDDA_SQLSTATE_REFUSED;
        edda_reconnect_failed(&self->reconnect, refused, edda_loop_now(self->options.loop),
                              edda_random32());
        try_again(self);
        return;
    }
    self->handle = arrival->handle;
    snprintf(sql, sizeof sql, "SELECT pg_advisory_lock_shared(%" PRIu64 "); LISTEN edda_jobs_ready",
             self->options.life);
    self->watch = edda_loop_watch(self->options.loop, PQsocket(self->handle), EPOLLIN | EPOLLOUT,
                                  on_socket, self, "database_listener");
    if (!self->watch || PQsendQuery(self->handle, sql) != 1) {
        lose(self);
    }
}

static void open_connection(void *context) {
    edda_pg_listener_t *self = context;
    self->attempt = edda_pg_connect(self->options.connector, on_arrived, self);
    if (!self->attempt) {
        edda_reconnect_failed(&self->reconnect, false, edda_loop_now(self->options.loop),
                              edda_random32());
        try_again(self);
    }
}

edda_pg_listener_t *edda_pg_listener_new(const struct edda_pg_listener_options *options) {
    edda_pg_listener_t *self = calloc(1, sizeof *self);
    if (self) {
        self->options = *options;
        self->retry = (struct edda_timer){
            .fire = open_connection, .context = self, .name = "database_listener"};
        open_connection(self);
    }
    return self;
}

static void unlock(edda_pg_listener_t *self) {
    int64_t until_ms = edda_clock_ms() + FAREWELL_MS;
    bool asked = PQsendQuery(self->handle, "SELECT pg_advisory_unlock_all()") == 1;
    while (asked && edda_clock_ms() < until_ms) {
        struct pollfd socket = {.fd = PQsocket(self->handle), .events = POLLIN};
        if (PQflush(self->handle) < 0 || poll(&socket, 1, 10) < 0 ||
            PQconsumeInput(self->handle) != 1) {
            return;
        }
        asked = take_results(self) && PQtransactionStatus(self->handle) == PQTRANS_ACTIVE;
    }
}

void edda_pg_listener_destroy(edda_pg_listener_t **self_p) {
    edda_pg_listener_t *self = *self_p;
    if (!self) {
        return;
    }
    edda_pg_attempt_cancel(&self->attempt);
    edda_loop_timer_cancel(self->options.loop, &self->retry);
    if (self->stands) {
        unlock(self);
    }
    if (self->handle) {
        close_handle(self);
    }
    free(self);
    *self_p = NULL;
}

bool edda_pg_listener_stands(const edda_pg_listener_t *self) {
    return self && self->stands;
}
