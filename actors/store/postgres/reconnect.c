/* actors/store/postgres/reconnect.c: back-off with full jitter. */
#include "actors/store/postgres/reconnect.h"

/* 0..most, evenly: random is all of its 32 bits. */
static int64_t spread(int64_t most_ms, uint32_t random) {
    return (int64_t)(((uint64_t)most_ms + 1) * random >> 32);
}

static int64_t most_after(uint32_t failures) {
    int64_t most_ms = EDDA_RECONNECT_FIRST_MS;
    for (uint32_t i = 0; i < failures && most_ms < EDDA_RECONNECT_MOST_MS; i++) {
        most_ms *= 2;
    }
    return most_ms < EDDA_RECONNECT_MOST_MS ? most_ms : EDDA_RECONNECT_MOST_MS;
}

void edda_reconnect_succeeded(struct edda_reconnect *reconnect) {
    reconnect->failures = 0;
    reconnect->refused = false;
}

void edda_reconnect_failed(struct edda_reconnect *reconnect, bool refused, int64_t now_ms,
                           uint32_t random) {
    if (now_ms < reconnect->not_before_ms) {
        return;
    }
    int64_t least_ms = refused ? EDDA_RECONNECT_MOST_MS / 2 : 0;
    int64_t most_ms = refused ? EDDA_RECONNECT_MOST_MS : most_after(reconnect->failures);
    reconnect->not_before_ms = now_ms + least_ms + spread(most_ms - least_ms, random);
    reconnect->refused = refused;
    if (reconnect->failures < UINT32_MAX) {
        reconnect->failures++;
    }
}

void edda_reconnect_lost(struct edda_reconnect *reconnect, int64_t stood_ms, int64_t now_ms,
                         uint32_t random) {
    if (stood_ms < EDDA_RECONNECT_STOOD_MS) {
        edda_reconnect_failed(reconnect, false, now_ms, random);
    } else if (now_ms >= reconnect->not_before_ms) {
        reconnect->not_before_ms = now_ms + spread(EDDA_RECONNECT_FIRST_MS, random);
    }
}
