/* tests/sim/role_broker.c: the real broker with its sockets. */
#include "broker/broker.h"
#include "tests/sim/books.h"
#include "tests/sim/roles.h"

const char *const sim_urls[SIM_BROKERS] = {"tcp://10.0.0.1:7701", "tcp://10.0.0.2:7701",
                                           "tcp://10.0.0.3:7701"};

static void start(struct sim_node *node) {
    edda_broker_t *broker = NULL;
    const struct edda_broker_options options = {
        .loop = node->loop,
        .zmq_context = node,
        .urls = &sim_urls[node->number],
        .url_count = 1,
        .allow_plain_tcp = true,
        .ping_ms = sim->plan.ping_ms,
    };
    int error = edda_broker_new(&options, &broker);
    EDDA_ASSERT(error == 0);
    node->state = broker;
}

static void stop(struct sim_node *node) {
    edda_broker_t *broker = node->state;
    sim_books_balance(node);
    edda_broker_destroy(&broker);
}

static size_t count_open(const struct sim_node *node, const char **ret_what) {
    *ret_what = "requests";
    return sim_books_requests(node);
}

const struct sim_role sim_role_broker = {
    .name = "broker", .start = start, .stop = stop, .open = count_open};
