/* tests/sim/breaks.h: worlds in which one promise is not kept, to see that it is noticed. */
#ifndef EDDA_TESTS_SIM_BREAKS_H
#define EDDA_TESTS_SIM_BREAKS_H

#include "tests/sim/world.h"

/* SIM_BREAK_NONE when there is none of that name. */
enum sim_break sim_break_named(const char *name);

/* Bits of enum sim_fault, or SIM_CALM. */
uint32_t sim_break_needs(enum sim_break broken);

/* Runs seeds with each break until the promise it breaks is said to be broken, and says so of each
 * on standard output; false when one was not found out by any of them. */
bool sim_breaks_are_found(uint64_t first, uint64_t seeds);

#endif
