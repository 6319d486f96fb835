/* tests/gateway/live_gateway.c: sockets are read without blocking, between turns of the broker. */
#include "tests/gateway/live_gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "gateway/gateway.h"
#include "tests/proto/cmocka.h"

#define WAIT_MS 15000
#define URL     "inproc://fake"

struct live_gateway {
    void *zmq;
    edda_loop_t *loop;
    struct fake_broker *broker;
    edda_config_t *config;
    struct edda_role role;
    edda_thread_t *thread;
    const char *connect[1];
    pthread_mutex_t lock;
    char url[128]; /* under lock */
    uint16_t port;
    bool draining;
    struct edda_arena arena;
    const struct edda_wire *wire;
};

static void note_ready(void *context, const char *name, const char *detail) {
    struct live_gateway *live = context;
    (void)name;
    pthread_mutex_lock(&live->lock);
    (void)snprintf(live->url, sizeof live->url, "%s", detail);
    pthread_mutex_unlock(&live->lock);
}

static bool is_ready(void *context) {
    struct live_gateway *live = context;
    pthread_mutex_lock(&live->lock);
    bool ready = live->url[0] != '\0';
    pthread_mutex_unlock(&live->lock);
    return ready;
}

static void configure(struct live_gateway *live, const char *const *flags) {
    const char *message = NULL;
    live->config = edda_config_new();
    assert_int_equal(edda_config_flag(live->config, "--http", "127.0.0.1:0", &message), 0);
    assert_int_equal(edda_config_flag(live->config, "--api-key", LIVE_KEY, &message), 0);
    for (size_t i = 0; flags && flags[i]; i += 2) {
        assert_int_equal(edda_config_flag(live->config, flags[i], flags[i + 1], &message), 0);
    }
}

struct live_gateway *live_gateway_start(const char *const *flags) {
    struct live_gateway *live = calloc(1, sizeof *live);
    assert_non_null(live);
    edda_log_setup(EDDA_LOG_ERROR, false);
    pthread_mutex_init(&live->lock, NULL);
    edda_arena_init(&live->arena, (size_t)16 << 20);
    configure(live, flags);
    live->zmq = zmq_ctx_new();
    live->loop = edda_loop_new("test");
    live->broker = fake_broker_new(live->loop, live->zmq, URL);
    live->connect[0] = URL;
    live->role = (struct edda_role){.name = "gateway",
                                    .zmq_context = live->zmq,
                                    .config = live->config,
                                    .connect = live->connect,
                                    .connect_count = 1,
                                    .ready = note_ready,
                                    .context = live};
    live->thread = edda_thread_new(&live->role, edda_gateway_main);
    assert_non_null(live->thread);
    assert_true(fake_loop_until(live->loop, is_ready, live, WAIT_MS));
    (void)fake_broker_accept(live->broker, FAKE_FRONT);
    fake_broker_grant(live->broker, "store", 1000, 1 << 30);
    fake_broker_grant(live->broker, "embed", 1000, 1 << 30);
    live->port = (uint16_t)strtoul(strrchr(live->url, ':') + 1, NULL, 10);
    return live;
}

void live_gateway_drain(struct live_gateway *live) {
    live->draining = true;
    edda_thread_drain(live->thread, 10000);
}

static bool has_ended(void *context) {
    struct live_gateway *live = context;
    return edda_thread_ended(live->thread);
}

static void end_thread(struct live_gateway *live, int wanted) {
    int result = -1;
    assert_true(fake_loop_until(live->loop, has_ended, live, 20000));
    assert_int_equal(edda_thread_join(&live->thread, 1000, &result), 0);
    assert_int_equal(result, wanted);
}

static void free_live(struct live_gateway **live_p) {
    struct live_gateway *live = *live_p;
    fake_broker_destroy(&live->broker);
    edda_loop_destroy(&live->loop);
    zmq_ctx_term(live->zmq);
    edda_config_destroy(&live->config);
    edda_arena_done(&live->arena);
    pthread_mutex_destroy(&live->lock);
    free(live);
    *live_p = NULL;
}

void live_gateway_stop(struct live_gateway **live_p) {
    if (!(*live_p)->draining) { /* a second time would cut what is open */
        live_gateway_drain(*live_p);
    }
    end_thread(*live_p, 0);
    free_live(live_p);
}

int start_live_gateway(void **state) {
    *state = live_gateway_start(NULL);
    return 0;
}

