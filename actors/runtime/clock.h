/* actors/runtime/clock.h: the two clocks and randomness, for thin edges; pure code is given them.
 */
#ifndef EDDA_RUNTIME_CLOCK_H
#define EDDA_RUNTIME_CLOCK_H

#include "proto/types.h"

int64_t edda_clock_ms(void);      /* monotonic */
int64_t edda_clock_us(void);      /* monotonic */
int64_t edda_clock_wall_ms(void); /* Unix time */

/* A new UUIDv7. Any thread. */
struct edda_uuid edda_uuid_new(void);

/* For back-off and choices; nobody's secret. Any thread. */
uint32_t edda_random32(void);

#endif
