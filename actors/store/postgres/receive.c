/* actors/store/postgres/receive.c: what comes back on a connection, and to whom it goes.
 *
 * PQgetResult blocks when it is called while PQisBusy, and it may be busy again after each NULL: so
 * it is asked before every call. A statement's CommandComplete comes before its commit: durable it
 * is when its Sync is answered. */
#include "actors/runtime/log.h"
#include "actors/store/postgres/state.h"

#define MOST_NULLS 3 /* of PQgetResult in a row while something is expected */

static struct edda_pg_answer answer_of(const PGresult *result) {
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const struct edda_sqlstate *state = edda_sqlstate_find(code);
    struct edda_pg_answer answer = {.error = state->error, .text = state->text};
    if (code) {
        answer.state = state;
        memcpy(answer.sqlstate, code, strnlen(code, sizeof answer.sqlstate - 1));
    }
    return answer;
}

void edda_pg_connection_note(struct edda_pg_connection *connection, const char *sqlstate) {
    const struct edda_sqlstate *state = edda_sqlstate_find(sqlstate);
    if (state->flags & EDDA_SQLSTATE_LOST) {
        connection->reason = state;
        memcpy(connection->reason_code, sqlstate, sizeof connection->reason_code);
    }
}

static bool is_over(const struct edda_pg_answer *answer) {
    return answer->state && answer->state->flags & EDDA_SQLSTATE_LOST;
}

/* An error that came after the work was done and before it was known to be durable. */
static void mark_unknown(struct edda_pg_answer *answer) {
    if (!answer->state || is_over(answer)) {
        answer->unknown = true;
        answer->error = EDDA_E_IO;
    }
}

/* Told with its Sync: of a connection that is lost, libpq gives half a result as a success. */
static void finish_read(struct edda_pg_connection *connection, struct edda_pg_query *query,
                        struct edda_pg_answer answer) {
    EDDA_ASSERT(connection->finished_read_count < EDDA_SLOTS_BATCH);
    query->unit.answer = answer;
    connection->finished_reads[connection->finished_read_count++] = query;
}

/* True: it touched somebody who is still there. */
static bool take_failure(struct edda_pg_connection *connection,
                         const struct edda_pg_expected *expected, struct edda_pg_answer answer) {
    struct edda_pg_conversation *conversation = connection->conversation;
    switch (expected->what) {
    case EDDA_PG_EXPECT_PREPARE:
        connection->prepared[expected->statement] = false;
        connection->failure = answer;
        return false;
    case EDDA_PG_EXPECT_STATEMENT:
        connection->finished = expected->query;
        if (expected->query) {
            expected->query->unit.answer = answer;
        }
        return expected->query != NULL;
    case EDDA_PG_EXPECT_READ:
        if (expected->query) {
            finish_read(connection, expected->query, answer);
        }
        return expected->query != NULL;
    case EDDA_PG_EXPECT_BEGIN:
    case EDDA_PG_EXPECT_SAID:
    case EDDA_PG_EXPECT_COMMIT:
        connection->failure = answer;
        if (!conversation) {
            return false;
        }
        if (expected->what == EDDA_PG_EXPECT_COMMIT) {
            mark_unknown(&answer);
        }
        edda_pg_conversation_fail(conversation, &answer);
        return true;
    case EDDA_PG_EXPECT_SETUP:
    case EDDA_PG_EXPECT_ROLLBACK:
        edda_pg_connection_break(connection);
        return true;
    case EDDA_PG_EXPECT_STATEMENT_SYNC:
    case EDDA_PG_EXPECT_READS_SYNC:
    case EDDA_PG_EXPECT_BATCH_SYNC:
        if (connection->finished) {
            PQclear(connection->finished->unit.answer.result);
            mark_unknown(&answer);
            connection->finished->unit.answer = answer;
        }
        return connection->finished != NULL;
    }
    return false;
}

