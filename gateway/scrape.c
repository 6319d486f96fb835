/* gateway/scrape.c: see scrape.h. */
#include "gateway/scrape.h"

#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "gateway/http.h"

#define SCRAPE_CONNECTIONS 16
#define SCRAPE_BODY        1024 /* none is wanted */
#define SCRAPE_MS          10000

static void begin(void *context, edda_exchange_t *exchange) {
    (void)context;
    edda_exchange_discard(exchange, SCRAPE_BODY);
}

static void field(void *context, edda_exchange_t *exchange, const struct edda_http_field *field) {
    (void)context;
    (void)exchange;
    (void)field;
}

static void end(void *context, edda_exchange_t *exchange) {
    const struct edda_http_head *head = edda_exchange_head(exchange);
    struct edda_http_response response = {.status = 404};
    (void)context;
    if (edda_text_is(head->path, "/metrics") &&
        (head->method == EDDA_METHOD_GET || head->method == EDDA_METHOD_HEAD)) {
        response = (struct edda_http_response){
            .status = 200, .content_type = EDDA_METRIC_TYPE, .cache_control = "no-cache"};
        edda_metric_write(edda_exchange_out(exchange));
    } else {
        (void)edda_buffer_append_text(edda_exchange_out(exchange),
                                      "{\"error\":\"Here is /metrics alone\"}");
    }
    edda_exchange_respond(exchange, &response);
}

static bool gone(void *context, edda_exchange_t *exchange) {
    (void)context;
    (void)exchange;
    return false;
}

static void nothing(void *context, edda_exchange_t *exchange) {
    (void)context;
    (void)exchange;
}

static void done(void *context, edda_exchange_t *exchange, int status) {
    (void)context;
    (void)exchange;
    (void)status;
}

int edda_scrape_main(edda_loop_t *loop, const struct edda_role *role) {
    edda_http_t *http = NULL;
    const char *message = NULL;
    const struct edda_http_options options = {
        .loop = loop,
        .address = edda_config_text(role->config, EDDA_CONFIG_METRICS),
        .max_connections = SCRAPE_CONNECTIONS,
        .buffered_bytes = SCRAPE_BODY,
        .header_ms = SCRAPE_MS,
        .body_ms = SCRAPE_MS,
        .idle_ms = SCRAPE_MS,
        .begin = begin,
        .field = field,
        .end = end,
        .gone = gone,
        .late = nothing,
        .done = done,
    };
    int error = edda_http_new(&options, &http, &message);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "metrics_start", "address=%s error=\"%s\"", options.address,
                 message);
        return error;
    }
    edda_log(EDDA_LOG_INFO, "metrics_shown", "url=%s/metrics", edda_http_url(http));
    role->ready(role->context, role->name, edda_http_url(http));
    error = edda_loop_run(loop);
    edda_http_destroy(&http);
    return error;
}
