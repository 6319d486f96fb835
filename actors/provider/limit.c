/* actors/provider/limit.c: see limit.h. */
#include "actors/provider/limit.h"

#include <stdlib.h>
#include <time.h>

#define SHRINK_EVERY_MS 1000
#define MS_A_MINUTE     60000.0

void edda_limit_init(struct edda_limit *limit, uint32_t maximum, uint32_t per_minute,
                     int64_t now_ms) {
    EDDA_ASSERT(maximum > 0);
    *limit = (struct edda_limit){
        .maximum = maximum,
        .per_minute = per_minute,
        .allowed = maximum,
        .open_until_ms = now_ms,
        .held_until_ms = now_ms,
        .shrunk_ms = now_ms - SHRINK_EVERY_MS,
        .tokens = per_minute / 60.0 < 1 ? 1 : per_minute / 60.0,
        .tokens_ms = now_ms,
    };
}

/* Tokens of a second at most; at least one, or a slow rate would never allow a call. */
static void refill(struct edda_limit *limit, int64_t now_ms) {
    double most = limit->per_minute / 60.0;
    most = most < 1 ? 1 : most;
    if (now_ms > limit->tokens_ms) {
        limit->tokens += (double)(now_ms - limit->tokens_ms) * limit->per_minute / MS_A_MINUTE;
        limit->tokens = limit->tokens < most ? limit->tokens : most;
        limit->tokens_ms = now_ms;
    }
}

/* Time alone turns OPEN into HALF_OPEN. */
static void pass_time(struct edda_limit *limit, int64_t now_ms) {
    if (limit->state == EDDA_LIMIT_OPEN && now_ms >= limit->open_until_ms) {
        limit->state = EDDA_LIMIT_HALF_OPEN;
        limit->turn++;
    }
}

