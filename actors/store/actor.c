/* actors/store/actor.c: opens the store, serves it, pumps it, takes it down in that order
 * backwards. */
#include "actors/store/actor.h"

#include <stdio.h>

#include "actors/runtime/log.h"
#include "actors/store/pump.h"
#include "actors/store/service.h"
#include "actors/store/sqlite/sqlite.h"

struct store {
    edda_loop_t *loop;
    const struct edda_role *role;
    edda_backend_t *backend;
    edda_store_service_t *service;
    edda_actor_t *actor;
    edda_pump_t *pump;
};

/* The backend exists before the pump that its events go to. */
static void on_ready(void *context) {
    struct store *store = context;
    if (store->pump) {
        edda_pump_wake(store->pump);
    }
}

static int open_backend(struct store *store) {
    const edda_config_t *config = store->role->config;
    char message[512];
    struct edda_sqlite_options options = {
        .loop = store->loop,
        .directory = edda_config_text(config, EDDA_CONFIG_DATA),
        .threads = (unsigned)edda_config_number(config, EDDA_CONFIG_STORE_THREADS),
        .lease_ms = edda_config_number(config, EDDA_CONFIG_LEASE_MS),
        .events = {on_ready, store},
    };
    int error = EDDA_E_INVALID;
    if (edda_config_text(config, EDDA_CONFIG_DATABASE)[0]) {
        snprintf(message, sizeof(message), "this program can keep its store in --data only");
    } else {
        error = edda_sqlite_open(&options, message, sizeof(message), &store->backend);
    }
    if (error) {
        edda_log(EDDA_LOG_ERROR, "store_not_opened", "error=%s reason=\"%s\"",
                 edda_error_name(error), message);
    }
    return error;
}

static int start(struct store *store) {
    const struct edda_role *role = store->role;
    const edda_config_t *config = role->config;
    size_t count = 0;
    const struct edda_operation *operations = edda_store_service_operations(&count);
    int error = open_backend(store);
    if (error) {
        return error;
    }
    store->service = edda_store_service_new(store->loop, store->backend);
    if (!store->service) {
        return EDDA_E_MEMORY;
    }
    store->pump = edda_pump_new(&(struct edda_pump_options){
        .loop = store->loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .name = role->name,
        .backend = store->backend,
        .window = (uint32_t)edda_config_number(config, EDDA_CONFIG_PUMP_WINDOW),
        .lease_ms = edda_config_number(config, EDDA_CONFIG_LEASE_MS),
        .chunk_tokens = (uint32_t)edda_config_number(config, EDDA_CONFIG_CHUNK_TOKENS),
    });
    store->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = store->loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .service = "store",
        .name = role->name,
        .operations = operations,
        .operation_count = count,
        .window = EDDA_MAX_WORKER_WINDOW,
        .stage = store->service,
    });
    return store->pump && store->actor ? 0 : EDDA_E_MEMORY;
}

int edda_store_main(edda_loop_t *loop, const struct edda_role *role) {
    struct store store = {.loop = loop, .role = role};
    int error = start(&store);
    if (!error) {
        char detail[300];
        snprintf(detail, sizeof(detail), "%s in %.200s", store.backend->interface->name,
                 edda_config_text(role->config, EDDA_CONFIG_DATA));
        role->ready(role->context, role->name, detail);
        error = edda_loop_run(loop);
    }
    edda_pump_stop(store.pump);
    edda_store_service_stop(store.service);
    edda_backend_destroy(
        &store.backend); /* answers what is open: before the actor counts its jobs */
    edda_actor_destroy(&store.actor);
    edda_store_service_free(&store.service);
    edda_pump_free(&store.pump);
    return error;
}
