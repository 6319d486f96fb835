/* gateway/chat.c: POST /api/v1/chat, from its fields to the route that answers. */
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "gateway/chatting.h"
#include "proto/body_peer.h"
#include "proto/uuid.h"

#define NOT_FOUND     "Chat not found"
#define BEGIN_MS      1000 /* a stream begins, whatever has come */
#define HISTORY_BYTES (16u * 1024u)
#define REWRITE_MS    20000
#define SMALL_ARENA   ((size_t)64 * 1024)
/* What one answer cannot use up: nobody reads its parts. */
#define ALL_PARTS 1048576u
#define ALL_BYTES (1u << 30)

static int64_t now_of(const struct edda_visit *visit) {
    return edda_loop_now(visit->gateway->loop);
}

static void drop(struct edda_visit *visit) {
    struct edda_chatting *chatting = visit->work;
    edda_loop_timer_cancel(visit->gateway->loop, &chatting->tick);
    edda_events_done(&chatting->events);
    EDDA_ASSERT(visit->gateway->chats > 0);
    visit->gateway->chats--;
}

static void set_tick(struct edda_visit *visit) {
    struct edda_chatting *chatting = visit->work;
    int64_t at_ms = INT64_MAX;
    if (chatting->fields.stream && !chatting->events.begun) {
        at_ms = chatting->begun_ms + BEGIN_MS;
    }
    if (chatting->events.flowing) {
        int64_t idle_ms = chatting->heard_ms + visit->gateway->chat_idle_ms;
        at_ms = idle_ms < at_ms ? idle_ms : at_ms;
    }
    if (at_ms != INT64_MAX) {
        edda_loop_timer_set(visit->gateway->loop, &chatting->tick, at_ms);
    }
}

static void fire_tick(void *context) {
    struct edda_visit *visit = context;
    struct edda_chatting *chatting = visit->work;
    if (chatting->fields.stream && now_of(visit) - chatting->begun_ms >= BEGIN_MS) {
        edda_events_begin(&chatting->events);
    }
    if (chatting->events.flowing && visit->call &&
        now_of(visit) - chatting->heard_ms >= visit->gateway->chat_idle_ms) {
        edda_client_cancel(visit->gateway->client, &visit->call);
        edda_chatting_fail(visit, EDDA_E_TIMEOUT, NULL, true, NULL);
        return;
    }
    set_tick(visit);
}

/* The llm step has begun: what follows is its doing. */
static void note_answering(struct edda_visit *visit) {
    struct edda_chatting *chatting = visit->work;
    chatting->answering = true;
    if (chatting->fields.stream) {
        edda_events_begin(&chatting->events);
    }
}

static void on_progress(void *context, unsigned step) {
    struct edda_visit *visit = context;
    struct edda_chatting *chatting = visit->work;
    if (edda_exchange_gone(visit->exchange)) {
        return;
    }
    chatting->heard_ms = now_of(visit);
    if (step >= chatting->retrieval.then_step) {
        note_answering(visit);
    }
}

static int show_part(struct edda_chatting *chatting, uint16_t type, struct edda_bytes body) {
    struct edda_answer_part part;
    struct edda_arena arena;
    edda_arena_init(&arena, SMALL_ARENA);
    int error =
        type == EDDA_BODY_ANSWER_PART ? edda_body_decode(type, body, &arena, &part) : EDDA_E_TYPE;
    if (!error) {
        error = edda_events_part(&chatting->events, part.text, body.size);
    }
    edda_arena_done(&arena);
    return error;
}

static void on_part(void *context, uint32_t sequence, uint16_t type, struct edda_bytes body) {
    struct edda_visit *visit = context;
    struct edda_chatting *chatting = visit->work;
    (void)sequence;
    if (edda_exchange_gone(visit->exchange)) {
        return;
    }
    chatting->heard_ms = now_of(visit);
    note_answering(visit);
    int error = chatting->fields.stream ? show_part(chatting, type, body) : 0;
    if (error) {
        edda_client_cancel(visit->gateway->client, &visit->call);
        edda_chatting_fail(visit, error, NULL, true, NULL);
    }
}

