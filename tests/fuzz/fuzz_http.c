/* tests/fuzz/fuzz_http.c: what a client says on a connection, in one piece and in pieces of any
 * size: the same requests are heard, each is begun and done once, and no request is heard that the
 * framing of the one before it does not allow for. The first bytes choose where to cut. */
#include "gateway/http.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/http_rig.h"

static struct edda_buffer *heard; /* of the connection that speaks now */
static size_t open_requests;

static void note_text(struct edda_text text) {
    uint32_t size = text.data ? (uint32_t)text.size : UINT32_MAX;
    (void)edda_buffer_append(heard, &size, sizeof size);
    EDDA_ASSERT(edda_buffer_append(heard, text.data, text.data ? text.size : 0) == 0);
}

/* What goes on into headers, logs and messages is one line of what is visible. */
static void note_header(struct edda_text text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        EDDA_ASSERT(byte >= ' ' || byte == '\t');
    }
    note_text(text);
}

static void begin(void *context, edda_exchange_t *exchange) {
    const struct edda_http_head *head = edda_exchange_head(exchange);
    (void)context;
    EDDA_ASSERT(open_requests++ == 0);
    edda_exchange_identify(exchange, EDDA_TEXT("r"), EDDA_TEXT("t"));
    (void)edda_buffer_printf(heard, "begin %d %d", (int)head->method, head->malformed != NULL);
    if (head->malformed) {
        return;
    }
    EDDA_ASSERT(head->path.size > 0 && head->path.data[0] == '/');
    EDDA_ASSERT(head->content_length >= -1);
    (void)edda_buffer_printf(heard, " %lld", (long long)head->content_length);
    note_header(head->path);
    note_header(head->query);
    note_header(head->host);
    note_header(head->forwarded_proto);
    note_header(head->authorization);
    note_header(head->content_type);
    note_header(head->if_none_match);
    note_header(head->idempotency_key);
    note_header(head->request_id);
    note_header(head->traceparent);
    note_header(head->tracestate);
    if (edda_text_is(head->path, "/discard")) {
        edda_exchange_discard(exchange, 64);
    } else {
        edda_exchange_collect(exchange, 1024);
    }
}

static void end(void *context, edda_exchange_t *exchange) {
    const struct edda_http_head *head = edda_exchange_head(exchange);
    struct edda_bytes body = edda_exchange_body(exchange);
    struct edda_http_response response = {.status = 200, .tag = true};
    (void)context;
    EDDA_ASSERT(!head->malformed && body.size <= 1024);
    EDDA_ASSERT(head->content_length < 0 || edda_text_is(head->path, "/discard") ||
                (uint64_t)head->content_length == body.size);
    (void)edda_buffer_append_text(heard, "end");
    note_text((struct edda_text){body.size ? (const char *)body.data : "", body.size});
    (void)edda_buffer_append_text(edda_exchange_out(exchange), "{}");
    edda_exchange_respond(exchange, &response);
}

static bool gone(void *context, edda_exchange_t *exchange) {
    (void)context;
    (void)exchange;
    return false;
}

static void done(void *context, edda_exchange_t *exchange, int status) {
    (void)context;
    (void)exchange;
    EDDA_ASSERT(open_requests-- == 1);
    (void)edda_buffer_printf(heard, "done %d\n", status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static edda_http_t *http;
    struct fuzz_input input = {data, data + size};
    struct random random = {fuzz_take(&input, 2)};
    struct edda_bytes bytes = {input.at, (size_t)(input.end - input.at)};
    struct edda_buffer said[2];
    struct edda_buffer answer;
    if (!http) {
        http = http_rig_new(&(struct edda_http_options){
            .visit_bytes = 16, .begin = begin, .end = end, .gone = gone, .done = done});
    }
    edda_buffer_init(&answer, (size_t)1 << 24);
    for (size_t i = 0; i < 2; i++) {
        edda_buffer_init(&said[i], (size_t)1 << 24);
        heard = &said[i];
        http_rig_say(http, bytes, i == 0 ? SIZE_MAX / 2 : 2 + random_below(&random, 100), &random,
                     &answer);
        EDDA_ASSERT(open_requests == 0 && !heard->error);
    }
    EDDA_ASSERT(said[0].size == said[1].size);
    EDDA_ASSERT(said[0].size == 0 || memcmp(said[0].data, said[1].data, said[0].size) == 0);
    edda_buffer_done(&said[0]);
    edda_buffer_done(&said[1]);
    edda_buffer_done(&answer);
    return 0;
}
