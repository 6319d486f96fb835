/* broker/pick.c: choosing workers, sending WORK. */
#include "broker/pick.h"

#include "broker/emit.h"
#include "broker/flow.h"
#include "broker/pending.h"
#include "broker/queue.h"
#include "broker/service.h"

#define RESERVE_ABOVE_WINDOW 2

static bool may_take(const struct edda_peer *worker, const struct edda_service *service,
                     const struct edda_pending *pending) {
    if (worker->state != EDDA_PEER_LIVE || worker->solo ||
        !edda_credit_allows(&worker->credit, edda_pending_step_bytes(pending))) {
        return false;
    }
    if (worker->held && !(pending->solo && worker->held == service)) {
        return false;
    }
    if (pending->solo && worker->running.count > 0) {
        return false;
    }
    if (pending->band != 0 && worker->window > RESERVE_ABOVE_WINDOW &&
        edda_credit_left(&worker->credit) < 2) {
        return false;
    }
    return !pending->avoids || service->ready_count == 1 ||
           !edda_uuid_equal(&pending->avoid, &worker->node);
}

static bool is_better(const struct edda_peer *a, const struct edda_peer *b) {
    uint64_t load_a = (uint64_t)a->running.count * b->window;
    uint64_t load_b = (uint64_t)b->running.count * a->window;
    if (load_a != load_b) {
        return load_a < load_b;
    }
    if (a->step_ms < b->step_ms || a->step_ms > b->step_ms) {
        return a->step_ms < b->step_ms;
    }
    return a->used < b->used;
}

struct edda_peer *edda_pick_worker(const struct edda_service *service,
                                   const struct edda_pending *pending) {
    struct edda_peer *best = NULL;
    for (uint32_t i = 0; i < service->worker_count; i++) {
        struct edda_peer *worker = service->workers[i];
        if (may_take(worker, service, pending) && (!best || is_better(worker, best))) {
            best = worker;
        }
    }
    return best;
}

static void send_stream_credit(struct edda_core *core, struct edda_pending *pending) {
    if (pending->stream.granted_messages == 0) {
        return;
    }
    struct edda_action *action =
        edda_emit_record(core, pending->worker, EDDA_CREDIT, EDDA_BODY_CREDIT);
    action->message.envelope.id = pending->id;
    action->record.credit.messages = pending->stream.granted_messages;
    action->record.credit.bytes = pending->stream.granted_bytes;
}

static void send_work(struct edda_core *core, struct edda_pending *pending,
                      struct edda_peer *worker) {
    struct edda_pending_step *step = edda_pending_step(pending);
    struct edda_action *action = edda_emit_send(core, worker, EDDA_WORK);
    struct edda_envelope *envelope = &action->message.envelope;
    envelope->id = pending->id;
    envelope->attempt = pending->attempt;
    envelope->step = pending->step;
    envelope->op = edda_op_entry_name(step->op);
    envelope->ttl_ms = (uint32_t)(pending->deadline_ms - core->now_ms);
    envelope->traceparent = pending->traceparent;
    envelope->tracestate = pending->tracestate;
    envelope->project = pending->project;
    envelope->priority = pending->priority;
    envelope->idempotency = pending->idempotency;
    envelope->reply_to = pending->client->node;
    envelope->retries = pending->retries;
    envelope->flags = pending->flags | (pending->solo ? EDDA_FLAG_SOLO : 0);
    envelope->fence = pending->fence;
    edda_emit_body(action, &step->arguments);
    edda_emit_body(action, &pending->input);
}

/* What was given back was no attempt. But the worker that gave it back must be able to tell this
 * WORK from the one before, and we its results: a RETURN that comes twice would end both. */
static void count_attempt(struct edda_pending *pending, const struct edda_peer *worker) {
    bool same = edda_uuid_equal(&pending->avoid, &worker->node);
    if ((!pending->returned || same) && pending->attempt < UINT8_MAX) {
        pending->attempt++;
    }
    pending->returned = false;
}

