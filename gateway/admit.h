/* gateway/admit.h: what a failure inside means to an HTTP client.
 *
 * Statuses and texts are proto/error.def's, except where the table speaks of a peer's fault in the
 * protocol, which is never the client's: those are 500 or 503. Pure. */
#ifndef EDDA_GATEWAY_ADMIT_H
#define EDDA_GATEWAY_ADMIT_H

#include "proto/envelope.h"

struct edda_refusal {
    int status;
    struct edda_text text;   /* static, or detail's */
    struct edda_text reason; /* what somebody further away said, detail's; absent: nothing more */
    uint32_t retry_after_s;  /* with 503, 409 and 429 that time may heal: our estimate, 1..30, or at
                                least what a provider said, however long; else 0 */
    bool ours;               /* not the client's fault: to be logged */
};

/* detail may be NULL. random: any number; spreads Retry-After by a fifth, either way or, of a
 * provider's, later only, so that those who were refused together do not come back together. */
struct edda_refusal edda_admit_refuse(int code, const struct edda_wire_error *detail,
                                      uint32_t random);

#endif
