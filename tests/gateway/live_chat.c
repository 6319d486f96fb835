/* tests/gateway/live_chat.c: chunks are taken apart as they come; events are cut at blank lines. */
#include "tests/gateway/live_chat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "tests/proto/cmocka.h"

#define WAIT_MS 15000

struct live_stream {
    struct live_gateway *live;
    int fd;
    struct edda_buffer raw;  /* as received, NUL behind it */
    struct edda_buffer body; /* chunks joined */
    size_t head_size;        /* 0: not all there */
    size_t raw_at;           /* of the next chunk */
    size_t event_at;         /* of the next event in body */
    bool last_chunk;
    bool closed;
    char *event;
};

struct live_stream *open_narrow_stream(struct live_gateway *live, const char *body,
                                       int receive_bytes) {
    struct live_stream *stream = calloc(1, sizeof *stream);
    assert_non_null(stream);
    stream->live = live;
    edda_buffer_init(&stream->raw, (size_t)64 << 20);
    edda_buffer_init(&stream->body, (size_t)64 << 20);
    if (receive_bytes) {
        char head[512];
        stream->fd = open_narrow_http(live, receive_bytes);
        int size = snprintf(head, sizeof head,
                            "POST " CHAT_PATH " HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                            strlen(body));
        send_more(stream->fd, head, (size_t)size);
        send_more(stream->fd, body, strlen(body));
    } else {
        stream->fd = send_json(live, "POST", CHAT_PATH, body);
    }
    return stream;
}

struct live_stream *open_stream(struct live_gateway *live, const char *body) {
    return open_narrow_stream(live, body, 0);
}

void close_stream(struct live_stream **stream_p) {
    struct live_stream *stream = *stream_p;
    (void)close(stream->fd);
    edda_buffer_done(&stream->raw);
    edda_buffer_done(&stream->body);
    free(stream->event);
    free(stream);
    *stream_p = NULL;
}

int stream_fd(const struct live_stream *stream) {
    return stream->fd;
}

static void take_chunks(struct live_stream *stream) {
    while (!stream->last_chunk) {
        char *at = (char *)stream->raw.data + stream->raw_at;
        size_t have = stream->raw.size - stream->raw_at;
        char *line = have > 2 ? memmem(at, have, "\r\n", 2) : NULL;
        if (!line) {
            return;
        }
        size_t size = strtoul(at, NULL, 16);
        size_t whole = (size_t)(line - at) + 2 + size + 2;
        if (have < whole) {
            return;
        }
        (void)edda_buffer_append(&stream->body, line + 2, size);
        stream->raw_at += whole;
        stream->last_chunk = size == 0;
    }
}

static void receive(struct live_stream *stream) {
    char bytes[16384];
    ssize_t got = recv(stream->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) {
        (void)edda_buffer_append(&stream->raw, bytes, (size_t)got);
        *edda_buffer_reserve(&stream->raw, 1) = '\0';
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        stream->closed = true;
    }
    const char *end =
        stream->raw.size > 0 ? strstr((const char *)stream->raw.data, "\r\n\r\n") : NULL;
    if (!stream->head_size && end) {
        stream->head_size = stream->raw_at = (size_t)(end - (const char *)stream->raw.data) + 4;
    }
    if (stream->head_size) {
        take_chunks(stream);
    }
}

static bool has_head(void *context) {
    struct live_stream *stream = context;
    receive(stream);
    return stream->head_size > 0 || stream->closed;
}

void expect_stream_head(struct live_stream *stream) {
    static const char *const wanted[] = {
        "HTTP/1.1 200 OK\r\n",
        "\r\nContent-Type: text/event-stream\r\n",
        "\r\nCache-Control: no-cache\r\n",
        "\r\nX-Accel-Buffering: no\r\n",
        "\r\nTransfer-Encoding: chunked\r\n",
    };
    char head[4096];
    assert_true(fake_loop_until(live_gateway_loop(stream->live), has_head, stream, WAIT_MS));
    assert_true(stream->head_size > 0 && stream->head_size < sizeof head);
    memcpy(head, stream->raw.data, stream->head_size);
    head[stream->head_size] = '\0';
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(head, wanted[i])) {
            fail_msg("no %s in %s", wanted[i], head);
        }
    }
    assert_null(strcasestr(head, "ETag"));
}

