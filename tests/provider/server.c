/* tests/provider/server.c: connections and requests as libmicrohttpd tells of them. */
#include "tests/provider/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "actors/runtime/clock.h"

#define CONNECTIONS       16384
#define CONNECTION_MEMORY ((size_t)32 * 1024)
#define BACKLOG           4096
#define CONTROL           "/control/"
#define BODY_MAXIMUM      ((size_t)64 << 20)

void fake_exchange_wake(struct fake_exchange *exchange) {
    if (exchange->suspended) {
        exchange->suspended = false;
        exchange->server->run_wanted = true;
        MHD_resume_connection(exchange->mhd);
    }
}

void fake_exchange_suspend(struct fake_exchange *exchange, int64_t until_ms) {
    exchange->suspended = true;
    MHD_suspend_connection(exchange->mhd);
    if (until_ms >= 0) {
        edda_loop_timer_set(exchange->server->options.loop, &exchange->timer, until_ms);
    }
}

static void fire(void *context) {
    fake_exchange_wake(context);
}

/* ---- exchanges ---- */

static struct fake_exchange *make_exchange(struct fake_connection *connection) {
    struct fake_server *server = connection->server;
    struct fake_exchange *exchange = calloc(1, sizeof *exchange);
    EDDA_ASSERT(exchange);
    exchange->server = server;
    exchange->connection = connection;
    exchange->timer = (struct edda_timer){.fire = fire, .context = exchange, .name = "exchange"};
    edda_buffer_init(&exchange->target, SIZE_MAX / 4);
    edda_buffer_init(&exchange->body, BODY_MAXIMUM);
    edda_buffer_init(&exchange->out, SIZE_MAX / 4);
    exchange->next = server->exchanges;
    if (exchange->next) {
        exchange->next->previous = exchange;
    }
    server->exchanges = exchange;
    connection->exchange = exchange;
    return exchange;
}

static void free_exchange(struct fake_exchange *exchange) {
    struct fake_server *server = exchange->server;
    edda_loop_timer_cancel(server->options.loop, &exchange->timer);
    if (exchange->previous) {
        exchange->previous->next = exchange->next;
    } else {
        server->exchanges = exchange->next;
    }
    if (exchange->next) {
        exchange->next->previous = exchange->previous;
    }
    exchange->connection->exchange = NULL;
    fake_chat_done(&exchange->chat);
    fake_behaviour_done(&exchange->behaviour);
    json_decref(exchange->json);
    edda_buffer_done(&exchange->target);
    edda_buffer_done(&exchange->body);
    edda_buffer_done(&exchange->out);
    free(exchange);
}

static struct edda_text part_of(const struct edda_buffer *target, bool query) {
    const char *text = (const char *)target->data;
    const char *mark = memchr(text, '?', target->size);
    size_t path = mark ? (size_t)(mark - text) : target->size;
    if (!query) {
        return (struct edda_text){text, path};
    }
    return mark ? (struct edda_text){mark + 1, target->size - path - 1} : EDDA_TEXT("");
}

static void *begin_target(void *context, const char *uri, struct MHD_Connection *mhd) {
    struct fake_server *server = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct fake_exchange *exchange = make_exchange(info->socket_context);
    exchange->mhd = mhd;
    (void)edda_buffer_append_text(&exchange->target, *uri ? uri : "/");
    exchange->request = (struct fake_request){.path = part_of(&exchange->target, false),
                                              .query = part_of(&exchange->target, true),
                                              .behaviour = &exchange->behaviour,
                                              .dimension = server->options.dimension,
                                              .number = ++server->numbers};
    fake_request_route(&exchange->request);
    exchange->control =
        strncmp((const char *)exchange->target.data, CONTROL, sizeof CONTROL - 1) == 0;
    if (!exchange->control) {
        fake_counters_begin(&server->counters, exchange->request.kind);
    }
    return exchange;
}

static void note_left(struct fake_exchange *exchange) {
    struct fake_counters *counters = &exchange->server->counters;
    bool counted = !exchange->control && !exchange->left && !exchange->cut;
    exchange->left = true;
    if (counted) {
        counters->kinds[exchange->request.kind].cancelled++;
        counters->last_cancelled_us = edda_clock_us();
    }
}

static void complete_request(void *context, struct MHD_Connection *mhd, void **state,
                             enum MHD_RequestTerminationCode how) {
    struct fake_server *server = context;
    struct fake_exchange *exchange = *state;
    (void)mhd;
    if (!exchange) {
        return;
    }
    *state = NULL;
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        note_left(exchange);
        /* It closes the socket when it next looks at it, and asks for no turn: this is an event. */
        (void)shutdown(exchange->connection->fd, SHUT_RDWR);
        server->run_wanted = true;
    }
    if (!exchange->control) {
        fake_counters_end(&server->counters, exchange->request.kind, (int64_t)exchange->taken,
                          (int64_t)exchange->chat.sent);
    }
    free_exchange(exchange);
}

static enum MHD_Result take_body(struct fake_exchange *exchange, const char *data, size_t *size) {
    int error = edda_buffer_append(&exchange->body, data, *size);
    if (!exchange->control) {
        exchange->server->counters.bytes_in += (int64_t)*size;
    }
    *size = 0;
    exchange->cut = exchange->cut || error != 0;
    return error ? MHD_NO : MHD_YES;
}

