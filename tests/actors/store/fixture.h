/* tests/actors/store/fixture.h: a store with nothing in it, asked one thing after the other.
 *
 *   struct fixture *f = fixture_new();
 *   struct edda_uuid memo = accept_text(f, "Title", "Some text.");
 *   process_all(f);                              // claims and commits every job
 *   assert_string_equal(status_of(f, &memo), "processed");
 *   fixture_free(&f);
 *
 * The store is SQLite's in a fresh directory; or PostgreSQL's, when EDDA_TEST_STORE says postgres:
 * each test program is run with both.
 *
 * Every ask runs the store's loop until the answer is there. Results are copied into the fixture
 * and live until it is freed. Threads: the test's one. */
#ifndef EDDA_TESTS_STORE_FIXTURE_H
#define EDDA_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/store/backend.h"
#include "proto/body.h"
#include "proto/uuid.h"

#define PROJECT   "p"
#define DIMENSION 4

struct fixture {
    bool postgres;
    char directory[64]; /* SQLite's */
    edda_loop_t *loop;
    edda_backend_t *backend;
    struct edda_arena arena;
    int64_t lease_ms;
    size_t index_bytes;
    int64_t backlog; /* and project_backlog: from the next fixture_open on */
    int64_t project_backlog;
    uint64_t exact_chunks; /* PostgreSQL's; 0: its default; so are those below */
    int64_t statement_ms;
    bool pooled;            /* as behind a pooler in transaction mode */
    const char *url;        /* NULL: of the program's database */
    const char *model;      /* the embedder's, of DIMENSION floats: "test-4" at first */
    unsigned ready;         /* how often the store said that jobs are ready */
    edda_task_fn pump_wake; /* told too, with pump, when there is one */
    void *pump;
    bool may_lack_vectors; /* check_tables: some chunks of the test have none */
    int error;             /* of the last ask */
    char text[256];        /* its words */
};

struct fixture *fixture_new(void);
struct fixture *fixture_new_on(bool postgres);
void fixture_free(struct fixture **f_p);

/* For cmocka: *state is the fixture; the tables are checked before it goes. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Closes the store, or opens it again over the same directory. */
void fixture_close(struct fixture *f);
void fixture_open(struct fixture *f);

/* One more store process on the same database; the caller destroys it. */
edda_backend_t *fixture_open_another(struct fixture *f);

/* Asks and returns the error. type is the result's body type, EDDA_BODY_NONE for the store's own
 * records; *ret_record (may be NULL) is a copy. */
int ask(struct fixture *f, enum edda_backend_operation operation, uint64_t fence,
        const void *arguments, const void *input, uint16_t type, void *ret_record);
int ask_in(struct fixture *f, const char *project, enum edda_backend_operation operation,
           uint64_t fence, const void *arguments, const void *input, uint16_t type,
           void *ret_record);

/* ---- in the words of tests; those without an error fail the test when the store says no ---- */

/* A new memo of one part, which is borrowed; the other fields are the test's to set. */
struct edda_store_accept one_part(struct edda_text *part);
/* Returns the error, and fills *accepted, which may be NULL, on success. */
int accept_memo(struct fixture *f, const struct edda_store_accept *arguments,
                struct edda_store_accepted *accepted);

struct edda_uuid accept_text(struct fixture *f, const char *title, const char *text);
struct edda_uuid accept_parts(struct fixture *f, const char *title, const char *const *texts,
                              size_t count);
int patch_text(struct fixture *f, const struct edda_uuid *memo, const char *text);
int patch_title(struct fixture *f, const struct edda_uuid *memo, const char *title);
int delete_memo(struct fixture *f, const struct edda_uuid *memo);

/* Leases up to limit jobs; the copy lives until the fixture is freed. */
struct edda_claims claim_jobs(struct fixture *f, uint32_t limit);

/* One chunk a paragraph, each with a vector. */
struct edda_chunks chunks_of(struct fixture *f, const struct edda_claimed *job);

/* Commits a claimed job by token with these chunks; returns the error. */
int put_chunks(struct fixture *f, const struct edda_claimed *job, uint64_t token,
               const struct edda_chunks *chunks, struct edda_store_stored *ret_stored);

/* The same with chunks_of; an EMBED job with the vectors of its stored chunks. */
struct edda_store_stored commit_job(struct fixture *f, const struct edda_claimed *job,
                                    uint64_t token);
/* What an EMBED job's embedder is given; with vectors_for it is what it gives. */
int part_chunks(struct fixture *f, const struct edda_claimed *job, struct edda_chunks *ret_chunks);
void vectors_for(struct fixture *f, struct edda_chunks *chunks);
int put_vectors(struct fixture *f, const struct edda_claimed *job, uint64_t token,
                const struct edda_chunks *chunks, struct edda_store_stored *ret_stored);

/* Of one project, NULL: all. */
struct edda_store_reembedded reembed_in(struct fixture *f, const char *project, const char *model,
                                        bool look);
struct edda_store_reembedded reembed(struct fixture *f, const char *model);

/* Until there is nothing left to sweep; returns how many rows. */
size_t sweep_all(struct fixture *f);

/* 0 stale, 1 changed, 2 changed and dead. */
int fail_job(struct fixture *f, const struct edda_claimed *job, uint64_t token,
             enum edda_job_event event);
uint64_t renew_job(struct fixture *f, const struct edda_claimed *job, uint64_t token);

/* Claims and commits until nothing is claimable; returns how many jobs. */
size_t process_all(struct fixture *f);

const char *status_of(struct fixture *f, const struct edda_uuid *memo);
struct edda_store_status full_status_of(struct fixture *f, const struct edda_uuid *memo);
int get_memo(struct fixture *f, const struct edda_uuid *memo, struct edda_store_memo *ret_memo);
struct edda_hits search(struct fixture *f, const char *query);
struct edda_hits search_filtered(struct fixture *f, const char *query,
                                 struct edda_store_filter *filters, size_t count);

/* The vector that commit_job gives every chunk of text, and search its query. */
void vector_of(struct edda_text text, float ret_vector[DIMENSION]);

/* DIMENSION floats that a store gave are those that were put: to the last bit in SQLite; PostgreSQL
 * keeps halves of a vector of the same direction and length 1. */
void assert_kept(const struct fixture *f, const uint8_t *given, const float *put);

/* ---- beside the store, through a connection of its own; SQL that both databases understand ----
 */

int64_t sql_integer(struct fixture *f, const char *sql);
void sql_run(struct fixture *f, const char *sql);

/* What the tables of the two databases say differently. */
const char *either(const struct fixture *f, const char *sqlite, const char *postgres);
int64_t vectors_of_model(struct fixture *f, const char *model); /* of current chunks */
int64_t vectors_waiting(struct fixture *f);                     /* of a model that does not serve */

/* Makes back-offs and leases over. */
void let_time_pass(struct fixture *f);

struct edda_store_select select_memo(struct fixture *f, const struct edda_uuid *memo);

/* What must hold of the tables at any time: G1, G2, G8 of the design. */
void check_tables(struct fixture *f);

#endif
