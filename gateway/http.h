/* gateway/http.h: HTTP/1.1 with every limit that a server on the open net needs, behind a narrow
 * interface. The only part of Edda that knows libmicrohttpd.
 *
 * An exchange is one request and its response:
 *
 *   begin -> (field...) -> end -> [respond | stream] -> done          the usual course
 *   begin -> refuse -> done                                           answered before the body came
 *   any   -> done                                                     the connection broke
 *
 * begin is told the headers and says what becomes of the body (collect, multipart, discard), or
 * holds the exchange until it knows more. end comes when the whole request is there; the response
 * may be given from within end or at any later time. done is always last, exactly once per begin;
 * the exchange's memory is gone after it.
 *
 * What is refused here, before the application sees it: more connections than allowed (503),
 * headers or bodies that take too long (408), control characters in the target (400), contradicting
 * or repeated Content-Length and Transfer-Encoding (400), bodies over the maximum asked for (413),
 * and bodies that would not fit the memory shared by all (503). Idle connections are closed.
 *
 * Every response carries X-Request-Id, X-Trace-Id and X-Content-Type-Options, and one write sends
 * head and body.
 *
 * Threads: the loop's. Source of the framing rules: RFC 9112 section 6. */
#ifndef EDDA_GATEWAY_HTTP_H
#define EDDA_GATEWAY_HTTP_H

#include "actors/runtime/loop.h"
#include "proto/buffer.h"

typedef struct edda_http edda_http_t;
typedef struct edda_exchange edda_exchange_t;

enum edda_method {
    EDDA_METHOD_GET,
    EDDA_METHOD_HEAD,
    EDDA_METHOD_POST,
    EDDA_METHOD_PUT,
    EDDA_METHOD_PATCH,
    EDDA_METHOD_DELETE,
    EDDA_METHOD_OTHER,
};

/* Views live until done. Absent headers are absent texts. */
struct edda_http_head {
    enum edda_method method;
    struct edda_text path;  /* undecoded, without the query */
    struct edda_text query; /* undecoded, without '?' */
    struct edda_text host;
    struct edda_text forwarded_proto;
    struct edda_text authorization;
    struct edda_text content_type;
    struct edda_text if_none_match;
    struct edda_text idempotency_key;
    struct edda_text request_id;
    struct edda_text traceparent;
    struct edda_text tracestate;
    int64_t content_length; /* 0: no body; -1: not known before */
    const char *malformed;  /* not NULL: refused with 400 as soon as begin, which does nothing but
                               identify the exchange, returns */
};

/* A piece of one part of a multipart body; offset 0 begins a part, and begins it again when all
 * that came so far was nothing: libmicrohttpd tells of a part as soon as its headers are there.
 * Views live for the call. */
struct edda_http_field {
    struct edda_text name;
    struct edda_text file_name; /* absent: a plain field */
    struct edda_text content_type;
    struct edda_text data;
    uint64_t offset;
};

struct edda_http_response {
    int status;
    const char *content_type;  /* NULL: JSON */
    const char *cache_control; /* or NULL */
    const char *etag;          /* or NULL: with tag, made from the body */
    bool tag;                  /* this response has an ETag and may become 304 */
    bool deny;                 /* a 401: WWW-Authenticate goes with it */
    bool live;                 /* events as they come: proxies are asked not to hold them back, and
                                  little waits unsent in the socket */
    uint32_t retry_after_s;    /* 0: none */
};

/* Writes at most `size` bytes of the body to data. Returns how many; 0: none yet, call
 * edda_exchange_wake when there are; EDDA_HTTP_END; EDDA_HTTP_BROKEN: the connection is cut so that
 * nobody takes what was sent for the whole. */
#define EDDA_HTTP_END    (-1)
#define EDDA_HTTP_BROKEN (-2)
typedef int64_t (*edda_http_pull_fn)(void *context, edda_exchange_t *exchange, char *data,
                                     size_t size);

struct edda_http_options {
    edda_loop_t *loop;
    const char *address; /* "127.0.0.1:7700", "[::1]:0", "localhost:80", ":7700" */
    size_t max_connections;
    size_t buffered_bytes; /* of all request bodies together */
    int64_t header_ms;
    int64_t body_ms;
    int64_t idle_ms;
    size_t visit_bytes; /* zeroed memory for the application in every exchange */
    void *context;
    void (*begin)(void *context, edda_exchange_t *exchange);
    void (*field)(void *context, edda_exchange_t *exchange, const struct edda_http_field *field);
    void (*end)(void *context, edda_exchange_t *exchange);
    /* The client hung up before it had an answer. True: the application has dropped its work and
     * will not respond. False: it will respond all the same. */
    bool (*gone)(void *context, edda_exchange_t *exchange);
    /* The deadline set is over by a second: respond now. */
    void (*late)(void *context, edda_exchange_t *exchange);
    /* status 0: no response was made. */
    void (*done)(void *context, edda_exchange_t *exchange, int status);
};

