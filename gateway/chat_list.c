/* gateway/chat_list.c: GET /api/v1/chat: a page of chats, the one last spoken in first. */
#include "gateway/page.h"
#include "gateway/write.h"

static void write_row(struct edda_buffer *out, const struct edda_store_chat_row *row) {
    EDDA_WRITE(out, "{\"uuid\":");
    edda_write_uuid(out, &row->uuid);
    EDDA_WRITE(out, ",\"created_at\":");
    edda_write_date(out, row->created_wall_ms);
    EDDA_WRITE(out, ",\"title\":");
    edda_write_text(out, row->title.size > 0 ? row->title : EDDA_TEXT("Untitled Chat"));
    EDDA_WRITE(out, ",\"message_count\":");
    edda_write_unsigned(out, row->messages);
    EDDA_WRITE(out, ",\"last_message_at\":");
    edda_write_date(out, row->last_wall_ms ? row->last_wall_ms : row->created_wall_ms);
    EDDA_WRITE(out, "}");
}

static void take_chats(struct edda_visit *visit, const struct edda_reply *reply) {
    const struct edda_store_page *page = visit->work;
    struct edda_store_chats chats;
    struct edda_buffer *out = edda_visit_out(visit);
    if (!edda_visit_take(visit, reply, EDDA_BODY_STORE_CHATS, &visit->arena, &chats, NULL)) {
        return;
    }
    EDDA_WRITE(out, "{\"results\":[");
    for (size_t i = 0; i < chats.chats.count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        write_row(out, &chats.chats.items[i]);
    }
    EDDA_WRITE(out, "]");
    edda_page_write_end(visit, "/api/v1/chat", page, chats.count);
    edda_visit_reply(visit, 200);
}

void edda_chat_list(struct edda_visit *visit) {
    struct edda_store_page page = {0};
    if (!edda_page_read(visit, &page)) {
        return;
    }
    struct edda_store_page *kept = edda_visit_work(visit, sizeof *kept);
    if (kept) {
        *kept = page;
        edda_visit_call(visit, "store.chat_list", EDDA_BODY_STORE_PAGE, kept, take_chats);
    }
}
