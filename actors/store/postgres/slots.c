/* actors/store/postgres/slots.c: units to connections, by counting. */
#include "actors/store/postgres/slots.h"

void edda_slots_init(struct edda_slots *slots, unsigned count) {
    EDDA_ASSERT(count >= 1 && count <= EDDA_SLOTS_MOST);
    *slots = (struct edda_slots){.count = count};
}

/* Whether conversations may hold it. */
static bool may_hold(const struct edda_slots *slots, unsigned slot) {
    return slots->count == 1 || slot > 0;
}

static struct edda_slot *at(struct edda_slots *slots, unsigned slot) {
    EDDA_ASSERT(slot < slots->count);
    return &slots->items[slot];
}

/* ---- what happened ---- */

void edda_slots_arrived(struct edda_slots *slots, enum edda_slots_kind kind) {
    slots->waiting[kind]++;
}

static void leave_line(struct edda_slots *slots, enum edda_slots_kind kind) {
    EDDA_ASSERT(slots->waiting[kind] > 0);
    slots->waiting[kind]--;
    if (slots->turn > slots->waiting[EDDA_SLOTS_STATEMENT]) {
        slots->turn = (uint32_t)slots->waiting[EDDA_SLOTS_STATEMENT];
    }
}

void edda_slots_left(struct edda_slots *slots, enum edda_slots_kind kind) {
    leave_line(slots, kind);
}

void edda_slots_opened(struct edda_slots *slots, unsigned slot, int64_t now_ms) {
    EDDA_ASSERT(at(slots, slot)->state == EDDA_SLOT_OPENING);
    *at(slots, slot) = (struct edda_slot){.state = EDDA_SLOT_OPEN, .opened_ms = now_ms};
    edda_reconnect_succeeded(&slots->reconnect);
}

void edda_slots_failed(struct edda_slots *slots, unsigned slot, bool refused, int64_t now_ms,
                       uint32_t random) {
    EDDA_ASSERT(at(slots, slot)->state == EDDA_SLOT_OPENING);
    *at(slots, slot) = (struct edda_slot){.state = EDDA_SLOT_CLOSED};
    edda_reconnect_failed(&slots->reconnect, refused, now_ms, random);
}

void edda_slots_lost(struct edda_slots *slots, unsigned slot, int64_t now_ms, uint32_t random) {
    struct edda_slot *lost = at(slots, slot);
    EDDA_ASSERT(lost->state == EDDA_SLOT_OPEN || lost->state == EDDA_SLOT_HELD);
    int64_t stood_ms = now_ms - lost->opened_ms;
    *lost = (struct edda_slot){.state = EDDA_SLOT_CLOSED};
    edda_reconnect_lost(&slots->reconnect, stood_ms, now_ms, random);
}

void edda_slots_sent(struct edda_slots *slots, unsigned slot) {
    at(slots, slot)->batch = 0;
}

void edda_slots_answered(struct edda_slots *slots, unsigned slot) {
    EDDA_ASSERT(at(slots, slot)->state == EDDA_SLOT_OPEN && at(slots, slot)->running > 0);
    at(slots, slot)->running--;
}

void edda_slots_released(struct edda_slots *slots, unsigned slot) {
    EDDA_ASSERT(at(slots, slot)->state == EDDA_SLOT_HELD);
    at(slots, slot)->state = EDDA_SLOT_OPEN;
    if (slots->count == 1) {
        size_t waiting = slots->waiting[EDDA_SLOTS_STATEMENT];
        slots->turn = waiting < EDDA_SLOTS_DEPTH ? (uint32_t)waiting : EDDA_SLOTS_DEPTH;
    }
}

/* ---- what to do ---- */

/* Kept free for a conversation that waits: as many as wait, the least loaded of those that it may
 * have. They only drain while others fill, so the choice does not waver. */
static bool is_reserved(const struct edda_slots *slots, unsigned slot) {
    const struct edda_slot *self = &slots->items[slot];
    size_t before = 0;
    if (slots->waiting[EDDA_SLOTS_CONVERSATION] == 0 || slots->turn > 0 || !may_hold(slots, slot)) {
        return false;
    }
    for (unsigned i = 0; i < slots->count; i++) {
        const struct edda_slot *other = &slots->items[i];
        if (i != slot && may_hold(slots, i) && other->state == EDDA_SLOT_OPEN &&
            (other->running < self->running || (other->running == self->running && i < slot))) {
            before++;
        }
    }
    return before < slots->waiting[EDDA_SLOTS_CONVERSATION];
}

