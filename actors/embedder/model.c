/* actors/embedder/model.c: the line before a model, and how wide its embedder's window is. */
#include "actors/embedder/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/embedder/model_state.h"
#include "proto/limits.h"

#define MEMORY_MS 50 /* none was left for a batch: tried again */

/* ---- the line ---- */

void edda_embed_model_hand_failure(void *context, struct edda_gather_want *want, size_t index) {
    struct edda_embed_refusal *refusal = context;
    (void)index;
    refusal->model->options.on_fail(want, &refusal->failure);
}

static struct edda_embed_failure describe_outage(const edda_embed_model_t *self, int64_t wait_ms) {
    return (struct edda_embed_failure){.code = EDDA_E_UNAVAILABLE,
                                       .blame = EDDA_BLAME_OUTSIDE,
                                       .retry_after_ms = (uint32_t)wait_ms,
                                       .text = edda_provider_reason(self->provider)};
}

/* Those who cannot wait for a provider that is not asked now. */
static void drop_waiting(edda_embed_model_t *self, int64_t wait_ms) {
    struct edda_embed_refusal refusal = {self, describe_outage(self, wait_ms)};
    if (wait_ms > 0) {
        self->recovering = true;
        edda_gather_drop(self->gather, EDDA_GATHER_URGENT, edda_embed_model_hand_failure, &refusal);
    }
    if (wait_ms >= EDDA_EMBED_PATIENCE_MS) {
        edda_gather_drop(self->gather, EDDA_GATHER_BULK, edda_embed_model_hand_failure, &refusal);
    }
}

static void arm(edda_embed_model_t *self, uint32_t slots, int error) {
    int64_t due_ms = error ? edda_loop_now(self->options.loop) + MEMORY_MS
                           : edda_gather_due(self->gather, slots);
    if (due_ms == INT64_MAX) {
        edda_loop_timer_cancel(self->options.loop, &self->due);
    } else {
        edda_loop_timer_set(self->options.loop, &self->due, due_ms);
    }
}

static void note_window(edda_embed_model_t *self) {
    size_t waiting = edda_gather_waiting(self->gather, EDDA_GATHER_BULK);
    size_t most = self->options.waiting;
    self->crowded = waiting > most / 2 || (self->crowded && waiting > most / 4);
    uint32_t window = edda_embed_model_window(self);
    if (window != self->told) {
        self->told = window;
        self->options.on_change(self->options.context);
    }
}

static void pump_now(void *context) {
    edda_embed_model_t *self = context;
    struct edda_gather_batch *batch;
    int64_t wait_ms = 0;
    int error = 0;
    uint32_t slots = edda_provider_window(self->provider, &wait_ms);
    if (edda_provider_wants_probe(self->provider)) {
        /* One more of any class than those that hang or rest. */
        slots = (uint32_t)edda_gather_asked(self->gather) + 2;
    }
    drop_waiting(self, wait_ms);
    while ((batch = edda_gather_take(self->gather, slots, edda_loop_now(self->options.loop),
                                     &error)) != NULL) {
        edda_embed_call_start(self, batch);
    }
    arm(self, slots, error);
    note_window(self);
}

void edda_embed_model_pump(edda_embed_model_t *model) {
    edda_loop_defer(model->options.loop, &model->pump);
}

static void on_provider_change(void *context) {
    edda_embed_model_pump(context);
}

uint32_t edda_embed_model_window(const edda_embed_model_t *self) {
    uint64_t calls = edda_provider_window(self->provider, NULL);
    if (calls == 0 || self->crowded) {
        return 1;
    }
    if (self->recovering) {
        return 2;
    }
    /* Enough to fill every call with texts of a job each, and two that are being finished. */
    uint64_t jobs = calls * self->limits.items + 2;
    return jobs < EDDA_MAX_WORKER_WINDOW ? (uint32_t)jobs : EDDA_MAX_WORKER_WINDOW;
}

/* ---- asking ---- */

struct edda_cache_key edda_embed_model_key(const edda_embed_model_t *self, bool query,
                                           struct edda_text text) {
    return edda_cache_key(edda_text_of(self->name), self->options.account.dimension,
                          query ? EDDA_TEXT("query") : EDDA_TEXT("document"), text);
}

