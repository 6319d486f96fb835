/* tests/sim/zmq.c: the ten functions of libzmq that touch a socket, over network.h.
 *
 * The program's own definitions come before the library's, so wire.c, socket.c and all that stands
 * on them run here as they are. Frames are libzmq's own: they are only memory. A context is the
 * node whose sockets it makes. */
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "tests/sim/network.h"

/* Of the frame that was received last, which is the one that wire.c asks about. */
static bool last_more;

static int fail(int number) {
    errno = number;
    return -1;
}

void *zmq_socket(void *context, int type) {
    struct sim_node *node = context;
    struct sim_socket *socket = calloc(1, sizeof(*socket));
    EDDA_ASSERT(socket && (type == ZMQ_DEALER || type == ZMQ_ROUTER));
    socket->node = node;
    socket->end = type == ZMQ_ROUTER ? SIM_ROUTER : SIM_DEALER;
    socket->number = ++sim->socket_count;
    socket->linger_ms = -1;
    socket->next = node->sockets;
    node->sockets = socket;
    return socket;
}

static void keep_url(struct sim_socket *socket, const char *url) {
    EDDA_ASSERT(socket->url_count < SIM_MAX_URLS && strlen(url) < SIM_MAX_URL);
    memcpy(socket->urls[socket->url_count++], url, strlen(url) + 1);
}

int zmq_bind(void *handle, const char *url) {
    keep_url(handle, url);
    return 0;
}

int zmq_unbind(void *handle, const char *url) {
    struct sim_socket *socket = handle;
    (void)url;
    socket->url_count = 0;
    return 0;
}

int zmq_connect(void *handle, const char *url) {
    keep_url(handle, url);
    sim_network_connect(handle);
    return 0;
}

int zmq_close(void *handle) {
    struct sim_socket *socket = handle;
    sim_network_close(socket);
    for (size_t i = 0; i < socket->out_count; i++) {
        zmq_msg_close(&socket->out[i]);
    }
    sim_packet_free(socket->in);
    struct sim_socket **link = &socket->node->sockets;
    while (*link != socket) {
        link = &(*link)->next;
    }
    *link = socket->next;
    free(socket);
    return 0;
}

int zmq_setsockopt(void *handle, int option, const void *value, size_t size) {
    struct sim_socket *socket = handle;
    if (option == ZMQ_LINGER) {
        EDDA_ASSERT(size == sizeof(int));
        memcpy(&socket->linger_ms, value, sizeof(int));
    }
    return 0;
}

int zmq_getsockopt(void *handle, int option, void *ret_value, size_t *size) {
    const struct sim_socket *socket = handle;
    if (option == ZMQ_LAST_ENDPOINT) {
        return fail(EINVAL); /* only asked to prove that a guarded port is closed */
    }
    EDDA_ASSERT(option == ZMQ_EVENTS && *size == sizeof(int));
    int events = sim_network_writable(socket) ? ZMQ_POLLOUT : 0;
    events |= socket->in || sim_network_readable(socket) ? ZMQ_POLLIN : 0;
    memcpy(ret_value, &events, sizeof(events));
    return 0;
}

/* ---- sending ---- */

/* A ROUTER's first frame names the connection. */
static int choose_connection(struct sim_socket *socket, zmq_msg_t *frame) {
    socket->out_to = sim_network_find(socket, zmq_msg_data(frame), zmq_msg_size(frame));
    if (!socket->out_to) {
        return fail(EHOSTUNREACH);
    }
    if (socket->out_to->full_until_us[SIM_ROUTER] > sim->now_us) {
        socket->out_to = NULL;
        return fail(EAGAIN);
    }
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return 0;
}

static int begin_sending(struct sim_socket *socket) {
    if (!sim_network_writable(socket)) {
        return fail(EAGAIN);
    }
    socket->out_to = sim_network_find(socket, NULL, 0);
    return 0;
}

int zmq_msg_send(zmq_msg_t *frame, void *handle, int flags) {
    struct sim_socket *socket = handle;
    int size = (int)zmq_msg_size(frame);
    if (socket->node->muted) {
        return fail(ETERM);
    }
    if (socket->end == SIM_ROUTER && !socket->out_to) {
        return choose_connection(socket, frame);
    }
    if (!socket->out_to && begin_sending(socket) != 0) {
        return -1;
    }
    EDDA_ASSERT(socket->out_count < SIM_MAX_FRAMES);
    zmq_msg_t *place = &socket->out[socket->out_count++];
    zmq_msg_init(place);
    zmq_msg_move(place, frame);
    if (!(flags & ZMQ_SNDMORE)) {
        sim_network_send(socket->out_to, socket->end, socket->out, socket->out_count);
        for (size_t i = 0; i < socket->out_count; i++) {
            zmq_msg_close(&socket->out[i]);
        }
        socket->out_count = 0;
        socket->out_to = NULL;
    }
    return size;
}

/* ---- receiving ---- */

static void take_id(struct sim_socket *socket, zmq_msg_t *frame) {
    zmq_msg_close(frame);
    zmq_msg_init_size(frame, SIM_ID_BYTES);
    memcpy(zmq_msg_data(frame), socket->in_from->id, SIM_ID_BYTES);
    socket->in_id = false;
    last_more = true;
}

int zmq_msg_recv(zmq_msg_t *frame, void *handle, int flags) {
    struct sim_socket *socket = handle;
    (void)flags;
    if (socket->node->muted) {
        return fail(EAGAIN);
    }
    if (!socket->in) {
        socket->in = sim_network_take(socket, &socket->in_from);
        socket->in_next = 0;
        socket->in_id = socket->end == SIM_ROUTER;
    }
    if (!socket->in) {
        return fail(EAGAIN);
    }
    if (socket->in_id) {
        take_id(socket, frame);
        return (int)zmq_msg_size(frame);
    }
    zmq_msg_move(frame, &socket->in->frames[socket->in_next++]);
    last_more = socket->in_next < socket->in->count;
    if (!last_more) {
        sim_packet_free(socket->in);
        socket->in = NULL;
    }
    return (int)zmq_msg_size(frame);
}

int zmq_msg_more(const zmq_msg_t *frame) {
    (void)frame;
    return last_more;
}
