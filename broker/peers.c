/* broker/peers.c: state table 1. */
#include "broker/peers.h"

#include "broker/access.h"
#include "broker/emit.h"
#include "broker/flow.h"
#include "broker/ingress.h"
#include "broker/pending.h"
#include "broker/service.h"
#include "proto/body.h"

#define HELLO_ARENA_BYTES 8192

int edda_peers_setup(struct edda_core *core) {
    core->clients = calloc(EDDA_CLIENTS, sizeof(*core->clients));
    return core->clients ? 0 : EDDA_E_MEMORY;
}

static void free_peer(struct edda_core *core, struct edda_peer *peer) {
    core->peers[peer->number] = NULL;
    core->peer_count--;
    core->worker_count -= peer->side == EDDA_SIDE_BACK;
    peer->next_grave = core->graves;
    core->graves = peer;
}

void edda_peers_bury(struct edda_core *core) {
    while (core->graves) {
        struct edda_peer *peer = core->graves;
        core->graves = peer->next_grave;
        free(peer->accounts);
        free(peer);
    }
}

void edda_peers_teardown(struct edda_core *core) {
    for (uint32_t i = 0; i < EDDA_CORE_PEERS; i++) {
        if (core->peers[i]) {
            free_peer(core, core->peers[i]);
        }
    }
    edda_peers_bury(core);
    free(core->clients);
}

struct edda_peer *edda_peers_find(const struct edda_core *core, uint32_t number) {
    EDDA_ASSERT(number < EDDA_CORE_PEERS);
    return core->peers[number];
}

static struct edda_peer *find_node(const struct edda_core *core, const struct edda_uuid *node,
                                   enum edda_side side) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (peer && peer->side == side && edda_uuid_equal(&peer->node, node)) {
            return peer;
        }
    }
    return NULL;
}

static void refuse(struct edda_core *core, uint32_t number, int code) {
    edda_emit_reset(core, number, code);
    edda_emit_forget(core, number);
}

/* The client of a node: the one that has requests open, or a new one. A node of another identity
 * has not come this far. */
static struct edda_client *client_of(struct edda_core *core, const struct edda_uuid *node,
                                     uint64_t identity) {
    struct edda_client *free_client = NULL;
    for (uint32_t i = 0; i < core->client_high; i++) {
        struct edda_client *client = &core->clients[i];
        if (client->used && edda_uuid_equal(&client->node, node)) {
            return client;
        }
        if (!client->used && !free_client) {
            free_client = client;
        }
    }
    if (!free_client && core->client_high < EDDA_CLIENTS) {
        free_client = &core->clients[core->client_high++];
    }
    if (free_client) {
        *free_client = (struct edda_client){.used = true, .node = *node, .identity = identity};
        edda_list_init(&free_client->open);
    }
    return free_client;
}

static struct edda_peer *make_peer(struct edda_core *core, const struct edda_event *event,
                                   const struct edda_hello *hello) {
    struct edda_peer *peer = calloc(1, sizeof(*peer));
    if (!peer) {
        return NULL;
    }
    peer->number = event->peer;
    peer->side = event->side;
    peer->role = edda_access_role(hello->role, event->side);
    peer->pump = edda_text_is(hello->role, "pump");
    peer->identity = event->permit->identity;
    peer->node = hello->node;
    peer->incarnation = hello->incarnation;
    peer->session = ++core->sessions;
    peer->heard_ms = core->now_ms;
    peer->repeated_ms = core->now_ms;
    peer->window = hello->window < 1                        ? 1
                   : hello->window > EDDA_MAX_WORKER_WINDOW ? EDDA_MAX_WORKER_WINDOW
                                                            : hello->window;
    size_t size = hello->name.size < EDDA_MAX_NAME ? hello->name.size : EDDA_MAX_NAME;
    if (size > 0) {
        memcpy(peer->name, hello->name.data, size);
    }
    edda_list_init(&peer->running);
    if (peer->side == EDDA_SIDE_FRONT) {
        peer->accounts = calloc(EDDA_CORE_SERVICES, sizeof(*peer->accounts));
        peer->client = peer->accounts ? client_of(core, &hello->node, peer->identity) : NULL;
        if (!peer->client) {
            free(peer->accounts);
            free(peer);
            return NULL;
        }
        peer->client->peer = peer;
    }
    return peer;
}

static void send_welcome(struct edda_core *core, struct edda_peer *peer) {
    struct edda_action *action = edda_emit_record(core, peer, EDDA_WELCOME, EDDA_BODY_WELCOME);
    action->record.welcome = (struct edda_welcome){
        .session = peer->session,
        .broker = core->epoch,
        .ping_ms = core->ping_ms,
        .liveness = core->liveness,
    };
}

