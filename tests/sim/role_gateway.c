/* tests/sim/role_gateway.c: a real client for the people of office.h, without HTTP between. */
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"
#include "proto/uuid.h"
#include "tests/sim/office.h"
#include "tests/sim/roles.h"

#define BODY_BYTES 4096
#define MOST_STEPS 4
#define AHEAD      3 /* parts a reader takes before it has read them */

struct gateway {
    edda_client_t *client;
    struct ask *asks;
};

/* What one asker wants, while this gateway is at it. */
struct ask {
    struct sim_node *node;
    struct ask *next;
    struct ask *previous;
    struct sim_asker *asker;
    edda_call_t *call; /* NULL before it began */
    struct edda_uuid id;
    struct edda_timer begin; /* of the node's loop */
    struct edda_timer cancel;
    struct edda_timer read;
    uint32_t parts;
    struct edda_buffer bodies[MOST_STEPS];
    struct edda_step steps[MOST_STEPS];
    size_t step_count;
};

static void free_ask(struct ask *ask) {
    struct gateway *gateway = ask->node->state;
    edda_loop_t *loop = ask->node->loop;
    *(ask->previous ? &ask->previous->next : &gateway->asks) = ask->next;
    if (ask->next) {
        ask->next->previous = ask->previous;
    }
    edda_loop_timer_cancel(loop, &ask->begin);
    edda_loop_timer_cancel(loop, &ask->cancel);
    edda_loop_timer_cancel(loop, &ask->read);
    for (size_t i = 0; i < MOST_STEPS; i++) {
        edda_buffer_done(&ask->bodies[i]);
    }
    free(ask);
}

static void note(const struct ask *ask, const char *event, const char *key, const char *value) {
    char id[EDDA_UUID_TEXT];
    edda_uuid_format(&ask->id, id);
    sim_event(ask->node->name, event, "request=%s%s%s", id, key, value);
}

/* ---- what is asked ---- */

static void add_step(struct ask *ask, const char *op, uint16_t type, const void *record,
                     uint8_t on_error) {
    struct edda_buffer *body = &ask->bodies[ask->step_count];
    int error = edda_body_encode(type, record, body);
    EDDA_ASSERT(error == 0);
    ask->steps[ask->step_count++] = (struct edda_step){
        .op = op, .type = type, .arguments = edda_buffer_bytes(body), .on_error = on_error};
}

static void add_accept(struct ask *ask) {
    struct sim_asker *author = ask->asker;
    char texts[SIM_PARTS][32];
    char key[16];
    char uuid[EDDA_UUID_TEXT];
    struct edda_text parts[SIM_PARTS];
    struct edda_store_accept accept = {.memo = edda_uuid_new(),
                                       .title = EDDA_TEXT("t"),
                                       .parts = {parts, author->parts},
                                       .type = EDDA_TEXT("plaintext")};
    for (uint32_t i = 0; i < author->parts; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "m%zu p%u c%u%s", author->number, i,
                       author->chunks[i], author->poison ? "!" : "");
        parts[i] = edda_text_of(texts[i]);
        accept.content_bytes += parts[i].size;
    }
    (void)snprintf(key, sizeof(key), "k%zu", author->number);
    accept.idempotency_key = edda_text_of(key);
    accept.fingerprint = (struct edda_bytes){(const uint8_t *)key, strlen(key)};
    edda_uuid_format(&accept.memo, uuid);
    if (author->poison) {
        sim_event("-", "poison", "memo=%s", uuid);
    }
    add_step(ask, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept, 0);
}

static void add_select(struct ask *ask, const char *op, const struct edda_uuid *memo) {
    char uuid[EDDA_UUID_TEXT];
    edda_uuid_format(memo, uuid);
    struct edda_store_select select = {.id = edda_text_of(uuid)};
    add_step(ask, op, EDDA_BODY_STORE_SELECT, &select, 0);
}

