/* tests/sim/network.c: packets on streams, connections that begin, break and end. */
#include "tests/sim/network.h"

#include <stdlib.h>

#include "tests/sim/tap.h"

#define RETRY_US     (100 * SIM_MS)    /* ZMQ_RECONNECT_IVL */
#define SILENT_US    (15 * SIM_SECOND) /* ZMQ_TCP_MAXRT, keepalive */
#define BROKEN_SHARE 300               /* of connections, by a cut that ends */

static int64_t latency_us(const struct sim_node *from, const struct sim_node *to) {
    int64_t time_us = sim_around(SIM_DICE_NETWORK, sim->plan.latency_us);
    time_us +=
        sim->now_us < from->slow_until_us ? sim_between(SIM_DICE_NETWORK, 0, from->slow_us) : 0;
    time_us += sim->now_us < to->slow_until_us ? sim_between(SIM_DICE_NETWORK, 0, to->slow_us) : 0;
    return time_us;
}

static int64_t cut_until_us(const struct sim_connection *connection, int to) {
    return sim->cut_until_us[connection->nodes[1 - to]->index][connection->nodes[to]->index];
}

/* ---- queues ---- */

static void push(struct sim_queue *queue, struct sim_packet *packet) {
    packet->next = NULL;
    *(queue->last ? &queue->last->next : &queue->first) = packet;
    queue->last = packet;
}

static struct sim_packet *pop(struct sim_queue *queue) {
    struct sim_packet *packet = queue->first;
    if (packet) {
        queue->first = packet->next;
        queue->last = queue->first ? queue->last : NULL;
    }
    return packet;
}

void sim_packet_free(struct sim_packet *packet) {
    for (size_t i = 0; packet && i < packet->count; i++) {
        zmq_msg_close(&packet->frames[i]);
    }
    free(packet);
}

static void lose(struct sim_queue *queue) {
    struct sim_packet *packet;
    while ((packet = pop(queue)) != NULL) {
        sim->counts.lost++;
        sim_packet_free(packet);
    }
}

/* A first part stays. */
static void lose_rest(struct sim_queue *queue) {
    size_t count = 0;
    for (const struct sim_packet *packet = queue->first; packet; packet = packet->next) {
        count++;
    }
    size_t stays = sim_below(SIM_DICE_NETWORK, count + 1);
    struct sim_queue kept = {0};
    while (stays-- > 0) {
        push(&kept, pop(queue));
    }
    lose(queue);
    *queue = kept;
}

/* ---- arrival ---- */

static void arm(struct sim_stream *stream) {
    if (stream->wire.first) {
        sim_at(&stream->arrival, stream->wire.first->arrives_us);
    }
}

static void tell_end(struct sim_connection *connection, int end, int64_t after_us) {
    if (connection->up[end] && !connection->notices[end].index) {
        sim_at(&connection->notices[end], sim->now_us + after_us);
    }
}

static void arrive(struct sim_connection *connection, int end) {
    struct sim_stream *stream = &connection->streams[end];
    int64_t cut_us = cut_until_us(connection, end);
    if (cut_us > sim->now_us) {
        sim_at(&stream->arrival, cut_us);
        return;
    }
    bool late = stream->wire.first && stream->wire.first->arrives_us < sim->now_us;
    if (late && sim_chance(SIM_DICE_NETWORK, BROKEN_SHARE)) {
        sim_network_break(connection);
    }
    while (stream->wire.first && stream->wire.first->arrives_us <= sim->now_us) {
        push(&stream->arrived, pop(&stream->wire));
    }
    if (!connection->ends[end]) {
        lose(&stream->arrived);
    } else {
        sim_node_wake(connection->nodes[end]);
    }
    arm(stream);
}

static void arrive_at_dealer(void *context) {
    arrive(context, SIM_DEALER);
}

static void arrive_at_router(void *context) {
    arrive(context, SIM_ROUTER);
}

