/* actors/store/postgres/call.h: one request inside the PostgreSQL store, as a sequence of steps.
 *
 *   static int on_rows(struct edda_pg_call *call, edda_pg_result_t *result) { ... return 0; }
 *
 *   int edda_postgres_something(struct edda_pg_call *call) {
 *       return edda_pg_call_run(call, EDDA_PGSQL_SOMETHING, VALUES(BIGINT(1)), on_rows);
 *   }
 *
 * An operation is a function that begins one thing and names the step that comes after it: a
 * statement (run), a transaction (begin, say, commit; read: a snapshot), CPU work on a pool thread
 * (work), or waiting for something that others do (wait). A step that returns an error fails the
 * call, and rolls back what is open; one that returns 0 without having begun anything ends it: the
 * record is the answer.
 *
 * EDDA_E_AGAIN from a step, and an error of the server that says the same transaction may succeed
 * (sqlstate.def), run the operation again from its beginning, up to EDDA_PG_CALL_TRIES times: the
 * arena is kept, record and state are not.
 *
 * A COMMIT that is said together with statements before it cannot be taken back by their steps:
 * such statements do nothing by themselves when what they ask for does not hold, and the step says
 * which it was. Its error becomes the call's when the commit was answered.
 *
 * Threads: the loop's; a call that works is the pool thread's until its step. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_CALL_H
#define EDDA_ACTORS_STORE_POSTGRES_CALL_H

#include "actors/runtime/deferred.h"
#include "actors/store/backend.h"
#include "actors/store/index/index.h"
#include "actors/store/postgres/database.h"
#include "proto/arena.h"

#define EDDA_PG_CALL_TRIES 5

struct edda_postgres;
struct edda_pg_call;
struct edda_pg_staged;
struct edda_word_list;

/* What one pool thread works with. The analyser and what hangs on it are made when first used. */
struct edda_pg_worker {
    struct edda_postgres *store;
    edda_analyser_t *analyser;
    edda_index_scratch_t *scratch;
    struct edda_terms terms;
    bool has_terms;
};

/* EDDA_E_MEMORY. */
int edda_pg_worker_need_terms(struct edda_pg_worker *worker) EDDA_MUST_CHECK;
int edda_pg_worker_need_scratch(struct edda_pg_worker *worker) EDDA_MUST_CHECK;
void edda_pg_worker_done(struct edda_pg_worker *worker);

/* result: of the statement that was asked; NULL after a transaction or work. Gone when the step
 * returns, unless it was kept. */
typedef int (*edda_pg_step_fn)(struct edda_pg_call *call, edda_pg_result_t *result);
typedef int (*edda_pg_work_fn)(struct edda_pg_worker *worker, struct edda_pg_call *call);

struct edda_pg_kept {
    struct edda_pg_kept *next;
    edda_pg_result_t *result;
};

/* What a call asked of the backlog. */
struct edda_pg_backlog_call {
    int64_t wanted; /* parts */
    int64_t admitted;
    int refused;
    bool waited_all; /* for a count */
    bool waited_project;
    edda_pg_step_fn then;
};

struct edda_pg_call {
    struct edda_postgres *store;
    struct edda_backend_request request;
    struct edda_arena arena;
    void *record;              /* the operation's result struct, zeroed; in the arena */
    void *state;               /* the operation's own, NULL at first; in the arena */
    bool jobs_ready;           /* to be set: what it commits makes jobs claimable */
    struct edda_buffer buffer; /* for arrays; values that are built in it are borrowed until said,
                                  or with run until the answer */
    struct edda_pg_staged *staged; /* versions.h's */
    struct edda_word_list *words;  /* words.h's, as those below */
    int64_t words_project;
    edda_pg_step_fn after_words;
    struct edda_pg_backlog_call backlog; /* backlog.h's */
    /* May be set: gives back what is not in the arena, when the call ends or begins again; on the
     * loop, once. */
    void (*release)(struct edda_pg_call *call);
    /* May be set behind edda_pg_call_run: the step that comes, without a result, instead of a
     * failure when the server refuses a value that it meets (EDDA_E_INVALID). */
    edda_pg_step_fn otherwise;
    struct edda_pg_call *next_waiting; /* whoever lets it wait may use it */

    /* call.c's own */
    struct edda_pg_call *next; /* of the store's open calls */
    struct edda_pg_call *previous;
    struct edda_deferred deferred; /* an end that must not come from within submit */
    struct edda_pg_kept *kept;
    const char *text;
    int error; /* of a step, while something is still open */
    unsigned tries;
    edda_pg_result_t **current; /* of the step that runs */
    struct edda_pg_kept *spare;
    bool asking;
    bool talking;
    bool working;
    bool waiting;
    edda_pg_step_fn then; /* after what is open */
    edda_pg_step_fn after_work;
    edda_pg_step_fn on_begin;
    edda_pg_work_fn work;
    edda_pg_step_fn steps[EDDA_PG_MOST_SAID]; /* of statements said, in their order */
    unsigned first_step;
    unsigned step_count;
    struct edda_pg_query query;
    struct edda_pg_conversation conversation;
};

