/* gateway/retrieval.c: the route is made anew for every try, from what is known to be there. */
#include "gateway/retrieval.h"

#include "actors/runtime/log.h"
#include "gateway/serving.h"
#include "gateway/status.h"
#include "proto/body_stage.h"

#define MAX_STEPS 4

static int64_t left_ms(const struct edda_visit *visit) {
    return visit->deadline_ms - edda_loop_now(visit->gateway->loop);
}

/* What ends it here. step: the one that is to blame. */
static void give_up(struct edda_visit *visit, int error, unsigned step) {
    struct edda_reply reply = {
        .error = error,
        .detail = {.code = error,
                   .blame = EDDA_BLAME_OUTSIDE,
                   .text = edda_text_of(edda_error_text(error))},
        .step = step,
    };
    visit->retrieval->on_reply(visit, &reply);
}

bool edda_retrieval_then_failed(const struct edda_retrieval *retrieval,
                                const struct edda_reply *reply) {
    return retrieval->then && reply->step >= retrieval->then_step;
}

static unsigned workers_of(const struct edda_visit *visit, struct edda_text service) {
    return edda_status_service(edda_status_view(visit->gateway->status), service).workers;
}

/* With what is missing known, the route that is left. */
static void send_without(struct edda_visit *visit) {
    struct edda_retrieval *retrieval = visit->retrieval;
    retrieval->without_reranker = workers_of(visit, EDDA_TEXT("rerank")) == 0;
    if (workers_of(visit, EDDA_TEXT("embed")) == 0) {
        retrieval->without_embedder = true;
    }
    if (workers_of(visit, EDDA_TEXT("store")) == 0) {
        give_up(visit, EDDA_E_NO_SERVICE, 0);
    } else if (retrieval->then &&
               workers_of(visit, edda_op_service(edda_text_of(retrieval->then))) == 0) {
        give_up(visit, EDDA_E_NO_SERVICE, retrieval->then_step);
    } else if (left_ms(visit) < EDDA_RETRIEVAL_MINIMUM_MS) {
        give_up(visit, EDDA_E_EXPIRED, 0);
    } else {
        edda_retrieval_send(visit, retrieval);
    }
}

static bool may_be_helped(int error) {
    switch (error) {
    case EDDA_E_NO_SERVICE:
    case EDDA_E_UNAVAILABLE:
    case EDDA_E_WORKER_DIED:
    case EDDA_E_TIMEOUT:
    case EDDA_E_FAILED:
        return true;
    default:
        return false;
    }
}

static void take_reply(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_retrieval *retrieval = visit->retrieval;
    if (may_be_helped(reply->error) && !edda_retrieval_then_failed(retrieval, reply) &&
        !retrieval->retried && left_ms(visit) > EDDA_RETRIEVAL_MINIMUM_MS) {
        retrieval->retried = true;
        /* Whoever is there failed: words alone need no embedder. */
        retrieval->without_embedder = reply->error != EDDA_E_NO_SERVICE;
        edda_status_want(visit->gateway->status, visit, send_without);
        return;
    }
    edda_degraded_add_all(&retrieval->degraded, reply->degraded, reply->degraded_count);
    if (retrieval->without_embedder) {
        edda_degraded_add(&retrieval->degraded, EDDA_TEXT("vector"));
    }
    if (retrieval->rerank && retrieval->without_reranker) {
        edda_degraded_add(&retrieval->degraded, EDDA_TEXT("rerank"));
    }
    retrieval->on_reply(visit, reply);
}

struct route {
    struct edda_step steps[MAX_STEPS];
    size_t offsets[MAX_STEPS];
    size_t count;
    int error;
};

/* Encodes one step's arguments behind the ones before; offsets are made views at the end, because
 * the buffer may move while it grows. */
static void add_step(struct route *route, struct edda_buffer *out, struct edda_step step,
                     const void *record) {
    EDDA_ASSERT(route->count < MAX_STEPS);
    size_t offset = out->size;
    if (!route->error) {
        route->error = edda_body_encode(step.type, record, out);
    }
    step.arguments.size = out->size - offset;
    route->offsets[route->count] = offset;
    route->steps[route->count++] = step;
}

static void add_embed(struct edda_visit *visit, struct edda_retrieval *retrieval,
                      struct route *route, uint32_t budget_ms) {
    edda_gateway_t *gateway = visit->gateway;
    struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("query"),
                                         .texts = {&retrieval->query, 1}};
    retrieval->model[0] = '\0';
    retrieval->dimension = 0;
    if (edda_serving_find(gateway->serving, visit->project, &embed.model, &embed.dimension)) {
        memcpy(retrieval->model, embed.model.data, embed.model.size);
        retrieval->model[embed.model.size] = '\0';
        retrieval->dimension = embed.dimension;
    }
    struct edda_step step = {
        .op = "embed", .type = EDDA_BODY_EMBED_ARGUMENTS, .budget_ms = budget_ms};
    add_step(route, &gateway->scratch, step, &embed);
}

