/* broker/ingress.h: credit for clients: how many requests each may have open per first service.
 *
 * Cumulative grant = requests ended + window. The window is EDDA_CLIENT_WINDOW (half for pumps),
 * and no more than the room left in the service's queue (half of it for pumps): a full queue stops
 * new grants, and back-pressure reaches whoever makes the work. A grant is never taken back, so
 * beyond what was told lies admission's FAIL(busy). Small raises wait for the next tick, to save
 * messages. Accounts belong to a session; a request sent again by its client's next session moves
 * there. */
#ifndef EDDA_BROKER_INGRESS_H
#define EDDA_BROKER_INGRESS_H

#include "broker/state.h"

/* A REQ came. Counted whatever becomes of it; from the first grant on, as the client does. */
void edda_ingress_received(struct edda_peer *peer, const struct edda_service *service,
                           uint64_t bytes);

/* Whether all that was received was granted. */
bool edda_ingress_allows(const struct edda_peer *peer, const struct edda_service *service);

/* The request is open at this session's charge; moves it from an earlier session. */
void edda_ingress_charge(struct edda_pending *pending, struct edda_peer *peer,
                         const struct edda_service *service, uint64_t bytes);

/* The request ended. */
void edda_ingress_settle(struct edda_core *core, struct edda_pending *pending);

/* Sends CREDIT if the grant grew by a good part of the window, or at all when `all`. */
void edda_ingress_grant(struct edda_core *core, struct edda_peer *peer,
                        const struct edda_service *service, bool all);

/* To one client for every service that has workers; again: the same totals once more. */
void edda_ingress_grant_all(struct edda_core *core, struct edda_peer *peer, bool again);

/* To every client, when a service gets its first worker, and at ticks for all services. */
void edda_ingress_offer(struct edda_core *core, const struct edda_service *service);
void edda_ingress_tick(struct edda_core *core);

#endif