/* The pending is QUEUED and in no list; the worker may take it. */
static void dispatch(struct edda_core *core, struct edda_pending *pending,
                     struct edda_peer *worker) {
    edda_credit_spend(&worker->credit, edda_pending_step_bytes(pending));
    worker->used = ++core->dispatches;
    worker->solo = pending->solo;
    pending->worker = worker;
    count_attempt(pending, worker);
    pending->unsent = false;
    pending->step_deadline_ms = core->now_ms + edda_pending_step(pending)->budget_ms;
    edda_list_push_back(&worker->running, &pending->link);
    edda_pending_enter(core, pending, EDDA_PENDING_RUNNING);
    send_work(core, pending, worker);
    send_stream_credit(core, pending);
}

bool edda_pick_now(struct edda_core *core, struct edda_pending *pending) {
    struct edda_peer *worker = edda_pick_worker(edda_pending_service(pending), pending);
    if (worker) {
        dispatch(core, pending, worker);
    }
    return worker != NULL;
}

/* A queued solo job found no empty worker: keep the least busy one for it. */
static void hold_worker(struct edda_core *core, struct edda_service *service,
                        const struct edda_pending *pending) {
    struct edda_peer *best = NULL;
    for (uint32_t i = 0; !service->held && i < service->worker_count; i++) {
        struct edda_peer *worker = service->workers[i];
        bool avoided = pending->avoids && service->ready_count > 1 &&
                       edda_uuid_equal(&pending->avoid, &worker->node);
        if (worker->state == EDDA_PEER_LIVE && !worker->held && !avoided &&
            (!best || is_better(worker, best))) {
            best = worker;
        }
    }
    if (best) {
        edda_service_hold(core, service, best);
    }
}

static struct edda_pending *find_special(struct edda_core *core, struct edda_service *service,
                                         struct edda_band *band, struct edda_peer **ret_worker) {
    for (struct edda_link *link = edda_list_first(&band->special); link;
         link = edda_list_after(&band->special, link)) {
        struct edda_pending *pending = EDDA_ITEM(link, struct edda_pending, link);
        *ret_worker = edda_pick_worker(service, pending);
        if (*ret_worker) {
            return pending;
        }
        if (pending->solo) {
            hold_worker(core, service, pending);
        }
    }
    return NULL;
}

/* The next pair that can go; NULL when nothing can. */
static struct edda_pending *find_next(struct edda_core *core, struct edda_service *service,
                                      struct edda_peer **ret_worker) {
    uint8_t order[EDDA_BANDS] = {0};
    edda_queue_order(&service->queue, core->now_ms, order);
    for (size_t i = 0; i < EDDA_BANDS; i++) {
        struct edda_band *band = &service->queue.bands[order[i]];
        if (band->count == 0) {
            continue;
        }
        struct edda_pending *pending = find_special(core, service, band, ret_worker);
        if (pending) {
            return pending;
        }
        pending = edda_queue_peek(band);
        if (pending) {
            *ret_worker = edda_pick_worker(service, pending);
            if (*ret_worker) {
                return pending;
            }
        }
    }
    return NULL;
}

static void run_service(struct edda_core *core, struct edda_service *service) {
    while (service->queue.count > 0) {
        struct edda_peer *worker = NULL;
        struct edda_pending *pending = find_next(core, service, &worker);
        if (!pending) {
            return;
        }
        if (pending->deadline_ms <= core->now_ms) {
            edda_flow_fail(core, pending, EDDA_E_EXPIRED, 0);
            continue;
        }
        edda_queue_charge(core, pending);
        edda_queue_remove(core, pending);
        dispatch(core, pending, worker);
    }
}

void edda_pick_all(struct edda_core *core) {
    while (core->dirty != 0) {
        uint32_t index = (uint32_t)__builtin_ctzll(core->dirty);
        core->dirty &= core->dirty - 1;
        run_service(core, &core->services[index]);
    }
}
