/* gateway/http_internal.h: what the files of the HTTP edge share: connections by phase, exchanges.
 *
 * Each connection is in exactly one phase's list, oldest first; move_connection is the only door
 * between them. Every phase has one length of time for all, so that a look at the heads finds what
 * is over.
 *
 *   FRESH    accepted, no request yet            header_ms, then QUIET if no byte ever came
 *   IDLE     between two requests                half a second, then a look whether it is closed
 *   QUIET    the same, still open                idle_ms, then closed
 *   HEADERS  the request line has come           header_ms, then 408
 *   BODY     the headers have come               body_ms, then 408
 *   RUNNING  all has come, the application works its own deadline; the client's hanging up is seen
 *   SENDING  the response goes out               body_ms in which the client took nothing, then cut
 *   CUT      shut down, libmicrohttpd will close it */
#ifndef EDDA_GATEWAY_HTTP_INTERNAL_H
#define EDDA_GATEWAY_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdalign.h>

#include "actors/runtime/metric.h"
#include "gateway/http.h"

enum phase {
    PHASE_FRESH,
    PHASE_IDLE,
    PHASE_QUIET,
    PHASE_HEADERS,
    PHASE_BODY,
    PHASE_RUNNING,
    PHASE_SENDING,
    PHASE_CUT,
    PHASE_COUNT
};

enum intake { INTAKE_DISCARD, INTAKE_COLLECT, INTAKE_MULTIPART };

struct connection {
    struct connection *next;
    struct connection *previous;
    edda_http_t *http;
    struct MHD_Connection *mhd;
    struct edda_exchange *exchange; /* the one it is busy with, or NULL */
    edda_watch_t *hangup;           /* fires when the client closes its side, or NULL */
    int64_t since_ms;               /* when it entered its phase */
    int fd;
    uint8_t phase;
    bool hung_up; /* it has fired */
};

#define IDENTITY_BYTES 65

struct edda_exchange {
    edda_http_t *http;
    struct connection *connection;
    struct edda_exchange *next_free;
    struct edda_http_head head;
    struct edda_buffer target; /* the request target as it came */
    struct edda_buffer body;
    struct edda_buffer out;
    size_t maximum; /* of the body */
    size_t taken;   /* of the body so far */
    size_t charged; /* of http->buffered */
    struct MHD_PostProcessor *multipart;
    int64_t deadline_ms;
    char request_id[IDENTITY_BYTES];
    char trace_id[IDENTITY_BYTES];
    char made_etag[24]; /* of a response with tag and without one of its own */
    char limit_policy[EDDA_HTTP_LIMITS]; /* "": none */
    char limit_state[EDDA_HTTP_LIMITS];
    uint8_t intake;
    bool begun;      /* the application knows it */
    bool ended;      /* the whole request is there */
    bool in_handler; /* libmicrohttpd is above us on the stack */
    bool suspended;
    bool held;
    bool answered; /* a response was given or a refusal sent */
    bool queued;   /* the response is libmicrohttpd's */
    bool refused;
    bool gone; /* to be closed at the next chance */
    bool whole;
    struct edda_http_response response;
    struct edda_bytes static_body;
    edda_http_pull_fn pull;
    void *pull_context;
    alignas(max_align_t) uint8_t visit[];
};

#define LINGER_MAXIMUM 512

struct refused_peer {
    int fd;
    int64_t until_ms;
};

struct edda_http {
    struct edda_http_options options;
    struct MHD_Daemon *daemon;
    edda_watch_t *daemon_watch;
    edda_watch_t *listen_watch;
    struct edda_timer sweep;
    struct edda_timer rest; /* no accepting until then: out of file descriptors */
    int listen_fd;
    int reserve_fd; /* given up for a moment to refuse one more politely */
    bool run_wanted;
    bool stopping;
    bool destroyed;
    size_t connection_count;
    size_t coming_count; /* given to libmicrohttpd, whose 1.0 begins them when it runs */
    size_t exchange_count;
    size_t buffered;
    struct connection lists[PHASE_COUNT]; /* list heads */
    struct edda_exchange *free_exchanges;
    size_t free_count;
    struct refused_peer
        lingers[LINGER_MAXIMUM]; /* a ring: refused, waiting for the client to read it */
    size_t linger_first;
    size_t linger_count;
    edda_cell_t *connections_cell;
    edda_cell_t *buffered_cell;
    char url[128];
    char date[40]; /* the Date header's value */
    int64_t date_until_ms;
};

/* http.c */
void move_connection(struct connection *connection, enum phase phase);
void wake_exchange(struct edda_exchange *exchange);

/* http_accept.c */
int open_listener(edda_http_t *http, const char **ret_message) EDDA_MUST_CHECK;
void close_listener(edda_http_t *http);
void close_lingers(edda_http_t *http, int64_t now_ms);

/* http_exchange.c: libmicrohttpd's callbacks */
void *begin_target(void *context, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result handle_request(void *context, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **state);
void complete_request(void *context, struct MHD_Connection *mhd, void **state,
                      enum MHD_RequestTerminationCode how);
void discharge(struct edda_exchange *exchange);

/* http_respond.c */
enum MHD_Result queue_response(struct edda_exchange *exchange);

/* Whether the socket takes only a little more than what it can send at once, or what it likes. */
void hold_little_unsent(struct edda_exchange *exchange, bool little);

/* For a connection libmicrohttpd has closed because the client had half-closed it, with the
 * response ready: writes that into the socket before it goes. What it does not take at once is
 * lost. */
void send_past(struct edda_exchange *exchange);

/* Sends a whole response past libmicrohttpd; the connection must be closed after it. */
void send_raw(int fd, int status, const char *text, bool head_only, const char *more_headers);
const char *reason_of(int status);

/* http_head.c: fills exchange->head, `malformed` with contradicting framing or control characters.
 */
void read_head(struct edda_exchange *exchange, const char *method);

/* http_sweep.c */
void sweep_connections(void *context);
void arm_sweep(edda_http_t *http, int64_t within_ms);

/* Ends a connection that libmicrohttpd holds: it sees the end of the stream and closes. */
void cut_connection(struct connection *connection);

/* http_hangup.c: a watch until the request is over or the client has hung up. */
void watch_hangup(struct connection *connection);
void unwatch_hangup(struct connection *connection);

/* The client has hung up, before its answer: asks the application whether to go on. */
void give_up_if_gone(struct connection *connection);

#endif
