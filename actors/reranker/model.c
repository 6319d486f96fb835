/* actors/reranker/model.c: see model.h. */
#include "actors/reranker/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/provider/api.h"
#include "actors/provider/provider.h"
#include "actors/reranker/stage.h"
#include "actors/runtime/log.h"
#include "actors/text/headings.h"
#include "actors/text/text.h"

#define ESCAPED_BYTES  6 /* a byte as \u0000 */
#define BODY_EXTRA     ((size_t)16 * 1024)
#define RESPONSE_BYTES ((size_t)8 * 1024 * 1024) /* some give the documents back */
#define NAME_BYTES     160
#define SLOW_MS        1000

struct edda_rerank_model {
    edda_loop_t *loop;
    struct edda_account account;
    char name[NAME_BYTES];
    edda_outbound_t *outbound;
    edda_provider_t *provider;
    struct ranking *rankings; /* open */
};

/* One call's documents. */
struct part {
    struct ranking *ranking;
    edda_provider_call_t *call; /* NULL: not open */
    struct edda_api_request request;
    size_t from;
    size_t count;
    const char *why; /* its answer makes no sense */
};

/* One job; lives in its arena. */
struct ranking {
    struct ranking *next;
    struct ranking *previous;
    edda_rerank_model_t *model;
    edda_job_t *job;
    const struct edda_rerank_arguments *arguments;
    const struct edda_hits *hits; /* or NULL */
    int64_t began_ms;
    size_t count;            /* of what is ranked */
    double *relevances;      /* of each, in the order given */
    struct edda_text *texts; /* of those that are sent */
    uint32_t *places;        /* which they are */
    double *scores;          /* theirs */
    size_t sent;
    struct part *parts;
    size_t part_count;
    size_t open;
};

/* ---- ends ---- */

static void leave(struct ranking *ranking) {
    edda_rerank_model_t *model = ranking->model;
    for (size_t i = 0; i < ranking->part_count; i++) {
        edda_provider_cancel(&ranking->parts[i].call);
        edda_api_request_done(&ranking->parts[i].request);
    }
    *(ranking->previous ? &ranking->previous->next : &model->rankings) = ranking->next;
    if (ranking->next) {
        ranking->next->previous = ranking->previous;
    }
}

static void fail(struct ranking *ranking, int code, enum edda_blame blame, uint32_t retry_after_ms,
                 const char *text) {
    edda_job_t *job = ranking->job;
    leave(ranking);
    edda_job_fail(&job, code, blame, retry_after_ms, text);
}

struct order {
    double relevance;
    size_t place;
};

static int compare_orders(const void *left, const void *right) {
    const struct order *a = left;
    const struct order *b = right;
    if (a->relevance < b->relevance || a->relevance > b->relevance) {
        return a->relevance > b->relevance ? -1 : 1;
    }
    return a->place < b->place ? -1 : 1; /* ties keep the order given */
}

static struct edda_hit make_hit(const struct ranking *ranking, const struct order *order) {
    if (ranking->hits) {
        struct edda_hit hit = ranking->hits->hits.items[order->place];
        hit.score = order->relevance;
        return hit;
    }
    return (struct edda_hit){.number = (uint32_t)order->place,
                             .score = order->relevance,
                             .first_score = edda_rerank_prior(order->place, ranking->count)};
}

