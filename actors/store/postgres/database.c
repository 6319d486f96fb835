/* actors/store/postgres/database.c: the door: units in, clocks, and what is settled at the end of a
 * phase. */
#include "actors/store/postgres/database.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/store/postgres/state.h"

#define COMPLAIN_MS 1000 /* between two log lines about statements */

static const struct edda_pg_statement own_statements[EDDA_PG_OWN_COUNT] = {
    /* What was accepted must be safe, whatever the server's or the role's setting is. */
    [EDDA_PG_OWN_SETUP] = {"EDDA_SETUP",
                           "SELECT " EDDA_PG_LINEAGE ", " EDDA_PG_TABLES ", " EDDA_PG_HALFVEC
                           ", set_config('" EDDA_PG_SESSION_LINEAGE "', (" EDDA_PG_LINEAGE
                           ")::text, false)"
                           ", CASE current_setting('synchronous_commit') WHEN 'off' THEN"
                           " set_config('synchronous_commit', 'on', false) END"},
    [EDDA_PG_OWN_BEGIN] = {"EDDA_BEGIN", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"},
    [EDDA_PG_OWN_BEGIN_SNAPSHOT] = {"EDDA_BEGIN_SNAPSHOT",
                                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
    [EDDA_PG_OWN_TIMEOUT] = {"EDDA_TIMEOUT", "SELECT set_config('statement_timeout', $1, true)"},
    [EDDA_PG_OWN_COMMIT] = {"EDDA_COMMIT", "COMMIT"},
    [EDDA_PG_OWN_ROLLBACK] = {"EDDA_ROLLBACK", "ROLLBACK"},
};

const struct edda_pg_statement *edda_pg_statement(const struct edda_pg *database, unsigned number) {
    size_t count = database->options.statement_count;
    return number < count ? &database->options.statements[number] : &own_statements[number - count];
}

unsigned edda_pg_own(const struct edda_pg *database, enum edda_pg_own own) {
    return (unsigned)database->options.statement_count + own;
}

bool edda_pg_values_fit(const struct edda_pg_value *values, size_t count) {
    bool fit = count <= EDDA_PG_VALUES;
    for (size_t i = 0; i < count && fit; i++) {
        fit = values[i].size <= EDDA_PG_VALUE_BYTES;
    }
    return fit;
}

void edda_pg_complain(struct edda_pg_connection *connection, unsigned statement,
                      const struct edda_pg_answer *answer, const char *message) {
    struct edda_pg *database = connection->database;
    int64_t now_ms = edda_loop_now(database->options.loop);
    char words[EDDA_PG_WORDS] = "";
    bool ours = answer->error == EDDA_E_INTERNAL || answer->error == EDDA_E_IO;
    if (!ours || now_ms - database->statement_complained_ms < COMPLAIN_MS) {
        return;
    }
    database->statement_complained_ms = now_ms;
    if (message && answer->state && answer->state->flags & EDDA_SQLSTATE_SHOWN) {
        edda_pg_words(NULL, message, words);
    }
    edda_log(EDDA_LOG_ERROR, "database_statement_failed", "statement=%s sqlstate=%s reason=\"%s\"",
             edda_pg_statement(database, statement)->name, answer->sqlstate,
             words[0] ? words : answer->text);
}

/* ---- clocks ---- */

/* What is in line waits for its own deadline, and no longer than wait_ms. */
static void expire(struct edda_pg *database, enum edda_slots_kind kind, int64_t now_ms) {
    struct edda_pg_unit *next = NULL;
    bool stands = edda_slots_standing(&database->slots) > 0;
    for (struct edda_pg_unit *unit = database->lines[kind].first; unit; unit = next) {
        int64_t deadline_ms = kind == EDDA_SLOTS_STATEMENT
                                  ? edda_pg_query_of(unit)->deadline_ms
                                  : edda_pg_conversation_of(unit)->deadline_ms;
        struct edda_pg_answer answer = {0};
        next = unit->next;
        if (deadline_ms && now_ms >= deadline_ms) {
            answer.error = EDDA_E_EXPIRED;
            answer.text = edda_error_text(EDDA_E_EXPIRED);
        } else if (now_ms - unit->since_ms >= database->options.wait_ms) {
            answer.error = stands ? EDDA_E_BUSY : EDDA_E_UNAVAILABLE;
            answer.text = stands ? "all connections to the database are busy"
                                 : "the database does not answer";
        } else {
            continue;
        }
        edda_slots_left(&database->slots, kind);
        edda_pg_unit_end(unit, &answer);
    }
}

/* Of small reads that share a Sync the answers come with the last, and each has its own time. */
static int64_t silence_allowed(const struct edda_pg_connection *connection) {
    int64_t allowed_ms = connection->statement_ms + EDDA_PG_GRACE_MS;
    for (unsigned i = 1; i < connection->count; i++) {
        if (connection->ring[(connection->first + i) % EDDA_PG_RING].what != EDDA_PG_EXPECT_READ) {
            break;
        }
        allowed_ms += connection->statement_ms;
    }
    return allowed_ms;
}

/* The server keeps the time of a statement; we notice when it does not even say so. */
static void watch_over(struct edda_pg_connection *connection, int64_t now_ms) {
    int64_t silent_ms = now_ms - connection->progress_ms;
    if (!connection->handle) {
        return;
    }
    if (connection->count > 0) {
        if (silent_ms >= silence_allowed(connection)) {
            edda_pg_connection_lose(connection, EDDA_E_TIMEOUT, "the database does not answer");
        }
    } else if (connection->conversation && connection->conversation->begun &&
               !connection->unsynced && silent_ms >= connection->database->options.silence_ms) {
        edda_pg_rollback(connection->conversation, EDDA_E_TIMEOUT,
                         "a transaction was silent for too long");
    }
}

static void arm(struct edda_pg *database) {
    int64_t at_ms = edda_slots_wake_ms(&database->slots);
    bool busy = database->open > 0;
    for (unsigned i = 0; i < database->options.connections && !busy; i++) {
        busy = database->connections[i].count > 0;
    }
    if (busy) {
        int64_t sweep_ms = edda_loop_now(database->options.loop) + EDDA_PG_SWEEP_MS;
        at_ms = sweep_ms < at_ms ? sweep_ms : at_ms;
    }
    if (at_ms != INT64_MAX && (database->sweep.index == 0 || at_ms < database->sweep.at_ms)) {
        edda_loop_timer_set(database->options.loop, &database->sweep, at_ms);
    }
}

static void on_sweep(void *context) {
    struct edda_pg *database = context;
    int64_t now_ms = edda_loop_now(database->options.loop);
    expire(database, EDDA_SLOTS_STATEMENT, now_ms);
    expire(database, EDDA_SLOTS_CONVERSATION, now_ms);
    for (unsigned i = 0; i < database->options.connections; i++) {
        watch_over(&database->connections[i], now_ms);
    }
    edda_cell_set(database->cells.running, (int64_t)database->running);
    edda_pg_unsettled(database);
}

/* ---- who goes where ---- */

static void give(struct edda_pg *database, enum edda_slots_kind kind,
                 struct edda_pg_connection *connection) {
    struct edda_pg_unit *unit = database->lines[kind].first;
    EDDA_ASSERT(unit);
    int64_t waited_ms = edda_loop_now(database->options.loop) - unit->since_ms;
    edda_cell_observe(database->cells.wait, (double)waited_ms / 1000);
    unit->connection = connection;
    database->running++;
    if (kind == EDDA_SLOTS_STATEMENT) {
        edda_pg_unit_move(unit, NULL);
        edda_pg_connection_run(connection, edda_pg_query_of(unit));
    } else {
        edda_pg_unit_move(unit, &database->starting);
        connection->conversation = edda_pg_conversation_of(unit);
        edda_pg_unsettled(database);
    }
}

void edda_pg_distribute(struct edda_pg *database) {
    for (;;) {
        struct edda_pg_unit *first = database->lines[EDDA_SLOTS_STATEMENT].first;
        bool small = first && edda_pg_is_small_read(database, edda_pg_query_of(first));
        struct edda_slots_action action =
            edda_slots_next(&database->slots, small, edda_loop_now(database->options.loop));
        struct edda_pg_connection *connection = &database->connections[action.slot];
        switch (action.what) {
        case EDDA_SLOTS_GIVE:
            give(database, action.kind, connection);
            break;
        case EDDA_SLOTS_OPEN:
            edda_pg_connection_open(connection);
            break;
        case EDDA_SLOTS_NOTHING:
            arm(database);
            return;
        }
    }
}

void edda_pg_unsettled(struct edda_pg *database) {
    if (!database->destroying) {
        edda_loop_defer(database->options.loop, &database->settle);
    }
}

static void tell_all(struct edda_pg *database) {
    size_t most = database->ending.count; /* what ends meanwhile is told in the next phase */
    for (; most > 0 && database->ending.first; most--) {
        edda_pg_unit_tell(database->ending.first);
    }
}

static void settle(void *context) {
    struct edda_pg *database = context;
    for (unsigned i = 0; i < database->options.connections; i++) {
        struct edda_pg_connection *connection = &database->connections[i];
        if (connection->look && !connection->broken) {
            edda_pg_connection_take(connection);
        }
        if (connection->broken) {
            edda_pg_connection_lose(connection, EDDA_E_IO, NULL);
        }
    }
    while (database->starting.first) {
        edda_pg_conversation_start(edda_pg_conversation_of(database->starting.first));
    }
    for (unsigned i = 0; i < database->options.connections; i++) {
        if (database->connections[i].unsynced && !database->connections[i].broken) {
            edda_pg_connection_sync(&database->connections[i], EDDA_PG_EXPECT_BATCH_SYNC);
        }
    }
    tell_all(database);
    edda_pg_distribute(database);
    for (unsigned i = 0; i < database->options.connections; i++) {
        if (!database->connections[i].broken) {
            edda_pg_connection_sync_reads(&database->connections[i]);
        }
    }
}

/* ---- the interface ---- */

static int admit(struct edda_pg *self) {
    if (self->destroying) {
        return EDDA_E_DRAINING;
    }
    if (self->open >= EDDA_PG_MAX_OPEN) {
        return EDDA_E_BUSY;
    }
    if (self->slots.reconnect.refused && edda_slots_standing(&self->slots) == 0) {
        return EDDA_E_UNAVAILABLE;
    }
    return 0;
}

static void enter(struct edda_pg *self, struct edda_pg_unit *unit, enum edda_slots_kind kind) {
    *unit = (struct edda_pg_unit){
        .database = self, .kind = kind, .since_ms = edda_loop_now(self->options.loop)};
    self->open++;
    edda_loop_hold(self->options.loop);
    edda_pg_unit_move(unit, &self->lines[kind]);
    edda_slots_arrived(&self->slots, kind);
    edda_pg_distribute(self);
}

int edda_pg_run(edda_pg_t *self, struct edda_pg_query *query, unsigned statement,
                const struct edda_pg_value *values, size_t count) {
    EDDA_ASSERT(!query->unit.database && query->done);
    EDDA_ASSERT(statement < self->options.statement_count);
    if (!edda_pg_values_fit(values, count)) {
        return EDDA_E_LIMIT;
    }
    int error = admit(self);
    if (error) {
        return error;
    }
    query->statement = statement;
    query->alone = false;
    query->value_count = count;
    if (count > 0) {
        memcpy(query->values, values, count * sizeof *values);
    }
    enter(self, &query->unit, EDDA_SLOTS_STATEMENT);
    return 0;
}

int edda_pg_begin(edda_pg_t *self, struct edda_pg_conversation *conversation) {
    EDDA_ASSERT(!conversation->unit.database && conversation->done && conversation->on_begin);
    int error = admit(self);
    if (error) {
        return error;
    }
    conversation->said = 0;
    conversation->begun = false;
    conversation->committing = false;
    conversation->over = false;
    enter(self, &conversation->unit, EDDA_SLOTS_CONVERSATION);
    return 0;
}

void edda_pg_query_cancel(struct edda_pg_query *query) {
    struct edda_pg_unit *unit = &query->unit;
    struct edda_pg *database = unit->database;
    if (!database) {
        return;
    }
    if (unit->connection) {
        edda_pg_connection_forget(unit->connection, query);
        unit->connection = NULL;
        database->running--;
    } else if (unit->list == &database->lines[EDDA_SLOTS_STATEMENT]) {
        edda_slots_left(&database->slots, EDDA_SLOTS_STATEMENT);
    }
    edda_pg_unit_forget(unit);
}

size_t edda_pg_open(const edda_pg_t *self) {
    return self->open;
}

unsigned edda_pg_connected(const edda_pg_t *self) {
    return edda_slots_standing(&self->slots);
}

void edda_pg_saw(edda_pg_t *self, const struct edda_pg_identity *identity) {
    bool replaced = self->identity_known && self->identity.lineage != identity->lineage;
    bool restarted = replaced && self->identity.tables == identity->tables;
    self->identity_known = true;
    self->identity = *identity;
    if (replaced) {
        edda_log(EDDA_LOG_INFO, restarted ? "database_restarted" : "database_replaced",
                 "lineage=%016llx", (unsigned long long)identity->lineage);
        if (self->options.on_replaced) {
            self->options.on_replaced(self->options.context, restarted);
        }
    }
}

void edda_pg_reconnect(edda_pg_t *self) {
    for (unsigned i = 0; i < self->options.connections; i++) {
        if (self->connections[i].handle) {
            edda_pg_connection_break(&self->connections[i]);
        }
    }
}

uint32_t edda_pg_halfvec_type(const edda_pg_t *self) {
    return (uint32_t)self->identity.halfvec;
}

/* ---- life ---- */

static bool make_connections(struct edda_pg *self) {
    size_t statements = self->options.statement_count + EDDA_PG_OWN_COUNT;
    self->types = calloc(statements, sizeof *self->types);
    self->connections = calloc(self->options.connections, sizeof *self->connections);
    bool made = self->types && self->connections;
    for (unsigned i = 0; made && i < self->options.connections; i++) {
        struct edda_pg_connection *connection = &self->connections[i];
        connection->database = self;
        connection->slot = i;
        connection->prepared = calloc(statements, sizeof *connection->prepared);
        made = connection->prepared != NULL;
    }
    return made;
}

static void free_all(struct edda_pg *self) {
    for (unsigned i = 0; self->connections && i < self->options.connections; i++) {
        free(self->connections[i].prepared);
    }
    free(self->connections);
    free(self->types);
    free(self);
}

edda_pg_t *edda_pg_new(const struct edda_pg_options *options) {
    EDDA_ASSERT(options->connections >= 1 && options->connections <= EDDA_PG_CONNECTIONS);
    EDDA_ASSERT(options->statement_ms > 0);
    struct edda_pg *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->options = *options;
    self->options.wait_ms = options->wait_ms > 0 ? options->wait_ms : EDDA_PG_WAIT_MS;
    self->options.silence_ms = options->silence_ms > 0 ? options->silence_ms : EDDA_PG_SILENCE_MS;
    self->prepares = edda_pg_connector_prepares(options->connector);
    self->sweep = (struct edda_timer){.fire = on_sweep, .context = self, .name = "database"};
    self->settle = (struct edda_deferred){.fire = settle, .context = self};
    self->cells = (struct edda_pg_cells){
        .wait = edda_metric_cell(EDDA_METRIC_DATABASE_WAIT, NULL),
        .running = edda_metric_cell(EDDA_METRIC_DATABASE_RUNNING, NULL),
        .connections = edda_metric_cell(EDDA_METRIC_DATABASE_CONNECTIONS, NULL),
    };
    self->statement_complained_ms = edda_loop_now(options->loop) - COMPLAIN_MS;
    edda_slots_init(&self->slots, options->connections);
    if (!make_connections(self)) {
        free_all(self);
        return NULL;
    }
    edda_pg_distribute(self);
    return self;
}

void edda_pg_destroy(edda_pg_t **self_p) {
    struct edda_pg *self = *self_p;
    struct edda_pg_answer draining = {.error = EDDA_E_DRAINING,
                                      .text = edda_error_text(EDDA_E_DRAINING)};
    if (!self) {
        return;
    }
    self->destroying = true;
    for (unsigned kind = 0; kind < EDDA_SLOTS_KINDS; kind++) {
        while (self->lines[kind].first) {
            edda_pg_unit_end(self->lines[kind].first, &draining);
        }
    }
    for (unsigned i = 0; i < self->options.connections; i++) {
        edda_pg_attempt_cancel(&self->connections[i].attempt);
        if (self->connections[i].handle) {
            edda_pg_connection_lose(&self->connections[i], EDDA_E_DRAINING, draining.text);
        }
    }
    while (self->ending.first) {
        edda_pg_unit_tell(self->ending.first);
    }
    EDDA_ASSERT(self->open == 0);
    edda_loop_timer_cancel(self->options.loop, &self->sweep);
    edda_deferred_cancel(&self->settle);
    free_all(self);
    *self_p = NULL;
}