static void send_answer(struct edda_visit *visit, struct edda_text query) {
    struct edda_chatting *chatting = visit->work;
    const struct edda_chat_fields *fields = &chatting->fields;
    struct edda_degraded degraded = chatting->retrieval.degraded;
    chatting->answer = (struct edda_llm_answer){
        .query = fields->query,
        .history = chatting->history,
        .system_prompt = fields->system_prompt,
        .provider = fields->provider,
        .passages = fields->rerank ? fields->top_k : fields->candidates,
    };
    chatting->retrieval = (struct edda_retrieval){
        .query = query,
        .filters = fields->filters,
        .minimum_cosine = fields->minimum_cosine,
        .candidates = fields->candidates,
        .candidates_alone = fields->candidates,
        .top_k = fields->top_k,
        .rerank = fields->rerank,
        .assemble = true,
        .budget_ms = visit->gateway->search_ms,
        .then = "llm.answer",
        .then_type = EDDA_BODY_LLM_ANSWER,
        .then_record = &chatting->answer,
        .flags = fields->stream ? EDDA_FLAG_STREAMING : 0,
        .grant_messages = fields->stream ? EDDA_EVENTS_PARTS : ALL_PARTS,
        .grant_bytes = fields->stream ? EDDA_EVENTS_BYTES : ALL_BYTES,
        .on_part = on_part,
        .on_progress = on_progress,
        .on_reply = edda_chatting_take_answer,
        .degraded = degraded,
    };
    chatting->events.flowing = true;
    chatting->heard_ms = now_of(visit);
    set_tick(visit);
    edda_retrieval_send(visit, &chatting->retrieval);
}

static void go_on_without_rewrite(struct edda_visit *visit, int error, struct edda_text reason) {
    struct edda_chatting *chatting = visit->work;
    edda_log(EDDA_LOG_INFO, "chat_not_rewritten", "error=%s text=\"%.*s\" request_id=%s",
             edda_error_name(error), (int)reason.size, reason.data ? reason.data : "",
             visit->request_id);
    edda_degraded_add(&chatting->retrieval.degraded, EDDA_TEXT("rewrite"));
    send_answer(visit, chatting->fields.query);
}

static void take_rewritten(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_rewritten rewritten = {{0}};
    struct edda_text query = {0};
    int error = reply->error;
    if (!error && reply->type != EDDA_BODY_REWRITTEN) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        error = edda_body_decode(reply->type, reply->body, &visit->arena, &rewritten);
    }
    if (!error) {
        query = edda_arena_text(&visit->arena, rewritten.query);
    }
    if (error || query.size == 0) {
        go_on_without_rewrite(visit, error ? error : EDDA_E_FAILED, reply->detail.text);
    } else {
        send_answer(visit, query);
    }
}

static void rewrite(struct edda_visit *visit) {
    struct edda_chatting *chatting = visit->work;
    struct edda_step step;
    int64_t left_ms = visit->deadline_ms - now_of(visit);
    if (!chatting->fields.rewrite || left_ms < EDDA_RETRIEVAL_MINIMUM_MS) {
        send_answer(visit, chatting->fields.query);
        return;
    }
    const struct edda_llm_rewrite record = {.query = chatting->fields.query,
                                            .history = chatting->history,
                                            .provider = chatting->fields.provider};
    int error = edda_visit_step(visit, "llm.rewrite", EDDA_BODY_LLM_REWRITE, &record, &step);
    if (!error) {
        struct edda_request request = edda_visit_request(
            visit, &step, 1, (uint32_t)(left_ms < REWRITE_MS ? left_ms : REWRITE_MS));
        error = edda_visit_try(visit, &request, take_rewritten);
    }
    if (error) {
        go_on_without_rewrite(visit, error, (struct edda_text){0});
    }
}

