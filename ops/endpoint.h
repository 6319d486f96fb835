/* ops/endpoint.h: where the broker of a data directory is found by others on the same machine.
 *
 * A broker started on directory DIR listens at ipc://DIR/run/broker.sock, with the workers' socket
 * beside it (".back"). A Unix socket's path has at most 107 bytes; when DIR is too deep for that,
 * both sockets live in a directory of mode 0700 named after a hash of DIR, under XDG_RUNTIME_DIR or
 * /tmp: the same DIR always gives the same place. */
#ifndef EDDA_OPS_ENDPOINT_H
#define EDDA_OPS_ENDPOINT_H

#include "actors/runtime/socket.h"

/* Makes DIR and DIR/run (mode 0700) where missing. EDDA_E_IO: message says what could not be made.
 */
int edda_data_prepare(const char *data, char *message, size_t message_size) EDDA_MUST_CHECK;

/* The URL for an existing DIR. With `make`, the directory for the sockets is made and checked: it
 * must be a directory of ours that nobody else can write. EDDA_E_NOT_FOUND: no such DIR.
 * EDDA_E_DENIED: the short place belongs to somebody else. EDDA_E_IO. */
int edda_data_endpoint(const char *data, bool make, char ret_url[EDDA_MAX_URL], char *message,
                       size_t message_size) EDDA_MUST_CHECK;

/* Whether somebody accepts connections at an ipc URL now. */
bool edda_endpoint_answers(const char *url);

#endif
