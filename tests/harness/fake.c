/* tests/harness/fake.c: connections of fakes: opened, read, answered, closed. */
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "tests/harness/state.h"
#include "tests/harness/wire_send.h"
#include "tests/proto/cmocka.h"

#define MAX_FAKES    256
#define WORKER_BYTES ((uint64_t)1 << 40)

static void open_socket(edda_fake_t *fake) {
    const char *url = fake->back ? fake->scenario->back_url : fake->scenario->url;
    assert_int_equal(
        edda_socket_dealer(fake->scenario->context, url, fake->curve, 0, &fake->socket), 0);
}

edda_fake_t *fake_new(edda_scenario_t *scenario, bool back, const edda_curve_t *curve) {
    edda_fake_t *fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->scenario = scenario;
    fake->back = back;
    fake->curve = curve;
    fake->node = edda_uuid_new();
    fake->incarnation = 1;
    fake->next = scenario->fakes;
    scenario->fakes = fake;
    open_socket(fake);
    return fake;
}

void fake_free_item(struct inbox_item **item_p) {
    edda_wire_done(&(*item_p)->wire);
    free(*item_p);
    *item_p = NULL;
}

static void empty_inbox(edda_fake_t *fake) {
    while (fake->first) {
        struct inbox_item *item = fake->first;
        fake->first = item->next;
        fake_free_item(&item);
    }
    fake->last = NULL;
}

void fake_destroy(edda_fake_t *fake) {
    edda_socket_close(&fake->socket, 0);
    empty_inbox(fake);
    free(fake);
}

bool fake_connected(edda_fake_t *fake, int64_t wait_ms) {
    assert_non_null(fake->socket);
    int64_t until_ms = edda_clock_ms() + wait_ms;
    while (!edda_socket_writable(fake->socket)) {
        if (edda_clock_ms() > until_ms) {
            return false;
        }
        usleep(500);
    }
    return true;
}

static void wait_writable(edda_fake_t *fake) {
    if (!fake_connected(fake, SCENARIO_WAIT_MS)) {
        fail_msg("%s cannot send", fake->role);
    }
}

void fake_send(edda_fake_t *fake, const struct edda_message *message,
               const struct edda_bytes *bodies, size_t count) {
    wait_writable(fake);
    assert_int_equal(wire_send_bytes(fake->socket, NULL, 0, message, bodies, count), 0);
}

void fake_send_record(edda_fake_t *fake, enum edda_command command, const struct edda_uuid *id,
                      uint16_t type, const void *record) {
    wait_writable(fake);
    assert_int_equal(wire_send_session(fake->socket, NULL, 0, (uint8_t)command, id, type, record),
                     0);
}

static void answer_ping(edda_fake_t *fake, const struct edda_message *message) {
    struct edda_ping ping;
    struct edda_arena arena;
    edda_arena_init(&arena, 0);
    assert_int_equal(edda_body_decode(EDDA_BODY_PING, message->bodies[0], &arena, &ping), 0);
    edda_arena_done(&arena);
    ping.messages = fake->granted;
    ping.bytes = fake->granted ? WORKER_BYTES : 0;
    fake_send_record(fake, EDDA_PONG, NULL, EDDA_BODY_PING, &ping);
}

static void note_credit(edda_fake_t *fake, const struct edda_message *message) {
    struct edda_credit_grant grant;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    assert_int_equal(edda_body_decode(EDDA_BODY_CREDIT, message->bodies[0], &arena, &grant), 0);
    for (size_t i = 0; i < FAKE_CREDITS; i++) {
        char *name = fake->credits[i].service;
        if (name[0] == '\0') {
            memcpy(name, grant.service.data, grant.service.size);
        }
        if (edda_text_is(grant.service, name)) {
            assert_true(grant.messages >= fake->credits[i].messages);
            fake->credits[i].messages = grant.messages;
            break;
        }
    }
    edda_arena_done(&arena);
}

static bool is_nil(const struct edda_uuid *id) {
    static const struct edda_uuid nil;
    return edda_uuid_equal(id, &nil);
}

