/* actors/store/row_map.h: from a number that is not 0 to a pointer that is not NULL.
 *
 * Open addressing, at most three quarters full. Zero-initialised is empty. One thread at a time;
 * several may look. Limit: 2^31 entries. */
#ifndef EDDA_ACTORS_STORE_ROW_MAP_H
#define EDDA_ACTORS_STORE_ROW_MAP_H

#include "proto/error.h"
#include "proto/types.h"

struct edda_row_map_slot {
    uint64_t key;
    void *value;
};

struct edda_row_map {
    struct edda_row_map_slot *slots; /* owned */
    size_t capacity;                 /* a power of two, or 0 */
    size_t count;
};

/* Frees the table, not the values. */
void edda_row_map_done(struct edda_row_map *map);

/* NULL when it is not there. */
void *edda_row_map_get(const struct edda_row_map *map, uint64_t key);

/* Sets or replaces. EDDA_E_MEMORY: nothing changed. */
int edda_row_map_put(struct edda_row_map *map, uint64_t key, void *value) EDDA_MUST_CHECK;

/* Takes it out and returns it; NULL when it was not there. */
void *edda_row_map_take(struct edda_row_map *map, uint64_t key);

#endif
