/* tests/sim/role_store.c: the store's process: the real service, pump and worker session on the
 * modelled database, made and taken down in the order of actors/store/actor.c. */
#include <stdlib.h>

#include "actors/runtime/client.h"
#include "actors/store/pump.h"
#include "actors/store/service.h"
#include "tests/sim/roles.h"
#include "tests/sim/store.h"

struct store {
    edda_backend_t *backend;
    edda_store_service_t *service;
    edda_actor_t *actor;
    edda_pump_t *pump;
};

static void on_ready(void *context) {
    struct store *store = context;
    if (store->pump) {
        edda_pump_wake(store->pump);
    }
}

static void start(struct sim_node *node) {
    struct store *store = calloc(1, sizeof(*store));
    EDDA_ASSERT(store);
    node->state = store;
    store->backend =
        sim_backend_new(sim->plan.lease_ms, (struct edda_backend_events){on_ready, store});
    store->service = edda_store_service_new(node->loop, store->backend);
    store->pump = edda_pump_new(&(struct edda_pump_options){
        .loop = node->loop,
        .zmq_context = node,
        .brokers = sim_urls,
        .broker_count = sim->plan.brokers,
        .name = node->name,
        .backend = store->backend,
        .window = sim->plan.pump_window,
        .lease_ms = sim->plan.lease_ms,
    });
    size_t count = 0;
    const struct edda_operation *operations = edda_store_service_operations(&count);
    store->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = node->loop,
        .zmq_context = node,
        .brokers = sim_urls,
        .broker_count = sim->plan.brokers,
        .service = "store",
        .name = node->name,
        .operations = operations,
        .operation_count = count,
        .window = EDDA_MAX_WORKER_WINDOW,
        .stage = store->service,
    });
    EDDA_ASSERT(store->service && store->pump && store->actor);
}

static void stop(struct sim_node *node) {
    struct store *store = node->state;
    edda_pump_stop(store->pump);
    edda_store_service_stop(store->service);
    edda_backend_destroy(&store->backend);
    edda_actor_destroy(&store->actor);
    edda_store_service_free(&store->service);
    edda_pump_free(&store->pump);
    free(store);
}

static size_t count_open(const struct sim_node *node, const char **ret_what) {
    const struct store *store = node->state;
    *ret_what = "steps and durable jobs";
    return edda_actor_running(store->actor) + edda_pump_in_flight(store->pump);
}

static edda_actor_t *actor_of(const struct sim_node *node) {
    return ((const struct store *)node->state)->actor;
}

const struct sim_role sim_role_store = {
    .name = "store", .start = start, .stop = stop, .open = count_open, .actor = actor_of};
