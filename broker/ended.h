/* broker/ended.h: terminal replies kept for requesters that ask again.
 *
 * A ring: at most EDDA_ENDED_RING replies, EDDA_ENDED_RING_BYTES, EDDA_ENDED_KEEP_MS; the oldest
 * goes first. A reply that left the ring is forgotten: the same id is then a new request. */
#ifndef EDDA_BROKER_ENDED_H
#define EDDA_BROKER_ENDED_H

#include "broker/state.h"

/* EDDA_E_MEMORY; teardown takes what is half built. */
int edda_ended_setup(struct edda_core *core) EDDA_MUST_CHECK;

/* Frees without releasing: edda_ended_clear comes first. */
void edda_ended_teardown(struct edda_core *core);

/* The kept reply to this client's request, or NULL. */
const struct edda_ended *edda_ended_find(const struct edda_core *core, const struct edda_uuid *id,
                                         const struct edda_client *client);

/* Keeps how the pending ended; a RESP's body (its input) moves to the ring. error NULL: RESP. */
void edda_ended_keep(struct edda_core *core, struct edda_pending *pending,
                     const struct edda_wire_error *error);

/* Drops what is older than it need be. */
void edda_ended_expire(struct edda_core *core);
void edda_ended_clear(struct edda_core *core);

/* Sends the kept reply to a peer. */
void edda_ended_send(struct edda_core *core, const struct edda_ended *ended,
                     struct edda_peer *peer);

#endif
