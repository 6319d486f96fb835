/* gateway/http_accept.c: the listening socket, and how those who come when all is taken are told.
 *
 * A newcomer over the limit gets a whole 503 and is closed a moment later: closing at once, with
 * its request still unread in our socket, would send a reset that may overtake the answer. Out of
 * file descriptors, one kept in reserve is given up to accept, refuse and close one more. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http_internal.h"

#define ACCEPT_BUDGET 128 /* a turn: what waits longer is the kernel's queue */
#define BACKLOG       4096
#define LINGER_MS     300
#define REST_MS       50

static void close_linger(edda_http_t *http) {
    char waste[4096];
    int fd = http->lingers[http->linger_first].fd;
    for (int i = 0; i < 8 && recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0; i++) {
    }
    (void)close(fd);
    http->linger_first = (http->linger_first + 1) % LINGER_MAXIMUM;
    http->linger_count--;
}

void close_lingers(edda_http_t *http, int64_t now_ms) {
    while (http->linger_count > 0 && http->lingers[http->linger_first].until_ms <= now_ms) {
        close_linger(http);
    }
}

static void refuse_connection(edda_http_t *http, int fd, const char *reason) {
    edda_metric_add(EDDA_METRIC_HTTP_REFUSED, reason, 1);
    send_raw(fd, 503, "Too many connections", false, "Retry-After: 2\r\n");
    (void)shutdown(fd, SHUT_WR);
    if (http->linger_count == LINGER_MAXIMUM ||
        http->linger_count >= http->options.max_connections) {
        close_linger(http);
    }
    size_t last = (http->linger_first + http->linger_count) % LINGER_MAXIMUM;
    http->lingers[last] = (struct refused_peer){fd, edda_loop_now(http->options.loop) + LINGER_MS};
    http->linger_count++;
    arm_sweep(http, LINGER_MS);
}

static void admit_connection(edda_http_t *http, int fd, const struct sockaddr_storage *address,
                             socklen_t size) {
    int on = 1;
    if (http->connection_count + http->coming_count >= http->options.max_connections) {
        refuse_connection(http, fd, "connections");
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    size_t before = http->connection_count;
    /* It closes fd itself when it fails. */
    if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)address, size) != MHD_YES) {
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "memory", 1);
    } else if (http->connection_count == before) {
        http->coming_count++;
    }
    http->run_wanted = true;
}

static void rest_over(void *context) {
    edda_http_t *http = context;
    if (http->listen_watch) {
        edda_loop_watch_change(http->options.loop, http->listen_watch, EPOLLIN);
    }
}

static void refuse_without_descriptors(edda_http_t *http) {
    if (http->reserve_fd >= 0) {
        (void)close(http->reserve_fd);
    }
    int fd = accept4(http->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        send_raw(fd, 503, "Too many connections", false, "Retry-After: 2\r\n");
        edda_metric_add(EDDA_METRIC_HTTP_REFUSED, "descriptors", 1);
        (void)close(fd);
    }
    http->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    edda_loop_watch_change(http->options.loop, http->listen_watch, 0);
    edda_loop_timer_set(http->options.loop, &http->rest,
                        edda_loop_now(http->options.loop) + REST_MS);
}

static void accept_some(void *context, uint32_t events) {
    edda_http_t *http = context;
    (void)events;
    for (int i = 0; i < ACCEPT_BUDGET; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept4(http->listen_fd, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit_connection(http, fd, &address, size);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            refuse_without_descriptors(http);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* getaddrinfo takes 65537 for 1. */
static bool is_port(const char *text) {
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && port <= UINT16_MAX;
}

/* Splits "[::1]:80", "host:80" and ":80". */
static bool split_address(const char *address, char *host, size_t host_size,
                          const char **ret_port) {
    const char *colon = strrchr(address, ':');
    if (!colon || !is_port(colon + 1)) {
        return false;
    }
    struct edda_text name = {address, (size_t)(colon - address)};
    if (name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']') {
        name = (struct edda_text){name.data + 1, name.size - 2};
    }
    if (name.size >= host_size) {
        return false;
    }
    memcpy(host, name.data, name.size);
    host[name.size] = '\0';
    *ret_port = colon + 1;
    return true;
}

static int bind_one(const struct addrinfo *info) {
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void write_url(edda_http_t *http, const char *host) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char port[16];
    if (getsockname(http->listen_fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, NULL, 0, port, sizeof port,
                    NI_NUMERICSERV) != 0) {
        port[0] = '\0';
    }
    const char *name = *host ? host : "127.0.0.1";
    bool literal = strchr(name, ':') != NULL;
    (void)snprintf(http->url, sizeof http->url, literal ? "http://[%.90s]:%s" : "http://%.90s:%s",
                   name, port);
}

int open_listener(edda_http_t *http, const char **ret_message) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[256];
    const char *port;
    if (!split_address(http->options.address, host, sizeof host, &port)) {
        *ret_message = "the HTTP address is not ADDRESS:PORT";
        return EDDA_E_INVALID;
    }
    if (getaddrinfo(*host ? host : NULL, port, &hints, &found) != 0) {
        *ret_message = "the HTTP address is not known on this machine";
        return EDDA_E_INVALID;
    }
    for (const struct addrinfo *at = found; at && http->listen_fd < 0; at = at->ai_next) {
        http->listen_fd = bind_one(at);
    }
    freeaddrinfo(found);
    if (http->listen_fd < 0) {
        *ret_message = "the HTTP address cannot be bound: is it in use?";
        return EDDA_E_UNAVAILABLE;
    }
    http->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    http->rest = (struct edda_timer){.fire = rest_over, .context = http, .name = "http_rest"};
    write_url(http, host);
    *ret_message = "out of memory";
    http->listen_watch = edda_loop_watch(http->options.loop, http->listen_fd, EPOLLIN, accept_some,
                                         http, "http_accept");
    return http->listen_watch ? 0 : EDDA_E_MEMORY;
}

void close_listener(edda_http_t *http) {
    edda_loop_timer_cancel(http->options.loop, &http->rest);
    edda_loop_unwatch(http->options.loop, &http->listen_watch);
    if (http->listen_fd >= 0) {
        (void)close(http->listen_fd);
        http->listen_fd = -1;
    }
    if (http->reserve_fd >= 0) {
        (void)close(http->reserve_fd);
        http->reserve_fd = -1;
    }
}
