/* gateway/chat_answer.c: the end of a chat's question: its answer or its error, as one response or
 * as the last events of a stream, and the turn saved in between. */
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "gateway/chatting.h"
#include "gateway/write.h"
#include "proto/body_peer.h"
#include "proto/op.h"
#include "proto/uuid.h"

#define ANSWER_ARENA      ((size_t)4 * 1024 * 1024)
#define UNAVAILABLE       "Chat agent unavailable"
#define BROKEN_SAVE_MS    2000u /* a client that saw an error does not wait long for done */
#define SHORT_TITLE_CHARS 24    /* of 200 sources, every character twice escaped, fit a line */

static struct edda_text start_of(struct edda_text text, size_t characters) {
    size_t at = 0;
    for (size_t i = 0; at < text.size && i < characters; i++) {
        at++;
        while (at < text.size && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return (struct edda_text){text.data, at};
}

/* {"1":{"memo_uuid","memo_title","start","end"},...} */
static void write_references(struct edda_buffer *out, const struct edda_sources *sources,
                             size_t title_characters) {
    EDDA_WRITE(out, "{");
    for (size_t i = 0; i < sources->count; i++) {
        const struct edda_source *source = &sources->items[i];
        struct edda_text title = source->title.data ? source->title : EDDA_TEXT("");
        (void)edda_buffer_printf(out, "%s\"%u\":{\"memo_uuid\":", i > 0 ? "," : "", source->number);
        edda_write_uuid(out, &source->memo);
        EDDA_WRITE(out, ",\"memo_title\":");
        edda_write_text(out, start_of(title, title_characters));
        edda_write_range(out, source->start, source->end);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "}");
}

/* The line's content is JSON within a string. */
static void write_references_event(struct edda_buffer *out, const struct edda_sources *sources,
                                   size_t title_characters) {
    struct edda_buffer json;
    edda_buffer_init(&json, (size_t)1024 * 1024);
    write_references(&json, sources, title_characters);
    edda_event_open(out, "references");
    EDDA_WRITE(out, ",\"content\":");
    edda_write_text(out, (struct edda_text){(const char *)json.data, json.size});
    edda_event_close(out);
    edda_buffer_done(&json);
}

static void add_references_event(struct edda_buffer *tail, const struct edda_sources *sources) {
    struct edda_buffer line;
    edda_buffer_init(&line, (size_t)2 * 1024 * 1024);
    write_references_event(&line, sources, SIZE_MAX);
    if (line.size > EDDA_EVENT_LINE || line.error) {
        edda_buffer_reset(&line);
        write_references_event(&line, sources, SHORT_TITLE_CHARS);
    }
    (void)edda_buffer_append(tail, line.data, line.size);
    edda_buffer_done(&line);
}

static void write_extractive(struct edda_buffer *out, const struct edda_chatting *chatting) {
    if (chatting->extractive) {
        EDDA_WRITE(out, ",\"extractive\":true");
    }
}

static void end_stream(struct edda_chatting *chatting) {
    struct edda_buffer *tail = edda_events_tail(&chatting->events);
    edda_event_open(tail, "done");
    EDDA_WRITE(tail, ",\"chat_id\":");
    edda_write_uuid(tail, &chatting->turn.chat);
    write_extractive(tail, chatting);
    edda_degraded_write(tail, &chatting->retrieval.degraded);
    edda_event_close(tail);
    edda_events_flush(&chatting->events, true);
}

static void end_chat(struct edda_visit *visit, int error, const struct edda_wire_error *detail) {
    struct edda_chatting *chatting = visit->work;
    if (error) {
        struct edda_text text = detail ? detail->text : (struct edda_text){0};
        char chat[EDDA_UUID_TEXT];
        edda_uuid_format(&chatting->turn.chat, chat);
        edda_log(EDDA_LOG_WARNING, "chat_not_saved", "chat=%s error=%s text=\"%.*s\" request_id=%s",
                 chat, edda_error_name(error), (int)text.size, text.data ? text.data : "",
                 visit->request_id);
        edda_degraded_add(&chatting->retrieval.degraded, EDDA_TEXT("save"));
    }
    if (chatting->fields.stream) {
        end_stream(chatting);
        return;
    }
    struct edda_buffer *out = edda_visit_out(visit);
    edda_degraded_write(out, &chatting->retrieval.degraded);
    EDDA_WRITE(out, "}");
    edda_visit_reply(visit, 200);
}

static void take_saved(struct edda_visit *visit, const struct edda_reply *reply) {
    end_chat(visit, reply->error, &reply->detail);
}

/* The answer is there already, so what the deadline leaves does not matter. */
static void save(struct edda_visit *visit, uint32_t ttl_ms) {
    struct edda_chatting *chatting = visit->work;
    struct edda_step step;
    int error =
        edda_visit_step(visit, "store.chat_save", EDDA_BODY_STORE_TURN, &chatting->turn, &step);
    edda_exchange_deadline(visit->exchange, edda_loop_now(visit->gateway->loop) + ttl_ms);
    if (!error) {
        struct edda_request request = edda_visit_request(visit, &step, 1, ttl_ms);
        error = edda_visit_try(visit, &request, take_saved);
    }
    if (error) {
        end_chat(visit, error, NULL);
    }
}

static void write_answer(struct edda_visit *visit, const struct edda_answer *answer) {
    const struct edda_chatting *chatting = visit->work;
    struct edda_buffer *out = edda_visit_out(visit);
    EDDA_WRITE(out, "{\"ok\":true,\"chat_id\":");
    edda_write_uuid(out, &chatting->turn.chat);
    EDDA_WRITE(out, ",\"response\":");
    edda_write_text(out, answer->text.data ? answer->text : EDDA_TEXT(""));
    EDDA_WRITE(out, ",\"intermediate_steps\":[]");
    if (chatting->fields.references && answer->sources.count > 0) {
        EDDA_WRITE(out, ",\"references\":");
        write_references(out, &answer->sources, SIZE_MAX);
    }
    write_extractive(out, chatting);
}

/* What the parts have not brought, then what follows them. */
static int stream_rest(struct edda_chatting *chatting, const struct edda_answer *answer) {
    struct edda_events *events = &chatting->events;
    size_t come = edda_events_text(events).size;
    int error = 0;
    edda_events_begin(events);
    if (answer->text.size > come) {
        error = edda_events_rest(
            events, (struct edda_text){answer->text.data + come, answer->text.size - come});
    }
    if (!error && chatting->fields.references && answer->sources.count > 0) {
        add_references_event(edda_events_tail(events), &answer->sources);
    }
    edda_events_flush(events, false);
    return error;
}

static void finish(struct edda_visit *visit, const struct edda_answer *answer) {
    struct edda_chatting *chatting = visit->work;
    int error = 0;
    edda_retrieval_learn(visit, answer->serving_model, answer->serving_dimension);
    edda_degraded_add_all(&chatting->retrieval.degraded, answer->degraded.items,
                          answer->degraded.count);
    chatting->extractive = answer->extractive;
    if (chatting->fields.stream) {
        error = stream_rest(chatting, answer);
    } else {
        write_answer(visit, answer);
    }
    if (error) {
        edda_chatting_fail(visit, error, NULL, true, NULL);
        return;
    }
    chatting->turn.text = answer->text.data ? answer->text : EDDA_TEXT("");
    save(visit, edda_op_find(EDDA_TEXT("store.chat_save"))->budget_ms);
    chatting->turn.text = (struct edda_text){0}; /* it goes with the reply */
}

void edda_chatting_take_answer(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_chatting *chatting = visit->work;
    struct edda_answer answer;
    struct edda_arena arena;
    int error = reply->error;
    bool by_llm =
        chatting->answering || edda_retrieval_then_failed(&chatting->retrieval, reply) || !error;
    if (!error && reply->type != EDDA_BODY_ANSWER) {
        error = EDDA_E_TYPE;
    }
    edda_arena_init(&arena, ANSWER_ARENA);
    if (!error) {
        error = edda_body_decode(reply->type, reply->body, &arena, &answer);
    }
    chatting->events.flowing = false;
    if (error) {
        edda_chatting_fail(visit, error, &reply->detail, by_llm, NULL);
    } else {
        finish(visit, &answer);
    }
    edda_arena_done(&arena);
}

static struct edda_refusal refusal_of(int code, const struct edda_wire_error *detail, bool by_llm,
                                      const char *not_found) {
    uint32_t random = edda_random32();
    struct edda_refusal refusal = edda_admit_refuse(code, detail, random);
    if (code == EDDA_E_NOT_FOUND && not_found) {
        refusal.text = edda_text_of(not_found);
    } else if (by_llm && refusal.ours) {
        refusal = edda_admit_refuse(EDDA_E_UNAVAILABLE, detail, random);
        refusal.text = EDDA_TEXT(UNAVAILABLE);
        refusal.reason = detail ? detail->text : (struct edda_text){0};
    }
    return refusal;
}

/* A stream that has begun: the error, the turn as far as it came, and done. What was the client's
 * own fault is not worth remembering. */
static void break_stream(struct edda_visit *visit, const struct edda_refusal *refusal, int code) {
    struct edda_chatting *chatting = visit->work;
    struct edda_buffer *tail = edda_events_tail(&chatting->events);
    struct edda_text reason = refusal->reason.size > 0 ? refusal->reason
                              : refusal->ours          ? edda_text_of(edda_error_text(code))
                                                       : refusal->text;
    edda_event_open(tail, "error");
    EDDA_WRITE(tail, ",\"content\":\"An error occurred\",\"reason\":");
    edda_write_text(tail, reason);
    edda_event_close(tail);
    edda_events_flush(&chatting->events, false);
    if (!refusal->ours) {
        end_stream(chatting);
        return;
    }
    chatting->turn.text = edda_events_text(&chatting->events);
    chatting->turn.error = reason;
    save(visit, BROKEN_SAVE_MS);
}

void edda_chatting_fail(struct edda_visit *visit, int code, const struct edda_wire_error *detail,
                        bool by_llm, const char *not_found) {
    struct edda_chatting *chatting = visit->work;
    struct edda_refusal refusal = refusal_of(code, detail, by_llm, not_found);
    chatting->events.flowing = false;
    if (refusal.ours) {
        edda_visit_log(visit, refusal.status, code, detail);
    }
    if (chatting->events.begun) {
        break_stream(visit, &refusal, code);
    } else {
        edda_visit_refuse(visit, &refusal);
    }
}
