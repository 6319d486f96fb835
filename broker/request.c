/* broker/request.c: admission. */
#include "broker/request.h"

#include "broker/access.h"
#include "broker/emit.h"
#include "broker/ended.h"
#include "broker/flow.h"
#include "broker/ingress.h"
#include "broker/pending.h"
#include "broker/service.h"
#include "broker/status.h"

#define RETRY_NO_SERVICE_MS 2000
#define RETRY_BUSY_MIN_MS   1000
#define RETRY_BUSY_MAX_MS   30000

/* What admission found out before anything is kept. */
struct plan {
    struct edda_op_entry *ops[EDDA_MAX_ROUTE];
    struct edda_service *first; /* NULL: no worker ever offered it */
    uint64_t bytes;             /* of all bodies */
    uint32_t retry_after_ms;
    uint8_t step; /* that is the reason of a refusal */
};

static void refuse(struct edda_core *core, struct edda_peer *peer, const struct edda_uuid *id,
                   int code, const struct plan *plan) {
    uint32_t wire = (uint32_t)-code;
    core->counters.refused[wire < EDDA_CORE_CODES ? wire : 0]++;
    struct edda_action *action = edda_emit_send(core, peer, EDDA_FAIL);
    action->message.envelope.id = *id;
    action->message.envelope.step = plan->step;
    action->message.envelope.error = (struct edda_wire_error){
        .code = code,
        .blame = EDDA_BLAME_OUTSIDE,
        .retry_after_ms = plan->retry_after_ms,
        .text = edda_text_of(edda_error_text(code)),
    };
}

static void answer_status(struct edda_core *core, struct edda_peer *peer,
                          const struct edda_uuid *id) {
    struct edda_action *action = edda_emit_record(core, peer, EDDA_RESP, EDDA_BODY_BROKER_STATUS);
    action->message.envelope.id = *id;
    edda_status_fill(core, &action->record.status);
}

static bool is_status(const struct edda_envelope *envelope) {
    return envelope->route_count == 1 && edda_text_is(envelope->route[0].op, "broker.status");
}

/* True when the id is known: counted, and answered if it has ended. */
static bool is_repeated(struct edda_core *core, struct edda_peer *peer, const struct edda_uuid *id,
                        const struct plan *plan) {
    struct edda_pending *pending = edda_pending_find(core, id);
    if (pending) {
        if (pending->client != peer->client) {
            refuse(core, peer, id, EDDA_E_CONFLICT, plan);
            return true;
        }
        core->counters.repeated++;
        if (plan->first) {
            edda_ingress_charge(pending, peer, plan->first, plan->bytes);
        }
        return true;
    }
    const struct edda_ended *ended = edda_ended_find(core, id, peer->client);
    if (ended) {
        core->counters.repeated++;
        edda_ended_send(core, ended, peer);
    }
    return ended != NULL;
}

/* Who can ask another broker does not wait for a worker to come back to this one. */
static bool is_served(const struct edda_core *core, const struct edda_service *service,
                      const struct edda_envelope *envelope) {
    bool waits = (envelope->flags & EDDA_FLAG_ELSEWHERE) == 0;
    return service && (service->ready_count > 0 || (waits && !edda_service_is_gone(core, service)));
}

/* EDDA_E_NO_SERVICE: nobody does a step that may not be skipped, nor did a moment ago. Ops nobody
 * does are not remembered unless a reply may have to name them. */
static int resolve_route(struct edda_core *core, const struct edda_envelope *envelope,
                         struct plan *plan) {
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        const struct edda_route_step *wanted = &envelope->route[i];
        const struct edda_service *service = edda_service_of(core, wanted->op);
        bool served = is_served(core, service, envelope);
        plan->ops[i] =
            edda_service_op(core, wanted->op, served || wanted->on_error == EDDA_ON_ERROR_SKIP);
        if (!served) {
            const struct edda_pending_step step = {plan->ops[i], 0, wanted->on_error, {0}};
            if (!plan->ops[i] || !edda_flow_skippable(&step)) {
                plan->retry_after_ms = RETRY_NO_SERVICE_MS;
                plan->step = i;
                return EDDA_E_NO_SERVICE;
            }
        }
        if (!plan->ops[i]) {
            return EDDA_E_LIMIT;
        }
    }
    return 0;
}

