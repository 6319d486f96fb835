/* actors/store/postgres/database.h: one PostgreSQL database, spoken to from a loop over a few
 * connections.
 *
 * Two units of work, each answered exactly once, whatever dies when:
 *
 *   statement      run ──► in line ──► sent, behind those of others ──► done
 *   conversation   begin ──► in line ──► on_begin ──► on_rows ... ──► commit ──► done
 *                                         say, say      say, say
 *
 * A statement is a transaction of its own and shares a connection with others (pipeline mode, one
 * Sync each, so that an error touches no neighbour). Its answer comes when the Sync was answered:
 * only then is it durable. Small reads (statement.h) of one phase of the loop share a Sync, up to
 * EDDA_SLOTS_BATCH: one that fails keeps those behind it from being run, and they are sent again,
 * each by itself.
 *
 * A conversation holds a connection from BEGIN to the answer of COMMIT or ROLLBACK. What is said in
 * one callback goes out together, commit included: whoever needs to decide nothing has one trip.
 * Between two callbacks it may take all the time it wants (a pool thread's work), up to
 * EDDA_PG_SILENCE_MS. The first error ends it: what is still to come is not called, ROLLBACK is
 * sent, done gets the error. One connection of two or more is never held, so that statements always
 * get through.
 *
 * Errors of both, beside those that the server's SQLSTATE means (sqlstate.def):
 *   EDDA_E_EXPIRED      its deadline passed in line; nothing was sent
 *   EDDA_E_BUSY         no connection became free within wait_ms; nothing was sent
 *   EDDA_E_UNAVAILABLE  there is no connection, and none within wait_ms; nothing was sent
 *   EDDA_E_TIMEOUT      the statement took longer than statement_ms; or, with unknown, the server
 *                       did not answer at all: the connection was abandoned
 *   EDDA_E_IO           the connection was lost before the answer
 *   EDDA_E_LIMIT        more said at once than EDDA_PG_MOST_SAID
 *   EDDA_E_DRAINING     the database was destroyed
 * A failure has had no effect, unless the answer says unknown: the connection was lost after COMMIT
 * (or a statement) went out and before its answer came. It is a failure all the same: fences and
 * keys make the repetition harmless.
 *
 * The server keeps the time of statements (statement_timeout, EDDA_PG_GRACE_MS before us; the
 * answers of small reads that go together come together, so they have the time of all of them); a
 * server that does not even answer is given up by the loop's timers: the connection is closed and
 * a CANCEL sent by a thread of its own (cancel.h). Lost connections come back by themselves, with
 * back-off (reconnect.h). The statement that ran when a connection was lost is never sent again.
 *
 * Threads: the loop's. No callback comes from within a function of this header, except destroy.
 * While units are open they hold the loop's drain.
 * Limits: EDDA_PG_MAX_OPEN units, EDDA_PG_CONNECTIONS connections; statements on one: slots.h.
 * Source: https://www.postgresql.org/docs/15/libpq-pipeline-mode.html and libpq-async.html */
#ifndef EDDA_ACTORS_STORE_POSTGRES_DATABASE_H
#define EDDA_ACTORS_STORE_POSTGRES_DATABASE_H

#include "actors/runtime/loop.h"
#include "actors/store/postgres/connector.h"
#include "actors/store/postgres/row.h"
#include "actors/store/postgres/sqlstate.h"
#include "actors/store/postgres/statement.h"
#include "actors/store/postgres/value.h"

#define EDDA_PG_MAX_OPEN    4096 /* units that wait or run; also backend.h's */
#define EDDA_PG_CONNECTIONS 64   /* of one database */
#define EDDA_PG_MOST_SAID   64   /* statements of a conversation that are not answered yet */
#define EDDA_PG_WAIT_MS     2000 /* default of wait_ms */
#define EDDA_PG_GRACE_MS    1000 /* the server's own timeout is to come before ours */
#define EDDA_PG_SWEEP_MS    50   /* clocks are looked at this often */

/* Two bigints. Which database, and tables, of a server; and with its start, as its standby's was
 * another. There is nothing that every server tells of its history and that a plain user may ask,
 * so after a restart alone what is in memory is to be proved. */
#define EDDA_PG_TABLES                                                                             \
    "hashtextextended((SELECT oid FROM pg_database WHERE datname = current_database()) || ' ' ||"  \
    " coalesce(to_regclass('project')::oid, 0), 0)"
#define EDDA_PG_LINEAGE                                                                            \
    "hashtextextended(extract(epoch FROM pg_postmaster_start_time()) || ' ' || " EDDA_PG_TABLES    \
    ", 0)"

#define EDDA_PG_HALFVEC "coalesce(to_regtype('halfvec')::oid, 0)::bigint"

/* Where a session keeps which one it was when it began: text. */
#define EDDA_PG_SESSION_LINEAGE "edda.lineage"

typedef struct edda_pg edda_pg_t;

/* What a database says of itself. */
struct edda_pg_identity {
    int64_t lineage; /* EDDA_PG_LINEAGE */
    int64_t tables;  /* EDDA_PG_TABLES */
    int64_t halfvec; /* EDDA_PG_HALFVEC */
};

