/* broker/queue.c: bands, flows of projects, deficit round robin. */
#include "broker/queue.h"

#include "broker/service.h"

#define FLOW_TABLE_CAPACITY 16384

_Static_assert(FLOW_TABLE_CAPACITY >= 2 * EDDA_FLOWS, "probes stay short");

int edda_queue_setup(struct edda_core *core) {
    core->flows = calloc(EDDA_FLOWS, sizeof(*core->flows));
    core->free_flows = calloc(EDDA_FLOWS, sizeof(*core->free_flows));
    edda_table_init(&core->flow_table, FLOW_TABLE_CAPACITY);
    return core->flows && core->free_flows && core->flow_table.entries ? 0 : EDDA_E_MEMORY;
}

void edda_queue_teardown(struct edda_core *core) {
    free(core->flows);
    free(core->free_flows);
    edda_table_done(&core->flow_table);
}

void edda_queue_init(struct edda_queue *queue) {
    memset(queue, 0, sizeof(*queue));
    for (size_t i = 0; i < EDDA_BANDS; i++) {
        edda_list_init(&queue->bands[i].special);
        edda_list_init(&queue->bands[i].flows);
    }
}

static struct edda_flow *find_flow(const struct edda_core *core, const struct edda_service *service,
                                   uint8_t band, struct edda_text project, uint32_t hash) {
    uint32_t place = hash;
    uint32_t slot;
    while ((slot = edda_table_next(&core->flow_table, hash, &place)) != EDDA_TABLE_NONE) {
        struct edda_flow *flow = &core->flows[slot];
        struct edda_text name = {flow->project, flow->project_size};
        if (flow->service == service && flow->band == band && edda_text_equal(name, project)) {
            return flow;
        }
    }
    return NULL;
}

static struct edda_flow *make_flow(struct edda_core *core, struct edda_service *service,
                                   uint8_t band, struct edda_text project, uint32_t hash) {
    uint32_t slot =
        core->free_flow_count > 0 ? core->free_flows[--core->free_flow_count] : core->flow_high++;
    EDDA_ASSERT(slot < EDDA_FLOWS);
    struct edda_flow *flow = &core->flows[slot];
    memset(flow, 0, offsetof(struct edda_flow, project));
    edda_list_init(&flow->begun);
    edda_list_init(&flow->fresh);
    flow->service = service;
    flow->hash = hash;
    flow->slot = slot;
    flow->band = band;
    flow->project_size = project.size;
    if (project.size > 0) {
        memcpy(flow->project, project.data, project.size);
    }
    edda_table_insert(&core->flow_table, hash, slot);
    edda_list_push_back(&service->queue.bands[band].flows, &flow->link);
    return flow;
}

static uint32_t flow_hash(const struct edda_service *service, uint8_t band,
                          struct edda_text project) {
    return edda_hash_bytes(project.data, project.size, service->index * EDDA_BANDS + band + 1);
}

static struct edda_flow *flow_of(struct edda_core *core, struct edda_service *service,
                                 const struct edda_pending *pending) {
    struct edda_text project = pending->project;
    uint32_t hash = flow_hash(service, pending->band, project);
    struct edda_flow *flow = find_flow(core, service, pending->band, project, hash);
    if (flow) {
        return flow;
    }
    if (core->flow_table.count >= EDDA_MAX_PROJECTS_TRACKED) {
        project = (struct edda_text){0};
        hash = flow_hash(service, pending->band, project);
        flow = find_flow(core, service, pending->band, project, hash);
    }
    return flow ? flow : make_flow(core, service, pending->band, project, hash);
}

static void free_flow(struct edda_core *core, struct edda_flow *flow) {
    edda_list_remove(&flow->service->queue.bands[flow->band].flows, &flow->link);
    edda_table_remove(&core->flow_table, flow->hash, flow->slot);
    core->free_flows[core->free_flow_count++] = flow->slot;
}

static bool is_special(const struct edda_pending *pending) {
    return pending->avoids || pending->solo;
}

void edda_queue_push(struct edda_core *core, struct edda_pending *pending, enum edda_place place) {
    struct edda_service *service = edda_pending_service(pending);
    struct edda_band *band = &service->queue.bands[pending->band];
    if (is_special(pending)) {
        pending->flow = NULL;
        edda_list_push_back(&band->special, &pending->link);
        service->queue.solo_count += pending->solo;
    } else {
        pending->flow = flow_of(core, service, pending);
        pending->begun = place != EDDA_PLACE_FRESH;
        switch (place) {
        case EDDA_PLACE_FRESH:
            edda_list_push_back(&pending->flow->fresh, &pending->link);
            break;
        case EDDA_PLACE_BEGUN:
            edda_list_push_back(&pending->flow->begun, &pending->link);
            break;
        case EDDA_PLACE_HEAD:
            edda_list_push_front(&pending->flow->begun, &pending->link);
            break;
        }
    }
    if (band->count == 0) {
        band->since_ms = core->now_ms;
    }
    pending->queued_bytes = edda_pending_step_bytes(pending);
    band->count++;
    band->bytes += pending->queued_bytes;
    service->queue.count++;
    service->queue.bytes += pending->queued_bytes;
}