/* An end learns that its connection is over. */
static void notice(struct sim_connection *connection, int end) {
    int64_t cut_us = cut_until_us(connection, end);
    if (cut_us > sim->now_us) {
        sim_at(&connection->notices[end], cut_us);
        return;
    }
    connection->up[end] = false;
    connection->broken = true;
    lose(&connection->streams[end].wire);
    sim_cancel(&connection->streams[end].arrival);
    if (connection->ends[end]) {
        sim_trace(connection->nodes[end]->name, "connection %u with %s is over", connection->number,
                  connection->nodes[1 - end]->name);
        if (end == SIM_DEALER) {
            connection->ends[end]->lost++;
            sim_network_connect(connection->ends[end]);
        }
        sim_node_wake(connection->nodes[end]);
    }
}

static void notice_dealer(void *context) {
    notice(context, SIM_DEALER);
}

static void notice_router(void *context) {
    notice(context, SIM_ROUTER);
}

/* ---- beginning ---- */

static struct sim_socket *find_bound(const char *url) {
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        for (struct sim_socket *socket = node->sockets; socket; socket = socket->next) {
            for (size_t j = 0; socket->end == SIM_ROUTER && j < socket->url_count; j++) {
                if (!node->muted && strcmp(socket->urls[j], url) == 0) {
                    return socket;
                }
            }
        }
    }
    return NULL;
}

static void begin_connection(struct sim_socket *dealer, struct sim_socket *router) {
    struct sim_connection *connection = calloc(1, sizeof(*connection));
    EDDA_ASSERT(connection);
    *connection = (struct sim_connection){
        .next = sim->connections,
        .number = ++sim->connection_count,
        .ends = {dealer, router},
        .nodes = {dealer->node, router->node},
        .up = {true, true},
        .notices = {{.fire = notice_dealer, .context = connection, .name = "notice"},
                    {.fire = notice_router, .context = connection, .name = "notice"}},
    };
    connection->streams[SIM_DEALER].arrival =
        (struct edda_timer){.fire = arrive_at_dealer, .context = connection, .name = "arrival"};
    connection->streams[SIM_ROUTER].arrival =
        (struct edda_timer){.fire = arrive_at_router, .context = connection, .name = "arrival"};
    memcpy(connection->id + 1, &connection->number, 4);
    sim->connections = connection;
    sim_trace(dealer->node->name, "connection %u with %s", connection->number, router->node->name);
    sim_node_wake(dealer->node);
}

static void try_connect(void *context) {
    struct sim_socket *dealer = context;
    struct sim_socket *router = find_bound(dealer->urls[0]);
    if (router && !router->node->paused_until_us) {
        size_t a = dealer->node->index;
        size_t b = router->node->index;
        if (sim->cut_until_us[a][b] <= sim->now_us && sim->cut_until_us[b][a] <= sim->now_us) {
            begin_connection(dealer, router);
            return;
        }
    }
    sim_at(&dealer->connect, sim->now_us + sim_between(SIM_DICE_NETWORK, RETRY_US, 2 * RETRY_US));
}

void sim_network_connect(struct sim_socket *socket) {
    socket->connect =
        (struct edda_timer){.fire = try_connect, .context = socket, .name = "connect"};
    sim_at(&socket->connect, sim->now_us + 3 * latency_us(socket->node, socket->node));
}

/* ---- sending and reading ---- */

static void put_on_wire(struct sim_connection *connection, int to, struct sim_packet *packet) {
    struct sim_stream *stream = &connection->streams[to];
    const struct sim_node *from = connection->nodes[1 - to];
    int64_t spent_us = sim->running == from ? from->spent_us : 0;
    int64_t at_us = sim->now_us + spent_us + latency_us(from, connection->nodes[to]);
    packet->arrives_us = at_us > stream->last_us ? at_us : stream->last_us;
    stream->last_us = packet->arrives_us;
    push(&stream->wire, packet);
    if (!stream->arrival.index) {
        arm(stream);
    }
}