/* Binds and listens. EDDA_E_INVALID: no such address; EDDA_E_UNAVAILABLE: it cannot be bound;
 * EDDA_E_MEMORY. *ret_message is static and says what failed. */
int edda_http_new(const struct edda_http_options *options, edda_http_t **ret_http,
                  const char **ret_message) EDDA_MUST_CHECK;

/* Cuts what is open: done comes for each exchange. */
void edda_http_destroy(edda_http_t **self_p);

/* "http://127.0.0.1:7700", with the port that was bound; borrowed. */
const char *edda_http_url(const edda_http_t *self);

/* Closes the listening socket and idle connections; every response now says Connection: close. */
void edda_http_stop(edda_http_t *self);

size_t edda_http_connections(const edda_http_t *self);
size_t edda_http_exchanges(const edda_http_t *self); /* between begin and done */
size_t edda_http_buffered(const edda_http_t *self);

/* --- one exchange --- */

const struct edda_http_head *edda_exchange_head(const edda_exchange_t *self);

/* The application's visit_bytes. */
void *edda_exchange_visit(edda_exchange_t *self);

/* Texts of at most 64 bytes for X-Request-Id and X-Trace-Id; copied. From begin. */
void edda_exchange_identify(edda_exchange_t *self, struct edda_text request_id,
                            struct edda_text trace_id);

/* The values of RateLimit-Policy and RateLimit, of at most EDDA_HTTP_LIMITS - 1 bytes, that every
 * answer has from now on; copied. */
#define EDDA_HTTP_LIMITS 96
void edda_exchange_limits(edda_exchange_t *self, const char *policy, const char *state);

/* Monotonic time after which late is called, a second later. 0: none. */
void edda_exchange_deadline(edda_exchange_t *self, int64_t at_ms);

/* From begin or before edda_exchange_continue: keep the body, throw it away, or give its parts to
 * field; one of the three, at most maximum bytes. */
void edda_exchange_collect(edda_exchange_t *self, size_t maximum);
void edda_exchange_discard(edda_exchange_t *self, size_t maximum);
void edda_exchange_multipart(edda_exchange_t *self, size_t maximum);

/* In end and after: the body collected; whether a multipart body was well-formed and complete. */
struct edda_bytes edda_exchange_body(const edda_exchange_t *self);
bool edda_exchange_whole(const edda_exchange_t *self);

/* Frees the body collected before done does. */
void edda_exchange_drop_body(edda_exchange_t *self);

/* From begin or field: take nothing more from the client until edda_exchange_continue. */
void edda_exchange_hold(edda_exchange_t *self);
void edda_exchange_continue(edda_exchange_t *self);

/* Before end: answers at once with {"error": text}, takes the rest of the body away and closes. A
 * 503 has Retry-After, of 2 s when retry_after_s is 0. */
void edda_exchange_refuse(edda_exchange_t *self, int status, const char *text,
                          uint32_t retry_after_s);

/* Where to write the response's body before respond; empty at first. */
struct edda_buffer *edda_exchange_out(edda_exchange_t *self);

/* From end on, once: the body is what was written to out. */
void edda_exchange_respond(edda_exchange_t *self, const struct edda_http_response *response);

/* The same with a body that lives as long as the process. */
void edda_exchange_respond_static(edda_exchange_t *self, const struct edda_http_response *response,
                                  struct edda_bytes body);

/* The same with a body pulled piece by piece, until done. A client that hangs up ends it at once.
 */
void edda_exchange_stream(edda_exchange_t *self, const struct edda_http_response *response,
                          edda_http_pull_fn pull, void *context);
void edda_exchange_wake(edda_exchange_t *self);

/* Whether the whole request is there. */
bool edda_exchange_ended(const edda_exchange_t *self);

/* Given up: no answer will be heard. */
bool edda_exchange_gone(const edda_exchange_t *self);

/* Whether the client has been answered, or the exchange has been given up. */
bool edda_exchange_answered(const edda_exchange_t *self);

#endif
