/* proto/buggify.h: rare branches that are likely in a simulation and nowhere else.
 *
 * Where timing is delicate, the code says what could happen once in a million: a buffer flushed in
 * the middle, a choice made otherwise, a report that is lost. `if (EDDA_BUGGIFY("outbox_early"))`
 * is false and costs nothing but in the simulation (tests/sim), which takes some of these branches
 * often, by its seed. What is done there must be something that may happen at any time anyway.
 *
 * Source: FoundationDB's Buggify (apple.github.io/foundationdb/testing.html). */
#ifndef EDDA_PROTO_BUGGIFY_H
#define EDDA_PROTO_BUGGIFY_H

#include <stdbool.h>

#ifdef EDDA_SIMULATION
/* place is static and named in tests/sim/README.md. */
bool edda_buggify(const char *place);
#define EDDA_BUGGIFY(place) edda_buggify(place)
#else
#define EDDA_BUGGIFY(place) false
#endif

#endif
