/* actors/embedder/model_call.c: one batch at the provider: built, sent, its answer looked at, and
 * what comes of it handed out. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/embedder/model_state.h"

#define BODY_EXTRA      ((size_t)16 * 1024) /* names, brackets */
#define BODY_EXTRA_ITEM 64
#define ESCAPED_BYTES   6 /* a byte as \u0000 */

struct edda_embed_call {
    struct edda_embed_call *next;
    struct edda_embed_call *previous;
    edda_embed_model_t *model;
    struct edda_gather_batch *batch;
    edda_provider_call_t *call;
    struct edda_api_request request;
    size_t count;
    uint32_t dimension;                /* wanted of the answer; 0: any */
    struct edda_bytes body;            /* owned: an answer that the pool's thread reads */
    int error;                         /* what it found */
    struct edda_embed_vectors vectors; /* of an answer that makes sense */
    const char *why;                   /* it does not; or NULL */
};

static void link_call(struct edda_embed_call *call) {
    call->next = call->model->calls;
    if (call->next) {
        call->next->previous = call;
    }
    call->model->calls = call;
}

static void free_call(struct edda_embed_call *call) {
    *(call->previous ? &call->previous->next : &call->model->calls) = call->next;
    if (call->next) {
        call->next->previous = call->previous;
    }
    edda_api_request_done(&call->request);
    edda_embed_vectors_done(&call->vectors);
    EDDA_ASSERT(!call->body.data); /* nobody reads it */
    free(call);
}

void edda_embed_call_free_all(edda_embed_model_t *model) {
    while (model->calls) {
        free_call(model->calls);
    }
}

/* ---- the answer ---- */

/* The first answer says what dimension the model has. */
static int take_dimension(struct edda_embed_call *call) {
    edda_embed_model_t *model = call->model;
    if (model->dimension == 0) {
        model->dimension = call->vectors.dimension;
    }
    if (call->vectors.dimension != model->dimension) {
        call->why = "a vector of another dimension";
        edda_embed_vectors_done(&call->vectors);
        return EDDA_E_FAILED;
    }
    if (!model->cache) {
        model->cache = edda_cache_new(EDDA_EMBED_MODEL_CACHE, model->dimension);
    }
    return 0;
}

static int parse(struct edda_embed_call *call, struct edda_bytes body) {
    call->why = NULL;
    return edda_embed_parse(&call->model->options.account, body, call->count, call->dimension,
                            &call->vectors, &call->why);
}

static void parse_pooled(void *context, unsigned thread_index) {
    struct edda_embed_call *call = context;
    (void)thread_index;
    call->error = parse(call, call->body);
}

static void forget_body(struct edda_embed_call *call) {
    free((uint8_t *)(uintptr_t)call->body.data);
    call->body = (struct edda_bytes){0};
}

static void end_parsing(void *context) {
    struct edda_embed_call *call = context;
    forget_body(call);
    edda_provider_checked(call->call, call->error ? call->error : take_dimension(call));
}

/* The pool's thread reads it, unless it has too much to do. */
static bool read_elsewhere(struct edda_embed_call *call, struct edda_bytes body) {
    uint8_t *copy = malloc(body.size);
    if (!copy) {
        return false;
    }
    memcpy(copy, body.data, body.size);
    call->body = (struct edda_bytes){copy, body.size};
    if (edda_pool_run(call->model->options.pool, parse_pooled, end_parsing, call) != 0) {
        forget_body(call);
        return false;
    }
    return true;
}

static int check(void *context, struct edda_bytes body) {
    struct edda_embed_call *call = context;
    call->dimension = call->model->dimension;
    if (body.size > EDDA_EMBED_LOOP_BYTES && read_elsewhere(call, body)) {
        return EDDA_E_AGAIN;
    }
    int error = parse(call, body);
    return error ? error : take_dimension(call);
}

static void hand_row(void *context, struct edda_gather_want *want, size_t index) {
    struct edda_embed_call *call = context;
    uint32_t dimension = call->vectors.dimension;
    call->model->options.on_row(want, call->vectors.values + index * dimension, dimension);
}

static void deliver(struct edda_embed_call *call) {
    edda_embed_model_t *model = call->model;
    uint32_t dimension = call->vectors.dimension;
    model->recovering = false;
    edda_cell_add(model->texts, call->count);
    for (size_t i = 0; i < call->count && model->cache; i++) {
        edda_cache_put(model->cache, edda_gather_key(call->batch, i),
                       call->vectors.values + i * dimension);
    }
    edda_gather_end(model->gather, &call->batch, hand_row, call);
}