void edda_queue_remove(struct edda_core *core, struct edda_pending *pending) {
    struct edda_service *service = edda_pending_service(pending);
    struct edda_band *band = &service->queue.bands[pending->band];
    struct edda_flow *flow = pending->flow;
    band->count--;
    band->bytes -= pending->queued_bytes;
    service->queue.count--;
    service->queue.bytes -= pending->queued_bytes;
    if (!flow) {
        edda_list_remove(&band->special, &pending->link);
        if (pending->solo && --service->queue.solo_count == 0) {
            edda_service_unhold(core, service);
        }
        return;
    }
    edda_list_remove(pending->begun ? &flow->begun : &flow->fresh, &pending->link);
    pending->flow = NULL;
    if (flow->begun.count + flow->fresh.count == 0) {
        free_flow(core, flow);
    }
}

/* Lower is sooner. */
static int64_t rank_band(const struct edda_band *band, uint8_t index, int64_t now_ms) {
    int64_t rank = (int64_t)index - (now_ms - band->since_ms) / EDDA_AGING_MS;
    return rank < 0 ? 0 : rank;
}

void edda_queue_order(const struct edda_queue *queue, int64_t now_ms,
                      uint8_t ret_bands[EDDA_BANDS]) {
    int64_t ranks[EDDA_BANDS];
    for (uint8_t i = 0; i < EDDA_BANDS; i++) {
        const struct edda_band *band = &queue->bands[i];
        ranks[i] = band->count ? rank_band(band, i, now_ms) : INT64_MAX;
        uint8_t place = i;
        while (place > 0) {
            uint8_t other = ret_bands[place - 1];
            bool sooner =
                ranks[i] < ranks[other] || (ranks[i] == ranks[other] && band->count &&
                                            band->since_ms < queue->bands[other].since_ms);
            if (!sooner) {
                break;
            }
            ret_bands[place] = other;
            place--;
        }
        ret_bands[place] = i;
    }
}

static struct edda_pending *first_of(const struct edda_flow *flow) {
    struct edda_link *link = edda_list_first(&flow->begun);
    if (!link) {
        link = edda_list_first(&flow->fresh);
    }
    EDDA_ASSERT(link);
    return EDDA_ITEM(link, struct edda_pending, link);
}

static uint64_t cost_of(const struct edda_pending *pending) {
    return pending->queued_bytes > EDDA_QUANTUM_BYTES ? pending->queued_bytes : EDDA_QUANTUM_BYTES;
}

struct edda_pending *edda_queue_peek(struct edda_band *band) {
    struct edda_link *link;
    while ((link = edda_list_first(&band->flows)) != NULL) {
        struct edda_flow *flow = EDDA_ITEM(link, struct edda_flow, link);
        struct edda_pending *pending = first_of(flow);
        if (band->flows.count == 1 || flow->deficit_bytes >= cost_of(pending)) {
            return pending;
        }
        flow->deficit_bytes += EDDA_QUANTUM_BYTES;
        edda_list_remove(&band->flows, link);
        edda_list_push_back(&band->flows, link);
    }
    return NULL;
}

void edda_queue_charge(struct edda_core *core, struct edda_pending *pending) {
    struct edda_service *service = edda_pending_service(pending);
    service->queue.bands[pending->band].since_ms = core->now_ms;
    if (pending->flow) {
        uint64_t cost = cost_of(pending);
        uint64_t *deficit = &pending->flow->deficit_bytes;
        *deficit = *deficit > cost ? *deficit - cost : 0;
    }
}

bool edda_queue_has_room(const struct edda_queue *queue, uint8_t band, uint64_t bytes) {
    if (queue->count >= EDDA_MAX_QUEUE_MESSAGES || queue->bytes + bytes > EDDA_MAX_QUEUE_BYTES) {
        return false;
    }
    const struct edda_band *bulk = &queue->bands[EDDA_BAND_BULK];
    return band != EDDA_BAND_BULK || (bulk->count < EDDA_MAX_QUEUE_MESSAGES / 2 &&
                                      bulk->bytes + bytes <= EDDA_MAX_QUEUE_BYTES / 2);
}
