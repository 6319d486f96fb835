/* gateway/http_exchange.c: one request from its request line to its last byte, as libmicrohttpd
 * tells it: begin_target at the request line, handle_request when the headers are there, for each
 * piece of the body, at the end and after each resume, complete_request when all is over. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/http_internal.h"
#include "gateway/uri.h"

#define KEEP_EXCHANGES   256
#define KEEP_BYTES       ((size_t)64 * 1024) /* of a buffer, with an exchange that is kept */
#define MAX_OUT          ((size_t)64 * 1024 * 1024)
#define MAX_WASTE        ((size_t)128 * 1024 * 1024) /* of a refused body before the line is cut */
#define MULTIPART_BUFFER ((size_t)16 * 1024)
#define UNTOLD_RETRY_S   2u
#define MAX_ARGUMENTS    64 /* of a target's query; no operation has more than three */

static struct edda_exchange *take_exchange(edda_http_t *http) {
    struct edda_exchange *exchange = http->free_exchanges;
    if (exchange) {
        http->free_exchanges = exchange->next_free;
        http->free_count--;
        return exchange;
    }
    exchange = calloc(1, sizeof *exchange + http->options.visit_bytes);
    EDDA_ASSERT(exchange);
    exchange->http = http;
    edda_buffer_init(&exchange->target, EDDA_MAX_TARGET);
    edda_buffer_init(&exchange->body, SIZE_MAX / 4);
    edda_buffer_init(&exchange->out, MAX_OUT);
    return exchange;
}

static void empty_buffer(struct edda_buffer *buffer) {
    if (buffer->capacity > KEEP_BYTES) {
        edda_buffer_done(buffer);
    }
    edda_buffer_reset(buffer);
}

static void release_exchange(struct edda_exchange *exchange) {
    edda_http_t *http = exchange->http;
    struct edda_buffer target = exchange->target;
    struct edda_buffer body = exchange->body;
    struct edda_buffer out = exchange->out;
    if (http->free_count >= KEEP_EXCHANGES) {
        edda_buffer_done(&target);
        edda_buffer_done(&body);
        edda_buffer_done(&out);
        free(exchange);
        return;
    }
    empty_buffer(&target);
    empty_buffer(&body);
    empty_buffer(&out);
    memset(exchange, 0, sizeof *exchange + http->options.visit_bytes);
    exchange->http = http;
    exchange->target = target;
    exchange->body = body;
    exchange->out = out;
    exchange->next_free = http->free_exchanges;
    http->free_exchanges = exchange;
    http->free_count++;
}

void discharge(struct edda_exchange *exchange) {
    EDDA_ASSERT(exchange->http->buffered >= exchange->charged);
    exchange->http->buffered -= exchange->charged;
    exchange->charged = 0;
}

/* libmicrohttpd keeps a record of each argument; when those do not fit into the connection's memory
 * it neither answers nor tells us that the request is over. Such targets never get that far. */
static bool is_modest(const char *target) {
    size_t arguments = 0;
    for (const char *at = strchr(target, '?'); at; at = strchr(at + 1, '&')) {
        arguments++;
    }
    return arguments <= MAX_ARGUMENTS && strlen(target) <= EDDA_MAX_TARGET;
}

static void refuse_target(struct edda_exchange *exchange) {
    edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "malformed", 1);
    send_raw(exchange->connection->fd, 400, "Invalid request", false, "");
    (void)shutdown(exchange->connection->fd, SHUT_RDWR);
    exchange->gone = true;
    move_connection(exchange->connection, PHASE_CUT);
}

void *begin_target(void *context, const char *uri, struct MHD_Connection *mhd) {
    edda_http_t *http = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info->socket_context;
    struct edda_exchange *exchange = take_exchange(http);
    (void)edda_buffer_append(&exchange->target, uri, strlen(uri));
    exchange->connection = connection;
    connection->exchange = exchange;
    http->exchange_count++;
    if (is_modest(uri)) {
        move_connection(connection, PHASE_HEADERS);
    } else {
        refuse_target(exchange);
    }
    return exchange;
}

void complete_request(void *context, struct MHD_Connection *mhd, void **state,
                      enum MHD_RequestTerminationCode how) {
    edda_http_t *http = context;
    struct edda_exchange *exchange = *state;
    (void)mhd;
    if (!exchange) {
        return;
    }
    *state = NULL;
    if (exchange->multipart) {
        (void)MHD_destroy_post_processor(exchange->multipart);
        exchange->multipart = NULL;
    }
    if (exchange->answered && !exchange->queued && !exchange->refused && !exchange->gone) {
        send_past(exchange);
    }
    if (exchange->begun) {
        bool sent = how == MHD_REQUEST_TERMINATED_COMPLETED_OK || !exchange->queued;
        int status = sent && exchange->answered ? exchange->response.status : 0;
        exchange->gone = true;
        http->options.done(http->options.context, exchange, status);
    }
    discharge(exchange);
    unwatch_hangup(exchange->connection);
    if (exchange->response.live) {
        hold_little_unsent(exchange, false);
    }
    exchange->connection->exchange = NULL;
    http->exchange_count--;
    if (exchange->connection->phase != PHASE_CUT) {
        move_connection(exchange->connection, PHASE_IDLE);
    }
    release_exchange(exchange);
}