static int join_services(struct edda_core *core, struct edda_peer *peer,
                         const struct edda_hello *hello) {
    for (size_t i = 0; i < hello->services.count; i++) {
        int result = edda_service_join(core, peer, &hello->services.items[i]);
        if (result != 0) {
            return result;
        }
    }
    for (uint32_t i = 0; i < peer->service_count; i++) {
        if (peer->services[i]->ready_count == 1) {
            edda_ingress_offer(core, peer->services[i]);
        }
    }
    return 0;
}

static void join(struct edda_core *core, const struct edda_event *event,
                 const struct edda_hello *hello) {
    struct edda_peer *peer =
        core->peer_count < EDDA_MAX_PEERS ? make_peer(core, event, hello) : NULL;
    if (!peer) {
        refuse(core, event->peer, EDDA_E_BUSY);
        return;
    }
    core->peers[peer->number] = peer;
    core->peer_count++;
    core->worker_count += peer->side == EDDA_SIDE_BACK;
    if (peer->number >= core->peer_high) {
        core->peer_high = peer->number + 1;
    }
    send_welcome(core, peer);
    int result = 0;
    if (peer->side == EDDA_SIDE_BACK) {
        result = join_services(core, peer, hello);
    } else {
        edda_ingress_grant_all(core, peer, false);
    }
    if (result != 0) {
        edda_peers_gone(core, peer, EDDA_LOSS_ORDERLY, result, result);
        return;
    }
    edda_emit_note(core, peer->side == EDDA_SIDE_BACK ? "worker_joined" : "client_joined",
                   edda_text_of(peer->name), 0, peer->window);
}

/* One node has one connection on a side: decides between the one that is there and the newcomer. */
static void admit(struct edda_core *core, const struct edda_event *event,
                  const struct edda_hello *hello) {
    struct edda_peer *same = edda_peers_find(core, event->peer);
    if (same) {
        if (edda_uuid_equal(&same->node, &hello->node) && same->incarnation == hello->incarnation) {
            send_welcome(core, same); /* a repeated HELLO */
        } else {
            edda_peers_gone(core, same, EDDA_LOSS_FAULT, EDDA_E_MALFORMED, EDDA_E_MALFORMED);
        }
        return;
    }
    struct edda_peer *other = find_node(core, &hello->node, event->side);
    if (other && other->incarnation > hello->incarnation) {
        refuse(core, event->peer, EDDA_E_EVICTED);
        return;
    }
    if (core->draining) {
        /* There is no session to send through; the peer looks for another broker. */
        refuse(core, event->peer, EDDA_E_DRAINING);
        return;
    }
    if (other) {
        bool restarted = other->incarnation < hello->incarnation;
        edda_peers_gone(core, other, restarted ? EDDA_LOSS_DEATH : EDDA_LOSS_ORDERLY,
                        EDDA_E_EVICTED, EDDA_E_EVICTED);
    }
    join(core, event, hello);
}

void edda_peers_hello(struct edda_core *core, const struct edda_event *event) {
    const struct edda_message *message = event->message;
    struct edda_peer *peer = edda_peers_find(core, event->peer);
    struct edda_arena arena;
    struct edda_hello hello;
    int code = 0;
    edda_arena_init(&arena, HELLO_ARENA_BYTES);
    if (edda_message_body_type(message, 0) != EDDA_BODY_HELLO ||
        edda_body_decode(EDDA_BODY_HELLO, message->bodies[0], &arena, &hello) != 0 ||
        (event->side == EDDA_SIDE_BACK &&
         (hello.services.count == 0 || hello.services.count > EDDA_MAX_SERVICES))) {
        code = EDDA_E_MALFORMED;
    } else if (!edda_access_role(hello.role, event->side).data) {
        code = EDDA_E_ROLE;
    } else if (!peer) {
        code = edda_access_admits(core, event->permit, &hello);
    }
    if (code == EDDA_E_DENIED || code == EDDA_E_ROLE) {
        edda_emit_note(core, "peer_refused", event->permit->name, code, 0);
    }
    if (code == 0) {
        admit(core, event, &hello);
    } else if (peer) {
        edda_peers_gone(core, peer, EDDA_LOSS_FAULT, code, code);
    } else {
        refuse(core, event->peer, code);
    }
    edda_arena_done(&arena);
}

static void release_work(struct edda_core *core, struct edda_peer *peer, enum edda_loss loss) {
    struct edda_link *link;
    /* Backwards, because each goes to the head of its queue: the oldest ends up first. */
    while ((link = edda_list_first(&peer->running)) != NULL) {
        link = peer->running.head.previous;
        edda_flow_lost(core, EDDA_ITEM(link, struct edda_pending, link), loss);
    }
}

