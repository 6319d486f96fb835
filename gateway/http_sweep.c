/* gateway/http_sweep.c: the periodic look at what has taken too long, and at who has hung up.
 *
 * A suspended connection's socket is not looked at by libmicrohttpd, so a client that leaves would
 * be found only when its answer is written. Requests older than a tenth of a second are watched,
 * which costs quick ones nothing. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "actors/runtime/log.h"
#include "gateway/http_internal.h"

#define QUICK_MS 100
#define LAZY_MS  500
#define LATE_MS  1000
#define SOON_MS  10 /* no sweep sooner than this after one */

void arm_sweep(edda_http_t *http, int64_t within_ms) {
    int64_t at_ms = edda_loop_now(http->options.loop) + within_ms;
    if (http->sweep.index == 0 || http->sweep.at_ms > at_ms) {
        edda_loop_timer_set(http->options.loop, &http->sweep, at_ms);
    }
}

void cut_connection(struct connection *connection) {
    struct edda_exchange *exchange = connection->exchange;
    move_connection(connection, PHASE_CUT);
    (void)shutdown(connection->fd, SHUT_RDWR);
    if (exchange) {
        exchange->gone = true;
        wake_exchange(exchange);
    }
    connection->http->run_wanted = true;
}

static void time_out(struct connection *connection, const char *text) {
    edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "slow", 1);
    if (!connection->exchange || !connection->exchange->refused) {
        send_raw(connection->fd, 408, text, false, "");
    }
    cut_connection(connection);
}

/* Whether the client has sent anything at all on this connection. */
static bool has_sent(const struct connection *connection) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return true;
    }
    return info.tcpi_bytes_received > 0;
}

/* 0 of a peek is the end of the stream: closed, or half-closed by a client that still reads; the
 * two cannot be told apart, and a client that waits this long after half-closing is rare. */
static bool hung_up(const struct connection *connection) {
    char byte;
    ssize_t got = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* libmicrohttpd is told of an end of stream by an edge; when that comes together with the last
 * bytes it reads those and never learns of the end. */
static void sweep_ended(edda_http_t *http, enum phase phase) {
    struct connection *list = &http->lists[phase];
    int64_t now_ms = edda_loop_now(http->options.loop);
    struct connection *next;
    for (struct connection *at = list->next; at != list; at = next) {
        next = at->next;
        if (now_ms - at->since_ms < LAZY_MS) {
            return;
        }
        if (hung_up(at)) {
            cut_connection(at);
        }
    }
}

static void sweep_phase(edda_http_t *http, enum phase phase, int64_t limit_ms) {
    struct connection *list = &http->lists[phase];
    int64_t now_ms = edda_loop_now(http->options.loop);
    while (list->next != list && now_ms - list->next->since_ms >= limit_ms) {
        struct connection *connection = list->next;
        switch (phase) {
        case PHASE_FRESH:
            if (has_sent(connection)) {
                time_out(connection, "Headers took too long");
            } else {
                move_connection(connection, PHASE_QUIET);
            }
            break;
        case PHASE_IDLE:
            if (http->stopping || hung_up(connection)) {
                cut_connection(connection);
            } else {
                move_connection(connection, PHASE_QUIET);
            }
            break;
        case PHASE_HEADERS:
            time_out(connection, "Headers took too long");
            break;
        case PHASE_BODY:
            time_out(connection, "Body took too long");
            break;
        case PHASE_SENDING:
            /* With nothing to send it is not the client who is slow. */
            if (connection->exchange && connection->exchange->suspended) {
                move_connection(connection, PHASE_SENDING);
            } else {
                cut_connection(connection);
            }
            break;
        default:
            cut_connection(connection);
        }
    }
}

/* Returns how soon there is something to look at. */
static int64_t sweep_running(edda_http_t *http) {
    struct connection *list = &http->lists[PHASE_RUNNING];
    int64_t now_ms = edda_loop_now(http->options.loop);
    struct connection *next;
    for (struct connection *at = list->next; at != list; at = next) {
        struct edda_exchange *exchange = at->exchange;
        int64_t young_ms = at->since_ms + QUICK_MS - now_ms;
        next = at->next;
        if (young_ms > 0) {
            return young_ms < SOON_MS ? SOON_MS : young_ms;
        }
        if (exchange->answered || exchange->gone) {
            continue;
        }
        watch_hangup(at);
        if (exchange->deadline_ms && now_ms - exchange->deadline_ms >= LATE_MS) {
            http->options.late(http->options.context, exchange);
        } else if (at->hung_up) {
            give_up_if_gone(at);
        }
    }
    return QUICK_MS;
}

void sweep_connections(void *context) {
    edda_http_t *http = context;
    const struct edda_http_options *options = &http->options;
    int64_t now_ms = edda_loop_now(options->loop);

    close_lingers(http, now_ms);
    sweep_phase(http, PHASE_FRESH, http->stopping ? 0 : options->header_ms);
    sweep_phase(http, PHASE_IDLE, http->stopping ? 0 : LAZY_MS);
    sweep_phase(http, PHASE_QUIET, http->stopping ? 0 : options->idle_ms);
    sweep_phase(http, PHASE_HEADERS, options->header_ms);
    sweep_phase(http, PHASE_BODY, options->body_ms);
    sweep_phase(http, PHASE_SENDING, options->body_ms);
    sweep_ended(http, PHASE_FRESH);
    sweep_ended(http, PHASE_HEADERS);
    sweep_ended(http, PHASE_BODY);
    int64_t soon_ms = sweep_running(http);
    edda_cell_set(http->buffered_cell, (int64_t)http->buffered);

    struct connection *running = &http->lists[PHASE_RUNNING];
    if (running->next != running || http->linger_count > 0 || http->stopping) {
        arm_sweep(http, soon_ms);
    } else if (http->connection_count > 0) {
        arm_sweep(http, options->header_ms < 2 * LAZY_MS ? QUICK_MS : LAZY_MS);
    }
}
