/* actors/runtime/share.c: first everybody's floor, then growth that leaves every floor free. */
#include "actors/runtime/share.h"

static uint32_t have(const struct edda_share *share) {
    return share->unused + share->more;
}

uint32_t edda_share_floor(uint32_t declared, uint32_t window) {
    uint32_t floor = declared > EDDA_SHARE_FLOOR ? EDDA_SHARE_FLOOR : 1;
    return floor < window ? floor : window;
}

/* The joined share that lacks most of what it should have; NULL when none lacks anything. */
static struct edda_share *neediest(struct edda_share *shares, size_t count, uint32_t floor,
                                   bool grow) {
    struct edda_share *best = NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t wanted = floor + (grow ? shares[i].running / 2 : 0);
        uint32_t lacks = wanted > have(&shares[i]) ? wanted - have(&shares[i]) : 0;
        if (shares[i].joined && lacks > most) {
            most = lacks;
            best = &shares[i];
        }
    }
    return best;
}

void edda_share_out(struct edda_share *shares, size_t count, uint32_t window, uint32_t floor,
                    uint32_t lost) {
    uint32_t joined = 0;
    uint32_t out = lost;      /* slots that are taken or may be */
    uint32_t reserved = lost; /* the same when everybody has its floor */
    for (size_t i = 0; i < count; i++) {
        shares[i].more = 0;
        if (shares[i].joined) {
            joined++;
            out += shares[i].running + shares[i].unused;
            reserved += shares[i].running + (shares[i].unused > floor ? shares[i].unused : floor);
        }
    }
    uint32_t cap = joined > 0 ? window + (joined - 1) * floor : 0;
    struct edda_share *share;
    while (out < cap && (share = neediest(shares, count, floor, false)) != NULL) {
        share->more++;
        out++;
    }
    while (reserved < cap && out < cap && (share = neediest(shares, count, floor, true)) != NULL) {
        share->more++;
        out++;
        reserved++;
    }
}
