/* tests/harness/fake_broker.c: two ROUTERs on the test's loop and a queue of what came. */
#include "tests/harness/fake_broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/socket.h"
#include "proto/body.h"
#include "tests/harness/wire_send.h"
#include "tests/proto/cmocka.h"

struct fake_message {
    struct edda_wire wire;
    struct fake_message *next;
};

struct fake_port {
    struct fake_broker *fake;
    enum fake_side side;
    char url[EDDA_MAX_URL];
    void *socket;
    edda_watch_t *watch;
    uint8_t peer[EDDA_MAX_ROUTING_ID];
    size_t peer_size;
    struct fake_message *first;
    struct fake_message **end;
    struct fake_message *shown; /* what the last expect returned */
};

struct fake_broker {
    edda_loop_t *loop;
    void *zmq_context;
    struct fake_port ports[FAKE_SIDES];
    uint32_t ping_ms;
    uint32_t liveness;
    bool deaf;
    uint8_t ignored_command; /* 0: none */
    size_t ignored;
    size_t pings;
    uint64_t granted;
    uint64_t granted_bytes;
    uint64_t sessions;
};

struct waiting {
    edda_loop_t *loop;
    fake_condition_fn condition;
    void *context;
    int64_t until_ms;
    bool held;
    struct edda_timer timer;
};

static void check_waiting(void *context) {
    struct waiting *waiting = context;
    waiting->held = waiting->condition && waiting->condition(waiting->context);
    if (waiting->held || edda_clock_ms() >= waiting->until_ms) {
        edda_loop_stop(waiting->loop);
        return;
    }
    edda_loop_timer_set(waiting->loop, &waiting->timer, edda_loop_now(waiting->loop) + 1);
}

bool fake_loop_until(edda_loop_t *loop, fake_condition_fn condition, void *context,
                     int64_t limit_ms) {
    struct waiting waiting = {.loop = loop,
                              .condition = condition,
                              .context = context,
                              .until_ms = edda_clock_ms() + limit_ms};
    waiting.timer =
        (struct edda_timer){.fire = check_waiting, .context = &waiting, .name = "fake_loop_until"};
    edda_loop_timer_set(loop, &waiting.timer, edda_clock_ms());
    (void)edda_loop_run(loop);
    edda_loop_timer_cancel(loop, &waiting.timer);
    return waiting.held || (condition && condition(context));
}

void fake_loop_for(edda_loop_t *loop, int64_t ms) {
    (void)fake_loop_until(loop, NULL, NULL, ms);
}

static void note_grant(struct fake_broker *fake, const struct edda_wire *wire, uint16_t type) {
    uint64_t messages = 0;
    uint64_t bytes = 0;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    if (type == EDDA_BODY_PING) {
        struct edda_ping ping;
        assert_int_equal(edda_body_decode(type, wire->message.bodies[0], &arena, &ping), 0);
        messages = ping.messages;
        bytes = ping.bytes;
    } else {
        struct edda_credit_grant grant;
        assert_int_equal(edda_body_decode(type, wire->message.bodies[0], &arena, &grant), 0);
        messages = grant.messages;
        bytes = grant.bytes;
    }
    edda_arena_done(&arena);
    fake->granted = messages > fake->granted ? messages : fake->granted;
    fake->granted_bytes = bytes > fake->granted_bytes ? bytes : fake->granted_bytes;
}

static bool swallow(struct fake_port *port, const struct edda_wire *wire) {
    struct fake_broker *fake = port->fake;
    if (fake->ignored_command && wire->message.command == fake->ignored_command) {
        fake->ignored++;
        return true;
    }
    if (wire->message.command != EDDA_PING && wire->message.command != EDDA_PONG) {
        return false;
    }
    fake->pings++;
    if (port->side == FAKE_BACK) {
        note_grant(fake, wire, EDDA_BODY_PING);
    }
    if (fake->deaf) {
        return wire->message.command == EDDA_PONG;
    }
    if (wire->message.command == EDDA_PING) {
        struct edda_ping ping = {.stamp = 1};
        fake_broker_tell(fake, port->side, EDDA_PONG, NULL, EDDA_BODY_PING, &ping);
    }
    return true;
}

