/* actors/runtime/client_dispatch.c: chooses brokers by credit and load, takes their replies, and
 * sends again what a lost session left without an answer. */
#include "actors/runtime/client_state.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/buggify.h"
#include "proto/error.h"

/* A broker grants right after WELCOME; until its grants are here a call waits for them. */
#define GRANT_WAIT_MS 100

enum verdict {
    VERDICT_OUT,       /* not a candidate */
    VERDICT_SEND,      /* has credit */
    VERDICT_TRY,       /* has never granted for this service: it will say no_service */
    VERDICT_SOON,      /* its grants are on their way */
    VERDICT_EXHAUSTED, /* granted, and all spent */
};

int edda_client_service(struct edda_client *client, struct edda_text name) {
    for (size_t i = 0; i < client->service_count; i++) {
        if (edda_text_is(name, client->services[i])) {
            return (int)i;
        }
    }
    if (client->service_count == EDDA_CLIENT_SERVICES || name.size > EDDA_MAX_NAME) {
        return -1;
    }
    char *copy = client->services[client->service_count];
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    return (int)client->service_count++;
}

static uint32_t bit_of(const struct edda_client_broker *broker) {
    return UINT32_C(1) << (broker - broker->client->brokers);
}

static bool is_candidate(const struct edda_client_broker *broker, const struct edda_call *call) {
    return edda_link_live(&broker->link) && !(call->without & bit_of(broker));
}

static enum verdict judge_broker(const struct edda_client_broker *broker,
                                 const struct edda_call *call, int64_t now_ms) {
    if (!is_candidate(broker, call) || broker->blocked) {
        return VERDICT_OUT;
    }
    if (call->service < 0) {
        return VERDICT_TRY;
    }
    const struct edda_service_credit *service = &broker->services[call->service];
    if (service->known) {
        return edda_credit_allows(&service->credit, call->bytes) ? VERDICT_SEND : VERDICT_EXHAUSTED;
    }
    bool young = now_ms - broker->link.session.since_ms < GRANT_WAIT_MS;
    return young ? VERDICT_SOON : VERDICT_TRY;
}

/* The better of two at random: no herd, and no scan for the best. */
static struct edda_client_broker *pick_one(struct edda_client_broker **candidates, size_t count) {
    if (count < 2) {
        return count ? candidates[0] : NULL;
    }
    size_t first = edda_random32() % count;
    size_t second = (first + 1 + edda_random32() % (count - 1)) % count;
    bool better = candidates[first]->sent.count <= candidates[second]->sent.count;
    return better != EDDA_BUGGIFY("worse_broker") ? candidates[first] : candidates[second];
}

/* Returns the broker, or NULL with *ret_busy true when all live ones are out of credit. */
static struct edda_client_broker *choose_broker(struct edda_client *client,
                                                const struct edda_call *call, bool *ret_busy) {
    struct edda_client_broker *sure[EDDA_CLIENT_MAX_BROKERS];
    struct edda_client_broker *unsure[EDDA_CLIENT_MAX_BROKERS];
    size_t sure_count = 0;
    size_t unsure_count = 0;
    bool soon = false;
    bool exhausted = false;
    int64_t now_ms = edda_loop_now(client->loop);
    for (size_t i = 0; i < client->broker_count; i++) {
        struct edda_client_broker *broker = &client->brokers[i];
        if (call->pinned >= 0 && (size_t)call->pinned != i) {
            continue;
        }
        switch (judge_broker(broker, call, now_ms)) {
        case VERDICT_SEND:
            sure[sure_count++] = broker;
            break;
        case VERDICT_TRY:
            unsure[unsure_count++] = broker;
            break;
        case VERDICT_SOON:
            soon = true;
            break;
        case VERDICT_EXHAUSTED:
            exhausted = true;
            break;
        case VERDICT_OUT:
            break;
        }
    }
    *ret_busy = false;
    if (sure_count || soon) {
        return pick_one(sure, sure_count);
    }
    *ret_busy = exhausted;
    return exhausted ? NULL : pick_one(unsure, unsure_count);
}

static void tell_stream_credit(struct edda_client_broker *broker, struct edda_call *call) {
    struct edda_credit_grant grant = {.messages = call->granted_messages,
                                      .bytes = call->granted_bytes};
    edda_link_tell(&broker->link, EDDA_CREDIT, &call->message.envelope.id, EDDA_BODY_CREDIT,
                   &grant);
}

/* Whether another broker may be asked when this one has no worker for it. */
static bool has_other(const struct edda_client_broker *broker, const struct edda_call *call) {
    const struct edda_client *client = broker->client;
    bool found = false;
    for (size_t i = 0; i < client->broker_count; i++) {
        const struct edda_client_broker *other = &client->brokers[i];
        found |= other != broker && is_candidate(other, call);
    }
    return found && call->pinned < 0 && call->next_part == 0;
}

