/* broker/result.c: from a worker's message to what flow.h does with it. */
#include "broker/result.h"

#include "broker/emit.h"
#include "broker/flow.h"
#include "broker/pending.h"
#include "broker/service.h"

/* The running step this is about, or NULL when its attempt is over. */
static struct edda_pending *find_running(struct edda_core *core, const struct edda_peer *worker,
                                         const struct edda_envelope *envelope) {
    struct edda_pending *pending = edda_pending_find(core, &envelope->id);
    if (!pending || pending->worker != worker || pending->attempt != envelope->attempt ||
        pending->step != envelope->step) {
        return NULL;
    }
    return pending;
}

static void finish_step(struct edda_core *core, struct edda_pending *pending,
                        struct edda_peer *worker, const struct edda_event *event) {
    struct edda_service *service = edda_pending_service(pending);
    const struct edda_op *known = edda_pending_step(pending)->op->known;
    edda_service_observe(service, worker, core->now_ms - pending->since_ms);
    edda_flow_detach(core, pending);
    if (known && edda_message_body_type(event->message, 0) != known->output) {
        service->failed++;
        edda_flow_fail(core, pending, EDDA_E_TYPE, 0);
        return;
    }
    service->done++;
    edda_pending_drop(core, pending, &pending->input);
    edda_pending_hold(core, pending, &pending->input, event, 0);
    edda_flow_advance(core, pending);
}

static void forward_part(struct edda_core *core, struct edda_pending *pending,
                         const struct edda_event *event) {
    const struct edda_envelope *envelope = &event->message->envelope;
    struct edda_peer *client = pending->client->peer;
    if (!client) {
        /* What it misses now it would see as a gap later. */
        edda_flow_fail(core, pending, EDDA_E_STREAM_BROKEN, 0);
        return;
    }
    const struct edda_body body = {event->bodies[0], envelope->bodies[0].bytes,
                                   envelope->bodies[0].type, envelope->bodies[0].version};
    edda_credit_spend(&pending->stream, body.bytes);
    pending->sequence++;
    pending->delivered = true;
    struct edda_action *action = edda_emit_send(core, client, EDDA_PART);
    action->message.envelope.id = pending->id;
    action->message.envelope.sequence = envelope->sequence;
    edda_emit_body(action, &body);
}

/* A piece is also a sign of life: the step's time starts again. */
static void renew_step(struct edda_core *core, struct edda_pending *pending) {
    pending->step_deadline_ms = core->now_ms + edda_pending_step(pending)->budget_ms;
    edda_pending_due(core, pending);
}

static void receive_part(struct edda_core *core, struct edda_pending *pending,
                         struct edda_peer *worker, const struct edda_event *event) {
    const struct edda_envelope *envelope = &event->message->envelope;
    if (envelope->sequence < pending->sequence) {
        core->counters.dropped++;
    } else if (envelope->sequence > pending->sequence) {
        edda_flow_fail(core, pending, EDDA_E_STREAM_BROKEN, 0);
    } else if (!edda_credit_allows(&pending->stream, envelope->bodies[0].bytes)) {
        edda_peers_gone(core, worker, EDDA_LOSS_FAULT, EDDA_E_CREDIT, EDDA_E_CREDIT);
    } else {
        renew_step(core, pending);
        forward_part(core, pending, event);
    }
}

static void receive_progress(struct edda_core *core, struct edda_pending *pending) {
    renew_step(core, pending);
    if (pending->client->peer) {
        struct edda_action *action = edda_emit_send(core, pending->client->peer, EDDA_PROGRESS);
        action->message.envelope.id = pending->id;
        action->message.envelope.step = pending->step;
        action->message.envelope.op = edda_op_entry_name(edda_pending_step(pending)->op);
    }
}

void edda_result_unsent(struct edda_core *core, const struct edda_peer *worker,
                        const struct edda_envelope *work) {
    struct edda_pending *pending = worker ? find_running(core, worker, work) : NULL;
    if (pending) {
        pending->unsent = true;
    }
}

void edda_result_receive(struct edda_core *core, struct edda_peer *worker,
                         const struct edda_event *event) {
    const struct edda_message *message = event->message;
    struct edda_pending *pending = find_running(core, worker, &message->envelope);
    if (!pending) {
        core->counters.late++;
        return;
    }
    switch (message->command) {
    case EDDA_DONE:
        finish_step(core, pending, worker, event);
        break;
    case EDDA_FAIL:
        edda_flow_detach(core, pending);
        edda_flow_failed(core, pending, &worker->node, &message->envelope.error);
        break;
    case EDDA_RETURN:
        edda_flow_detach(core, pending);
        edda_flow_returned(core, pending, &worker->node);
        break;
    case EDDA_PART:
        receive_part(core, pending, worker, event);
        break;
    case EDDA_PROGRESS:
        receive_progress(core, pending);
        break;
    default:
        EDDA_ASSERT(false && "a result is one of five commands");
    }
}
