/* actors/runtime/monitor.h: how the handshakes and connections of one socket end.
 *
 * Events queue without a bound until they are read, so that a loop that is late never holds up
 * libzmq's own thread; a connection makes one to three. inproc makes none. The monitor is closed
 * before its socket.
 *
 * Threads: those of the socket. Source: zmq_socket_monitor(3). */
#ifndef EDDA_RUNTIME_MONITOR_H
#define EDDA_RUNTIME_MONITOR_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_MONITOR_SUCCEEDED 1u /* the handshake */
#define EDDA_MONITOR_REFUSED   2u /* by the ZAP handler */
#define EDDA_MONITOR_MISMATCHED                                                                    \
    4u                          /* the two do not speak alike, or one has the other's key wrong */
#define EDDA_MONITOR_BROKEN 8u  /* the connection ended in its handshake */
#define EDDA_MONITOR_LOST   16u /* the connection is gone, whenever and however it ended */

struct edda_monitor {
    void *socket;  /* a PAIR, NULL: closed */
    void *watched; /* borrowed */
};

/* EDDA_E_LIMIT: no more sockets. */
int edda_monitor_open(struct edda_monitor *monitor, void *zmq_context, void *watched,
                      unsigned kinds) EDDA_MUST_CHECK;

/* Readable when there are events, from the first time that edda_monitor_next gave 0 until it does
 * so again. -1: closed. */
int edda_monitor_fd(const struct edda_monitor *monitor);

/* Takes NULL sockets. */
void edda_monitor_close(struct edda_monitor *monitor);

/* The next of the kinds asked for, as one EDDA_MONITOR_ bit, without waiting; 0 when there is none.
 */
unsigned edda_monitor_next(struct edda_monitor *monitor);

#endif
