/* actors/store/postgres/waiting.h: one count of what waits to be processed, and whether it still
 * says if there is room.
 *
 * What was counted and what this process admitted since is never less than what waits of what this
 * process knows of: what was processed since only makes room. So a count that leaves room is good
 * for EDDA_PG_WAITING_MS, and the next one meets what other processes accepted; one that leaves
 * none is taken again soon. Counting takes no more than a part in EDDA_PG_WAITING_SHARE of a
 * connection's time: whatever a count says, it is good for so many times as long as it took.
 * Pure: times are given, in microseconds of one clock. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_WAITING_H
#define EDDA_ACTORS_STORE_POSTGRES_WAITING_H

#include "proto/types.h"

#define EDDA_PG_WAITING_MS    1000
#define EDDA_PG_WAITING_SHARE 10

enum edda_pg_room { EDDA_PG_ROOM, EDDA_PG_FULL, EDDA_PG_UNSURE };

/* Zeroed: nothing is known. */
struct edda_pg_waiting {
    bool known;
    bool counting;
    int64_t parts;      /* counted, and admitted since */
    int64_t since;      /* admitted since the count that goes on began, or open then */
    int64_t begun_us;   /* the count that goes on */
    int64_t counted_us; /* when the last was answered */
    int64_t took_us;    /* the last */
};

static inline void edda_pg_waiting_admit(struct edda_pg_waiting *waiting, int64_t parts) {
    waiting->parts += parts;
    waiting->since += parts;
}

/* They come to nothing after all. */
static inline void edda_pg_waiting_withdraw(struct edda_pg_waiting *waiting, int64_t parts) {
    waiting->parts -= parts;
    waiting->since -= parts;
}

/* open: parts of what was admitted and may not be committed before the count looks. */
static inline void edda_pg_waiting_begin(struct edda_pg_waiting *waiting, int64_t open,
                                         int64_t now_us) {
    waiting->counting = true;
    waiting->since = open;
    waiting->begun_us = now_us;
}

static inline void edda_pg_waiting_counted(struct edda_pg_waiting *waiting, int64_t parts,
                                           int64_t now_us) {
    waiting->known = true;
    waiting->counting = false;
    waiting->parts = parts + waiting->since;
    waiting->counted_us = now_us;
    waiting->took_us = now_us - waiting->begun_us;
}

/* It was not answered: what was known stays known. */
static inline void edda_pg_waiting_failed(struct edda_pg_waiting *waiting) {
    waiting->counting = false;
}

/* waited: for a count, so that the answer must not be UNSURE but for want of any. */
static inline enum edda_pg_room edda_pg_waiting_room(const struct edda_pg_waiting *waiting,
                                                     int64_t limit, bool waited, int64_t now_us) {
    int64_t age_us = now_us - waiting->counted_us;
    bool over = waiting->parts >= limit;
    bool old = age_us > waiting->took_us * EDDA_PG_WAITING_SHARE &&
               (over || age_us > EDDA_PG_WAITING_MS * INT64_C(1000));
    if (!waiting->known || (old && !waited)) {
        return EDDA_PG_UNSURE;
    }
    return over ? EDDA_PG_FULL : EDDA_PG_ROOM;
}

#endif
