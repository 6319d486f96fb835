/* actors/store/postgres/connection.c: a connection's life, from its first attempt to its loss. */
#include <sys/epoll.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/store/postgres/cancel.h"
#include "actors/store/postgres/state.h"

#define LOST_TEXT "the connection to the database was lost"

static int64_t now_ms(const struct edda_pg_connection *connection) {
    return edda_loop_now(connection->database->options.loop);
}

static void on_socket(void *context, uint32_t epoll_events) {
    struct edda_pg_connection *connection = context;
    if (epoll_events & EPOLLOUT) {
        edda_pg_connection_flush(connection);
    }
    if (connection->broken || !(epoll_events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
        return;
    }
    bool good = PQconsumeInput(connection->handle) == 1;
    if (good && PQsslInUse(connection->handle)) {
        /* The rest of a TLS record is in OpenSSL and makes no socket readable. A record is 16 KiB,
         * and libpq takes at least 8 KiB at once. */
        good = PQconsumeInput(connection->handle) == 1;
    }
    edda_pg_connection_take(connection);
    if (!good) {
        edda_pg_connection_break(connection);
    }
}

static void on_notice(void *context, const PGresult *result) {
    struct edda_pg_connection *connection = context;
    edda_pg_connection_note(connection, PQresultErrorField(result, PG_DIAG_SQLSTATE));
}

static void set_up(struct edda_pg_connection *connection) {
    struct edda_pg *database = connection->database;
    unsigned statement = edda_pg_own(database, EDDA_PG_OWN_SETUP);
    (void)PQsetNoticeReceiver(connection->handle, on_notice, connection);
    connection->watch = edda_loop_watch(database->options.loop, PQsocket(connection->handle),
                                        EPOLLIN, on_socket, connection, "database");
    if (!connection->watch || PQenterPipelineMode(connection->handle) != 1) {
        edda_pg_connection_break(connection);
        return;
    }
    edda_pg_connection_send(
        connection, statement, NO_VALUES,
        (struct edda_pg_expected){.what = EDDA_PG_EXPECT_SETUP, .statement = statement});
    edda_pg_connection_sync(connection, EDDA_PG_EXPECT_BATCH_SYNC);
}

/* Once a state of things, and every half minute while it lasts. */
static void complain_of_connecting(struct edda_pg *database, const struct edda_pg_arrival *why) {
    int64_t now = edda_loop_now(database->options.loop);
    if (database->complained_ms == 0 || now - database->complained_ms >= 30000) {
        database->complained_ms = now;
        edda_log(EDDA_LOG_WARNING, "database_unreachable",
                 "sqlstate=%s reason=\"%s\" meaning=\"%s\"", why->state ? why->state->code : "-",
                 why->text, why->state ? why->state->text : "-");
    }
}

static void on_arrived(void *context, const struct edda_pg_arrival *arrival) {
    struct edda_pg_connection *connection = context;
    struct edda_pg *database = connection->database;
    connection->attempt = NULL;
    if (arrival->error) {
        bool refused = arrival->state && arrival->state->flags & EDDA_SQLSTATE_REFUSED;
        complain_of_connecting(database, arrival);
        database->was_lost = true;
        edda_metric_add(EDDA_METRIC_DATABASE_ATTEMPTS, refused ? "refused" : "failed", 1);
        edda_slots_failed(&database->slots, connection->slot, refused, now_ms(connection),
                          edda_random32());
    } else {
        database->complained_ms = 0;
        edda_metric_add(EDDA_METRIC_DATABASE_ATTEMPTS, "connected", 1);
        connection->handle = arrival->handle;
        connection->statement_ms = database->options.statement_ms;
        set_up(connection);
    }
    edda_pg_unsettled(database);
}

void edda_pg_connection_open(struct edda_pg_connection *connection) {
    struct edda_pg *database = connection->database;
    connection->attempt = edda_pg_connect(database->options.connector, on_arrived, connection);
    if (!connection->attempt) {
        edda_slots_failed(&database->slots, connection->slot, false, now_ms(connection),
                          edda_random32());
    }
}

/* commits: it was sent, and commits by itself. */
static void end_query(struct edda_pg_connection *connection, struct edda_pg_query *query,
                      struct edda_pg_answer answer, bool commits) {
    query->unit.connection = NULL;
    connection->database->running--;
    answer.unknown = commits;
    if (query->unit.answer.error) {
        answer = query->unit.answer; /* the server had refused it */
    }
    edda_pg_unit_end(&query->unit, &answer);
}

/* The one that the server was at gets the error; those behind it were only sent. */
static void end_units(struct edda_pg_connection *connection, int error, const char *text) {
    struct edda_pg_answer answer = {.error = error, .text = text, .state = connection->reason};
    struct edda_pg_conversation *conversation = connection->conversation;
    memcpy(answer.sqlstate, connection->reason_code, sizeof answer.sqlstate);
    if (conversation) {
        connection->conversation = NULL;
        conversation->unit.connection = NULL;
        conversation->over = true;
        connection->database->running--;
        answer.unknown = conversation->committing;
        edda_pg_unit_end(&conversation->unit, &answer);
    }
    if (connection->finished) {
        end_query(connection, connection->finished, answer, true);
        connection->finished = NULL;
        answer.error = EDDA_E_IO;
    }
    for (unsigned i = 0; i < connection->finished_read_count; i++) {
        end_query(connection, connection->finished_reads[i], answer, false);
        answer.error = EDDA_E_IO;
    }
    connection->finished_read_count = 0;
    for (; connection->count > 0; connection->count--) {
        const struct edda_pg_expected *expected = &connection->ring[connection->first];
        bool commits = expected->what == EDDA_PG_EXPECT_STATEMENT;
        if ((commits || expected->what == EDDA_PG_EXPECT_READ) && expected->query) {
            end_query(connection, expected->query, answer, commits);
            answer.error = EDDA_E_IO;
        }
        connection->first = (connection->first + 1) % EDDA_PG_RING;
    }
}

void edda_pg_connection_lose(struct edda_pg_connection *connection, int error, const char *text) {
    struct edda_pg *database = connection->database;
    const struct edda_sqlstate *reason = connection->reason;
    bool refused = reason && reason->flags & EDDA_SQLSTATE_REFUSED;
    if (!database->destroying) {
        edda_log(EDDA_LOG_WARNING, "database_lost", "slot=%u sqlstate=%s open=%u reason=\"%s\"",
                 connection->slot, reason ? connection->reason_code : "-", connection->count,
                 reason ? reason->text
                 : text ? text
                        : LOST_TEXT);
        edda_metric_add(EDDA_METRIC_DATABASE_LOST, reason ? reason->code : edda_error_name(error),
                        1);
    }
    end_units(connection, error, reason ? reason->text : text ? text : LOST_TEXT);
    if (connection->is_set_up) {
        edda_slots_lost(&database->slots, connection->slot, now_ms(connection), edda_random32());
    } else {
        edda_slots_failed(&database->slots, connection->slot, refused, now_ms(connection),
                          edda_random32());
    }
    edda_loop_unwatch(database->options.loop, &connection->watch);
    if (error == EDDA_E_TIMEOUT) {
        (void)edda_pg_cancel_send(connection->handle);
    }
    PQfinish(connection->handle);
    memset(connection->prepared, 0, database->options.statement_count + EDDA_PG_OWN_COUNT);
    *connection = (struct edda_pg_connection){
        .database = database, .slot = connection->slot, .prepared = connection->prepared};
    database->was_lost = true;
    edda_cell_set(database->cells.connections, edda_slots_standing(&database->slots));
    edda_pg_unsettled(database);
}
