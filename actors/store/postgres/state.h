/* actors/store/postgres/state.h: what database.c, connection.c and conversation.c share; nobody
 * else's business.
 *
 * A unit is in exactly one place: a line, on a connection, or in the list of those that end. On a
 * connection, a statement is in its ring (or is one of those that wait for their Sync); a
 * conversation is connection->conversation.
 *
 * The ring holds what the server still owes, in the order it was sent:
 *   of a statement       [PREPARE] STATEMENT STATEMENT_SYNC
 *   of small reads       READ READ ... READS_SYNC; the first of a kind as a statement
 *   of a conversation    [PREPARE] BEGIN|SAID|COMMIT|ROLLBACK ... BATCH_SYNC
 *
 * libpq is called by the loop's callbacks and by the functions of database.h; it calls nobody of
 * ours but a receiver of notices. What a send finds broken is not touched there and then: settle,
 * at the end of the loop's phase, closes it and tells everybody on it. So no callback of an owner
 * comes from within a call of that owner. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_STATE_H
#define EDDA_ACTORS_STORE_POSTGRES_STATE_H

#include <libpq-fe.h>

#include "actors/runtime/deferred.h"
#include "actors/runtime/metric.h"
#include "actors/store/postgres/database.h"
#include "actors/store/postgres/slots.h"

/* Statements of one connection: EDDA_SLOTS_DEPTH with all that belongs to each. */
#define EDDA_PG_RING 256

/* Statements of the layer's own, behind those of the owner's table. */
enum edda_pg_own {
    EDDA_PG_OWN_SETUP,
    EDDA_PG_OWN_BEGIN,
    EDDA_PG_OWN_BEGIN_SNAPSHOT,
    EDDA_PG_OWN_TIMEOUT,
    EDDA_PG_OWN_COMMIT,
    EDDA_PG_OWN_ROLLBACK,
    EDDA_PG_OWN_COUNT
};

enum edda_pg_expecting {
    EDDA_PG_EXPECT_SETUP, /* the first of every connection */
    EDDA_PG_EXPECT_PREPARE,
    EDDA_PG_EXPECT_STATEMENT,
    EDDA_PG_EXPECT_STATEMENT_SYNC,
    EDDA_PG_EXPECT_READ,
    EDDA_PG_EXPECT_READS_SYNC, /* these two: of small reads that go together */
    EDDA_PG_EXPECT_BEGIN,
    EDDA_PG_EXPECT_SAID,
    EDDA_PG_EXPECT_COMMIT,
    EDDA_PG_EXPECT_ROLLBACK,
    EDDA_PG_EXPECT_BATCH_SYNC, /* also of SETUP */
};

struct edda_pg_expected {
    enum edda_pg_expecting what;
    unsigned statement;
    union {
        unsigned reads;              /* READS_SYNC: how many of them it ends */
        struct edda_pg_query *query; /* STATEMENT, READ; NULL: nobody wants it any more */
        edda_pg_rows_fn on_rows;     /* SAID; may be NULL */
    };
};

struct edda_pg_connection {
    struct edda_pg *database;
    unsigned slot;
    edda_pg_attempt_t *attempt; /* while it is made */
    PGconn *handle;
    edda_watch_t *watch;
    bool wants_write;
    bool is_set_up;
    bool unsynced;                      /* something went out since the last BATCH_SYNC */
    unsigned unsynced_reads;            /* since the last READS_SYNC */
    bool look;                          /* libpq may have read more than it gave us */
    bool broken;                        /* settle closes it */
    bool *prepared;                     /* owned: which statements it knows */
    int64_t progress_ms;                /* when the server last answered, or was first asked */
    int64_t statement_ms;               /* of what runs now */
    const struct edda_sqlstate *reason; /* the last the server said of the connection itself */
    char reason_code[6];                /* all of it */
    struct edda_pg_answer failure;      /* of the batch up to the next Sync; error 0: none */
    struct edda_pg_query *finished;     /* answered, not yet synced */
    struct edda_pg_query *finished_reads[EDDA_SLOTS_BATCH]; /* the same of small reads */
    unsigned finished_read_count;
    struct edda_pg_conversation *conversation;
    unsigned first;
    unsigned count;
    struct edda_pg_expected ring[EDDA_PG_RING];
};

struct edda_pg_units {
    struct edda_pg_unit *first;
    struct edda_pg_unit *last;
    size_t count;
};

/* Types are fixed by a statement's first values. */
struct edda_pg_types {
    bool known;
    uint8_t count;
    uint32_t types[EDDA_PG_VALUES];
};

struct edda_pg_cells {
    edda_cell_t *wait;
    edda_cell_t *running;
    edda_cell_t *connections;
};

