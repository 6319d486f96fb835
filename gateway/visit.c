/* gateway/visit.c: the order of checks, and the end of a visit. */
#include "gateway/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "gateway/status.h"
#include "gateway/upload.h"
#include "gateway/visit_internal.h"
#include "proto/uuid.h"

#define ARENA_MAXIMUM  ((size_t)16 * 1024 * 1024)
#define MAX_REQUEST_ID 64

static bool starts_with(struct edda_text text, const char *start) {
    size_t size = strlen(start);
    return text.size >= size && strncasecmp(text.data, start, size) == 0;
}

static bool is_json(struct edda_text content_type) {
    return starts_with(content_type, "application/json");
}

/* A client's own id is kept when it is short and plain. */
static struct edda_text choose_request_id(struct edda_visit *visit, struct edda_text wanted) {
    bool plain = wanted.size > 0 && wanted.size <= MAX_REQUEST_ID;
    for (size_t i = 0; plain && i < wanted.size; i++) {
        unsigned char byte = (unsigned char)wanted.data[i];
        plain = byte > 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
    }
    if (plain) {
        memcpy(visit->request_id, wanted.data, wanted.size);
        visit->request_id[wanted.size] = '\0';
        return (struct edda_text){visit->request_id, wanted.size};
    }
    struct edda_uuid uuid = edda_uuid_new();
    edda_uuid_format(&uuid, visit->request_id);
    return (struct edda_text){visit->request_id, EDDA_UUID_TEXT - 1};
}

static bool needs_key(const struct edda_visit *visit, const struct edda_http_head *head) {
    if (visit->route) {
        return !(visit->route->flags & EDDA_ROUTE_OPEN);
    }
    return edda_route_guarded(head->path);
}

void turn_away_until(struct edda_visit *visit, int status, const char *text,
                     uint32_t retry_after_s) {
    struct edda_http_response response = {
        .status = status, .deny = status == 401, .retry_after_s = retry_after_s};
    /* Before the end there is nothing to respond to yet. */
    if (!edda_exchange_ended(visit->exchange)) {
        edda_exchange_refuse(visit->exchange, status, text, retry_after_s);
        return;
    }
    struct edda_buffer *out = edda_visit_out(visit);
    (void)edda_buffer_printf(out, "{\"error\":\"%s\"}", text);
    edda_exchange_respond(visit->exchange, &response);
}

void turn_away(struct edda_visit *visit, int status, const char *text) {
    turn_away_until(visit, status, text, 0);
}

static void take_body(struct edda_visit *visit) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    size_t maximum = visit->gateway->max_body_bytes + EDDA_BODY_ALLOWANCE;
    if (visit->multipart) {
        edda_upload_begin(visit);
        if (!edda_exchange_answered(visit->exchange)) {
            edda_exchange_multipart(visit->exchange, maximum);
        }
    } else if (is_json(head->content_type)) {
        edda_exchange_collect(visit->exchange, maximum);
    } else {
        edda_exchange_discard(visit->exchange, maximum);
    }
}

/* The key is good and the body still to come. */
static void continue_begin(struct edda_visit *visit) {
    if (!visit->route) {
        turn_away(visit, 404, "Not found");
        return;
    }
    take_body(visit);
    if (!edda_exchange_answered(visit->exchange)) {
        edda_exchange_continue(visit->exchange);
    }
}

void edda_visit_begin(void *context, edda_exchange_t *exchange) {
    edda_gateway_t *gateway = context;
    const struct edda_http_head *head = edda_exchange_head(exchange);
    struct edda_visit *visit = edda_exchange_visit(exchange);

    *visit = (struct edda_visit){
        .gateway = gateway, .exchange = exchange, .ticket = EDDA_LIMITER_NO_TICKET};
    visit->begun_us = edda_clock_us();
    edda_arena_init(&visit->arena, ARENA_MAXIMUM);
    edda_trace_child(head->traceparent, visit->traceparent);
    struct edda_text trace = {visit->traceparent, EDDA_TRACEPARENT - 1};
    edda_exchange_identify(exchange, choose_request_id(visit, head->request_id),
                           edda_trace_id(trace));
    if (head->malformed) {
        return;
    }
    visit->route = edda_route_find(head->method, head->path, &visit->id);
    visit->multipart = visit->route && (visit->route->flags & EDDA_ROUTE_UPLOAD) &&
                       starts_with(head->content_type, "multipart/form-data");
    if (head->content_length == 0) {
        return;
    }
    bool large = head->content_length < 0 || head->content_length > EDDA_UNKEYED_BODY_BYTES;
    bool over = head->content_length > (int64_t)(gateway->max_body_bytes + EDDA_BODY_ALLOWANCE);
    if (!over && needs_key(visit, head) && (large || visit->multipart)) {
        edda_exchange_hold(exchange);
        check_key(visit, continue_begin);
    } else {
        take_body(visit);
    }
}

