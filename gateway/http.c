/* gateway/http.c: libmicrohttpd's epoll nested in the loop, and the lists of connections.
 *
 * libmicrohttpd runs at most twice a turn, in the loop's prepare step, where everything that
 * became ready in this turn is served at once: its own epoll fd, resumed connections, new ones. */
#include "gateway/http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "gateway/http_internal.h"

/* Request line and headers together fit into it; it is zeroed after every request. */
#define CONNECTION_MEMORY ((size_t)16 * 1024)

static void unlink_connection(struct connection *connection) {
    connection->previous->next = connection->next;
    connection->next->previous = connection->previous;
}

void move_connection(struct connection *connection, enum phase phase) {
    edda_http_t *http = connection->http;
    struct connection *list = &http->lists[phase];
    unlink_connection(connection);
    connection->phase = (uint8_t)phase;
    connection->since_ms = edda_loop_now(http->options.loop);
    connection->next = list;
    connection->previous = list->previous;
    list->previous->next = connection;
    list->previous = connection;
    if (phase == PHASE_RUNNING) {
        arm_sweep(http, 100);
    }
}

void wake_exchange(struct edda_exchange *exchange) {
    if (exchange->suspended) {
        exchange->suspended = false;
        exchange->http->run_wanted = true;
        MHD_resume_connection(exchange->connection->mhd);
        if (exchange->connection->phase == PHASE_SENDING) {
            move_connection(exchange->connection, PHASE_SENDING); /* until now nobody was slow */
        }
    }
}

static struct connection *make_connection(edda_http_t *http, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    EDDA_ASSERT(connection && info);
    *connection = (struct connection){.http = http, .mhd = mhd, .fd = info->connect_fd};
    connection->next = connection->previous = connection;
    move_connection(connection, PHASE_FRESH);
    http->connection_count++;
    arm_sweep(http, 500);
    return connection;
}

static void notify_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                              enum MHD_ConnectionNotificationCode code) {
    edda_http_t *http = context;
    struct connection *connection = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = make_connection(http, mhd);
    } else if (connection) {
        /* A request that it answers by itself, headers too large, it does not always complete. */
        void *exchange = connection->exchange;
        complete_request(http, mhd, &exchange, MHD_REQUEST_TERMINATED_WITH_ERROR);
        unwatch_hangup(connection); /* before the socket is closed */
        unlink_connection(connection);
        free(connection);
        *socket_context = NULL;
        http->connection_count--;
    }
    edda_cell_set(http->connections_cell, (int64_t)http->connection_count);
}

static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context;
    (void)mhd;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *context, const char *format,
                                                              va_list arguments) {
    char line[512];
    (void)context;
    if (vsnprintf(line, sizeof line, format, arguments) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        edda_log(EDDA_LOG_DEBUG, "http_library", "text=\"%s\"", line);
    }
}

static void note_ready(void *context, uint32_t events) {
    edda_http_t *http = context;
    (void)events;
    http->run_wanted = true;
}

static bool run_again(edda_http_t *http) {
    MHD_UNSIGNED_LONG_LONG wait_ms;
    return MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

/* Our own lists hold every time limit, so libmicrohttpd either wants to run now or has none. */
static int64_t prepare(void *context) {
    edda_http_t *http = context;
    if (!http->daemon) {
        return -1;
    }
    bool again = http->run_wanted || run_again(http);
    for (int turn = 0; again && turn < 2; turn++) {
        http->run_wanted = false;
        (void)MHD_run(http->daemon);
        http->coming_count = 0;
        again = http->run_wanted || run_again(http);
    }
    return again ? 0 : -1;
}

static int start_daemon(edda_http_t *http) {
    const struct edda_http_options *options = &http->options;
    /* TURBO also leaves a closing socket's sending side open, which send_past needs. */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle_request, http, MHD_OPTION_EXTERNAL_LOGGER, log_library, http,
        MHD_OPTION_NOTIFY_CONNECTION, notify_connection, http, MHD_OPTION_NOTIFY_COMPLETED,
        complete_request, http, MHD_OPTION_URI_LOG_CALLBACK, begin_target, http,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, http, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->max_connections + 64, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
#if MHD_VERSION >= 0x00097701
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#else
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
#endif
        MHD_OPTION_END);
    if (!http->daemon) {
        return EDDA_E_MEMORY;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    EDDA_ASSERT(info);
    http->daemon_watch =
        edda_loop_watch(options->loop, info->epoll_fd, EPOLLIN, note_ready, http, "http");
    return http->daemon_watch ? 0 : EDDA_E_MEMORY;
}

int edda_http_new(const struct edda_http_options *options, edda_http_t **ret_http,
                  const char **ret_message) {
    edda_http_t *http = calloc(1, sizeof *http);
    *ret_message = "out of memory";
    if (!http) {
        return EDDA_E_MEMORY;
    }
    http->options = *options;
    http->listen_fd = http->reserve_fd = -1;
    http->sweep =
        (struct edda_timer){.fire = sweep_connections, .context = http, .name = "http_sweep"};
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        http->lists[i].next = http->lists[i].previous = &http->lists[i];
    }
    http->connections_cell = edda_metric_cell(EDDA_METRIC_HTTP_CONNECTIONS, NULL);
    http->buffered_cell = edda_metric_cell(EDDA_METRIC_HTTP_BUFFERED, NULL);

    int error = open_listener(http, ret_message);
    if (!error) {
        *ret_message = "the HTTP library did not start";
        error = start_daemon(http);
    }
    if (!error) {
        error = edda_loop_prepare(options->loop, prepare, http);
    }
    if (error) {
        edda_http_destroy(&http);
        return error;
    }
    *ret_http = http;
    return 0;
}

/* libmicrohttpd does not stop while a connection is suspended. */
static void cut_everything(edda_http_t *http) {
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        struct connection *list = &http->lists[phase];
        for (struct connection *at = list->next; at != list; at = at->next) {
            if (at->exchange) {
                at->exchange->gone = true;
                wake_exchange(at->exchange);
            }
        }
    }
    (void)MHD_run(http->daemon);
}

/* The loop must not run any more: it would call prepare. */
void edda_http_destroy(edda_http_t **self_p) {
    edda_http_t *http = *self_p;
    if (!http) {
        return;
    }
    *self_p = NULL;
    close_listener(http);
    close_lingers(http, INT64_MAX);
    edda_loop_timer_cancel(http->options.loop, &http->sweep);
    edda_loop_unwatch(http->options.loop, &http->daemon_watch);
    if (http->daemon) {
        http->destroyed = true;
        cut_everything(http);
        MHD_stop_daemon(http->daemon);
        http->daemon = NULL;
    }
    while (http->free_exchanges) {
        struct edda_exchange *exchange = http->free_exchanges;
        http->free_exchanges = exchange->next_free;
        edda_buffer_done(&exchange->target);
        edda_buffer_done(&exchange->body);
        edda_buffer_done(&exchange->out);
        free(exchange);
    }
    free(http);
}

void edda_http_stop(edda_http_t *self) {
    self->stopping = true;
    close_listener(self);
    arm_sweep(self, 1);
}

const char *edda_http_url(const edda_http_t *self) {
    return self->url;
}

size_t edda_http_connections(const edda_http_t *self) {
    return self->connection_count;
}

size_t edda_http_exchanges(const edda_http_t *self) {
    return self->exchange_count;
}

size_t edda_http_buffered(const edda_http_t *self) {
    return self->buffered;
}
