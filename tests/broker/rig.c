/* tests/broker/rig.c: events from scraps, and a ledger of bodies. */
#include "tests/broker/rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/op.h"
#include "proto/uuid.h"

#define HANDLE_MAGIC 0x1eda0b0du
#define LARGE_BYTES  ((uint64_t)1 << 40)

struct rig *rig_start(void) {
    struct rig *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->now_ms = 1000;
    const struct edda_core_options options = {.now_ms = self->now_ms};
    self->core = edda_core_new(&options);
    assert_non_null(self->core);
    return self;
}

struct rig *rig_new(void) {
    struct rig *self = rig_start();
    rig_tick(self, (int64_t)EDDA_PING_MS * EDDA_LIVENESS);
    return self;
}

static void *make_handle(struct rig *self) {
    struct rig_handle *handle = malloc(sizeof(*handle));
    assert_non_null(handle);
    handle->magic = HANDLE_MAGIC;
    self->live++;
    return handle;
}

static void free_handle(struct rig *self, void *pointer) {
    struct rig_handle *handle = pointer;
    assert_true(handle->magic == HANDLE_MAGIC);
    handle->magic = 0;
    self->live--;
    free(handle);
}

static void look_at_actions(struct rig *self) {
    for (size_t i = 0; i < self->actions.count; i++) {
        const struct edda_action *action = &self->actions.items[i];
        if (action->kind == EDDA_ACTION_FORGET) {
            assert_true(self->known[action->peer]);
            self->known[action->peer] = false;
        } else if (action->kind == EDDA_ACTION_DRAINED) {
            self->drained++;
        } else if (action->kind == EDDA_ACTION_RELEASE) {
            free_handle(self, action->handle);
        } else if (action->kind == EDDA_ACTION_SEND) {
            assert_true(self->known[action->peer]);
            for (uint8_t j = 0; !action->record_type && j < action->message.envelope.body_count;
                 j++) {
                const struct rig_handle *handle = action->bodies[j];
                assert_true(!handle || handle->magic == HANDLE_MAGIC);
            }
        }
    }
}

void rig_step(struct rig *self, const struct edda_event *event) {
    edda_core_step(self->core, event, self->now_ms, &self->actions);
    look_at_actions(self);
    if (!self->unchecked) {
        edda_core_check(self->core);
    }
}

void rig_free(struct rig **self_p) {
    struct rig *self = *self_p;
    edda_core_destroy(&self->core, &self->actions);
    look_at_actions(self);
    assert_int_equal(self->live, 0);
    edda_actions_done(&self->actions);
    free(self);
    *self_p = NULL;
}

void rig_tick(struct rig *self, int64_t elapsed_ms) {
    while (elapsed_ms > EDDA_PING_MS) {
        elapsed_ms -= EDDA_PING_MS;
        rig_sleep(self, EDDA_PING_MS);
    }
    rig_sleep(self, elapsed_ms);
}

void rig_sleep(struct rig *self, int64_t elapsed_ms) {
    const struct edda_event event = {.kind = EDDA_EVENT_TICK};
    self->now_ms += elapsed_ms;
    rig_step(self, &event);
}

void rig_drain(struct rig *self) {
    const struct edda_event event = {.kind = EDDA_EVENT_DRAIN};
    rig_step(self, &event);
}

uint32_t rig_stranger(struct rig *self, enum edda_side side) {
    for (uint32_t i = 0; i < RIG_PEERS; i++) {
        if (!self->known[i]) {
            self->known[i] = true;
            self->side[i] = side;
            self->granted[i] = 0;
            self->permit[i] = NULL;
            return i;
        }
    }
    fail_msg("no number left");
    return 0;
}

static const struct edda_permit *permit_of(const struct rig *self, uint32_t peer) {
    return self->permit[peer] ? self->permit[peer] : &edda_permit_local;
}

