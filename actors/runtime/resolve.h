/* actors/runtime/resolve.h: the addresses of a host's name, for a broker that is to listen there.
 *
 * libzmq binds addresses and names of interfaces, not of hosts. A name may have several addresses:
 * localhost is [::1] and 127.0.0.1, and a client takes the one or the other. Blocks while the name
 * is looked up: before a loop runs. Source: getaddrinfo(3), zmq_tcp(7). */
#ifndef EDDA_RUNTIME_RESOLVE_H
#define EDDA_RUNTIME_RESOLVE_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_MAX_ADDRESSES 4            /* of one name; more are left out */
#define EDDA_ADDRESS_URL   (6 + 64 + 8) /* tcp://[ADDRESS]:PORT */

/* tcp://NAME:PORT -> tcp://127.0.0.1:PORT, tcp://[::1]:PORT ...; each once. Returns how many; 0: it
 * is no such URL, or nobody knows the name. */
size_t edda_url_resolve(const char *url, char ret_urls[EDDA_MAX_ADDRESSES][EDDA_ADDRESS_URL]);

#endif
