/* broker/access.h: the core's questions about who a peer is, and whether it may stay. */
#ifndef EDDA_BROKER_ACCESS_H
#define EDDA_BROKER_ACCESS_H

#include "broker/state.h"

/* The role as a static text when it belongs on this side; absent when it does not. */
struct edda_text edda_access_role(struct edda_text role, enum edda_side side);

/* Whether a HELLO may be answered: 0; EDDA_E_ROLE: the key may not be this, or not offer one of
 * these services; EDDA_E_DENIED: it may be nothing, or the node is another key's; EDDA_E_BUSY: it
 * has its sessions. */
int edda_access_admits(const struct edda_core *core, const struct edda_permit *permit,
                       const struct edda_hello *hello);

/* Whether a peer that has joined may still be what it is. */
bool edda_access_keeps(const struct edda_peer *peer, const struct edda_permit *permit);

/* Whether it may ask for every step of this route; *ret_step: the first that it may not. */
bool edda_access_asks(const struct edda_peer *peer, const struct edda_permit *permit,
                      const struct edda_envelope *envelope, uint8_t *ret_step);

/* Ends the sessions of those whom the file does not allow any more. Their work goes to others. */
void edda_access_review(struct edda_core *core, const edda_authorized_t *authorized);

#endif
