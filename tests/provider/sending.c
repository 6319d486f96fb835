/* tests/provider/sending.c: from an answer to bytes on the wire: at once, paced, cut or endless. */
#include "tests/provider/server.h"

#define LINGERING_MS 3600000
#define BLOCK        ((size_t)16 * 1024)
#define UNSENT       ((size_t)16 * 1024) /* of a stream's events that are due */

static int64_t now_of(const struct fake_exchange *exchange) {
    return edda_loop_now(exchange->server->options.loop);
}

/* Events that are due; returns when the next is, or -1. */
static int64_t fill(struct fake_exchange *exchange) {
    struct fake_chat *chat = &exchange->chat;
    while (exchange->streamed && !chat->ended && exchange->out.size - exchange->taken < UNSENT) {
        int64_t due_ms = exchange->head_ms + fake_chat_due(chat);
        if (due_ms > now_of(exchange)) {
            return due_ms;
        }
        if (exchange->taken == exchange->out.size) {
            edda_buffer_reset(&exchange->out);
            exchange->server->counters.bytes_out += (int64_t)exchange->taken;
            exchange->taken = 0;
        }
        fake_chat_next(chat, &exchange->out);
    }
    return -1;
}

static ssize_t wait(struct fake_exchange *exchange, int64_t until_ms) {
    fake_exchange_suspend(exchange, until_ms);
    return 0;
}

static ssize_t end(struct fake_exchange *exchange) {
    bool halved = exchange->streamed ? exchange->chat.cut || exchange->behaviour.unfinished
                                     : exchange->behaviour.half_body;
    if (exchange->streamed && exchange->behaviour.lingers) {
        return wait(exchange, now_of(exchange) + LINGERING_MS);
    }
    if (!halved) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    exchange->cut = true;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t pull(void *context, uint64_t position, char *data, size_t size) {
    struct fake_exchange *exchange = context;
    const struct fake_behaviour *behaviour = &exchange->behaviour;
    (void)position;
    if (exchange->left || exchange->cut) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    int64_t due_ms = fill(exchange);
    size_t unsent = exchange->out.size - exchange->taken;
    if (unsent == 0 && !exchange->endless) {
        return due_ms >= 0 ? wait(exchange, due_ms) : end(exchange);
    }
    if (exchange->pace_ms > now_of(exchange)) {
        return wait(exchange, exchange->pace_ms);
    }
    if (behaviour->slow_bytes > 0) {
        size = size < (size_t)behaviour->slow_bytes ? size : (size_t)behaviour->slow_bytes;
        exchange->pace_ms = now_of(exchange) + behaviour->slow_every_ms;
    }
    if (unsent == 0) {
        memset(data, 'x', size);
        exchange->server->counters.bytes_out += (int64_t)size;
        return (ssize_t)size;
    }
    size = size < unsent ? size : unsent;
    memcpy(data, exchange->out.data + exchange->taken, size);
    exchange->taken += size;
    return (ssize_t)size;
}

static struct MHD_Response *make_response(struct fake_exchange *exchange) {
    const struct fake_behaviour *behaviour = &exchange->behaviour;
    struct edda_buffer *out = &exchange->out;
    exchange->head_ms = exchange->pace_ms = now_of(exchange);
    if (exchange->streamed || exchange->endless) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, pull, exchange, NULL);
    }
    if (behaviour->half_body || behaviour->slow_bytes > 0) {
        size_t whole = out->size;
        out->size = behaviour->half_body ? whole / 2 : whole;
        return MHD_create_response_from_callback(whole, BLOCK, pull, exchange, NULL);
    }
    uint8_t *data;
    size_t size;
    edda_buffer_take(out, &data, &size);
    exchange->taken = size;
    return MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
}

static void add_headers(struct MHD_Response *response, const struct fake_exchange *exchange) {
    const struct fake_behaviour *behaviour = &exchange->behaviour;
    const char *name;
    const json_t *value;
    (void)MHD_add_response_header(response, "Content-Type", exchange->content_type);
    if (behaviour->retry_after && exchange->status != 200) {
        (void)MHD_add_response_header(response, "Retry-After", behaviour->retry_after);
    }
    json_object_foreach((json_t *)(uintptr_t)behaviour->headers, name, value) {
        if (json_is_string(value)) {
            (void)MHD_add_response_header(response, name, json_string_value(value));
        }
    }
}

enum MHD_Result fake_exchange_send(struct fake_exchange *exchange) {
    struct MHD_Response *response = make_response(exchange);
    EDDA_ASSERT(response);
    add_headers(response, exchange);
    enum MHD_Result result =
        MHD_queue_response(exchange->mhd, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    exchange->queued = result == MHD_YES;
    return result;
}
