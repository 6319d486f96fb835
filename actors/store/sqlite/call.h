/* actors/store/sqlite/call.h: one request inside the SQLite store, from submit to its answer.
 *
 *     loop            pool of readers              writer               loop
 *   submit -+-------> read -----------------------------------------> answer
 *           +-------> prepare (CPU work) ---+----> write, COMMIT ----> answer
 *           +-------------------------------+        |
 *                       ^      EDDA_E_AGAIN: what was prepared is out of date
 *                       +----------------------------+
 *
 * A call belongs to one thread at a time; it is handed on under the lock of the queue it goes
 * through. Its result and all it points to live in its arena until the answer was given. */
#ifndef EDDA_ACTORS_STORE_SQLITE_CALL_H
#define EDDA_ACTORS_STORE_SQLITE_CALL_H

#include "actors/store/backend.h"
#include "actors/store/index/index.h"
#include "actors/store/memos.h"
#include "actors/store/sqlite/database.h"
#include "actors/store/words.h"

struct edda_sqlite;
struct edda_shelf;

/* What one thread reads with. The analyser and what hangs on it are made when first used. */
struct edda_reader {
    struct edda_sqlite *store;
    edda_database_t *database;
    edda_analyser_t *analyser;
    edda_index_scratch_t *scratch;
    struct edda_terms terms;
    bool has_terms;
};

/* EDDA_E_MEMORY. */
int edda_reader_need_terms(struct edda_reader *reader) EDDA_MUST_CHECK;
int edda_reader_need_scratch(struct edda_reader *reader) EDDA_MUST_CHECK;
void edda_reader_done(struct edda_reader *reader);

/* One batch of the writer. */
struct edda_turn {
    struct edda_reader *reader; /* the writer's own: its database is the one that writes */
    edda_database_t *database;  /* the same */
    int64_t wall_ms;            /* of this batch */
    int64_t now_ms;             /* the store's steady clock: leases and back-offs */
    bool jobs_ready;            /* some operation made jobs claimable */
};

/* A memo whose visible content or attributes an operation changed, or a whole project's index. */
struct edda_change {
    uint64_t project;
    int64_t memo;   /* 0: another model serves the project, its index is to be loaded anew */
    bool completes; /* a version became visible: until it can be found it is not called processed */
};

struct edda_sqlite_call {
    struct edda_sqlite_call *next;
    struct edda_sqlite *store;
    struct edda_backend_request request;
    struct edda_arena arena;
    void *record; /* the result, in the arena */
    int error;
    const char *text;
    void *prepared; /* what prepare made for write, in the arena */
    unsigned tries;
    bool again; /* to be run from its beginning */
    /* For the search indexes, after the commit. In the arena. */
    struct edda_change *changes;
    size_t change_count;
    uint64_t word_project; /* row id, 0 when not known yet */
    struct edda_new_word *words;
    size_t word_count;
};

/* EDDA_E_MEMORY. */
int edda_call_change(struct edda_sqlite_call *call, uint64_t project, int64_t memo,
                     bool completes) EDDA_MUST_CHECK;

int edda_call_reload(struct edda_sqlite_call *call, uint64_t project) EDDA_MUST_CHECK;

/* Notes words for the answer's owner and gives the code back: `return edda_sqlite_call_fail(...)`.
 * text is static, or in the call's arena. */
int edda_sqlite_call_fail(struct edda_sqlite_call *call, int error, const char *text);

/* What an operation does at its stations; NULL: not stopped at. EDDA_SQLITE_PARKED from read: the
 * call was put aside and will come again. */
#define EDDA_SQLITE_PARKED 1

struct edda_plan {
    int (*read)(struct edda_reader *reader, struct edda_sqlite_call *call);
    int (*prepare)(struct edda_reader *reader, struct edda_sqlite_call *call);
    int (*write)(struct edda_turn *turn, struct edda_sqlite_call *call);
};

extern const struct edda_plan edda_plans[EDDA_BACKEND_COUNT];

/* The stations, one file an area. */
int edda_accept_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_accept_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_put_part_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_put_part_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_patch_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_patch_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_get_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_status_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_list_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_delete_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_search_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_put_chunks_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_put_chunks_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_reuse_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_part_chunks_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_put_vectors_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_put_vectors_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_reembed_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_reembed_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_chat_save_prepare(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_chat_save_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_chat_get_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_chat_list_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_key_create_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_key_list_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_key_revoke_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_key_check_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_jobs_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_redrive_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_statistics_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_claim_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_renew_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_fail_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_release_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_sweep_write(struct edda_turn *turn, struct edda_sqlite_call *call);
int edda_probe_read(struct edda_reader *reader, struct edda_sqlite_call *call);
int edda_probe_write(struct edda_turn *turn, struct edda_sqlite_call *call);

/* One page of a project's things: counts them, takes room for a page of items in the call's arena
 * and begins its rows; *ret_row stays NULL when nobody knows the project. EDDA_E_INVALID: the page
 * (the call's arguments) is out of range. */
int edda_list_begin(struct edda_reader *reader, struct edda_sqlite_call *call,
                    enum edda_statement count, enum edda_statement list, uint64_t *ret_count,
                    size_t item_bytes, void **ret_items, sqlite3_stmt **ret_row) EDDA_MUST_CHECK;

#endif
