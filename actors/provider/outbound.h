/* actors/provider/outbound.h: HTTP requests to other services, by libcurl's multi interface in an
 * actor's loop. The only part of an actor that knows curl.
 *
 *   send -> [on_data ...] -> on_done         exactly one on_done, never from within send
 *   send -> cancel                           no callback any more; the connection is closed at once
 *
 * One try, no waiting in line: who may go when, and what is tried again, is provider.h's.
 *
 * Connections are kept and used again, at most max_connections in all and a host (curl's cost a
 * call grows with the connections it holds); HTTP/2 where TLS negotiates it. NOSIGNAL; TLS
 * verified, by the system's authorities or ca_file; no redirects; only http and https. A proxy as
 * configured, else as https_proxy, http_proxy and no_proxy say.
 *
 * Clocks, all of them monotonic: connect_ms for name, connection and TLS together; first_byte_ms
 * from the request sent to the first byte of the response's head; idle_ms between two pieces of it,
 * not counted while paused; deadline_ms for all. Threads: the loop's. Source:
 * https://curl.se/libcurl/c/libcurl-multi.html, CURLMOPT_SOCKETFUNCTION. */
#ifndef EDDA_ACTORS_PROVIDER_OUTBOUND_H
#define EDDA_ACTORS_PROVIDER_OUTBOUND_H

#include "actors/runtime/loop.h"
#include "proto/types.h"

#define EDDA_OUTBOUND_CONNECTIONS 100 /* of one multi handle, in all */
#define EDDA_OUTBOUND_HEADERS     8
#define EDDA_OUTBOUND_REASON      256

typedef struct edda_outbound edda_outbound_t;
typedef struct edda_transfer edda_transfer_t;

struct edda_outbound_options {
    edda_loop_t *loop;
    const char *ca_file; /* NULL or "": the system's */
    const char *proxy;   /* NULL or "": the environment's */
    int64_t connect_ms;
    int64_t first_byte_ms;
    int64_t idle_ms;
};

struct edda_outbound_result {
    /* 0: a whole response came, whatever its status. EDDA_E_UNAVAILABLE: no connection, TLS
     * refused, or broken before the end. EDDA_E_TIMEOUT: connect, first byte or idle.
     * EDDA_E_EXPIRED: the deadline. EDDA_E_LIMIT: longer than response_maximum. EDDA_E_MEMORY. */
    int error;
    int status;                   /* 0: none came */
    bool began;                   /* the head of a response came */
    struct edda_text retry_after; /* the header's value, or absent */
    struct edda_text content_type;
    struct edda_bytes
        body; /* collected; empty with on_data, except of responses that are not 2xx */
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
    /* NULL: the body is collected. Else pieces of a 2xx response's body as they come; the bytes are
     * taken, whatever the callee does. It may call pause or cancel. */
    void (*on_data)(void *context, struct edda_bytes data);
    void (*on_done)(void *context, const struct edda_outbound_result *result);
    void *context;
};

/* NULL: no memory or no curl. */
edda_outbound_t *edda_outbound_new(const struct edda_outbound_options *options);

/* Open transfers are cancelled: no callbacks. Not from within a callback of its own. */
void edda_outbound_destroy(edda_outbound_t **self_p);

/* EDDA_E_INVALID: a URL that is no http or https URL, or too many headers; EDDA_E_LIMIT:
 * EDDA_OUTBOUND_CONNECTIONS are open; EDDA_E_MEMORY. Then on_done will not come. */
int edda_outbound_send(edda_outbound_t *self, const struct edda_outbound_request *request,
                       edda_transfer_t **ret_transfer) EDDA_MUST_CHECK;

/* Nulls the pointer. Also from within on_data. */
void edda_transfer_cancel(edda_transfer_t **transfer_p);

/* Stops reading from the connection, or goes on; TCP then slows the other side. */
void edda_transfer_pause(edda_transfer_t *transfer, bool paused);

size_t edda_outbound_open(const edda_outbound_t *self);

#endif
