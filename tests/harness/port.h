/* tests/harness/port.h: a place on loopback for a broker of a test. */
#ifndef EDDA_TESTS_PORT_H
#define EDDA_TESTS_PORT_H

#include <stdint.h>

/* tcp://127.0.0.1:port, where that port and the next, the back's, are free; not one of those that
 * connections are given, nor of ops/postgres. Into EDDA_MAX_URL bytes; returns the port. */
uint16_t free_tcp_url(char *ret_url);

#endif
