/* actors/runtime/client.c: the client's public face: checks, timers, leaving. */
#include "actors/runtime/client.h"

#include <stdlib.h>

#include "actors/runtime/client_state.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"

/* A broker expires a request by itself; its answer is on the way when our clock says so too. */
#define EXPIRY_GRACE_MS 100
#define ENVELOPE_ROOM   8192

static void finish_leaving(struct edda_client *self) {
    if (!self->leaving || self->left || self->open_calls > 0) {
        return;
    }
    self->left = true;
    for (size_t i = 0; i < self->broker_count; i++) {
        edda_link_leave(&self->brokers[i].link);
    }
    edda_loop_timer_cancel(self->loop, &self->tick);
    edda_loop_release(self->loop);
}

/* Moves what is over its time to `ending`, for callbacks may change the list they came from. */
static void sweep_list(struct edda_client *self, struct edda_call_list *list, int64_t now_ms) {
    struct edda_call *next;
    for (struct edda_call *call = list->first; call; call = next) {
        next = call->next;
        bool waiting = list == &self->waiting;
        if (now_ms >= call->deadline_ms + (waiting ? 0 : EXPIRY_GRACE_MS)) {
            call->error = EDDA_E_EXPIRED;
        } else if (waiting && now_ms >= call->waiting_ms + EDDA_CLIENT_WAIT_MS) {
            call->error = edda_client_brokers_live(self) ? EDDA_E_BUSY : EDDA_E_UNAVAILABLE;
        } else {
            continue;
        }
        edda_call_list_remove(call);
        edda_call_list_append(&self->ending, call);
    }
}

void edda_client_arm(struct edda_client *self) {
    int64_t pace_ms = self->open_calls > 0 ? EDDA_LINK_TICK_MS : EDDA_LINK_REST_MS;
    for (size_t i = 0; i < self->broker_count; i++) {
        int64_t link_ms = edda_link_pace(&self->brokers[i].link);
        pace_ms = link_ms < pace_ms ? link_ms : pace_ms;
    }
    int64_t at_ms = edda_loop_now(self->loop) + pace_ms;
    if (!self->left && (!self->tick.index || self->tick.at_ms > at_ms)) {
        edda_loop_timer_set(self->loop, &self->tick, at_ms);
    }
}

static void on_tick(void *context) {
    struct edda_client *self = context;
    int64_t now_ms = edda_loop_now(self->loop);
    for (size_t i = 0; i < self->broker_count; i++) {
        self->brokers[i].blocked = false;
        edda_link_tick(&self->brokers[i].link);
    }
    if (self->waiting.first) {
        edda_client_dispatch_waiting(self);
    }
    sweep_list(self, &self->waiting, now_ms);
    for (size_t i = 0; i < self->broker_count; i++) {
        sweep_list(self, &self->brokers[i].sent, now_ms);
    }
    edda_call_end_all(self);
    edda_client_arm(self);
    finish_leaving(self);
}

static void copy_name(char *out, size_t capacity, const char *name) {
    size_t size = name ? strnlen(name, capacity - 1) : 0;
    memcpy(out, name ? name : "", size);
    out[size] = '\0';
}

edda_client_t *edda_client_new(const struct edda_client_options *options) {
    EDDA_ASSERT(options->broker_count <= EDDA_CLIENT_MAX_BROKERS);
    struct edda_client *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->loop = options->loop;
    self->on_change = options->on_change;
    self->context = options->context;
    copy_name(self->role, sizeof self->role, options->role);
    copy_name(self->name, sizeof self->name, options->name);
    self->hello = (struct edda_hello){
        .node = edda_uuid_new(),
        .incarnation = (uint64_t)edda_clock_wall_ms(),
        .role = edda_text_of(self->role),
        .name = edda_text_of(self->name),
    };
    self->resent_cell = edda_metric_cell(EDDA_METRIC_CALLS_RESENT, NULL);
    self->broker_count = options->broker_count;
    for (size_t i = 0; i < self->broker_count; i++) {
        struct edda_client_broker *broker = &self->brokers[i];
        broker->client = self;
        edda_link_init(&broker->link, self->loop, options->zmq_context, options->brokers[i],
                       options->curve, i, &self->hello, &edda_client_handler, broker);
        edda_wire_init(&broker->wire);
        broker->link.incoming = &broker->wire;
        edda_link_tick(&broker->link);
    }
    self->tick = (struct edda_timer){.fire = on_tick, .context = self, .name = "client"};
    edda_client_arm(self);
    return self;
}

static void end_list(struct edda_client *self, struct edda_call_list *list, int error) {
    while (list->first) {
        struct edda_call *call = list->first;
        edda_call_list_remove(call);
        call->error = error;
        edda_call_list_append(&self->ending, call);
    }
}

