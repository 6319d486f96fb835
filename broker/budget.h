/* broker/budget.h: how many retries a service may cost beside its requests: a token bucket.
 *
 * Every step that is asked of the service earns a tenth of a token and every retry costs one, so
 * retries are at most a tenth of what is asked: a service that fails everything is asked 1.1 times
 * as much, not three times. A floor lets a quiet service be retried all the same: below
 * EDDA_BUDGET_FLOOR tokens one comes back every second. What was not spent is kept up to
 * EDDA_BUDGET_TOKENS.
 *
 * At any time: retries <= EDDA_BUDGET_FLOOR + steps / EDDA_BUDGET_SHARE + seconds.
 *
 * Pure. Times are monotonic. Source: gRPC A6 (retryThrottling), the retry budgets of Finagle and of
 * Google's SRE book, chapter 21. */
#ifndef EDDA_BROKER_BUDGET_H
#define EDDA_BROKER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define EDDA_BUDGET_SHARE    10  /* steps that pay for a retry */
#define EDDA_BUDGET_FLOOR    10  /* tokens at first, and what time alone brings back */
#define EDDA_BUDGET_TOKENS   100 /* most that are kept */
#define EDDA_BUDGET_TOKEN_MS 1000

struct edda_budget {
    uint32_t tenths; /* of a token */
    int64_t at_ms;   /* up to when time has been paid out */
};

void edda_budget_init(struct edda_budget *self, int64_t now_ms);

/* A step was asked of the service, for the first time. */
void edda_budget_earn(struct edda_budget *self);

/* False: there is no token, and nothing was taken. */
bool edda_budget_spend(struct edda_budget *self, int64_t now_ms);

#endif