void edda_exchange_limits(edda_exchange_t *self, const char *policy, const char *state) {
    (void)snprintf(self->limit_policy, sizeof self->limit_policy, "%s", policy);
    (void)snprintf(self->limit_state, sizeof self->limit_state, "%s", state);
}

void edda_exchange_refuse(edda_exchange_t *self, int status, const char *text,
                          uint32_t retry_after_s) {
    char headers[512];
    char wait[32] = "";
    char limits[2 * EDDA_HTTP_LIMITS + 48] = "";
    if (self->answered) {
        return;
    }
    if (retry_after_s > 0 || status == 503) {
        (void)snprintf(wait, sizeof wait, "Retry-After: %u\r\n",
                       retry_after_s ? retry_after_s : UNTOLD_RETRY_S);
    }
    if (self->limit_policy[0]) {
        (void)snprintf(limits, sizeof limits, "RateLimit-Policy: %s\r\nRateLimit: %s\r\n",
                       self->limit_policy, self->limit_state);
    }
    (void)snprintf(headers, sizeof headers, "%s%s%sX-Request-Id: %s\r\nX-Trace-Id: %s\r\n",
                   status == 401 ? "WWW-Authenticate: Bearer\r\n" : "", wait, limits,
                   self->request_id, self->trace_id);
    self->answered = self->refused = true;
    self->held = false;
    self->response.status = status;
    send_raw(self->connection->fd, status, text, self->head.method == EDDA_METHOD_HEAD, headers);
    (void)shutdown(self->connection->fd, SHUT_WR);
    edda_buffer_done(&self->body);
    discharge(self);
    wake_exchange(self);
}

static enum MHD_Result give_field(void *context, enum MHD_ValueKind kind, const char *key,
                                  const char *file_name, const char *content_type,
                                  const char *transfer_encoding, const char *data, uint64_t offset,
                                  size_t size) {
    struct edda_exchange *exchange = context;
    (void)kind;
    (void)transfer_encoding;
    struct edda_http_field field = {
        .name = edda_text_of(key),
        .file_name = edda_text_of(file_name),
        .content_type = edda_text_of(content_type),
        .data = {data ? data : "", size},
        .offset = offset,
    };
    if (!exchange->answered && !exchange->gone) {
        exchange->http->options.field(exchange->http->options.context, exchange, &field);
    }
    return MHD_YES;
}

static void begin_request(struct edda_exchange *exchange, const char *method) {
    edda_http_t *http = exchange->http;
    exchange->begun = true;
    read_head(exchange, method);
    if (exchange->head.content_length != 0 || exchange->head.malformed) {
        move_connection(exchange->connection, PHASE_BODY);
    }
    http->options.begin(http->options.context, exchange);
    if (exchange->head.malformed) {
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "malformed", 1);
        edda_exchange_refuse(exchange, 400, exchange->head.malformed, 0);
    }
}

/* Whether size more bytes of body may be taken; refuses the request otherwise. */
static bool admit_bytes(struct edda_exchange *exchange, size_t size) {
    edda_http_t *http = exchange->http;
    if (size > exchange->maximum || exchange->taken > exchange->maximum - size) {
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "body", 1);
        edda_exchange_refuse(exchange, 413, "Request body is too large", 0);
        return false;
    }
    if (exchange->intake == INTAKE_COLLECT) {
        if (size > http->options.buffered_bytes - http->buffered) {
            edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "memory", 1);
            edda_exchange_refuse(exchange, 503, "Too many large requests at once", 0);
            return false;
        }
        http->buffered += size;
        exchange->charged += size;
    }
    return true;
}

static void take_body(struct edda_exchange *exchange, const char *data, size_t size) {
    if (exchange->refused) {
        exchange->taken += size;
        exchange->gone = exchange->gone || exchange->taken > MAX_WASTE;
        return;
    }
    if (!admit_bytes(exchange, size)) {
        return;
    }
    exchange->taken += size;
    if (exchange->intake == INTAKE_COLLECT) {
        if (edda_buffer_append(&exchange->body, data, size)) {
            edda_exchange_refuse(exchange, 503, "Out of memory", 0);
        }
    } else if (exchange->intake == INTAKE_MULTIPART) {
        if (exchange->multipart && MHD_post_process(exchange->multipart, data, size) != MHD_YES) {
            exchange->whole = false;
        }
    }
}