static void on_port(void *context) {
    struct fake_port *port = context;
    for (;;) {
        struct fake_message *message = calloc(1, sizeof *message);
        assert_non_null(message);
        edda_wire_init(&message->wire);
        int error = edda_wire_receive(port->socket, true, &message->wire);
        if (error) {
            free(message);
            assert_int_equal(error, EDDA_E_AGAIN);
            return;
        }
        if (message->wire.message.command == EDDA_HELLO) {
            memcpy(port->peer, message->wire.routing_id, message->wire.routing_id_size);
            port->peer_size = message->wire.routing_id_size;
        }
        if (swallow(port, &message->wire)) {
            edda_wire_done(&message->wire);
            free(message);
            continue;
        }
        *port->end = message;
        port->end = &message->next;
    }
}

static void open_port(struct fake_port *port) {
    const char *urls[] = {port->url};
    int error = edda_socket_router(port->fake->zmq_context, urls, 1, true, &port->socket);
    assert_int_equal(error, 0);
    port->watch = edda_loop_socket(port->fake->loop, port->socket, on_port, port, "fake_broker");
    assert_non_null(port->watch);
    port->end = &port->first;
}

static void free_message(struct fake_message *message) {
    if (message) {
        edda_wire_done(&message->wire);
        free(message);
    }
}

static void close_port(struct fake_port *port) {
    edda_loop_unwatch(port->fake->loop, &port->watch);
    edda_socket_close(&port->socket, 0);
    free_message(port->shown);
    port->shown = NULL;
    while (port->first) {
        struct fake_message *message = port->first;
        port->first = message->next;
        free_message(message);
    }
    port->end = &port->first;
}

struct fake_broker *fake_broker_new(edda_loop_t *loop, void *zmq_context, const char *url) {
    struct fake_broker *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    *fake = (struct fake_broker){
        .loop = loop, .zmq_context = zmq_context, .ping_ms = 1000, .liveness = 3};
    for (int side = 0; side < FAKE_SIDES; side++) {
        struct fake_port *port = &fake->ports[side];
        port->fake = fake;
        port->side = (enum fake_side)side;
        if (side == FAKE_FRONT) {
            memcpy(port->url, url, strlen(url) + 1);
        } else {
            assert_int_equal(edda_endpoint_back(url, port->url), 0);
        }
        open_port(port);
    }
    return fake;
}

void fake_broker_destroy(struct fake_broker **fake_p) {
    if (!*fake_p) {
        return;
    }
    for (int side = 0; side < FAKE_SIDES; side++) {
        close_port(&(*fake_p)->ports[side]);
    }
    free(*fake_p);
    *fake_p = NULL;
}

void fake_broker_restart(struct fake_broker *fake) {
    for (int side = 0; side < FAKE_SIDES; side++) {
        close_port(&fake->ports[side]);
        fake->ports[side].peer_size = 0;
    }
    /* inproc names are free once the context has reaped their sockets */
    fake_loop_for(fake->loop, 20);
    for (int side = 0; side < FAKE_SIDES; side++) {
        open_port(&fake->ports[side]);
    }
    fake_broker_lose_grants(fake);
}

void fake_broker_tune(struct fake_broker *fake, uint32_t ping_ms, uint32_t liveness) {
    fake->ping_ms = ping_ms;
    fake->liveness = liveness;
}

void fake_broker_deaf(struct fake_broker *fake, bool deaf) {
    fake->deaf = deaf;
}

void fake_broker_ignore(struct fake_broker *fake, uint8_t command) {
    fake->ignored_command = command;
}

size_t fake_broker_ignored(const struct fake_broker *fake) {
    return fake->ignored;
}

static bool has_message(void *context) {
    const struct fake_port *port = context;
    return port->first != NULL;
}

static struct fake_message *take_message(struct fake_port *port) {
    struct fake_message *message = port->first;
    port->first = message->next;
    if (!port->first) {
        port->end = &port->first;
    }
    return message;
}

void fake_broker_forget_pings(struct fake_broker *fake, enum fake_side side) {
    struct fake_port *port = &fake->ports[side];
    while (port->first && port->first->wire.message.command == EDDA_PING) {
        free_message(take_message(port));
    }
}