/* False when the socket takes nothing now. */
static bool send_call(struct edda_client_broker *broker, struct edda_call *call) {
    struct edda_envelope *envelope = &call->message.envelope;
    zmq_msg_t *bodies[EDDA_MAX_BODIES];
    int64_t left_ms = call->deadline_ms - edda_loop_now(broker->client->loop);
    envelope->ttl_ms = left_ms > 0 ? (uint32_t)left_ms : 1;
    envelope->flags &= (uint16_t)~EDDA_FLAG_ELSEWHERE;
    envelope->flags |= has_other(broker, call) ? EDDA_FLAG_ELSEWHERE : 0;
    for (size_t i = 0; i < envelope->body_count; i++) {
        bodies[i] = &call->bodies[i];
    }
    if (EDDA_BUGGIFY("call_unsent") ||
        edda_link_send(&broker->link, &call->message, bodies, envelope->body_count) != 0) {
        broker->blocked = true;
        return false;
    }
    /* What is tried without a grant is not counted against the grants that come: the broker, too,
     * begins to count with its first. */
    if (call->service >= 0 && broker->services[call->service].known) {
        edda_credit_spend(&broker->services[call->service].credit, call->bytes);
    }
    if (call->sends++ > 0) {
        edda_cell_add(broker->client->resent_cell, 1);
    }
    call->broker = (int)(broker - broker->client->brokers);
    edda_call_list_append(&broker->sent, call);
    if (call->granted_messages > 0) {
        tell_stream_credit(broker, call);
    }
    return true;
}

static void wait_for_broker(struct edda_client *client, struct edda_call *call) {
    call->broker = -1;
    call->waiting_ms = edda_loop_now(client->loop);
    edda_call_list_append(&client->waiting, call);
}

int edda_client_dispatch(struct edda_client *client, struct edda_call *call) {
    bool busy = false;
    struct edda_client_broker *broker;
    while ((broker = choose_broker(client, call, &busy)) != NULL) {
        if (send_call(broker, call)) {
            return 0;
        }
    }
    if (busy) {
        return EDDA_E_BUSY;
    }
    wait_for_broker(client, call);
    return 0;
}

void edda_client_dispatch_waiting(struct edda_client *client) {
    struct edda_call *next;
    for (struct edda_call *call = client->waiting.first; call; call = next) {
        next = call->next;
        bool busy = false;
        struct edda_client_broker *broker = choose_broker(client, call, &busy);
        if (!broker) {
            continue;
        }
        edda_call_list_remove(call);
        if (!send_call(broker, call)) {
            edda_call_list_append(&client->waiting, call); /* keeps its waiting_ms */
        }
    }
}

static void note_change(struct edda_client *client) {
    if (client->on_change) {
        client->on_change(client->context);
    }
}

static void on_ready(void *owner, struct edda_link *link) {
    struct edda_client_broker *broker = owner;
    (void)link;
    memset(broker->services, 0, sizeof broker->services);
    broker->blocked = false;
    edda_client_dispatch_waiting(broker->client);
    note_change(broker->client);
}

/* The calls of a lost session have no answer: after a first PART that is the end, else they are
 * sent again with the same id. */
static void on_lost(void *owner, struct edda_link *link) {
    struct edda_client_broker *broker = owner;
    struct edda_client *client = broker->client;
    (void)link;
    while (broker->sent.first) {
        struct edda_call *call = broker->sent.first;
        edda_call_list_remove(call);
        if (call->next_part > 0) {
            call->error = EDDA_E_STREAM_BROKEN;
            edda_call_list_append(&client->ending, call);
        } else {
            call->without = 0; /* workers may have joined meanwhile */
            wait_for_broker(client, call);
        }
    }
    edda_client_dispatch_waiting(client);
    edda_call_end_all(client);
    note_change(client);
}

static void on_going(void *owner, struct edda_link *link) {
    struct edda_client_broker *broker = owner;
    (void)link;
    note_change(broker->client);
}

static void on_ended(void *owner, struct edda_link *link) {
    struct edda_client_broker *broker = owner;
    struct edda_client *client = broker->client;
    (void)link;
    broker->blocked = false;
    if (client->changed) {
        client->changed = false;
        edda_client_dispatch_waiting(client);
        note_change(client);
    }
}

static void take_credit(struct edda_client_broker *broker, struct edda_wire *wire) {
    struct edda_credit_grant grant;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    int error = edda_body_decode(EDDA_BODY_CREDIT, wire->message.bodies[0], &arena, &grant);
    edda_arena_done(&arena);
    int index = error ? -1 : edda_client_service(broker->client, grant.service);
    if (index < 0) {
        edda_metric_add(EDDA_METRIC_DROPPED, "credit", 1);
        return;
    }
    struct edda_service_credit *service = &broker->services[index];
    bool first = !service->known;
    service->known = true;
    if (edda_credit_grant(&service->credit, grant.messages, grant.bytes) || first) {
        broker->client->changed = true;
    }
}

