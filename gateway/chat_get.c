/* gateway/chat_get.c: GET /api/v1/chat/{id}: all messages, oldest first: one response for a chat of
 * one page, a stream for more. */
#include "gateway/paged.h"
#include "gateway/uri.h"
#include "gateway/write.h"
#include "proto/uuid.h"

#define PAGE_ARENA ((size_t)8 * 1024 * 1024)
#define MAX_HELD   ((size_t)16 * 1024 * 1024) /* JSON of two pages, every byte escaped */
#define NOT_FOUND  "Chat not found"

struct chat_reading {
    struct edda_store_chat_select select;
    struct edda_paged paged;
    bool begun; /* the first page has come */
    bool any_message;
};

static void drop(struct edda_visit *visit) {
    struct chat_reading *reading = visit->work;
    edda_paged_done(&reading->paged);
}

static void write_message(struct edda_buffer *out, const struct edda_store_message *message) {
    EDDA_WRITE(out, "{\"uuid\":");
    edda_write_uuid(out, &message->uuid);
    EDDA_WRITE(out, ",\"content\":");
    edda_write_text(out, message->content.data ? message->content : EDDA_TEXT(""));
    EDDA_WRITE(out, ",\"sent_by\":");
    edda_write_text(out, message->sent_by.data ? message->sent_by : EDDA_TEXT("model"));
    EDDA_WRITE(out, ",\"sent_at\":");
    edda_write_date(out, message->sent_wall_ms);
    EDDA_WRITE(out, ",\"client_system_prompt\":");
    edda_write_text(out, message->system_prompt);
    if (message->error.data) {
        EDDA_WRITE(out, ",\"error\":");
        edda_write_text(out, message->error);
    }
    EDDA_WRITE(out, "}");
}

static void write_page(struct chat_reading *reading, struct edda_buffer *out,
                       const struct edda_store_chat *chat) {
    if (!reading->begun) {
        reading->begun = true;
        EDDA_WRITE(out, "{\"uuid\":");
        edda_write_uuid(out, &chat->uuid);
        EDDA_WRITE(out, ",\"created_at\":");
        edda_write_date(out, chat->created_wall_ms);
        EDDA_WRITE(out, ",\"messages\":[");
    }
    for (size_t i = 0; i < chat->messages.count; i++) {
        (void)edda_buffer_append_text(out, reading->any_message ? "," : "");
        reading->any_message = true;
        write_message(out, &chat->messages.items[i]);
    }
    if (!chat->more) {
        EDDA_WRITE(out, "]}");
    }
    reading->paged.more = chat->more;
    reading->select.from = chat->next;
}

static void take_page(struct edda_visit *visit, const struct edda_reply *reply) {
    struct chat_reading *reading = visit->work;
    struct edda_paged *paged = &reading->paged;
    struct edda_store_chat chat;
    struct edda_arena arena;
    edda_arena_init(&arena, PAGE_ARENA);
    if (reading->begun) {
        if (edda_paged_take(paged, reply, EDDA_BODY_STORE_CHAT, &arena, &chat)) {
            write_page(reading, &paged->out, &chat);
        }
        edda_exchange_wake(visit->exchange);
    } else if (edda_visit_take(visit, reply, EDDA_BODY_STORE_CHAT, &arena, &chat, NOT_FOUND)) {
        if (chat.more) {
            struct edda_http_response response = {.status = 200};
            write_page(reading, &paged->out, &chat);
            edda_exchange_stream(visit->exchange, &response, edda_paged_pull, paged);
        } else {
            write_page(reading, edda_visit_out(visit), &chat);
            edda_visit_reply(visit, 200);
        }
    }
    edda_arena_done(&arena);
}

static void ask(struct edda_visit *visit) {
    struct chat_reading *reading = visit->work;
    if (reading->begun) {
        edda_paged_send(&reading->paged, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT,
                        &reading->select, take_page);
    } else {
        edda_visit_call(visit, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &reading->select,
                        take_page);
    }
}

void edda_chat_get(struct edda_visit *visit) {
    struct chat_reading *reading;
    struct edda_text id;
    struct edda_uuid uuid;
    if (edda_uri_decode(visit->id, false, &visit->arena, &id) != 0 ||
        edda_uuid_parse(id, &uuid) != 0) {
        edda_visit_fail(visit, 404, NOT_FOUND);
        return;
    }
    reading = edda_visit_work(visit, sizeof *reading);
    if (!reading) {
        return;
    }
    *reading = (struct chat_reading){.select.id = id};
    edda_paged_init(&reading->paged, visit, MAX_HELD, ask);
    visit->drop = drop;
    ask(visit);
}