struct edda_pg_options {
    edda_loop_t *loop;
    edda_pg_connector_t *connector;             /* borrowed; lives longer */
    const struct edda_pg_statement *statements; /* static */
    size_t statement_count;
    unsigned connections; /* at most: 1..EDDA_PG_CONNECTIONS; they are opened as they are needed */
    int64_t statement_ms; /* of one statement */
    int64_t wait_ms;      /* for a connection; 0: EDDA_PG_WAIT_MS */
    int64_t silence_ms;   /* of a conversation; 0: EDDA_PG_SILENCE_MS */
    /* See edda_pg_saw; may be NULL. restarted: by the same tables, as far as is known. */
    void (*on_replaced)(void *context, bool restarted);
    void *context; /* its */
};

/* Borrowed until done returns, but for result, which may be taken: null it, free it later. */
struct edda_pg_answer {
    int error;
    const char *text;                  /* for people, static; NULL when error is 0 */
    const struct edda_sqlstate *state; /* what the server said, if it did; static */
    char sqlstate[6];                  /* all of it: state may be its class; "": it did not */
    bool unknown;                      /* it may have been done nevertheless */
    edda_pg_result_t *result;          /* of a statement when error is 0 */
};

typedef void (*edda_pg_done_fn)(void *context, struct edda_pg_answer *answer);

/* The result is gone when the call returns, unless it is taken: then *result_p is nulled, and it is
 * freed by edda_pg_result_free, by whatever thread. */
typedef void (*edda_pg_rows_fn)(void *context, edda_pg_result_t **result_p);

/* What both units have; the layer's own. */
struct edda_pg_unit {
    struct edda_pg *database; /* NULL: not open */
    struct edda_pg_unit *next;
    struct edda_pg_unit *previous;
    struct edda_pg_units *list;
    struct edda_pg_connection *connection; /* that it runs on */
    unsigned kind;
    int64_t since_ms; /* in line */
    struct edda_pg_answer answer;
};

/* Lives in its owner's struct until done or cancel, zero-initialised but for the first block. */
struct edda_pg_query {
    int64_t deadline_ms; /* monotonic; not sent by then: EDDA_E_EXPIRED. 0: none */
    edda_pg_done_fn done;
    void *context;

    struct edda_pg_unit unit; /* the layer's own from here */
    unsigned statement;
    bool alone; /* not together with others: it was, and one of them failed */
    size_t value_count;
    struct edda_pg_value values[EDDA_PG_VALUES]; /* while it is in line */
};

struct edda_pg_conversation {
    int64_t deadline_ms;             /* as above */
    int64_t statement_ms;            /* of each of its statements; 0: the database's */
    bool snapshot;                   /* reads only, and all of it sees one moment */
    void (*on_begin)(void *context); /* it has its connection: say */
    edda_pg_done_fn done;
    void *context;

    struct edda_pg_unit unit; /* the layer's own from here */
    unsigned said;            /* statements that are not answered yet */
    bool begun;
    bool committing;
    bool over;
};

/* Begins to connect. NULL: no memory. */
edda_pg_t *edda_pg_new(const struct edda_pg_options *options);

/* Ends what is open with EDDA_E_DRAINING, from within. Not from a callback of its own. */
void edda_pg_destroy(edda_pg_t **self_p);

/* EDDA_E_BUSY: EDDA_PG_MAX_OPEN are open. EDDA_E_UNAVAILABLE: the server refuses us, and will until
 * somebody changes something. EDDA_E_LIMIT: a value over EDDA_PG_VALUE_BYTES. Then nothing was
 * taken and done will not come. What the values point to is borrowed until done. */
int edda_pg_run(edda_pg_t *self, struct edda_pg_query *query, unsigned statement,
                const struct edda_pg_value *values, size_t count) EDDA_MUST_CHECK;

/* As above. */
int edda_pg_begin(edda_pg_t *self, struct edda_pg_conversation *conversation) EDDA_MUST_CHECK;

/* From on_begin until commit, rollback or done; later it does nothing. on_rows may be NULL, when
 * all that matters is that it did not fail. Values are borrowed for the call. */
void edda_pg_say(struct edda_pg_conversation *conversation, unsigned statement,
                 const struct edda_pg_value *values, size_t count, edda_pg_rows_fn on_rows);

/* After what was said. done has error 0 only when the server has committed. */
void edda_pg_commit(struct edda_pg_conversation *conversation);

/* Nothing of it stays. done has this error, which is not 0, and text, which is static or NULL. */
void edda_pg_rollback(struct edda_pg_conversation *conversation, int error, const char *text);

/* No callback any more; the struct is the caller's again, and all that its values point to. A
 * statement that was sent runs to its end at the server. Does nothing when it is not open. */
void edda_pg_query_cancel(struct edda_pg_query *query);

/* Units that wait or run. */
size_t edda_pg_open(const edda_pg_t *self);

/* Connections that stand. */
unsigned edda_pg_connected(const edda_pg_t *self);

/* The database says which one it is, as every new connection hears: when its lineage is another
 * than the last time, on_replaced is called. What was read before may never have been: a standby
 * that took over lacks the last commits, a restored dump all since it was made, and both give their
 * numbers again. */
void edda_pg_saw(edda_pg_t *self, const struct edda_pg_identity *identity);

/* Closes every connection and makes them anew. What a session has prepared is of the tables and
 * types that there were when it began. Who runs on one is told that it was lost. */
void edda_pg_reconnect(edda_pg_t *self);

/* The number that type halfvec has in this database, for arrays of it; 0 until a connection stood,
 * and without pgvector. In on_begin it is known. */
uint32_t edda_pg_halfvec_type(const edda_pg_t *self);

#endif
