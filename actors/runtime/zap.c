/* actors/runtime/zap.c: RFC 27 over a ROUTER: nine frames in, eight out. */
#include "actors/runtime/zap.h"

#include <errno.h>
#include <stdio.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/monitor.h"

#define ENDPOINT    "inproc://zeromq.zap.01"
#define MOST_BROKEN 5

enum frame {
    FRAME_ROUTE,
    FRAME_EMPTY,
    FRAME_VERSION,
    FRAME_ID,
    FRAME_DOMAIN,
    FRAME_ADDRESS,
    FRAME_IDENTITY,
    FRAME_MECHANISM,
    FRAME_KEY,
    FRAME_COUNT,
};

int edda_zap_open(void *zmq_context, void **ret_socket) {
    void *socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    int zero = 0;
    if (!socket) {
        return EDDA_E_LIMIT;
    }
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(socket, ZMQ_SNDTIMEO, &zero, sizeof zero);
    if (zmq_bind(socket, ENDPOINT) != 0) {
        int error = errno == EADDRINUSE ? EDDA_E_CONFLICT : EDDA_E_UNAVAILABLE;
        zmq_close(socket);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

/* Unbound now: a context that goes on may get another handler. */
void edda_zap_close(void **socket_p) {
    if (*socket_p) {
        (void)zmq_unbind(*socket_p, ENDPOINT);
        (void)zmq_close(*socket_p);
    }
    *socket_p = NULL;
}

static bool frame_is(zmq_msg_t *frame, const char *text) {
    return zmq_msg_size(frame) == strlen(text) &&
           memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

static size_t copy_frame(zmq_msg_t *frame, void *field, size_t room) {
    size_t size = zmq_msg_size(frame) < room ? zmq_msg_size(frame) : room;
    memcpy(field, zmq_msg_data(frame), size);
    return size;
}

/* The address is shown to people: what a terminal might obey stays out. */
static void copy_address(zmq_msg_t *frame, char address[EDDA_ZAP_FIELD]) {
    size_t size = copy_frame(frame, address, EDDA_ZAP_FIELD - 1);
    for (size_t i = 0; i < size; i++) {
        address[i] = address[i] > ' ' && address[i] <= '~' && address[i] != '"' ? address[i] : '?';
    }
    address[size] = '\0';
}

static int receive_frames(void *socket, zmq_msg_t frames[FRAME_COUNT], size_t *ret_count) {
    int more = 1;
    size_t size = sizeof more;
    size_t count = 0;
    while (more) {
        zmq_msg_t extra;
        zmq_msg_t *frame = count < FRAME_COUNT ? &frames[count] : &extra;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            break;
        }
        if (count >= FRAME_COUNT) {
            zmq_msg_close(frame);
        }
        count++;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0) {
            break;
        }
    }
    *ret_count = count;
    return count == 0 ? EDDA_E_AGAIN : 0;
}

/* What can be answered, though it be refused. */
static bool read_return(zmq_msg_t *frames, size_t count, struct edda_zap_request *request) {
    if (count <= FRAME_ID || zmq_msg_size(&frames[FRAME_ROUTE]) > EDDA_ZAP_FIELD ||
        zmq_msg_size(&frames[FRAME_ID]) > EDDA_ZAP_FIELD) {
        return false;
    }
    request->route_size = copy_frame(&frames[FRAME_ROUTE], request->route, EDDA_ZAP_FIELD);
    request->id_size = copy_frame(&frames[FRAME_ID], request->id, EDDA_ZAP_FIELD);
    return true;
}

static bool read_question(zmq_msg_t *frames, size_t count, struct edda_zap_request *request) {
    if (count != FRAME_COUNT || !frame_is(&frames[FRAME_VERSION], "1.0") ||
        !frame_is(&frames[FRAME_DOMAIN], EDDA_CURVE_DOMAIN) ||
        !frame_is(&frames[FRAME_MECHANISM], "CURVE") ||
        zmq_msg_size(&frames[FRAME_KEY]) != EDDA_CURVE_KEY_BYTES) {
        return false;
    }
    copy_address(&frames[FRAME_ADDRESS], request->address);
    return zmq_z85_encode(request->key, zmq_msg_data(&frames[FRAME_KEY]), EDDA_CURVE_KEY_BYTES) !=
           NULL;
}

int edda_zap_receive(void *socket, struct edda_zap_request *ret_request) {
    zmq_msg_t frames[FRAME_COUNT];
    size_t count = 0;
    int error = receive_frames(socket, frames, &count);
    if (error) {
        return error;
    }
    *ret_request = (struct edda_zap_request){.key = ""};
    bool can_answer = read_return(frames, count, ret_request);
    bool good = can_answer && read_question(frames, count, ret_request);
    for (size_t i = 0; i < count && i < FRAME_COUNT; i++) {
        zmq_msg_close(&frames[i]);
    }
    if (can_answer && !good) {
        edda_zap_answer(socket, ret_request, false);
    }
    return good ? 0 : EDDA_E_MALFORMED;
}

static void send_frame(void *socket, const void *data, size_t size, bool more) {
    (void)zmq_send(socket, data, size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
}

void edda_zap_answer(void *socket, const struct edda_zap_request *request, bool allowed) {
    const char *text = allowed ? "OK" : "this key is not authorized";
    const char *user = allowed ? request->key : "";
    send_frame(socket, request->route, request->route_size, true);
    send_frame(socket, "", 0, true);
    send_frame(socket, "1.0", 3, true);
    send_frame(socket, request->id, request->id_size, true);
    send_frame(socket, allowed ? "200" : "400", 3, true);
    send_frame(socket, text, strlen(text), true);
    send_frame(socket, user, strlen(user), true);
    send_frame(socket, "", 0, false); /* no metadata */
}

/* 0 while nothing is certain, 1: refused, or EDDA_E_FAILED. A connection that ends in its handshake
 * is no refusal: nobody was asked. The socket tries again by itself, and a few times that is
 * forgiven. */
static int read_verdict(struct edda_monitor *monitor, unsigned *broken) {
    unsigned kind;
    while ((kind = edda_monitor_next(monitor)) != 0) {
        if (kind == EDDA_MONITOR_REFUSED) {
            return 1;
        }
        if (kind == EDDA_MONITOR_SUCCEEDED || ++*broken == MOST_BROKEN) {
            return EDDA_E_FAILED;
        }
    }
    return 0;
}

static int await_verdict(struct edda_monitor *monitor, void *zap_socket,
                         void (*serve)(void *context), void *context, int64_t limit_ms) {
    int64_t until_ms = edda_clock_ms() + limit_ms;
    int64_t left_ms;
    unsigned broken = 0;
    while ((left_ms = until_ms - edda_clock_ms()) > 0) {
        zmq_pollitem_t items[2] = {{.socket = monitor->socket, .events = ZMQ_POLLIN},
                                   {.socket = zap_socket, .events = ZMQ_POLLIN}};
        (void)zmq_poll(items, zap_socket ? 2 : 1, left_ms < 100 ? (long)left_ms : 100);
        if (serve) {
            serve(context);
        }
        int verdict = read_verdict(monitor, &broken);
        if (verdict != 0) {
            return verdict < 0 ? verdict : 0;
        }
    }
    return EDDA_E_TIMEOUT;
}

/* Watched before it connects: a verdict must not be missed. */
static int connect_stranger(void *zmq_context, const char *url, const char *broker_key,
                            void **ret_socket, struct edda_monitor *ret_monitor) {
    edda_curve_t *stranger = NULL;
    char message[128];
    int error = edda_curve_new(&stranger);
    if (!error) {
        error = edda_curve_trust(stranger, broker_key, message, sizeof message);
    }
    void *socket = error ? NULL : zmq_socket(zmq_context, ZMQ_DEALER);
    int zero = 0;
    int one = 1;
    if (!error && !socket) {
        error = EDDA_E_LIMIT;
    }
    if (!error) {
        (void)zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
        (void)zmq_setsockopt(socket, ZMQ_IPV6, &one, sizeof one);
        error = edda_curve_join(stranger, 0, socket);
    }
    if (!error) {
        error =
            edda_monitor_open(ret_monitor, zmq_context, socket,
                              EDDA_MONITOR_SUCCEEDED | EDDA_MONITOR_REFUSED | EDDA_MONITOR_BROKEN);
    }
    if (!error && zmq_connect(socket, url) != 0) {
        error = EDDA_E_UNAVAILABLE;
    }
    edda_curve_destroy(&stranger);
    *ret_socket = socket;
    return error;
}

int edda_zap_prove(void *zmq_context, const char *url, const char *broker_key, void *zap_socket,
                   void (*serve)(void *context), void *context, int64_t limit_ms) {
    void *socket = NULL;
    struct edda_monitor monitor = {.socket = NULL};
    int error = connect_stranger(zmq_context, url, broker_key, &socket, &monitor);
    if (!error) {
        error = await_verdict(&monitor, zap_socket, serve, context, limit_ms);
    }
    edda_monitor_close(&monitor);
    if (socket) {
        zmq_close(socket);
    }
    return error;
}