static void fail(struct edda_embed_call *call, const struct edda_provider_reply *reply) {
    edda_embed_model_t *model = call->model;
    char text[EDDA_MAX_ERROR_TEXT + 1];
    struct edda_embed_refusal refusal = {
        model, {reply->error, reply->blame, reply->retry_after_ms, reply->text}};
    if (call->why && reply->blame == EDDA_BLAME_OUTSIDE && reply->error == EDDA_E_FAILED) {
        (void)snprintf(text, sizeof text, "%.400s: %s", reply->text, call->why);
        refusal.failure.text = text;
    }
    if (reply->blame == EDDA_BLAME_JOB) {
        edda_gather_refuse(model->gather, &call->batch,
                           reply->error == EDDA_E_LIMIT ? EDDA_GATHER_TOO_LARGE
                                                        : EDDA_GATHER_AT_FAULT,
                           edda_embed_model_hand_failure, &refusal);
    } else {
        edda_gather_end(model->gather, &call->batch, edda_embed_model_hand_failure, &refusal);
    }
}

static void on_done(void *context, const struct edda_provider_reply *reply) {
    struct edda_embed_call *call = context;
    edda_embed_model_t *model = call->model;
    call->call = NULL;
    if (reply->error) {
        fail(call, reply);
    } else {
        deliver(call);
    }
    free_call(call);
    edda_embed_model_pump(model);
}

/* ---- the request ---- */

static int build(struct edda_embed_call *call) {
    const struct edda_texts *texts = &call->batch->texts;
    size_t maximum = BODY_EXTRA;
    for (size_t i = 0; i < texts->count; i++) {
        maximum += texts->items[i].size * ESCAPED_BYTES + BODY_EXTRA_ITEM;
    }
    edda_api_request_init(&call->request, maximum);
    return edda_embed_build(&call->model->options.account, texts, call->batch->query,
                            &call->request);
}

static int send_call(struct edda_embed_call *call, int64_t *ret_wait_ms) {
    const edda_embed_model_t *model = call->model;
    bool bulk = call->batch->class == EDDA_GATHER_BULK;
    struct edda_provider_request request = {
        .method = "POST",
        .url = call->request.url,
        .headers = call->request.header_list,
        .body = edda_buffer_bytes(&call->request.body),
        .response_maximum = model->limits.response_bytes,
        .deadline_ms = call->batch->deadline_ms,
        .bulk = bulk,
        .tries = bulk ? 0 : EDDA_EMBED_URGENT_TRIES,
        .patience_ms = bulk ? EDDA_EMBED_PATIENCE_MS - 1 : 0,
        .check = check,
        .on_done = on_done,
        .context = call,
    };
    return edda_provider_send(model->provider, &request, &call->call, ret_wait_ms);
}

static enum edda_blame blame_of(int error) {
    return error == EDDA_E_UNAVAILABLE || error == EDDA_E_INVALID ? EDDA_BLAME_OUTSIDE
                                                                  : EDDA_BLAME_WORKER;
}

static void refuse_batch(edda_embed_model_t *model, struct edda_gather_batch *batch, int error,
                         int64_t wait_ms) {
    struct edda_embed_refusal refusal = {
        model,
        {error, blame_of(error), (uint32_t)wait_ms,
         error == EDDA_E_UNAVAILABLE ? edda_provider_reason(model->provider) : NULL}};
    edda_gather_end(model->gather, &batch, edda_embed_model_hand_failure, &refusal);
}

void edda_embed_call_start(edda_embed_model_t *model, struct edda_gather_batch *batch) {
    struct edda_embed_call *call = calloc(1, sizeof *call);
    int64_t wait_ms = 0;
    if (!call) {
        refuse_batch(model, batch, EDDA_E_MEMORY, 0);
        return;
    }
    call->model = model;
    call->batch = batch;
    call->count = batch->texts.count;
    link_call(call);
    if (batch->since_ms > 0) {
        int64_t waited_ms = edda_loop_now(model->options.loop) - batch->since_ms;
        edda_cell_observe(model->wait, (double)waited_ms / 1e3);
    }
    int error = build(call);
    if (!error) {
        error = send_call(call, &wait_ms);
    }
    if (error) {
        free_call(call);
        refuse_batch(model, batch, error, wait_ms);
    } else {
        edda_cell_add(model->batches, 1);
    }
}