static int check_types(const struct edda_message *message, const struct plan *plan) {
    const struct edda_envelope *envelope = &message->envelope;
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        const struct edda_op *op = plan->ops[i]->known;
        const struct edda_op *previous = i > 0 ? plan->ops[i - 1]->known : NULL;
        if (!op) {
            continue;
        }
        uint8_t index = envelope->route[i].arguments;
        uint16_t type = index == EDDA_NO_ARGUMENTS ? 0 : edda_message_body_type(message, index);
        bool nothing = type == 0 && op->arguments == EDDA_BODY_EMPTY;
        if (type != op->arguments && !nothing) {
            return EDDA_E_TYPE;
        }
        if (i == 0 ? op->input != EDDA_BODY_NONE : previous && op->input != previous->output) {
            return EDDA_E_TYPE;
        }
    }
    return 0;
}

static uint32_t between_busy(uint64_t wait_ms) {
    return wait_ms < RETRY_BUSY_MIN_MS   ? RETRY_BUSY_MIN_MS
           : wait_ms > RETRY_BUSY_MAX_MS ? RETRY_BUSY_MAX_MS
                                         : (uint32_t)wait_ms;
}

static int check_room(const struct edda_core *core, const struct edda_envelope *envelope,
                      struct plan *plan) {
    bool full = core->queued + core->running >= EDDA_MAX_PENDING ||
                core->pending_bytes + plan->bytes > EDDA_MAX_PENDING_BYTES;
    if (plan->first &&
        (full || !edda_queue_has_room(&plan->first->queue, edda_band_of(envelope->priority),
                                      plan->bytes))) {
        plan->retry_after_ms = between_busy(edda_service_wait_ms(plan->first));
        return EDDA_E_BUSY;
    }
    return full ? EDDA_E_BUSY : 0;
}

/* What would expire in the queues is refused while it still has the time to go elsewhere. Steps
 * that may be skipped are not counted: waiting for them fails nothing. */
static int check_time(const struct edda_envelope *envelope, struct plan *plan) {
    uint64_t wait_ms = 0;
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        const struct edda_service *service = plan->ops[i]->service;
        if (service && envelope->route[i].on_error != EDDA_ON_ERROR_SKIP) {
            wait_ms += edda_service_wait_of(service, edda_band_of(envelope->priority));
        }
    }
    if (wait_ms < envelope->ttl_ms) {
        return 0;
    }
    plan->retry_after_ms = between_busy(wait_ms);
    return EDDA_E_BUSY;
}

static int examine(struct edda_core *core, struct edda_peer *peer,
                   const struct edda_message *message, struct plan *plan) {
    const struct edda_envelope *envelope = &message->envelope;
    if (core->draining) {
        return EDDA_E_DRAINING;
    }
    int result = resolve_route(core, envelope, plan);
    if (result == 0) {
        result = check_types(message, plan);
    }
    if (result == 0 && envelope->ttl_ms == 0) {
        result = EDDA_E_EXPIRED;
    }
    if (result == 0) {
        result = check_room(core, envelope, plan); /* says more than CREDIT: when to come again */
    }
    if (result == 0) {
        result = check_time(envelope, plan);
    }
    if (result == 0 && plan->first && plan->first->ready_count > 0 &&
        !edda_ingress_allows(peer, plan->first)) {
        result = EDDA_E_CREDIT;
    }
    return result;
}

/* Bodies named by two steps would have two owners: only the first may have it. */
static bool shares_bodies(const struct edda_envelope *envelope) {
    uint32_t seen = 0;
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        uint8_t index = envelope->route[i].arguments;
        if (index == EDDA_NO_ARGUMENTS) {
            continue;
        }
        if (seen & (1u << index)) {
            return true;
        }
        seen |= 1u << index;
    }
    return false;
}

