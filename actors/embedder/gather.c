/* actors/embedder/gather.c: the batches made of the lines, and what goes next. */
#include "actors/embedder/gather.h"

#include <stdlib.h>

#include "actors/embedder/gather_state.h"

static void push_batch(struct edda_gather_batches *list, struct edda_gather_batch *batch) {
    batch->next = NULL;
    batch->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = batch;
    list->last = batch;
    list->count++;
}

static void remove_batch(struct edda_gather_batches *list, struct edda_gather_batch *batch) {
    *(batch->previous ? &batch->previous->next : &list->first) = batch->next;
    *(batch->next ? &batch->next->previous : &list->last) = batch->previous;
    list->count--;
}

static void free_batch(struct edda_gather_batch *batch) {
    free(batch->items);
    free(batch->texts.items);
    free(batch);
}

static void push_range(struct edda_gather_batch *batch, size_t from, size_t to) {
    EDDA_ASSERT(batch->range_count < sizeof batch->ranges / sizeof batch->ranges[0]);
    batch->ranges[batch->range_count++] = (struct edda_gather_range){from, to};
}

static void note_deadline(struct edda_gather_batch *batch, const struct edda_gather_item *item) {
    for (const struct edda_gather_want *want = item->first; want; want = want->next) {
        batch->deadline_ms =
            want->deadline_ms > batch->deadline_ms ? want->deadline_ms : batch->deadline_ms;
    }
}

/* The next range becomes what is asked, without the texts that nobody wants. False: nothing is
 * left of the batch. */
static bool begin_range(edda_gather_t *self, struct edda_gather_batch *batch) {
    batch->texts.count = 0;
    batch->deadline_ms = 0;
    while (batch->texts.count == 0 && batch->range_count > 0) {
        struct edda_gather_range range = batch->ranges[--batch->range_count];
        batch->from = range.from;
        for (size_t i = range.from; i < range.to; i++) {
            struct edda_gather_item *item = batch->items[i];
            if (item->first) {
                size_t at = batch->texts.count++;
                batch->items[range.from + at] = item;
                batch->texts.items[at] = item->first->text;
                note_deadline(batch, item);
            } else {
                edda_gather_free_item(self, item);
            }
        }
    }
    return batch->texts.count > 0;
}

/* What was asked has been handed out: the rest of the batch gets in line, or the batch is over. */
static void end_range(edda_gather_t *self, struct edda_gather_batch *batch) {
    batch->texts.count = 0;
    if (batch->range_count > 0) {
        batch->since_ms = 0;
        push_batch(&self->halves[batch->class], batch);
    } else {
        free_batch(batch);
    }
}

static struct edda_gather_batch *take_back(edda_gather_t *self,
                                           struct edda_gather_batch **batch_p) {
    struct edda_gather_batch *batch = *batch_p;
    *batch_p = NULL;
    remove_batch(&self->asked[batch->class], batch);
    return batch;
}

static void hand_range(edda_gather_t *self, struct edda_gather_batch *batch, edda_gather_fn hand,
                       void *context) {
    for (size_t i = 0; i < batch->texts.count; i++) {
        edda_gather_hand_item(self, batch->items[batch->from + i], i, hand, context);
    }
    end_range(self, batch);
}

void edda_gather_end(edda_gather_t *self, struct edda_gather_batch **batch_p, edda_gather_fn hand,
                     void *context) {
    hand_range(self, take_back(self, batch_p), hand, context);
}

const struct edda_cache_key *edda_gather_key(const struct edda_gather_batch *batch, size_t i) {
    EDDA_ASSERT(i < batch->texts.count);
    return &batch->items[batch->from + i]->key;
}

/* ---- refusals ---- */

/* How many of what was asked are wanted still, and whether by more than one owner. */
static size_t count_wanted(const struct edda_gather_batch *batch, bool *ret_several) {
    const void *owner = NULL;
    size_t count = 0;
    *ret_several = false;
    for (size_t i = 0; i < batch->texts.count; i++) {
        const struct edda_gather_want *want = batch->items[batch->from + i]->first;
        count += want != NULL;
        for (; want; want = want->next) {
            *ret_several = *ret_several || (owner && want->owner != owner);
            owner = want->owner;
        }
    }
    return count;
}

static unsigned most_refusals(const struct edda_gather_batch *batch) {
    unsigned halvings = 0;
    while (((size_t)1 << halvings) < batch->count) {
        halvings++;
    }
    return 2 * halvings + 2;
}

