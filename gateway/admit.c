/* gateway/admit.c: one switch for the exceptions, the table for the rest. */
#include "gateway/admit.h"

#define DEFAULT_RETRY_MS 2000u
#define LONGEST_RETRY_S  30u

static int status_of(int code) {
    switch (code) {
    case EDDA_E_MALFORMED:
    case EDDA_E_VERSION:
    case EDDA_E_ROLE:
    case EDDA_E_TYPE:
    case EDDA_E_STALE:
    case EDDA_E_EVICTED:
        return 500;
    case EDDA_E_CREDIT:
    case EDDA_E_UNKNOWN_SESSION:
    case EDDA_E_CANCELLED:
    case EDDA_E_DENIED:
        return 503;
    default:
        return edda_error_http(code);
    }
}

/* What a provider said is no estimate of ours: nobody shall come before it. */
static uint32_t retry_after_said(uint32_t wait_ms, uint32_t random) {
    uint64_t spread_ms = wait_ms / 5;
    return (uint32_t)((wait_ms + random % (spread_ms + 1) + 999) / 1000);
}

static uint32_t retry_after(int code, const struct edda_wire_error *detail, uint32_t random) {
    bool said = code == EDDA_E_UNAVAILABLE && detail && detail->blame == EDDA_BLAME_OUTSIDE;
    if (said && detail->retry_after_ms > 0) {
        return retry_after_said(detail->retry_after_ms, random);
    }
    uint32_t wait_ms = detail && detail->retry_after_ms ? detail->retry_after_ms : DEFAULT_RETRY_MS;
    wait_ms = wait_ms > LONGEST_RETRY_S * 1000 ? LONGEST_RETRY_S * 1000 : wait_ms;
    uint32_t spread_ms = wait_ms / 5;
    wait_ms = wait_ms - spread_ms + random % (2 * spread_ms + 1);
    uint32_t seconds = (wait_ms + 999) / 1000;
    seconds = seconds < 1 ? 1 : seconds;
    return seconds > LONGEST_RETRY_S ? LONGEST_RETRY_S : seconds;
}

struct edda_refusal edda_admit_refuse(int code, const struct edda_wire_error *detail,
                                      uint32_t random) {
    struct edda_refusal refusal = {.status = status_of(code),
                                   .text = edda_text_of(edda_error_text(code))};
    bool theirs = refusal.status < 500;
    /* A stage's own words about an input say more than the table's. */
    if (theirs && detail && detail->blame == EDDA_BLAME_JOB && detail->text.size > 0) {
        refusal.text = detail->text;
    }
    if (code == EDDA_E_CANCELLED || code == EDDA_E_DENIED || code == EDDA_E_CREDIT) {
        refusal.text = EDDA_TEXT("Service unavailable");
    }
    if (refusal.status == 503 || refusal.status == 429 || code == EDDA_E_RUNNING) {
        refusal.retry_after_s = retry_after(code, detail, random);
    }
    refusal.ours = !theirs;
    return refusal;
}
