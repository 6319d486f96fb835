/* broker/request.h: REQ: who may ask, what is refused and why (first rows of state table 3). */
#ifndef EDDA_BROKER_REQUEST_H
#define EDDA_BROKER_REQUEST_H

#include "broker/state.h"

void edda_request_receive(struct edda_core *core, struct edda_peer *peer,
                          const struct edda_event *event);

/* CANCEL, and CREDIT for a stream, from the client that asked. */
void edda_request_cancel(struct edda_core *core, struct edda_peer *peer,
                         const struct edda_uuid *id);
void edda_request_stream_credit(struct edda_core *core, struct edda_peer *peer,
                                const struct edda_uuid *id, uint64_t messages, uint64_t bytes);

#endif