/* True when the message is the session's own business. */
static bool handle_session(edda_fake_t *fake, const struct edda_message *message) {
    switch (message->command) {
    case EDDA_PING:
        answer_ping(fake, message);
        return true;
    case EDDA_PONG:
        fake->pongs++;
        return true;
    case EDDA_WELCOME:
        fake->welcomed = true;
        return true;
    case EDDA_CREDIT:
        if (!is_nil(&message->envelope.id)) {
            return false;
        }
        note_credit(fake, message);
        return true;
    default:
        return false;
    }
}

static bool read_one(edda_fake_t *fake) {
    struct inbox_item *item = calloc(1, sizeof(*item));
    assert_non_null(item);
    edda_wire_init(&item->wire);
    int result = edda_wire_receive(fake->socket, false, &item->wire);
    if (result != 0) {
        fake_free_item(&item);
        if (result != EDDA_E_AGAIN) {
            fail_msg("the broker sent what does not decode: %s", edda_error_name(result));
        }
        return false;
    }
    if (handle_session(fake, &item->wire.message)) {
        fake_free_item(&item);
        return true;
    }
    if (fake->last) {
        fake->last->next = item;
    } else {
        fake->first = item;
    }
    fake->last = item;
    return true;
}

void fake_read_all(edda_scenario_t *scenario, int64_t wait_ms) {
    zmq_pollitem_t polled[MAX_FAKES];
    int count = 0;
    for (edda_fake_t *fake = scenario->fakes; fake; fake = fake->next) {
        if (fake->socket && !fake->frozen) {
            assert_true(count < MAX_FAKES);
            polled[count++] = (zmq_pollitem_t){.socket = fake->socket, .events = ZMQ_POLLIN};
        }
    }
    (void)zmq_poll(polled, count, (long)(wait_ms > 0 ? wait_ms : 0));
    for (edda_fake_t *fake = scenario->fakes; fake; fake = fake->next) {
        while (fake->socket && !fake->frozen && read_one(fake)) {
        }
    }
}

bool fake_has_mail(edda_fake_t *fake, int64_t wait_ms) {
    int64_t until_ms = edda_clock_ms() + wait_ms;
    int64_t left_ms = 0;
    fake_read_all(fake->scenario, 0);
    while (!fake->first && (left_ms = until_ms - edda_clock_ms()) > 0) {
        fake_read_all(fake->scenario, left_ms);
    }
    return fake->first != NULL;
}

struct inbox_item *fake_take(edda_fake_t *fake, int64_t wait_ms) {
    (void)fake_has_mail(fake, wait_ms);
    struct inbox_item *item = fake->first;
    if (item) {
        fake->first = item->next;
        fake->last = fake->first ? fake->last : NULL;
        item->next = NULL;
    }
    return item;
}

void fake_settle(edda_fake_t *fake) {
    uint32_t before = fake->pongs;
    const struct edda_ping ping = {.messages = fake->granted,
                                   .bytes = fake->granted ? WORKER_BYTES : 0};
    int64_t until_ms = edda_clock_ms() + SCENARIO_WAIT_MS;
    fake_send_record(fake, EDDA_PING, NULL, EDDA_BODY_PING, &ping);
    while (fake->pongs == before) {
        if (edda_clock_ms() > until_ms) {
            fail_msg("%s got no PONG", fake->role);
        }
        fake_read_all(fake->scenario, 10);
    }
}

void send_hello(edda_fake_t *fake, const char *role, const char *services, uint32_t window,
                uint64_t incarnation) {
    struct edda_hello_service items[EDDA_MAX_SERVICES];
    struct edda_hello hello = {
        .node = fake->node,
        .incarnation = incarnation,
        .role = edda_text_of(role),
        .name = edda_text_of("fake"),
        .services = {items, 0},
        .window = window,
    };
    for (const char *at = services; at && *at;) {
        size_t size = strcspn(at, ",");
        items[hello.services.count++] =
            (struct edda_hello_service){.name = {at, size}, .model = EDDA_TEXT("fake")};
        at += size + (at[size] == ',');
    }
    fake->welcomed = false;
    fake->granted = 0;
    memset(fake->credits, 0, sizeof(fake->credits));
    fake_send_record(fake, EDDA_HELLO, NULL, EDDA_BODY_HELLO, &hello);
}

