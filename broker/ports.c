/* broker/ports.c: URLs to the endpoints of four sockets. */
#include "broker/ports.h"

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
