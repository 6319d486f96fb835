/* gateway/http_hangup.c: clients that hang up while they wait, or in the middle of a stream.
 *
 * libmicrohttpd takes no interest in the socket of a suspended connection, so we have an interest
 * of our own: EPOLLRDHUP by the loop's epoll, beside libmicrohttpd's on the same socket. It costs
 * two epoll_ctl and nothing while nobody hangs up; peeking at 4,000 sockets ten times a second
 * would be 40,000 calls. Quick requests never have one: see http_sweep.c.
 *
 * Closed, and half-closed by a client that still reads, cannot be told apart. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gateway/http_internal.h"

void give_up_if_gone(struct connection *connection) {
    edda_http_t *http = connection->http;
    struct edda_exchange *exchange = connection->exchange;
    if (http->options.gone(http->options.context, exchange)) {
        exchange->gone = true;
        wake_exchange(exchange);
    }
}

/* Once: it would fire again in every turn. */
static void note_hangup(void *context, uint32_t events) {
    struct connection *connection = context;
    struct edda_exchange *exchange = connection->exchange;
    (void)events;
    unwatch_hangup(connection);
    connection->hung_up = true;
    if (!exchange || exchange->gone) {
        return;
    }
    if (exchange->pull) {
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "gone", 1);
        cut_connection(connection);
    } else if (!exchange->answered) {
        give_up_if_gone(connection);
    }
}

void watch_hangup(struct connection *connection) {
    char byte;
    if (connection->hangup || connection->hung_up) {
        return;
    }
    connection->hangup = edda_loop_watch(connection->http->options.loop, connection->fd, EPOLLRDHUP,
                                         note_hangup, connection, "http_hangup");
    if (!connection->hangup) {
        ssize_t got = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        connection->hung_up = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    }
}

void unwatch_hangup(struct connection *connection) {
    if (connection->hangup) {
        edda_loop_unwatch(connection->http->options.loop, &connection->hangup);
    }
}