/* How long time alone keeps everything back. */
static int64_t barred_ms(const struct edda_limit *limit, int64_t now_ms) {
    int64_t until_ms = limit->held_until_ms;
    if (limit->state == EDDA_LIMIT_OPEN && limit->open_until_ms > until_ms) {
        until_ms = limit->open_until_ms;
    }
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

int64_t edda_limit_closed_ms(const struct edda_limit *limit, int64_t now_ms) {
    int64_t wait_ms = barred_ms(limit, now_ms);
    return wait_ms == 0 && limit->probing ? EDDA_LIMIT_OPEN_MIN_MS : wait_ms;
}

uint32_t edda_limit_window(const struct edda_limit *limit, int64_t now_ms) {
    if (barred_ms(limit, now_ms) > 0) {
        return 0;
    }
    return limit->state == EDDA_LIMIT_CLOSED ? limit->allowed : 1;
}

bool edda_limit_wants_probe(const struct edda_limit *limit, int64_t now_ms) {
    return limit->state != EDDA_LIMIT_CLOSED && !limit->probing && barred_ms(limit, now_ms) == 0;
}

/* A probe does not wait for those that ran when the breaker opened: they may hang. */
static bool has_room(const struct edda_limit *limit) {
    return limit->state == EDDA_LIMIT_CLOSED ? limit->running < limit->allowed
                                             : !limit->probing && limit->running < limit->maximum;
}

static bool take_token(struct edda_limit *limit, int64_t now_ms, int64_t *ret_wait_ms) {
    if (limit->per_minute == 0) {
        return true;
    }
    refill(limit, now_ms);
    if (limit->tokens < 1) {
        *ret_wait_ms = (int64_t)((1 - limit->tokens) * MS_A_MINUTE / limit->per_minute) + 1;
        return false;
    }
    limit->tokens -= 1;
    return true;
}

bool edda_limit_admit(struct edda_limit *limit, int64_t now_ms, uint32_t *ret_turn,
                      int64_t *ret_wait_ms) {
    pass_time(limit, now_ms);
    *ret_wait_ms = barred_ms(limit, now_ms);
    if (*ret_wait_ms > 0) {
        return false;
    }
    if (!has_room(limit)) {
        *ret_wait_ms = -1;
        return false;
    }
    if (!take_token(limit, now_ms, ret_wait_ms)) {
        return false;
    }
    limit->running++;
    limit->probing = limit->state == EDDA_LIMIT_HALF_OPEN;
    *ret_turn = limit->turn;
    return true;
}

static void shrink(struct edda_limit *limit, int64_t now_ms) {
    if (now_ms - limit->shrunk_ms >= SHRINK_EVERY_MS) {
        limit->allowed = limit->allowed > 1 ? limit->allowed / 2 : 1;
        limit->shrunk_ms = now_ms;
        limit->successes = 0;
    }
}

static void note_success(struct edda_limit *limit) {
    limit->failures = 0;
    limit->opened = 0;
    if (limit->state == EDDA_LIMIT_HALF_OPEN) {
        limit->state = EDDA_LIMIT_CLOSED;
        limit->successes = 0;
    } else if (++limit->successes >= limit->allowed && limit->allowed < limit->maximum) {
        limit->allowed++;
        limit->successes = 0;
    }
}

static void open_breaker(struct edda_limit *limit, int64_t now_ms, uint32_t random) {
    int64_t most_ms = EDDA_LIMIT_OPEN_MIN_MS;
    for (uint32_t i = 0; i < limit->opened && most_ms < EDDA_LIMIT_OPEN_MAX_MS; i++) {
        most_ms *= 2;
    }
    most_ms = most_ms < EDDA_LIMIT_OPEN_MAX_MS ? most_ms : EDDA_LIMIT_OPEN_MAX_MS;
    /* The upper half: never so short that it is no pause. */
    limit->state = EDDA_LIMIT_OPEN;
    limit->open_until_ms = now_ms + most_ms / 2 + (int64_t)(random % (uint32_t)(most_ms / 2 + 1));
    limit->opened++;
    limit->failures = 0;
    shrink(limit, now_ms);
}

static void note_failure(struct edda_limit *limit, int64_t now_ms, uint32_t random) {
    limit->successes = 0;
    if (limit->state == EDDA_LIMIT_HALF_OPEN || ++limit->failures >= EDDA_LIMIT_FAILURES) {
        open_breaker(limit, now_ms, random);
    }
}

static void hold(struct edda_limit *limit, int64_t ms, int64_t now_ms) {
    ms = ms < EDDA_LIMIT_HOLD_MAX_MS ? ms : EDDA_LIMIT_HOLD_MAX_MS;
    if (ms > 0 && now_ms + ms > limit->held_until_ms) {
        limit->held_until_ms = now_ms + ms;
    }
}

void edda_limit_end(struct edda_limit *limit, uint32_t turn, enum edda_outcome outcome,
                    int64_t retry_after_ms, int64_t now_ms, uint32_t random) {
    EDDA_ASSERT(limit->running > 0);
    limit->running--;
    pass_time(limit, now_ms);
    hold(limit, retry_after_ms, now_ms);
    if (turn != limit->turn || limit->state == EDDA_LIMIT_OPEN) {
        return; /* it began before what it says was known */
    }
    limit->probing = false;
    switch (outcome) {
    case EDDA_OUTCOME_GOOD:
        note_success(limit);
        break;
    case EDDA_OUTCOME_REFUSED:
        shrink(limit, now_ms);
        /* With a time it is an answer; without, a failure as others. */
        if (retry_after_ms <= 0) {
            note_failure(limit, now_ms, random);
        }
        break;
    case EDDA_OUTCOME_TIMEOUT:
        shrink(limit, now_ms);
        note_failure(limit, now_ms, random);
        break;
    case EDDA_OUTCOME_FAILED:
        note_failure(limit, now_ms, random);
        break;
    case EDDA_OUTCOME_DROPPED:
        break;
    }
}

int64_t edda_limit_backoff_ms(uint32_t tries, uint32_t random) {
    int64_t most_ms = EDDA_LIMIT_RETRY_MIN_MS;
    for (uint32_t i = 1; i < tries && most_ms < EDDA_LIMIT_RETRY_MAX_MS; i++) {
        most_ms *= 2;
    }
    most_ms = most_ms < EDDA_LIMIT_RETRY_MAX_MS ? most_ms : EDDA_LIMIT_RETRY_MAX_MS;
    return (int64_t)(random % (uint32_t)(most_ms + 1));
}

static int64_t read_date(const char *text, int64_t wall_ms) {
    static const char *const notations[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* the one that is written today */
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    };
    for (size_t i = 0; i < sizeof notations / sizeof notations[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, notations[i], &tm);
        if (end && *end == '\0') {
            return (int64_t)timegm(&tm) * 1000 - wall_ms;
        }
    }
    return 0;
}

int64_t edda_retry_after_ms(struct edda_text value, int64_t wall_ms) {
    char text[64];
    if (value.size == 0 || value.size >= sizeof text) {
        return 0;
    }
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    int64_t ms = 0;
    if (text[strspn(text, "0123456789")] != '\0') {
        ms = read_date(text, wall_ms);
    } else {
        ms = value.size > 9 ? EDDA_LIMIT_FAR_MS : strtoll(text, NULL, 10) * 1000;
    }
    return ms < 0 ? 0 : ms < EDDA_LIMIT_FAR_MS ? ms : EDDA_LIMIT_FAR_MS;
}
