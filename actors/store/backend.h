/* actors/store/backend.h: what a database must do to be a store: whole operations, asynchronously.
 *
 * A backend takes a request and later gives exactly one answer on the loop's thread; how it talks
 * to its database is its own affair. Each operation (operation.def) is one transaction: when its
 * answer says success, its effects are durable; when it says failure, there are none. EDDA_E_IO is
 * the answer when the disk or the database fails: never an abort, and nothing counts as done.
 *
 * What every backend promises beyond that:
 *   - the project of a request restricts every row that is read or written;
 *   - a commit by lease token is fenced: the statement that finishes the job checks the token, and
 *     effects hang on that statement's result;
 *   - readers and searches see a memo's version wholly or not at all, and what STATUS calls
 *     processed, SEARCH finds;
 *   - a project's searches use vectors of one model, and change over to another's at once, when no
 *     current chunk lacks one;
 *   - decisions (leases, back-off, death, status, paging) are those of the pure files beside this
 *     one, so that backends cannot differ in them.
 *
 * Threads: submit and destroy from the loop's thread. Limits: EDDA_BACKEND_MAX_OPEN requests. */
#ifndef EDDA_ACTORS_STORE_BACKEND_H
#define EDDA_ACTORS_STORE_BACKEND_H

#include "actors/runtime/loop.h"
#include "actors/store/jobs.h"
#include "proto/body_peer.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"

#define EDDA_BACKEND_MAX_OPEN 4096
#define EDDA_CLAIM_MOST       64 /* jobs one claim gives: their texts are in memory together */

#define EDDA_BACKEND(name, arguments, input, result, meaning) EDDA_BACKEND_##name,
enum edda_backend_operation {
#include "actors/store/operation.def"
    EDDA_BACKEND_COUNT
};
#undef EDDA_BACKEND

/* ---- records of the store's own operations ---- */

struct edda_claim {
    uint32_t limit;                  /* 1..EDDA_CLAIM_MOST, of all kinds together */
    uint32_t limits[EDDA_JOB_KINDS]; /* of each kind; 0: none of it is wanted now */
};

/* A leased job with all that its message needs. */
struct edda_claimed {
    uint64_t job;
    enum edda_job_kind kind;
    uint64_t token;
    struct edda_text project;
    struct edda_uuid memo;
    uint64_t version;
    uint32_t part;
    bool solo; /* killed a worker before: to run alone */
    /* Of a CHUNK job; an EMBED job's chunks are stored already. */
    struct edda_text title;
    struct edda_text format;
    struct edda_text heading; /* in force where text begins; may be absent */
    struct edda_text text;
    uint32_t first_byte;
};

struct edda_claims {
    struct edda_claimed *items; /* most urgent first */
    size_t count;
    int64_t wait_ms; /* until another of the wanted kinds may be claimed: 0 now, -1 none waits */
};

struct edda_lease {
    uint64_t job;
    uint64_t token;
    struct edda_uuid memo; /* whose job it is */
};

struct edda_leases {
    const struct edda_lease *items;
    size_t count;
};

struct edda_failure {
    struct edda_lease lease;
    enum edda_job_event event; /* RETURNED, OUTSIDE, FAILED or DIED */
    uint32_t retry_after_ms;
    struct edda_text reason; /* kept with the job, shown with the memo when it is dead */
};

struct edda_failed {
    bool stale; /* the token was not the holder's, or, on PostgreSQL, a database that was replaced
                   meanwhile gave the job's number to another memo's: nothing changed */
    bool dead;
};

struct edda_swept {
    uint64_t rows;
    bool more; /* there is another slice */
};

/* ---- the interface ---- */

/* error: 0 or EDDA_E_. text: words for people, or NULL for the code's own. record: the operation's
 * result struct when error is 0. All borrowed until done returns. */
struct edda_backend_answer {
    int error;
    const char *text;
    const void *record;
};

typedef void (*edda_backend_done_fn)(void *context, const struct edda_backend_answer *answer);

/* arguments and input (the structs of operation.def, NULL for edda_empty), and all they point to,
 * are borrowed until done. */
struct edda_backend_request {
    enum edda_backend_operation operation;
    struct edda_text project; /* absent: all projects, where the operation allows it */
    uint64_t fence;           /* PUT_CHUNKS, PUT_VECTORS: the lease token */
    int64_t deadline_ms;      /* monotonic: not begun by then is EDDA_E_EXPIRED; 0: none */
    const void *arguments;
    const void *input;
    edda_backend_done_fn done; /* exactly once, on the loop, never from within submit */
    void *context;
};

typedef struct edda_backend edda_backend_t;

struct edda_backend_interface {
    const char *name; /* "sqlite" */
    int (*submit)(edda_backend_t *self, const struct edda_backend_request *request);
    void (*destroy)(edda_backend_t *self);
};

/* The first member of every backend. */
struct edda_backend {
    const struct edda_backend_interface *interface;
};

/* What a backend tells its owner unasked, on the loop's thread. */
struct edda_backend_events {
    edda_task_fn on_ready; /* jobs became claimable by a commit; may be NULL */
    void *context;
};

/* EDDA_E_BUSY: too many requests are open; nothing was taken and done will not come. */
int edda_backend_submit(edda_backend_t *self,
                        const struct edda_backend_request *request) EDDA_MUST_CHECK;

/* Finishes what is open (their done is called from here), then closes the database. */
void edda_backend_destroy(edda_backend_t **self_p);

/* sizeof an operation's result struct. */
size_t edda_backend_result_size(enum edda_backend_operation operation);

#endif
