/* broker/service.c: the tables of services and ops, and the status that is told of them. */
#include "broker/service.h"

#include "broker/peers.h"
#include "broker/queue.h"

#define SMOOTHING 0.125 /* of moving averages, as TCP's */

_Static_assert(EDDA_CORE_SERVICES <= 64, "one bit each in core->dirty");

int edda_service_setup(struct edda_core *core) {
    core->ops = calloc(EDDA_CORE_OPS, sizeof(*core->ops));
    edda_table_init(&core->op_table, 2 * EDDA_CORE_OPS);
    return core->ops && core->op_table.entries ? 0 : EDDA_E_MEMORY;
}

void edda_service_teardown(struct edda_core *core) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        free(core->services[i].workers);
    }
    free(core->ops);
    edda_table_done(&core->op_table);
}

struct edda_service *edda_service_find(struct edda_core *core, struct edda_text name) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        if (edda_text_is(name, core->services[i].name)) {
            return &core->services[i];
        }
    }
    return NULL;
}

struct edda_op_entry *edda_service_op(struct edda_core *core, struct edda_text op, bool make) {
    uint32_t hash = edda_hash_bytes(op.data, op.size, 0);
    uint32_t place = hash;
    uint32_t index;
    while ((index = edda_table_next(&core->op_table, hash, &place)) != EDDA_TABLE_NONE) {
        if (edda_text_equal(edda_op_entry_name(&core->ops[index]), op)) {
            break;
        }
    }
    if (index == EDDA_TABLE_NONE) {
        if (!make || core->op_count == EDDA_CORE_OPS) {
            return NULL;
        }
        index = core->op_count++;
        struct edda_op_entry *entry = &core->ops[index];
        memcpy(entry->name, op.data, op.size);
        entry->name_size = op.size;
        entry->known = edda_op_find(op);
        edda_table_insert(&core->op_table, hash, index);
    }
    struct edda_op_entry *entry = &core->ops[index];
    if (!entry->service) {
        entry->service = edda_service_find(core, edda_op_service(op));
    }
    return entry;
}

static void copy_name(char place[EDDA_MAX_NAME + 1], struct edda_text name) {
    size_t size = name.size < EDDA_MAX_NAME ? name.size : EDDA_MAX_NAME;
    if (size > 0) {
        memcpy(place, name.data, size);
    }
    place[size] = '\0';
}

static struct edda_service *make_service(struct edda_core *core, struct edda_text name) {
    if (core->service_count == EDDA_CORE_SERVICES) {
        return NULL;
    }
    struct edda_service *service = &core->services[core->service_count];
    memset(service, 0, sizeof(*service));
    service->index = core->service_count++;
    service->gone_ms = core->began_ms;
    copy_name(service->name, name);
    edda_queue_init(&service->queue);
    edda_budget_init(&service->budget, core->now_ms);
    return service;
}

int edda_service_join(struct edda_core *core, struct edda_peer *worker,
                      const struct edda_hello_service *offer) {
    struct edda_service *service = edda_service_find(core, offer->name);
    for (uint32_t i = 0; i < worker->service_count; i++) {
        if (worker->services[i] == service) {
            return 0; /* named twice in one HELLO */
        }
    }
    service = service ? service : make_service(core, offer->name);
    if (!service || worker->service_count == EDDA_MAX_SERVICES) {
        return EDDA_E_LIMIT;
    }
    if (service->worker_count == service->worker_capacity) {
        uint32_t capacity = service->worker_capacity ? service->worker_capacity * 2 : 4;
        struct edda_peer **workers =
            realloc(service->workers, capacity * sizeof(struct edda_peer *));
        if (!workers) {
            return EDDA_E_MEMORY;
        }
        service->workers = workers;
        service->worker_capacity = capacity;
    }
    copy_name(service->model, offer->model);
    service->workers[service->worker_count++] = worker;
    service->ready_count++;
    worker->services[worker->service_count++] = service;
    edda_service_touch(core, service);
    return 0;
}