const float *edda_embed_model_find(edda_embed_model_t *self, const struct edda_cache_key *key) {
    return self->cache ? edda_cache_get(self->cache, key) : NULL;
}

int edda_embed_model_ask(edda_embed_model_t *self, enum edda_gather_class class, bool query,
                         struct edda_gather_want *wants, size_t count,
                         struct edda_embed_failure *ret_failure) {
    int64_t wait_ms = 0;
    (void)edda_provider_window(self->provider, &wait_ms);
    *ret_failure = describe_outage(self, wait_ms);
    if (wait_ms > (class == EDDA_GATHER_URGENT ? 0 : EDDA_EMBED_PATIENCE_MS - 1)) {
        return EDDA_E_UNAVAILABLE;
    }
    int error = edda_gather_add(self->gather, class, query, wants, count,
                                edda_loop_now(self->options.loop));
    if (!error) {
        edda_embed_model_pump(self);
    }
    return error;
}

void edda_embed_model_forget(edda_embed_model_t *self, struct edda_gather_want *wants,
                             size_t count) {
    edda_gather_forget(self->gather, wants, count);
}

/* ---- life ---- */

const char *edda_embed_model_name(const edda_embed_model_t *self) {
    return self->name;
}

uint32_t edda_embed_model_dimension(const edda_embed_model_t *self) {
    return self->dimension;
}

bool edda_embed_model_idle(const edda_embed_model_t *self) {
    return edda_gather_idle(self->gather);
}

static int open_model(edda_embed_model_t *self) {
    const struct edda_embed_model_options *options = &self->options;
    self->provider = edda_provider_new(&(struct edda_provider_options){
        .loop = options->loop,
        .outbound = options->outbound,
        .name = options->account.name,
        .concurrency = options->concurrency,
        .per_minute = options->per_minute,
        .on_change = on_provider_change,
        .context = self,
    });
    self->gather = edda_gather_new(&(struct edda_gather_limits){
        .items = self->limits.items,
        .tokens = self->limits.tokens,
        .bytes = self->limits.bytes,
        .item_bytes = self->limits.item_bytes,
        .waiting = options->waiting,
        .waiting_bytes = EDDA_EMBED_WAITING_BYTES,
    });
    if (!self->provider || !self->gather) {
        return EDDA_E_MEMORY;
    }
    self->told = edda_embed_model_window(self);
    return 0;
}

int edda_embed_model_new(const struct edda_embed_model_options *options,
                         edda_embed_model_t **ret_model) {
    edda_embed_model_t *self = calloc(1, sizeof *self);
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->options = *options;
    self->options.waiting = options->waiting > 0 ? options->waiting : EDDA_EMBED_WAITING;
    self->limits = edda_embed_limits(&options->account, options->batch);
    self->dimension = options->account.dimension;
    self->pump = (struct edda_deferred){.fire = pump_now, .context = self};
    self->due = (struct edda_timer){.fire = pump_now, .context = self, .name = "embed_gather"};
    self->batches = edda_metric_cell(EDDA_METRIC_EMBED_BATCHES, NULL);
    self->texts = edda_metric_cell(EDDA_METRIC_EMBED_TEXTS, "provider");
    self->wait = edda_metric_cell(EDDA_METRIC_EMBED_WAIT, NULL);
    int error = edda_account_vectors(&options->account, self->name);
    if (!error) {
        error = open_model(self);
    }
    if (error) {
        edda_embed_model_destroy(&self);
        return error;
    }
    *ret_model = self;
    return 0;
}

void edda_embed_model_destroy(edda_embed_model_t **self_p) {
    edda_embed_model_t *self = *self_p;
    if (!self) {
        return;
    }
    edda_provider_destroy(&self->provider);
    edda_embed_call_free_all(self);
    edda_gather_destroy(&self->gather);
    edda_cache_destroy(&self->cache);
    edda_deferred_cancel(&self->pump);
    edda_loop_timer_cancel(self->options.loop, &self->due);
    free(self);
    *self_p = NULL;
}