void expect_welcome(edda_fake_t *fake) {
    int64_t until_ms = edda_clock_ms() + SCENARIO_WAIT_MS;
    while (!fake->welcomed) {
        if (edda_clock_ms() > until_ms) {
            fail_msg("%s got no WELCOME", fake->role);
        }
        fake_read_all(fake->scenario, 10);
    }
}

static void copy_text(char *place, size_t room, const char *text) {
    size_t size = text ? strlen(text) : 0;
    assert_true(size < room);
    memcpy(place, text ? text : "", size);
    place[size] = '\0';
}

static void join(edda_fake_t *fake) {
    send_hello(fake, fake->role, fake->services, fake->window, fake->incarnation);
    expect_welcome(fake);
}

edda_fake_t *scenario_stranger_with(edda_scenario_t *self, bool back, const edda_curve_t *curve) {
    edda_fake_t *fake = fake_new(self, back, curve);
    copy_text(fake->role, sizeof(fake->role), back ? "worker" : "gateway");
    return fake;
}

edda_fake_t *scenario_stranger(edda_scenario_t *self, bool back) {
    return scenario_stranger_with(self, back, self->peer_curve);
}

edda_fake_t *scenario_worker_without_credit(edda_scenario_t *self, const char *services,
                                            uint32_t window) {
    edda_fake_t *fake = scenario_stranger(self, true);
    copy_text(fake->services, sizeof(fake->services), services);
    fake->window = window;
    join(fake);
    return fake;
}

edda_fake_t *scenario_worker(edda_scenario_t *self, const char *services, uint32_t window) {
    edda_fake_t *fake = scenario_worker_without_credit(self, services, window);
    send_credit(fake, window);
    fake_settle(fake);
    return fake;
}

edda_fake_t *scenario_client(edda_scenario_t *self, const char *role) {
    edda_fake_t *fake = fake_new(self, false, self->peer_curve);
    copy_text(fake->role, sizeof(fake->role), role);
    join(fake);
    return fake;
}

void send_credit(edda_fake_t *worker, uint64_t more) {
    worker->granted += more;
    const struct edda_credit_grant grant = {.messages = worker->granted, .bytes = WORKER_BYTES};
    fake_send_record(worker, EDDA_CREDIT, NULL, EDDA_BODY_CREDIT, &grant);
}

void kill_peer(edda_fake_t *fake) {
    edda_socket_close(&fake->socket, 0);
    empty_inbox(fake);
}

void peer_reconnect(edda_fake_t *fake) {
    edda_socket_close(&fake->socket, 0);
    empty_inbox(fake);
    fake->frozen = false;
    open_socket(fake);
    join(fake);
    if (fake->back) {
        send_credit(fake, fake->window);
    }
    fake_settle(fake);
}

void freeze_peer(edda_fake_t *fake, bool frozen) {
    fake->frozen = frozen;
}

void send_frames(edda_fake_t *fake, const struct edda_bytes *frames, size_t count) {
    wait_writable(fake);
    for (size_t i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
        int sent = zmq_send(fake->socket, frames[i].data, frames[i].size, flags);
        assert_int_equal(sent, (int)frames[i].size);
    }
}

uint64_t fake_credit(edda_fake_t *client, const char *service) {
    fake_read_all(client->scenario, 0);
    for (size_t i = 0; i < FAKE_CREDITS; i++) {
        if (strcmp(client->credits[i].service, service) == 0) {
            return client->credits[i].messages;
        }
    }
    return 0;
}

void expect_credit(edda_fake_t *client, const char *service, uint64_t messages) {
    int64_t until_ms = edda_clock_ms() + SCENARIO_WAIT_MS;
    while (fake_credit(client, service) < messages) {
        if (edda_clock_ms() > until_ms) {
            fail_msg("credit for %s is %llu, not %llu", service,
                     (unsigned long long)fake_credit(client, service),
                     (unsigned long long)messages);
        }
        fake_read_all(client->scenario, 10);
    }
}

const struct edda_uuid *fake_node(const edda_fake_t *fake) {
    return &fake->node;
}
