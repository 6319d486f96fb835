/* gateway/save.c: text of one part and of one message goes along with the operation; only larger
 * text is staged. */
#include "gateway/save.h"

#include <stdio.h>

#include "gateway/visit_internal.h"
#include "gateway/write.h"
#include "proto/fault_point.h"

#define SLICE ((size_t)64 * 1024) /* fed to the stage between two looks at whether it is full */

static void drop(struct edda_visit *visit) {
    struct edda_saving *saving = visit->work;
    edda_stage_done(&saving->stage);
}

struct edda_saving *edda_saving_new(struct edda_visit *visit) {
    struct edda_saving *saving = edda_visit_work(visit, sizeof *saving);
    if (saving) {
        saving->visit = visit;
        visit->drop = drop;
    }
    return saving;
}

bool edda_saving_key(struct edda_saving *saving) {
    struct edda_visit *visit = saving->visit;
    edda_gateway_t *gateway = visit->gateway;
    struct edda_text header = edda_exchange_head(visit->exchange)->idempotency_key;
    char key[EDDA_MAX_KEY_HEADER + 1];
    size_t size;
    if (!header.data) {
        return true;
    }
    if (edda_idempotency_parse(header, key, &size) != 0) {
        edda_visit_fail(visit, 400, "Invalid Idempotency-Key header");
        return false;
    }
    edda_idempotency_digest(edda_text_of(visit->project), (struct edda_text){key, size},
                            &visit->key);
    int error = edda_idempotency_enter(&gateway->running, &visit->key);
    if (error) {
        edda_visit_error(visit, error, NULL);
        return false;
    }
    visit->key_entered = true;
    saving->accept.idempotency_key = (struct edda_text){visit->key.digest, EDDA_KEY_DIGEST};
    saving->accept.fingerprint = (struct edda_bytes){visit->fingerprint, sizeof visit->fingerprint};
    return true;
}

static void take_accepted(struct edda_visit *visit, const struct edda_reply *reply) {
    const struct edda_saving *saving = visit->work;
    struct edda_store_accepted accepted;
    struct edda_buffer *out = edda_visit_out(visit);
    if (!edda_visit_take(visit, reply, EDDA_BODY_STORE_ACCEPTED, &visit->arena, &accepted,
                         "Memo not found")) {
        return;
    }
    if (saving->patching) {
        EDDA_WRITE(out, "{\"ok\":true}");
        edda_visit_reply(visit, 200);
        return;
    }
    EDDA_FAULT_POINT("gateway.before_201");
    EDDA_WRITE(out, "{\"memo_uuid\":");
    edda_write_uuid(out, &accepted.memo);
    EDDA_WRITE(out, ",\"ok\":true}");
    edda_visit_reply(visit, 201);
}

static void send_operation(struct edda_saving *saving) {
    struct edda_visit *visit = saving->visit;
    edda_exchange_deadline(visit->exchange, edda_loop_now(visit->gateway->loop) + EDDA_CALL_TTL_MS);
    if (saving->patching) {
        edda_visit_call(visit, "store.patch", EDDA_BODY_STORE_PATCH, &saving->patch, take_accepted);
    } else {
        edda_visit_call(visit, "store.accept", EDDA_BODY_STORE_ACCEPT, &saving->accept,
                        take_accepted);
    }
}

static void set_inline(struct edda_saving *saving, struct edda_texts parts, uint64_t bytes) {
    if (saving->patching) {
        saving->patch.parts = parts;
        saving->patch.content_bytes = bytes;
    } else {
        saving->accept.parts = parts;
        saving->accept.content_bytes = bytes;
    }
}

static void set_staged(struct edda_saving *saving) {
    const struct edda_stage *stage = &saving->stage;
    if (saving->patching) {
        saving->patch.staged = stage->memo;
        saving->patch.staged_parts = edda_stage_count(stage);
        saving->patch.content_bytes = stage->bytes;
    } else {
        saving->accept.memo = stage->memo;
        saving->accept.staged_parts = edda_stage_count(stage);
        saving->accept.content_bytes = stage->bytes;
    }
}

