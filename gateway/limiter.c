/* gateway/limiter.c: buckets count in thousandths of a request, so that slow rates lose nothing. */
#include "gateway/limiter.h"

#include <stdio.h>
#include <stdlib.h>

#define WAYS      16
#define SETS      (EDDA_LIMITER_KEYS / WAYS)
#define REQUEST   ((uint64_t)1000)
#define WINDOW_MS ((uint64_t)EDDA_LIMITER_WINDOW_S * 1000)

struct entry {
    struct edda_key_tag tag;
    bool used;
    uint32_t open;
    uint32_t rate; /* the one the tokens were counted by */
    uint64_t tokens;
    uint64_t rest; /* of the last filling, below WINDOW_MS */
    int64_t at_ms;
};

struct edda_limiter {
    uint64_t unmetered;
    struct entry entries[EDDA_LIMITER_KEYS];
};

edda_limiter_t *edda_limiter_new(void) {
    return calloc(1, sizeof(struct edda_limiter));
}

void edda_limiter_destroy(edda_limiter_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

uint64_t edda_limiter_unmetered(const edda_limiter_t *self) {
    return self->unmetered;
}

static void fill(struct entry *entry, int64_t now_ms) {
    uint64_t most = entry->rate * REQUEST;
    uint64_t elapsed_ms = (uint64_t)(now_ms - entry->at_ms);
    entry->at_ms = now_ms;
    if (elapsed_ms >= WINDOW_MS) {
        entry->tokens = most;
        entry->rest = 0;
        return;
    }
    uint64_t earned = elapsed_ms * most + entry->rest;
    entry->tokens += earned / WINDOW_MS;
    entry->rest = earned % WINDOW_MS;
    if (entry->tokens >= most) {
        entry->tokens = most;
        entry->rest = 0;
    }
}

/* Says nothing that a new entry would not. */
static bool is_idle(struct entry *entry, int64_t now_ms) {
    if (entry->used && entry->open == 0) {
        fill(entry, now_ms);
    }
    return !entry->used || (entry->open == 0 && entry->tokens == entry->rate * REQUEST);
}

static struct entry *find_entry(edda_limiter_t *self, const struct edda_key_tag *tag,
                                int64_t now_ms) {
    uint16_t index;
    struct entry *place = NULL;
    memcpy(&index, tag->bytes, sizeof index);
    struct entry *set = &self->entries[(size_t)(index % SETS) * WAYS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && memcmp(set[i].tag.bytes, tag->bytes, sizeof tag->bytes) == 0) {
            return &set[i];
        }
        if (!place && is_idle(&set[i], now_ms)) {
            place = &set[i];
        }
    }
    if (place) {
        *place = (struct entry){.tag = *tag, .used = true, .at_ms = now_ms};
    }
    return place;
}

/* A bucket keeps what it had lost, not what it had left: raising a limit helps at once, and setting
 * it again does not fill it. */
static void set_rate(struct entry *entry, uint32_t rate) {
    uint64_t spent = entry->rate * REQUEST - entry->tokens;
    uint64_t most = rate * REQUEST;
    entry->rate = rate;
    entry->tokens = most > spent ? most - spent : 0;
    entry->rest = 0;
}

static uint32_t next_s(const struct entry *entry) {
    uint64_t most = entry->rate * REQUEST;
    if (entry->rate == 0 || entry->tokens == most) {
        return 0;
    }
    uint64_t missing = REQUEST - entry->tokens % REQUEST;
    uint64_t wait_ms = (missing * WINDOW_MS + most - 1) / most;
    return (uint32_t)((wait_ms + 999) / 1000);
}

struct edda_limiter_answer edda_limiter_enter(edda_limiter_t *self, const struct edda_key_tag *tag,
                                              const struct edda_key_limits *limits,
                                              int64_t now_ms) {
    struct edda_limiter_answer answer = {.ticket = EDDA_LIMITER_NO_TICKET,
                                         .rate_left = limits->rate,
                                         .open_left = limits->concurrency};
    if (limits->rate == 0 && limits->concurrency == 0) {
        return answer;
    }
    struct entry *entry = find_entry(self, tag, now_ms);
    if (!entry) {
        self->unmetered++;
        return answer;
    }
    fill(entry, now_ms);
    if (entry->rate != limits->rate) {
        set_rate(entry, limits->rate);
    }
    if (limits->concurrency > 0 && entry->open >= limits->concurrency) {
        answer.verdict = EDDA_LIMITER_BUSY;
    } else if (limits->rate > 0 && entry->tokens < REQUEST) {
        answer.verdict = EDDA_LIMITER_RATE;
    } else {
        entry->tokens -= limits->rate > 0 ? REQUEST : 0;
        entry->open++;
        answer.ticket = (uint32_t)(entry - self->entries);
    }
    answer.rate_left = (uint32_t)(entry->tokens / REQUEST);
    answer.open_left = limits->concurrency > entry->open ? limits->concurrency - entry->open : 0;
    answer.next_s = next_s(entry);
    return answer;
}

void edda_limiter_leave(edda_limiter_t *self, uint32_t ticket) {
    if (ticket != EDDA_LIMITER_NO_TICKET) {
        EDDA_ASSERT(ticket < EDDA_LIMITER_KEYS && self->entries[ticket].open > 0);
        self->entries[ticket].open--;
    }
}

void edda_limiter_headers(const struct edda_key_limits *limits,
                          const struct edda_limiter_answer *answer,
                          char ret_policy[EDDA_LIMITER_POLICY],
                          char ret_state[EDDA_LIMITER_POLICY]) {
    const char *between = limits->rate > 0 && limits->concurrency > 0 ? ", " : "";
    char rate_policy[48] = "";
    char rate_state[48] = "";
    char open_policy[64] = "";
    char open_state[48] = "";
    if (limits->rate > 0) {
        (void)snprintf(rate_policy, sizeof rate_policy, "\"rate\";q=%u;w=%d", limits->rate,
                       EDDA_LIMITER_WINDOW_S);
        (void)snprintf(rate_state, sizeof rate_state, "\"rate\";r=%u;t=%u", answer->rate_left,
                       answer->next_s);
    }
    if (limits->concurrency > 0) {
        (void)snprintf(open_policy, sizeof open_policy,
                       "\"concurrency\";q=%u;qu=\"concurrent-requests\"", limits->concurrency);
        (void)snprintf(open_state, sizeof open_state, "\"concurrency\";r=%u", answer->open_left);
    }
    (void)snprintf(ret_policy, EDDA_LIMITER_POLICY, "%s%s%s", rate_policy, between, open_policy);
    (void)snprintf(ret_state, EDDA_LIMITER_POLICY, "%s%s%s", rate_state, between, open_state);
}