/* Sends message with its record as the one body, through a real encoding. */
static void send_record(struct rig *self, uint32_t peer, struct edda_message *message,
                        uint16_t type, const void *record) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 16384);
    assert_int_equal(edda_body_encode(type, record, &buffer), 0);
    /* Not NULL when empty, so that it differs from an absent body. */
    const uint8_t nothing = 0;
    message->bodies[0] = (struct edda_bytes){buffer.data ? buffer.data : &nothing, buffer.size};
    message->envelope.body_count = 1;
    message->envelope.bodies[0] = (struct edda_body_descriptor){type, 1, (uint32_t)buffer.size};
    void *bodies[EDDA_MAX_BODIES] = {NULL};
    const struct edda_event event = {
        .kind = EDDA_EVENT_MESSAGE,
        .peer = peer,
        .side = self->side[peer],
        .permit = permit_of(self, peer),
        .message = message,
        .bodies = bodies,
    };
    self->known[peer] = true;
    rig_step(self, &event);
    edda_buffer_done(&buffer);
}

void rig_send(struct rig *self, uint32_t peer, const struct edda_message *message) {
    void *bodies[EDDA_MAX_BODIES] = {NULL};
    for (uint8_t i = 0; i < message->envelope.body_count; i++) {
        if (message->envelope.bodies[i].type != EDDA_BODY_NONE) {
            bodies[i] = make_handle(self);
        }
    }
    const struct edda_event event = {
        .kind = EDDA_EVENT_MESSAGE,
        .peer = peer,
        .side = self->side[peer],
        .permit = permit_of(self, peer),
        .message = message,
        .bodies = bodies,
    };
    self->known[peer] = true;
    rig_step(self, &event);
    for (uint8_t i = 0; i < message->envelope.body_count; i++) {
        if (bodies[i]) {
            free_handle(self, bodies[i]);
        }
    }
}

static struct edda_uuid node_of(uint16_t node) {
    struct edda_uuid uuid = {{0}};
    memcpy(uuid.bytes, &node, sizeof(node));
    uuid.bytes[15] = 1;
    return uuid;
}

void rig_hello(struct rig *self, uint32_t peer, const char *role, const char *services,
               uint16_t node, uint64_t incarnation, uint32_t window) {
    struct edda_hello_service items[EDDA_MAX_SERVICES];
    struct edda_hello hello = {
        .node = node_of(node),
        .incarnation = incarnation,
        .role = edda_text_of(role),
        .name = edda_text_of("rig"),
        .window = window,
        .services = {items, 0},
    };
    while (services && *services) {
        size_t size = strcspn(services, ",");
        items[hello.services.count++] =
            (struct edda_hello_service){.name = {services, size}, .model = EDDA_TEXT("m")};
        services += size + (services[size] == ',');
    }
    struct edda_message message = {.command = EDDA_HELLO};
    send_record(self, peer, &message, EDDA_BODY_HELLO, &hello);
}

uint16_t rig_node(const struct rig *self, uint32_t peer) {
    (void)self;
    return (uint16_t)(peer + 1);
}

uint32_t rig_worker_without_credit(struct rig *self, const char *services, uint32_t window) {
    uint32_t peer = rig_stranger(self, EDDA_SIDE_BACK);
    rig_hello(self, peer, "worker", services, rig_node(self, peer), 1, window);
    assert_non_null(rig_sent(self, peer, EDDA_WELCOME));
    return peer;
}

uint32_t rig_worker(struct rig *self, const char *services, uint32_t window) {
    uint32_t peer = rig_worker_without_credit(self, services, window);
    rig_credit(self, peer, NULL, window, LARGE_BYTES);
    return peer;
}

uint32_t rig_client(struct rig *self, const char *role) {
    uint32_t peer = rig_stranger(self, EDDA_SIDE_FRONT);
    rig_hello(self, peer, role, NULL, rig_node(self, peer), 1, 0);
    assert_non_null(rig_sent(self, peer, EDDA_WELCOME));
    return peer;
}