static struct sim_packet *copy_packet(struct sim_packet *packet) {
    struct sim_packet *copy = calloc(1, sizeof(*copy));
    EDDA_ASSERT(copy);
    copy->count = packet->count;
    for (size_t i = 0; i < packet->count; i++) {
        zmq_msg_init(&copy->frames[i]);
        zmq_msg_copy(&copy->frames[i], &packet->frames[i]);
    }
    return copy;
}

void sim_network_send(struct sim_connection *connection, int from, zmq_msg_t *frames,
                      size_t count) {
    struct sim_packet *packet = calloc(1, sizeof(*packet));
    EDDA_ASSERT(packet && count <= SIM_MAX_FRAMES);
    packet->count = count;
    for (size_t i = 0; i < count; i++) {
        zmq_msg_init(&packet->frames[i]);
        zmq_msg_move(&packet->frames[i], &frames[i]);
    }
    sim->counts.sent++;
    bool lost = sim_tap_sent(connection, from, packet);
    if (sim_is_broken(SIM_BREAK_MESSAGE_SWALLOWED, 2)) {
        sim_packet_free(packet);
        return;
    }
    if (lost || connection->broken || connection->silent || !connection->ends[1 - from]) {
        sim->counts.lost++;
        sim_packet_free(packet);
        return;
    }
    struct sim_packet *again = NULL;
    if (sim_has(SIM_FAULT_DUPLICATE) && sim_chance(SIM_DICE_NETWORK, sim->plan.duplicate)) {
        again = copy_packet(packet);
        sim->counts.doubled++;
    }
    put_on_wire(connection, 1 - from, packet);
    if (again) {
        put_on_wire(connection, 1 - from, again);
    }
}

static bool has_arrived(const struct sim_connection *connection, const struct sim_socket *socket) {
    return connection->ends[socket->end] == socket &&
           connection->streams[socket->end].arrived.first != NULL;
}

bool sim_network_readable(const struct sim_socket *socket) {
    const struct sim_connection *connection = sim->connections;
    while (connection && !has_arrived(connection, socket)) {
        connection = connection->next;
    }
    return connection != NULL;
}

bool sim_network_writable(const struct sim_socket *socket) {
    for (const struct sim_connection *connection = sim->connections; connection;
         connection = connection->next) {
        if (connection->ends[socket->end] == socket && connection->up[socket->end]) {
            return socket->end == SIM_ROUTER ||
                   connection->full_until_us[SIM_DEALER] <= sim->now_us;
        }
    }
    return false;
}

struct sim_packet *sim_network_take(struct sim_socket *socket,
                                    struct sim_connection **ret_connection) {
    size_t count = 0;
    for (const struct sim_connection *at = sim->connections; at; at = at->next) {
        count += has_arrived(at, socket);
    }
    if (count == 0) {
        return NULL;
    }
    size_t chosen = count > 1 ? sim_below(SIM_DICE_NETWORK, count) : 0;
    struct sim_connection *connection = sim->connections;
    while (!has_arrived(connection, socket) || chosen-- > 0) {
        connection = connection->next;
    }
    struct sim_packet *packet = pop(&connection->streams[socket->end].arrived);
    sim->counts.received++;
    sim_tap_read(connection, socket->end, packet);
    *ret_connection = connection;
    return packet;
}

struct sim_connection *sim_network_find(const struct sim_socket *socket, const uint8_t *id,
                                        size_t size) {
    struct sim_connection *connection = sim->connections;
    while (connection &&
           (connection->ends[socket->end] != socket || !connection->up[socket->end] ||
            (id && (size != SIM_ID_BYTES || memcmp(connection->id, id, SIM_ID_BYTES) != 0)))) {
        connection = connection->next;
    }
    return connection;
}

/* ---- ends ---- */

void sim_network_break(struct sim_connection *connection) {
    if (connection->broken) {
        return;
    }
    sim_trace("-", "connection %u of %s and %s breaks", connection->number,
              connection->nodes[0]->name, connection->nodes[1]->name);
    connection->broken = true;
    for (int end = 0; end < 2; end++) {
        struct sim_node *node = connection->nodes[end];
        lose_rest(&connection->streams[end].wire);
        tell_end(connection, end, sim_around(SIM_DICE_NETWORK, 100 * SIM_MS));
        if (connection->ends[end]) {
            sim_event(node->name, "harmed", "kind=break");
        }
    }
}