void edda_client_destroy(edda_client_t **self_p) {
    struct edda_client *self = *self_p;
    if (!self) {
        return;
    }
    if (!self->leaving) {
        self->leaving = true; /* callbacks get no new calls in */
        edda_loop_hold(self->loop);
    }
    end_list(self, &self->waiting, EDDA_E_CANCELLED);
    for (size_t i = 0; i < self->broker_count; i++) {
        end_list(self, &self->brokers[i].sent, EDDA_E_CANCELLED);
    }
    edda_call_end_all(self);
    EDDA_ASSERT(self->open_calls == 0);
    finish_leaving(self);
    for (size_t i = 0; i < self->broker_count; i++) {
        edda_link_done(&self->brokers[i].link);
        edda_wire_done(&self->brokers[i].wire);
    }
    while (self->spare) {
        struct edda_call *call = self->spare;
        self->spare = call->next;
        free(call);
    }
    free(self);
    *self_p = NULL;
}

static int check_steps(const struct edda_request *request) {
    if (request->step_count == 0 || request->step_count > EDDA_MAX_ROUTE) {
        return EDDA_E_INVALID;
    }
    size_t total = 0;
    for (size_t i = 0; i < request->step_count; i++) {
        const struct edda_step *step = &request->steps[i];
        size_t size = step->op ? strnlen(step->op, EDDA_MAX_NAME + 1) : 0;
        if (size == 0 || size > EDDA_MAX_NAME || (step->type == 0 && step->arguments.size > 0)) {
            return EDDA_E_INVALID;
        }
        if (step->arguments.size > EDDA_MAX_FRAME_BYTES) {
            return EDDA_E_LIMIT;
        }
        total += step->arguments.size;
    }
    return total > EDDA_MAX_MESSAGE_BYTES - ENVELOPE_ROOM ? EDDA_E_LIMIT : 0;
}

static int check_request(struct edda_client *self, const struct edda_request *request) {
    bool broker_known = request->broker < 0 || (size_t)request->broker < self->broker_count;
    if (!request->on_reply || !broker_known || request->ttl_ms == 0 ||
        request->ttl_ms > EDDA_MAX_TTL_MS || request->priority > 9 ||
        request->retries > EDDA_MAX_RETRIES) {
        return EDDA_E_INVALID;
    }
    if (request->project.size > EDDA_MAX_NAME || request->traceparent.size > 55 ||
        request->tracestate.size > EDDA_MAX_TRACESTATE ||
        request->idempotency.size > EDDA_MAX_IDEMPOTENCY) {
        return EDDA_E_LIMIT;
    }
    if (edda_call_find(self, &request->id)) {
        return EDDA_E_INVALID;
    }
    return check_steps(request);
}

int edda_client_call(edda_client_t *self, const struct edda_request *request,
                     edda_call_t **ret_call) {
    if (self->leaving) {
        return EDDA_E_DRAINING;
    }
    int error = check_request(self, request);
    if (error) {
        return error;
    }
    if (self->open_calls >= EDDA_CLIENT_MAX_CALLS) {
        return EDDA_E_LIMIT;
    }
    struct edda_call *call = edda_call_new(self, request);
    if (!call) {
        return EDDA_E_MEMORY;
    }
    error = edda_client_dispatch(self, call);
    if (error) {
        edda_call_free(self, call);
        return error;
    }
    if (ret_call) {
        *ret_call = call;
    }
    return 0;
}

void edda_client_cancel(edda_client_t *self, edda_call_t **call_p) {
    struct edda_call *call = *call_p;
    if (!call) {
        return;
    }
    if (call->broker >= 0) {
        edda_link_tell(&self->brokers[call->broker].link, EDDA_CANCEL, &call->message.envelope.id,
                       0, NULL);
    }
    edda_call_free(self, call);
    *call_p = NULL;
}

void edda_client_grant(edda_client_t *self, edda_call_t *call, uint64_t messages, uint64_t bytes) {
    call->granted_messages = messages > call->granted_messages ? messages : call->granted_messages;
    call->granted_bytes = bytes > call->granted_bytes ? bytes : call->granted_bytes;
    if (call->broker >= 0) {
        struct edda_credit_grant grant = {.messages = call->granted_messages,
                                          .bytes = call->granted_bytes};
        edda_link_tell(&self->brokers[call->broker].link, EDDA_CREDIT, &call->message.envelope.id,
                       EDDA_BODY_CREDIT, &grant);
    }
}

uint64_t edda_client_credit(const edda_client_t *self, const char *service) {
    uint64_t left = 0;
    for (size_t i = 0; i < self->service_count; i++) {
        if (strcmp(self->services[i], service) != 0) {
            continue;
        }
        for (size_t j = 0; j < self->broker_count; j++) {
            const struct edda_client_broker *broker = &self->brokers[j];
            if (edda_link_live(&broker->link) && broker->services[i].known) {
                left += edda_credit_left(&broker->services[i].credit);
            }
        }
    }
    return left;
}

size_t edda_client_brokers_live(const edda_client_t *self) {
    size_t live = 0;
    for (size_t i = 0; i < self->broker_count; i++) {
        live += edda_link_live(&self->brokers[i].link);
    }
    return live;
}

size_t edda_client_open_calls(const edda_client_t *self) {
    return self->open_calls;
}

bool edda_client_broker_live(const edda_client_t *self, size_t index) {
    return index < self->broker_count && edda_link_live(&self->brokers[index].link);
}

void edda_client_leave(edda_client_t *self) {
    if (self->leaving) {
        return;
    }
    self->leaving = true;
    edda_loop_hold(self->loop);
    finish_leaving(self);
}
