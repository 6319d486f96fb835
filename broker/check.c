/* broker/check.c: every invariant counted from the lists, for tests. */
#include "broker/core.h"
#include "broker/pending.h"
#include "broker/pick.h"
#include "broker/state.h"

static void check_worker(const struct edda_peer *worker) {
    EDDA_ASSERT(worker->credit.sent_messages <= worker->credit.granted_messages);
    EDDA_ASSERT(worker->credit.sent_bytes <= worker->credit.granted_bytes);
    EDDA_ASSERT(!worker->solo || worker->running.count == 1);
    EDDA_ASSERT(!worker->held || worker->held->held == worker);
    for (struct edda_link *link = edda_list_first(&worker->running); link;
         link = edda_list_after(&worker->running, link)) {
        const struct edda_pending *pending = EDDA_ITEM(link, struct edda_pending, link);
        EDDA_ASSERT(pending->state == EDDA_PENDING_RUNNING && pending->worker == worker);
    }
}

static void check_client(const struct edda_client *client) {
    for (struct edda_link *link = edda_list_first(&client->open); link;
         link = edda_list_after(&client->open, link)) {
        const struct edda_pending *pending = EDDA_ITEM(link, struct edda_pending, client_link);
        EDDA_ASSERT(pending->client == client && pending->state != EDDA_PENDING_FREE);
    }
}

/* Nothing that waits could go (G10): neither a special job nor the head of a band by fairness. */
static void check_service(const struct edda_service *service) {
    uint32_t queued = 0;
    for (size_t i = 0; i < EDDA_BANDS; i++) {
        const struct edda_band *band = &service->queue.bands[i];
        uint32_t count = band->special.count;
        for (struct edda_link *link = edda_list_first(&band->special); link;
             link = edda_list_after(&band->special, link)) {
            EDDA_ASSERT(!edda_pick_worker(service, EDDA_ITEM(link, struct edda_pending, link)));
        }
        for (struct edda_link *link = edda_list_first(&band->flows); link;
             link = edda_list_after(&band->flows, link)) {
            const struct edda_flow *flow = EDDA_ITEM(link, struct edda_flow, link);
            const struct edda_link *first =
                edda_list_first(flow->begun.count > 0 ? &flow->begun : &flow->fresh);
            EDDA_ASSERT(first);
            count += flow->begun.count + flow->fresh.count;
            EDDA_ASSERT(!edda_pick_worker(service, EDDA_ITEM(first, struct edda_pending, link)));
        }
        EDDA_ASSERT(count == band->count);
        queued += count;
    }
    EDDA_ASSERT(queued == service->queue.count);
    EDDA_ASSERT(!service->held || service->queue.solo_count > 0);
}

void edda_core_check(const edda_core_t *self) {
    uint32_t running = 0;
    uint32_t queued = 0;
    uint32_t open = 0;
    uint64_t held_bytes = 0;
    for (uint32_t i = 0; i < self->peer_high; i++) {
        const struct edda_peer *peer = self->peers[i];
        if (peer && peer->side == EDDA_SIDE_BACK) {
            check_worker(peer);
            running += peer->running.count;
        }
    }
    for (uint32_t i = 0; i < self->client_high; i++) {
        if (self->clients[i].used) {
            check_client(&self->clients[i]);
            open += self->clients[i].open.count;
        }
    }
    for (uint32_t i = 0; i < self->service_count; i++) {
        check_service(&self->services[i]);
        queued += self->services[i].queue.count;
    }
    for (uint32_t slot = 0; slot < self->slot_high; slot++) {
        const struct edda_pending *pending = edda_pending_at(self, slot);
        if (pending->state != EDDA_PENDING_FREE) {
            held_bytes += pending->held_bytes;
        }
    }
    EDDA_ASSERT(running == self->running && queued == self->queued);
    EDDA_ASSERT(open == running + queued && held_bytes == self->pending_bytes);
}