static void finish(struct ranking *ranking) {
    edda_job_t *job = ranking->job;
    struct edda_arena *arena = edda_job_arena(job);
    struct edda_hits output = ranking->hits ? *ranking->hits : (struct edda_hits){0};
    struct order *orders = edda_arena_take(arena, (ranking->count + 1) * sizeof *orders);
    output.hits.items = edda_arena_take(arena, (ranking->count + 1) * sizeof *output.hits.items);
    if (!orders || !output.hits.items) {
        fail(ranking, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    for (size_t i = 0; i < ranking->sent; i++) {
        ranking->relevances[ranking->places[i]] = ranking->scores[i];
    }
    for (size_t i = 0; i < ranking->count; i++) {
        orders[i] = (struct order){ranking->relevances[i], i};
    }
    qsort(orders, ranking->count, sizeof *orders, compare_orders);
    output.hits.count = ranking->count;
    for (size_t i = 0; i < output.hits.count; i++) {
        output.hits.items[i] = make_hit(ranking, &orders[i]);
    }
    if (edda_rerank_cut(ranking->arguments, arena, &output) != 0) {
        fail(ranking, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    leave(ranking);
    edda_job_finish(&job, EDDA_BODY_HITS, &output);
}

/* Nobody waits any more. A provider that has not answered for so long is not well, and would not be
 * found out if those who give it up never said so. */
static void on_cancel(void *context) {
    struct ranking *ranking = context;
    edda_rerank_model_t *model = ranking->model;
    bool slow = edda_loop_now(model->loop) - ranking->began_ms >= SLOW_MS;
    for (size_t i = 0; i < ranking->part_count && slow; i++) {
        if (ranking->parts[i].call) {
            edda_provider_blame(model->provider);
            edda_provider_cancel(&ranking->parts[i].call);
        }
    }
    fail(ranking, EDDA_E_CANCELLED, EDDA_BLAME_JOB, 0, NULL);
}

/* ---- calls ---- */

static int check(void *context, struct edda_bytes body) {
    struct part *part = context;
    struct ranking *ranking = part->ranking;
    part->why = NULL;
    return edda_rerank_parse(&ranking->model->account, body, part->count,
                             ranking->scores + part->from, &part->why);
}

static void on_done(void *context, const struct edda_provider_reply *reply) {
    struct part *part = context;
    struct ranking *ranking = part->ranking;
    char text[EDDA_MAX_ERROR_TEXT + 1];
    part->call = NULL;
    edda_api_request_done(&part->request);
    if (reply->error) {
        bool nonsense =
            part->why && reply->error == EDDA_E_FAILED && reply->blame == EDDA_BLAME_OUTSIDE;
        (void)snprintf(text, sizeof text, "%.400s%s%s", reply->text, nonsense ? ": " : "",
                       nonsense ? part->why : "");
        fail(ranking, reply->error, reply->blame, reply->retry_after_ms, text);
    } else if (--ranking->open == 0) {
        finish(ranking);
    }
}

static int send_part(struct part *part, int64_t *ret_wait_ms) {
    struct ranking *ranking = part->ranking;
    edda_rerank_model_t *model = ranking->model;
    struct edda_texts documents = {ranking->texts + part->from, part->count};
    size_t maximum = BODY_EXTRA + ranking->arguments->query.size * ESCAPED_BYTES;
    for (size_t i = 0; i < part->count; i++) {
        maximum += documents.items[i].size * ESCAPED_BYTES + ESCAPED_BYTES;
    }
    edda_api_request_init(&part->request, maximum);
    int error =
        edda_rerank_build(&model->account, ranking->arguments->query, &documents, &part->request);
    if (error) {
        return error;
    }
    struct edda_provider_request request = {
        .method = "POST",
        .url = part->request.url,
        .headers = part->request.header_list,
        .body = edda_buffer_bytes(&part->request.body),
        .response_maximum = RESPONSE_BYTES,
        .deadline_ms = edda_job_deadline_ms(ranking->job),
        .tries = EDDA_RERANK_TRIES,
        .check = check,
        .on_done = on_done,
        .context = part,
    };
    return edda_provider_send(model->provider, &request, &part->call, ret_wait_ms);
}

static void send_all(struct ranking *ranking) {
    edda_rerank_model_t *model = ranking->model;
    int64_t wait_ms = 0;
    for (size_t i = 0; i < ranking->part_count; i++) {
        int error = send_part(&ranking->parts[i], &wait_ms);
        if (error) {
            bool away = error == EDDA_E_UNAVAILABLE;
            fail(ranking, error, away ? EDDA_BLAME_OUTSIDE : EDDA_BLAME_WORKER, (uint32_t)wait_ms,
                 away ? edda_provider_reason(model->provider) : NULL);
            return;
        }
        ranking->open++;
    }
    if (ranking->open == 0) {
        finish(ranking);
    }
}

/* ---- documents ---- */

static int take_text(struct ranking *ranking, size_t i, struct edda_text *ret_text) {
    if (!ranking->hits) {
        *ret_text = ranking->arguments->documents.items[i];
        return 0;
    }
    const struct edda_hit *hit = &ranking->hits->hits.items[i];
    return edda_headed_text(hit->title, hit->heading, hit->text, edda_job_arena(ranking->job),
                            ret_text);
}

static int take_room(struct ranking *ranking) {
    struct edda_arena *arena = edda_job_arena(ranking->job);
    size_t count = ranking->count + 1;
    ranking->relevances = edda_arena_take(arena, count * sizeof *ranking->relevances);
    ranking->texts = edda_arena_take(arena, count * sizeof *ranking->texts);
    ranking->places = edda_arena_take(arena, count * sizeof *ranking->places);
    ranking->scores = edda_arena_take(arena, count * sizeof *ranking->scores);
    ranking->parts =
        edda_arena_take(arena, (count / EDDA_RERANK_BATCH + 1) * sizeof *ranking->parts);
    bool whole = ranking->relevances && ranking->texts && ranking->places && ranking->scores &&
                 ranking->parts;
    return whole ? 0 : EDDA_E_MEMORY;
}

static int take_documents(struct ranking *ranking) {
    int error = take_room(ranking);
    for (size_t i = 0; i < ranking->count && !error; i++) {
        struct edda_text text;
        error = take_text(ranking, i, &text);
        if (!error && edda_text_trim(text).size > 0) {
            ranking->places[ranking->sent] = (uint32_t)i;
            ranking->texts[ranking->sent++] = text;
        }
    }
    for (size_t from = 0; from < ranking->sent && !error; from += EDDA_RERANK_BATCH) {
        size_t left = ranking->sent - from;
        ranking->parts[ranking->part_count++] =
            (struct part){.ranking = ranking,
                          .from = from,
                          .count = left < EDDA_RERANK_BATCH ? left : EDDA_RERANK_BATCH};
    }
    return error;
}

void edda_rerank_model_begin(edda_rerank_model_t *self, edda_job_t *job,
                             const struct edda_rerank_arguments *arguments,
                             const struct edda_hits *hits) {
    struct ranking *ranking = edda_arena_take(edda_job_arena(job), sizeof *ranking);
    if (!ranking) {
        edda_job_fail(&job, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
        return;
    }
    *ranking = (struct ranking){.model = self,
                                .job = job,
                                .arguments = arguments,
                                .hits = hits,
                                .began_ms = edda_loop_now(self->loop),
                                .count = hits ? hits->hits.count : arguments->documents.count,
                                .next = self->rankings};
    if (self->rankings) {
        self->rankings->previous = ranking;
    }
    self->rankings = ranking;
    edda_job_on_cancel(job, on_cancel, ranking);
    if (take_documents(ranking) != 0) {
        fail(ranking, EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, NULL);
    } else {
        send_all(ranking);
    }
}

/* ---- life ---- */

static int open_model(edda_rerank_model_t *self, const edda_config_t *config) {
    self->outbound = edda_outbound_new(&(struct edda_outbound_options){
        .loop = self->loop,
        .ca_file = edda_config_text(config, EDDA_CONFIG_PROVIDER_CA_FILE),
        .proxy = edda_config_text(config, EDDA_CONFIG_PROVIDER_PROXY),
        .connect_ms = edda_config_number(config, EDDA_CONFIG_PROVIDER_CONNECT_MS),
        .first_byte_ms = edda_config_number(config, EDDA_CONFIG_PROVIDER_FIRST_BYTE_MS),
        .idle_ms = edda_config_number(config, EDDA_CONFIG_PROVIDER_IDLE_MS),
    });
    if (!self->outbound) {
        return EDDA_E_MEMORY;
    }
    self->provider = edda_provider_new(&(struct edda_provider_options){
        .loop = self->loop,
        .outbound = self->outbound,
        .name = self->account.name,
        .concurrency = (uint32_t)edda_config_number(config, EDDA_CONFIG_PROVIDER_CONCURRENCY),
        .per_minute = (uint32_t)edda_config_number(config, EDDA_CONFIG_PROVIDER_PER_MINUTE),
    });
    return self->provider ? 0 : EDDA_E_MEMORY;
}

int edda_rerank_model_new(edda_loop_t *loop, const edda_config_t *config,
                          edda_rerank_model_t **ret_model) {
    const char *provider = edda_config_text(config, EDDA_CONFIG_RERANKING_PROVIDER);
    char message[EDDA_ACCOUNT_MESSAGE];
    edda_rerank_model_t *self = calloc(1, sizeof *self);
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->loop = loop;
    int error = edda_account_find(config, EDDA_USE_RERANK, provider, &self->account, message);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "reranking_provider", "text=\"%s\"", message);
        free(self);
        return EDDA_E_INVALID;
    }
    (void)snprintf(self->name, sizeof self->name, "%s:%s", self->account.name, self->account.model);
    error = open_model(self, config);
    if (error) {
        edda_rerank_model_destroy(&self);
        return error;
    }
    *ret_model = self;
    return 0;
}

void edda_rerank_model_destroy(edda_rerank_model_t **self_p) {
    edda_rerank_model_t *self = *self_p;
    if (!self) {
        return;
    }
    while (self->rankings) {
        fail(self->rankings, EDDA_E_DRAINING, EDDA_BLAME_WORKER, 0, NULL);
    }
    edda_provider_destroy(&self->provider);
    edda_outbound_destroy(&self->outbound);
    free(self);
    *self_p = NULL;
}

const char *edda_rerank_model_name(const edda_rerank_model_t *self) {
    return self->name;
}
