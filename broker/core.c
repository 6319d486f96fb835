/* broker/core.c: events to the parts that know what to do, and the invariants after each. */
#include "broker/core.h"

#include "broker/access.h"
#include "broker/emit.h"
#include "broker/ended.h"
#include "broker/flow.h"
#include "broker/ingress.h"
#include "broker/peers.h"
#include "broker/pending.h"
#include "broker/pick.h"
#include "broker/queue.h"
#include "broker/request.h"
#include "broker/result.h"
#include "broker/service.h"
#include "broker/status.h"
#include "proto/body.h"

edda_core_t *edda_core_new(const struct edda_core_options *options) {
    struct edda_core *core = calloc(1, sizeof(*core));
    if (!core) {
        return NULL;
    }
    core->now_ms = core->began_ms = core->ticked_ms = core->listens_ms = options->now_ms;
    core->epoch = options->epoch;
    core->ping_ms = options->ping_ms ? options->ping_ms : EDDA_PING_MS;
    core->liveness = options->liveness ? options->liveness : EDDA_LIVENESS;
    if (edda_peers_setup(core) != 0 || edda_service_setup(core) != 0 ||
        edda_pending_setup(core) != 0 || edda_queue_setup(core) != 0 ||
        edda_ended_setup(core) != 0) {
        edda_core_destroy(&core, NULL);
    }
    return core;
}

/* Detached from all lists, so that only bodies are released. */
static void release_pendings(struct edda_core *core) {
    for (uint32_t slot = 0; slot < core->slot_high; slot++) {
        struct edda_pending *pending = edda_pending_at(core, slot);
        if (pending->state == EDDA_PENDING_FREE) {
            continue;
        }
        for (uint8_t i = 0; i < pending->step_count; i++) {
            edda_emit_release(core, &pending->steps[i].arguments);
        }
        edda_emit_release(core, &pending->input);
    }
}

void edda_core_destroy(edda_core_t **self_p, struct edda_actions *actions) {
    struct edda_core *core = *self_p;
    if (!core) {
        return;
    }
    if (actions) {
        actions->count = 0;
        core->actions = actions;
        release_pendings(core);
        edda_ended_clear(core);
    }
    edda_ended_teardown(core);
    edda_queue_teardown(core);
    edda_pending_teardown(core);
    edda_service_teardown(core);
    edda_peers_teardown(core);
    free(core);
    *self_p = NULL;
}

static void receive_credit(struct edda_core *core, struct edda_peer *peer,
                           const struct edda_message *message) {
    struct edda_credit_grant grant;
    struct edda_arena arena;
    edda_arena_init(&arena, 0);
    int result = edda_message_body_type(message, 0) != EDDA_BODY_CREDIT
                     ? EDDA_E_MALFORMED
                     : edda_body_decode(EDDA_BODY_CREDIT, message->bodies[0], &arena, &grant);
    edda_arena_done(&arena);
    if (result != 0) {
        edda_peers_gone(core, peer, EDDA_LOSS_FAULT, EDDA_E_MALFORMED, EDDA_E_MALFORMED);
    } else if (peer->side == EDDA_SIDE_FRONT) {
        edda_request_stream_credit(core, peer, &message->envelope.id, grant.messages, grant.bytes);
    } else if (edda_credit_grant(&peer->credit, grant.messages, grant.bytes)) {
        edda_service_touch_all_of(core, peer);
    }
}

