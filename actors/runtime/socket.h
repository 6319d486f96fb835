/* actors/runtime/socket.h: the one place with ZeroMQ socket options, and what a broker URL means.
 *
 * On libzmq 4.3.4 none of these is optional: ROUTER_MANDATORY=1 with SNDTIMEO=0 (a default ROUTER
 * drops silently), LINGER=2000, IMMEDIATE=1 on DEALERs, HEARTBEAT off (its own can abort the
 * process under back-pressure: libzmq issues 3937, 4767), MAXMSGSIZE one frame, routing ids never
 * set, HANDSHAKE_IVL 5000, TCP keepalive 10/3/3 and MAXRT 15000, IPV6, BACKLOG 1024.
 *
 * One URL names a broker: clients connect to the URL, workers to its back endpoint. */
#ifndef EDDA_RUNTIME_SOCKET_H
#define EDDA_RUNTIME_SOCKET_H

#include "actors/runtime/curve.h"
#include "actors/runtime/monitor.h"

#define EDDA_MAX_URL 256

bool edda_url_is_tcp(const char *url);
bool edda_url_is_inproc(const char *url);

/* Whether others on the network could reach what is bound there: tcp beyond loopback. */
bool edda_url_is_exposed(const char *url);

/* tcp://host:7701 -> tcp://host:7702; ipc://path -> ipc://path.back; inproc://x -> inproc://x.back.
 * EDDA_E_INVALID: another scheme, no port, or too long (ipc paths have at most 107 bytes). */
int edda_endpoint_back(const char *url, char ret_url[EDDA_MAX_URL]) EDDA_MUST_CHECK;

/* A ROUTER bound to every URL. An ipc path is guarded by a lock file beside it, since a second bind
 * would silently steal it: EDDA_E_CONFLICT when another process holds it. Plain tcp beyond loopback
 * is refused with EDDA_E_DENIED unless allow_plain_tcp. A host's name is bound at every address
 * that it has on this machine: localhost at 127.0.0.1 and [::1]; EDDA_E_INVALID: at none.
 * EDDA_E_LIMIT: no more sockets. The caller closes with edda_socket_close. */
int edda_socket_router(void *zmq_context, const char *const *urls, size_t count,
                       bool allow_plain_tcp, void **ret_socket) EDDA_MUST_CHECK;

/* A ROUTER bound to every URL, all of them tcp, that is reached with CURVE only: who may come is
 * asked of the context's ZAP handler (actors/runtime/zap.h). The monitor tells of handshakes that
 * did not come as far as that, and of connections that ended; it is closed before the socket.
 * EDDA_E_INVALID: a URL is not tcp; EDDA_E_UNAVAILABLE: libzmq cannot encrypt. Else as
 * edda_socket_router. */
int edda_socket_guarded(void *zmq_context, const char *const *urls, size_t count,
                        const edda_curve_t *curve, struct edda_monitor *ret_monitor,
                        void **ret_socket) EDDA_MUST_CHECK;

/* A DEALER connecting to one URL. Over tcp it is encrypted, to the curve's broker of this index,
 * unless curve is NULL. EDDA_E_INVALID: no URL, or no key of that broker. EDDA_E_LIMIT: no more
 * sockets. EDDA_E_UNAVAILABLE: libzmq refuses. */
int edda_socket_dealer(void *zmq_context, const char *url, const edda_curve_t *curve, size_t broker,
                       void **ret_socket) EDDA_MUST_CHECK;

/* What a ROUTER's URL of this index was bound to, in numbers: names (the first address) and
 * wildcards resolved. Empty
 * for other transports than tcp, NULL beyond the last. Lives as long as the socket. */
const char *edda_socket_bound(const void *socket, size_t index);

/* Closes with the linger given and nulls the pointer; a router's lock files are released. */
void edda_socket_close(void **socket_p, int linger_ms);

/* Whether a send would be taken now (a DEALER whose handshake is done). */
bool edda_socket_writable(void *socket);

#endif
