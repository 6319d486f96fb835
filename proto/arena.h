/* proto/arena.h: memory for one decoded message or one request, freed at once, capped at creation.
 */
#ifndef EDDA_PROTO_ARENA_H
#define EDDA_PROTO_ARENA_H

#include "proto/error.h"
#include "proto/types.h"

struct edda_arena {
    struct edda_arena_block *blocks; /* owned */
    size_t used;                     /* bytes handed out */
    size_t maximum;
};

void edda_arena_init(struct edda_arena *arena, size_t maximum);
void edda_arena_done(struct edda_arena *arena);

/* Zeroed memory aligned for any type, alive until edda_arena_done; NULL over the maximum or when
 * the allocator has none. */
void *edda_arena_take(struct edda_arena *arena, size_t size);

/* A copy of text with a NUL behind it (not counted in size); data == NULL when there is no room or
 * the source is absent. */
struct edda_text edda_arena_text(struct edda_arena *arena, struct edda_text text);

#endif