int stop_live_gateway(void **state) {
    struct live_gateway *live = *state;
    live_gateway_stop(&live);
    return 0;
}

void live_gateway_cut(struct live_gateway **live_p) {
    live_gateway_drain(*live_p);
    live_gateway_drain(*live_p);
    end_thread(*live_p, EDDA_E_TIMEOUT);
    free_live(live_p);
}

struct fake_broker *live_gateway_broker(struct live_gateway *live) {
    return live->broker;
}

edda_loop_t *live_gateway_loop(struct live_gateway *live) {
    return live->loop;
}

int open_narrow_http(struct live_gateway *live, int receive_bytes) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(live->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes > 0) {
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes), 0);
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

int open_http(struct live_gateway *live) {
    return open_narrow_http(live, 0);
}

void send_more(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        size -= (size_t)sent;
    }
}

int send_http(struct live_gateway *live, const char *bytes) {
    int fd = open_http(live);
    send_more(fd, bytes, strlen(bytes));
    return fd;
}

int send_json(struct live_gateway *live, const char *method, const char *path, const char *body) {
    char head[1024];
    int fd = open_http(live);
    int size = snprintf(head, sizeof head,
                        "%s %s HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        method, path, strlen(body));
    send_more(fd, head, (size_t)size);
    send_more(fd, body, strlen(body));
    return fd;
}

int send_get(struct live_gateway *live, const char *path) {
    char head[1024];
    (void)snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION "\r\n",
                   path);
    return send_http(live, head);
}

struct reading {
    int fd;
    struct edda_buffer bytes;
    bool closed;
    bool complete;
    size_t head_size;
    size_t body_size; /* once complete */
};

static const char *find_header(const char *head, const char *name) {
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') {
            return line + 3 + size;
        }
    }
    return NULL;
}

/* Joins chunks in place; returns false while the last one is missing. */
static bool join_chunks(char *body, size_t size, size_t *ret_size, bool apply) {
    size_t from = 0;
    size_t to = 0;
    for (;;) {
        char *end = memchr(body + from, '\n', size - from);
        if (!end) {
            return false;
        }
        size_t chunk = strtoul(body + from, NULL, 16);
        from = (size_t)(end - body) + 1;
        if (from + chunk + 2 > size) {
            return false;
        }
        if (chunk == 0) {
            *ret_size = to;
            return true;
        }
        if (apply) {
            memmove(body + to, body + from, chunk);
        }
        to += chunk;
        from += chunk + 2;
    }
}

static bool is_complete(struct reading *reading) {
    const char *head = (const char *)reading->bytes.data;
    const char *end = reading->bytes.size > 0 ? strstr(head, "\r\n\r\n") : NULL;
    if (!end) {
        return false;
    }
    reading->head_size = (size_t)(end - head) + 4;
    size_t have = reading->bytes.size - reading->head_size;
    const char *length = find_header(head, "Content-Length");
    if (length && length < end) {
        reading->body_size = strtoul(length, NULL, 10);
        return have >= reading->body_size;
    }
    if (find_header(head, "Transfer-Encoding")) {
        char *body = (char *)reading->bytes.data + reading->head_size;
        if (!join_chunks(body, have, &reading->body_size, false)) {
            return false;
        }
        return join_chunks(body, have, &reading->body_size, true);
    }
    reading->body_size = 0;
    return true;
}

static bool read_some(void *context) {
    struct reading *reading = context;
    char bytes[16384];
    ssize_t got = recv(reading->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) {
        (void)edda_buffer_append(&reading->bytes, bytes, (size_t)got);
        uint8_t *end = edda_buffer_reserve(&reading->bytes, 1);
        assert_non_null(end);
        *end = '\0';
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        reading->closed = true;
    }
    reading->complete = is_complete(reading);
    return reading->complete || reading->closed;
}

struct http_answer *expect_http(struct live_gateway *live, int fd, int status) {
    struct reading reading = {.fd = fd};
    struct http_answer *answer = calloc(1, sizeof *answer);
    edda_buffer_init(&reading.bytes, (size_t)256 << 20);
    if (!fake_loop_until(live->loop, read_some, &reading, WAIT_MS) || !reading.complete) {
        fail_msg("no whole response within %d ms, %zu bytes, %s", WAIT_MS, reading.bytes.size,
                 reading.closed ? "closed" : "open");
    }
    char *bytes = (char *)reading.bytes.data;
    answer->status = (int)strtol(bytes + 9, NULL, 10);
    assert_true(reading.head_size < sizeof answer->head);
    memcpy(answer->head, bytes, reading.head_size);
    answer->body = calloc(1, reading.body_size + 1);
    memcpy(answer->body, bytes + reading.head_size, reading.body_size);
    answer->size = reading.body_size;
    answer->json = json_loadb(answer->body, answer->size, 0, NULL);
    answer->closed = reading.closed;
    edda_buffer_done(&reading.bytes);
    if (answer->status != status) {
        fail_msg("expected %d, got %d: %s", status, answer->status, answer->body);
    }
    return answer;
}

