/* actors/runtime/share.h: how a worker's window is split among brokers that know nothing of each
 * other.
 *
 * Credit cannot be taken back, so it is given little by little: every broker has a few slots to
 * begin with, and more as it uses them, half again what it runs. What one finishes goes to whom has
 * least for what it does. A broker that falls idle keeps what it was given and did not use, a third
 * of the window at most; the others share the rest.
 *
 * With B brokers, window + (B - 1) x floor slots are out at most, in all: that is the most jobs a
 * worker can be given at once. The floor is two slots, as a broker keeps the last one of a
 * worker for interactive work, or what a narrower window has.
 *
 * Pure. Limits: EDDA_CLIENT_MAX_BROKERS. */
#ifndef EDDA_RUNTIME_SHARE_H
#define EDDA_RUNTIME_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDDA_SHARE_FLOOR 2

struct edda_share {
    bool joined;
    uint32_t running; /* jobs it sent that still run */
    uint32_t unused;  /* slots it was granted and has not used */
    uint32_t more;    /* out: slots to grant now */
};

/* Slots that every broker is to have: 2 where the window that was declared is wider, else 1; not
 * more than the window is now. */
uint32_t edda_share_floor(uint32_t declared, uint32_t window);

/* Fills every share's more. lost: jobs of sessions that are over, which still run. */
void edda_share_out(struct edda_share *shares, size_t count, uint32_t window, uint32_t floor,
                    uint32_t lost);

#endif
