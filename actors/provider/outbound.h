/* actors/provider/outbound.h: HTTP requests to other services, by libcurl's multi interface in an
 * actor's loop. The only part of an actor that knows curl.
 *
 *   send -> [on_data ...] -> on_done    exactly one on_done; callbacks come at the end of a phase
 * of the loop, never from within a function of this header send -> cancel                      no
 * callback any more; the connection is closed at once, or its stream, where it is shared
 *
 * One try, no waiting in line: who may go when, and what is tried again, is provider.h's.
 *
 * Connections are kept and used again, at most max_connections in all and a host (curl's cost a
 * call grows with the connections it holds); HTTP/2 where TLS negotiates it. NOSIGNAL; TLS
 * verified, by the system's authorities or ca_file; no redirects; only http and https. A proxy as
 * configured, else as https_proxy, http_proxy and no_proxy say.
 *
 * Clocks, all of them monotonic: connect_ms for name, connection and TLS together; first_byte_ms
 * from the connection that stands to the first byte of the response's head, and again for as long
 * as the request is still being sent (interim responses are no sign); idle_ms for the head and
 * between two pieces of the body, not counted while paused; EDDA_OUTBOUND_WHOLE times idle_ms for
 * all of a body that is collected: bytes that drip are no progress; deadline_ms for all. Threads:
 * the loop's; curl looks names up in threads of its own. Only headers that were given are sent, and
 * Host, User-Agent, Accept and Content-Length. Source:
 * https://curl.se/libcurl/c/libcurl-multi.html, CURLMOPT_SOCKETFUNCTION. */
#ifndef EDDA_ACTORS_PROVIDER_OUTBOUND_H
#define EDDA_ACTORS_PROVIDER_OUTBOUND_H

#include "actors/runtime/loop.h"
#include "proto/types.h"

#define EDDA_OUTBOUND_CONNECTIONS 100 /* of one multi handle, in all */
#define EDDA_OUTBOUND_HEADERS     8
#define EDDA_OUTBOUND_WHOLE       2
#define EDDA_OUTBOUND_REASON      256
#define EDDA_OUTBOUND_HEAD        ((size_t)64 * 1024) /* of all heads of one response */
#define EDDA_OUTBOUND_WORDS       ((size_t)64 * 1024) /* kept of a body that is no success */

typedef struct edda_outbound edda_outbound_t;
typedef struct edda_transfer edda_transfer_t;

struct edda_outbound_options {
    edda_loop_t *loop;
    const char *ca_file; /* NULL or "": the system's */
    const char *proxy;   /* NULL or "": the environment's; its no_proxy holds for both */
    int64_t connect_ms;
    int64_t first_byte_ms;
    int64_t idle_ms;
};

struct edda_outbound_result {
    /* 0: a whole response came, whatever its status. EDDA_E_UNAVAILABLE: no connection, TLS
     * refused, or broken before the end. EDDA_E_TIMEOUT: connect, first byte or idle.
     * EDDA_E_EXPIRED: the deadline. EDDA_E_LIMIT: longer than response_maximum, or a head over
     * EDDA_OUTBOUND_HEAD. EDDA_E_MEMORY. */
    int error;
    int status;                   /* 0: none came */
    bool began;                   /* the head of a response came */
    struct edda_text retry_after; /* the header's value, or absent */
    struct edda_text content_type;
    /* Collected; empty with on_data, except of a response that is not 2xx, of which it is the
     * first EDDA_OUTBOUND_WORDS. */
    struct edda_bytes body;
    char reason[EDDA_OUTBOUND_REASON]; /* words for an error: curl's, without URL or headers */
};

/* Everything is copied by send, except the body. */
struct edda_outbound_request {
    const char *method;         /* "POST" */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value"; NULL-terminated; secrets are wiped when done */
    struct edda_bytes body;     /* borrowed until on_done or cancel */
    size_t response_maximum;    /* bytes of the body */
    int64_t deadline_ms;
    /* NULL: the body is collected. Else pieces of a 2xx response's body as they come, also of one
     * that is too long or breaks; the bytes are taken, whatever the callee does. */
    void (*on_data)(void *context, struct edda_bytes data);
    /* The result lives for the call; the transfer is gone with it. */
    void (*on_done)(void *context, const struct edda_outbound_result *result);
    /* Both may send, pause and cancel whatever they like. */
    void *context;
};

/* NULL: no memory or no curl. */
edda_outbound_t *edda_outbound_new(const struct edda_outbound_options *options);

/* Open transfers are cancelled: no callbacks. Not from within a callback of its own. */
void edda_outbound_destroy(edda_outbound_t **self_p);

/* Pure. EDDA_E_INVALID: a URL that is no http or https URL, or none that curl can read; too many
 * headers, or control characters in them. */
int edda_outbound_check(const char *url, const char *const *headers) EDDA_MUST_CHECK;

/* EDDA_E_INVALID as above; EDDA_E_LIMIT: EDDA_OUTBOUND_CONNECTIONS are open; EDDA_E_MEMORY. Then
 * on_done will not come. */
int edda_outbound_send(edda_outbound_t *self, const struct edda_outbound_request *request,
                       edda_transfer_t **ret_transfer) EDDA_MUST_CHECK;

/* Nulls the pointer; the request's body is the caller's again. */
void edda_transfer_cancel(edda_transfer_t **transfer_p);

/* Stops reading from the connection, or goes on; TCP then slows the other side. What had been read
 * already still comes, and so does on_done when the time is over or the connection breaks. */
void edda_transfer_pause(edda_transfer_t *transfer, bool paused);

size_t edda_outbound_open(const edda_outbound_t *self);

#endif