void edda_service_drain(struct edda_core *core, struct edda_peer *worker) {
    EDDA_ASSERT(worker->state == EDDA_PEER_LIVE);
    worker->state = EDDA_PEER_DRAINING;
    if (worker->held) {
        edda_service_unhold(core, worker->held);
    }
    for (uint32_t i = 0; i < worker->service_count; i++) {
        struct edda_service *service = worker->services[i];
        if (--service->ready_count == 0) {
            service->gone_ms = core->now_ms;
        }
        edda_service_touch(core, service); /* somebody may be alone now */
    }
}

void edda_service_leave(struct edda_core *core, struct edda_peer *worker) {
    EDDA_ASSERT(worker->state == EDDA_PEER_DRAINING && !worker->held);
    for (uint32_t i = 0; i < worker->service_count; i++) {
        struct edda_service *service = worker->services[i];
        uint32_t place = 0;
        while (service->workers[place] != worker) {
            place++;
        }
        service->workers[place] = service->workers[--service->worker_count];
        edda_service_touch(core, service);
    }
    worker->service_count = 0;
}

bool edda_service_is_gone(const struct edda_core *core, const struct edda_service *service) {
    return service->ready_count == 0 && edda_peers_waited(core, service->gone_ms);
}

struct edda_service *edda_service_of(struct edda_core *core, struct edda_text op) {
    const struct edda_op_entry *entry = edda_service_op(core, op, false);
    struct edda_service *service =
        entry ? entry->service : edda_service_find(core, edda_op_service(op));
    if (!service && edda_op_find(op) && !edda_peers_waited(core, core->began_ms)) {
        service = make_service(core, edda_op_service(op));
    }
    return service;
}

void edda_service_touch(struct edda_core *core, const struct edda_service *service) {
    core->dirty |= (uint64_t)1 << service->index;
}

void edda_service_touch_all_of(struct edda_core *core, const struct edda_peer *worker) {
    for (uint32_t i = 0; i < worker->service_count; i++) {
        edda_service_touch(core, worker->services[i]);
    }
}

void edda_service_hold(struct edda_core *core, struct edda_service *service,
                       struct edda_peer *worker) {
    EDDA_ASSERT(!service->held && !worker->held);
    (void)core;
    service->held = worker;
    worker->held = service;
}

void edda_service_unhold(struct edda_core *core, struct edda_service *service) {
    struct edda_peer *worker = service->held;
    if (worker) {
        service->held = NULL;
        worker->held = NULL;
        edda_service_touch(core, service);
        edda_service_touch_all_of(core, worker);
    }
}

static double smooth(double average, double value) {
    return average == 0 ? value : average + (value - average) * SMOOTHING;
}

void edda_service_observe(struct edda_service *service, struct edda_peer *worker,
                          int64_t elapsed_ms) {
    service->step_ms = smooth(service->step_ms, (double)elapsed_ms);
    worker->step_ms = smooth(worker->step_ms, (double)elapsed_ms);
}

static uint32_t window_of(const struct edda_service *service) {
    uint32_t window = 0;
    for (uint32_t i = 0; i < service->worker_count; i++) {
        window += service->workers[i]->window;
    }
    return window;
}

uint32_t edda_service_wait_of(const struct edda_service *service, uint8_t band) {
    uint32_t window = window_of(service);
    uint32_t before = 0;
    for (uint8_t i = 0; i <= band; i++) {
        before += service->queue.bands[i].count;
    }
    if (before == 0 || window == 0) {
        return 0;
    }
    double wait_ms = before * service->step_ms / window;
    return wait_ms > EDDA_MAX_TTL_MS ? EDDA_MAX_TTL_MS : (uint32_t)wait_ms;
}

uint32_t edda_service_wait_ms(const struct edda_service *service) {
    return edda_service_wait_of(service, EDDA_BANDS - 1);
}

void edda_service_mark(struct edda_core *core) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        struct edda_service *service = &core->services[i];
        uint32_t last = (service->mark_next + EDDA_RATE_MARKS - 1) % EDDA_RATE_MARKS;
        if (service->mark_count > 0 &&
            core->now_ms - service->marks[last].at_ms < EDDA_RATE_MARK_MS) {
            continue;
        }
        service->marks[service->mark_next].at_ms = core->now_ms;
        service->marks[service->mark_next].done = service->done;
        service->mark_next = (service->mark_next + 1) % EDDA_RATE_MARKS;
        if (service->mark_count < EDDA_RATE_MARKS) {
            service->mark_count++;
        }
    }
}
