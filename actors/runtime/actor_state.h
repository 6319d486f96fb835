/* actors/runtime/actor_state.h: what actor.c and job.c share; nobody else's business.
 *
 * A job is in exactly one list of its link until it leaves by a door; the actor's `running` counts
 * them all. What a job says goes out only while `silent` is false: a cancelled, expired or returned
 * job has had its last word, one of a lost session has nobody to speak to.
 *
 * Credit of a session: granted = finished + window - orphans, where orphans are jobs of lost
 * sessions that still hold a handler; with several brokers granted = finished + open + unused, and
 * share.h says how many more. */
#ifndef EDDA_RUNTIME_ACTOR_STATE_H
#define EDDA_RUNTIME_ACTOR_STATE_H

#include <stdatomic.h>

#include "actors/runtime/actor.h"
#include "actors/runtime/client.h"
#include "actors/runtime/link.h"
#include "proto/arena.h"
#include "proto/credit.h"

#define EDDA_JOB_MAGIC            0x0bed0bedu
#define EDDA_JOB_ARENA_BYTES      (16u * 1024u * 1024u)
#define EDDA_JOB_PROGRESS_MS      200
#define EDDA_ACTOR_MAX_OPERATIONS 64

struct edda_actor_link;

struct edda_job {
    uint32_t magic;
    struct edda_actor *actor;
    struct edda_actor_link *link;
    struct edda_job *next;
    struct edda_job *previous;
    bool orphan; /* its session is over */
    bool silent; /* nothing it says is sent any more */
    _Atomic bool cancelled;
    int64_t began_us;
    int64_t deadline_ms;
    int64_t progress_ms; /* when the last PROGRESS went out; 0: none did */
    size_t operation;
    uint64_t bytes; /* of its bodies, as counted by credit */
    struct edda_credit stream;
    uint32_t next_part;
    bool parked; /* a piece was refused */
    edda_task_fn on_cancel;
    void *cancel_context;
    edda_task_fn on_credit;
    void *credit_context;
    struct edda_arena arena;
    struct edda_wire wire;
};

struct edda_actor_link {
    struct edda_actor *actor;
    struct edda_link link;
    struct edda_job *jobs;
    uint32_t open;     /* jobs of this session */
    uint32_t orphans;  /* jobs of its lost ones */
    uint64_t finished; /* in this session */
    uint64_t finished_bytes;
    uint64_t granted; /* totals last told */
    uint64_t granted_bytes;
    bool owed; /* more could be granted than was told */
};

struct edda_actor {
    edda_loop_t *loop;
    char service[EDDA_MAX_NAME + 1];
    char model[EDDA_MAX_NAME + 1];
    char name[EDDA_MAX_NAME + 1];
    struct edda_hello_service offered;
    struct edda_hello hello;
    const struct edda_operation *operations;
    size_t operation_count;
    edda_cell_t *seconds_cells[EDDA_ACTOR_MAX_OPERATIONS];
    edda_cell_t *done_cell;
    uint32_t window;
    void *stage;
    struct edda_timer tick;
    struct edda_timer grant; /* fires once at the end of a turn in which jobs finished */
    struct edda_timer limit; /* just before the drain is cut */
    uint32_t wanted;         /* the window as it is set now, at most window */
    bool draining;
    bool left;
    size_t running;
    struct edda_job *spare;
    size_t spare_count;
    size_t link_count;
    struct edda_actor_link links[EDDA_CLIENT_MAX_BROKERS];
};

/* job.c */

/* A job ready to receive into; never NULL (constant size, bounded by windows). */
struct edda_job *edda_job_new(struct edda_actor *actor);

/* Gives the memory back. */
void edda_job_free(struct edda_job *job);

/* Fills what follows from job->wire, which holds its WORK, and puts it on its link's list. */
void edda_job_begin(struct edda_job *job, struct edda_actor_link *link, size_t operation);

/* Tells the handler once that nobody waits. */
void edda_job_abandon(struct edda_job *job);

/* FAIL or RETURN about the job's WORK, which need not have begun. */
void edda_job_tell_failure(struct edda_job *job, struct edda_actor_link *link, int code,
                           enum edda_blame blame, uint32_t retry_after_ms, const char *text);
void edda_job_tell_return(struct edda_job *job, struct edda_actor_link *link);

/* Counts the result by name. */
void edda_job_count(int code);

/* actor_credit.c */

/* Tells every broker what it may send by now; unless all is wanted, only what is worth a message.
 */
void edda_actor_tell_credit(struct edda_actor *actor, bool all);

/* actor.c */

/* Sets the tick to the pace of what there is to look after; also when a first job begins. */
void edda_actor_arm(struct edda_actor *actor);

/* A job has left: its slot is granted again. */
void edda_actor_job_left(struct edda_actor *actor, struct edda_actor_link *link, bool orphan,
                         uint64_t bytes);

#endif
