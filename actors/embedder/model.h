/* actors/embedder/model.h: one model of one provider: texts in, a vector for each.
 *
 *   find: known already --> a row
 *   ask --> gather.h --> a call of provider.h --> checked --> cache.h, on_row to all who want it
 *                           |                        \--> nonsense: tried again, then on_fail
 *                           +--> refused: in halves (gather.h); the text at fault: on_fail
 *
 * While the provider is not asked (its breaker is open, or it wants to be left alone) urgent texts
 * are failed at once; bulk waits when that takes less than EDDA_EMBED_PATIENCE_MS, else it is
 * failed too: EDDA_E_UNAVAILABLE, blame outside, and when to come again. edda_embed_model_window
 * says how many jobs make sense: 1 then (nobody sends bulk for that, but what is urgent is told so
 * at once), 2 until a first answer (so that one bulk job may try), else plenty. 1 as well while the
 * line is more than half full.
 *
 * The dimension is the one asked for, or else that of the first answer; an answer with another is
 * an error. Large answers are read on the pool's thread.
 *
 * Callbacks never come from within a function of this header but destroy's. Threads: the loop's,
 * except edda_embed_model_key. Limits: EDDA_EMBED_WAITING texts in line, of urgent and of bulk. */
#ifndef EDDA_ACTORS_EMBEDDER_MODEL_H
#define EDDA_ACTORS_EMBEDDER_MODEL_H

#include "actors/embedder/gather.h"
#include "actors/provider/account.h"
#include "actors/provider/outbound.h"
#include "actors/runtime/pool.h"
#include "proto/envelope.h"

#define EDDA_EMBED_WAITING       16384u
#define EDDA_EMBED_WAITING_BYTES ((size_t)64 * 1024 * 1024)
#define EDDA_EMBED_MODEL_CACHE   ((size_t)32 * 1024 * 1024)
#define EDDA_EMBED_PATIENCE_MS   2000
#define EDDA_EMBED_LOOP_BYTES    ((size_t)32 * 1024) /* a larger answer is read elsewhere */
#define EDDA_EMBED_URGENT_TRIES  2

typedef struct edda_embed_model edda_embed_model_t;

struct edda_embed_failure {
    int code;
    enum edda_blame blame;
    uint32_t retry_after_ms;
    const char *text;
};

struct edda_embed_model_options {
    edda_loop_t *loop;
    edda_outbound_t *outbound; /* borrowed */
    edda_pool_t *pool;         /* borrowed; gone before the model */
    struct edda_account account;
    uint32_t batch; /* most texts a call; 0: what the provider allows */
    uint32_t concurrency;
    uint32_t per_minute;
    size_t waiting; /* 0: EDDA_EMBED_WAITING */
    /* A want leaves the model by exactly one of these. row: lives for the call. They may ask and
     * forget. */
    void (*on_row)(struct edda_gather_want *want, const float *row, uint32_t dimension);
    void (*on_fail)(struct edda_gather_want *want, const struct edda_embed_failure *failure);
    edda_task_fn on_change; /* edda_embed_model_window is another now */
    void *context;          /* of on_change */
};

/* EDDA_E_LIMIT: the name of its vectors would be too long. EDDA_E_MEMORY. */
int edda_embed_model_new(const struct edda_embed_model_options *options,
                         edda_embed_model_t **ret_model) EDDA_MUST_CHECK;

/* Nobody may want anything of it any more. */
void edda_embed_model_destroy(edda_embed_model_t **self_p);

/* "openai:text-embedding-3-small"; and its dimension, 0 while nobody knows. */
const char *edda_embed_model_name(const edda_embed_model_t *self);
uint32_t edda_embed_model_dimension(const edda_embed_model_t *self);

/* Any thread. */
struct edda_cache_key edda_embed_model_key(const edda_embed_model_t *self, bool query,
                                           struct edda_text text);

/* What is known of a text; NULL: nothing. Borrowed until the loop turns. */
const float *edda_embed_model_find(edda_embed_model_t *self, const struct edda_cache_key *key);

/* Gets in line. EDDA_E_UNAVAILABLE (urgent, while the provider is not asked; *ret_failure says
 * more), EDDA_E_BUSY (no room in line), EDDA_E_MEMORY: no callback will come. */
int edda_embed_model_ask(edda_embed_model_t *self, enum edda_gather_class class, bool query,
                         struct edda_gather_want *wants, size_t count,
                         struct edda_embed_failure *ret_failure) EDDA_MUST_CHECK;

/* Nothing will come for these any more. */
void edda_embed_model_forget(edda_embed_model_t *self, struct edda_gather_want *wants,
                             size_t count);

/* How many jobs at once make sense now: 1..EDDA_MAX_WORKER_WINDOW. */
uint32_t edda_embed_model_window(const edda_embed_model_t *self);

/* Nothing waits and nothing is asked. */
bool edda_embed_model_idle(const edda_embed_model_t *self);

#endif