void edda_visit_field(void *context, edda_exchange_t *exchange,
                      const struct edda_http_field *field) {
    (void)context;
    edda_upload_field(edda_exchange_visit(exchange), field);
}

static void handle(struct edda_visit *visit) {
    if (!visit->route) {
        turn_away(visit, 404, "Not found");
        return;
    }
    edda_exchange_deadline(visit->exchange, visit->deadline_ms);
    visit->route->handle(visit);
}

static void handle_keyed(struct edda_visit *visit) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    if (needs_key(visit, head) && !visit->keyed) {
        check_key(visit, handle);
    } else {
        handle(visit);
    }
}

uint32_t time_of(const struct edda_visit *visit) {
    if (visit->route && visit->route->name == EDDA_ROUTE_SEARCH) {
        return visit->gateway->search_ms;
    }
    return visit->route && visit->route->name == EDDA_ROUTE_CHAT ? visit->gateway->chat_ms
                                                                 : EDDA_CALL_TTL_MS;
}

void edda_visit_end(void *context, edda_exchange_t *exchange) {
    edda_gateway_t *gateway = context;
    struct edda_visit *visit = edda_exchange_visit(exchange);
    visit->deadline_ms = edda_loop_now(gateway->loop) + time_of(visit);
    if (edda_exchange_body(exchange).size > 0) {
        read_body(visit, handle_keyed);
    } else {
        handle_keyed(visit);
    }
}

bool edda_visit_gone(void *context, edda_exchange_t *exchange) {
    struct edda_visit *visit = edda_exchange_visit(exchange);
    (void)context;
    if (visit->parsing || !visit->route || (visit->route->flags & EDDA_ROUTE_KEEP)) {
        return false;
    }
    edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "gone", 1);
    return true; /* done, which follows, cancels its call */
}

/* Nothing that was asked for it is to come back to it. */
static void let_go(struct edda_visit *visit) {
    if (visit->call) {
        edda_client_cancel(visit->gateway->client, &visit->call);
    }
    if (visit->waiting) {
        edda_status_forget(visit->gateway->status, visit);
    }
    if (visit->drop) {
        visit->drop(visit);
        visit->drop = NULL;
    }
}

/* Its calls have deadlines of their own, so this is for an answer that never came. */
void edda_visit_late(void *context, edda_exchange_t *exchange) {
    struct edda_visit *visit = edda_exchange_visit(exchange);
    (void)context;
    if (visit->parsing) {
        return;
    }
    let_go(visit);
    edda_visit_error(visit, EDDA_E_EXPIRED, NULL);
}

static void count_status(edda_gateway_t *gateway, int status) {
    char label[8];
    if (status <= 0 || status >= 600) {
        status = 499;
    }
    if (!gateway->status_cells[status]) {
        (void)snprintf(label, sizeof label, "%d", status);
        gateway->status_cells[status] = edda_metric_cell(EDDA_METRIC_HTTP_REQUESTS, label);
    }
    edda_cell_add(gateway->status_cells[status], 1);
}

static void count_visit(struct edda_visit *visit, int status) {
    edda_gateway_t *gateway = visit->gateway;
    int64_t spent_us = edda_clock_us() - visit->begun_us;
    size_t index = visit->route ? visit->route->name : EDDA_ROUTE_COUNT;
    count_status(gateway, status);
    edda_cell_observe(gateway->route_cells[index], (double)spent_us / 1e6);
    edda_log(EDDA_LOG_DEBUG, "http", "route=%s status=%d ms=%.1f project=%s request_id=%s",
             visit->route ? visit->route->label : "none", status, (double)spent_us / 1e3,
             visit->project, visit->request_id);
}

void edda_visit_done(void *context, edda_exchange_t *exchange, int status) {
    edda_gateway_t *gateway = context;
    struct edda_visit *visit = edda_exchange_visit(exchange);
    EDDA_ASSERT(!visit->parsing);
    count_visit(visit, status);
    let_go(visit);
    edda_limiter_leave(gateway->limiter, visit->ticket);
    if (visit->key_entered) {
        edda_idempotency_leave(&gateway->running, &visit->key);
    }
    json_decref(visit->json);
    edda_arena_done(&visit->arena);
}
