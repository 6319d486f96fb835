/* tests/fuzz/fuzz_upload.c: a multipart body in one piece and in pieces of any size becomes the
 * same memo, with the same fingerprint, or the same refusal.
 *
 * The first bytes choose where to cut; then come the Content-Type's line and the body. The HTTP
 * edge, the upload, the stage and the saving are the gateway's own; what a visit does with calls
 * and answers is here, and remembers them. */
#include <stdlib.h>

#include "gateway/http_internal.h"
#include "gateway/read.h"
#include "gateway/save.h"
#include "gateway/upload.h"
#include "gateway/visit_internal.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/http_rig.h"

#define MAX_BODY ((size_t)20 * 1024)
#define FORM     "multipart/form-data"

static edda_gateway_t gateway;
static struct edda_buffer *outcome; /* of the upload that runs now */

/* ---- what a visit is to the upload ---- */

void *edda_visit_work(struct edda_visit *visit, size_t size) {
    visit->work = edda_arena_take(&visit->arena, size);
    EDDA_ASSERT(visit->work);
    return memset(visit->work, 0, size);
}

static void answer(struct edda_visit *visit, int status, struct edda_text text) {
    struct edda_http_response response = {.status = status};
    if (edda_exchange_answered(visit->exchange)) {
        return;
    }
    EDDA_ASSERT(edda_utf8_valid(text.data, text.size));
    (void)edda_buffer_printf(outcome, "%d %.*s", status, (int)text.size, text.data);
    if (edda_exchange_ended(visit->exchange)) {
        edda_exchange_respond(visit->exchange, &response);
    } else {
        edda_exchange_refuse(visit->exchange, status, "no", 0);
    }
}

void turn_away(struct edda_visit *visit, int status, const char *text) {
    answer(visit, status, edda_text_of(text));
}

void edda_visit_fail(struct edda_visit *visit, int status, const char *text) {
    EDDA_ASSERT(edda_exchange_ended(visit->exchange));
    answer(visit, status, edda_text_of(text));
}

void edda_visit_complain(struct edda_visit *visit, int error,
                         const struct edda_complaints *complaints) {
    const struct edda_buffer *words = &complaints->text;
    EDDA_ASSERT(error == EDDA_E_INVALID && edda_exchange_ended(visit->exchange));
    answer(visit, 400, (struct edda_text){(const char *)words->data, words->size});
}

/* Nothing an upload holds is our fault. */
void edda_visit_error(struct edda_visit *visit, int code, const struct edda_wire_error *detail) {
    (void)visit;
    (void)detail;
    EDDA_ASSERT(code == 0);
}

void edda_visit_call(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                     edda_visit_reply_fn on_reply) {
    struct edda_store_accept accept = *(const struct edda_store_accept *)record;
    size_t bytes = 0;
    (void)on_reply;
    EDDA_ASSERT(strcmp(op, "store.accept") == 0 && type == EDDA_BODY_STORE_ACCEPT);
    for (size_t i = 0; i < accept.parts.count; i++) {
        bytes += accept.parts.items[i].size;
        EDDA_ASSERT(edda_utf8_valid(accept.parts.items[i].data, accept.parts.items[i].size));
    }
    EDDA_ASSERT(bytes == accept.content_bytes && bytes > 0 && bytes <= MAX_BODY);
    accept.memo = (struct edda_uuid){{1}}; /* random */
    EDDA_ASSERT(edda_body_encode(type, &accept, outcome) == 0);
    (void)edda_buffer_append(outcome, visit->fingerprint, sizeof visit->fingerprint);
    answer(visit, 201, EDDA_TEXT("saved"));
}

bool edda_visit_take(struct edda_visit *visit, const struct edda_reply *reply, uint16_t type,
                     struct edda_arena *arena, void *ret_record, const char *not_found) {
    (void)visit, (void)reply, (void)type, (void)arena, (void)ret_record, (void)not_found;
    abort(); /* there are no replies */
}

void edda_visit_reply(struct edda_visit *visit, int status) {
    (void)visit, (void)status;
    abort();
}

/* What fits a message is not staged. */
int edda_visit_step(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                    struct edda_step *ret_step) {
    (void)visit, (void)op, (void)type, (void)record, (void)ret_step;
    abort();
}

struct edda_request edda_visit_request(struct edda_visit *visit, const struct edda_step *steps,
                                       size_t count, uint32_t ttl_ms) {
    (void)visit, (void)steps, (void)count, (void)ttl_ms;
    abort();
}