static void receive_from_peer(struct edda_core *core, struct edda_peer *peer,
                              const struct edda_event *event) {
    const struct edda_message *message = event->message;
    switch ((enum edda_command)message->command) {
    case EDDA_CREDIT:
        receive_credit(core, peer, message);
        break;
    case EDDA_REQ:
        edda_request_receive(core, peer, event);
        break;
    case EDDA_CANCEL:
        edda_request_cancel(core, peer, &message->envelope.id);
        break;
    case EDDA_DONE:
    case EDDA_FAIL:
    case EDDA_RETURN:
    case EDDA_PART:
    case EDDA_PROGRESS:
        edda_result_receive(core, peer, event);
        break;
    case EDDA_PING:
    case EDDA_PONG:
        edda_peers_ping(core, peer, message);
        break;
    case EDDA_DRAIN:
        if (peer->side == EDDA_SIDE_BACK && peer->state == EDDA_PEER_LIVE) {
            edda_service_drain(core, peer);
        }
        break;
    case EDDA_BYE:
        edda_peers_gone(core, peer, EDDA_LOSS_ORDERLY, 0, 0);
        break;
    case EDDA_HELLO:
    case EDDA_WELCOME:
    case EDDA_RESP:
    case EDDA_WORK:
    case EDDA_RESET:
        EDDA_ASSERT(false && "not allowed from peers, or handled before");
        break;
    }
}

/* A connection that ended leaves its routing id free for another, with another key, that names
 * itself so: what was bound to the old one must not pass to the new. And a key may have lost what
 * its peer joined with. */
static bool is_denied(const struct edda_peer *peer, const struct edda_event *event) {
    EDDA_ASSERT(event->permit);
    return peer &&
           (peer->identity != event->permit->identity || !edda_access_keeps(peer, event->permit));
}

static void receive_message(struct edda_core *core, const struct edda_event *event) {
    unsigned sender = event->side == EDDA_SIDE_FRONT ? EDDA_FROM_CLIENT : EDDA_FROM_WORKER;
    struct edda_peer *peer = edda_peers_find(core, event->peer);
    if (is_denied(peer, event)) {
        edda_peers_gone(core, peer, EDDA_LOSS_ORDERLY, EDDA_E_DENIED, EDDA_E_DENIED);
        return;
    }
    if (event->message->command == EDDA_HELLO) {
        if (peer) {
            peer->heard_ms = core->now_ms;
        }
        edda_peers_hello(core, event);
        return;
    }
    if (!peer) {
        edda_emit_reset(core, event->peer, EDDA_E_UNKNOWN_SESSION);
        edda_emit_forget(core, event->peer);
        return;
    }
    EDDA_ASSERT(peer->side == event->side);
    if (!edda_command_allowed(event->message->command, sender)) {
        edda_peers_gone(core, peer, EDDA_LOSS_FAULT, EDDA_E_ROLE, EDDA_E_ROLE);
        return;
    }
    peer->heard_ms = core->now_ms;
    receive_from_peer(core, peer, event);
}

static void receive_malformed(struct edda_core *core, const struct edda_event *event) {
    int code = event->error == EDDA_E_VERSION ? EDDA_E_VERSION : EDDA_E_MALFORMED;
    struct edda_peer *peer = edda_peers_find(core, event->peer);
    if (is_denied(peer, event)) {
        edda_peers_gone(core, peer, EDDA_LOSS_ORDERLY, EDDA_E_DENIED, EDDA_E_DENIED);
    } else if (peer) {
        edda_peers_gone(core, peer, EDDA_LOSS_FAULT, code, code);
    } else {
        edda_emit_reset(core, event->peer, code);
        edda_emit_forget(core, event->peer);
    }
}

static void lose_peer(struct edda_core *core, uint32_t number, bool full) {
    struct edda_peer *peer = edda_peers_find(core, number);
    if (peer) {
        core->counters.full += full;
        edda_peers_gone(core, peer, EDDA_LOSS_DEATH, full ? EDDA_E_AGAIN : 0,
                        full ? EDDA_E_AGAIN : EDDA_E_UNAVAILABLE);
    }
}

static void sweep_requests(struct edda_core *core, uint32_t *budget) {
    for (uint32_t slot = 0; slot < core->slot_high && *budget != 0; slot++) {
        if (core->due_ms[slot] <= core->now_ms) {
            --*budget;
            edda_flow_overdue(core, edda_pending_at(core, slot));
        }
    }
}

/* Who waits for a worker to come back is told while a third of that time is left: a requester may
 * do without this step. Who may be served elsewhere does not wait. */
