/* actors/store/claiming.c: see claiming.h. */
#include "actors/store/claiming.h"

/* How much may be sent, in all and of each kind. False: nothing. */
static bool find_limits(const struct edda_claiming *self, const struct edda_claiming_room *room,
                        struct edda_claim *ret_claim) {
    bool some = false;
    ret_claim->limit = room->jobs < EDDA_CLAIM_MOST ? (uint32_t)room->jobs : EDDA_CLAIM_MOST;
    for (size_t i = 0; i < EDDA_JOB_KINDS; i++) {
        uint64_t credit = room->paused[i] ? 0 : room->credit[i];
        ret_claim->limits[i] = credit < ret_claim->limit ? (uint32_t)credit : ret_claim->limit;
        if (self->unserved[i] >= EDDA_CLAIMING_PROBE && ret_claim->limits[i] > 0) {
            ret_claim->limits[i] = room->in_flight[i] == 0;
        }
        some = some || ret_claim->limits[i] > 0;
    }
    return some;
}

int64_t edda_claiming_look(struct edda_claiming *self, const struct edda_claiming_room *room) {
    struct edda_claim claim;
    bool worth = false;
    if (!find_limits(self, room, &claim)) {
        /* This look takes the place of the one for what will be due. */
        memset(self->idle, 0, sizeof(self->idle));
        return EDDA_CLAIMING_SLOW_MS;
    }
    for (size_t i = 0; i < EDDA_JOB_KINDS; i++) {
        worth = worth || (claim.limits[i] > 0 && !self->idle[i]);
    }
    if (!worth) {
        return EDDA_CLAIMING_IDLE;
    }
    self->claim = claim;
    return EDDA_CLAIMING_ASK;
}

int64_t edda_claiming_end(struct edda_claiming *self, int64_t wait_ms) {
    bool more = self->again || wait_ms == 0;
    for (size_t i = 0; i < EDDA_JOB_KINDS; i++) {
        self->idle[i] = !more && self->claim.limits[i] > 0;
    }
    self->again = false;
    return more                                             ? 0
           : wait_ms > 0 && wait_ms < EDDA_CLAIMING_SLOW_MS ? wait_ms
                                                            : EDDA_CLAIMING_SLOW_MS;
}

void edda_claiming_fail(struct edda_claiming *self) {
    memset(self->idle, 0, sizeof(self->idle));
    self->again = false;
}

void edda_claiming_wake(struct edda_claiming *self, bool claiming) {
    memset(self->idle, 0, sizeof(self->idle));
    self->again = claiming;
}

int64_t edda_claiming_refuse(struct edda_claiming *self, enum edda_job_kind kind, uint32_t random) {
    return edda_job_unserved_ms(++self->unserved[kind], random);
}

void edda_claiming_serve(struct edda_claiming *self, enum edda_job_kind kind) {
    self->unserved[kind] = 0;
}