struct edda_pg {
    struct edda_pg_options options;
    bool prepares;
    bool destroying;
    struct edda_slots slots;
    struct edda_pg_connection *connections; /* owned; options.connections of them */
    struct edda_pg_types *types;            /* owned; a statement, the layer's own included */
    struct edda_pg_units lines[EDDA_SLOTS_KINDS];
    struct edda_pg_units starting; /* conversations that have a connection and were not told yet */
    struct edda_pg_units ending;   /* with their answers, to be told */
    size_t open;
    size_t running;
    struct edda_pg_identity identity; /* the last that was seen */
    bool identity_known;
    struct edda_timer sweep;
    struct edda_deferred settle;
    int64_t complained_ms;           /* the last log line about connecting; 0: it works */
    int64_t statement_complained_ms; /* and about a statement */
    bool was_lost;                   /* the next connection is worth a line */
    struct edda_pg_cells cells;
};

static inline struct edda_pg_query *edda_pg_query_of(struct edda_pg_unit *unit) {
    return (struct edda_pg_query *)((char *)unit - offsetof(struct edda_pg_query, unit));
}

static inline struct edda_pg_conversation *edda_pg_conversation_of(struct edda_pg_unit *unit) {
    return (struct edda_pg_conversation *)((char *)unit -
                                           offsetof(struct edda_pg_conversation, unit));
}

/* ---- units.c ---- */

/* Into that list's end; NULL: out of any. */
void edda_pg_unit_move(struct edda_pg_unit *unit, struct edda_pg_units *list);

/* A unit is over: its answer is told by settle. It must be off its connection. */
void edda_pg_unit_end(struct edda_pg_unit *unit, const struct edda_pg_answer *answer);

/* Calls done now; the result goes with it unless it is taken. */
void edda_pg_unit_tell(struct edda_pg_unit *unit);

/* Not open any more, without a word. */
void edda_pg_unit_forget(struct edda_pg_unit *unit);

/* A small read that was not run, as one before it failed: in line again, to go by itself. */
void edda_pg_read_again(struct edda_pg_query *query);

/* ---- database.c ---- */

const struct edda_pg_statement *edda_pg_statement(const struct edda_pg *database, unsigned number);
unsigned edda_pg_own(const struct edda_pg *database, enum edda_pg_own own);

/* Whether libpq takes these values at all. */
bool edda_pg_values_fit(const struct edda_pg_value *values, size_t count);

/* There is something for settle. */
void edda_pg_unsettled(struct edda_pg *database);

/* Gives connections to those in line, and opens some. Calls no owner back. */
void edda_pg_distribute(struct edda_pg *database);

/* Words for a log about a statement that failed; rate-limited. */
void edda_pg_complain(struct edda_pg_connection *connection, unsigned statement,
                      const struct edda_pg_answer *answer, const char *message);

/* ---- send.c ---- */

/* Libpq is done with it; settle will be. */
void edda_pg_connection_break(struct edda_pg_connection *connection);

/* Sends a statement, prepared when it has to be. Trouble makes the connection broken; what is
 * expected is expected all the same. */
void edda_pg_connection_send(struct edda_pg_connection *connection, unsigned statement,
                             const struct edda_pg_value *values, size_t count,
                             struct edda_pg_expected expected);
void edda_pg_connection_sync(struct edda_pg_connection *connection,
                             enum edda_pg_expecting statement_or_batch);

/* What cannot be sent now goes when the socket takes it. PQflush reads when it cannot write, and
 * what it read makes no socket readable: that is looked at without being woken (look). */
void edda_pg_connection_flush(struct edda_pg_connection *connection);

/* A small read waits for others of this phase; edda_pg_connection_sync_reads sends them. */
bool edda_pg_is_small_read(const struct edda_pg *database, const struct edda_pg_query *query);
void edda_pg_connection_run(struct edda_pg_connection *connection, struct edda_pg_query *query);
void edda_pg_connection_sync_reads(struct edda_pg_connection *connection);
void edda_pg_connection_forget(struct edda_pg_connection *connection, struct edda_pg_query *query);

/* ---- receive.c ---- */

/* What the server said, if it is about the connection itself. NULL: nothing. */
void edda_pg_connection_note(struct edda_pg_connection *connection, const char *sqlstate);

/* Takes all results that are there. Calls owners. */
void edda_pg_connection_take(struct edda_pg_connection *connection);

/* ---- connection.c ---- */

void edda_pg_connection_open(struct edda_pg_connection *connection);

/* Closes it; all on it end with error, or EDDA_E_IO. text: static. */
void edda_pg_connection_lose(struct edda_pg_connection *connection, int error, const char *text);

/* ---- conversation.c ---- */

/* BEGIN, and on_begin. */
void edda_pg_conversation_start(struct edda_pg_conversation *conversation);

/* It is over with this; ROLLBACK goes out where there is something to roll back. */
void edda_pg_conversation_fail(struct edda_pg_conversation *conversation,
                               const struct edda_pg_answer *answer);

/* After the last answer of a conversation that is over: the connection is free, if it is clean. */
void edda_pg_connection_release(struct edda_pg_connection *connection);

#endif
