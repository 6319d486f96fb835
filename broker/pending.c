/* broker/pending.c: slabs of records, a free list, a table by id, and the door between states. */
#include "broker/pending.h"

#include "broker/emit.h"

#define SLAB_RECORDS   64
#define SLABS          (EDDA_MAX_PENDING / SLAB_RECORDS)
#define TABLE_CAPACITY (2 * EDDA_MAX_PENDING)

int edda_pending_setup(struct edda_core *core) {
    core->slabs = calloc(SLABS, sizeof(*core->slabs));
    core->due_ms = calloc(EDDA_MAX_PENDING, sizeof(*core->due_ms));
    core->free_slots = calloc(EDDA_MAX_PENDING, sizeof(*core->free_slots));
    edda_table_init(&core->pending_table, TABLE_CAPACITY);
    bool made = core->slabs && core->due_ms && core->free_slots && core->pending_table.entries;
    return made ? 0 : EDDA_E_MEMORY;
}

void edda_pending_teardown(struct edda_core *core) {
    for (size_t i = 0; core->slabs && i < SLABS; i++) {
        free(core->slabs[i]);
    }
    free(core->slabs);
    free(core->due_ms);
    free(core->free_slots);
    edda_table_done(&core->pending_table);
}

struct edda_pending *edda_pending_at(const struct edda_core *core, uint32_t slot) {
    return &core->slabs[slot / SLAB_RECORDS][slot % SLAB_RECORDS];
}

static struct edda_pending *take_slot(struct edda_core *core) {
    if (core->free_count > 0) {
        return edda_pending_at(core, core->free_slots[--core->free_count]);
    }
    if (core->slot_high == EDDA_MAX_PENDING) {
        return NULL;
    }
    struct edda_pending **slab = &core->slabs[core->slot_high / SLAB_RECORDS];
    if (!*slab) {
        *slab = calloc(SLAB_RECORDS, sizeof(**slab));
        if (!*slab) {
            return NULL;
        }
    }
    uint32_t slot = core->slot_high++;
    struct edda_pending *pending = edda_pending_at(core, slot);
    pending->slot = slot;
    return pending;
}

/* Appends size bytes to the record's own text and moves *used on. NULL stays NULL. */
static const void *keep_bytes(struct edda_pending *pending, size_t *used, const void *data,
                              size_t size) {
    if (!data) {
        return NULL;
    }
    EDDA_ASSERT(size <= EDDA_PENDING_TEXT - *used);
    char *place = pending->text + *used;
    memcpy(place, data, size);
    *used += size;
    return place;
}

static void copy_envelope(struct edda_pending *pending, const struct edda_envelope *envelope) {
    size_t used = 0;
    pending->id = envelope->id;
    pending->priority = envelope->priority;
    pending->band = edda_band_of(envelope->priority);
    pending->retries = envelope->retries;
    pending->flags = envelope->flags;
    pending->solo = (envelope->flags & EDDA_FLAG_SOLO) != 0;
    pending->fence = envelope->fence;
    pending->project.data =
        keep_bytes(pending, &used, envelope->project.data, envelope->project.size);
    pending->project.size = envelope->project.size;
    pending->traceparent.data =
        keep_bytes(pending, &used, envelope->traceparent.data, envelope->traceparent.size);
    pending->traceparent.size = envelope->traceparent.size;
    pending->tracestate.data =
        keep_bytes(pending, &used, envelope->tracestate.data, envelope->tracestate.size);
    pending->tracestate.size = envelope->tracestate.size;
    pending->idempotency.data =
        keep_bytes(pending, &used, envelope->idempotency.data, envelope->idempotency.size);
    pending->idempotency.size = envelope->idempotency.size;
}

struct edda_pending *edda_pending_new(struct edda_core *core,
                                      const struct edda_envelope *envelope) {
    struct edda_pending *pending = take_slot(core);
    if (!pending) {
        return NULL;
    }
    uint32_t slot = pending->slot;
    memset(pending, 0, offsetof(struct edda_pending, steps));
    pending->slot = slot;
    copy_envelope(pending, envelope);
    pending->hash = edda_hash_uuid(&pending->id);
    edda_table_insert(&core->pending_table, pending->hash, slot);
    return pending;
}

struct edda_pending *edda_pending_find(const struct edda_core *core, const struct edda_uuid *id) {
    uint32_t hash = edda_hash_uuid(id);
    uint32_t place = hash;
    uint32_t slot;
    while ((slot = edda_table_next(&core->pending_table, hash, &place)) != EDDA_TABLE_NONE) {
        struct edda_pending *pending = edda_pending_at(core, slot);
        if (edda_uuid_equal(&pending->id, id)) {
            return pending;
        }
    }
    return NULL;
}

void edda_pending_enter(struct edda_core *core, struct edda_pending *pending,
                        enum edda_pending_state state) {
    EDDA_ASSERT(pending->state != state);
    switch ((enum edda_pending_state)pending->state) {
    case EDDA_PENDING_FREE:
        EDDA_ASSERT(state == EDDA_PENDING_QUEUED);
        break;
    case EDDA_PENDING_QUEUED:
        core->queued--;
        break;
    case EDDA_PENDING_RUNNING:
        core->running--;
        edda_pending_service(pending)->running--;
        break;
    }
    switch (state) {
    case EDDA_PENDING_FREE:
        break;
    case EDDA_PENDING_QUEUED:
        core->queued++;
        break;
    case EDDA_PENDING_RUNNING:
        core->running++;
        edda_pending_service(pending)->running++;
        break;
    }
    pending->state = (uint8_t)state;
    pending->since_ms = core->now_ms;
    edda_pending_due(core, pending);
}

void edda_pending_due(struct edda_core *core, struct edda_pending *pending) {
    int64_t due_ms = INT64_MAX;
    if (pending->state != EDDA_PENDING_FREE) {
        due_ms = pending->deadline_ms;
        if (pending->state == EDDA_PENDING_RUNNING && pending->step_deadline_ms < due_ms) {
            due_ms = pending->step_deadline_ms;
        }
    }
    core->due_ms[pending->slot] = due_ms;
}

void edda_pending_free(struct edda_core *core, struct edda_pending *pending) {
    EDDA_ASSERT(pending->state == EDDA_PENDING_FREE);
    EDDA_ASSERT(!pending->link.next && !pending->client_link.next);
    for (uint8_t i = 0; i < pending->step_count; i++) {
        edda_pending_drop(core, pending, &pending->steps[i].arguments);
    }
    edda_pending_drop(core, pending, &pending->input);
    EDDA_ASSERT(pending->held_bytes == 0);
    core->due_ms[pending->slot] = INT64_MAX;
    edda_table_remove(&core->pending_table, pending->hash, pending->slot);
    core->free_slots[core->free_count++] = pending->slot;
}

void edda_pending_hold(struct edda_core *core, struct edda_pending *pending, struct edda_body *body,
                       const struct edda_event *event, size_t index) {
    const struct edda_body_descriptor *descriptor = &event->message->envelope.bodies[index];
    *body = (struct edda_body){event->bodies[index], descriptor->bytes, descriptor->type,
                               descriptor->version};
    event->bodies[index] = NULL;
    pending->held_bytes += body->bytes;
    core->pending_bytes += body->bytes;
}

void edda_pending_drop(struct edda_core *core, struct edda_pending *pending,
                       struct edda_body *body) {
    pending->held_bytes -= body->bytes;
    core->pending_bytes -= body->bytes;
    edda_emit_release(core, body);
}
