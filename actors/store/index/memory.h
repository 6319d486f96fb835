/* actors/store/index/memory.h: growing arrays and a map of numbers, private to the index. */
#ifndef EDDA_ACTORS_STORE_INDEX_MEMORY_H
#define EDDA_ACTORS_STORE_INDEX_MEMORY_H

#include "proto/error.h"
#include "proto/types.h"

/* Makes room for `needed` items of item_bytes in *data, growing by half. Data stays on failure.
 * EDDA_E_MEMORY. */
int edda_memory_grow(void **data, size_t *capacity, size_t needed,
                     size_t item_bytes) EDDA_MUST_CHECK;

#define EDDA_GROW(array, capacity, needed)                                                         \
    edda_memory_grow((void **)&(array), &(capacity), (needed), sizeof *(array))

#define EDDA_MAP_NONE UINT32_MAX

struct edda_map_entry {
    uint64_t key;
    uint32_t value; /* EDDA_MAP_NONE: an empty place */
};

/* uint64 -> uint32, open addressing with linear probes; at most half full. */
struct edda_map {
    struct edda_map_entry *entries; /* owned */
    size_t size;                    /* places, a power of two, or 0 */
    size_t count;
};

void edda_map_done(struct edda_map *map);

/* EDDA_MAP_NONE when the key is not there. */
uint32_t edda_map_get(const struct edda_map *map, uint64_t key);

/* Sets or adds. value != EDDA_MAP_NONE. EDDA_E_MEMORY, never when the key is there. */
int edda_map_put(struct edda_map *map, uint64_t key, uint32_t value) EDDA_MUST_CHECK;

void edda_map_remove(struct edda_map *map, uint64_t key);

static inline uint64_t edda_map_mix(uint64_t key) {
    key ^= key >> 32;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return key ^ (key >> 29);
}

/* Writes value as a little-endian base-128 number; returns the bytes written, at most 5. */
static inline size_t edda_varint_put(uint8_t *at, uint32_t value) {
    size_t size = 0;
    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    return size;
}

/* Reads what edda_varint_put wrote; only for our own memory. */
static inline uint32_t edda_varint_take(const uint8_t **at) {
    uint32_t byte = *(*at)++;
    uint32_t value = byte & 0x7F;
    for (unsigned shift = 7; byte & 0x80; shift += 7) {
        byte = *(*at)++;
        value |= (byte & 0x7F) << shift;
    }
    return value;
}

#endif
