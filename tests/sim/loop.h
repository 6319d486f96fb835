/* tests/sim/loop.h: what the simulation asks of its loops beyond actors/runtime/loop.h.
 *
 * A loop here does not run: the node takes one turn of it when something is due. The order within a
 * turn is that of actors/runtime/loop.c. */
#ifndef EDDA_TESTS_SIM_LOOP_H
#define EDDA_TESTS_SIM_LOOP_H

#include "actors/runtime/loop.h"

/* One turn at the present time. True: the loop is over, as edda_loop_run would return, with its
 * result. */
bool sim_loop_turn(edda_loop_t *loop, int *ret_result);

/* When the next turn is due by the node's monotonic clock in ms, INT64_MAX: never, INT64_MIN: now.
 */
int64_t sim_loop_next_ms(const edda_loop_t *loop);

#endif
