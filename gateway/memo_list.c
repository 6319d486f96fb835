/* gateway/memo_list.c: GET /api/v1/memo: a page of memos, newest first. */
#include "gateway/page.h"
#include "gateway/write.h"

static void write_row(struct edda_buffer *out, const struct edda_store_memo_row *row) {
    EDDA_WRITE(out, "{\"uuid\":");
    edda_write_uuid(out, &row->uuid);
    EDDA_WRITE(out, ",\"created_at\":");
    edda_write_date(out, row->created_wall_ms);
    EDDA_WRITE(out, ",\"updated_at\":");
    edda_write_date(out, row->updated_wall_ms);
    EDDA_WRITE(out, ",\"title\":");
    edda_write_text(out, row->title.data ? row->title : EDDA_TEXT(""));
    EDDA_WRITE(out, ",\"summary\":null,\"content_length\":");
    edda_write_unsigned(out, row->content_length);
    EDDA_WRITE(out, ",\"metadata\":");
    edda_write_ready(out, row->metadata, "{}");
    EDDA_WRITE(out, ",\"client_reference_id\":");
    edda_write_text(out, row->reference_id);
    EDDA_WRITE(out, ",\"processing_status\":");
    edda_write_text(out, row->status.data ? row->status : EDDA_TEXT("processing"));
    EDDA_WRITE(out, "}");
}

static void take_memos(struct edda_visit *visit, const struct edda_reply *reply) {
    const struct edda_store_page *page = visit->work;
    struct edda_store_memos memos;
    struct edda_buffer *out = edda_visit_out(visit);
    if (!edda_visit_take(visit, reply, EDDA_BODY_STORE_MEMOS, &visit->arena, &memos, NULL)) {
        return;
    }
    EDDA_WRITE(out, "{\"results\":[");
    for (size_t i = 0; i < memos.memos.count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        write_row(out, &memos.memos.items[i]);
    }
    EDDA_WRITE(out, "]");
    edda_page_write_end(visit, "/api/v1/memo", page, memos.count);
    edda_visit_reply(visit, 200);
}

void edda_memo_list(struct edda_visit *visit) {
    struct edda_store_page page = {0};
    if (!edda_page_read(visit, &page)) {
        return;
    }
    struct edda_store_page *kept = edda_visit_work(visit, sizeof *kept);
    if (kept) {
        *kept = page;
        edda_visit_call(visit, "store.list", EDDA_BODY_STORE_PAGE, kept, take_memos);
    }
}