struct edda_uuid rig_id(struct rig *self) {
    uint8_t random[10] = {0};
    uint64_t number = ++self->ids * 0x9e3779b97f4a7c15u;
    memcpy(random, &number, sizeof(number));
    memcpy(random + 8, &self->ids, 2);
    return edda_uuid_v7(self->now_ms, random);
}

/* One step of a route as text, with its argument body. */
static const char *parse_step(const char *at, struct edda_envelope *envelope, uint32_t bytes) {
    at += strspn(at, " ->");
    struct edda_route_step *step = &envelope->route[envelope->route_count];
    step->op = (struct edda_text){at, strcspn(at, " ?(")};
    at += step->op.size;
    step->arguments = envelope->route_count;
    if (*at == '?') {
        step->on_error = EDDA_ON_ERROR_SKIP;
        at++;
    }
    if (*at == '(') {
        step->budget_ms = (uint32_t)strtoul(at + 1, NULL, 10);
        at += strcspn(at, ")") + 1;
    }
    const struct edda_op *op = edda_op_find(step->op);
    envelope->bodies[envelope->route_count++] =
        (struct edda_body_descriptor){op ? op->arguments : EDDA_BODY_EMPTY, 1, bytes};
    envelope->body_count = envelope->route_count;
    return at;
}

struct edda_uuid rig_req_with(struct rig *self, uint32_t client,
                              const struct rig_request *request) {
    struct edda_message message = {.command = EDDA_REQ};
    struct edda_envelope *envelope = &message.envelope;
    envelope->id = edda_uuid_is_nil(&request->id) ? rig_id(self) : request->id;
    envelope->project = edda_text_of(request->project ? request->project : "test");
    envelope->priority = request->priority;
    envelope->retries = request->retries;
    envelope->ttl_ms = request->ttl_ms;
    envelope->flags = request->flags;
    for (const char *at = request->route; *at;) {
        at = parse_step(at, envelope, request->bytes);
    }
    if (request->wrong_type) {
        envelope->bodies[0].type = request->wrong_type;
    }
    if (request->no_arguments) {
        envelope->route[0].arguments = EDDA_NO_ARGUMENTS;
    }
    rig_send(self, client, &message);
    return envelope->id;
}

struct edda_uuid rig_req(struct rig *self, uint32_t client, const char *route) {
    const struct rig_request request = {.route = route, .retries = 2, .ttl_ms = 5000};
    return rig_req_with(self, client, &request);
}

static struct edda_message about(enum edda_command command, const struct edda_uuid *id,
                                 uint8_t step, uint8_t attempt) {
    struct edda_message message = {.command = (uint8_t)command};
    message.envelope.id = *id;
    message.envelope.step = step;
    message.envelope.attempt = attempt;
    return message;
}

void rig_done(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
              uint8_t attempt, uint16_t type) {
    struct edda_message message = about(EDDA_DONE, id, step, attempt);
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){type, 1, type ? 100 : 0};
    rig_send(self, worker, &message);
}

void rig_fail(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
              uint8_t attempt, int code, enum edda_blame blame) {
    struct edda_message message = about(EDDA_FAIL, id, step, attempt);
    message.envelope.error =
        (struct edda_wire_error){code, (uint8_t)blame, 7, EDDA_TEXT("it did not work")};
    rig_send(self, worker, &message);
}

void rig_about(struct rig *self, uint32_t peer, enum edda_command command,
               const struct edda_uuid *id, uint8_t step, uint8_t attempt) {
    struct edda_message message = about(command, id, step, attempt);
    rig_send(self, peer, &message);
}

void rig_part(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t attempt,
              uint32_t sequence) {
    struct edda_message message = about(EDDA_PART, id, 0, attempt);
    message.envelope.sequence = sequence;
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){EDDA_BODY_EMPTY, 1, 10};
    rig_send(self, worker, &message);
}

void rig_command(struct rig *self, uint32_t peer, enum edda_command command) {
    struct edda_message message = {.command = (uint8_t)command};
    rig_send(self, peer, &message);
}