void edda_gather_refuse(edda_gather_t *self, struct edda_gather_batch **batch_p,
                        enum edda_gather_refusal refusal, edda_gather_fn hand, void *context) {
    struct edda_gather_batch *batch = take_back(self, batch_p);
    size_t end = batch->from + batch->texts.count;
    bool several;
    size_t wanted = count_wanted(batch, &several);
    bool again = wanted > 0 && (wanted > 1 || wanted < batch->texts.count);
    if (refusal == EDDA_GATHER_AT_FAULT) {
        batch->refusals++;
        again = again && (several || wanted < batch->texts.count) &&
                batch->refusals <= most_refusals(batch);
    }
    if (!again) {
        hand_range(self, batch, hand, context);
    } else if (wanted < batch->texts.count) {
        push_range(batch, batch->from, end); /* what nobody wants may have been the reason */
        end_range(self, batch);
    } else {
        /* The first half on top: texts keep their order. */
        size_t middle = batch->from + (wanted + 1) / 2;
        push_range(batch, middle, end);
        push_range(batch, batch->from, middle);
        end_range(self, batch);
    }
}

static void drop_halves(edda_gather_t *self, struct edda_gather_batch *batch, edda_gather_fn hand,
                        void *context) {
    while (batch->range_count > 0) {
        struct edda_gather_range range = batch->ranges[--batch->range_count];
        for (size_t i = range.from; i < range.to; i++) {
            edda_gather_hand_item(self, batch->items[i], 0, hand, context);
        }
    }
    free_batch(batch);
}

void edda_gather_drop(edda_gather_t *self, enum edda_gather_class class, edda_gather_fn hand,
                      void *context) {
    struct edda_gather_batches *halves = &self->halves[class];
    while (halves->first) {
        struct edda_gather_batch *batch = halves->first;
        remove_batch(halves, batch);
        drop_halves(self, batch, hand, context);
    }
    for (size_t query = 0; query < 2; query++) {
        while (self->lanes[class][query].first) {
            edda_gather_hand_item(self, self->lanes[class][query].first, 0, hand, context);
        }
    }
}

/* ---- what goes next ---- */

static bool has_slot(const edda_gather_t *self, enum edda_gather_class class, uint32_t slots) {
    size_t bulk = self->asked[EDDA_GATHER_BULK].count;
    bool kept = class == EDDA_GATHER_BULK && slots > 1 && bulk + 1 >= slots;
    return edda_gather_asked(self) < slots && !kept;
}

static bool is_full(const edda_gather_t *self, const struct edda_gather_lane *lane) {
    const struct edda_gather_limits *limits = &self->limits;
    return lane->count >= limits->items || lane->bytes >= limits->bytes ||
           (limits->tokens > 0 && lane->tokens >= limits->tokens);
}

/* The lane of the class that may go now, the one with the older text of two. */
static struct edda_gather_lane *choose_lane(edda_gather_t *self, enum edda_gather_class class,
                                            int64_t now_ms) {
    struct edda_gather_lane *chosen = NULL;
    for (size_t query = 0; query < 2; query++) {
        struct edda_gather_lane *lane = &self->lanes[class][query];
        bool ready = lane->first && (self->asked[class].count == 0 || is_full(self, lane) ||
                                     now_ms - lane->first->since_ms >= EDDA_GATHER_WAIT_MS);
        if (ready && (!chosen || lane->first->since_ms < chosen->first->since_ms)) {
            chosen = lane;
        }
    }
    return chosen;
}

/* How many of the lane's first texts fit into one batch; at least one. */
static size_t measure_batch(const edda_gather_t *self, const struct edda_gather_lane *lane) {
    const struct edda_gather_limits *limits = &self->limits;
    uint64_t bytes = 0;
    uint64_t tokens = 0;
    size_t count = 0;
    for (const struct edda_gather_item *item = lane->first; item && count < limits->items;
         item = item->next) {
        bytes += item->bytes;
        tokens += item->tokens;
        bool over = bytes > limits->bytes || (limits->tokens > 0 && tokens > limits->tokens);
        if (over && count > 0) {
            break;
        }
        count++;
    }
    return count;
}

static struct edda_gather_batch *make_batch(edda_gather_t *self, struct edda_gather_lane *lane) {
    size_t count = measure_batch(self, lane);
    struct edda_gather_batch *batch = calloc(1, sizeof *batch);
    if (batch) {
        batch->items = malloc(count * sizeof(struct edda_gather_item *));
        batch->texts.items = malloc(count * sizeof *batch->texts.items);
    }
    if (!batch || !batch->items || !batch->texts.items) {
        if (batch) {
            free_batch(batch);
        }
        return NULL;
    }
    batch->class = lane->first->class;
    batch->query = lane->first->query;
    batch->since_ms = lane->first->since_ms;
    while (batch->count < count) {
        struct edda_gather_item *item = lane->first;
        edda_gather_leave_lane(self, item);
        batch->items[batch->count++] = item;
    }
    push_range(batch, 0, count);
    bool some = begin_range(self, batch);
    EDDA_ASSERT(some); /* a lane holds only what is wanted */
    return batch;
}