static bool has_waited(const struct edda_core *core, const struct edda_service *service,
                       const struct edda_pending *pending) {
    if ((pending->flags & EDDA_FLAG_ELSEWHERE) && !pending->delivered) {
        return true;
    }
    int64_t since_ms = pending->since_ms > service->gone_ms ? pending->since_ms : service->gone_ms;
    return pending->deadline_ms - core->now_ms <= (core->now_ms - since_ms) / 2;
}

static void fail_unserved(struct edda_core *core, uint32_t *budget) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        struct edda_service *service = &core->services[i];
        if (service->queue.count == 0 || service->ready_count > 0) {
            continue;
        }
        bool gone = edda_service_is_gone(core, service);
        for (uint32_t slot = 0; slot < core->slot_high && *budget != 0; slot++) {
            struct edda_pending *pending = edda_pending_at(core, slot);
            if (pending->state == EDDA_PENDING_QUEUED && edda_pending_service(pending) == service &&
                (gone || has_waited(core, service, pending))) {
                --*budget;
                edda_flow_unserved(core, pending);
            }
        }
    }
}

static void tick(struct edda_core *core) {
    uint32_t budget = EDDA_CORE_TICK_BUDGET;
    edda_peers_tick(core, &budget);
    sweep_requests(core, &budget);
    fail_unserved(core, &budget);
    edda_ended_expire(core);
    edda_ingress_tick(core);
    edda_service_mark(core);
}

static void begin_drain(struct edda_core *core) {
    if (!core->draining) {
        core->draining = true;
        edda_peers_tell_all(core, EDDA_DRAIN);
    }
}

static void finish_drain(struct edda_core *core) {
    if (core->draining && !core->drained && core->queued + core->running == 0) {
        core->drained = true;
        edda_peers_tell_all(core, EDDA_BYE);
        edda_emit_drained(core);
    }
}

static void check_balance(const struct edda_core *core) {
    uint64_t ended = 0;
    for (size_t i = 0; i < EDDA_END_COUNT; i++) {
        ended += core->counters.ended[i];
    }
    EDDA_ASSERT(core->counters.admitted == ended + core->queued + core->running);
    EDDA_ASSERT(core->queued + core->running == core->pending_table.count);
}

void edda_core_step(edda_core_t *self, const struct edda_event *event, int64_t now_ms,
                    struct edda_actions *actions) {
    EDDA_ASSERT(now_ms >= self->now_ms);
    actions->count = 0;
    self->actions = actions;
    self->now_ms = now_ms;
    edda_peers_bury(self);
    switch (event->kind) {
    case EDDA_EVENT_MESSAGE:
        receive_message(self, event);
        break;
    case EDDA_EVENT_MALFORMED:
        receive_malformed(self, event);
        break;
    case EDDA_EVENT_UNSENT:
        edda_result_unsent(self, edda_peers_find(self, event->peer), &event->message->envelope);
        break;
    case EDDA_EVENT_UNREACHABLE:
    case EDDA_EVENT_FULL:
        lose_peer(self, event->peer, event->kind == EDDA_EVENT_FULL);
        break;
    case EDDA_EVENT_DOUBT:
        self->doubted = true;
        break;
    case EDDA_EVENT_TICK:
        tick(self);
        break;
    case EDDA_EVENT_DRAIN:
        begin_drain(self);
        break;
    case EDDA_EVENT_ACCESS:
        edda_access_review(self, event->authorized);
        break;
    }
    edda_pick_all(self);
    finish_drain(self);
    check_balance(self);
    self->actions = NULL;
}

const struct edda_counters *edda_core_counters(const edda_core_t *self) {
    return &self->counters;
}

void edda_core_status(edda_core_t *self, int64_t now_ms, struct edda_broker_status *ret_status) {
    self->now_ms = now_ms > self->now_ms ? now_ms : self->now_ms;
    edda_status_fill(self, ret_status);
}
