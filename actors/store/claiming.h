/* actors/store/claiming.h: whether jobs are worth claiming now, how many of which kind, and when to
 * look again.
 *
 * A kind is idle when its last claim left nothing due: then nothing is asked for it until the look
 * that was set for what will be due, or until a commit or a report wakes us. There is one next
 * look, for what the last claim asked for: so whoever was not part of it, or was overtaken by a
 * later look, is not idle.
 *
 * Of a kind that is refused for want of a worker nothing is claimed for a while; from the fourth
 * refusal on, one job goes to see.
 * Pure: times and random numbers are given. */
#ifndef EDDA_ACTORS_STORE_CLAIMING_H
#define EDDA_ACTORS_STORE_CLAIMING_H

#include "actors/store/backend.h"

#define EDDA_CLAIMING_SLOW_MS                                                                      \
    5000                      /* nothing is known to be due, or there is no room: look anyway */
#define EDDA_CLAIMING_PROBE 4 /* refusals for want of a worker, after which one goes to see */

#define EDDA_CLAIMING_ASK  0
#define EDDA_CLAIMING_IDLE (-1)

/* Zeroed: nothing was asked yet. */
struct edda_claiming {
    bool idle[EDDA_JOB_KINDS];
    uint32_t unserved[EDDA_JOB_KINDS]; /* in a row, for want of a worker; a pause counts once */
    bool again;                        /* something happened during the claim that goes on */
    struct edda_claim claim;           /* that goes on, or was the last */
};

/* What there is room for. */
struct edda_claiming_room {
    size_t jobs; /* in all */
    uint64_t credit[EDDA_JOB_KINDS];
    size_t in_flight[EDDA_JOB_KINDS];
    bool paused[EDDA_JOB_KINDS];
};

/* EDDA_CLAIMING_ASK: for self->claim; EDDA_CLAIMING_IDLE: the next look is set already; else
 * milliseconds until the next look. Not while a claim goes on. */
int64_t edda_claiming_look(struct edda_claiming *self, const struct edda_claiming_room *room);

/* The claim was answered; wait_ms is that of edda_claims. Milliseconds until the next look. */
int64_t edda_claiming_end(struct edda_claiming *self, int64_t wait_ms);

/* It was not. */
void edda_claiming_fail(struct edda_claiming *self);

/* Something may be due: a commit, a report, or the next look's time. */
void edda_claiming_wake(struct edda_claiming *self, bool claiming);

/* A call of the kind was refused for want of a worker, and not while it paused: how long it pauses
 * now. */
int64_t edda_claiming_refuse(struct edda_claiming *self, enum edda_job_kind kind, uint32_t random);

/* A call of the kind was answered in any other way. */
void edda_claiming_serve(struct edda_claiming *self, enum edda_job_kind kind);

#endif
