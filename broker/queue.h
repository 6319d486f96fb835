/* broker/queue.h: what waits for one service: three bands, fair between projects inside each.
 *
 * A band is served by how long it has waited: every EDDA_AGING_MS counts as one band higher, so
 * bulk moves even when interactive work never ends. Inside a band projects take turns by deficit
 * round robin in bytes; inside a project begun work (later steps, returned work) goes before fresh.
 * Jobs with avoid or solo wait in the band's special list, because who may take them depends on the
 * worker: they must neither be passed over by all nor hold up the rest.
 * Over EDDA_MAX_PROJECTS_TRACKED waiting projects, the later ones share one turn. */
#ifndef EDDA_BROKER_QUEUE_H
#define EDDA_BROKER_QUEUE_H

#include "broker/state.h"

enum edda_place {
    EDDA_PLACE_FRESH, /* behind all of its project */
    EDDA_PLACE_BEGUN, /* behind its project's begun work */
    EDDA_PLACE_HEAD,  /* before all of its project */
};

/* EDDA_E_MEMORY; teardown takes what is half built. */
int edda_queue_setup(struct edda_core *core) EDDA_MUST_CHECK;
void edda_queue_teardown(struct edda_core *core);
void edda_queue_init(struct edda_queue *queue);

void edda_queue_push(struct edda_core *core, struct edda_pending *pending, enum edda_place place);

/* Takes it out wherever it is. */
void edda_queue_remove(struct edda_core *core, struct edda_pending *pending);

/* The bands in the order they should be tried now; empty ones last. */
void edda_queue_order(const struct edda_queue *queue, int64_t now_ms,
                      uint8_t ret_bands[EDDA_BANDS]);

/* The next of a band's flows by fairness, special ones not included; NULL when there is none. Stays
 * the same until it is removed. */
struct edda_pending *edda_queue_peek(struct edda_band *band);

/* Counts the band as served now, and charges the pending's project; before edda_queue_remove. */
void edda_queue_charge(struct edda_core *core, struct edda_pending *pending);

/* Whether one more of this band and size is still admitted. */
bool edda_queue_has_room(const struct edda_queue *queue, uint8_t band, uint64_t bytes);

#endif
