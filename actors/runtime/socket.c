/* actors/runtime/socket.c: ZeroMQ socket options with their reasons, endpoints, and lock files. */
#include "actors/runtime/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/resolve.h"
#include "proto/limits.h"

#if defined(__SANITIZE_THREAD__)
/* libzmq, and libsodium that it encrypts with, are not built with ThreadSanitizer, which therefore
 * cannot see what orders their threads. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "called_from_lib:libzmq.so\nrace:libzmq.so\ncalled_from_lib:libsodium.so\n";
}
#endif

#define MAX_IPC_PATH  107
#define MAX_ENDPOINTS 8
#define LINGER_MS     2000

/* Twice the largest sum of grants of one peer: credit is the flow control, so the high-water mark
 * is never reached and EAGAIN is a bug. */
#define HIGH_WATER (2 * EDDA_CLIENT_WINDOW * EDDA_MAX_SERVICES + 64)

struct option {
    int name;
    int value;
};

static const struct option common_options[] = {
    /* Nobody blocks in a send: one slow peer would stop the whole ROUTER. */
    {ZMQ_SNDTIMEO, 0},
    {ZMQ_RCVTIMEO, 0},
    {ZMQ_SNDHWM, HIGH_WATER},
    {ZMQ_RCVHWM, HIGH_WATER},
    /* Long enough for the last DONE and BYE, short enough for a restart. */
    {ZMQ_LINGER, LINGER_MS},
    /* ZeroMQ's own heartbeat aborts the process under back-pressure (libzmq issues 3937, 4767) and
     * kills connections that carry a large frame (2709). We PING ourselves. */
    {ZMQ_HEARTBEAT_IVL, 0},
    /* A peer that connects and says nothing is let go. */
    {ZMQ_HANDSHAKE_IVL, 5000},
    /* Dead hosts and half-open connections, in seconds, seconds, probes; then milliseconds. */
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 10},
    {ZMQ_TCP_KEEPALIVE_INTVL, 3},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_TCP_MAXRT, 15000},
    {ZMQ_IPV6, 1},
};

static const struct option router_options[] = {
    /* A default ROUTER drops silently what it cannot route or queue; this makes it say so. */
    {ZMQ_ROUTER_MANDATORY, 1},
    /* After a restart every peer reconnects at once. */
    {ZMQ_BACKLOG, 1024},
};

static const struct option dealer_options[] = {
    /* Without it messages queue for a broker that is not there. */
    {ZMQ_IMMEDIATE, 1},
    /* Within one session libzmq may reconnect quickly; our back-off opens new sockets. */
    {ZMQ_RECONNECT_IVL, 100},
    {ZMQ_RECONNECT_IVL_MAX, 0},
};

/* One endpoint of a ROUTER. A URL with a host's name may be several. */
struct bound {
    char endpoint[EDDA_MAX_URL]; /* as it is unbound */
    char numbers[EDDA_MAX_URL];  /* of tcp */
    int lock;                    /* of an ipc path's file; -1 for other transports */
};

/* What a ROUTER has bound. */
struct guard {
    void *socket;
    struct bound bounds[MAX_ENDPOINTS * EDDA_MAX_ADDRESSES];
    size_t count;
    size_t firsts[MAX_ENDPOINTS]; /* of the bounds of each URL */
    size_t url_count;
    struct guard *next;
};

static struct guard *guards; /* under guards_lock */
static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER;

static bool has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The port at the end of tcp://host:port; 0 when there is none. */
static unsigned parse_port(const char *url, size_t *ret_host_size) {
    const char *colon = strrchr(url, ':');
    if (!colon || colon < url + 6 || !colon[1]) {
        return 0;
    }
    unsigned port = 0;
    for (const char *at = colon + 1; *at; at++) {
        if (*at < '0' || *at > '9' || port > 65535) {
            return 0;
        }
        port = port * 10 + (unsigned)(*at - '0');
    }
    *ret_host_size = (size_t)(colon - url) - 6;
    return port <= 65535 && *ret_host_size > 0 ? port : 0;
}

/* Abstract (@) and wildcard (*) ipc addresses cannot be guarded by a lock file. */
static bool is_ipc_path(const char *path) {
    return *path && *path != '@' && *path != '*' && strlen(path) <= MAX_IPC_PATH;
}

static int check_url(const char *url) {
    size_t host_size = 0;
    if (strlen(url) >= EDDA_MAX_URL) {
        return EDDA_E_INVALID;
    }
    if (has_prefix(url, "tcp://")) {
        return parse_port(url, &host_size) ? 0 : EDDA_E_INVALID;
    }
    if (has_prefix(url, "ipc://")) {
        return is_ipc_path(url + 6) ? 0 : EDDA_E_INVALID;
    }
    return has_prefix(url, "inproc://") && url[9] ? 0 : EDDA_E_INVALID;
}

