/* actors/runtime/actor_credit.c: what a worker grants its brokers, and when it is worth a message.
 */
#include "actors/runtime/actor_state.h"
#include "actors/runtime/share.h"

/* A wide window is granted in pieces; what is left over is told by the tick. */
static uint64_t measure_step(const struct edda_actor *self) {
    return self->wanted >= 16 ? self->wanted / 4 : 1;
}

static uint64_t measure_room(const struct edda_actor_link *link) {
    uint32_t window = link->actor->wanted;
    return link->orphans < window ? window - link->orphans : 0;
}

/* room: slots of jobs that run, and of those that may come. */
static void raise_grant(struct edda_actor_link *link, uint64_t room) {
    uint64_t messages = link->finished + room;
    uint64_t bytes = link->finished_bytes + room * EDDA_MAX_MESSAGE_BYTES;
    link->granted = messages > link->granted ? messages : link->granted;
    link->granted_bytes = bytes > link->granted_bytes ? bytes : link->granted_bytes;
    link->owed = false;
    struct edda_credit_grant grant = {.messages = link->granted, .bytes = link->granted_bytes};
    edda_link_tell(&link->link, EDDA_CREDIT, NULL, EDDA_BODY_CREDIT, &grant);
}

/* least: how many more there must be for a message to be worth it. */
static void tell_credit(struct edda_actor_link *link, uint64_t least) {
    uint64_t before = link->granted;
    /* A broker that drains is granted too: it has admitted requests whose steps are still to run.
     */
    if (!link->owed || !edda_link_joined(&link->link) || link->actor->draining ||
        link->finished + measure_room(link) < before + least) {
        return;
    }
    raise_grant(link, measure_room(link));
}

static uint32_t unused_of(const struct edda_actor_link *link) {
    uint64_t used = link->finished + link->open;
    return link->granted > used ? (uint32_t)(link->granted - used) : 0;
}

/* Several brokers: who uses what it has gets more, and not for every job a message. */
static void tell_shares(struct edda_actor *self, uint64_t least) {
    struct edda_share shares[EDDA_CLIENT_MAX_BROKERS];
    uint32_t floor = edda_share_floor(self->window, self->wanted);
    uint32_t lost = (uint32_t)self->running;
    for (size_t i = 0; i < self->link_count; i++) {
        struct edda_actor_link *link = &self->links[i];
        bool joined = edda_link_joined(&link->link);
        shares[i] = (struct edda_share){joined, link->open, unused_of(link), 0};
        lost -= joined ? link->open : 0;
    }
    edda_share_out(shares, self->link_count, self->wanted, floor, lost);
    for (size_t i = 0; i < self->link_count; i++) {
        const struct edda_share *share = &shares[i];
        bool dry = share->unused < floor;
        if (share->more > 0 && (dry || share->more >= least || share->more > share->running / 4)) {
            raise_grant(&self->links[i], share->running + share->unused + share->more);
        }
    }
}

void edda_actor_tell_credit(struct edda_actor *self, bool all) {
    uint64_t least = all ? 1 : measure_step(self);
    if (self->draining) {
        return;
    }
    if (self->link_count > 1) {
        tell_shares(self, least);
        return;
    }
    for (size_t i = 0; i < self->link_count; i++) {
        tell_credit(&self->links[i], least);
    }
}