static void add_search(struct ask *ask) {
    char query[16];
    (void)snprintf(query, sizeof(query), "q%zu", ask->asker->number);
    struct edda_text text = edda_text_of(query);
    struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("query"), .texts = {&text, 1}};
    struct edda_store_search search = {.query = text, .limit = 10};
    struct edda_rerank_arguments rerank = {.query = text};
    add_step(ask, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed, 0);
    add_step(ask, "store.search", EDDA_BODY_STORE_SEARCH, &search, 0);
    add_step(ask, "rerank", EDDA_BODY_RERANK_ARGUMENTS, &rerank, EDDA_ON_ERROR_SKIP);
}

static void add_steps(struct ask *ask) {
    struct edda_llm_answer answer = {.query = EDDA_TEXT("q")};
    switch (ask->asker->want) {
    case SIM_WANT_ACCEPT:
        add_accept(ask);
        break;
    case SIM_WANT_DELETE:
        add_select(ask, "store.delete", &ask->asker->memo);
        break;
    case SIM_WANT_LOOK:
        add_select(ask, "store.status", &ask->asker->author->memo);
        break;
    case SIM_WANT_CHAT:
        add_search(ask);
        add_step(ask, "llm.answer", EDDA_BODY_LLM_ANSWER, &answer, 0);
        break;
    case SIM_WANT_SEARCH:
    case SIM_WANT_NOTHING:
        add_search(ask);
        break;
    }
}

/* ---- what comes back ---- */

/* Who withdrew its deleting and asks again finds it done. */
static const char *result_of(const struct sim_asker *asker, int error) {
    bool done = asker->want == SIM_WANT_DELETE && error == EDDA_E_NOT_FOUND;
    return edda_error_name(done ? 0 : error);
}

static void on_reply(void *context, const struct edda_reply *reply) {
    struct ask *ask = context;
    struct sim_asker *asker = ask->asker;
    uint32_t parts = ask->parts;
    bool muted = ask->node->muted;
    if (!muted && !sim_is_broken(SIM_BREAK_ANSWER_LOST, 100)) {
        note(ask, "answered", " result=", result_of(asker, reply->error));
    }
    free_ask(ask);
    sim_office_told(asker, muted ? NULL : reply, parts);
}

static void read_parts(void *context) {
    struct ask *ask = context;
    struct gateway *gateway = ask->node->state;
    edda_client_grant(gateway->client, ask->call, ask->parts + AHEAD, 1u << 20);
}

static void on_part(void *context, uint32_t sequence, uint16_t type, struct edda_bytes body) {
    struct ask *ask = context;
    edda_loop_t *loop = ask->node->loop;
    (void)type;
    (void)body;
    sim_event(ask->node->name, "books", "what=\"order of parts\" have=%u want=%u", sequence,
              ask->parts);
    ask->parts++;
    int64_t slow_ms = sim_chance(SIM_DICE_WORK, 50) ? sim_between(SIM_DICE_WORK, 0, 500) : 0;
    edda_loop_timer_set(loop, &ask->read, edda_loop_now(loop) + slow_ms);
}

static void cancel(void *context) {
    struct ask *ask = context;
    struct sim_asker *asker = ask->asker;
    struct gateway *gateway = ask->node->state;
    sim->counts.faults[SIM_FAULT_CANCEL]++;
    note(ask, "withdrawn", "", "");
    edda_client_cancel(gateway->client, &ask->call);
    free_ask(ask);
    sim_office_withdrawn(asker);
}

/* ---- asking ---- */

static struct edda_request request_of(struct ask *ask) {
    bool chat = ask->asker->want == SIM_WANT_CHAT;
    uint32_t ttl_ms = chat ? 30000 : 5000;
    return (struct edda_request){
        .steps = ask->steps,
        .step_count = ask->step_count,
        .id = ask->id,
        .project = EDDA_TEXT("p"),
        .retries = 1,
        .ttl_ms = ttl_ms,
        .flags = chat ? EDDA_FLAG_STREAMING : 0,
        .broker = -1,
        .on_reply = on_reply,
        .on_part = on_part,
        .context = ask,
    };
}

static void plan_cancel(struct ask *ask) {
    edda_loop_t *loop = ask->node->loop;
    if (sim_has(SIM_FAULT_CANCEL) && sim_chance(SIM_DICE_FAULTS, 150)) {
        edda_loop_timer_set(loop, &ask->cancel,
                            edda_loop_now(loop) + sim_between(SIM_DICE_FAULTS, 0, 300));
    }
}