static void admit(struct edda_core *core, struct edda_peer *peer, const struct edda_event *event,
                  const struct plan *plan) {
    const struct edda_envelope *envelope = &event->message->envelope;
    struct edda_pending *pending = edda_pending_new(core, envelope);
    if (!pending) {
        const struct plan full = {.retry_after_ms = RETRY_BUSY_MIN_MS};
        refuse(core, peer, &envelope->id, EDDA_E_BUSY, &full);
        return;
    }
    pending->step_count = envelope->route_count;
    pending->client = peer->client;
    pending->deadline_ms = core->now_ms + envelope->ttl_ms;
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        const struct edda_route_step *step = &envelope->route[i];
        uint32_t default_ms =
            plan->ops[i]->known ? plan->ops[i]->known->budget_ms : EDDA_DEFAULT_BUDGET_MS;
        pending->steps[i] = (struct edda_pending_step){
            .op = plan->ops[i],
            .budget_ms = step->budget_ms ? step->budget_ms : default_ms,
            .on_error = step->on_error,
        };
        if (step->arguments != EDDA_NO_ARGUMENTS) {
            edda_pending_hold(core, pending, &pending->steps[i].arguments, event, step->arguments);
        }
    }
    core->counters.admitted++;
    edda_list_push_back(&peer->client->open, &pending->client_link);
    if (plan->first) {
        edda_ingress_charge(pending, peer, plan->first, plan->bytes);
    }
    edda_flow_enter(core, pending, EDDA_PLACE_FRESH);
}

void edda_request_receive(struct edda_core *core, struct edda_peer *peer,
                          const struct edda_event *event) {
    const struct edda_envelope *envelope = &event->message->envelope;
    struct plan plan = {0};
    bool denied = !edda_access_asks(peer, event->permit, envelope, &plan.step);
    if (is_status(envelope) && !denied) {
        answer_status(core, peer, &envelope->id);
        return;
    }
    for (uint8_t i = 0; i < envelope->body_count; i++) {
        plan.bytes += envelope->bodies[i].bytes;
    }
    plan.first = edda_service_of(core, envelope->route[0].op);
    if (plan.first) {
        edda_ingress_received(peer, plan.first, plan.bytes);
    }
    if (!is_repeated(core, peer, &envelope->id, &plan)) {
        int result = denied                    ? EDDA_E_DENIED
                     : shares_bodies(envelope) ? EDDA_E_INVALID
                                               : examine(core, peer, event->message, &plan);
        if (result == 0) {
            admit(core, peer, event, &plan);
        } else {
            refuse(core, peer, &envelope->id, result, &plan);
        }
    }
    if (plan.first) {
        edda_ingress_grant(core, peer, plan.first, false);
    }
}

static struct edda_pending *find_own(struct edda_core *core, const struct edda_peer *peer,
                                     const struct edda_uuid *id) {
    struct edda_pending *pending = edda_pending_find(core, id);
    if (!pending || pending->client != peer->client) {
        core->counters.dropped++;
        return NULL;
    }
    return pending;
}

void edda_request_cancel(struct edda_core *core, struct edda_peer *peer,
                         const struct edda_uuid *id) {
    struct edda_pending *pending = find_own(core, peer, id);
    if (pending) {
        edda_flow_cancel(core, pending);
    }
}

void edda_request_stream_credit(struct edda_core *core, struct edda_peer *peer,
                                const struct edda_uuid *id, uint64_t messages, uint64_t bytes) {
    struct edda_pending *pending = find_own(core, peer, id);
    if (!pending || !edda_credit_grant(&pending->stream, messages, bytes)) {
        return;
    }
    if (pending->state == EDDA_PENDING_RUNNING) {
        struct edda_action *action =
            edda_emit_record(core, pending->worker, EDDA_CREDIT, EDDA_BODY_CREDIT);
        action->message.envelope.id = *id;
        action->record.credit.messages = pending->stream.granted_messages;
        action->record.credit.bytes = pending->stream.granted_bytes;
    }
}
