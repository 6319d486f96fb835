/* gateway/gateway.c: the gateway's objects, made in order and taken down in reverse, and its drain.
 */
#include "gateway/gateway.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "actors/runtime/log.h"
#include "gateway/serving.h"
#include "gateway/status.h"

#define SPARE_FILES 1024 /* sockets to brokers, databases of the same process, refused peers */
#define POOL_QUEUE  256

#define MAX_PROVIDERS_BYTES ((size_t)64 * 1024)

/* Descriptors of this process, of which other parts may have many, below a limit. */
static rlim_t count_open(rlim_t limit) {
    rlim_t count = 0;
    for (rlim_t fd = 0; fd < limit; fd++) {
        count += fcntl((int)fd, F_GETFD) >= 0;
    }
    return count;
}

/* A third of what is left for connections, and as much for those that were refused and linger, so
 * that none takes the last descriptor from libzmq or a database. */
static size_t share_files(rlim_t limit) {
    rlim_t open = count_open(limit);
    return limit > open + 3 ? (size_t)(limit - open) / 3 : 1;
}

/* Raises the limit as far as it goes, and says how many connections it allows. */
static size_t allow_files(size_t wanted) {
    struct rlimit limit;
    rlim_t needed = wanted + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    if (limit.rlim_cur < needed) {
        limit.rlim_cur =
            limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed) {
        return wanted;
    }
    size_t allowed = limit.rlim_cur > 2 * SPARE_FILES ? (size_t)limit.rlim_cur - SPARE_FILES
                                                      : share_files(limit.rlim_cur);
    edda_log(EDDA_LOG_WARNING, "few_files", "limit=%llu connections=%zu needed=%llu",
             (unsigned long long)limit.rlim_cur, allowed, (unsigned long long)needed);
    return allowed;
}

static void release_when_idle(edda_gateway_t *gateway) {
    if (gateway->holding && edda_http_exchanges(gateway->http) == 0) {
        gateway->holding = false;
        edda_client_leave(gateway->client);
        edda_loop_release(gateway->loop);
    }
}

static void close_doors(void *context) {
    edda_gateway_t *gateway = context;
    edda_http_stop(gateway->http);
    gateway->stopped = true;
    release_when_idle(gateway);
}

static void begin_drain(void *context) {
    edda_gateway_t *gateway = context;
    gateway->draining = true;
    gateway->holding = true;
    edda_loop_hold(gateway->loop);
    gateway->grace =
        (struct edda_timer){.fire = close_doors, .context = gateway, .name = "gateway_grace"};
    edda_loop_timer_set(gateway->loop, &gateway->grace,
                        edda_loop_now(gateway->loop) +
                            edda_config_number(gateway->role->config, EDDA_CONFIG_GRACE_MS));
}

/* Once a turn: the last exchange of a drain is over only when its connection says so. */
static int64_t watch_drain(void *context) {
    edda_gateway_t *gateway = context;
    if (gateway->stopped && gateway->http) {
        release_when_idle(gateway);
    }
    return -1;
}

static int start_http(edda_gateway_t *gateway) {
    const edda_config_t *config = gateway->role->config;
    const char *message = NULL;
    struct edda_http_options options = {
        .loop = gateway->loop,
        .address = edda_config_text(config, EDDA_CONFIG_HTTP),
        .max_connections =
            allow_files((size_t)edda_config_number(config, EDDA_CONFIG_MAX_CONNECTIONS)),
        .buffered_bytes = (size_t)edda_config_number(config, EDDA_CONFIG_BUFFERED_BYTES),
        .header_ms = edda_config_number(config, EDDA_CONFIG_HEADER_MS),
        .body_ms = edda_config_number(config, EDDA_CONFIG_BODY_MS),
        .idle_ms = edda_config_number(config, EDDA_CONFIG_IDLE_MS),
        .visit_bytes = sizeof(struct edda_visit),
        .context = gateway,
        .begin = edda_visit_begin,
        .field = edda_visit_field,
        .end = edda_visit_end,
        .gone = edda_visit_gone,
        .late = edda_visit_late,
        .done = edda_visit_done,
    };
    int error = edda_http_new(&options, &gateway->http, &message);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "http_start", "address=%s error=\"%s\"", options.address, message);
    }
    return error;
}

