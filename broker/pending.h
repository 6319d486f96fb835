/* broker/pending.h: the requests that are in the broker: made, found by id, moved, freed.
 *
 * Slots are stable numbers; a free one is reused last-in first-out, so its memory is warm. */
#ifndef EDDA_BROKER_PENDING_H
#define EDDA_BROKER_PENDING_H

#include "broker/state.h"

/* EDDA_E_MEMORY; teardown takes what is half built. */
int edda_pending_setup(struct edda_core *core) EDDA_MUST_CHECK;
void edda_pending_teardown(struct edda_core *core);

/* Copies what the envelope says into a free record, owned by the core until edda_pending_free; the
 * caller fills steps, client and times. NULL when EDDA_MAX_PENDING are held or memory is out. */
struct edda_pending *edda_pending_new(struct edda_core *core, const struct edda_envelope *envelope);

struct edda_pending *edda_pending_find(const struct edda_core *core, const struct edda_uuid *id);
struct edda_pending *edda_pending_at(const struct edda_core *core, uint32_t slot);

/* The one door between states; keeps the counts. Lists are the caller's. */
void edda_pending_enter(struct edda_core *core, struct edda_pending *pending,
                        enum edda_pending_state state);

/* When the sweep has to look at it: the earlier of its deadlines. */
void edda_pending_due(struct edda_core *core, struct edda_pending *pending);

/* Releases its bodies; it must be out of every list and ENDED (state FREE). */
void edda_pending_free(struct edda_core *core, struct edda_pending *pending);

/* Takes the body of event at index into the pending's accounts, or releases one. */
void edda_pending_hold(struct edda_core *core, struct edda_pending *pending, struct edda_body *body,
                       const struct edda_event *event, size_t index);
void edda_pending_drop(struct edda_core *core, struct edda_pending *pending,
                       struct edda_body *body);

#endif