/* ---- what a step may begin: one of these at a time ---- */

/* A statement, which is a transaction. then may be NULL: all that matters is that it did not fail.
 */
int edda_pg_call_run(struct edda_pg_call *call, unsigned statement,
                     const struct edda_pg_value *values, size_t count,
                     edda_pg_step_fn then) EDDA_MUST_CHECK;

/* A transaction, or one that only reads and sees one moment. on_begin says (result is NULL); then,
 * which may be NULL, comes after the commit. */
int edda_pg_call_begin(struct edda_pg_call *call, edda_pg_step_fn on_begin,
                       edda_pg_step_fn then) EDDA_MUST_CHECK;
int edda_pg_call_read(struct edda_pg_call *call, edda_pg_step_fn on_begin,
                      edda_pg_step_fn then) EDDA_MUST_CHECK;

/* Within a transaction. on_rows may be NULL. */
void edda_pg_call_say(struct edda_pg_call *call, unsigned statement,
                      const struct edda_pg_value *values, size_t count, edda_pg_step_fn on_rows);
void edda_pg_call_commit(struct edda_pg_call *call);

/* On a pool thread; then comes on the loop, when work returned 0. */
int edda_pg_call_work(struct edda_pg_call *call, edda_pg_work_fn work,
                      edda_pg_step_fn then) EDDA_MUST_CHECK;

/* Until edda_pg_call_wake, which must come, and never from within this call's own step. */
void edda_pg_call_wait(struct edda_pg_call *call, edda_pg_step_fn then);
void edda_pg_call_wake(struct edda_pg_call *call, int error);

/* ---- for steps ---- */

/* The result this step was given lives until the answer was given: the record may point into it.
 * Before the step begins work. */
void edda_pg_call_keep(struct edda_pg_call *call);

/* Notes words for the answer's owner and gives the code back: `return edda_pg_call_fail(...)`. text
 * is static, or in the call's arena. */
int edda_pg_call_fail(struct edda_pg_call *call, int error, const char *text);

/* Zeroed, in the arena; also kept as the call's state. NULL: no memory. */
void *edda_pg_call_need_state(struct edda_pg_call *call, size_t size);

/* ---- for backend.c ---- */

typedef int (*edda_pg_operation_fn)(struct edda_pg_call *call);
extern const edda_pg_operation_fn edda_pg_operations[EDDA_BACKEND_COUNT];

/* The operations, one file an area. */
int edda_postgres_accept(struct edda_pg_call *call);
int edda_postgres_put_part(struct edda_pg_call *call);
int edda_postgres_patch(struct edda_pg_call *call);
int edda_postgres_reuse(struct edda_pg_call *call);
int edda_postgres_part_chunks(struct edda_pg_call *call);
int edda_postgres_put_vectors(struct edda_pg_call *call);
int edda_postgres_reembed(struct edda_pg_call *call);
int edda_postgres_delete(struct edda_pg_call *call);
int edda_postgres_sweep(struct edda_pg_call *call);
int edda_postgres_chat_save(struct edda_pg_call *call);
int edda_postgres_put_chunks(struct edda_pg_call *call);
int edda_postgres_claim(struct edda_pg_call *call);
int edda_postgres_renew(struct edda_pg_call *call);
int edda_postgres_fail(struct edda_pg_call *call);
int edda_postgres_release(struct edda_pg_call *call);
int edda_postgres_redrive(struct edda_pg_call *call);
int edda_postgres_probe(struct edda_pg_call *call);
int edda_postgres_get(struct edda_pg_call *call);
int edda_postgres_status(struct edda_pg_call *call);
int edda_postgres_list(struct edda_pg_call *call);
int edda_postgres_search(struct edda_pg_call *call);
int edda_postgres_chat_get(struct edda_pg_call *call);
int edda_postgres_chat_list(struct edda_pg_call *call);
int edda_postgres_key_create(struct edda_pg_call *call);
int edda_postgres_key_list(struct edda_pg_call *call);
int edda_postgres_key_revoke(struct edda_pg_call *call);
int edda_postgres_key_check(struct edda_pg_call *call);
int edda_postgres_jobs(struct edda_pg_call *call);
int edda_postgres_statistics(struct edda_pg_call *call);

/* Takes the request. EDDA_E_MEMORY. */
int edda_pg_call_start(struct edda_postgres *store,
                       const struct edda_backend_request *request) EDDA_MUST_CHECK;

/* When there is no database and no pool any more: answers all that are left. */
void edda_pg_call_end_all(struct edda_postgres *store);

#endif