static void show(struct fake_port *port, struct fake_message *message) {
    free_message(port->shown);
    port->shown = message;
}

const struct edda_wire *fake_broker_expect(struct fake_broker *fake, enum fake_side side,
                                           uint8_t command) {
    struct fake_port *port = &fake->ports[side];
    if (!fake_loop_until(fake->loop, has_message, port, FAKE_WAIT_MS)) {
        fail_msg("waited for %s, nothing came", edda_command_name(command));
    }
    show(port, take_message(port));
    const struct edda_wire *wire = &port->shown->wire;
    if (wire->message.command != command) {
        fail_msg("waited for %s, got %s", edda_command_name(command),
                 edda_command_name(wire->message.command));
    }
    if (command == EDDA_CREDIT && side == FAKE_BACK) {
        note_grant(fake, wire, EDDA_BODY_CREDIT);
    }
    return wire;
}

static void skip_credit(struct fake_port *port) {
    while (port->first && port->first->wire.message.command == EDDA_CREDIT) {
        struct fake_message *message = take_message(port);
        if (port->side == FAKE_BACK) {
            note_grant(port->fake, &message->wire, EDDA_BODY_CREDIT);
        }
        free_message(message);
    }
}

static bool has_other_than_credit(void *context) {
    skip_credit(context);
    return has_message(context);
}

const struct edda_wire *fake_broker_next(struct fake_broker *fake, enum fake_side side) {
    struct fake_port *port = &fake->ports[side];
    if (!fake_loop_until(fake->loop, has_other_than_credit, port, FAKE_WAIT_MS)) {
        fail_msg("nothing came");
    }
    show(port, take_message(port));
    return &port->shown->wire;
}

const struct edda_wire *fake_broker_expect_after_credit(struct fake_broker *fake,
                                                        enum fake_side side, uint8_t command) {
    (void)fake_loop_until(fake->loop, has_other_than_credit, &fake->ports[side], FAKE_WAIT_MS);
    return fake_broker_expect(fake, side, command);
}

void fake_broker_expect_nothing(struct fake_broker *fake, enum fake_side side, int64_t ms,
                                bool ignore_credit) {
    struct fake_port *port = &fake->ports[side];
    if (fake_loop_until(fake->loop, ignore_credit ? has_other_than_credit : has_message, port,
                        ms)) {
        fail_msg("waited for nothing, got %s",
                 edda_command_name(port->first->wire.message.command));
    }
}

bool fake_broker_has(struct fake_broker *fake, enum fake_side side, int64_t ms) {
    return fake_loop_until(fake->loop, has_message, &fake->ports[side], ms);
}

uint64_t fake_broker_granted(const struct fake_broker *fake) {
    return fake->granted;
}

void fake_broker_lose_grants(struct fake_broker *fake) {
    fake->granted = 0;
    fake->granted_bytes = 0;
}

uint64_t fake_broker_granted_bytes(const struct fake_broker *fake) {
    return fake->granted_bytes;
}

struct expected_grant {
    struct fake_broker *fake;
    uint64_t messages;
};

static bool is_granted(void *context) {
    struct expected_grant *expected = context;
    skip_credit(&expected->fake->ports[FAKE_BACK]);
    return expected->fake->granted >= expected->messages;
}

void fake_broker_expect_granted(struct fake_broker *fake, uint64_t messages) {
    struct expected_grant expected = {fake, messages};
    (void)fake_loop_until(fake->loop, is_granted, &expected, FAKE_WAIT_MS);
    assert_int_equal(fake->granted, messages);
}

void fake_broker_welcome(struct fake_broker *fake, enum fake_side side) {
    struct edda_welcome welcome = {
        .session = ++fake->sessions,
        .broker = edda_uuid_new(),
        .ping_ms = fake->ping_ms,
        .liveness = fake->liveness,
    };
    fake_broker_tell(fake, side, EDDA_WELCOME, NULL, EDDA_BODY_WELCOME, &welcome);
}

