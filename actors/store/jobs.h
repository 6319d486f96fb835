/* actors/store/jobs.h: a durable job's life as a pure function: row, event and time in, new row
 * out.
 *
 *            claim                    commit with its token
 *   READY ----------> LEASED ---------------------------------> DONE
 *     ^  \__________/   |  \__ progress: the lease is longer
 *     |    lease over   |
 *     +-----------------+ returned, failed, worker died: after a back-off
 *     |                 v
 *     +-- redrive --- DEAD    too many attempts, or too many deaths
 *
 * Attempts are counted at the claim and given back when nobody is to blame. A job that is unserved
 * is ready at once in its old place: whoever claims has to pause (edda_job_unserved_ms). The token
 * grows with every claim; whoever comes with another token changes nothing. A job that killed a
 * worker runs alone from then on. Source: state table 5 of proto/README.md; every row there names
 * its test.
 *
 * Times are milliseconds of the store's own clock (actors/store/sqlite/README.md). */
#ifndef EDDA_ACTORS_STORE_JOBS_H
#define EDDA_ACTORS_STORE_JOBS_H

#include "proto/error.h"
#include "proto/limits.h"
#include "proto/types.h"

/* Stored: numbers are never reused. What is to be done with a part. */
enum edda_job_kind {
    EDDA_JOB_CHUNK = 0, /* cut, embed and store it: a version waits for it */
    EDDA_JOB_EMBED = 1, /* embed its chunks with another model: a project waits for it */
    EDDA_JOB_KINDS
};

/* Stored: numbers are never reused. */
enum edda_job_state {
    EDDA_JOB_READY = 0,
    EDDA_JOB_LEASED = 1,
    EDDA_JOB_DONE = 2,
    EDDA_JOB_DEAD = 3,
};

enum edda_job_event {
    EDDA_JOB_CLAIM,
    EDDA_JOB_COMMIT,
    EDDA_JOB_PROGRESS,
    EDDA_JOB_RETURNED, /* nobody began it */
    EDDA_JOB_UNSERVED, /* no worker offers one of its stages: says nothing of the job itself */
    EDDA_JOB_OUTSIDE,  /* something the worker depends on failed */
    EDDA_JOB_FAILED,   /* blame on the job or its worker */
    EDDA_JOB_DIED,     /* the worker died with it */
    EDDA_JOB_RELEASE,  /* the store's process that held it is gone */
    EDDA_JOB_REDRIVE,  /* a person gives a dead one another chance */
};

/* Less is sooner. Each is of one kind. Texts that came inline go before those of large, staged
 * ones, and both before what was embedded once already. */
#define EDDA_JOB_PRIORITIES      10
#define EDDA_JOB_PRIORITY_INLINE 5
#define EDDA_JOB_PRIORITY_STAGED 7
#define EDDA_JOB_PRIORITY_EMBED  8

static inline enum edda_job_kind edda_job_kind_of_priority(unsigned priority) {
    return priority == EDDA_JOB_PRIORITY_EMBED ? EDDA_JOB_EMBED : EDDA_JOB_CHUNK;
}

struct edda_job_row {
    enum edda_job_state state;
    uint32_t attempts;
    uint32_t deaths;
    uint32_t delays; /* back-offs so far that nobody was to blame for: their exponent */
    bool solo;
    uint64_t token;
    int64_t lease_until_ms;
    int64_t run_at_ms;
};

struct edda_job_input {
    enum edda_job_event event;
    uint64_t token; /* the reporter's; not looked at for CLAIM, RELEASE and REDRIVE */
    int64_t now_ms;
    int64_t lease_ms;        /* CLAIM, PROGRESS */
    uint32_t retry_after_ms; /* RETURNED .. DIED: at least this long */
    uint32_t random;         /* the jitter */
};

/* True: *ret_row is the new row. False: the event changes nothing (a stale token, a job that is not
 * due, or done, or dead) and *ret_row is the old one. */
bool edda_job_next(const struct edda_job_row *row, const struct edda_job_input *input,
                   struct edda_job_row *ret_row);

#define EDDA_LEASE_MAX_MS 3600000 /* the largest --lease-ms */

/* Uniform in 0..min(EDDA_JOB_BACKOFF_MAX_MS, EDDA_JOB_BACKOFF_MIN_MS * 2^delays). */
int64_t edda_job_backoff_ms(uint32_t delays, uint32_t random);

/* How long nothing of a kind is claimed that was unserved this many times in a row, from 1: uniform
 * between half and all of min(EDDA_JOB_UNSERVED_MAX_MS, EDDA_JOB_UNSERVED_MIN_MS * 2^(times - 1)).
 */
int64_t edda_job_unserved_ms(uint32_t times, uint32_t random);

/* Which event a failed call is: by the error's code, then by blame (enum edda_blame). */
enum edda_job_event edda_job_event_of(int error, uint8_t blame);

#define EDDA_JOB_REASON 256

/* What is kept of the words a call failed with: whole characters of fewer than EDDA_JOB_REASON
 * bytes, on one line; of U+0000, which PostgreSQL does not keep, and of other control characters a
 * space. text is well-formed UTF-8. Returns how many bytes; a NUL follows them. */
size_t edda_job_reason(struct edda_text text, char ret_reason[EDDA_JOB_REASON]);

/* The reason that a report leaves in the job's row. {NULL, 0}: the one before it, if any, as nobody
 * began what was returned. */
struct edda_text edda_job_reason_of(enum edda_job_event event, struct edda_text reason);

/* "ready", "leased", "done", "dead". Static. */
const char *edda_job_state_name(enum edda_job_state state);

#endif
