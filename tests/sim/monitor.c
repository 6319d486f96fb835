/* tests/sim/monitor.c: actors/runtime/monitor.h over network.h: what a DEALER's transport tells its
 * owner. Connections here make no handshakes. */
#include "actors/runtime/monitor.h"

#include "tests/sim/network.h"

int edda_monitor_open(struct edda_monitor *monitor, void *zmq_context, void *watched,
                      unsigned kinds) {
    EDDA_ASSERT(kinds == EDDA_MONITOR_LOST);
    (void)zmq_context;
    *monitor = (struct edda_monitor){.socket = watched, .watched = watched};
    return 0;
}

void edda_monitor_close(struct edda_monitor *monitor) {
    *monitor = (struct edda_monitor){.socket = NULL};
}

int edda_monitor_fd(const struct edda_monitor *monitor) {
    const struct sim_socket *socket = monitor->socket;
    return socket->number;
}

unsigned edda_monitor_next(struct edda_monitor *monitor) {
    struct sim_socket *socket = monitor->socket;
    if (!socket || socket->lost == 0) {
        return 0;
    }
    socket->lost--;
    return EDDA_MONITOR_LOST;
}
