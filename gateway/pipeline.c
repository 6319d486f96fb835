/* gateway/pipeline.c: GET /api/v1/pipeline: brokers, stages and durable jobs, as they are now. */
#include "gateway/status.h"
#include "gateway/write.h"

static void write_number(struct edda_buffer *out, const char *name, uint64_t number) {
    (void)edda_buffer_printf(out, ",\"%s\":", name);
    edda_write_unsigned(out, number);
}

static void write_real(struct edda_buffer *out, const char *name, double number) {
    (void)edda_buffer_printf(out, ",\"%s\":%.3f", name, number);
}

static void write_broker(struct edda_buffer *out, const char *url, bool answered,
                         const struct edda_broker_status *status) {
    EDDA_WRITE(out, "{\"url\":");
    edda_write_text(out, edda_text_of(url));
    EDDA_WRITE(out, ",\"live\":");
    edda_write_bool(out, answered);
    if (answered) {
        EDDA_WRITE(out, ",\"id\":");
        edda_write_uuid(out, &status->broker);
        EDDA_WRITE(out, ",\"draining\":");
        edda_write_bool(out, status->draining);
        write_number(out, "uptime_ms", status->uptime_ms);
        write_number(out, "peers", status->peers);
        write_number(out, "clients", status->clients);
        write_number(out, "workers", status->workers);
        write_number(out, "admitted", status->admitted);
        write_number(out, "ended", status->ended);
        write_number(out, "queued", status->queued);
        write_number(out, "running", status->running);
        write_number(out, "pending_bytes", status->pending_bytes);
        write_number(out, "refused", status->refused);
        write_number(out, "late", status->late);
        write_number(out, "resets", status->resets);
    }
    EDDA_WRITE(out, "}");
}

static void write_stage(struct edda_buffer *out, const struct edda_service_status *stage) {
    EDDA_WRITE(out, "{\"name\":");
    edda_write_text(out, stage->name);
    EDDA_WRITE(out, ",\"model\":");
    edda_write_text(out, stage->model.size > 0 ? stage->model : (struct edda_text){0});
    write_number(out, "workers", stage->workers);
    write_number(out, "window", stage->window);
    write_number(out, "queued", stage->queued);
    write_number(out, "queued_bytes", stage->queued_bytes);
    write_number(out, "oldest_ms", stage->oldest_ms);
    write_number(out, "in_flight", stage->running);
    write_number(out, "done", stage->done);
    write_number(out, "failed", stage->failed);
    write_number(out, "requeued", stage->requeued);
    write_real(out, "rate_per_second", stage->rate);
    write_real(out, "step_ms", stage->step_ms);
    EDDA_WRITE(out, "}");
}

static void write_store(struct edda_buffer *out, const struct edda_status_view *view) {
    const struct edda_store_statistics *statistics = &view->statistics;
    EDDA_WRITE(out, "{\"answers\":");
    edda_write_bool(out, view->store_answers);
    if (view->counted) {
        write_number(out, "projects", statistics->projects);
        write_number(out, "memos", statistics->memos);
        write_number(out, "memos_processing", statistics->memos_processing);
        write_number(out, "memos_error", statistics->memos_error);
        write_number(out, "chunks", statistics->chunks);
        write_number(out, "database_bytes", statistics->database_bytes);
        write_number(out, "index_bytes", statistics->index_bytes);
        EDDA_WRITE(out, ",\"jobs\":{\"ready\":");
        edda_write_unsigned(out, statistics->jobs_ready);
        write_number(out, "leased", statistics->jobs_leased);
        write_number(out, "dead", statistics->jobs_dead);
        write_number(out, "oldest_ready_ms", statistics->oldest_ready_ms);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "}");
}

static void write_pipeline(struct edda_visit *visit) {
    const edda_gateway_t *gateway = visit->gateway;
    const struct edda_status_view *view = edda_status_view(gateway->status);
    struct edda_buffer *out = edda_visit_out(visit);
    struct edda_text name;

    EDDA_WRITE(out, "{\"gateway\":{\"draining\":");
    edda_write_bool(out, gateway->draining);
    write_number(out, "connections", edda_http_connections(gateway->http));
    write_number(out, "requests", edda_http_exchanges(gateway->http));
    write_number(out, "buffered_bytes", edda_http_buffered(gateway->http));
    write_number(out, "open_calls", edda_client_open_calls(gateway->client));
    EDDA_WRITE(out, "},\"brokers\":[");
    for (size_t i = 0; i < view->broker_count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        write_broker(out, gateway->role->connect[i], view->brokers[i].answered,
                     &view->brokers[i].status);
    }
    EDDA_WRITE(out, "],\"stages\":[");
    for (size_t n = 0; edda_status_name(view, n, &name); n++) {
        struct edda_service_status stage = edda_status_service(view, name);
        (void)edda_buffer_append_text(out, n > 0 ? "," : "");
        write_stage(out, &stage);
    }
    EDDA_WRITE(out, "],\"store\":");
    write_store(out, view);
    EDDA_WRITE(out, "}");
    struct edda_http_response response = {.status = 200, .cache_control = "no-cache"};
    edda_exchange_respond(visit->exchange, &response);
}

void edda_pipeline(struct edda_visit *visit) {
    edda_status_want(visit->gateway->status, visit, write_pipeline);
}