static bool give_conversation(struct edda_slots *slots, struct edda_slots_action *action) {
    if (slots->waiting[EDDA_SLOTS_CONVERSATION] == 0 || slots->turn > 0) {
        return false;
    }
    for (unsigned i = 0; i < slots->count; i++) {
        struct edda_slot *slot = &slots->items[i];
        if (may_hold(slots, i) && slot->state == EDDA_SLOT_OPEN && slot->running == 0) {
            slot->state = EDDA_SLOT_HELD;
            leave_line(slots, EDDA_SLOTS_CONVERSATION);
            *action = (struct edda_slots_action){EDDA_SLOTS_GIVE, EDDA_SLOTS_CONVERSATION, i};
            return true;
        }
    }
    return false;
}

/* A batch that is not full yet, for a small read; else the least loaded. */
static struct edda_slot *choose_open(struct edda_slots *slots, bool small) {
    struct edda_slot *best = NULL;
    for (unsigned i = 0; i < slots->count; i++) {
        struct edda_slot *slot = &slots->items[i];
        if (slot->state != EDDA_SLOT_OPEN || slot->running >= EDDA_SLOTS_DEPTH ||
            is_reserved(slots, i)) {
            continue;
        }
        if (small && slot->batch > 0) {
            return slot;
        }
        if (!best || slot->running < best->running) {
            best = slot;
        }
    }
    return best;
}

static bool give_statement(struct edda_slots *slots, bool small, struct edda_slots_action *action) {
    struct edda_slot *best =
        slots->waiting[EDDA_SLOTS_STATEMENT] > 0 ? choose_open(slots, small) : NULL;
    if (!best) {
        return false;
    }
    best->running++;
    best->batch = small ? (best->batch + 1) % EDDA_SLOTS_BATCH : best->batch;
    slots->turn -= slots->turn > 0;
    leave_line(slots, EDDA_SLOTS_STATEMENT);
    *action = (struct edda_slots_action){EDDA_SLOTS_GIVE, EDDA_SLOTS_STATEMENT,
                                         (unsigned)(best - slots->items)};
    return true;
}

/* Which to open, time aside; count: none. */
static unsigned choose_closed(const struct edda_slots *slots) {
    unsigned closed = slots->count; /* the first of those that are not always kept */
    unsigned opening = 0;
    unsigned opening_to_hold = 0;
    bool busy = true;
    for (unsigned i = 0; i < slots->count; i++) {
        const struct edda_slot *slot = &slots->items[i];
        if (slot->state == EDDA_SLOT_OPENING) {
            opening++;
            opening_to_hold += may_hold(slots, i);
        } else if (slot->state == EDDA_SLOT_CLOSED && closed == slots->count && i > 0) {
            closed = i;
        } else if (slot->state == EDDA_SLOT_OPEN && slot->running < EDDA_SLOTS_BUSY) {
            busy = false;
        }
    }
    if (slots->reconnect.failures > 0 && opening > 0) {
        return slots->count;
    }
    if (slots->items[0].state == EDDA_SLOT_CLOSED) {
        return 0;
    }
    if (slots->waiting[EDDA_SLOTS_CONVERSATION] > opening_to_hold || (busy && opening == 0)) {
        return closed;
    }
    return slots->count;
}

struct edda_slots_action edda_slots_next(struct edda_slots *slots, bool small, int64_t now_ms) {
    struct edda_slots_action action = {EDDA_SLOTS_NOTHING, EDDA_SLOTS_STATEMENT, 0};
    if (give_conversation(slots, &action) || give_statement(slots, small, &action)) {
        return action;
    }
    unsigned slot = choose_closed(slots);
    if (slot < slots->count && now_ms >= slots->reconnect.not_before_ms) {
        slots->items[slot].state = EDDA_SLOT_OPENING;
        action = (struct edda_slots_action){EDDA_SLOTS_OPEN, EDDA_SLOTS_STATEMENT, slot};
    }
    return action;
}

int64_t edda_slots_wake_ms(const struct edda_slots *slots) {
    return choose_closed(slots) < slots->count ? slots->reconnect.not_before_ms : INT64_MAX;
}

unsigned edda_slots_standing(const struct edda_slots *slots) {
    unsigned standing = 0;
    for (unsigned i = 0; i < slots->count; i++) {
        enum edda_slot_state state = slots->items[i].state;
        standing += state == EDDA_SLOT_OPEN || state == EDDA_SLOT_HELD;
    }
    return standing;
}