static void take_error(struct edda_pg_connection *connection,
                       const struct edda_pg_expected *expected, const PGresult *result) {
    struct edda_pg_answer answer = answer_of(result);
    edda_pg_connection_note(connection, answer.sqlstate);
    bool touched = take_failure(connection, expected, answer);
    if (touched || expected->what == EDDA_PG_EXPECT_PREPARE) {
        edda_pg_complain(connection, expected->statement, &answer,
                         PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    }
    if (touched && is_over(&answer)) {
        edda_pg_connection_break(connection);
    }
}

static void give_rows(struct edda_pg_connection *connection, edda_pg_rows_fn on_rows,
                      PGresult *result) {
    struct edda_pg_conversation *conversation = connection->conversation;
    if (conversation) {
        conversation->said--;
        if (on_rows) {
            on_rows(conversation->context, &result);
        }
    }
    PQclear(result);
}

static void take_commit(struct edda_pg_connection *connection, PGresult *result) {
    struct edda_pg_conversation *conversation = connection->conversation;
    /* The server answers COMMIT of a transaction that has failed with "ROLLBACK", as a success. */
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    if (!conversation) {
        return;
    }
    if (!committed) {
        struct edda_pg_answer answer = {.error = EDDA_E_INTERNAL,
                                        .text = "the database rolled back instead"};
        edda_pg_conversation_fail(conversation, &answer);
        return;
    }
    connection->conversation = NULL;
    conversation->unit.connection = NULL;
    conversation->over = true;
    connection->database->running--;
    conversation->unit.answer = (struct edda_pg_answer){0};
    edda_pg_unit_tell(&conversation->unit);
}

static void take_setup(struct edda_pg_connection *connection, PGresult *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct edda_pg_identity identity = {.lineage = edda_pg_bigint(&row, 0),
                                        .tables = edda_pg_bigint(&row, 1),
                                        .halfvec = edda_pg_bigint(&row, 2)};
    if (!row.error) {
        edda_pg_saw(connection->database, &identity);
    } else {
        edda_pg_connection_break(connection);
    }
    PQclear(result);
}

/* Takes the result. */
static void take_success(struct edda_pg_connection *connection,
                         const struct edda_pg_expected *expected, PGresult *result) {
    switch (expected->what) {
    case EDDA_PG_EXPECT_STATEMENT:
        connection->finished = expected->query;
        if (expected->query) {
            expected->query->unit.answer = (struct edda_pg_answer){.result = result};
            return;
        }
        break;
    case EDDA_PG_EXPECT_READ:
        if (expected->query) {
            finish_read(connection, expected->query, (struct edda_pg_answer){.result = result});
            return;
        }
        break;
    case EDDA_PG_EXPECT_SAID:
        give_rows(connection, expected->on_rows, result);
        return;
    case EDDA_PG_EXPECT_COMMIT:
        take_commit(connection, result);
        return;
    case EDDA_PG_EXPECT_SETUP:
        take_setup(connection, result);
        return;
    case EDDA_PG_EXPECT_PREPARE:
    case EDDA_PG_EXPECT_BEGIN:
    case EDDA_PG_EXPECT_ROLLBACK:
        break;
    case EDDA_PG_EXPECT_STATEMENT_SYNC:
    case EDDA_PG_EXPECT_READS_SYNC:
    case EDDA_PG_EXPECT_BATCH_SYNC:
        edda_pg_connection_break(connection); /* out of step */
        break;
    }
    PQclear(result);
}

static void take_statement_sync(struct edda_pg_connection *connection) {
    struct edda_pg_query *query = connection->finished;
    struct edda_pg *database = connection->database;
    connection->finished = NULL;
    connection->failure = (struct edda_pg_answer){0};
    edda_slots_answered(&database->slots, connection->slot);
    if (query) {
        query->unit.connection = NULL;
        database->running--;
        edda_pg_unit_tell(&query->unit);
    }
}

/* Who is told may cancel one that is not told yet. */
static void take_reads_sync(struct edda_pg_connection *connection, unsigned reads) {
    struct edda_pg *database = connection->database;
    connection->failure = (struct edda_pg_answer){0};
    for (; reads > 0; reads--) {
        edda_slots_answered(&database->slots, connection->slot);
    }
    while (connection->finished_read_count > 0) {
        struct edda_pg_query *query = connection->finished_reads[0];
        edda_pg_connection_forget(connection, query);
        query->unit.connection = NULL;
        database->running--;
        edda_pg_unit_tell(&query->unit);
    }
}

static void take_batch_sync(struct edda_pg_connection *connection) {
    struct edda_pg *database = connection->database;
    connection->failure = (struct edda_pg_answer){0};
    if (connection->broken) {
        return;
    }
    if (!connection->is_set_up) {
        connection->is_set_up = true;
        edda_slots_opened(&database->slots, connection->slot,
                          edda_loop_now(connection->database->options.loop));
        edda_cell_set(database->cells.connections, edda_slots_standing(&database->slots));
        if (database->was_lost) {
            database->was_lost = false;
            edda_log(EDDA_LOG_INFO, "database_connected", "slot=%u", connection->slot);
        }
    } else if (!connection->conversation && connection->count == 0 && !connection->unsynced) {
        edda_pg_connection_release(connection);
    }
}

/* Takes the result, and what it answers out of the ring. */
static void take_result(struct edda_pg_connection *connection, PGresult *result) {
    struct edda_pg_expected expected = connection->ring[connection->first];
    bool is_sync = expected.what == EDDA_PG_EXPECT_STATEMENT_SYNC ||
                   expected.what == EDDA_PG_EXPECT_READS_SYNC ||
                   expected.what == EDDA_PG_EXPECT_BATCH_SYNC;
    ExecStatusType status = PQresultStatus(result);
    bool failed = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
                  status == PGRES_NONFATAL_ERROR;
    connection->progress_ms = edda_loop_now(connection->database->options.loop);
    if (failed && PQstatus(connection->handle) == CONNECTION_BAD &&
        !PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        PQclear(result); /* libpq's own words: nothing more is answered here */
        edda_pg_connection_break(connection);
        return;
    }
    /* An error where a Sync is due is of the commit that the Sync made; the Sync still comes. */
    if (!(failed && is_sync)) {
        connection->first = (connection->first + 1) % EDDA_PG_RING;
        connection->count--;
    }
    if (status == PGRES_PIPELINE_SYNC && expected.what == EDDA_PG_EXPECT_STATEMENT_SYNC) {
        PQclear(result);
        take_statement_sync(connection);
    } else if (status == PGRES_PIPELINE_SYNC && expected.what == EDDA_PG_EXPECT_READS_SYNC) {
        PQclear(result);
        take_reads_sync(connection, expected.reads);
    } else if (status == PGRES_PIPELINE_SYNC && expected.what == EDDA_PG_EXPECT_BATCH_SYNC) {
        PQclear(result);
        take_batch_sync(connection);
    } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        take_success(connection, &expected, result);
    } else if (status == PGRES_PIPELINE_ABORTED && expected.what == EDDA_PG_EXPECT_READ) {
        PQclear(result);
        if (expected.query) {
            edda_pg_read_again(expected.query);
        }
    } else if (status == PGRES_PIPELINE_ABORTED && !is_sync) {
        struct edda_pg_answer answer = connection->failure;
        if (!answer.error) {
            answer = (struct edda_pg_answer){.error = EDDA_E_INTERNAL, .text = "not run"};
        }
        PQclear(result);
        (void)take_failure(connection, &expected, answer);
    } else if (failed) {
        take_error(connection, &expected, result);
        PQclear(result);
    } else {
        PQclear(result); /* COPY, or out of step */
        edda_pg_connection_break(connection);
    }
}

void edda_pg_connection_take(struct edda_pg_connection *connection) {
    unsigned nulls = 0;
    connection->look = false;
    while (!connection->broken && !PQisBusy(connection->handle)) {
        if (connection->count == 0) {
            break;
        }
        PGresult *result = PQgetResult(connection->handle);
        if (result) {
            nulls = 0;
            take_result(connection, result);
        } else if (++nulls > MOST_NULLS) {
            edda_pg_connection_break(connection);
        }
    }
    if (PQstatus(connection->handle) == CONNECTION_BAD) {
        edda_pg_connection_break(connection);
    }
    if (connection->count == 0 || connection->broken) {
        edda_pg_unsettled(connection->database);
    }
}
