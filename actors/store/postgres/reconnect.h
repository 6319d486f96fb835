/* actors/store/postgres/reconnect.h: when a lost database may be tried again: exponential back-off
 * with full jitter.
 *
 * The n-th failure in a row is followed by a wait of 0 to EDDA_RECONNECT_FIRST_MS * 2^n, evenly
 * spread, at most EDDA_RECONNECT_MOST_MS, so that many processes do not come back at once. A
 * refusal (password, database) waits at least half the most. A connection that stood, and is lost,
 * waits like the first failure; one that stood for less than EDDA_RECONNECT_STOOD_MS is a failure
 * itself. What ends while a wait is running began before it, and changes nothing.
 *
 * Invariants: a time that lies more than EDDA_RECONNECT_MOST_MS ahead is never set; after a success
 * failures is 0. Pure: state, event, time and randomness in.
 * Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
#ifndef EDDA_ACTORS_STORE_POSTGRES_RECONNECT_H
#define EDDA_ACTORS_STORE_POSTGRES_RECONNECT_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_RECONNECT_FIRST_MS 50
#define EDDA_RECONNECT_MOST_MS  5000
#define EDDA_RECONNECT_STOOD_MS 1000

struct edda_reconnect {
    uint32_t failures;     /* in a row */
    bool refused;          /* the last of them was */
    int64_t not_before_ms; /* of the next attempt */
};

void edda_reconnect_succeeded(struct edda_reconnect *reconnect);
void edda_reconnect_failed(struct edda_reconnect *reconnect, bool refused, int64_t now_ms,
                           uint32_t random);

/* stood_ms: how long the connection had lived. */
void edda_reconnect_lost(struct edda_reconnect *reconnect, int64_t stood_ms, int64_t now_ms,
                         uint32_t random);

#endif
