/* actors/embedder/gather_line.c: texts in line, and who wants them. */
#include <stdlib.h>

#include "actors/embedder/gather_state.h"

static struct edda_gather_item **find_head(edda_gather_t *self, const struct edda_cache_key *key) {
    uint32_t bits;
    memcpy(&bits, key->bytes, sizeof bits); /* a digest: any bits of it will do */
    return &self->index[bits & (EDDA_GATHER_HEADS - 1)];
}

static struct edda_gather_item *find_item(edda_gather_t *self, enum edda_gather_class class,
                                          const struct edda_cache_key *key) {
    struct edda_gather_item *item = *find_head(self, key);
    while (item && (item->class != class || memcmp(&item->key, key, sizeof *key) != 0)) {
        item = item->chain;
    }
    return item;
}

static void unindex(edda_gather_t *self, struct edda_gather_item *item) {
    struct edda_gather_item **link = find_head(self, &item->key);
    while (*link != item) {
        link = &(*link)->chain;
    }
    *link = item->chain;
}

static struct edda_gather_lane *lane_of(edda_gather_t *self, const struct edda_gather_item *item) {
    return &self->lanes[item->class][item->query];
}

static void enter_lane(edda_gather_t *self, struct edda_gather_item *item) {
    struct edda_gather_lane *lane = lane_of(self, item);
    item->waiting = true;
    item->previous = lane->last;
    *(lane->last ? &lane->last->next : &lane->first) = item;
    lane->last = item;
    lane->count++;
    lane->bytes += item->bytes;
    lane->tokens += item->tokens;
}

void edda_gather_leave_lane(edda_gather_t *self, struct edda_gather_item *item) {
    struct edda_gather_lane *lane = lane_of(self, item);
    item->waiting = false;
    *(item->previous ? &item->previous->next : &lane->first) = item->next;
    *(item->next ? &item->next->previous : &lane->last) = item->previous;
    item->next = item->previous = NULL;
    lane->count--;
    lane->bytes -= item->bytes;
    lane->tokens -= item->tokens;
}

/* What of it is asked. */
static uint32_t measure_text(const edda_gather_t *self, const struct edda_gather_want *want) {
    uint32_t most = self->limits.item_bytes;
    return want->text.size < most ? (uint32_t)want->text.size : most;
}

static struct edda_gather_item *make_item(edda_gather_t *self, enum edda_gather_class class,
                                          bool query, const struct edda_gather_want *want,
                                          int64_t now_ms) {
    struct edda_gather_item *item = calloc(1, sizeof *item);
    if (!item) {
        return NULL;
    }
    struct edda_gather_item **head = find_head(self, &want->key);
    item->key = want->key;
    item->class = class;
    item->query = query;
    item->bytes = measure_text(self, want);
    item->tokens = want->tokens;
    item->since_ms = now_ms;
    item->chain = *head;
    *head = item;
    enter_lane(self, item);
    return item;
}

void edda_gather_free_item(edda_gather_t *self, struct edda_gather_item *item) {
    if (item->waiting) {
        edda_gather_leave_lane(self, item);
    }
    unindex(self, item);
    free(item);
}

/* ---- wants ---- */

static void link_want(struct edda_gather_item *item, struct edda_gather_want *want) {
    want->item = item;
    want->next = NULL;
    want->previous = item->last;
    *(item->last ? &item->last->next : &item->first) = want;
    item->last = want;
}

static void unlink_want(struct edda_gather_want *want) {
    struct edda_gather_item *item = want->item;
    *(want->previous ? &want->previous->next : &item->first) = want->next;
    *(want->next ? &want->next->previous : &item->last) = want->previous;
    want->item = NULL;
    want->next = want->previous = NULL;
}

int edda_gather_add(edda_gather_t *self, enum edda_gather_class class, bool query,
                    struct edda_gather_want *wants, size_t count, int64_t now_ms) {
    uint64_t bytes = edda_gather_waiting_bytes(self, class);
    for (size_t i = 0; i < count; i++) {
        EDDA_ASSERT(!wants[i].item);
        bytes += measure_text(self, &wants[i]);
    }
    if (edda_gather_waiting(self, class) + count > self->limits.waiting ||
        bytes > self->limits.waiting_bytes) {
        return EDDA_E_BUSY;
    }
    for (size_t i = 0; i < count; i++) {
        struct edda_gather_item *item = find_item(self, class, &wants[i].key);
        if (!item) {
            item = make_item(self, class, query, &wants[i], now_ms);
        }
        if (!item) {
            edda_gather_forget(self, wants, i);
            return EDDA_E_MEMORY;
        }
        link_want(item, &wants[i]);
    }
    return 0;
}

void edda_gather_forget(edda_gather_t *self, struct edda_gather_want *wants, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct edda_gather_item *item = wants[i].item;
        if (item) {
            unlink_want(&wants[i]);
            if (!item->first && item->waiting) {
                edda_gather_free_item(self, item);
            }
        }
    }
}

void edda_gather_hand_item(edda_gather_t *self, struct edda_gather_item *item, size_t index,
                           edda_gather_fn hand, void *context) {
    if (item->waiting) {
        edda_gather_leave_lane(self, item);
    }
    unindex(self, item);
    while (item->first) {
        struct edda_gather_want *want = item->first;
        unlink_want(want);
        hand(context, want, index);
    }
    free(item);
}