void edda_saving_refuse(struct edda_saving *saving) {
    struct edda_visit *visit = saving->visit;
    const struct edda_stage *stage = &saving->stage;
    char text[96];
    if (stage->error == EDDA_E_LIMIT) {
        (void)snprintf(text, sizeof text, "File size exceeds %zuMB limit",
                       (size_t)stage->maximum / 1048576);
        turn_away(visit, 413, text);
    } else if (stage->error == EDDA_E_INVALID) {
        turn_away(visit, 400, "File must be UTF-8 text without NUL characters");
    } else {
        edda_visit_error(visit, stage->error, &stage->detail);
    }
}

void edda_saving_staged(struct edda_saving *saving) {
    if (saving->stage.error) {
        edda_saving_refuse(saving);
        return;
    }
    set_staged(saving);
    send_operation(saving);
}

static void staged(struct edda_stage *stage) {
    edda_saving_staged(stage->visit->work);
}

void edda_saving_finish(struct edda_saving *saving) {
    struct edda_stage *stage = &saving->stage;
    if (!edda_stage_finish(stage)) {
        return;
    }
    saving->accept.memo = stage->memo;
    set_inline(saving, edda_stage_inline(stage), stage->bytes);
    send_operation(saving);
}

static void feed(struct edda_stage *stage) {
    struct edda_saving *saving = stage->visit->work;
    struct edda_text content = saving->content;
    while (!stage->error && !edda_stage_full(stage) && saving->fed < content.size) {
        size_t size = content.size - saving->fed < SLICE ? content.size - saving->fed : SLICE;
        struct edda_text slice = {content.data + saving->fed, size};
        saving->fed += size;
        if (edda_stage_feed(stage, slice) != 0) {
            break;
        }
    }
    if (stage->error) {
        edda_saving_refuse(saving);
    } else if (saving->fed == content.size && !stage->finished) {
        edda_saving_finish(saving);
    }
}

/* All parts of a text that fits one message. */
static int cut(struct edda_saving *saving) {
    struct edda_text rest = saving->content;
    size_t most = 2 * (rest.size / EDDA_PART_BYTES) + 2;
    struct edda_text *parts = edda_arena_take(&saving->visit->arena, most * sizeof *parts);
    size_t count = 0;
    if (!parts) {
        return EDDA_E_MEMORY;
    }
    while (rest.size > 0) {
        size_t size = edda_parts_cut(rest);
        EDDA_ASSERT(count < most && size > 0);
        parts[count++] = (struct edda_text){rest.data, size};
        rest = (struct edda_text){rest.data + size, rest.size - size};
    }
    set_inline(saving, (struct edda_texts){parts, count}, saving->content.size);
    return 0;
}

void edda_saving_run(struct edda_saving *saving) {
    struct edda_visit *visit = saving->visit;
    size_t size = saving->content.size;
    int error = 0;
    if (size > visit->gateway->max_body_bytes) {
        char text[64];
        (void)snprintf(text, sizeof text, "Content must be %zu bytes or less",
                       visit->gateway->max_body_bytes);
        edda_visit_fail(visit, 413, text);
        return;
    }
    if (size > EDDA_INLINE_CONTENT_BYTES) {
        /* Staging a large text takes as long as it takes; each message has its own deadline. */
        edda_exchange_deadline(visit->exchange, 0);
        error =
            edda_stage_begin(&saving->stage, visit, visit->gateway->max_body_bytes, feed, staged);
        if (!error) {
            feed(&saving->stage);
            return;
        }
    } else if (size > 0) {
        error = cut(saving);
    }
    if (error) {
        edda_visit_error(visit, error, NULL);
    } else {
        send_operation(saving);
    }
}
