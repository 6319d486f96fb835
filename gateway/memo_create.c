/* gateway/memo_create.c: POST /api/v1/memo, from JSON; an upload comes here only for its end. */
#include <strings.h>

#include "actors/runtime/clock.h"
#include "gateway/memo_fields.h"
#include "gateway/save.h"
#include "gateway/upload.h"

static void create_from_json(struct edda_visit *visit) {
    struct edda_saving *saving = edda_saving_new(visit);
    struct edda_complaints complaints;
    if (!saving) {
        return;
    }
    edda_complaints_init(&complaints, ",", false);
    int error = edda_memo_check_create(visit->json, edda_clock_wall_ms(), &visit->arena,
                                       &saving->accept, &saving->content, &complaints);
    if (error) {
        edda_visit_complain(visit, error, &complaints);
    } else if (edda_saving_key(saving)) {
        saving->accept.memo = edda_uuid_new();
        saving->accept.type = EDDA_TEXT("plaintext");
        saving->accept.format = EDDA_TEXT("markdown");
        edda_saving_run(saving);
    }
    edda_complaints_done(&complaints);
}

void edda_memo_create(struct edda_visit *visit) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    struct edda_text type = head->content_type;
    static const char json[] = "application/json";
    bool is_json =
        type.size >= sizeof json - 1 && strncasecmp(type.data, json, sizeof json - 1) == 0;
    if (visit->multipart) {
        edda_upload_end(visit);
    } else if (is_json) {
        create_from_json(visit);
    } else if (type.size == 0) {
        edda_visit_fail(visit, 400, "Content-Type header is required");
    } else {
        edda_visit_fail(visit, 400, "Content-Type must be multipart/form-data or application/json");
    }
}