struct edda_hello fake_broker_accept(struct fake_broker *fake, enum fake_side side) {
    const struct edda_wire *wire = fake_broker_expect_after_credit(fake, side, EDDA_HELLO);
    struct edda_hello hello;
    struct edda_arena arena;
    edda_arena_init(&arena, 65536);
    assert_int_equal(edda_body_decode(EDDA_BODY_HELLO, wire->message.bodies[0], &arena, &hello), 0);
    edda_arena_done(&arena);
    hello.services.items = NULL;
    fake_broker_welcome(fake, side);
    return hello;
}

void fake_broker_send(struct fake_broker *fake, enum fake_side side,
                      const struct edda_message *message, const struct edda_bytes *bodies,
                      size_t count) {
    struct fake_port *port = &fake->ports[side];
    assert_true(port->peer_size > 0);
    assert_int_equal(
        wire_send_bytes(port->socket, port->peer, port->peer_size, message, bodies, count), 0);
}

void fake_broker_tell(struct fake_broker *fake, enum fake_side side, uint8_t command,
                      const struct edda_uuid *id, uint16_t type, const void *record) {
    struct fake_port *port = &fake->ports[side];
    assert_true(port->peer_size > 0);
    assert_int_equal(
        wire_send_session(port->socket, port->peer, port->peer_size, command, id, type, record), 0);
}

void fake_broker_reset(struct fake_broker *fake, enum fake_side side, int code) {
    struct edda_reset reset = {.code = (uint32_t)-code, .text = EDDA_TEXT("a test")};
    fake_broker_tell(fake, side, EDDA_RESET, NULL, EDDA_BODY_RESET, &reset);
}

void fake_broker_grant(struct fake_broker *fake, const char *service, uint64_t messages,
                       uint64_t bytes) {
    struct edda_credit_grant grant = {
        .service = edda_text_of(service), .messages = messages, .bytes = bytes};
    fake_broker_tell(fake, FAKE_FRONT, EDDA_CREDIT, NULL, EDDA_BODY_CREDIT, &grant);
}

static void describe(struct edda_message *message, size_t index, uint16_t type, size_t size) {
    message->envelope.bodies[index] =
        (struct edda_body_descriptor){.type = type, .version = 1, .bytes = (uint32_t)size};
    message->envelope.body_count = (uint8_t)(index + 1);
}

void fake_broker_respond(struct fake_broker *fake, const struct edda_uuid *id, uint16_t type,
                         struct edda_bytes body) {
    struct edda_message message = {.command = EDDA_RESP, .envelope.id = *id};
    describe(&message, 0, type, body.size);
    fake_broker_send(fake, FAKE_FRONT, &message, &body, 1);
}

void fake_broker_fail(struct fake_broker *fake, const struct edda_uuid *id, int code) {
    struct edda_message message = {.command = EDDA_FAIL, .envelope.id = *id};
    message.envelope.error.code = code;
    fake_broker_send(fake, FAKE_FRONT, &message, NULL, 0);
}

void fake_broker_part(struct fake_broker *fake, const struct edda_uuid *id, uint32_t sequence) {
    struct edda_message message = {.command = EDDA_PART, .envelope.id = *id};
    struct edda_bytes body = {(const uint8_t *)"\x80", 1};
    message.envelope.sequence = sequence;
    describe(&message, 0, EDDA_BODY_EMPTY, body.size);
    fake_broker_send(fake, FAKE_FRONT, &message, &body, 1);
}

void fake_broker_work(struct fake_broker *fake, const struct edda_uuid *id, const char *op,
                      uint32_t ttl_ms, uint16_t type, struct edda_bytes arguments) {
    struct edda_message message = {.command = EDDA_WORK, .envelope.id = *id};
    struct edda_bytes bodies[2] = {arguments, {NULL, 0}};
    message.envelope.attempt = 1;
    message.envelope.op = edda_text_of(op);
    message.envelope.ttl_ms = ttl_ms;
    describe(&message, 0, type, arguments.size);
    describe(&message, 1, EDDA_BODY_NONE, 0);
    fake_broker_send(fake, FAKE_BACK, &message, bodies, 2);
}

size_t fake_broker_pings(const struct fake_broker *fake) {
    return fake->pings;
}
