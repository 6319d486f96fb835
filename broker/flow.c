/* broker/flow.c: state table 3 from the first QUEUED to ENDED. */
#include "broker/flow.h"

#include "broker/emit.h"
#include "broker/ended.h"
#include "broker/ingress.h"
#include "broker/pending.h"
#include "broker/pick.h"
#include "broker/service.h"

bool edda_flow_skippable(const struct edda_pending_step *step) {
    const struct edda_op *known = step->op->known;
    return step->on_error == EDDA_ON_ERROR_SKIP && (!known || known->input == known->output);
}

static void send_terminal(struct edda_core *core, struct edda_pending *pending,
                          const struct edda_wire_error *error) {
    struct edda_peer *peer = pending->client->peer;
    if (!peer) {
        return; /* the kept reply waits for it */
    }
    struct edda_action *action = edda_emit_send(core, peer, error ? EDDA_FAIL : EDDA_RESP);
    struct edda_envelope *envelope = &action->message.envelope;
    envelope->id = pending->id;
    for (uint8_t i = 0; i < pending->step_count; i++) {
        if (pending->skipped & (1u << i)) {
            envelope->degraded[envelope->degraded_count++] =
                edda_op_entry_name(pending->steps[i].op);
        }
    }
    if (error) {
        envelope->error = *error;
        envelope->step = pending->step;
    } else {
        envelope->sequence = pending->sequence;
        edda_emit_body(action, &pending->input);
    }
}

void edda_flow_detach(struct edda_core *core, struct edda_pending *pending) {
    struct edda_peer *worker = pending->worker;
    EDDA_ASSERT(pending->state == EDDA_PENDING_RUNNING && worker);
    edda_list_remove(&worker->running, &pending->link);
    worker->solo = false; /* a solo job is the only one there */
    pending->worker = NULL;
    edda_service_touch_all_of(core, worker);
}

/* The last door: out of its lists, terminal sent and kept, record freed. error NULL: RESP. */
static void end(struct edda_core *core, struct edda_pending *pending, enum edda_end how,
                const struct edda_wire_error *error) {
    if (pending->state == EDDA_PENDING_QUEUED) {
        if (pending->link.next) {
            edda_queue_remove(core, pending);
        }
    } else if (pending->worker) {
        struct edda_peer *worker = pending->worker;
        edda_flow_detach(core, pending);
        edda_emit_send(core, worker, EDDA_CANCEL)->message.envelope.id = pending->id;
    }
    core->counters.ended[how]++;
    edda_pending_enter(core, pending, EDDA_PENDING_FREE);
    edda_list_remove(&pending->client->open, &pending->client_link);
    edda_ingress_settle(core, pending);
    if (how != EDDA_END_CANCELLED) {
        send_terminal(core, pending, error);
        edda_ended_keep(core, pending, error);
    }
    edda_pending_free(core, pending);
}

static void end_failed(struct edda_core *core, struct edda_pending *pending,
                       const struct edda_wire_error *error) {
    end(core, pending, error->code == EDDA_E_EXPIRED ? EDDA_END_EXPIRED : EDDA_END_FAILED, error);
}

void edda_flow_fail(struct edda_core *core, struct edda_pending *pending, int code,
                    uint32_t retry_after_ms) {
    const struct edda_wire_error error = {
        .code = code,
        .blame = pending->deaths > 0 ? EDDA_BLAME_WORKER : EDDA_BLAME_OUTSIDE,
        .retry_after_ms = retry_after_ms,
        .text = edda_text_of(edda_error_text(code)),
    };
    end_failed(core, pending, &error);
}

static void skip_step(struct edda_core *core, struct edda_pending *pending) {
    core->counters.skipped++;
    pending->skipped |= (uint8_t)(1u << pending->step);
    edda_flow_advance(core, pending);
}

void edda_flow_enter(struct edda_core *core, struct edda_pending *pending, enum edda_place place) {
    struct edda_pending_step *step = edda_pending_step(pending);
    if (!step->op->service) {
        /* It may have come since. */
        (void)edda_service_op(core, edda_op_entry_name(step->op), false);
    }
    struct edda_service *service = step->op->service;
    if ((!service || service->ready_count == 0) && edda_flow_skippable(step)) {
        skip_step(core, pending);
        return;
    }
    if (pending->deadline_ms <= core->now_ms) {
        edda_flow_fail(core, pending, EDDA_E_EXPIRED, 0);
        return;
    }
    EDDA_ASSERT(service);
    if (place != EDDA_PLACE_HEAD) {
        edda_budget_earn(&service->budget);
    }
    if (pending->state != EDDA_PENDING_QUEUED) {
        edda_pending_enter(core, pending, EDDA_PENDING_QUEUED);
    }
    if (service->queue.count == 0 && edda_pick_now(core, pending)) {
        return;
    }
    edda_queue_push(core, pending, place);
    edda_service_touch(core, service);
}

void edda_flow_advance(struct edda_core *core, struct edda_pending *pending) {
    edda_pending_drop(core, pending, &edda_pending_step(pending)->arguments);
    if (pending->step + 1 == pending->step_count) {
        if (pending->state == EDDA_PENDING_FREE) {
            edda_pending_enter(core, pending, EDDA_PENDING_QUEUED);
        }
        end(core, pending, EDDA_END_DONE, NULL);
        return;
    }
    if (pending->state == EDDA_PENDING_RUNNING) {
        /* The count of running steps is per service: leave this one's before moving on. */
        edda_pending_enter(core, pending, EDDA_PENDING_QUEUED);
    }
    pending->step++;
    pending->attempt = 0;
    pending->avoids = false;
    pending->returned = false;
    pending->solo = (pending->flags & EDDA_FLAG_SOLO) != 0;
    edda_flow_enter(core, pending, EDDA_PLACE_BEGUN);
}