/* ---- what the HTTP edge calls ---- */

static void begin(void *context, edda_exchange_t *exchange) {
    struct edda_visit *visit = edda_exchange_visit(exchange);
    (void)context;
    *visit = (struct edda_visit){.gateway = &gateway, .exchange = exchange};
    edda_arena_init(&visit->arena, (size_t)16 << 20);
    edda_exchange_identify(exchange, EDDA_TEXT("r"), EDDA_TEXT("t"));
    EDDA_ASSERT(!edda_exchange_head(exchange)->malformed);
    edda_upload_begin(visit);
    edda_exchange_multipart(exchange, MAX_BODY + EDDA_BODY_ALLOWANCE);
}

static void field(void *context, edda_exchange_t *exchange, const struct edda_http_field *given) {
    (void)context;
    edda_upload_field(edda_exchange_visit(exchange), given);
}

static void end(void *context, edda_exchange_t *exchange) {
    struct edda_visit *visit = edda_exchange_visit(exchange);
    (void)context;
    edda_upload_end(visit);
    if (!edda_exchange_answered(exchange)) {
        const struct edda_saving *saving = visit->work;
        EDDA_ASSERT(saving->stage.error && saving->stage.finished);
        edda_saving_staged(visit->work); /* as its timer would, if the loop were run */
    }
    EDDA_ASSERT(edda_exchange_answered(exchange));
}

static bool gone(void *context, edda_exchange_t *exchange) {
    (void)context;
    (void)exchange;
    return false;
}

static void done(void *context, edda_exchange_t *exchange, int status) {
    struct edda_visit *visit = edda_exchange_visit(exchange);
    (void)context;
    (void)status;
    visit->drop(visit);
    edda_arena_done(&visit->arena);
}

/* ---- */

/* The line's visible characters; the rest would be another header. */
static struct edda_text take_line(struct fuzz_input *input) {
    const char *line = (const char *)input->at;
    size_t size = 0;
    while (!fuzz_is_over(input) && *input->at >= ' ' && *input->at < 0x7f) {
        input->at++;
        size++;
    }
    input->at += !fuzz_is_over(input);
    return (struct edda_text){line, size};
}

static void upload(edda_http_t *http, struct edda_text type, struct edda_bytes body, size_t most,
                   struct random *random, struct edda_buffer *ret_outcome) {
    struct edda_buffer request;
    struct edda_buffer response;
    edda_buffer_init(&request, (size_t)1 << 20);
    edda_buffer_init(&response, (size_t)1 << 20);
    edda_buffer_init(ret_outcome, (size_t)1 << 20);
    outcome = ret_outcome;
    (void)edda_buffer_printf(&request,
                             "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: %.*s\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             (int)type.size, type.data, body.size);
    EDDA_ASSERT(edda_buffer_append(&request, body.data, body.size) == 0);
    http_rig_say(http, edda_buffer_bytes(&request), most, random, &response);
    EDDA_ASSERT(outcome->size > 0 && !outcome->error);
    edda_buffer_done(&request);
    edda_buffer_done(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static edda_http_t *http;
    struct fuzz_input input = {data, data + size};
    struct random random = {fuzz_take(&input, 2)};
    struct edda_text type = take_line(&input);
    struct edda_bytes body = {input.at, (size_t)(input.end - input.at)};
    struct edda_buffer one;
    struct edda_buffer many;
    if (!http) {
        http = http_rig_new(&(struct edda_http_options){.visit_bytes = sizeof(struct edda_visit),
                                                        .begin = begin,
                                                        .field = field,
                                                        .end = end,
                                                        .gone = gone,
                                                        .done = done});
        gateway.loop = http->options.loop;
        gateway.max_body_bytes = MAX_BODY;
    }
    bool multipart = type.size >= sizeof FORM - 1 && memcmp(type.data, FORM, sizeof FORM - 1) == 0;
    if (!multipart || type.size > 256 || body.size > (size_t)1 << 16) {
        return 0; /* nothing the gateway would take for an upload */
    }
    upload(http, type, body, SIZE_MAX / 2, &random, &one);
    upload(http, type, body, 2 + random_below(&random, 200), &random, &many);
    EDDA_ASSERT(one.size == many.size && memcmp(one.data, many.data, one.size) == 0);
    edda_buffer_done(&one);
    edda_buffer_done(&many);
    return 0;
}
