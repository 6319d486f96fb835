/* gateway/memo_patch.c: PATCH /api/v1/memo/{id}. */
#include "gateway/memo_fields.h"
#include "gateway/save.h"

void edda_memo_patch(struct edda_visit *visit) {
    struct edda_store_select select;
    struct edda_complaints complaints;
    if (!edda_visit_select(visit, &select)) {
        return;
    }
    struct edda_saving *saving = edda_saving_new(visit);
    if (!saving) {
        return;
    }
    saving->patching = true;
    edda_complaints_init(&complaints, "; ", true);
    int error = edda_memo_check_patch(visit->json, &visit->arena, &saving->patch, &saving->content,
                                      &complaints);
    if (error) {
        edda_visit_complain(visit, error, &complaints);
    } else {
        saving->patch.id = select.id;
        saving->patch.by_reference = select.by_reference;
        edda_saving_run(saving);
    }
    edda_complaints_done(&complaints);
}
