/* tests/actors/provider/calls.c: see calls.h. */
#include "tests/actors/provider/calls.h"

#include <stdio.h>

#define WAIT_MS 20000

edda_provider_t *provider;
int changes;

static void on_change(void *context) {
    (void)context;
    changes++;
}

void calls_use(uint32_t concurrency, uint32_t per_minute) {
    edda_provider_destroy(&provider);
    provider = edda_provider_new(&(struct edda_provider_options){.loop = loop,
                                                                 .outbound = outbound,
                                                                 .name = "test",
                                                                 .concurrency = concurrency,
                                                                 .per_minute = per_minute,
                                                                 .on_change = on_change});
    assert_non_null(provider);
    changes = 0;
}

int calls_begin(void **state) {
    (void)transfers_begin(state);
    calls_use(8, 0);
    return 0;
}

int calls_end(void **state) {
    edda_provider_destroy(&provider);
    edda_provider_destroy(&provider);
    assert_int_equal(edda_cell_value(edda_metric_cell(EDDA_METRIC_PROVIDER_OPEN, "test")), 0);
    return transfers_end(state);
}

static void on_done(void *context, const struct edda_provider_reply *reply) {
    struct call *self = context;
    self->handle = NULL;
    self->done++;
    self->reply = *reply;
    self->reply.body = (struct edda_bytes){0};
    snprintf(self->body, sizeof self->body, "%.*s", (int)reply->body.size,
             reply->body.data ? (const char *)reply->body.data : "");
    if (self->after) {
        self->after(self);
    }
}

static void on_data(void *context, struct edda_bytes data) {
    struct call *self = context;
    self->bytes += data.size;
    if (self->during) {
        self->during(self);
    }
}

static int check(void *context, struct edda_bytes body) {
    struct call *self = context;
    assert_int_equal(body.size, 2);
    if (self->later) {
        self->checked++;
        return EDDA_E_AGAIN;
    }
    return self->checked++ < self->nonsense ? EDDA_E_FAILED : 0;
}

void call_make(struct call *call) {
    static const char *const headers[] = {"Authorization: Bearer my-own", NULL};
    *call = (struct call){0};
    call->request = (struct edda_provider_request){
        .method = "POST",
        .url = scripted_url(server),
        .headers = headers,
        .body = {(const uint8_t *)"{}", 2},
        .response_maximum = 65536,
        .deadline_ms = edda_loop_now(loop) + FAR_MS,
        .on_done = on_done,
        .context = call,
    };
}

void call_make_stream(struct call *call) {
    call_make(call);
    call->request.on_data = on_data;
    call->request.response_maximum = (size_t)1 << 30;
}

void call_send(struct call *call, int error) {
    if (call->nonsense || call->later) {
        call->request.check = check;
    }
    assert_int_equal(edda_provider_send(provider, &call->request, &call->handle, &call->wait_ms),
                     error);
    assert_true((error == 0) == (call->handle != NULL));
    assert_int_equal(call->done, 0);
}

void call_post(struct call *call) {
    call_make(call);
    call_send(call, 0);
}

void call_post_bulk(struct call *call) {
    call_make(call);
    call->request.bulk = true;
    call_send(call, 0);
}

static bool is_done(void *context) {
    return ((struct call *)context)->done > 0;
}

void call_expect(struct call *call, int error) {
    assert_true(fake_loop_until(loop, is_done, call, WAIT_MS));
    assert_int_equal(call->done, 1);
    assert_int_equal(call->reply.error, error);
    assert_true((error == 0) == (call->reply.text[0] == '\0'));
    assert_true(error == 0 || strncmp(call->reply.text, "test: ", 6) == 0);
    assert_null(strstr(call->reply.text, "my-own"));
}

void open_breaker(void) {
    struct call calls[EDDA_LIMIT_FAILURES];
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        scripted_says(server, REFUSE(500, ""));
        call_make(&calls[i]);
        calls[i].request.tries = 1;
        call_send(&calls[i], 0);
    }
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        call_expect(&calls[i], EDDA_E_UNAVAILABLE);
    }
}

static bool has_window(void *context) {
    return edda_provider_window(provider, NULL) == *(uint32_t *)context;
}

void await_window(uint32_t window) {
    assert_true(fake_loop_until(loop, has_window, &window, WAIT_MS));
}

int64_t count_of(const char *result) {
    return edda_cell_value(edda_metric_cell(EDDA_METRIC_PROVIDER_CALLS, result));
}
