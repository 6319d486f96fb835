/* tests/sim/books.c: the broker's side of the books, from broker/state.h. */
#include "tests/sim/books.h"

#include "actors/runtime/share.h"
#include "broker/broker.h"
#include "broker/state.h"
#include "tests/sim/roles.h"

static struct edda_core *core_of(const struct sim_node *broker) {
    return edda_broker_core(broker->state);
}

size_t sim_books_requests(const struct sim_node *broker) {
    const struct edda_core *core = core_of(broker);
    return core->queued + core->running;
}

void sim_books_balance(struct sim_node *broker) {
    const struct edda_core *core = core_of(broker);
    const struct edda_counters *counters = edda_core_counters(core);
    sim_event(broker->name, "balance",
              "admitted=%llu done=%llu failed=%llu expired=%llu cancelled=%llu queued=%u "
              "running=%u",
              (unsigned long long)counters->admitted + (sim->broken == SIM_BREAK_COUNT_LOST),
              (unsigned long long)counters->ended[EDDA_END_DONE],
              (unsigned long long)counters->ended[EDDA_END_FAILED],
              (unsigned long long)counters->ended[EDDA_END_EXPIRED],
              (unsigned long long)counters->ended[EDDA_END_CANCELLED], core->queued, core->running);
}

void sim_books_check(struct sim_node *broker) {
    struct edda_core *core = core_of(broker);
    edda_core_check(core);
    sim_event(broker->name, "memory", "used=%llu cap=%u", (unsigned long long)core->pending_bytes,
              sim->broken == SIM_BREAK_NO_ROOM ? 0 : EDDA_MAX_PENDING_BYTES);
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (peer && peer->side == EDDA_SIDE_BACK && peer->credit.granted_messages > 0 &&
            sim_is_broken(SIM_BREAK_CREDIT_FORGED, 300)) {
            peer->credit.granted_messages += 5;
        }
    }
}

static void compare(const struct sim_node *node, const char *what, uint64_t have, uint64_t want) {
    if (have != want) { /* most agree: the log is for those that do not */
        sim_event(node->name, "books", "what=\"%s\" have=%llu want=%llu", what,
                  (unsigned long long)have, (unsigned long long)want);
    }
}

static struct edda_peer *find_peer(const struct edda_core *core, const struct edda_uuid *node,
                                   enum edda_side side) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (peer && peer->side == side && edda_uuid_equal(&peer->node, node)) {
            return peer;
        }
    }
    return NULL;
}

/* A message that came twice is counted twice by who read it. */
static bool counts_exactly(void) {
    return !(sim->plan.faults >> SIM_FAULT_DUPLICATE & 1);
}

static size_t count_brokers(void) {
    size_t count = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        count += sim->nodes[i].role == &sim_role_broker;
    }
    return count;
}

/* Several brokers share a window: each can send bulk, and none has more than all of it. */
static void close_share(const struct sim_node *node, const struct sim_worker_side *side) {
    uint64_t floor = edda_share_floor(side->wanted, side->wanted);
    uint64_t left = side->granted - side->finished;
    compare(node, "credit of a floor at least", left >= floor, 1);
    compare(node, "credit of a window at most", left <= side->wanted + floor, 1);
}

static void close_worker(const struct sim_node *node, const struct sim_node *broker) {
    const struct sim_worker_side side = sim_worker_side(node, broker->number);
    const struct edda_peer *peer = find_peer(core_of(broker), &side.node, EDDA_SIDE_BACK);
    compare(node, "live session with a broker", side.live && peer, 1);
    if (!peer) {
        return;
    }
    compare(node, "orphans", side.orphans, 0);
    compare(node, "steps the broker says it runs", peer->running.count, 0);
    compare(node, "credit heard by its broker", peer->credit.granted_messages, side.granted);
    if (count_brokers() > 1) {
        close_share(node, &side);
    } else {
        compare(node, "credit granted", side.granted, side.finished + side.wanted);
    }
    if (counts_exactly()) {
        compare(node, "steps finished", side.finished, peer->credit.sent_messages);
        compare(node, "bytes finished", side.finished_bytes, peer->credit.sent_bytes);
    }
}

static void close_client(const struct sim_node *node, const struct sim_node *broker) {
    const struct sim_client_side side = sim_client_side(node, broker->number);
    const struct edda_core *core = core_of(broker);
    const struct edda_peer *peer = find_peer(core, &side.node, EDDA_SIDE_FRONT);
    compare(node, "live session with a broker", side.live && peer, 1);
    compare(node, "open calls", side.open_calls, 0);
    for (uint32_t i = 0; peer && i < core->service_count; i++) {
        const struct edda_service *service = &core->services[i];
        const struct edda_account *account = &peer->accounts[service->index];
        uint64_t granted = 0;
        uint64_t sent = 0;
        compare(node, "requests charged by its broker", account->open, 0);
        compare(node, "bytes charged by its broker", account->open_bytes, 0);
        if (sim_client_credit(node, broker->number, service->name, &granted, &sent) &&
            counts_exactly()) {
            /* What was tried before the first grant is the broker's to count alone. */
            compare(node, "requests received by its broker, fewer than sent",
                    account->received < sent, 0);
            compare(node, "credit heard", granted, account->told);
            compare(node, "credit left, less than a window", granted - sent < EDDA_CLIENT_WINDOW,
                    0);
        }
    }
}

void sim_books_close(void) {
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *broker = &sim->nodes[i];
        if (broker->role != &sim_role_broker) {
            continue;
        }
        for (size_t j = 0; j < sim->node_count; j++) {
            const struct sim_node *node = &sim->nodes[j];
            if (node->role->actor) {
                close_worker(node, broker);
            }
            if (node->role->client) {
                close_client(node, broker);
            }
        }
    }
}

void sim_books_moved(void) {
    const struct sim_counts *counts = &sim->counts;
    sim_event("-", "books", "what=\"messages read or lost\" have=%llu want=%llu",
              (unsigned long long)(counts->received + counts->lost),
              (unsigned long long)(counts->sent + counts->doubled));
}
