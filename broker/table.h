/* broker/table.h: an open-addressing hash table from 32-bit hashes to small numbers.
 *
 * The keys stay with their owner: a caller finds by walking the values under a hash and comparing.
 * Capacity is fixed at creation, a power of two at least twice the most entries it will hold, so
 * that probes stay short and nothing is ever rehashed. Deletion shifts back: no tombstones. */
#ifndef EDDA_BROKER_TABLE_H
#define EDDA_BROKER_TABLE_H

#include <stdlib.h>

#include "proto/types.h"

#define EDDA_TABLE_NONE UINT32_MAX

struct edda_table_entry {
    uint32_t hash;
    uint32_t value; /* + 1; 0: free */
};

struct edda_table {
    struct edda_table_entry *entries; /* owned */
    uint32_t mask;
    uint32_t count;
};

/* entries == NULL after: no memory. */
static inline void edda_table_init(struct edda_table *table, uint32_t capacity) {
    EDDA_ASSERT((capacity & (capacity - 1)) == 0);
    table->entries = calloc(capacity, sizeof(*table->entries));
    table->mask = capacity - 1;
    table->count = 0;
}

static inline void edda_table_done(struct edda_table *table) {
    free(table->entries);
    table->entries = NULL;
}

/* Values under hash, one per call: begin with *place = hash; EDDA_TABLE_NONE at the end. */
static inline uint32_t edda_table_next(const struct edda_table *table, uint32_t hash,
                                       uint32_t *place) {
    for (;; ++*place) {
        const struct edda_table_entry *entry = &table->entries[*place & table->mask];
        if (entry->value == 0) {
            return EDDA_TABLE_NONE;
        }
        if (entry->hash == hash) {
            ++*place;
            return entry->value - 1;
        }
    }
}

static inline void edda_table_insert(struct edda_table *table, uint32_t hash, uint32_t value) {
    EDDA_ASSERT(table->count <= table->mask / 2);
    uint32_t place = hash & table->mask;
    while (table->entries[place].value != 0) {
        place = (place + 1) & table->mask;
    }
    table->entries[place] = (struct edda_table_entry){hash, value + 1};
    table->count++;
}

/* The entry must be there. */
static inline void edda_table_remove(struct edda_table *table, uint32_t hash, uint32_t value) {
    uint32_t hole = hash & table->mask;
    while (table->entries[hole].value != value + 1 || table->entries[hole].hash != hash) {
        EDDA_ASSERT(table->entries[hole].value != 0);
        hole = (hole + 1) & table->mask;
    }
    for (uint32_t place = hole;;) {
        place = (place + 1) & table->mask;
        const struct edda_table_entry entry = table->entries[place];
        if (entry.value == 0) {
            break;
        }
        uint32_t home = entry.hash & table->mask;
        if (((place - home) & table->mask) >= ((place - hole) & table->mask)) {
            table->entries[hole] = entry;
            hole = place;
        }
    }
    table->entries[hole].value = 0;
    table->count--;
}

/* FNV-1a, finished so that low bits are good. */
static inline uint32_t edda_hash_bytes(const void *data, size_t size, uint32_t seed) {
    const uint8_t *bytes = data;
    uint32_t hash = 2166136261u ^ seed;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    hash ^= hash >> 15;
    hash *= 0x85ebca6bu;
    return hash ^ hash >> 13;
}

static inline uint32_t edda_hash_uuid(const struct edda_uuid *id) {
    uint64_t halves[2];
    memcpy(halves, id->bytes, sizeof(halves));
    uint64_t mixed = (halves[0] ^ (halves[1] << 31 | halves[1] >> 33)) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32) ^ (uint32_t)(halves[1] * 0x9e3779b9u);
}

#endif