static bool reranks(const struct edda_retrieval *retrieval) {
    return retrieval->rerank && !retrieval->without_reranker;
}

static void add_search(struct edda_visit *visit, const struct edda_retrieval *retrieval,
                       struct route *route) {
    const struct edda_store_search search = {
        .query = retrieval->query,
        .filters = retrieval->filters,
        .limit = reranks(retrieval) ? retrieval->candidates : retrieval->candidates_alone,
        .minimum_cosine = retrieval->minimum_cosine,
    };
    struct edda_step step = {
        .op = retrieval->without_embedder ? "store.words" : "store.search",
        .type = EDDA_BODY_STORE_SEARCH,
    };
    add_step(route, &visit->gateway->scratch, step, &search);
}

static void add_rerank(struct edda_visit *visit, const struct edda_retrieval *retrieval,
                       struct route *route, uint32_t budget_ms) {
    const struct edda_rerank_arguments rerank = {
        .query = retrieval->query, .top_k = retrieval->top_k, .assemble = retrieval->assemble};
    struct edda_step step = {
        .op = "rerank",
        .type = EDDA_BODY_RERANK_ARGUMENTS,
        .on_error = EDDA_ON_ERROR_SKIP,
        .budget_ms = budget_ms,
    };
    add_step(route, &visit->gateway->scratch, step, &rerank);
}

static void make_route(struct edda_visit *visit, struct edda_retrieval *retrieval,
                       struct route *route) {
    struct edda_buffer *scratch = &visit->gateway->scratch;
    uint32_t left = (uint32_t)left_ms(visit);
    uint32_t limit_ms =
        retrieval->budget_ms > 0 && retrieval->budget_ms < left ? retrieval->budget_ms : left;
    /* One try, one elsewhere, and time for words alone. */
    uint32_t budget_ms = limit_ms / 3 > 0 ? limit_ms / 3 : 1;
    edda_buffer_reset(scratch);
    if (!retrieval->without_embedder) {
        add_embed(visit, retrieval, route, budget_ms);
    }
    add_search(visit, retrieval, route);
    if (reranks(retrieval)) {
        add_rerank(visit, retrieval, route, budget_ms);
    }
    retrieval->then_step = (unsigned)route->count;
    if (retrieval->then) {
        struct edda_step step = {.op = retrieval->then, .type = retrieval->then_type};
        add_step(route, scratch, step, retrieval->then_record);
    }
    for (size_t i = 0; i < route->count; i++) {
        route->steps[i].arguments.data = scratch->data + route->offsets[i];
    }
}

void edda_retrieval_send(struct edda_visit *visit, struct edda_retrieval *retrieval) {
    struct route route = {0};
    visit->retrieval = retrieval;
    if (left_ms(visit) < 1) {
        give_up(visit, EDDA_E_EXPIRED, 0);
        return;
    }
    make_route(visit, retrieval, &route);
    int error = route.error;
    if (!error) {
        struct edda_request request =
            edda_visit_request(visit, route.steps, route.count, (uint32_t)left_ms(visit));
        request.flags = retrieval->flags;
        request.on_part = retrieval->on_part;
        request.on_progress = retrieval->on_progress;
        error = edda_visit_try(visit, &request, take_reply);
    }
    if (error) {
        give_up(visit, error, 0);
    } else if (retrieval->grant_messages > 0) {
        edda_client_grant(visit->gateway->client, visit->call, retrieval->grant_messages,
                          retrieval->grant_bytes);
    }
}

void edda_retrieval_learn(struct edda_visit *visit, struct edda_text model, uint32_t dimension) {
    if (model.size > 0) {
        edda_serving_learn(visit->gateway->serving, visit->project, model, dimension);
    }
}

/* Said once for a project: as long as it is remembered. */
static void note_other_model(const struct edda_visit *visit, struct edda_text model,
                             uint32_t dimension) {
    struct edda_text known;
    uint32_t known_dimension;
    if (!edda_serving_find(visit->gateway->serving, visit->project, &known, &known_dimension)) {
        edda_log(EDDA_LOG_WARNING, "other_model",
                 "project=%s model=%.*s dimension=%u text=\"its vectors are of another model than "
                 "the embedder's; edda reembed makes new ones\"",
                 visit->project, (int)model.size, model.data, dimension);
    }
}

bool edda_retrieval_correct(struct edda_visit *visit, struct edda_retrieval *retrieval,
                            struct edda_text model, uint32_t dimension) {
    if (model.size == 0) {
        return false;
    }
    note_other_model(visit, model, dimension);
    edda_retrieval_learn(visit, model, dimension);
    /* An embedder that was asked for this very model does not speak it. */
    bool asked = edda_text_is(model, retrieval->model) && dimension == retrieval->dimension;
    if (asked || retrieval->corrected || retrieval->without_embedder ||
        left_ms(visit) < EDDA_RETRIEVAL_MINIMUM_MS) {
        return false;
    }
    retrieval->corrected = true;
    retrieval->degraded.count = 0;
    edda_retrieval_send(visit, retrieval);
    return true;
}
