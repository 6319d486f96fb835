/* gateway/health.c: /api/health, /livez, /readyz: each tells the truth about something else.
 *
 * Health: the store answers. Live: this process turns its loop. Ready: what a search needs is there
 * and nobody is shutting down; a load balancer sends traffic by it, so it fails first in a drain.
 */
#include "gateway/status.h"
#include "gateway/write.h"

#define HEALTHY "{\"status\":\"ok\",\"checks\":{\"database\":true}}"
#define SICK    "{\"status\":\"error\",\"checks\":{\"database\":false}}"
#define ALIVE   "{\"status\":\"ok\"}"

static void answer(struct edda_visit *visit, int status, struct edda_text body) {
    struct edda_http_response response = {
        .status = status,
        .cache_control = "no-cache",
        .tag = status == 200,
        .retry_after_s = status == 503 ? 2 : 0,
    };
    struct edda_bytes bytes = {(const uint8_t *)body.data, body.size};
    edda_exchange_respond_static(visit->exchange, &response, bytes);
}

static void take_pong(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_store_pong pong = {0};
    bool answered = !reply->error && reply->type == EDDA_BODY_STORE_PONG &&
                    edda_body_decode(reply->type, reply->body, &visit->arena, &pong) == 0;
    bool healthy = answered && pong.database;
    answer(visit, healthy ? 200 : 503, healthy ? EDDA_TEXT(HEALTHY) : EDDA_TEXT(SICK));
}

void edda_health(struct edda_visit *visit) {
    struct edda_step step = {.op = "store.ping", .type = EDDA_BODY_EMPTY};
    struct edda_request request = edda_visit_request(visit, &step, 1, 2000);
    request.project = EDDA_TEXT("default");
    if (edda_visit_try(visit, &request, take_pong) != 0) {
        answer(visit, 503, EDDA_TEXT(SICK));
    }
}

void edda_livez(struct edda_visit *visit) {
    answer(visit, 200, EDDA_TEXT(ALIVE));
}

static bool write_check(struct edda_buffer *out, const char *name, bool good) {
    (void)edda_buffer_printf(out, ",\"%s\":%s", name, good ? "true" : "false");
    return good;
}

static void write_ready(struct edda_visit *visit) {
    const edda_gateway_t *gateway = visit->gateway;
    const struct edda_status_view *view = edda_status_view(gateway->status);
    struct edda_buffer checks;
    bool ready = !gateway->draining;
    edda_buffer_init(&checks, 1024);
    ready &= write_check(&checks, "broker", edda_status_brokers_live(view) > 0);
    ready &= write_check(&checks, "store", view->store_answers);
    ready &= write_check(&checks, "embed", edda_status_service(view, EDDA_TEXT("embed")).workers);
    ready &= write_check(&checks, "rerank", edda_status_service(view, EDDA_TEXT("rerank")).workers);
    /* Documents wait durably without a chunker; searches need neither it nor an llm. */
    (void)write_check(&checks, "chunk", edda_status_service(view, EDDA_TEXT("chunk")).workers);
    (void)write_check(&checks, "llm", edda_status_service(view, EDDA_TEXT("llm")).workers);

    struct edda_buffer *out = edda_visit_out(visit);
    (void)edda_buffer_printf(out, "{\"status\":\"%s\",\"checks\":{\"draining\":%s",
                             ready ? "ready" : "not ready", gateway->draining ? "true" : "false");
    (void)edda_buffer_append(out, checks.data, checks.size);
    EDDA_WRITE(out, "}}");
    edda_buffer_done(&checks);
    struct edda_http_response response = {
        .status = ready ? 200 : 503,
        .cache_control = "no-cache",
        .retry_after_s = ready ? 0 : 2,
    };
    edda_exchange_respond(visit->exchange, &response);
}

void edda_readyz(struct edda_visit *visit) {
    edda_status_want(visit->gateway->status, visit, write_ready);
}
