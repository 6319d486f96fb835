/* actors/store/postgres/slots.h: who of those in line gets which connection, and when another one
 * is opened.
 *
 *             opened                    GIVE to a conversation
 *   CLOSED ─► OPENING ─────► OPEN ────────────────────────────► HELD
 *     ▲          │ failed     │ ▲  GIVE to a statement: running++  │
 *     ├──────────┘            │ └── answered: running--            │ released
 *     └───────────────────────┴────────────◄── lost ───────────────┘
 *
 * Statements go to the open connection with the fewest on their way. Conversations take one that
 * has none; while they wait, the least loaded get no more statements. The first of two or more
 * connections is never held; with only one, statements and conversations take turns. Both lines are
 * first come, first served.
 *
 * Small reads that come together go together: EDDA_SLOTS_BATCH of them to one connection, which
 * sends a full batch at once and says when it sent what there was. One trip of a few small reads
 * costs less than a trip each, for both sides, and delays the last by the time of the others.
 *
 * No connection has more than EDDA_SLOTS_DEPTH on their way: what is behind a server process that
 * is not scheduled waits with it, and the rest waits in line for whichever connection answers
 * first.
 *
 * The first connection is always kept; others are opened when conversations wait, or when every
 * connection has EDDA_SLOTS_BUSY statements on it. While the database fails only one attempt is
 * under way, and no sooner than reconnect.h says.
 *
 * Invariants: running > 0 only while OPEN; batch <= running <= EDDA_SLOTS_DEPTH; at most one unit
 * on a HELD one; whoever waits is served once others end and connections stand. Pure. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_SLOTS_H
#define EDDA_ACTORS_STORE_POSTGRES_SLOTS_H

#include "actors/store/postgres/reconnect.h"

#define EDDA_SLOTS_MOST  64
#define EDDA_SLOTS_DEPTH 8
#define EDDA_SLOTS_BUSY  4
#define EDDA_SLOTS_BATCH 8

enum edda_slot_state { EDDA_SLOT_CLOSED, EDDA_SLOT_OPENING, EDDA_SLOT_OPEN, EDDA_SLOT_HELD };

enum edda_slots_kind { EDDA_SLOTS_STATEMENT, EDDA_SLOTS_CONVERSATION, EDDA_SLOTS_KINDS };

struct edda_slot {
    enum edda_slot_state state;
    uint32_t running;  /* statements on their way */
    uint32_t batch;    /* of them, small reads that did not go out yet: less than a batch */
    int64_t opened_ms; /* since when it stands */
};

struct edda_slots {
    struct edda_slot items[EDDA_SLOTS_MOST];
    unsigned count;
    size_t waiting[EDDA_SLOTS_KINDS];
    uint32_t turn; /* statements that still go before the next conversation, with one connection */
    struct edda_reconnect reconnect;
};

/* All CLOSED. count: 1..EDDA_SLOTS_MOST. */
void edda_slots_init(struct edda_slots *slots, unsigned count);

/* ---- what happened ---- */

void edda_slots_arrived(struct edda_slots *slots, enum edda_slots_kind kind); /* in line */
void edda_slots_left(struct edda_slots *slots, enum edda_slots_kind kind);    /* gave up waiting */
void edda_slots_opened(struct edda_slots *slots, unsigned slot, int64_t now_ms);
void edda_slots_failed(struct edda_slots *slots, unsigned slot, bool refused, int64_t now_ms,
                       uint32_t random);
void edda_slots_lost(struct edda_slots *slots, unsigned slot, int64_t now_ms, uint32_t random);
void edda_slots_sent(struct edda_slots *slots, unsigned slot); /* its batch went out */
void edda_slots_answered(struct edda_slots *slots, unsigned slot);
void edda_slots_released(struct edda_slots *slots, unsigned slot);

/* ---- what to do ---- */

enum edda_slots_what {
    EDDA_SLOTS_NOTHING,
    EDDA_SLOTS_GIVE, /* slot to the first in line of kind, who is in line no more */
    EDDA_SLOTS_OPEN, /* begin to connect slot */
};

struct edda_slots_action {
    enum edda_slots_what what;
    enum edda_slots_kind kind;
    unsigned slot;
};

/* The next thing to do, which counts as done; to be asked until NOTHING after every event. small:
 * the first statement in line is a small read. */
struct edda_slots_action edda_slots_next(struct edda_slots *slots, bool small, int64_t now_ms);

/* When time alone will make next say OPEN; INT64_MAX: never. */
int64_t edda_slots_wake_ms(const struct edda_slots *slots);

unsigned edda_slots_standing(const struct edda_slots *slots); /* OPEN and HELD */

#endif
