/* actors/store/row_map.c: linear probing; taking out moves later entries back. */
#include "actors/store/row_map.h"

#include <stdlib.h>

void edda_row_map_done(struct edda_row_map *map) {
    free(map->slots);
    *map = (struct edda_row_map){0};
}

static size_t home_of(const struct edda_row_map *map, uint64_t key) {
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (map->capacity - 1);
}

/* The slot of key, or the empty one where it would be. */
static size_t find_slot(const struct edda_row_map *map, uint64_t key) {
    size_t at = home_of(map, key);
    while (map->slots[at].value && map->slots[at].key != key) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

void *edda_row_map_get(const struct edda_row_map *map, uint64_t key) {
    return map->capacity ? map->slots[find_slot(map, key)].value : NULL;
}

static int grow(struct edda_row_map *map) {
    struct edda_row_map larger = {.capacity = map->capacity ? map->capacity * 2 : 16,
                                  .count = map->count};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value) {
            larger.slots[find_slot(&larger, map->slots[i].key)] = map->slots[i];
        }
    }
    free(map->slots);
    *map = larger;
    return 0;
}

int edda_row_map_put(struct edda_row_map *map, uint64_t key, void *value) {
    EDDA_ASSERT(key != 0 && value);
    if ((map->count + 1) * 4 > map->capacity * 3) {
        int error = grow(map);
        if (error) {
            return error;
        }
    }
    size_t at = find_slot(map, key);
    map->count += map->slots[at].value == NULL;
    map->slots[at] = (struct edda_row_map_slot){key, value};
    return 0;
}

void *edda_row_map_take(struct edda_row_map *map, uint64_t key) {
    if (!map->capacity) {
        return NULL;
    }
    size_t mask = map->capacity - 1;
    size_t hole = find_slot(map, key);
    void *value = map->slots[hole].value;
    if (!value) {
        return NULL;
    }
    map->count--;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = home_of(map, map->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct edda_row_map_slot){0};
    return value;
}
