/* broker/pick.h: which queued step goes to which worker, now.
 *
 * A worker may take a step when it is live, offers the service, has credit for its bytes, is not
 * the one to avoid (unless it is the only live one), runs no solo job and is not kept for
 * another's; of a window over 2 the last slot is only for the interactive band. A solo step wants a
 * worker with nothing in flight; one is kept empty for it, so that others cannot starve it. Among
 * those: lowest in flight / window, then fastest by moving average, then longest unused. */
#ifndef EDDA_BROKER_PICK_H
#define EDDA_BROKER_PICK_H

#include "broker/state.h"

/* Sends a QUEUED pending that is in no list to a worker; false when none may take it. */
bool edda_pick_now(struct edda_core *core, struct edda_pending *pending);

/* Dispatches for every touched service until nothing more can go. */
void edda_pick_all(struct edda_core *core);

/* The worker that would get it, or NULL. */
struct edda_peer *edda_pick_worker(const struct edda_service *service,
                                   const struct edda_pending *pending);

#endif