static void note_asked(struct ask *ask, uint32_t ttl_ms) {
    int64_t until_us = sim_local_us(ask->node) + ttl_ms * SIM_MS;
    int64_t within_us = sim_world_us(ask->node, until_us) - sim->now_us;
    char within[24];
    (void)snprintf(within, sizeof(within), "%lld", (long long)(within_us / 1000 + 1));
    note(ask, "asked", " within_ms=", within);
}

static void begin(void *context) {
    struct ask *ask = context;
    struct gateway *gateway = ask->node->state;
    ask->id = edda_uuid_new();
    add_steps(ask);
    struct edda_request request = request_of(ask);
    bool stretched = sim->broken == SIM_BREAK_TIME_STRETCHED;
    note_asked(ask, request.ttl_ms / (stretched ? 20 : 1));
    int error = edda_client_call(gateway->client, &request, &ask->call);
    if (error == EDDA_E_DRAINING) {
        struct sim_asker *asker = ask->asker;
        note(ask, "withdrawn", "", "");
        free_ask(ask);
        sim_office_withdrawn(asker);
    } else if (error) {
        const struct edda_reply reply = {.error = error};
        on_reply(ask, &reply);
    } else {
        if (request.flags & EDDA_FLAG_STREAMING) {
            read_parts(ask);
        }
        plan_cancel(ask);
    }
}

void sim_gateway_ask(struct sim_node *node, struct sim_asker *asker) {
    struct gateway *gateway = node->state;
    struct ask *ask = calloc(1, sizeof(*ask));
    EDDA_ASSERT(ask);
    *ask = (struct ask){.node = node, .next = gateway->asks, .asker = asker};
    ask->begin = (struct edda_timer){.fire = begin, .context = ask, .name = "ask"};
    ask->cancel = (struct edda_timer){.fire = cancel, .context = ask, .name = "cancel"};
    ask->read = (struct edda_timer){.fire = read_parts, .context = ask, .name = "read"};
    for (size_t i = 0; i < MOST_STEPS; i++) {
        edda_buffer_init(&ask->bodies[i], BODY_BYTES);
    }
    if (gateway->asks) {
        gateway->asks->previous = ask;
    }
    gateway->asks = ask;
    sim_node_enter(node);
    edda_loop_timer_set(node->loop, &ask->begin, edda_loop_now(node->loop));
    sim_node_leave(node);
    sim_node_wake(node);
}

/* ---- the role ---- */

static void on_drain(void *context) {
    const struct sim_node *node = context;
    edda_client_leave(((struct gateway *)node->state)->client);
}

static void start(struct sim_node *node) {
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    EDDA_ASSERT(gateway);
    node->state = gateway;
    gateway->client = edda_client_new(&(struct edda_client_options){
        .loop = node->loop,
        .zmq_context = node,
        .brokers = sim_urls,
        .broker_count = sim->plan.brokers,
        .role = "gateway",
        .name = node->name,
    });
    EDDA_ASSERT(gateway->client);
    int error = edda_loop_on_drain(node->loop, on_drain, node);
    EDDA_ASSERT(error == 0);
}

/* Asks that had not begun are told nothing. */
static void stop(struct sim_node *node) {
    struct gateway *gateway = node->state;
    edda_client_destroy(&gateway->client);
    while (gateway->asks) {
        struct ask *ask = gateway->asks;
        struct sim_asker *asker = ask->asker;
        EDDA_ASSERT(!ask->call);
        free_ask(ask);
        sim_office_told(asker, NULL, 0);
    }
    free(gateway);
}

static size_t count_open(const struct sim_node *node, const char **ret_what) {
    *ret_what = "calls";
    return edda_client_open_calls(((const struct gateway *)node->state)->client);
}

static edda_client_t *client_of(const struct sim_node *node) {
    return ((const struct gateway *)node->state)->client;
}

const struct sim_role sim_role_gateway = {
    .name = "gateway", .start = start, .stop = stop, .open = count_open, .client = client_of};
