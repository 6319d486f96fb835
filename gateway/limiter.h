/* gateway/limiter.h: how much one key may ask of this gateway: a token bucket and a count.
 *
 * rate: a bucket of `rate` requests, full at first, that fills at `rate` a minute: no more than
 * 2 x rate in any minute, and rate in every minute of a steady client. concurrency: requests open
 * at once. What is refused costs no token.
 *
 * Keys are entries of a bounded table, found by a keyed hash. An entry with nothing open and a full
 * bucket says nothing and gives its place to others. When all places of a hash are taken by others,
 * the request passes unmetered and is counted: only keys of the store come here, so a stranger
 * cannot fill the table.
 *
 * Pure. Times are monotonic. Each gateway counts for itself. Limits: EDDA_LIMITER_KEYS. The headers
 * are those of draft-ietf-httpapi-ratelimit-headers-09. */
#ifndef EDDA_GATEWAY_LIMITER_H
#define EDDA_GATEWAY_LIMITER_H

#include "gateway/keys.h"

#define EDDA_LIMITER_KEYS      4096
#define EDDA_LIMITER_WINDOW_S  60
#define EDDA_LIMITER_POLICY    96 /* bytes of a header's value, NUL included */
#define EDDA_LIMITER_NO_TICKET UINT32_MAX

typedef struct edda_limiter edda_limiter_t;

enum edda_limiter_verdict {
    EDDA_LIMITER_PASS,
    EDDA_LIMITER_RATE, /* too many in a short time */
    EDDA_LIMITER_BUSY, /* too many at once */
};

struct edda_limiter_answer {
    enum edda_limiter_verdict verdict;
    uint32_t ticket; /* PASS: give it back with edda_limiter_leave, once, unless it is NO_TICKET */
    uint32_t rate_left;
    uint32_t open_left;
    uint32_t next_s; /* until the bucket has one more; 0: it is full */
};

/* NULL when out of memory. */
edda_limiter_t *edda_limiter_new(void);
void edda_limiter_destroy(edda_limiter_t **self_p);

/* A request of the key. Its limits may differ from those at its last: they hold from now on. */
struct edda_limiter_answer edda_limiter_enter(edda_limiter_t *self, const struct edda_key_tag *tag,
                                              const struct edda_key_limits *limits, int64_t now_ms);
void edda_limiter_leave(edda_limiter_t *self, uint32_t ticket);

/* Requests that found no place. */
uint64_t edda_limiter_unmetered(const edda_limiter_t *self);

/* The values of RateLimit-Policy and RateLimit; empty when the key has no limits. */
void edda_limiter_headers(const struct edda_key_limits *limits,
                          const struct edda_limiter_answer *answer,
                          char ret_policy[EDDA_LIMITER_POLICY],
                          char ret_state[EDDA_LIMITER_POLICY]);

#endif