static void take_response(struct edda_client *client, struct edda_call *call,
                          struct edda_wire *wire) {
    const struct edda_envelope *envelope = &wire->message.envelope;
    if (envelope->sequence > call->next_part) {
        /* The others went to a session that was lost: the end alone would be a silent gap. */
        edda_call_fail(client, call, EDDA_E_STREAM_BROKEN);
        return;
    }
    struct edda_reply reply = {
        .type = edda_message_body_type(&wire->message, 0),
        .body = wire->message.bodies[0],
        .degraded = envelope->degraded,
        .degraded_count = envelope->degraded_count,
    };
    edda_call_answer(client, call, &reply);
}

/* Whether another broker is to be asked instead. A call that was on its way when the broker began
 * to drain was never run there. What one broker's workers do not offer those of another may: they
 * join a broker that was just started one by one, and a partition keeps them from it. */
static bool goes_elsewhere(struct edda_client_broker *broker, struct edda_call *call,
                           const struct edda_wire_error *error) {
    struct edda_client *client = broker->client;
    if (call->next_part > 0 || call->pinned >= 0 || client->broker_count < 2) {
        return false;
    }
    if (error->code == EDDA_E_DRAINING) {
        edda_link_going(&broker->link);
        return true;
    }
    if (error->code != EDDA_E_NO_SERVICE || !has_other(broker, call)) {
        return false;
    }
    if (error->blame == EDDA_BLAME_WORKER) { /* its last one died of this call, maybe */
        struct edda_envelope *envelope = &call->message.envelope;
        envelope->flags |= EDDA_FLAG_SOLO;
        envelope->retries = envelope->retries > 0 ? (uint8_t)(envelope->retries - 1) : 0;
    }
    call->without |= bit_of(broker);
    return true;
}

static void take_failure(struct edda_client_broker *broker, struct edda_call *call,
                         struct edda_wire *wire) {
    const struct edda_envelope *envelope = &wire->message.envelope;
    struct edda_client *client = broker->client;
    if (goes_elsewhere(broker, call, &envelope->error)) {
        edda_call_list_remove(call);
        wait_for_broker(client, call);
        client->changed = true;
        return;
    }
    struct edda_reply reply = {
        .error = envelope->error.code,
        .detail = envelope->error,
        .step = envelope->step,
        .degraded = envelope->degraded,
        .degraded_count = envelope->degraded_count,
    };
    if (reply.error == EDDA_E_CREDIT) {
        /* We tried without a grant: to whoever asked, that is a full service. */
        reply.error = EDDA_E_BUSY;
        reply.detail.code = EDDA_E_BUSY;
    }
    if (reply.detail.text.size == 0) {
        reply.detail.text = edda_text_of(edda_error_text(reply.error));
    }
    edda_call_answer(client, call, &reply);
}

static void take_part(struct edda_client_broker *broker, struct edda_call *call,
                      struct edda_wire *wire) {
    uint32_t sequence = wire->message.envelope.sequence;
    if (sequence < call->next_part) {
        edda_metric_add(EDDA_METRIC_DROPPED, "repeated_part", 1);
        return;
    }
    if (sequence > call->next_part) {
        edda_link_tell(&broker->link, EDDA_CANCEL, &call->message.envelope.id, 0, NULL);
        edda_call_fail(broker->client, call, EDDA_E_STREAM_BROKEN);
        return;
    }
    call->next_part++;
    if (call->on_part) {
        call->on_part(call->context, sequence, edda_message_body_type(&wire->message, 0),
                      wire->message.bodies[0]);
    }
}

static void on_message(void *owner, struct edda_link *link, struct edda_wire *wire) {
    struct edda_client_broker *broker = owner;
    struct edda_client *client = broker->client;
    (void)link;
    if (wire->message.command == EDDA_CREDIT) {
        take_credit(broker, wire);
        return;
    }
    struct edda_call *call = edda_call_find(client, &wire->message.envelope.id);
    if (!call || call->list != &broker->sent) {
        /* Answered, cancelled, expired or sent elsewhere meanwhile. */
        edda_metric_add(EDDA_METRIC_DROPPED, "unknown_reply", 1);
        return;
    }
    switch (wire->message.command) {
    case EDDA_RESP:
        take_response(client, call, wire);
        break;
    case EDDA_FAIL:
        take_failure(broker, call, wire);
        break;
    case EDDA_PART:
        take_part(broker, call, wire);
        break;
    case EDDA_PROGRESS:
        if (call->on_progress) {
            call->on_progress(call->context, wire->message.envelope.step);
        }
        break;
    default:
        edda_metric_add(EDDA_METRIC_DROPPED, "wrong_command", 1);
    }
}

const struct edda_link_handler edda_client_handler = {
    .message = on_message,
    .ready = on_ready,
    .lost = on_lost,
    .going = on_going,
    .ended = on_ended,
};
