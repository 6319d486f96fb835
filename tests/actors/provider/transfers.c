/* tests/actors/provider/transfers.c: see transfers.h. */
#include "tests/actors/provider/transfers.h"

#include <stdio.h>

#define WAIT_MS 20000
#define MOST_OF_A_PIECE                                                                            \
    (80 * 1024) /* held for on_data: what outbound_state.h says, and curl's last */

edda_loop_t *loop;
edda_outbound_t *outbound;
struct scripted *server;

void transfers_use(struct edda_outbound_options options) {
    edda_outbound_destroy(&outbound);
    options.loop = loop;
    outbound = edda_outbound_new(&options);
    assert_non_null(outbound);
}

int transfers_begin(void **state) {
    (void)state;
    loop = edda_loop_new("test");
    server = scripted_start();
    transfers_use((struct edda_outbound_options){
        .connect_ms = FAR_MS, .first_byte_ms = FAR_MS, .idle_ms = FAR_MS});
    return 0;
}

void transfers_have_no_patience(void) {
    transfers_use((struct edda_outbound_options){
        .connect_ms = CONNECT_MS, .first_byte_ms = FIRST_BYTE_MS, .idle_ms = IDLE_MS});
}

int transfers_end(void **state) {
    (void)state;
    edda_outbound_destroy(&outbound);
    edda_outbound_destroy(&outbound);
    edda_loop_destroy(&loop);
    scripted_stop(&server);
    return 0;
}

static void copy_text(char *out, size_t room, const void *data, size_t size) {
    size = size < room - 1 ? size : room - 1;
    memcpy(out, data ? data : "", data ? size : 0);
    out[data ? size : 0] = '\0';
}

static void on_done(void *context, const struct edda_outbound_result *result) {
    struct transfer *self = context;
    self->done++;
    self->error = result->error;
    self->status = result->status;
    self->began = result->began;
    self->body_size = result->body.size;
    copy_text(self->body, sizeof self->body, result->body.data, result->body.size);
    copy_text(self->retry_after, sizeof self->retry_after, result->retry_after.data,
              result->retry_after.size);
    copy_text(self->content_type, sizeof self->content_type, result->content_type.data,
              result->content_type.size);
    copy_text(self->reason, sizeof self->reason, result->reason, strlen(result->reason));
    if (self->after) {
        self->after(self);
    }
    self->handle = NULL;
}

static void on_data(void *context, struct edda_bytes data) {
    struct transfer *self = context;
    assert_int_equal(self->done, 0);
    assert_in_range(data.size, 1, MOST_OF_A_PIECE);
    size_t used = strlen(self->data);
    copy_text(self->data + used, sizeof self->data - used, data.data, data.size);
    self->pieces++;
    self->bytes += data.size;
    if (self->during) {
        self->during(self);
    }
}

void transfer_make(struct transfer *transfer) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    *transfer = (struct transfer){0};
    snprintf(transfer->url, sizeof transfer->url, "%sv1/x?y=1", scripted_url(server));
    transfer->request = (struct edda_outbound_request){
        .method = "POST",
        .url = transfer->url,
        .headers = headers,
        .body = {(const uint8_t *)"{}", 2},
        .response_maximum = 65536,
        .deadline_ms = edda_loop_now(loop) + FAR_MS,
        .on_done = on_done,
        .context = transfer,
    };
}

void transfer_make_stream(struct transfer *transfer) {
    transfer_make(transfer);
    transfer->request.on_data = on_data;
}

void transfer_send(struct transfer *transfer) {
    assert_int_equal(edda_outbound_send(outbound, &transfer->request, &transfer->handle), 0);
    assert_non_null(transfer->handle);
    assert_int_equal(transfer->done, 0);
}

void transfer_post(struct transfer *transfer) {
    transfer_make(transfer);
    transfer_send(transfer);
}

void transfer_stream(struct transfer *transfer) {
    transfer_make_stream(transfer);
    transfer_send(transfer);
}

static bool is_done(void *context) {
    return ((struct transfer *)context)->done > 0;
}

void transfer_expect(struct transfer *transfer, int error) {
    assert_true(fake_loop_until(loop, is_done, transfer, WAIT_MS));
    assert_int_equal(transfer->error, error);
    assert_int_equal(transfer->done, 1);
    assert_true((error == 0) == (transfer->reason[0] == '\0'));
}

struct count {
    size_t (*get)(struct scripted *self);
    size_t least;
    size_t most;
};

static bool is_counted(void *context) {
    const struct count *count = context;
    size_t value = count->get(server);
    return value >= count->least && value <= count->most;
}

void await_requests(size_t count) {
    struct count wanted = {scripted_requests, count, count};
    assert_true(fake_loop_until(loop, is_counted, &wanted, WAIT_MS));
}

void await_open(size_t count) {
    struct count wanted = {scripted_open, count, count};
    assert_true(fake_loop_until(loop, is_counted, &wanted, WAIT_MS));
}

struct bytes_wanted {
    const struct transfer *transfer;
    size_t bytes;
};

static bool has_bytes(void *context) {
    const struct bytes_wanted *wanted = context;
    return wanted->transfer->bytes >= wanted->bytes;
}

void transfer_await_bytes(struct transfer *transfer, size_t bytes) {
    struct bytes_wanted wanted = {transfer, bytes};
    assert_true(fake_loop_until(loop, has_bytes, &wanted, WAIT_MS));
    assert_true(transfer->bytes >= bytes);
}
