/* gateway/http_respond.c: from a response to bytes on the wire: headers, ETag, streams. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <xxhash.h>

#include "actors/runtime/clock.h"
#include "gateway/http_internal.h"

#define STREAM_BLOCK ((size_t)32 * 1024)
#define LIVE_BLOCK   ((size_t)4 * 1024)
#define LIVE_UNSENT  ((size_t)16 * 1024)
#define JSON_TYPE    "application/json; charset=utf-8"

const char *reason_of(int status) {
    const char *reason = MHD_get_reason_phrase_for((unsigned)status);
    return reason ? reason : "Unknown";
}

void send_raw(int fd, int status, const char *text, bool head_only, const char *more_headers) {
    char body[256];
    char bytes[1024];
    int body_size = snprintf(body, sizeof body, "{\"error\":\"%.200s\"}", text);
    int size = snprintf(bytes, sizeof bytes,
                        "HTTP/1.1 %d %s\r\nContent-Type: " JSON_TYPE "\r\nContent-Length: %d\r\n"
                        "Connection: close\r\nX-Content-Type-Options: nosniff\r\n%s\r\n%s",
                        status, reason_of(status), body_size, more_headers, head_only ? "" : body);
    /* It is the last thing on the line: what the socket cannot take now is not worth waiting for.
     */
    if (size > 0) {
        (void)send(fd, bytes, (size_t)size < sizeof bytes ? (size_t)size : sizeof bytes - 1,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* Weak, and the same in every process: against accidents, which no key is needed for. */
static void make_etag(struct edda_bytes body, char ret_etag[24]) {
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = XXH3_64bits(body.data, body.size);
    char *at = ret_etag;
    memcpy(at, "W/\"", 3);
    at += 3;
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = digits[hash >> shift & 15];
    }
    memcpy(at, "\"", 2);
}

/* libmicrohttpd would print it anew for every response. */
static const char *date_of(edda_http_t *http) {
    int64_t now_ms = edda_loop_now(http->options.loop);
    if (now_ms >= http->date_until_ms) {
        time_t now = (time_t)(edda_clock_wall_ms() / 1000);
        struct tm tm;
        (void)gmtime_r(&now, &tm);
        (void)strftime(http->date, sizeof http->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        http->date_until_ms = now_ms + 500;
    }
    return http->date;
}

static struct edda_text opaque_tag(struct edda_text tag) {
    if (tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
        tag = (struct edda_text){tag.data + 2, tag.size - 2};
    }
    return tag;
}

/* Weak comparison, RFC 9110 section 13.1.2. */
static bool matches(struct edda_text list, struct edda_text etag) {
    size_t at = 0;
    while (at < list.size) {
        while (at < list.size && (list.data[at] == ' ' || list.data[at] == ',')) {
            at++;
        }
        size_t begin = at;
        while (at < list.size && list.data[at] != ',' && list.data[at] != ' ') {
            at++;
        }
        struct edda_text tag = {list.data + begin, at - begin};
        if (edda_text_is(tag, "*") ||
            (tag.size > 0 && edda_text_equal(opaque_tag(tag), opaque_tag(etag)))) {
            return true;
        }
    }
    return false;
}

static ssize_t pull_piece(void *context, uint64_t position, char *data, size_t size) {
    struct edda_exchange *exchange = context;
    (void)position;
    exchange->in_handler = true;
    int64_t got = exchange->gone ? EDDA_HTTP_BROKEN
                                 : exchange->pull(exchange->pull_context, exchange, data, size);
    exchange->in_handler = false;
    if (got == EDDA_HTTP_END) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (got < 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (got == 0) {
        exchange->suspended = true;
        MHD_suspend_connection(exchange->connection->mhd);
    } else {
        move_connection(exchange->connection, PHASE_SENDING);
    }
    return (ssize_t)got;
}

struct header {
    const char *name;
    const char *value;
};

#define MAX_HEADERS 14

/* The response's headers; number holds Retry-After's text. */
static size_t list_headers(const struct edda_exchange *exchange, int status,
                           struct header headers[MAX_HEADERS], char number[16]) {
    const struct edda_http_response *wanted = &exchange->response;
    size_t count = 0;
    headers[count++] = (struct header){"Date", date_of(exchange->http)};
    if (status != 204 && status != 304) {
        headers[count++] = (struct header){"Content-Type",
                                           wanted->content_type ? wanted->content_type : JSON_TYPE};
        headers[count++] = (struct header){"X-Content-Type-Options", "nosniff"};
    }
    headers[count++] = (struct header){"X-Request-Id", exchange->request_id};
    headers[count++] = (struct header){"X-Trace-Id", exchange->trace_id};
    if (wanted->cache_control) {
        headers[count++] = (struct header){"Cache-Control", wanted->cache_control};
    }
    if (wanted->etag) {
        headers[count++] = (struct header){"ETag", wanted->etag};
    }
    if (wanted->deny) {
        headers[count++] = (struct header){"WWW-Authenticate", "Bearer"};
    }
    if (wanted->live) {
        headers[count++] = (struct header){"X-Accel-Buffering", "no"};
    }
    if (wanted->retry_after_s > 0) {
        (void)snprintf(number, 16, "%u", wanted->retry_after_s);
        headers[count++] = (struct header){"Retry-After", number};
    }
    if (exchange->limit_policy[0]) {
        headers[count++] = (struct header){"RateLimit-Policy", exchange->limit_policy};
        headers[count++] = (struct header){"RateLimit", exchange->limit_state};
    }
    if (exchange->http->stopping) {
        headers[count++] = (struct header){"Connection", "close"};
    }
    return count;
}

static void add_headers(struct edda_exchange *exchange, struct MHD_Response *response, int status) {
    struct header headers[MAX_HEADERS];
    char number[16];
    size_t count = list_headers(exchange, status, headers, number);
    for (size_t i = 0; i < count; i++) {
        (void)MHD_add_response_header(response, headers[i].name, headers[i].value);
    }
}

static struct edda_bytes body_of(const struct edda_exchange *exchange) {
    return exchange->static_body.data ? exchange->static_body : edda_buffer_bytes(&exchange->out);
}

void send_past(struct edda_exchange *exchange) {
    int status = exchange->response.status;
    struct edda_bytes body = body_of(exchange);
    struct header headers[MAX_HEADERS];
    struct edda_buffer bytes;
    char number[16];
    if (exchange->pull) {
        return;
    }
    edda_buffer_init(&bytes, body.size + 4096);
    (void)edda_buffer_printf(&bytes, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", status,
                             reason_of(status), body.size);
    size_t count = list_headers(exchange, status, headers, number);
    for (size_t i = 0; i < count; i++) {
        (void)edda_buffer_printf(&bytes, "%s: %s\r\n", headers[i].name, headers[i].value);
    }
    (void)edda_buffer_append_text(&bytes, "\r\n");
    if (exchange->head.method != EDDA_METHOD_HEAD) {
        (void)edda_buffer_append(&bytes, body.data, body.size);
    }
    int room = (int)(bytes.size < INT32_MAX / 4 ? bytes.size : INT32_MAX / 4);
    (void)setsockopt(exchange->connection->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (!bytes.error) {
        (void)send(exchange->connection->fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    edda_buffer_done(&bytes);
}

void hold_little_unsent(struct edda_exchange *exchange, bool little) {
    int bytes = little ? (int)LIVE_UNSENT : 0; /* 0: the system's default */
    (void)setsockopt(exchange->connection->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes,
                     sizeof bytes);
}

static void prepare_stream(struct edda_exchange *exchange) {
    watch_hangup(exchange->connection);
    if (exchange->response.live) {
        hold_little_unsent(exchange, true);
    }
}

enum MHD_Result queue_response(struct edda_exchange *exchange) {
    struct edda_bytes body = body_of(exchange);
    int status = exchange->response.status;
    if (exchange->response.tag && status == 200) {
        if (!exchange->response.etag) {
            make_etag(body, exchange->made_etag);
            exchange->response.etag = exchange->made_etag;
        }
        if (exchange->head.if_none_match.size > 0 &&
            matches(exchange->head.if_none_match, edda_text_of(exchange->response.etag))) {
            status = exchange->response.status = 304;
        }
    }
    bool empty = status == 304 || status == 204;
    struct MHD_Response *response;
    if (exchange->pull && exchange->connection->hung_up) {
        return MHD_NO;
    }
    if (exchange->pull && !empty) {
        prepare_stream(exchange);
        response = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, exchange->response.live ? LIVE_BLOCK : STREAM_BLOCK, pull_piece,
            exchange, NULL);
    } else {
        /* The bytes outlive the response: they are the exchange's or the program's. */
        void *data = (void *)(uintptr_t)body.data;
        response = MHD_create_response_from_buffer(empty ? 0 : body.size, empty ? NULL : data,
                                                   MHD_RESPMEM_PERSISTENT);
    }
    if (!response) {
        return MHD_NO;
    }
    add_headers(exchange, response, status);
    exchange->queued = true;
    move_connection(exchange->connection, PHASE_SENDING);
    enum MHD_Result result =
        MHD_queue_response(exchange->connection->mhd, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

struct edda_buffer *edda_exchange_out(edda_exchange_t *self) {
    return &self->out;
}

static void answer(edda_exchange_t *self, const struct edda_http_response *response) {
    EDDA_ASSERT(!self->answered && self->ended);
    self->answered = true;
    self->response = *response;
    if (!self->in_handler) {
        wake_exchange(self);
    }
}

void edda_exchange_respond(edda_exchange_t *self, const struct edda_http_response *response) {
    if (self->out.error) {
        struct edda_http_response failed = {.status = 500};
        edda_buffer_reset(&self->out);
        (void)edda_buffer_append_text(&self->out, "{\"error\":\"The response is too large\"}");
        answer(self, &failed);
        return;
    }
    answer(self, response);
}

void edda_exchange_respond_static(edda_exchange_t *self, const struct edda_http_response *response,
                                  struct edda_bytes body) {
    self->static_body = body;
    answer(self, response);
}

void edda_exchange_stream(edda_exchange_t *self, const struct edda_http_response *response,
                          edda_http_pull_fn pull, void *context) {
    self->pull = pull;
    self->pull_context = context;
    answer(self, response);
}

void edda_exchange_wake(edda_exchange_t *self) {
    if (!self->in_handler) {
        wake_exchange(self);
    }
}