static void prepare_cells(edda_gateway_t *gateway) {
    for (size_t i = 0; i < EDDA_ROUTE_COUNT; i++) {
        gateway->route_cells[i] =
            edda_metric_cell(EDDA_METRIC_HTTP_SECONDS, edda_route_at(i)->label);
    }
    gateway->route_cells[EDDA_ROUTE_COUNT] = edda_metric_cell(EDDA_METRIC_HTTP_SECONDS, "none");
}

static int start(edda_gateway_t *gateway) {
    const struct edda_role *role = gateway->role;
    const edda_config_t *config = role->config;
    struct edda_client_options client = {
        .loop = gateway->loop,
        .zmq_context = role->zmq_context,
        .brokers = role->connect,
        .broker_count = role->connect_count,
        .curve = role->curve,
        .role = "gateway",
        .name = role->name,
    };
    gateway->max_body_bytes = (size_t)edda_config_number(config, EDDA_CONFIG_MAX_BODY_BYTES);
    gateway->search_ms = (uint32_t)edda_config_number(config, EDDA_CONFIG_SEARCH_MS);
    gateway->chat_ms = (uint32_t)edda_config_number(config, EDDA_CONFIG_CHAT_MS);
    gateway->chat_ping_ms = (uint32_t)edda_config_number(config, EDDA_CONFIG_CHAT_PING_MS);
    gateway->chat_idle_ms = (uint32_t)edda_config_number(config, EDDA_CONFIG_CHAT_IDLE_MS);
    edda_buffer_init(&gateway->scratch, EDDA_MAX_FRAME_BYTES);
    edda_buffer_init(&gateway->providers, MAX_PROVIDERS_BYTES);
    prepare_cells(gateway);
    if (sodium_init() < 0) {
        return EDDA_E_INTERNAL;
    }
    gateway->keys = edda_keys_new(edda_config_text(config, EDDA_CONFIG_API_KEY));
    gateway->limiter = edda_limiter_new();
    gateway->limits = (struct edda_key_limits){
        .rate = (uint32_t)edda_config_number(config, EDDA_CONFIG_RATE),
        .concurrency = (uint32_t)edda_config_number(config, EDDA_CONFIG_CONCURRENCY),
    };
    gateway->status = edda_status_new(gateway);
    gateway->serving = edda_serving_new();
    gateway->pool = edda_pool_new(gateway->loop, "json", 1, POOL_QUEUE);
    gateway->client = edda_client_new(&client);
    if (!gateway->keys || !gateway->limiter || !gateway->status || !gateway->serving ||
        !gateway->pool || !gateway->client) {
        return EDDA_E_MEMORY;
    }
    int error = start_http(gateway);
    if (!error) {
        error = edda_loop_prepare(gateway->loop, watch_drain, gateway);
    }
    if (!error) {
        error = edda_loop_on_drain(gateway->loop, begin_drain, gateway);
    }
    return error;
}

/* The pool first: its results belong to visits. Then the client, which answers open calls; then
 * HTTP, whose exchanges end their visits; the status last, since visits may wait for it. */
static void stop(edda_gateway_t *gateway) {
    edda_loop_timer_cancel(gateway->loop, &gateway->grace);
    gateway->closing = true;
    edda_pool_destroy(&gateway->pool);
    edda_client_destroy(&gateway->client);
    edda_http_destroy(&gateway->http);
    edda_status_destroy(&gateway->status);
    edda_limiter_destroy(&gateway->limiter);
    edda_keys_destroy(&gateway->keys);
    edda_serving_destroy(&gateway->serving);
    edda_buffer_done(&gateway->scratch);
    edda_buffer_done(&gateway->providers);
    free(gateway);
}

int edda_gateway_main(edda_loop_t *loop, const struct edda_role *role) {
    edda_gateway_t *gateway = calloc(1, sizeof *gateway);
    if (!gateway) {
        return EDDA_E_MEMORY;
    }
    gateway->loop = loop;
    gateway->role = role;
    int error = start(gateway);
    if (!error) {
        role->ready(role->context, role->name, edda_http_url(gateway->http));
        error = edda_loop_run(loop);
    }
    stop(gateway);
    return error;
}
