/* broker/status.c: one pass over services and requests. */
#include "broker/status.h"

#include "broker/pending.h"

static double rate_of(const struct edda_service *service, int64_t now_ms) {
    if (service->mark_count == 0) {
        return 0;
    }
    uint32_t oldest =
        (service->mark_next + EDDA_RATE_MARKS - service->mark_count) % EDDA_RATE_MARKS;
    int64_t elapsed_ms = now_ms - service->marks[oldest].at_ms;
    uint64_t done = service->done - service->marks[oldest].done;
    return elapsed_ms <= 0 ? 0 : (double)done * 1000 / (double)elapsed_ms;
}

static void fill_service(const struct edda_core *core, struct edda_service *service,
                         struct edda_service_status *item) {
    *item = (struct edda_service_status){
        .name = edda_text_of(service->name),
        .model = edda_text_of(service->model),
        .workers = service->worker_count,
        .queued = service->queue.count,
        .queued_bytes = service->queue.bytes,
        .running = service->running,
        .done = service->done,
        .failed = service->failed,
        .requeued = service->requeued,
        .rate = rate_of(service, core->now_ms),
        .step_ms = service->step_ms,
    };
    for (uint32_t i = 0; i < service->worker_count; i++) {
        item->window += service->workers[i]->window;
    }
}

static void fill_ages(struct edda_core *core) {
    for (uint32_t slot = 0; slot < core->slot_high; slot++) {
        const struct edda_pending *pending = edda_pending_at(core, slot);
        if (pending->state != EDDA_PENDING_QUEUED) {
            continue;
        }
        struct edda_service_status *item =
            &core->status_items[edda_pending_service(pending)->index];
        int64_t age_ms = core->now_ms - pending->since_ms;
        if (age_ms > item->oldest_ms) {
            item->oldest_ms = (uint32_t)age_ms;
        }
    }
}

static uint64_t sum_of(const uint64_t *counts, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += counts[i];
    }
    return sum;
}

void edda_status_fill(struct edda_core *core, struct edda_broker_status *ret_status) {
    const struct edda_counters *counters = &core->counters;
    for (uint32_t i = 0; i < core->service_count; i++) {
        fill_service(core, &core->services[i], &core->status_items[i]);
    }
    fill_ages(core);
    *ret_status = (struct edda_broker_status){
        .broker = core->epoch,
        .uptime_ms = (uint64_t)(core->now_ms - core->began_ms),
        .peers = core->peer_count,
        .clients = core->peer_count - core->worker_count,
        .workers = core->worker_count,
        .admitted = counters->admitted,
        .ended = sum_of(counters->ended, EDDA_END_COUNT),
        .queued = core->queued,
        .running = core->running,
        .pending_bytes = core->pending_bytes,
        .refused = sum_of(counters->refused, EDDA_CORE_CODES),
        .late = counters->late,
        .resets = sum_of(counters->resets, EDDA_CORE_CODES),
        .draining = core->draining,
        .services = {core->status_items, core->service_count},
    };
}
