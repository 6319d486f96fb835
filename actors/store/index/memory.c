/* actors/store/index/memory.c: growing arrays and a map of numbers. */
#include "actors/store/index/memory.h"

#include <stdlib.h>

int edda_memory_grow(void **data, size_t *capacity, size_t needed, size_t item_bytes) {
    if (needed <= *capacity) {
        return 0;
    }
    size_t grown = *capacity + *capacity / 2 + 16;
    if (grown < needed) {
        grown = needed;
    }
    if (grown > SIZE_MAX / 2 / item_bytes) {
        return EDDA_E_MEMORY;
    }
    void *moved = realloc(*data, grown * item_bytes);
    if (!moved) {
        return EDDA_E_MEMORY;
    }
    *data = moved;
    *capacity = grown;
    return 0;
}

void edda_map_done(struct edda_map *map) {
    free(map->entries);
    *map = (struct edda_map){0};
}

/* The place of key, or the empty place where it would go. */
static size_t find_place(const struct edda_map *map, uint64_t key) {
    size_t place = edda_map_mix(key) & (map->size - 1);
    while (map->entries[place].value != EDDA_MAP_NONE && map->entries[place].key != key) {
        place = (place + 1) & (map->size - 1);
    }
    return place;
}

uint32_t edda_map_get(const struct edda_map *map, uint64_t key) {
    return map->size ? map->entries[find_place(map, key)].value : EDDA_MAP_NONE;
}

static int resize_map(struct edda_map *map, size_t size) {
    struct edda_map wider = {.size = size, .count = map->count};
    wider.entries = malloc(size * sizeof *wider.entries);
    if (!wider.entries) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < size; i++) {
        wider.entries[i] = (struct edda_map_entry){0, EDDA_MAP_NONE};
    }
    for (size_t i = 0; i < map->size; i++) {
        if (map->entries[i].value != EDDA_MAP_NONE) {
            wider.entries[find_place(&wider, map->entries[i].key)] = map->entries[i];
        }
    }
    free(map->entries);
    *map = wider;
    return 0;
}

int edda_map_put(struct edda_map *map, uint64_t key, uint32_t value) {
    size_t place = map->size ? find_place(map, key) : 0;
    if (map->size && map->entries[place].value != EDDA_MAP_NONE) {
        map->entries[place].value = value;
        return 0;
    }
    if ((map->count + 1) * 2 > map->size) {
        int error = resize_map(map, map->size ? map->size * 2 : 16);
        if (error) {
            return error;
        }
        place = find_place(map, key);
    }
    map->count++;
    map->entries[place] = (struct edda_map_entry){key, value};
    return 0;
}

void edda_map_remove(struct edda_map *map, uint64_t key) {
    if (map->size == 0) {
        return;
    }
    size_t mask = map->size - 1;
    size_t hole = find_place(map, key);
    if (map->entries[hole].value == EDDA_MAP_NONE) {
        return;
    }
    map->count--;
    /* Entries behind the hole move up when their own place is not between the hole and them. */
    for (size_t at = (hole + 1) & mask; map->entries[at].value != EDDA_MAP_NONE;
         at = (at + 1) & mask) {
        size_t home = edda_map_mix(map->entries[at].key) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->entries[hole] = map->entries[at];
            hole = at;
        }
    }
    map->entries[hole].value = EDDA_MAP_NONE;
}