static char *find_event_end(const struct live_stream *stream) {
    size_t left = stream->body.size - stream->event_at;
    return left ? memmem(stream->body.data + stream->event_at, left, "\n\n", 2) : NULL;
}

static bool has_event(void *context) {
    struct live_stream *stream = context;
    receive(stream);
    return find_event_end(stream) || stream->closed || stream->last_chunk;
}

const char *take_event(struct live_stream *stream) {
    (void)fake_loop_until(live_gateway_loop(stream->live), has_event, stream, WAIT_MS);
    char *end = find_event_end(stream);
    if (!end) {
        fail_msg("no event; %zu bytes came, %s", stream->raw.size,
                 stream->closed       ? "closed"
                 : stream->last_chunk ? "ended"
                                      : "open");
    }
    char *begin = (char *)stream->body.data + stream->event_at;
    free(stream->event);
    stream->event = calloc(1, (size_t)(end - begin) + 1);
    assert_non_null(stream->event);
    memcpy(stream->event, begin, (size_t)(end - begin));
    stream->event_at += (size_t)(end - begin) + 2;
    return stream->event;
}

void expect_event(struct live_stream *stream, const char *text) {
    assert_string_equal(take_event(stream), text);
}

void expect_event_after_pings(struct live_stream *stream, const char *text) {
    const char *event = take_event(stream);
    while (strcmp(event, ": ping") == 0) {
        event = take_event(stream);
    }
    assert_string_equal(event, text);
}

static bool is_over(void *context) {
    struct live_stream *stream = context;
    receive(stream);
    return stream->last_chunk || stream->closed;
}

void expect_last(struct live_stream *stream) {
    assert_true(fake_loop_until(live_gateway_loop(stream->live), is_over, stream, WAIT_MS));
    assert_true(stream->last_chunk);
    assert_int_equal(stream->body.size, stream->event_at);
    assert_int_equal(stream->raw.size, stream->raw_at);
}

static bool has_more(void *context) {
    struct live_stream *stream = context;
    receive(stream);
    return stream->body.size > stream->event_at || stream->last_chunk || stream->closed;
}

void expect_silence(struct live_stream *stream) {
    assert_false(fake_loop_until(live_gateway_loop(stream->live), has_more, stream, 100));
}

struct edda_uuid expect_route(struct live_gateway *live, const char *ops) {
    struct edda_text first;
    char route[256] = "";
    size_t size = 0;
    struct edda_uuid id = take_call(live, &first);
    const struct edda_envelope *envelope = last_envelope(live);
    for (size_t i = 0; i < envelope->route_count; i++) {
        struct edda_text op = envelope->route[i].op;
        size += (size_t)snprintf(route + size, sizeof route - size, "%s%.*s", i ? " " : "",
                                 (int)op.size, op.data);
    }
    assert_string_equal(route, ops);
    return id;
}

struct edda_llm_answer last_answer_arguments(struct live_gateway *live) {
    struct edda_llm_answer answer;
    decode_step(live, last_envelope(live)->route_count - 1u, EDDA_BODY_LLM_ANSWER, &answer);
    return answer;
}

void send_part(struct live_gateway *live, const struct edda_uuid *id, uint32_t sequence,
               const char *text) {
    const struct edda_answer_part part = {.text = edda_text_of(text)};
    struct edda_message message = {.command = EDDA_PART, .envelope.id = *id};
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, (size_t)1 << 20);
    assert_int_equal(edda_body_encode(EDDA_BODY_ANSWER_PART, &part, &buffer), 0);
    message.envelope.sequence = sequence;
    message.envelope.bodies[0] = (struct edda_body_descriptor){
        .type = EDDA_BODY_ANSWER_PART, .version = 1, .bytes = (uint32_t)buffer.size};
    message.envelope.body_count = 1;
    struct edda_bytes body = edda_buffer_bytes(&buffer);
    fake_broker_send(live_gateway_broker(live), FAKE_FRONT, &message, &body, 1);
    edda_buffer_done(&buffer);
}