int edda_endpoint_back(const char *url, char ret_url[EDDA_MAX_URL]) {
    size_t host_size = 0;
    int error = check_url(url);
    if (error) {
        return error;
    }
    char back[EDDA_MAX_URL + 8];
    if (has_prefix(url, "tcp://")) {
        unsigned port = parse_port(url, &host_size);
        if (port == 65535) {
            return EDDA_E_INVALID;
        }
        (void)snprintf(back, sizeof back, "tcp://%.*s:%u", (int)host_size, url + 6, port + 1);
    } else {
        (void)snprintf(back, sizeof back, "%s.back", url);
    }
    error = check_url(back);
    if (!error) {
        memcpy(ret_url, back, strlen(back) + 1);
    }
    return error;
}

static bool is_loopback(const char *url) {
    size_t size = 0;
    (void)parse_port(url, &size);
    const char *host = url + 6;
    if ((size == 9 && memcmp(host, "localhost", 9) == 0) ||
        (size == 5 && memcmp(host, "[::1]", 5) == 0)) {
        return true;
    }
    /* 127.0.0.0/8 in digits; a name such as 127.example.org is not. */
    return size > 4 && memcmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == size;
}

bool edda_url_is_tcp(const char *url) {
    return has_prefix(url, "tcp://");
}

bool edda_url_is_inproc(const char *url) {
    return has_prefix(url, "inproc://");
}

bool edda_url_is_exposed(const char *url) {
    return edda_url_is_tcp(url) && !is_loopback(url);
}

static int set_options(void *socket, const struct option *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return EDDA_E_INTERNAL;
        }
    }
    return 0;
}

static int make_socket(void *zmq_context, int type, const struct option *options, size_t count,
                       void **ret_socket) {
    void *socket = zmq_socket(zmq_context, type);
    if (!socket) {
        return errno == EMFILE ? EDDA_E_LIMIT : EDDA_E_UNAVAILABLE;
    }
    /* A bound on one frame; the message's own bounds are checked when it is read. */
    int64_t frame_bytes = EDDA_MAX_FRAME_BYTES + 64;
    int error =
        set_options(socket, common_options, sizeof common_options / sizeof common_options[0]);
    if (!error) {
        error = set_options(socket, options, count);
    }
    if (!error && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes, sizeof frame_bytes) != 0) {
        error = EDDA_E_INTERNAL;
    }
    if (error) {
        zmq_close(socket);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

/* The file stays when the lock is given back: removing it would let two holders lock two files of
 * the same name. */
static int lock_path(const char *path, int *ret_lock) {
    char name[MAX_IPC_PATH + 8];
    (void)snprintf(name, sizeof name, "%s.lock", path);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        return EDDA_E_IO;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        int error = errno == EWOULDBLOCK ? EDDA_E_CONFLICT : EDDA_E_IO;
        close(lock);
        return error;
    }
    *ret_lock = lock;
    return 0;
}

static int explain_bind(int number) {
    switch (number) {
    case EADDRINUSE:
        return EDDA_E_CONFLICT;
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
        return EDDA_E_INVALID;
    default:
        return EDDA_E_IO;
    }
}

/* lock: taken over, -1: none. */
static int bind_endpoint(struct guard *guard, const char *endpoint, int lock) {
    struct bound *bound = &guard->bounds[guard->count];
    size_t size = EDDA_MAX_URL;
    if (zmq_bind(guard->socket, endpoint) != 0) {
        int error = explain_bind(errno);
        if (lock >= 0) {
            close(lock);
        }
        return error;
    }
    bound->lock = lock;
    memcpy(bound->endpoint, endpoint, strlen(endpoint) + 1);
    if (edda_url_is_tcp(endpoint)) {
        (void)zmq_getsockopt(guard->socket, ZMQ_LAST_ENDPOINT, bound->numbers, &size);
    }
    guard->count++;
    return 0;
}

/* Every address that the name has here, at least one: others are another machine's, or of a family
 * that this one does not speak. */
static int bind_name(struct guard *guard, const char *url, bool allow_plain_tcp) {
    char urls[EDDA_MAX_ADDRESSES][EDDA_ADDRESS_URL];
    size_t count = edda_url_resolve(url, urls);
    size_t before = guard->count;
    for (size_t i = 0; i < count; i++) {
        bool allowed = allow_plain_tcp || !edda_url_is_exposed(urls[i]);
        int error = allowed ? bind_endpoint(guard, urls[i], -1) : EDDA_E_DENIED;
        if (error == EDDA_E_CONFLICT || error == EDDA_E_DENIED) {
            return error;
        }
    }
    return guard->count > before ? 0 : EDDA_E_INVALID;
}

static int bind_url(struct guard *guard, const char *url, bool allow_plain_tcp) {
    int lock = -1;
    int error = check_url(url);
    if (!error && !allow_plain_tcp && edda_url_is_exposed(url)) {
        error = EDDA_E_DENIED;
    }
    if (!error && has_prefix(url, "ipc://")) {
        error = lock_path(url + 6, &lock);
    }
    if (error) {
        return error;
    }
    guard->firsts[guard->url_count++] = guard->count;
    error = bind_endpoint(guard, url, lock);
    bool named = error == EDDA_E_INVALID && edda_url_is_tcp(url);
    return named ? bind_name(guard, url, allow_plain_tcp) : error;
}

