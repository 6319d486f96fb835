/* tests/broker/world_client.c: clients: they ask, repeat, cancel, vanish and come back. */
#include "tests/broker/world_state.h"

static const char *const service_names[SERVICES] = {"embed", "store", "rerank", "talk", "own"};
static const struct {
    const char *route;
    size_t first; /* index of the first service */
} routes[] = {
    {"embed", 0},
    {"embed(80)", 0},
    {"embed -> store.search -> rerank?(100)", 0},
    {"store.ping", 1},
    {"store.words -> rerank?", 1},
    {"talk.answer", 3},
    {"own.a -> own.b -> talk.answer", 4},
    {"own.a -> nobody.does?", 4},
    {"nobody.does", SERVICES},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static void take_terminal(struct world *self, struct client *client,
                          const struct edda_envelope *envelope) {
    struct asked *asked = asked_of(self, &envelope->id);
    asked->terminals++;
    asked->answered = true;
    assert_true(asked->terminals <= asked->sends);
    assert_int_not_equal(envelope->error.code, EDDA_E_CREDIT);
    assert_int_not_equal(envelope->error.code, EDDA_E_CONFLICT);
    for (size_t i = 0; i < client->open_count; i++) {
        struct edda_uuid id = id_of(client->open[i]);
        if (edda_uuid_equal(&id, &envelope->id)) {
            client->open[i] = client->open[--client->open_count];
            self->counts.answered++;
            self->counts.failed += envelope->error.code != 0;
            break;
        }
    }
}

void world_tell_client(struct world *self, struct client *client,
                       const struct edda_action *action) {
    const struct edda_envelope *envelope = &action->message.envelope;
    switch (action->message.command) {
    case EDDA_RESP:
    case EDDA_FAIL:
        take_terminal(self, client, envelope);
        break;
    case EDDA_CREDIT:
        for (size_t i = 0; i < SERVICES; i++) {
            if (edda_text_is(action->record.credit.service, service_names[i])) {
                assert_true(action->record.credit.messages >= client->granted[i]);
                client->granted[i] = action->record.credit.messages;
            }
        }
        break;
    case EDDA_PART: {
        struct asked *asked = asked_of(self, &envelope->id);
        assert_int_equal(asked->sequence, envelope->sequence);
        assert_false(asked->answered);
        asked->sequence++;
        break;
    }
    default:
        break;
    }
}

static void send_request(struct world *self, struct client *client, uint32_t number) {
    struct edda_uuid id = id_of(number);
    struct asked *asked = asked_of(self, &id);
    size_t first = routes[asked->route].first;
    bool known = first < SERVICES && client->granted[first] > 0;
    if (known && client->sent[first] >= client->granted[first]) {
        return; /* keeps to its credit */
    }
    if (asked->sequence > 0) {
        return; /* never again once a part has come */
    }
    const struct rig_request request = {
        .route = routes[asked->route].route,
        .ttl_ms = 50 + (uint32_t)choose(self, 4000),
        .retries = (uint8_t)choose(self, 3),
        .priority = (uint8_t)choose(self, 10),
        .project = choose(self, 2) ? "a" : "b",
        .bytes = (uint32_t)choose(self, 100000),
        .flags = choose(self, 30) == 0 ? EDDA_FLAG_SOLO : 0,
        .id = id,
    };
    if (first < SERVICES) {
        client->sent[first]++;
    }
    asked->sends++;
    asked->answered = false;
    (void)rig_req_with(self->rig, client->peer, &request);
    world_deliver(self);
}

void world_resend(struct world *self, struct client *client) {
    uint32_t peer = client->peer;
    for (size_t i = client->open_count; i > 0 && client->peer == peer; i--) {
        if (i <= client->open_count) {
            send_request(self, client, client->open[i - 1]);
        }
    }
}

void world_connect_client(struct world *self, size_t index) {
    struct client *client = &self->clients[index];
    uint32_t peer = rig_stranger(self->rig, EDDA_SIDE_FRONT);
    client->peer = peer;
    client->incarnation += choose(self, 2);
    memset(client->granted, 0, sizeof(client->granted));
    memset(client->sent, 0, sizeof(client->sent));
    self->owner[peer] = (uint32_t)index;
    rig_hello(self->rig, peer, index % 3 == 0 ? "pump" : "gateway", NULL, (uint16_t)(1 + index),
              client->incarnation, 0);
    world_deliver(self);
    /* What is not answered is sent again in this session; a broken stream is not. */
    for (size_t i = client->open_count; i > 0; i--) {
        struct edda_uuid id = id_of(client->open[i - 1]);
        if (asked_of(self, &id)->sequence > 0) {
            client->open[i - 1] = client->open[--client->open_count];
        }
    }
    world_resend(self, client);
}

static void ask(struct world *self, struct client *client) {
    if (client->open_count == OPEN) {
        return;
    }
    uint32_t number = ++self->asked_count;
    self->asked[number % REMEMBERED] = (struct asked){.route = (uint8_t)choose(self, ROUTES)};
    client->open[client->open_count++] = number;
    self->counts.asked++;
    send_request(self, client, number);
}

static void cancel(struct world *self, struct client *client) {
    size_t index = choose(self, client->open_count);
    struct edda_uuid id = id_of(client->open[index]);
    client->open[index] = client->open[--client->open_count];
    rig_about(self->rig, client->peer, EDDA_CANCEL, &id, 0, 0);
    world_deliver(self);
}

static void grant_parts(struct world *self, struct client *client) {
    struct edda_uuid id = id_of(client->open[choose(self, client->open_count)]);
    rig_credit(self->rig, client->peer, &id, 1 + choose(self, 20), LARGE);
    world_deliver(self);
}

static void lose_client(struct world *self, struct client *client) {
    rig_lose(self->rig, client->peer,
             choose(self, 5) ? EDDA_EVENT_UNREACHABLE : EDDA_EVENT_MALFORMED);
    world_deliver(self);
}

void world_step_client(struct world *self, size_t index) {
    struct client *client = &self->clients[index];
    if (client->peer == NOBODY) {
        world_connect_client(self, index);
        return;
    }
    size_t dice = choose(self, 100);
    if (dice < 70 || client->open_count == 0) {
        ask(self, client);
    } else if (dice < 78) {
        grant_parts(self, client);
    } else if (dice < 84) {
        cancel(self, client);
    } else if (dice < 90) {
        send_request(self, client, client->open[choose(self, client->open_count)]);
    } else if (dice < 98) {
        rig_ping(self->rig, client->peer, EDDA_PING, 1, 0, 0);
        world_deliver(self);
    } else if (!self->calm) {
        lose_client(self, client);
    }
}