void edda_peers_gone(struct edda_core *core, struct edda_peer *peer, enum edda_loss loss,
                     int reset_code, int reason) {
    edda_emit_note(core, peer->side == EDDA_SIDE_BACK ? "worker_gone" : "client_gone",
                   edda_text_of(peer->name), reason,
                   peer->side == EDDA_SIDE_BACK ? peer->running.count : peer->client->open.count);
    if (reset_code != 0) {
        edda_emit_reset(core, peer->number, reset_code);
    }
    edda_emit_forget(core, peer->number);
    if (peer->side == EDDA_SIDE_BACK) {
        if (peer->state == EDDA_PEER_LIVE) {
            edda_service_drain(core, peer);
        }
        release_work(core, peer, loss);
        edda_service_leave(core, peer);
    } else {
        peer->client->peer = NULL;
        peer->client->gone_ms = core->now_ms;
        peer->client->used = peer->client->open.count > 0;
    }
    free_peer(core, peer);
}

static void raise_grant(struct edda_core *core, struct edda_peer *peer, uint64_t messages,
                        uint64_t bytes) {
    if (peer->side == EDDA_SIDE_BACK && edda_credit_grant(&peer->credit, messages, bytes)) {
        edda_service_touch_all_of(core, peer);
    }
}

/* Repairs credit of a client that was lost, once an interval whoever pings. */
static void repeat_credit(struct edda_core *core, struct edda_peer *peer) {
    if (peer->side == EDDA_SIDE_FRONT && core->now_ms - peer->repeated_ms >= core->ping_ms) {
        peer->repeated_ms = core->now_ms;
        edda_ingress_grant_all(core, peer, true);
    }
}

void edda_peers_ping(struct edda_core *core, struct edda_peer *peer,
                     const struct edda_message *message) {
    struct edda_ping ping;
    struct edda_arena arena;
    edda_arena_init(&arena, 0);
    int result = edda_message_body_type(message, 0) != EDDA_BODY_PING
                     ? EDDA_E_MALFORMED
                     : edda_body_decode(EDDA_BODY_PING, message->bodies[0], &arena, &ping);
    edda_arena_done(&arena);
    if (result != 0) {
        edda_peers_gone(core, peer, EDDA_LOSS_FAULT, EDDA_E_MALFORMED, EDDA_E_MALFORMED);
        return;
    }
    raise_grant(core, peer, ping.messages, ping.bytes);
    if (message->command == EDDA_PING) {
        repeat_credit(core, peer);
        struct edda_action *action = edda_emit_record(core, peer, EDDA_PONG, EDDA_BODY_PING);
        action->record.ping.stamp = ping.stamp;
    }
}

static void ping_peer(struct edda_core *core, struct edda_peer *peer) {
    struct edda_action *action = edda_emit_record(core, peer, EDDA_PING, EDDA_BODY_PING);
    action->record.ping = (struct edda_ping){
        .stamp = (uint64_t)core->now_ms,
        .messages = peer->credit.granted_messages,
        .bytes = peer->credit.granted_bytes,
    };
    repeat_credit(core, peer);
}

static void cancel_for(struct edda_core *core, struct edda_client *client, uint32_t *budget) {
    struct edda_link *link;
    while (*budget > 0 && (link = edda_list_first(&client->open)) != NULL) {
        --*budget;
        edda_flow_cancel(core, EDDA_ITEM(link, struct edda_pending, client_link));
    }
    client->used = client->open.count > 0;
}

static bool is_due(const struct edda_core *core, const struct edda_peer *peer) {
    return core->now_ms - peer->sent_ms >= core->ping_ms ||
           (core->doubted && peer->side == EDDA_SIDE_BACK);
}

bool edda_peers_waited(const struct edda_core *core, int64_t since_ms) {
    bool slept = core->now_ms - core->ticked_ms > core->ping_ms ||
                 core->now_ms - core->listens_ms < core->ping_ms;
    return !slept && core->now_ms - since_ms >= (int64_t)core->ping_ms * core->liveness;
}

void edda_peers_tick(struct edda_core *core, uint32_t *budget) {
    if (core->now_ms - core->ticked_ms > core->ping_ms) {
        core->listens_ms = core->now_ms;
    }
    core->ticked_ms = core->now_ms;
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (peer && edda_peers_waited(core, peer->heard_ms)) {
            edda_peers_gone(core, peer, EDDA_LOSS_DEATH, 0, EDDA_E_TIMEOUT);
        } else if (peer && is_due(core, peer)) {
            ping_peer(core, peer);
        }
    }
    core->doubted = false;
    for (uint32_t i = 0; i < core->client_high; i++) {
        struct edda_client *client = &core->clients[i];
        if (client->used && !client->peer && edda_peers_waited(core, client->gone_ms)) {
            cancel_for(core, client, budget);
        }
    }
}

void edda_peers_tell_all(struct edda_core *core, uint8_t command) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        if (core->peers[i]) {
            (void)edda_emit_send(core, core->peers[i], command);
        }
    }
}