void send_progress(struct live_gateway *live, const struct edda_uuid *id, uint8_t step) {
    struct edda_message message = {.command = EDDA_PROGRESS, .envelope.id = *id};
    message.envelope.step = step;
    fake_broker_send(live_gateway_broker(live), FAKE_FRONT, &message, NULL, 0);
}

void fail_step(struct live_gateway *live, const struct edda_uuid *id, uint8_t step, int code,
               const char *text) {
    struct edda_message message = {.command = EDDA_FAIL, .envelope.id = *id};
    message.envelope.step = step;
    message.envelope.error =
        (struct edda_wire_error){.code = code, .blame = EDDA_BLAME_JOB, .text = edda_text_of(text)};
    fake_broker_send(live_gateway_broker(live), FAKE_FRONT, &message, NULL, 0);
}

void answer_chat(struct live_gateway *live, const struct edda_uuid *id, const char *text,
                 struct edda_source *sources, size_t count) {
    const struct edda_answer answer = {
        .text = edda_text_of(text),
        .sources = {sources, count},
        .provider = EDDA_TEXT("builtin"),
        .model = EDDA_TEXT("extractive-1"),
        .finish = EDDA_TEXT("stop"),
    };
    answer_call(live, id, EDDA_BODY_ANSWER, &answer);
}

struct edda_store_turn expect_saved(struct live_gateway *live) {
    const struct edda_empty nothing = {0};
    struct edda_store_turn turn;
    struct edda_uuid id = expect_call(live, "store.chat_save", EDDA_BODY_STORE_TURN, &turn);
    answer_call(live, &id, EDDA_BODY_EMPTY, &nothing);
    return turn;
}

struct edda_credit_grant expect_stream_credit(struct live_gateway *live,
                                              const struct edda_uuid *id) {
    struct edda_credit_grant grant;
    struct edda_arena arena;
    const struct edda_wire *wire =
        fake_broker_expect(live_gateway_broker(live), FAKE_FRONT, EDDA_CREDIT);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, id));
    edda_arena_init(&arena, 4096);
    assert_int_equal(edda_body_decode(EDDA_BODY_CREDIT, wire->message.bodies[0], &arena, &grant),
                     0);
    edda_arena_done(&arena);
    grant.service = (struct edda_text){0};
    return grant;
}

bool has_stream_credit(struct live_gateway *live, int64_t within_ms) {
    return fake_broker_has(live_gateway_broker(live), FAKE_FRONT, within_ms);
}

void expect_cancel(struct live_gateway *live, const struct edda_uuid *id) {
    const struct edda_wire *wire =
        fake_broker_expect_after_credit(live_gateway_broker(live), FAKE_FRONT, EDDA_CANCEL);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, id));
}

void answer_look(struct live_gateway *live, const char *const *names, size_t count) {
    struct edda_service_status items[8];
    const struct edda_broker_status status = {.services = {items, count}};
    const struct edda_store_pong pong = {.database = true};
    const struct edda_store_statistics statistics = {.memos = 1};
    assert_true(count <= sizeof items / sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct edda_service_status){.name = edda_text_of(names[i]), .workers = 1};
    }
    for (size_t i = 0; i < 3; i++) {
        struct edda_text op;
        struct edda_uuid id = take_call(live, &op);
        if (edda_text_is(op, "broker.status")) {
            answer_call(live, &id, EDDA_BODY_BROKER_STATUS, &status);
        } else if (edda_text_is(op, "store.ping")) {
            answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
        } else {
            assert_true(edda_text_is(op, "store.statistics"));
            answer_call(live, &id, EDDA_BODY_STORE_STATISTICS, &statistics);
        }
    }
}