/* A chat's messages as a model is given them: those with something in them, a user's first. */
static int make_history(struct edda_visit *visit, const struct edda_store_messages *messages) {
    struct edda_chatting *chatting = visit->work;
    size_t from = messages->count > EDDA_MAX_HISTORY ? messages->count - EDDA_MAX_HISTORY : 0;
    struct edda_llm_message *items =
        edda_arena_take(&visit->arena, (messages->count + 1) * sizeof *items);
    size_t count = 0;
    if (!items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = from; i < messages->count; i++) {
        const struct edda_store_message *message = &messages->items[i];
        bool user = edda_text_is(message->sent_by, "user");
        if (message->content.size > 0 && (user || count > 0)) {
            items[count++] = (struct edda_llm_message){
                .role = user ? EDDA_TEXT("user") : EDDA_TEXT("assistant"),
                .content = message->content,
            };
        }
    }
    chatting->history = (struct edda_llm_messages){items, count};
    return 0;
}

static void take_history(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_store_chat chat;
    int error = reply->error;
    uint8_t *copy = NULL;
    if (!error && reply->type != EDDA_BODY_STORE_CHAT) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        /* The bytes go with this call, the history stays. */
        copy = edda_arena_take(&visit->arena, reply->body.size + 1);
        error = copy ? 0 : EDDA_E_MEMORY;
    }
    if (!error) {
        memcpy(copy, reply->body.data, reply->body.size);
        error = edda_body_decode(reply->type, (struct edda_bytes){copy, reply->body.size},
                                 &visit->arena, &chat);
    }
    if (!error) {
        error = make_history(visit, &chat.messages);
    }
    if (error) {
        edda_chatting_fail(visit, error, &reply->detail, false, NOT_FOUND);
    } else {
        rewrite(visit);
    }
}

static void ask_history(struct edda_visit *visit) {
    struct edda_chatting *chatting = visit->work;
    char id[EDDA_UUID_TEXT];
    if (edda_uuid_is_nil(&chatting->fields.chat)) {
        edda_visit_fail(visit, 404, NOT_FOUND);
        return;
    }
    edda_uuid_format(&chatting->fields.chat, id);
    const struct edda_store_chat_select select = {
        .id = edda_text_of(id), .latest = true, .history_bytes = HISTORY_BYTES};
    edda_visit_call(visit, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select, take_history);
}

static void begin_chat(struct edda_visit *visit) {
    edda_gateway_t *gateway = visit->gateway;
    struct edda_chatting *chatting = visit->work;
    const struct edda_chat_fields *fields = &chatting->fields;
    if (gateway->chats >= EDDA_MAX_CHATS) {
        edda_visit_error(visit, EDDA_E_BUSY, NULL);
        return;
    }
    gateway->chats++;
    visit->drop = drop;
    chatting->begun_ms = now_of(visit);
    chatting->tick = (struct edda_timer){.fire = fire_tick, .context = visit, .name = "chat_tick"};
    edda_events_init(&chatting->events, visit, gateway->chat_ping_ms);
    chatting->turn = (struct edda_store_turn){
        .chat = fields->continues ? fields->chat : edda_uuid_new(),
        .question = edda_uuid_new(),
        .answer = edda_uuid_new(),
        .query = fields->query,
        .system_prompt = fields->system_prompt,
        .asked_wall_ms = edda_clock_wall_ms(),
    };
    set_tick(visit);
    if (fields->continues) {
        ask_history(visit);
    } else {
        rewrite(visit);
    }
}

void edda_chat(struct edda_visit *visit) {
    struct edda_chatting *chatting = edda_visit_work(visit, sizeof *chatting);
    const char *message = NULL;
    if (!chatting) {
        return;
    }
    int error = edda_chat_check(visit->json, &visit->arena, &chatting->fields, &message);
    if (error == EDDA_E_INVALID) {
        edda_visit_fail(visit, 400, message);
    } else if (error) {
        edda_visit_error(visit, error, NULL);
    } else {
        begin_chat(visit);
    }
}