static void requeue(struct edda_core *core, struct edda_pending *pending,
                    const struct edda_uuid *avoid, enum edda_requeue why) {
    struct edda_service *service = edda_pending_service(pending);
    service->requeued++;
    core->counters.requeued[why]++;
    if (avoid) {
        pending->avoids = true;
        pending->returned = why == EDDA_REQUEUE_RETURNED;
        pending->avoid = *avoid;
    }
    edda_pending_enter(core, pending, EDDA_PENDING_QUEUED);
    edda_flow_enter(core, pending, EDDA_PLACE_HEAD);
}

static bool may_retry(const struct edda_core *core, const struct edda_pending *pending) {
    return pending->retries > 0 && !pending->delivered && pending->deadline_ms > core->now_ms;
}

/* A service that fails much is not asked still more often. The work of a worker that died is not
 * counted: it is a window at most, once, and deaths have their own bound. */
static bool affords(struct edda_core *core, const struct edda_pending *pending) {
    bool paid = edda_budget_spend(&edda_pending_service(pending)->budget, core->now_ms);
    core->counters.unretried += paid ? 0 : 1;
    return paid;
}

/* Not retried: skip where the route allows, else FAIL; broken where parts were delivered. */
static void give_up(struct edda_core *core, struct edda_pending *pending,
                    const struct edda_wire_error *error) {
    if (pending->delivered) {
        struct edda_wire_error broken = *error;
        broken.code = EDDA_E_STREAM_BROKEN;
        end_failed(core, pending, &broken);
    } else if (edda_flow_skippable(edda_pending_step(pending))) {
        skip_step(core, pending);
    } else {
        end_failed(core, pending, error);
    }
}

void edda_flow_failed(struct edda_core *core, struct edda_pending *pending,
                      const struct edda_uuid *worker, const struct edda_wire_error *error) {
    edda_pending_service(pending)->failed++;
    if (error->blame == EDDA_BLAME_WORKER && may_retry(core, pending) && affords(core, pending)) {
        pending->retries--;
        requeue(core, pending, worker, EDDA_REQUEUE_FAILED);
    } else {
        give_up(core, pending, error);
    }
}

void edda_flow_returned(struct edda_core *core, struct edda_pending *pending,
                        const struct edda_uuid *worker) {
    if (pending->delivered) { /* it was started after all */
        edda_flow_fail(core, pending, EDDA_E_STREAM_BROKEN, 0);
        return;
    }
    requeue(core, pending, worker, EDDA_REQUEUE_RETURNED);
}

static void give_up_with(struct edda_core *core, struct edda_pending *pending, int code) {
    const struct edda_wire_error error = {
        .code = code,
        .blame = EDDA_BLAME_WORKER,
        .text = edda_text_of(edda_error_text(code)),
    };
    edda_pending_service(pending)->failed++;
    give_up(core, pending, &error);
}

void edda_flow_lost(struct edda_core *core, struct edda_pending *pending, enum edda_loss loss) {
    const struct edda_uuid node = pending->worker->node;
    edda_flow_detach(core, pending);
    /* It cannot have killed a worker that it never reached. */
    bool blameless = loss == EDDA_LOSS_ORDERLY || pending->unsent;
    if (blameless && !pending->delivered) {
        pending->attempt--;
        requeue(core, pending, NULL, EDDA_REQUEUE_RETURNED);
        return;
    }
    if (loss == EDDA_LOSS_DEATH) {
        pending->deaths++;
    }
    if (!may_retry(core, pending) || pending->deaths >= EDDA_DEATHS) {
        give_up_with(core, pending, EDDA_E_WORKER_DIED);
        return;
    }
    pending->retries--;
    pending->solo = pending->solo || loss == EDDA_LOSS_DEATH;
    requeue(core, pending, &node,
            loss == EDDA_LOSS_DEATH ? EDDA_REQUEUE_DIED : EDDA_REQUEUE_FAILED);
}

void edda_flow_overdue(struct edda_core *core, struct edda_pending *pending) {
    if (core->now_ms >= pending->deadline_ms) {
        edda_flow_fail(core, pending, EDDA_E_EXPIRED, 0);
        return;
    }
    struct edda_peer *worker = pending->worker;
    edda_flow_detach(core, pending);
    edda_emit_send(core, worker, EDDA_CANCEL)->message.envelope.id = pending->id;
    /* A retry that could use up all the time left would keep the requester from helping itself. */
    bool fits = pending->deadline_ms - core->now_ms > edda_pending_step(pending)->budget_ms;
    if (fits && may_retry(core, pending) && affords(core, pending)) {
        pending->retries--;
        requeue(core, pending, &worker->node, EDDA_REQUEUE_TIMEOUT);
    } else {
        give_up_with(core, pending, EDDA_E_TIMEOUT);
    }
}

void edda_flow_cancel(struct edda_core *core, struct edda_pending *pending) {
    end(core, pending, EDDA_END_CANCELLED, NULL);
}

void edda_flow_unserved(struct edda_core *core, struct edda_pending *pending) {
    EDDA_ASSERT(pending->state == EDDA_PENDING_QUEUED);
    if (edda_flow_skippable(edda_pending_step(pending)) && !pending->delivered) {
        edda_queue_remove(core, pending);
        skip_step(core, pending);
    } else {
        edda_flow_fail(core, pending, EDDA_E_NO_SERVICE, 2000);
    }
}
