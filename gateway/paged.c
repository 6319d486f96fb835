/* gateway/paged.c: see paged.h. */
#include "gateway/paged.h"

#define ASK_BELOW ((size_t)256 * 1024)

void edda_paged_init(struct edda_paged *paged, struct edda_visit *visit, size_t maximum,
                     edda_visit_fn ask) {
    *paged = (struct edda_paged){.visit = visit, .ask = ask};
    edda_buffer_init(&paged->out, maximum);
}

void edda_paged_done(struct edda_paged *paged) {
    edda_buffer_done(&paged->out);
}

int64_t edda_paged_pull(void *context, edda_exchange_t *exchange, char *data, size_t size) {
    struct edda_paged *paged = context;
    struct edda_buffer *out = &paged->out;
    size_t left = out->size - paged->taken;
    (void)exchange;
    if (paged->broken || out->error) {
        return EDDA_HTTP_BROKEN;
    }
    if (left == 0 && !paged->more) {
        return EDDA_HTTP_END;
    }
    size = left < size ? left : size;
    if (size > 0) {
        memcpy(data, out->data + paged->taken, size);
        paged->taken += size;
    }
    if (paged->more && !paged->visit->call && left - size < ASK_BELOW) {
        memmove(out->data, out->data + paged->taken, left - size);
        out->size = left - size;
        paged->taken = 0;
        paged->ask(paged->visit);
        if (paged->broken) {
            return EDDA_HTTP_BROKEN;
        }
    }
    return (int64_t)size;
}

bool edda_paged_take(struct edda_paged *paged, const struct edda_reply *reply, uint16_t type,
                     struct edda_arena *arena, void *ret_record) {
    int error = reply->error;
    if (!error && reply->type != type) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        error = edda_body_decode(type, reply->body, arena, ret_record);
    }
    paged->broken = error != 0;
    return !paged->broken;
}

void edda_paged_send(struct edda_paged *paged, const char *op, uint16_t type, const void *record,
                     edda_visit_reply_fn on_reply) {
    struct edda_step step;
    int error = edda_visit_step(paged->visit, op, type, record, &step);
    if (!error) {
        struct edda_request request = edda_visit_request(paged->visit, &step, 1, EDDA_CALL_TTL_MS);
        error = edda_visit_try(paged->visit, &request, on_reply);
    }
    paged->broken = error != 0;
}
