/* actors/embedder/model_state.h: a model and its open calls, private to model.c and model_call.c.
 */
#ifndef EDDA_ACTORS_EMBEDDER_MODEL_STATE_H
#define EDDA_ACTORS_EMBEDDER_MODEL_STATE_H

#include "actors/embedder/model.h"
#include "actors/provider/api.h"
#include "actors/provider/provider.h"
#include "actors/runtime/deferred.h"
#include "actors/runtime/metric.h"

struct edda_embed_call;

struct edda_embed_model {
    struct edda_embed_model_options options;
    char name[EDDA_MAX_NAME + 1];
    struct edda_embed_limits limits;
    edda_provider_t *provider;
    edda_gather_t *gather;
    edda_cache_t *cache; /* NULL while the dimension is not known */
    uint32_t dimension;  /* 0: not known */
    struct edda_embed_call *calls;
    struct edda_deferred pump;
    struct edda_timer due;
    bool recovering; /* no answer since the provider was not asked */
    bool crowded;    /* the line of bulk is more than half full, and was not a quarter full since */
    uint32_t told;   /* the window on_change was last called for */
    edda_cell_t *batches;
    edda_cell_t *texts;
    edda_cell_t *wait;
};

/* Sends a batch that was taken; when that fails its wants are failed. */
void edda_embed_call_start(edda_embed_model_t *model, struct edda_gather_batch *batch);

/* All of them, without a word; their provider is gone. */
void edda_embed_call_free_all(edda_embed_model_t *model);

/* Takes what may go from the line, at the end of this phase of the loop. */
void edda_embed_model_pump(edda_embed_model_t *model);

/* A gather's hand for wants that fail; context is a struct edda_embed_refusal. */
struct edda_embed_refusal {
    edda_embed_model_t *model;
    struct edda_embed_failure failure;
};
void edda_embed_model_hand_failure(void *context, struct edda_gather_want *want, size_t index);

#endif
