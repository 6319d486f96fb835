/* broker/ports.h: the broker's ROUTERs and what each is bound to.
 *
 * A side has one, and one more when tcp is encrypted: what is said of a message's sender must not
 * hang on which endpoint of a socket it came through. */
#ifndef EDDA_BROKER_PORTS_H
#define EDDA_BROKER_PORTS_H

#include "actors/runtime/monitor.h"
#include "actors/runtime/outbox.h"
#include "broker/broker.h"
#include "broker/core.h"
#include "broker/gate.h"

#define EDDA_PORTS           4
#define EDDA_BROKER_MAX_URLS 8

struct edda_port {
    edda_broker_t *broker;
    enum edda_side side;
    bool guarded;
    void *socket; /* the broker's to close; NULL: nothing is bound */
    edda_watch_t *watch;
    struct edda_outbox outbox;
    struct edda_monitor losses; /* of workers' connections; a guarded port's are the gate's */
    edda_watch_t *losses_watch;
};

/* Fills the ports in the order they are to be read, those of workers first, and binds both
 * endpoints of every URL; with a gate those of tcp through it. As edda_broker_new; what was bound
 * until an error is left in the ports. */
int edda_ports_bind(struct edda_port ports[EDDA_PORTS], const struct edda_broker_options *options,
                    edda_gate_t *gate) EDDA_MUST_CHECK;

/* Calls on_loss with the port when connections of it may have ended; it asks edda_port_lost. Does
 * nothing for a port that is guarded or of clients. Where the system has no more sockets for it,
 * only silence tells. */
void edda_port_watch_losses(struct edda_port *port, edda_loop_t *loop, void *zmq_context,
                            edda_watch_fn on_loss);

/* Whether connections ended since the last time. */
bool edda_port_lost(struct edda_port *port);

/* Before the socket is closed. */
void edda_port_unwatch_losses(struct edda_port *port, edda_loop_t *loop);

#endif