void sim_network_silence(struct sim_connection *connection) {
    sim_trace("-", "connection %u of %s and %s falls silent", connection->number,
              connection->nodes[0]->name, connection->nodes[1]->name);
    connection->silent = true;
    for (int end = 0; end < 2; end++) {
        lose_rest(&connection->streams[end].wire);
        sim_event(connection->nodes[end]->name, "harmed", "kind=silence");
    }
}

static void leave_connection(struct sim_connection *connection, int end, int linger_ms) {
    struct sim_stream *away = &connection->streams[1 - end];
    connection->ends[end] = NULL;
    connection->up[end] = false;
    sim_cancel(&connection->notices[end]);
    sim_cancel(&connection->streams[end].arrival);
    lose(&connection->streams[end].wire);
    lose(&connection->streams[end].arrived);
    if (linger_ms == 0) {
        lose_rest(&away->wire);
    }
    if (connection->silent) {
        tell_end(connection, 1 - end, SILENT_US);
        return;
    }
    int64_t last_us = away->wire.last ? away->wire.last->arrives_us - sim->now_us : 0;
    tell_end(connection, 1 - end,
             last_us + latency_us(connection->nodes[end], connection->nodes[1 - end]));
}

void sim_network_close(struct sim_socket *socket) {
    sim_cancel(&socket->connect);
    for (struct sim_connection *connection = sim->connections; connection;
         connection = connection->next) {
        if (connection->ends[socket->end] == socket) {
            leave_connection(connection, socket->end, socket->linger_ms);
        }
    }
}

void sim_network_abandon(struct sim_node *node) {
    for (struct sim_connection *connection = sim->connections; connection;
         connection = connection->next) {
        for (int end = 0; end < 2; end++) {
            if (connection->nodes[end] != node || !connection->ends[end]) {
                continue;
            }
            connection->broken = true;
            lose_rest(&connection->streams[1 - end].wire);
            if (node->power) {
                tell_end(connection, 1 - end,
                         SILENT_US + sim_between(SIM_DICE_NETWORK, 0, 4 * SIM_SECOND));
            }
            leave_connection(connection, end, 2000);
        }
    }
}

void sim_network_mend(void) {
    memset(sim->cut_until_us, 0, sizeof(sim->cut_until_us));
    for (struct sim_connection *connection = sim->connections; connection;
         connection = connection->next) {
        for (int end = 0; end < 2; end++) {
            connection->full_until_us[end] = 0;
            if (connection->streams[end].arrival.index) {
                arm(&connection->streams[end]);
            }
            if (connection->notices[end].index &&
                connection->notices[end].at_ms > sim->now_us + SIM_SECOND) {
                sim_at(&connection->notices[end], sim->now_us + SIM_SECOND);
            }
        }
    }
}

static bool is_over(const struct sim_connection *connection) {
    for (int end = 0; end < 2; end++) {
        const struct sim_stream *stream = &connection->streams[end];
        if (connection->up[end] || stream->wire.first || stream->arrived.first) {
            return false;
        }
    }
    return true;
}

static void free_connection(struct sim_connection *connection) {
    for (int end = 0; end < 2; end++) {
        sim_cancel(&connection->notices[end]);
        sim_cancel(&connection->streams[end].arrival);
        lose(&connection->streams[end].wire);
        lose(&connection->streams[end].arrived);
    }
    free(connection);
}

void sim_network_tidy(void) {
    struct sim_connection **link = &sim->connections;
    while (*link) {
        struct sim_connection *connection = *link;
        if (is_over(connection)) {
            *link = connection->next;
            free_connection(connection);
        } else {
            link = &connection->next;
        }
    }
}

void sim_network_clear(void) {
    while (sim->connections) {
        struct sim_connection *connection = sim->connections;
        sim->connections = connection->next;
        free_connection(connection);
    }
}