static struct edda_gather_batch *take_half(edda_gather_t *self, enum edda_gather_class class) {
    struct edda_gather_batches *halves = &self->halves[class];
    while (halves->first) {
        struct edda_gather_batch *batch = halves->first;
        remove_batch(halves, batch);
        if (begin_range(self, batch)) {
            return batch;
        }
        free_batch(batch);
    }
    return NULL;
}

static bool has_waiting(const edda_gather_t *self, enum edda_gather_class class) {
    return self->halves[class].count > 0 || edda_gather_waiting(self, class) > 0;
}

static struct edda_gather_batch *take_of(edda_gather_t *self, enum edda_gather_class class,
                                         uint32_t slots, int64_t now_ms, int *ret_error) {
    if (!has_slot(self, class, slots)) {
        return NULL;
    }
    struct edda_gather_batch *batch = take_half(self, class);
    struct edda_gather_lane *lane = batch ? NULL : choose_lane(self, class, now_ms);
    if (lane) {
        batch = make_batch(self, lane);
        *ret_error = batch ? 0 : EDDA_E_MEMORY;
    }
    if (batch) {
        push_batch(&self->asked[class], batch);
        bool passed = class == EDDA_GATHER_URGENT && has_waiting(self, EDDA_GATHER_BULK);
        self->turns = passed ? self->turns + 1 : 0;
    }
    return batch;
}

struct edda_gather_batch *edda_gather_take(edda_gather_t *self, uint32_t slots, int64_t now_ms,
                                           int *ret_error) {
    bool bulk_first = self->turns >= EDDA_GATHER_TURNS;
    struct edda_gather_batch *batch = NULL;
    *ret_error = 0;
    for (unsigned i = 0; i < EDDA_GATHER_CLASSES && !batch && !*ret_error; i++) {
        enum edda_gather_class class =
            (i == 0) != bulk_first ? EDDA_GATHER_URGENT : EDDA_GATHER_BULK;
        batch = take_of(self, class, slots, now_ms, ret_error);
    }
    return batch;
}

int64_t edda_gather_due(const edda_gather_t *self, uint32_t slots) {
    int64_t due_ms = INT64_MAX;
    for (unsigned class = 0; class < EDDA_GATHER_CLASSES; class ++) {
        for (size_t query = 0; query < 2; query++) {
            const struct edda_gather_lane *lane = &self->lanes[class][query];
            if (lane->first && has_slot(self, class, slots) &&
                lane->first->since_ms + EDDA_GATHER_WAIT_MS < due_ms) {
                due_ms = lane->first->since_ms + EDDA_GATHER_WAIT_MS;
            }
        }
    }
    return due_ms;
}

/* ---- life ---- */

size_t edda_gather_waiting(const edda_gather_t *self, enum edda_gather_class class) {
    return self->lanes[class][false].count + self->lanes[class][true].count;
}

size_t edda_gather_waiting_bytes(const edda_gather_t *self, enum edda_gather_class class) {
    return self->lanes[class][false].bytes + self->lanes[class][true].bytes;
}

size_t edda_gather_asked(const edda_gather_t *self) {
    return self->asked[EDDA_GATHER_URGENT].count + self->asked[EDDA_GATHER_BULK].count;
}

bool edda_gather_idle(const edda_gather_t *self) {
    return edda_gather_asked(self) == 0 && !has_waiting(self, EDDA_GATHER_URGENT) &&
           !has_waiting(self, EDDA_GATHER_BULK);
}

edda_gather_t *edda_gather_new(const struct edda_gather_limits *limits) {
    EDDA_ASSERT(limits->items > 0 && limits->bytes > 0);
    edda_gather_t *self = calloc(1, sizeof *self);
    if (self) {
        self->limits = *limits;
    }
    return self;
}

static void let_go(void *context, struct edda_gather_want *want, size_t index) {
    (void)context;
    (void)want;
    (void)index;
}

void edda_gather_destroy(edda_gather_t **self_p) {
    edda_gather_t *self = *self_p;
    if (!self) {
        return;
    }
    for (unsigned class = 0; class < EDDA_GATHER_CLASSES; class ++) {
        while (self->asked[class].first) {
            struct edda_gather_batch *batch = self->asked[class].first;
            edda_gather_end(self, &batch, let_go, NULL);
        }
        edda_gather_drop(self, class, let_go, NULL);
    }
    free(self);
    *self_p = NULL;
}
