/* actors/provider/limit.h: how much one provider may be asked now: concurrency, rate, breaker.
 *
 *   CLOSED --failures in a row--> OPEN --its time is over--> HALF_OPEN
 *     ^                            ^                             |
 *     |                            +------- a probe fails -------+
 *     +--------------------------------- a probe succeeds -------+
 *
 * Concurrency adapts between 1 and the maximum: one more after a full window of successes, half
 * after a refusal (429, 503, 529), a timeout or an opening, at most once a second (TCP's additive
 * increase, multiplicative decrease). A rate is a token bucket of one second. A refusal that says
 * when (Retry-After) holds everything back until then and is no failure; one that does not is. OPEN
 * lasts half to the whole of EDDA_LIMIT_OPEN_MIN_MS, doubling with each failed probe to
 * EDDA_LIMIT_OPEN_MAX_MS; HALF_OPEN lets one call through, a probe. Calls that ran when it opened
 * end without any effect on it, however late: each call holds the turn it began in.
 *
 * Invariants: 1 <= allowed <= maximum; running <= maximum; at most one probe. Whatever happened,
 * time and the endings of what runs lead to a call being admitted.
 *
 * Pure: state, event and time in; no clock, no randomness of its own. */
#ifndef EDDA_ACTORS_PROVIDER_LIMIT_H
#define EDDA_ACTORS_PROVIDER_LIMIT_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_LIMIT_FAILURES     5 /* in a row: the breaker opens */
#define EDDA_LIMIT_OPEN_MIN_MS  1000
#define EDDA_LIMIT_OPEN_MAX_MS  30000
#define EDDA_LIMIT_RETRY_MIN_MS 250 /* back-off of one call: uniform in 0..min(max, min * 2^n) */
#define EDDA_LIMIT_RETRY_MAX_MS 20000
#define EDDA_LIMIT_HOLD_MAX_MS  300000 /* of a Retry-After; a longer one is cut to this */
#define EDDA_LIMIT_FAR_MS       INT64_C(1000000000) /* eleven days: longer is no different */

enum edda_limit_state { EDDA_LIMIT_CLOSED, EDDA_LIMIT_OPEN, EDDA_LIMIT_HALF_OPEN };

/* How a call ended, as far as the provider's health goes. */
enum edda_outcome {
    EDDA_OUTCOME_GOOD,    /* an answer, also one that says the request was wrong */
    EDDA_OUTCOME_REFUSED, /* too much: 429, 503, 529 */
    EDDA_OUTCOME_FAILED,  /* no answer, a 5xx, nonsense, or a key that is not accepted */
    EDDA_OUTCOME_TIMEOUT, /* no answer in time: a failure that may be too much as well */
    EDDA_OUTCOME_DROPPED, /* we cancelled it: says nothing */
};

struct edda_limit {
    uint32_t maximum;    /* of concurrency */
    uint32_t per_minute; /* 0: none */
    uint32_t allowed;    /* concurrency now, 1..maximum */
    uint32_t running;
    uint32_t successes; /* since allowed last changed */
    uint32_t failures;  /* in a row */
    uint32_t opened;    /* times in a row without a success: the exponent */
    uint32_t turn;      /* counts the HALF_OPENs */
    bool probing;       /* HALF_OPEN: one is under way */
    enum edda_limit_state state;
    int64_t open_until_ms;
    int64_t held_until_ms; /* by Retry-After */
    int64_t shrunk_ms;     /* when allowed was last halved */
    double tokens;
    int64_t tokens_ms;
};

void edda_limit_init(struct edda_limit *limit, uint32_t maximum, uint32_t per_minute,
                     int64_t now_ms);

/* True: one more may go, and counts as running; *ret_turn is for its end. False: *ret_wait_ms is
 * how long until that can change by time alone; -1: when a running one ends. */
bool edda_limit_admit(struct edda_limit *limit, int64_t now_ms, uint32_t *ret_turn,
                      int64_t *ret_wait_ms);

/* A running one has ended. retry_after_ms: what the provider asked for, 0: nothing. random: for
 * jitter. */
void edda_limit_end(struct edda_limit *limit, uint32_t turn, enum edda_outcome outcome,
                    int64_t retry_after_ms, int64_t now_ms, uint32_t random);

/* Whether calls are refused now, and how long at least; 0: they are not. Bulk should not be taken
 * on, queries be refused at once. While a probe is under way nobody can know:
 * EDDA_LIMIT_OPEN_MIN_MS. */
int64_t edda_limit_closed_ms(const struct edda_limit *limit, int64_t now_ms);

/* How many calls at once make sense now, those that run included: 0 while open or held, 1 while
 * half open. */
uint32_t edda_limit_window(const struct edda_limit *limit, int64_t now_ms);

/* Whether it is time for a probe and none is under way. */
bool edda_limit_wants_probe(const struct edda_limit *limit, int64_t now_ms);

/* Before try `tries` + 1 of one call. */
int64_t edda_limit_backoff_ms(uint32_t tries, uint32_t random);

/* Retry-After in both forms, RFC 9110 section 10.2.3: seconds, or a date in any of the three
 * notations of section 5.6.7. In ms from wall_ms, at most EDDA_LIMIT_FAR_MS; 0: absent, in the
 * past, or neither form. */
int64_t edda_retry_after_ms(struct edda_text value, int64_t wall_ms);

#endif
