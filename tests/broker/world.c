/* tests/broker/world.c: time, the dice, and who hears what the core says. */
#include <stdlib.h>

#include "tests/broker/world_state.h"

struct world *world_new(world_choose_fn choose_fn, void *context) {
    struct world *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->rig = rig_new();
    self->rig->unchecked = true;
    self->choose = choose_fn;
    self->context = context;
    self->asked = calloc(REMEMBERED, sizeof(*self->asked));
    assert_non_null(self->asked);
    for (size_t i = 0; i < RIG_PEERS; i++) {
        self->owner[i] = NOBODY;
    }
    for (size_t i = 0; i < WORKERS; i++) {
        self->workers[i].peer = NOBODY;
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        self->clients[i].peer = NOBODY;
    }
    return self;
}

void world_free(struct world **self_p) {
    struct world *self = *self_p;
    rig_free(&self->rig);
    free(self->asked);
    free(self);
    *self_p = NULL;
}

static void end_session(struct world *self, uint32_t peer) {
    uint32_t owner = self->owner[peer];
    if (owner == NOBODY) {
        return;
    }
    self->owner[peer] = NOBODY;
    if (owner < CLIENTS) {
        if (self->clients[owner].peer == peer) {
            self->clients[owner].peer = NOBODY;
        }
    } else if (self->workers[owner - CLIENTS].peer == peer) {
        self->workers[owner - CLIENTS].peer = NOBODY;
        self->workers[owner - CLIENTS].job_count = 0;
    }
}

void world_deliver(struct world *self) {
    const struct edda_actions *actions = &self->rig->actions;
    for (size_t i = 0; i < actions->count; i++) {
        const struct edda_action *action = &actions->items[i];
        if (action->kind == EDDA_ACTION_FORGET) {
            end_session(self, action->peer);
        } else if (action->kind == EDDA_ACTION_SEND && self->owner[action->peer] != NOBODY) {
            uint32_t owner = self->owner[action->peer];
            self->counts.resets += action->message.command == EDDA_RESET;
            if (owner < CLIENTS) {
                world_tell_client(self, &self->clients[owner], action);
            } else {
                world_tell_worker(self, &self->workers[owner - CLIENTS], action);
            }
        }
    }
    if (++self->events % 64 == 0) {
        edda_core_check(self->rig->core);
    }
}

void world_step(struct world *self) {
    size_t dice = choose(self, 100);
    if (dice < 40) {
        world_step_client(self, choose(self, CLIENTS));
    } else if (dice < 95) {
        world_step_worker(self, choose(self, WORKERS));
    } else {
        size_t most_ms = choose(self, 20) ? 30 : 1200;
        rig_sleep(self->rig, (int64_t)choose(self, most_ms));
        world_deliver(self);
    }
}

void world_settle(struct world *self) {
    self->calm = true;
    for (int round = 0; round < 400; round++) {
        for (size_t i = 0; i < WORKERS; i++) {
            world_step_worker(self, i);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            struct client *client = &self->clients[i];
            if (client->peer == NOBODY) {
                world_connect_client(self, i);
            } else {
                if (round % 100 == 99) { /* what found no credit before */
                    world_resend(self, client);
                }
                rig_ping(self->rig, client->peer, EDDA_PING, 1, 0, 0);
                world_deliver(self);
            }
        }
        rig_tick(self->rig, 30);
        world_deliver(self);
    }
    edda_core_check(self->rig->core);
    struct edda_broker_status status = rig_status(self->rig);
    assert_int_equal(status.queued + status.running, 0);
    assert_int_equal(status.admitted, status.ended);
    assert_int_equal(status.pending_bytes, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(self->clients[i].open_count, 0);
    }
}

struct world_counts world_counts(const struct world *self) {
    return self->counts;
}