void rig_credit(struct rig *self, uint32_t peer, const struct edda_uuid *id, uint64_t messages,
                uint64_t bytes) {
    struct edda_message message = {.command = EDDA_CREDIT};
    const struct edda_credit_grant grant = {.messages = messages, .bytes = bytes};
    if (id) {
        message.envelope.id = *id;
    }
    self->granted[peer] = messages;
    send_record(self, peer, &message, EDDA_BODY_CREDIT, &grant);
}

void rig_ping(struct rig *self, uint32_t peer, enum edda_command command, uint64_t stamp,
              uint64_t messages, uint64_t bytes) {
    struct edda_message message = {.command = (uint8_t)command};
    const struct edda_ping ping = {.stamp = stamp, .messages = messages, .bytes = bytes};
    send_record(self, peer, &message, EDDA_BODY_PING, &ping);
}

void rig_unsent(struct rig *self, uint32_t worker, const struct edda_uuid *id, uint8_t step,
                uint8_t attempt) {
    const struct edda_message work = {.command = EDDA_WORK,
                                      .envelope = {.id = *id, .step = step, .attempt = attempt}};
    const struct edda_event event = {
        .kind = EDDA_EVENT_UNSENT, .peer = worker, .side = EDDA_SIDE_BACK, .message = &work};
    rig_step(self, &event);
}

void rig_lose(struct rig *self, uint32_t peer, enum edda_event_kind kind) {
    const struct edda_event event = {
        .kind = kind,
        .peer = peer,
        .side = self->side[peer],
        .permit = permit_of(self, peer),
        .error = EDDA_E_MALFORMED,
    };
    self->known[peer] = true;
    rig_step(self, &event);
}

const struct edda_action *rig_sent(const struct rig *self, uint32_t peer,
                                   enum edda_command command) {
    for (size_t i = 0; i < self->actions.count; i++) {
        const struct edda_action *action = &self->actions.items[i];
        if (action->kind == EDDA_ACTION_SEND && action->peer == peer &&
            action->message.command == command) {
            return action;
        }
    }
    return NULL;
}

size_t rig_count(const struct rig *self, enum edda_command command) {
    size_t count = 0;
    for (size_t i = 0; i < self->actions.count; i++) {
        count += self->actions.items[i].kind == EDDA_ACTION_SEND &&
                 self->actions.items[i].message.command == command;
    }
    return count;
}

uint32_t rig_work_for(const struct rig *self, const struct edda_uuid *id) {
    for (size_t i = 0; i < self->actions.count; i++) {
        const struct edda_action *action = &self->actions.items[i];
        if (action->kind == EDDA_ACTION_SEND && action->message.command == EDDA_WORK &&
            edda_uuid_equal(&action->message.envelope.id, id)) {
            return action->peer;
        }
    }
    return UINT32_MAX;
}

int rig_fail_code(const struct rig *self, uint32_t client, const struct edda_uuid *id) {
    for (size_t i = 0; i < self->actions.count; i++) {
        const struct edda_action *action = &self->actions.items[i];
        if (action->kind == EDDA_ACTION_SEND && action->peer == client &&
            action->message.command == EDDA_FAIL &&
            edda_uuid_equal(&action->message.envelope.id, id)) {
            return action->message.envelope.error.code;
        }
    }
    return 0;
}

bool rig_forgot(const struct rig *self, uint32_t peer) {
    for (size_t i = 0; i < self->actions.count; i++) {
        if (self->actions.items[i].kind == EDDA_ACTION_FORGET &&
            self->actions.items[i].peer == peer) {
            return true;
        }
    }
    return false;
}

int rig_reset_code(const struct rig *self, uint32_t peer) {
    const struct edda_action *action = rig_sent(self, peer, EDDA_RESET);
    return action ? edda_error_from_wire(action->record.reset.code) : 0;
}

struct edda_broker_status rig_status(struct rig *self) {
    struct edda_broker_status status;
    edda_core_status(self->core, self->now_ms, &status);
    return status;
}
