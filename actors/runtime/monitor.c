/* actors/runtime/monitor.c: two frames of a PAIR socket, read as one event. */
#include "actors/runtime/monitor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <zmq.h>

static const struct {
    unsigned kind;
    uint16_t event;
} table[] = {
    {EDDA_MONITOR_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED},
    {EDDA_MONITOR_REFUSED, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH},
    {EDDA_MONITOR_MISMATCHED, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL},
    {EDDA_MONITOR_BROKEN, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL},
    {EDDA_MONITOR_LOST, ZMQ_EVENT_DISCONNECTED},
};

#define TABLE_SIZE (sizeof table / sizeof table[0])

static bool connect_pair(void *pair, const char *url) {
    int zero = 0;
    return zmq_setsockopt(pair, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
           zmq_setsockopt(pair, ZMQ_RCVHWM, &zero, sizeof zero) == 0 && zmq_connect(pair, url) == 0;
}

int edda_monitor_open(struct edda_monitor *monitor, void *zmq_context, void *watched,
                      unsigned kinds) {
    static atomic_uint count;
    char url[64];
    int events = 0;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        events |= kinds & table[i].kind ? table[i].event : 0;
    }
    (void)snprintf(url, sizeof url, "inproc://edda-monitor-%u", atomic_fetch_add(&count, 1));
    *monitor = (struct edda_monitor){.socket = NULL};
    if (zmq_socket_monitor(watched, url, events) != 0) {
        return EDDA_E_LIMIT;
    }
    monitor->watched = watched;
    monitor->socket = zmq_socket(zmq_context, ZMQ_PAIR);
    if (!monitor->socket || !connect_pair(monitor->socket, url)) {
        edda_monitor_close(monitor);
        return EDDA_E_LIMIT;
    }
    return 0;
}

int edda_monitor_fd(const struct edda_monitor *monitor) {
    int fd = -1;
    size_t size = sizeof fd;
    if (monitor->socket && zmq_getsockopt(monitor->socket, ZMQ_FD, &fd, &size) != 0) {
        return -1;
    }
    return fd;
}

/* The watched end first: libzmq waits without end for a reader that is gone. */
void edda_monitor_close(struct edda_monitor *monitor) {
    if (monitor->watched) {
        (void)zmq_socket_monitor(monitor->watched, NULL, 0);
    }
    if (monitor->socket) {
        (void)zmq_close(monitor->socket);
    }
    *monitor = (struct edda_monitor){.socket = NULL};
}

/* The first frame has the event in two bytes and its value in four; the second names the endpoint.
 * Nobody asks for either of those. */
static bool read_event(void *socket, uint16_t *ret_event) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&frame);
        return false;
    }
    EDDA_ASSERT(zmq_msg_size(&frame) == 6 && zmq_msg_more(&frame));
    memcpy(ret_event, zmq_msg_data(&frame), sizeof *ret_event);
    bool whole = zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0;
    zmq_msg_close(&frame);
    return whole;
}

unsigned edda_monitor_next(struct edda_monitor *monitor) {
    uint16_t event = 0;
    while (monitor->socket && read_event(monitor->socket, &event)) {
        for (size_t i = 0; i < TABLE_SIZE; i++) {
            if (table[i].event == event) {
                return table[i].kind;
            }
        }
    }
    return 0;
}
