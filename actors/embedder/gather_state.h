/* actors/embedder/gather_state.h: the lines of a gather, private to gather.c and gather_line.c. */
#ifndef EDDA_ACTORS_EMBEDDER_GATHER_STATE_H
#define EDDA_ACTORS_EMBEDDER_GATHER_STATE_H

#include "actors/embedder/gather.h"

#define EDDA_GATHER_HEADS 4096u /* of the index by key; a power of two */

/* A text on its way: in a lane, or in a batch. In the index until it is handed out. */
struct edda_gather_item {
    struct edda_cache_key key;
    enum edda_gather_class class;
    bool query;
    bool waiting; /* in its lane */
    uint32_t bytes;
    uint32_t tokens;
    int64_t since_ms;
    struct edda_gather_want *first; /* who wants it; none: only the cache does */
    struct edda_gather_want *last;
    struct edda_gather_item *next; /* in its lane */
    struct edda_gather_item *previous;
    struct edda_gather_item *chain; /* in the index */
};

struct edda_gather_lane {
    struct edda_gather_item *first; /* the oldest */
    struct edda_gather_item *last;
    size_t count;
    uint64_t bytes;
    uint64_t tokens;
};

struct edda_gather_batches {
    struct edda_gather_batch *first;
    struct edda_gather_batch *last;
    size_t count;
};

struct edda_gather {
    struct edda_gather_limits limits;
    struct edda_gather_lane lanes[EDDA_GATHER_CLASSES][2]; /* by class and input type */
    struct edda_gather_batches
        halves[EDDA_GATHER_CLASSES]; /* refused; what is left of them is to be asked */
    struct edda_gather_batches asked[EDDA_GATHER_CLASSES]; /* with the provider */
    unsigned turns; /* urgent batches that went while bulk waited */
    struct edda_gather_item *index[EDDA_GATHER_HEADS];
};

/* Out of its lane, in no batch yet. */
void edda_gather_leave_lane(edda_gather_t *self, struct edda_gather_item *item);

/* Nobody wants it; it is in no batch any more. */
void edda_gather_free_item(edda_gather_t *self, struct edda_gather_item *item);

/* Gives it to all who want it, and frees it. It is in no batch any more; a callback that adds its
 * text makes another. */
void edda_gather_hand_item(edda_gather_t *self, struct edda_gather_item *item, size_t index,
                           edda_gather_fn hand, void *context);

#endif
