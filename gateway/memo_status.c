/* gateway/memo_status.c: GET /api/v1/memo/{id}/status and DELETE /api/v1/memo/{id}. */
#include "gateway/visit.h"
#include "gateway/write.h"
#include "proto/body_peer.h"

#define NOT_FOUND "Memo not found"

/* A processed memo may be changed and processed again, so nobody may keep this without asking. */
static void take_status(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_store_status status;
    struct edda_buffer *out = edda_visit_out(visit);
    if (!edda_visit_take(visit, reply, EDDA_BODY_STORE_STATUS, &visit->arena, &status, NOT_FOUND)) {
        return;
    }
    EDDA_WRITE(out, "{\"memo_uuid\":");
    edda_write_uuid(out, &status.uuid);
    EDDA_WRITE(out, ",\"status\":");
    struct edda_text word = status.status.data ? status.status : EDDA_TEXT("processing");
    edda_write_text(out, word);
    EDDA_WRITE(out, ",\"processing_started_at\":");
    edda_write_date(out, status.started_wall_ms);
    EDDA_WRITE(out, ",\"processing_completed_at\":");
    edda_write_date(out, status.completed_wall_ms);
    bool failed = edda_text_is(word, "error");
    EDDA_WRITE(out, ",\"error_reason\":");
    edda_write_text(out, failed ? status.error : (struct edda_text){0});
    if (!failed && status.error.size > 0) {
        EDDA_WRITE(out, ",\"waiting_reason\":");
        edda_write_text(out, status.error);
    }
    if (edda_text_is(word, "processing")) {
        (void)edda_buffer_printf(out, ",\"parts_left\":%u", status.open_jobs);
    }
    EDDA_WRITE(out, "}");
    struct edda_http_response response = {.status = 200, .cache_control = "no-cache", .tag = true};
    edda_exchange_respond(visit->exchange, &response);
}

void edda_memo_show_status(struct edda_visit *visit) {
    struct edda_store_select select;
    if (edda_visit_select(visit, &select)) {
        edda_visit_call(visit, "store.status", EDDA_BODY_STORE_SELECT, &select, take_status);
    }
}

static void take_deletion(struct edda_visit *visit, const struct edda_reply *reply) {
    struct edda_empty empty;
    if (edda_visit_take(visit, reply, EDDA_BODY_EMPTY, &visit->arena, &empty, NOT_FOUND)) {
        edda_visit_reply(visit, 204);
    }
}

void edda_memo_delete(struct edda_visit *visit) {
    struct edda_store_select select;
    if (edda_visit_select(visit, &select)) {
        edda_visit_call(visit, "store.delete", EDDA_BODY_STORE_SELECT, &select, take_deletion);
    }
}
