/* actors/store/actor.c: opens the store, serves it, pumps it, takes it down in that order
 * backwards. */
#include "actors/store/actor.h"

#include <stdio.h>

#include "actors/runtime/log.h"
#include "actors/store/postgres/backend.h"
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
    char place[210]; /* of the data, for people */
};

/* The backend exists before the pump that its events go to. */
static void on_ready(void *context) {
    struct store *store = context;
    if (store->pump) {
        edda_pump_wake(store->pump);
    }
}

static struct edda_index_options index_options(const edda_config_t *config) {
    return (struct edda_index_options){
        .weights = {.words = (float)edda_config_number(config, EDDA_CONFIG_FUSION_WORDS),
                    .grams = (float)edda_config_number(config, EDDA_CONFIG_FUSION_GRAMS),
                    .vector = (float)edda_config_number(config, EDDA_CONFIG_FUSION_VECTOR)}};
}

static int open_sqlite(struct store *store, char *message, size_t size) {
    const edda_config_t *config = store->role->config;
    struct edda_sqlite_options options = {
        .loop = store->loop,
        .directory = edda_config_text(config, EDDA_CONFIG_DATA),
        .threads = (unsigned)edda_config_number(config, EDDA_CONFIG_STORE_THREADS),
        .lease_ms = edda_config_number(config, EDDA_CONFIG_LEASE_MS),
        .backlog = edda_config_number(config, EDDA_CONFIG_BACKLOG),
        .project_backlog = edda_config_number(config, EDDA_CONFIG_BACKLOG_PROJECT),
        .index = index_options(config),
        .events = {on_ready, store},
    };
    snprintf(store->place, sizeof store->place, "in %.200s", options.directory);
    return edda_sqlite_open(&options, message, size, &store->backend);
}

static int open_postgres(struct store *store, const char *url, char *message, size_t size) {
    const edda_config_t *config = store->role->config;
    struct edda_postgres_options options = {
        .loop = store->loop,
        .url = url,
        .connections = (unsigned)edda_config_number(config, EDDA_CONFIG_DATABASE_POOL),
        .prepare = edda_config_switch(config, EDDA_CONFIG_DATABASE_PREPARE),
        .statement_ms = edda_config_number(config, EDDA_CONFIG_DATABASE_STATEMENT_MS),
        .connect_ms = edda_config_number(config, EDDA_CONFIG_DATABASE_CONNECT_MS),
        .threads = (unsigned)edda_config_number(config, EDDA_CONFIG_STORE_THREADS),
        .lease_ms = edda_config_number(config, EDDA_CONFIG_LEASE_MS),
        .backlog = edda_config_number(config, EDDA_CONFIG_BACKLOG),
        .project_backlog = edda_config_number(config, EDDA_CONFIG_BACKLOG_PROJECT),
        .exact_chunks = (uint64_t)edda_config_number(config, EDDA_CONFIG_VECTOR_EXACT_CHUNKS),
        .index = index_options(config),
        .events = {on_ready, store},
    };
    int error = edda_postgres_open(&options, message, size, &store->backend);
    if (!error) {
        snprintf(store->place, sizeof store->place, "at %.200s",
                 edda_postgres_place(store->backend));
    }
    return error;
}

static int open_backend(struct store *store) {
    const char *url = edda_config_text(store->role->config, EDDA_CONFIG_DATABASE);
    char message[512] = "";
    int error = url[0] ? open_postgres(store, url, message, sizeof message)
                       : open_sqlite(store, message, sizeof message);
    if (error) {
        edda_log(error == EDDA_E_CANCELLED ? EDDA_LOG_INFO : EDDA_LOG_ERROR, "store_not_opened",
                 "error=%s reason=\"%s\"", edda_error_name(error), message);
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
        snprintf(detail, sizeof(detail), "%s %s", store.backend->interface->name, store.place);
        role->ready(role->context, role->name, detail);
        error = edda_loop_run(loop);
        int lost = edda_store_service_error(store.service);
        error = lost ? lost : error;
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