static int make_router(void *zmq_context, void **ret_socket) {
    return make_socket(zmq_context, ZMQ_ROUTER, router_options,
                       sizeof router_options / sizeof router_options[0], ret_socket);
}

static int bind_all(void *socket, const char *const *urls, size_t count, bool allow_plain_tcp) {
    int error = 0;
    struct guard *guard = calloc(1, sizeof *guard);
    EDDA_ASSERT(guard);
    guard->socket = socket;
    for (size_t i = 0; i < count && !error; i++) {
        error = bind_url(guard, urls[i], allow_plain_tcp);
    }
    pthread_mutex_lock(&guards_lock);
    guard->next = guards;
    guards = guard;
    pthread_mutex_unlock(&guards_lock);
    return error;
}

int edda_socket_router(void *zmq_context, const char *const *urls, size_t count,
                       bool allow_plain_tcp, void **ret_socket) {
    if (count == 0 || count > MAX_ENDPOINTS) {
        return EDDA_E_INVALID;
    }
    void *socket = NULL;
    int error = make_router(zmq_context, &socket);
    if (!error) {
        error = bind_all(socket, urls, count, allow_plain_tcp);
    }
    if (error) {
        edda_socket_close(&socket, 0);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

int edda_socket_guarded(void *zmq_context, const char *const *urls, size_t count,
                        const edda_curve_t *curve, struct edda_monitor *ret_monitor,
                        void **ret_socket) {
    void *socket = NULL;
    struct edda_monitor monitor = {.socket = NULL};
    if (count == 0 || count > MAX_ENDPOINTS) {
        return EDDA_E_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (!edda_url_is_tcp(urls[i])) {
            return EDDA_E_INVALID;
        }
    }
    int error = make_router(zmq_context, &socket);
    if (!error) {
        error = edda_curve_serve(curve, socket);
    }
    if (!error) {
        error =
            edda_monitor_open(&monitor, zmq_context, socket,
                              EDDA_MONITOR_MISMATCHED | EDDA_MONITOR_BROKEN | EDDA_MONITOR_LOST);
    }
    if (!error) {
        error = bind_all(socket, urls, count, true);
    }
    if (error) {
        edda_monitor_close(&monitor);
        edda_socket_close(&socket, 0);
        return error;
    }
    *ret_monitor = monitor;
    *ret_socket = socket;
    return 0;
}

int edda_socket_dealer(void *zmq_context, const char *url, const edda_curve_t *curve, size_t broker,
                       void **ret_socket) {
    void *socket = NULL;
    int error = check_url(url);
    if (error) {
        return error;
    }
    error = make_socket(zmq_context, ZMQ_DEALER, dealer_options,
                        sizeof dealer_options / sizeof dealer_options[0], &socket);
    if (error) {
        return error;
    }
    if (curve && edda_url_is_tcp(url)) {
        error = edda_curve_join(curve, broker, socket);
    }
    if (!error && zmq_connect(socket, url) != 0) {
        error = errno == EINVAL ? EDDA_E_INVALID : EDDA_E_UNAVAILABLE;
    }
    if (error) {
        zmq_close(socket);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

/* A closed socket's inproc names and ports are free only when libzmq has reaped it; unbinding frees
 * the names now and ports with the next turn of its thread. The path of an ipc address it leaves
 * behind: under the lock nobody else's can be meant.
 */
static void unbind_all(const struct guard *guard) {
    for (size_t i = 0; i < guard->count; i++) {
        const struct bound *bound = &guard->bounds[i];
        if (zmq_unbind(guard->socket, bound->endpoint) == 0 && bound->lock >= 0) {
            (void)unlink(bound->endpoint + 6);
        }
    }
}

static void release_guard(struct guard *guard) {
    for (size_t i = 0; i < guard->count; i++) {
        if (guard->bounds[i].lock >= 0) {
            close(guard->bounds[i].lock);
        }
    }
    free(guard);
}

const char *edda_socket_bound(const void *socket, size_t index) {
    pthread_mutex_lock(&guards_lock);
    const struct guard *guard = guards;
    while (guard && guard->socket != socket) {
        guard = guard->next;
    }
    pthread_mutex_unlock(&guards_lock);
    return guard && index < guard->url_count ? guard->bounds[guard->firsts[index]].numbers : NULL;
}

static struct guard *take_guard(void *socket) {
    pthread_mutex_lock(&guards_lock);
    struct guard **link = &guards;
    while (*link && (*link)->socket != socket) {
        link = &(*link)->next;
    }
    struct guard *guard = *link;
    if (guard) {
        *link = guard->next;
    }
    pthread_mutex_unlock(&guards_lock);
    return guard;
}

void edda_socket_close(void **socket_p, int linger_ms) {
    void *socket = *socket_p;
    if (!socket) {
        return;
    }
    struct guard *guard = take_guard(socket);
    if (guard) {
        unbind_all(guard);
    }
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    (void)zmq_close(socket);
    if (guard) {
        release_guard(guard);
    }
    *socket_p = NULL;
}

bool edda_socket_writable(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLOUT);
}
