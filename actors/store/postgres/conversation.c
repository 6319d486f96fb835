/* actors/store/postgres/conversation.c: a transaction that is decided while it runs. */
#include <stdio.h>

#include "actors/store/postgres/state.h"

static void send_own(struct edda_pg_connection *connection, enum edda_pg_own own,
                     const struct edda_pg_value *values, size_t count,
                     enum edda_pg_expecting what) {
    unsigned statement = edda_pg_own(connection->database, own);
    edda_pg_connection_send(connection, statement, values, count,
                            (struct edda_pg_expected){.what = what, .statement = statement});
    connection->unsynced = true;
    edda_pg_unsettled(connection->database);
}

void edda_pg_connection_release(struct edda_pg_connection *connection) {
    struct edda_pg *database = connection->database;
    if (PQtransactionStatus(connection->handle) != PQTRANS_IDLE) {
        connection->broken = true; /* nobody can say what is open there */
    } else {
        connection->statement_ms = database->options.statement_ms;
        edda_slots_released(&database->slots, connection->slot);
    }
    edda_pg_unsettled(database);
}

/* The server rolls back by itself what it refused, and is told all the same: one way for all. */
static void leave(struct edda_pg_conversation *conversation) {
    struct edda_pg_connection *connection = conversation->unit.connection;
    bool begun = conversation->begun;
    connection->conversation = NULL;
    conversation->unit.connection = NULL;
    conversation->over = true;
    connection->database->running--;
    if (begun) {
        send_own(connection, EDDA_PG_OWN_ROLLBACK, NO_VALUES, EDDA_PG_EXPECT_ROLLBACK);
    } else {
        edda_pg_connection_release(connection);
    }
}

void edda_pg_conversation_fail(struct edda_pg_conversation *conversation,
                               const struct edda_pg_answer *answer) {
    leave(conversation);
    edda_pg_unit_end(&conversation->unit, answer);
}

static void fail(struct edda_pg_conversation *conversation, int error, const char *text) {
    struct edda_pg_answer answer = {.error = error, .text = text ? text : edda_error_text(error)};
    edda_pg_conversation_fail(conversation, &answer);
}

/* The server keeps a time of the session; one of the conversation's own must be said. Behind a
 * pooler there is no session. */
static void say_timeout(struct edda_pg_conversation *conversation) {
    struct edda_pg_connection *connection = conversation->unit.connection;
    struct edda_pg *database = connection->database;
    char text[24];
    if (conversation->statement_ms > 0) {
        connection->statement_ms = conversation->statement_ms;
    } else if (database->prepares) {
        return;
    }
    snprintf(text, sizeof text, "%lld", (long long)connection->statement_ms);
    send_own(connection, EDDA_PG_OWN_TIMEOUT, VALUES(TEXT(edda_text_of(text))),
             EDDA_PG_EXPECT_BEGIN);
}

void edda_pg_conversation_start(struct edda_pg_conversation *conversation) {
    edda_pg_unit_move(&conversation->unit, NULL);
    conversation->begun = true;
    send_own(conversation->unit.connection,
             conversation->snapshot ? EDDA_PG_OWN_BEGIN_SNAPSHOT : EDDA_PG_OWN_BEGIN, NO_VALUES,
             EDDA_PG_EXPECT_BEGIN);
    say_timeout(conversation);
    conversation->on_begin(conversation->context);
}

/* ---- the interface ---- */

static bool may_speak(const struct edda_pg_conversation *conversation) {
    return conversation->unit.connection && conversation->begun && !conversation->committing &&
           !conversation->over;
}

void edda_pg_say(struct edda_pg_conversation *conversation, unsigned statement,
                 const struct edda_pg_value *values, size_t count, edda_pg_rows_fn on_rows) {
    struct edda_pg_connection *connection = conversation->unit.connection;
    if (!may_speak(conversation)) {
        return;
    }
    EDDA_ASSERT(statement < connection->database->options.statement_count);
    if (conversation->said >= EDDA_PG_MOST_SAID || !edda_pg_values_fit(values, count)) {
        fail(conversation, EDDA_E_LIMIT, NULL);
        return;
    }
    conversation->said++;
    edda_pg_connection_send(connection, statement, values, count,
                            (struct edda_pg_expected){.what = EDDA_PG_EXPECT_SAID,
                                                      .statement = statement,
                                                      .on_rows = on_rows});
    connection->unsynced = true;
    edda_pg_unsettled(connection->database);
}

void edda_pg_commit(struct edda_pg_conversation *conversation) {
    if (may_speak(conversation)) {
        conversation->committing = true;
        send_own(conversation->unit.connection, EDDA_PG_OWN_COMMIT, NO_VALUES,
                 EDDA_PG_EXPECT_COMMIT);
    }
}

void edda_pg_rollback(struct edda_pg_conversation *conversation, int error, const char *text) {
    EDDA_ASSERT(error != 0);
    if (may_speak(conversation)) {
        fail(conversation, error, text);
    }
}
