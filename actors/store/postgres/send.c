/* actors/store/postgres/send.c: what goes out on a connection, and what is then expected back. */
#include <sys/epoll.h>

#include "actors/store/postgres/state.h"

void edda_pg_connection_break(struct edda_pg_connection *connection) {
    connection->broken = true;
    edda_pg_unsettled(connection->database);
}

static void expect(struct edda_pg_connection *connection, struct edda_pg_expected expected) {
    EDDA_ASSERT(connection->count < EDDA_PG_RING);
    if (connection->count == 0) {
        connection->progress_ms = edda_loop_now(connection->database->options.loop);
    }
    connection->ring[(connection->first + connection->count++) % EDDA_PG_RING] = expected;
}

/* The first time fixes them: that is what the statement is prepared with. */
static const struct edda_pg_types *check_types(struct edda_pg *database, unsigned statement,
                                               const struct edda_pg_value *values, size_t count) {
    struct edda_pg_types *types = &database->types[statement];
    if (!types->known) {
        types->known = true;
        types->count = (uint8_t)count;
        for (size_t i = 0; i < count; i++) {
            types->types[i] = values[i].type;
        }
    }
    EDDA_ASSERT(types->count == count);
    for (size_t i = 0; i < count; i++) {
        EDDA_ASSERT(types->types[i] == values[i].type);
    }
    return types;
}

static bool prepare(struct edda_pg_connection *connection, unsigned number,
                    const struct edda_pg_statement *statement, const struct edda_pg_types *types) {
    if (connection->prepared[number]) {
        return true;
    }
    connection->prepared[number] = true;
    expect(connection,
           (struct edda_pg_expected){.what = EDDA_PG_EXPECT_PREPARE, .statement = number});
    return PQsendPrepare(connection->handle, statement->name, statement->sql, types->count,
                         types->types) == 1;
}

void edda_pg_connection_send(struct edda_pg_connection *connection, unsigned number,
                             const struct edda_pg_value *values, size_t count,
                             struct edda_pg_expected expected) {
    static const int binary[EDDA_PG_VALUES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct edda_pg *database = connection->database;
    const struct edda_pg_statement *statement = edda_pg_statement(database, number);
    const struct edda_pg_types *types = check_types(database, number, values, count);
    const char *data[EDDA_PG_VALUES];
    int sizes[EDDA_PG_VALUES];
    for (size_t i = 0; i < count; i++) {
        const struct edda_pg_value *value = &values[i];
        data[i] = value->absent ? NULL : value->data ? value->data : (const char *)value->inside;
        sizes[i] = (int)value->size;
    }
    int sent;
    if (database->prepares) {
        bool prepared = prepare(connection, number, statement, types);
        expect(connection, expected);
        sent = prepared ? PQsendQueryPrepared(connection->handle, statement->name, (int)count, data,
                                              sizes, binary, 1)
                        : 0;
    } else {
        expect(connection, expected);
        sent = PQsendQueryParams(connection->handle, statement->sql, (int)count, types->types, data,
                                 sizes, binary, 1);
    }
    if (sent != 1) {
        edda_pg_connection_break(connection);
    }
}

static void watch_writing(struct edda_pg_connection *connection, bool wants) {
    if (connection->wants_write != wants) {
        connection->wants_write = wants;
        edda_loop_watch_change(connection->database->options.loop, connection->watch,
                               wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void edda_pg_connection_flush(struct edda_pg_connection *connection) {
    int left = PQflush(connection->handle);
    if (left < 0) {
        edda_pg_connection_break(connection);
        return;
    }
    watch_writing(connection, left > 0);
    if (left > 0) {
        connection->look = true;
        edda_pg_unsettled(connection->database);
    }
}

static void sync(struct edda_pg_connection *connection, struct edda_pg_expected expected) {
    expect(connection, expected);
    if (PQpipelineSync(connection->handle) != 1) {
        edda_pg_connection_break(connection);
        return;
    }
    edda_pg_connection_flush(connection);
}

void edda_pg_connection_sync(struct edda_pg_connection *connection, enum edda_pg_expecting what) {
    if (what == EDDA_PG_EXPECT_BATCH_SYNC) {
        connection->unsynced = false;
    }
    sync(connection, (struct edda_pg_expected){.what = what});
}

void edda_pg_connection_sync_reads(struct edda_pg_connection *connection) {
    edda_slots_sent(&connection->database->slots, connection->slot);
    if (connection->unsynced_reads > 0) {
        sync(connection, (struct edda_pg_expected){.what = EDDA_PG_EXPECT_READS_SYNC,
                                                   .reads = connection->unsynced_reads});
        connection->unsynced_reads = 0;
    }
}

bool edda_pg_is_small_read(const struct edda_pg *database, const struct edda_pg_query *query) {
    return edda_pg_statement(database, query->statement)->small_read && !query->alone;
}

/* Not what must be prepared first: a failure before it would undo that unseen by those behind. */
static bool goes_together(const struct edda_pg_connection *connection,
                          const struct edda_pg_query *query) {
    const struct edda_pg *database = connection->database;
    return edda_pg_is_small_read(database, query) &&
           (!database->prepares || connection->prepared[query->statement]);
}

void edda_pg_connection_run(struct edda_pg_connection *connection, struct edda_pg_query *query) {
    bool small = goes_together(connection, query);
    if (!small) {
        edda_pg_connection_sync_reads(connection);
    }
    edda_pg_connection_send(
        connection, query->statement, query->values, query->value_count,
        (struct edda_pg_expected){.what = small ? EDDA_PG_EXPECT_READ : EDDA_PG_EXPECT_STATEMENT,
                                  .statement = query->statement,
                                  .query = query});
    if (small) {
        edda_pg_unsettled(connection->database);
        if (++connection->unsynced_reads == EDDA_SLOTS_BATCH) {
            edda_pg_connection_sync_reads(connection);
        }
    } else {
        edda_pg_connection_sync(connection, EDDA_PG_EXPECT_STATEMENT_SYNC);
    }
}

static void forget_finished(struct edda_pg_connection *connection,
                            const struct edda_pg_query *query) {
    unsigned kept = 0;
    if (connection->finished == query) {
        connection->finished = NULL;
    }
    for (unsigned i = 0; i < connection->finished_read_count; i++) {
        if (connection->finished_reads[i] != query) {
            connection->finished_reads[kept++] = connection->finished_reads[i];
        }
    }
    connection->finished_read_count = kept;
}

void edda_pg_connection_forget(struct edda_pg_connection *connection, struct edda_pg_query *query) {
    forget_finished(connection, query);
    for (unsigned i = 0; i < connection->count; i++) {
        struct edda_pg_expected *expected =
            &connection->ring[(connection->first + i) % EDDA_PG_RING];
        if ((expected->what == EDDA_PG_EXPECT_STATEMENT || expected->what == EDDA_PG_EXPECT_READ) &&
            expected->query == query) {
            expected->query = NULL;
        }
    }
}