void free_answer(struct http_answer **answer_p) {
    json_decref((*answer_p)->json);
    free((*answer_p)->body);
    free(*answer_p);
    *answer_p = NULL;
}

void expect_http_json(struct live_gateway *live, int fd, int status, const char *json) {
    struct http_answer *answer = expect_http(live, fd, status);
    assert_string_equal(answer->body, json);
    free_answer(&answer);
    (void)close(fd);
}

static bool has_ended_or_answered(void *context) {
    struct reading *reading = context;
    (void)read_some(context);
    return reading->closed || reading->complete;
}

void expect_cut(struct live_gateway *live, int fd) {
    struct reading reading = {.fd = fd};
    edda_buffer_init(&reading.bytes, (size_t)256 << 20);
    assert_true(fake_loop_until(live->loop, has_ended_or_answered, &reading, WAIT_MS));
    assert_true(reading.closed && !reading.complete && reading.bytes.size > 0);
    edda_buffer_done(&reading.bytes);
    (void)close(fd);
}

static bool is_closed(void *context) {
    struct reading *reading = context;
    char byte;
    ssize_t got = recv(reading->fd, &byte, 1, MSG_DONTWAIT);
    assert_true(got <= 0);
    return got == 0 || (errno != EAGAIN && errno != EINTR);
}

void expect_end(struct live_gateway *live, int fd) {
    struct reading reading = {.fd = fd};
    assert_true(fake_loop_until(live->loop, is_closed, &reading, WAIT_MS));
    (void)close(fd);
}

void decode_step(struct live_gateway *live, size_t index, uint16_t type, void *ret_record) {
    const struct edda_message *message = &live->wire->message;
    assert_true(index < message->envelope.route_count);
    uint8_t body = message->envelope.route[index].arguments;
    assert_true(body < message->envelope.body_count);
    assert_int_equal(message->envelope.bodies[body].type, type);
    assert_int_equal(edda_body_decode(type, message->bodies[body], &live->arena, ret_record), 0);
}

struct edda_uuid take_call(struct live_gateway *live, struct edda_text *ret_op) {
    live->wire = fake_broker_expect_after_credit(live->broker, FAKE_FRONT, EDDA_REQ);
    *ret_op = live->wire->message.envelope.route[0].op;
    return live->wire->message.envelope.id;
}

struct edda_uuid expect_call(struct live_gateway *live, const char *op, uint16_t type,
                             void *ret_record) {
    live->wire = fake_broker_expect_after_credit(live->broker, FAKE_FRONT, EDDA_REQ);
    const struct edda_envelope *envelope = &live->wire->message.envelope;
    assert_true(envelope->route_count > 0);
    if (!edda_text_is(envelope->route[0].op, op)) {
        fail_msg("expected a call of %s, got %.*s", op, (int)envelope->route[0].op.size,
                 envelope->route[0].op.data);
    }
    decode_step(live, 0, type, ret_record);
    return envelope->id;
}

const struct edda_envelope *last_envelope(struct live_gateway *live) {
    return &live->wire->message.envelope;
}

void answer_call(struct live_gateway *live, const struct edda_uuid *id, uint16_t type,
                 const void *record) {
    struct edda_buffer buffer;
    struct edda_uuid copy = *id;
    edda_buffer_init(&buffer, (size_t)1 << 20);
    assert_int_equal(edda_body_encode(type, record, &buffer), 0);
    fake_broker_respond(live->broker, &copy, type, edda_buffer_bytes(&buffer));
    edda_buffer_done(&buffer);
}

void fail_call(struct live_gateway *live, const struct edda_uuid *id, int code) {
    struct edda_uuid copy = *id;
    fake_broker_fail(live->broker, &copy, code);
}

void expect_no_call(struct live_gateway *live) {
    fake_broker_expect_nothing(live->broker, FAKE_FRONT, 100, true);
}
