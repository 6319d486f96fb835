/* gateway/metrics.c: /metrics in Prometheus text: this process's registry, then what the brokers
 * and the store say. The latter have names of their own (edda_pipeline_), because in one process
 * the registry already holds the broker's and the store's own figures. */
#include "gateway/status.h"
#include "gateway/write.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static double workers_of(const struct edda_service_status *service) {
    return service->workers;
}

static double queued_of(const struct edda_service_status *service) {
    return service->queued;
}

static double running_of(const struct edda_service_status *service) {
    return service->running;
}

static double oldest_of(const struct edda_service_status *service) {
    return service->oldest_ms / 1000.0;
}

static double done_of(const struct edda_service_status *service) {
    return (double)service->done;
}

static double failed_of(const struct edda_service_status *service) {
    return (double)service->failed;
}

static double requeued_of(const struct edda_service_status *service) {
    return (double)service->requeued;
}

static const struct {
    const char *name;
    const char *kind;
    const char *help;
    double (*value)(const struct edda_service_status *service);
} service_metrics[] = {
    {"edda_pipeline_workers", "gauge", "workers of a service, over all brokers", workers_of},
    {"edda_pipeline_queued", "gauge", "steps waiting for a worker", queued_of},
    {"edda_pipeline_running", "gauge", "steps with a worker", running_of},
    {"edda_pipeline_oldest_seconds", "gauge", "age of the oldest waiting step", oldest_of},
    {"edda_pipeline_done_total", "counter", "steps done since the brokers began", done_of},
    {"edda_pipeline_failed_total", "counter", "steps failed since the brokers began", failed_of},
    {"edda_pipeline_requeued_total", "counter", "steps given to another worker", requeued_of},
};

static void write_head(struct edda_buffer *out, const char *name, const char *kind,
                       const char *help) {
    (void)edda_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void write_services(struct edda_buffer *out, const struct edda_status_view *view) {
    for (size_t i = 0; i < sizeof service_metrics / sizeof *service_metrics; i++) {
        struct edda_text name;
        write_head(out, service_metrics[i].name, service_metrics[i].kind, service_metrics[i].help);
        for (size_t n = 0; edda_status_name(view, n, &name); n++) {
            struct edda_service_status service = edda_status_service(view, name);
            (void)edda_buffer_printf(out, "%s{service=\"%.*s\"} ", service_metrics[i].name,
                                     (int)name.size, name.data);
            edda_write_double(out, service_metrics[i].value(&service));
            EDDA_WRITE(out, "\n");
        }
    }
}

static void write_gauge(struct edda_buffer *out, const char *name, const char *help, double value) {
    write_head(out, name, "gauge", help);
    (void)edda_buffer_printf(out, "%s ", name);
    edda_write_double(out, value);
    EDDA_WRITE(out, "\n");
}

static void write_store(struct edda_buffer *out, const struct edda_store_statistics *statistics) {
    write_gauge(out, "edda_pipeline_memos", "memos", (double)statistics->memos);
    write_gauge(out, "edda_pipeline_memos_processing", "memos with work to do",
                (double)statistics->memos_processing);
    write_gauge(out, "edda_pipeline_memos_error", "memos given up",
                (double)statistics->memos_error);
    write_gauge(out, "edda_pipeline_chunks", "chunks", (double)statistics->chunks);
    write_gauge(out, "edda_pipeline_jobs_ready", "durable jobs waiting",
                (double)statistics->jobs_ready);
    write_gauge(out, "edda_pipeline_jobs_leased", "durable jobs leased",
                (double)statistics->jobs_leased);
    write_gauge(out, "edda_pipeline_jobs_dead", "durable jobs given up",
                (double)statistics->jobs_dead);
    write_gauge(out, "edda_pipeline_jobs_oldest_seconds", "age of the oldest waiting durable job",
                (double)statistics->oldest_ready_ms / 1000.0);
    write_gauge(out, "edda_pipeline_database_bytes", "size of the database",
                (double)statistics->database_bytes);
    write_gauge(out, "edda_pipeline_index_bytes", "memory of the search indexes",
                (double)statistics->index_bytes);
}

static void write_metrics(struct edda_visit *visit) {
    struct edda_buffer *out = edda_visit_out(visit);
    const struct edda_status_view *view = edda_status_view(visit->gateway->status);
    edda_metric_write(out);
    write_gauge(out, "edda_pipeline_brokers_live", "brokers this gateway hears",
                (double)edda_status_brokers_live(view));
    write_gauge(out, "edda_pipeline_store_up", "whether the store's database answers",
                view->store_answers);
    write_services(out, view);
    if (view->counted) {
        write_store(out, &view->statistics);
    }
    struct edda_http_response response = {
        .status = 200, .content_type = TEXT_TYPE, .cache_control = "no-cache"};
    edda_exchange_respond(visit->exchange, &response);
}

void edda_metrics(struct edda_visit *visit) {
    edda_status_want(visit->gateway->status, visit, write_metrics);
}
