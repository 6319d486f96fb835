/* gateway/gateway.h: HTTP in, one message out, the reply back: the gateway as a role.
 *
 * The gateway holds no truth: it checks what a client sent, puts the key's project on a message,
 * sends it to the brokers, and writes the reply as the HTTP contract wants it. Everything runs on
 * the loop's thread, except the parsing of large JSON bodies, which has a thread of its own.
 *
 * Start: binds EDDA_HTTP, calls role->ready with "http://ADDRESS:PORT", serves.
 * Drain: /readyz fails at once, the listening socket closes after EDDA_GRACE_MS, requests that are
 * open finish, then the loop ends.
 *
 * Limits: EDDA_MAX_CONNECTIONS, EDDA_MAX_BODY_BYTES, EDDA_BUFFERED_BYTES, EDDA_HEADER_MS,
 * EDDA_BODY_MS, EDDA_IDLE_MS. */
#ifndef EDDA_GATEWAY_GATEWAY_H
#define EDDA_GATEWAY_GATEWAY_H

#include "actors/runtime/role.h"

/* Runs until the loop is drained or stopped. EDDA_E_INVALID: EDDA_HTTP is no address and port;
 * EDDA_E_UNAVAILABLE: it cannot be bound. */
int edda_gateway_main(edda_loop_t *loop, const struct edda_role *role);

#endif
