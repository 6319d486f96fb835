/* broker/ports.c: URLs to the endpoints of four sockets. */
#include "broker/ports.h"

#include <sys/epoll.h>

#include "actors/runtime/log.h"
#include "actors/runtime/socket.h"

static int bind_port(struct edda_port *port, const struct edda_broker_options *options,
                     edda_gate_t *gate) {
    char backs[EDDA_BROKER_MAX_URLS][EDDA_MAX_URL];
    const char *urls[EDDA_BROKER_MAX_URLS];
    size_t count = 0;
    for (size_t i = 0; i < options->url_count; i++) {
        if ((gate && edda_url_is_tcp(options->urls[i])) != port->guarded) {
            continue;
        }
        int error = edda_endpoint_back(options->urls[i], backs[count]);
        if (error) {
            return error;
        }
        urls[count] = port->side == EDDA_SIDE_BACK ? backs[count] : options->urls[i];
        count++;
    }
    if (count == 0) {
        return 0;
    }
    return port->guarded ? edda_gate_listen(gate, urls, count, &port->socket)
                         : edda_socket_router(options->zmq_context, urls, count,
                                              options->allow_plain_tcp, &port->socket);
}

int edda_ports_bind(struct edda_port ports[EDDA_PORTS], const struct edda_broker_options *options,
                    edda_gate_t *gate) {
    int error =
        options->url_count == 0 || options->url_count > EDDA_BROKER_MAX_URLS ? EDDA_E_INVALID : 0;
    for (size_t i = 0; i < EDDA_PORTS && !error; i++) {
        ports[i] = (struct edda_port){
            .side = i < EDDA_PORTS / 2 ? EDDA_SIDE_BACK : EDDA_SIDE_FRONT,
            .guarded = i % 2 == 1,
        };
        error = bind_port(&ports[i], options, gate);
    }
    return error;
}

void edda_port_watch_losses(struct edda_port *port, edda_loop_t *loop, void *zmq_context,
                            edda_watch_fn on_loss) {
    if (port->guarded || port->side != EDDA_SIDE_BACK) {
        return;
    }
    if (edda_monitor_open(&port->losses, zmq_context, port->socket, EDDA_MONITOR_LOST) == 0) {
        (void)edda_port_lost(port); /* its descriptor tells of what comes after a look */
        port->losses_watch = edda_loop_watch(loop, edda_monitor_fd(&port->losses), EPOLLIN, on_loss,
                                             port, "broker_losses");
    }
    if (!port->losses_watch) {
        edda_log(EDDA_LOG_WARNING, "no_monitor", "role=broker");
    }
}

bool edda_port_lost(struct edda_port *port) {
    bool lost = false;
    while (edda_monitor_next(&port->losses) != 0) {
        lost = true;
    }
    return lost;
}

void edda_port_unwatch_losses(struct edda_port *port, edda_loop_t *loop) {
    edda_loop_unwatch(loop, &port->losses_watch);
    edda_monitor_close(&port->losses);
}
