/* tests/fuzz/http_rig.c: see http_rig.h. */
#include "tests/fuzz/http_rig.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http_internal.h"
#include "tests/fuzz/fuzz.h"

static edda_loop_t *loop;
static edda_http_t *the_http;

static void close_all(void) {
    edda_http_destroy(&the_http);
    edda_loop_destroy(&loop);
}

edda_http_t *http_rig_new(const struct edda_http_options *options) {
    struct edda_http_options wanted = *options;
    const char *message = NULL;
    wanted.loop = loop = edda_loop_new("fuzz");
    wanted.address = "127.0.0.1:0";
    wanted.max_connections = 16;
    wanted.buffered_bytes = (size_t)1 << 24;
    wanted.header_ms = wanted.body_ms = wanted.idle_ms = 60000;
    EDDA_ASSERT(loop && edda_http_new(&wanted, &the_http, &message) == 0);
    EDDA_ASSERT(atexit(close_all) == 0);
    return the_http;
}

static bool has_more(edda_http_t *http) {
    MHD_UNSIGNED_LONG_LONG wait_ms;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd ready = {.fd = info->epoll_fd, .events = POLLIN};
    return (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && wait_ms == 0) ||
           poll(&ready, 1, 0) > 0;
}

/* Reads as it goes, so that nothing waits for room. */
static void run(edda_http_t *http, int fd, struct edda_buffer *answer) {
    char bytes[4096];
    ssize_t got;
    do {
        EDDA_ASSERT(MHD_run(http->daemon) == MHD_YES);
        while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            EDDA_ASSERT(edda_buffer_append(answer, bytes, (size_t)got) == 0);
        }
    } while (has_more(http));
}

void http_rig_say(edda_http_t *http, struct edda_bytes bytes, size_t most, struct random *random,
                  struct edda_buffer *answer) {
    static const struct sockaddr address = {.sa_family = AF_UNIX};
    int ends[2];
    EDDA_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    EDDA_ASSERT(MHD_add_connection(http->daemon, ends[1], &address, sizeof address) == MHD_YES);
    for (size_t at = 0; at < bytes.size;) {
        size_t left = bytes.size - at;
        size_t size = 1 + random_below(random, most);
        ssize_t sent = send(ends[0], bytes.data + at, size < left ? size : left, MSG_NOSIGNAL);
        run(http, ends[0], answer);
        if (sent <= 0) {
            break; /* it does not want to hear more */
        }
        at += (size_t)sent;
    }
    (void)shutdown(ends[0], SHUT_WR);
    run(http, ends[0], answer);
    (void)close(ends[0]);
    EDDA_ASSERT(MHD_run(http->daemon) == MHD_YES);
    EDDA_ASSERT(edda_http_connections(http) == 0 && edda_http_exchanges(http) == 0 &&
                edda_http_buffered(http) == 0);
}
