/* gateway/metrics.c: /metrics in Prometheus text: this process's registry, then what the brokers
 * and the store say. The latter have names of their own (edda_pipeline_), because in one process
 * the registry already holds the broker's and the store's own figures. */
#include <inttypes.h>

#include "gateway/status.h"
#include "gateway/write.h"

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

static double uptime_of(const struct edda_broker_status *broker) {
    return (double)broker->uptime_ms / 1000.0;
}

static double clients_of(const struct edda_broker_status *broker) {
    return broker->clients;
}

static double broker_workers_of(const struct edda_broker_status *broker) {
    return broker->workers;
}

static double admitted_of(const struct edda_broker_status *broker) {
    return (double)broker->admitted;
}

static double ended_of(const struct edda_broker_status *broker) {
    return (double)broker->ended;
}

static double refused_of(const struct edda_broker_status *broker) {
    return (double)broker->refused;
}

static double late_of(const struct edda_broker_status *broker) {
    return (double)broker->late;
}

static double resets_of(const struct edda_broker_status *broker) {
    return (double)broker->resets;
}

static double pending_of(const struct edda_broker_status *broker) {
    return (double)broker->pending_bytes;
}

/* admitted = ended + queued + running, the latter two over all services. */
static const struct {
    const char *name;
    const char *kind;
    const char *help;
    double (*value)(const struct edda_broker_status *broker);
} broker_metrics[] = {
    {"edda_pipeline_broker_uptime_seconds", "gauge", "since the broker began", uptime_of},
    {"edda_pipeline_broker_clients", "gauge", "clients of a broker", clients_of},
    {"edda_pipeline_broker_workers", "gauge", "worker processes of a broker", broker_workers_of},
    {"edda_pipeline_broker_admitted_total", "counter", "requests admitted", admitted_of},
    {"edda_pipeline_broker_ended_total", "counter", "requests ended", ended_of},
    {"edda_pipeline_broker_refused_total", "counter", "requests refused at admission", refused_of},
    {"edda_pipeline_broker_late_total", "counter", "results of attempts that were over", late_of},
    {"edda_pipeline_broker_resets_total", "counter", "RESETs sent", resets_of},
    {"edda_pipeline_broker_pending_bytes", "gauge", "bodies a broker holds", pending_of},
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

static void write_labelled(struct edda_buffer *out, const char *name, size_t broker, double value) {
    (void)edda_buffer_printf(out, "%s{broker=\"%zu\"} ", name, broker);
    edda_write_double(out, value);
    EDDA_WRITE(out, "\n");
}

/* By their places in --connect: their URLs are nobody's business who has no key. */
static void write_brokers(struct edda_buffer *out, const struct edda_status_view *view) {
    write_head(out, "edda_pipeline_broker_up", "gauge", "whether a broker answers");
    for (size_t n = 0; n < view->broker_count; n++) {
        write_labelled(out, "edda_pipeline_broker_up", n, view->brokers[n].answered);
    }
    for (size_t i = 0; i < sizeof broker_metrics / sizeof *broker_metrics; i++) {
        write_head(out, broker_metrics[i].name, broker_metrics[i].kind, broker_metrics[i].help);
        for (size_t n = 0; n < view->broker_count; n++) {
            if (view->brokers[n].answered) {
                write_labelled(out, broker_metrics[i].name, n,
                               broker_metrics[i].value(&view->brokers[n].status));
            }
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
    write_head(out, "edda_http_unmetered_total", "counter",
               "requests of keys that the limiter had no place for");
    (void)edda_buffer_printf(out, "edda_http_unmetered_total %" PRIu64 "\n",
                             edda_limiter_unmetered(visit->gateway->limiter));
    write_gauge(out, "edda_pipeline_brokers_live", "brokers this gateway hears",
                (double)edda_status_brokers_live(view));
    write_gauge(out, "edda_pipeline_store_up", "whether the store's database answers",
                view->store_answers);
    write_brokers(out, view);
    write_services(out, view);
    if (view->counted) {
        write_store(out, &view->statistics);
    }
    struct edda_http_response response = {
        .status = 200, .content_type = EDDA_METRIC_TYPE, .cache_control = "no-cache"};
    edda_exchange_respond(visit->exchange, &response);
}

void edda_metrics(struct edda_visit *visit) {
    edda_status_want(visit->gateway->status, visit, write_metrics);
}
