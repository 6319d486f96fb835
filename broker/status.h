/* broker/status.h: what broker.status tells. */
#ifndef EDDA_BROKER_STATUS_H
#define EDDA_BROKER_STATUS_H

#include "broker/state.h"

/* Fills *ret_status; its items are the core's, until the next call. Linear in what is held. */
void edda_status_fill(struct edda_core *core, struct edda_broker_status *ret_status);

#endif