/* Called for the head, for pieces of the body, when it is complete, and after each resume. */
static enum MHD_Result handle_request(void *context, struct MHD_Connection *mhd, const char *url,
                                      const char *method, const char *version, const char *upload,
                                      size_t *upload_size, void **state) {
    struct fake_exchange *exchange = *state;
    (void)context;
    (void)mhd;
    (void)url;
    (void)version;
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        return take_body(exchange, upload, upload_size);
    }
    if (!exchange->complete) {
        exchange->complete = true;
        fake_exchange_accept(exchange, method);
        if (exchange->connection->hung_up) {
            note_left(exchange);
        }
    }
    if (exchange->left || exchange->cut) {
        return MHD_NO;
    }
    if (exchange->ready_ms < 0 ||
        edda_loop_now(exchange->server->options.loop) < exchange->ready_ms) {
        fake_exchange_suspend(exchange, exchange->ready_ms);
        return MHD_YES;
    }
    if (!fake_exchange_answer(exchange)) {
        exchange->cut = true;
        return MHD_NO;
    }
    return fake_exchange_send(exchange);
}

void fake_server_cut(struct fake_server *server, const struct fake_exchange *but) {
    for (struct fake_exchange *at = server->exchanges; at; at = at->next) {
        if (at != but) {
            at->cut = true;
            (void)shutdown(at->connection->fd, SHUT_RDWR);
            fake_exchange_wake(at);
        }
    }
}

/* ---- connections ---- */

/* Once: it would fire again in every turn. */
static void note_hangup(void *context, uint32_t events) {
    struct fake_connection *connection = context;
    (void)events;
    edda_loop_unwatch(connection->server->options.loop, &connection->hangup);
    connection->hung_up = true;
    if (connection->exchange && connection->exchange->complete) {
        note_left(connection->exchange);
        fake_exchange_wake(connection->exchange);
    }
}

static void notify_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                              enum MHD_ConnectionNotificationCode code) {
    struct fake_server *server = context;
    struct fake_connection *connection = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        connection = calloc(1, sizeof *connection);
        EDDA_ASSERT(connection);
        connection->server = server;
        connection->fd = info->connect_fd;
        connection->hangup = edda_loop_watch(server->options.loop, connection->fd, EPOLLRDHUP,
                                             note_hangup, connection, "hangup");
        *socket_context = connection;
        server->counters.connections++;
        server->counters.connections_open++;
        return;
    }
    /* A request that it refuses by itself it does not always complete. */
    void *exchange = connection->exchange;
    complete_request(server, mhd, &exchange, MHD_REQUEST_TERMINATED_WITH_ERROR);
    if (connection->hangup) {
        edda_loop_unwatch(server->options.loop, &connection->hangup);
    }
    server->counters.connections_open--;
    free(connection);
    *socket_context = NULL;
}

/* ---- the daemon ---- */

static void note_ready(void *context, uint32_t events) {
    struct fake_server *server = context;
    (void)events;
    server->run_wanted = true;
}

static bool run_again(struct fake_server *server) {
    MHD_UNSIGNED_LONG_LONG wait_ms;
    return MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

static int64_t prepare(void *context) {
    struct fake_server *server = context;
    bool again = server->run_wanted || run_again(server);
    for (int turn = 0; again && turn < 2; turn++) {
        server->run_wanted = false;
        (void)MHD_run(server->daemon);
        again = server->run_wanted || run_again(server);
    }
    return again ? 0 : -1;
}

static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context;
    (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct fake_server *server) {
    const struct fake_server_options *options = &server->options;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_SUPPRESS_DATE_NO_CLOCK | (options->certificate ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle_request, server, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_NOTIFY_CONNECTION,
        notify_connection, server, MHD_OPTION_NOTIFY_COMPLETED, complete_request, server,
        MHD_OPTION_URI_LOG_CALLBACK, begin_target, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
        MHD_OPTION_ARRAY, options->certificate ? tls : &tls[2], MHD_OPTION_END);
}

int fake_server_start(struct fake_server *server, const struct fake_server_options *options) {
    *server = (struct fake_server){.options = *options};
    fake_counters_init(&server->counters);
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        fake_settings_init(&server->settings[i]);
    }
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        fake_server_stop(server);
        return -1;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->watch =
        edda_loop_watch(options->loop, info->epoll_fd, EPOLLIN, note_ready, server, "http");
    EDDA_ASSERT(server->watch);
    int error = edda_loop_prepare(options->loop, prepare, server);
    EDDA_ASSERT(!error);
    return 0;
}

uint16_t fake_server_port(const struct fake_server *server) {
    return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void fake_server_stop(struct fake_server *server) {
    if (server->daemon) {
        edda_loop_unwatch(server->options.loop, &server->watch);
        fake_server_cut(server, NULL); /* it does not stop while a connection is suspended */
        (void)MHD_run(server->daemon);
        MHD_stop_daemon(server->daemon);
    }
    fake_counters_done(&server->counters);
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        fake_settings_done(&server->settings[i]);
    }
}