static void end_request(struct edda_exchange *exchange) {
    edda_http_t *http = exchange->http;
    if (exchange->ended || exchange->refused) {
        return;
    }
    exchange->ended = true;
    if (exchange->intake == INTAKE_MULTIPART) {
        bool complete =
            exchange->multipart && MHD_destroy_post_processor(exchange->multipart) == MHD_YES;
        exchange->whole = exchange->whole && complete;
        exchange->multipart = NULL;
    }
    move_connection(exchange->connection, PHASE_RUNNING);
    http->options.end(http->options.context, exchange);
}

/* What libmicrohttpd is to do after one of its calls. */
static enum MHD_Result settle(struct edda_exchange *exchange, bool complete) {
    if (exchange->gone || (exchange->refused && complete)) {
        return MHD_NO;
    }
    if (exchange->answered && exchange->ended && !exchange->queued) {
        return queue_response(exchange);
    }
    if (exchange->held || (exchange->ended && !exchange->answered)) {
        exchange->suspended = true;
        MHD_suspend_connection(exchange->connection->mhd);
    }
    return MHD_YES;
}

enum MHD_Result handle_request(void *context, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **state) {
    struct edda_exchange *exchange = *state;
    bool complete = false;
    (void)context;
    (void)mhd;
    (void)url;
    (void)version;
    if (!exchange || exchange->gone) {
        return MHD_NO;
    }
    exchange->in_handler = true;
    if (!exchange->begun) {
        begin_request(exchange, method);
    } else if (exchange->held) {
        /* woken by something else than continue: wait on */
    } else if (*upload_size > 0) {
        take_body(exchange, upload, *upload_size);
        *upload_size = 0;
    } else {
        complete = true;
        end_request(exchange);
    }
    exchange->in_handler = false;
    return settle(exchange, complete);
}

const struct edda_http_head *edda_exchange_head(const edda_exchange_t *self) {
    return &self->head;
}

void *edda_exchange_visit(edda_exchange_t *self) {
    return self->visit;
}

void edda_exchange_identify(edda_exchange_t *self, struct edda_text request_id,
                            struct edda_text trace_id) {
    EDDA_ASSERT(request_id.size < IDENTITY_BYTES && trace_id.size < IDENTITY_BYTES);
    memcpy(self->request_id, request_id.data, request_id.size);
    self->request_id[request_id.size] = '\0';
    memcpy(self->trace_id, trace_id.data, trace_id.size);
    self->trace_id[trace_id.size] = '\0';
}

void edda_exchange_deadline(edda_exchange_t *self, int64_t at_ms) {
    self->deadline_ms = at_ms;
}

/* A length that is too large is refused before the first byte of it is read. */
static void begin_intake(edda_exchange_t *self, enum intake intake, size_t maximum) {
    int64_t length = self->head.content_length;
    self->intake = (uint8_t)intake;
    self->maximum = maximum;
    if (length > 0 && (uint64_t)length > maximum) {
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "body", 1);
        edda_exchange_refuse(self, 413, "Request body is too large", 0);
    }
}

void edda_exchange_collect(edda_exchange_t *self, size_t maximum) {
    begin_intake(self, INTAKE_COLLECT, maximum);
}

void edda_exchange_discard(edda_exchange_t *self, size_t maximum) {
    begin_intake(self, INTAKE_DISCARD, maximum);
}

void edda_exchange_multipart(edda_exchange_t *self, size_t maximum) {
    begin_intake(self, INTAKE_MULTIPART, maximum);
    if (!self->refused) {
        self->multipart =
            MHD_create_post_processor(self->connection->mhd, MULTIPART_BUFFER, give_field, self);
        self->whole = self->multipart != NULL;
    }
}

struct edda_bytes edda_exchange_body(const edda_exchange_t *self) {
    return edda_buffer_bytes(&self->body);
}

bool edda_exchange_whole(const edda_exchange_t *self) {
    return self->whole;
}

void edda_exchange_drop_body(edda_exchange_t *self) {
    edda_buffer_done(&self->body);
}

void edda_exchange_hold(edda_exchange_t *self) {
    self->held = true;
}

void edda_exchange_continue(edda_exchange_t *self) {
    self->held = false;
    wake_exchange(self);
}

bool edda_exchange_answered(const edda_exchange_t *self) {
    return self->answered || self->gone;
}

bool edda_exchange_ended(const edda_exchange_t *self) {
    return self->ended;
}

bool edda_exchange_gone(const edda_exchange_t *self) {
    return self->gone;
}
