/* tests/sim/tap.h: listens on the wires and writes down what the checker wants to know. */
#ifndef EDDA_TESTS_SIM_TAP_H
#define EDDA_TESTS_SIM_TAP_H

#include "tests/sim/network.h"

/* A message leaves an end. True: it is lost on its way (LOSE_CREDIT). */
bool sim_tap_sent(struct sim_connection *connection, int from, struct sim_packet *packet);

/* A message is read at an end. */
void sim_tap_read(struct sim_connection *connection, int end, struct sim_packet *packet);

#endif
