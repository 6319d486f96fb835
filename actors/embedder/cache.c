#include "actors/embedder/cache.h"

#include <sodium.h>
#include <stdlib.h>

#define NONE UINT32_MAX

/* An entry is in one hash chain and in the list of use, newest first. */
struct entry {
    struct edda_cache_key key;
    uint32_t chain;
    uint32_t newer;
    uint32_t older;
};

struct edda_cache {
    struct entry *entries;
    float *vectors; /* capacity * dimension */
    uint32_t *heads;
    uint32_t dimension;
    uint32_t capacity;
    uint32_t count;
    uint32_t mask; /* of heads */
    uint32_t newest;
    uint32_t oldest;
};

edda_cache_t *edda_cache_new(size_t maximum_bytes, uint32_t dimension) {
    size_t each = sizeof(struct entry) + dimension * sizeof(float) + 2 * sizeof(uint32_t);
    size_t capacity = maximum_bytes / each;
    if (capacity == 0 || dimension == 0)
        return NULL;
    capacity = capacity < NONE / 4 ? capacity : NONE / 4;
    uint32_t heads = 1;
    while (heads <= capacity / 2) /* a power of two, at most the capacity */
        heads *= 2;
    struct edda_cache *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->entries = malloc(capacity * sizeof *self->entries);
    self->vectors = malloc(capacity * dimension * sizeof *self->vectors);
    self->heads = malloc(heads * sizeof *self->heads);
    self->dimension = dimension;
    self->capacity = (uint32_t)capacity;
    self->mask = heads - 1;
    self->newest = NONE;
    self->oldest = NONE;
    if (self->entries == NULL || self->vectors == NULL || self->heads == NULL)
        edda_cache_destroy(&self);
    else
        memset(self->heads, 0xFF, heads * sizeof *self->heads);
    return self;
}

void edda_cache_destroy(edda_cache_t **self_p) {
    if (*self_p == NULL)
        return;
    free((*self_p)->entries);
    free((*self_p)->vectors);
    free((*self_p)->heads);
    free(*self_p);
    *self_p = NULL;
}

static void hash_field(crypto_hash_sha256_state *state, const void *data, size_t size) {
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    crypto_hash_sha256_update(state, length, sizeof length);
    crypto_hash_sha256_update(state, data, size);
}

struct edda_cache_key edda_cache_key(struct edda_text model, uint32_t dimension,
                                     struct edda_text input_type, struct edda_text text) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    uint8_t number[4];
    for (size_t i = 0; i < 4; i++)
        number[i] = (uint8_t)(dimension >> (8 * i));
    hash_field(&state, model.data, model.size);
    hash_field(&state, number, sizeof number);
    hash_field(&state, input_type.data, input_type.size);
    hash_field(&state, text.data, text.size);
    struct edda_cache_key key;
    crypto_hash_sha256_final(&state, key.bytes);
    return key;
}

static uint32_t *find_head(edda_cache_t *self, const struct edda_cache_key *key) {
    uint32_t bits;
    memcpy(&bits, key->bytes, sizeof bits);
    return &self->heads[bits & self->mask];
}

static uint32_t find_entry(edda_cache_t *self, const struct edda_cache_key *key) {
    uint32_t at = *find_head(self, key);
    while (at != NONE && memcmp(&self->entries[at].key, key, sizeof *key) != 0)
        at = self->entries[at].chain;
    return at;
}

static void unlink_use(edda_cache_t *self, uint32_t at) {
    struct entry *entry = &self->entries[at];
    *(entry->newer != NONE ? &self->entries[entry->newer].older : &self->newest) = entry->older;
    *(entry->older != NONE ? &self->entries[entry->older].newer : &self->oldest) = entry->newer;
}

static void link_newest(edda_cache_t *self, uint32_t at) {
    struct entry *entry = &self->entries[at];
    entry->newer = NONE;
    entry->older = self->newest;
    *(self->newest != NONE ? &self->entries[self->newest].newer : &self->oldest) = at;
    self->newest = at;
}

const float *edda_cache_get(edda_cache_t *self, const struct edda_cache_key *key) {
    uint32_t at = find_entry(self, key);
    if (at == NONE)
        return NULL;
    unlink_use(self, at);
    link_newest(self, at);
    return self->vectors + (size_t)at * self->dimension;
}

/* Takes the oldest entry out of its chain and out of the list of use. */
static uint32_t evict_oldest(edda_cache_t *self) {
    uint32_t at = self->oldest;
    EDDA_ASSERT(at != NONE);
    uint32_t *link = find_head(self, &self->entries[at].key);
    while (*link != at)
        link = &self->entries[*link].chain;
    *link = self->entries[at].chain;
    unlink_use(self, at);
    return at;
}

void edda_cache_put(edda_cache_t *self, const struct edda_cache_key *key, const float *vector) {
    uint32_t at = find_entry(self, key);
    if (at != NONE) {
        unlink_use(self, at);
    } else {
        at = self->count < self->capacity ? self->count++ : evict_oldest(self);
        uint32_t *head = find_head(self, key);
        self->entries[at].key = *key;
        self->entries[at].chain = *head;
        *head = at;
    }
    link_newest(self, at);
    memcpy(self->vectors + (size_t)at * self->dimension, vector,
           self->dimension * sizeof *self->vectors);
}

size_t edda_cache_count(const edda_cache_t *self) {
    return self->count;
}

size_t edda_cache_capacity(const edda_cache_t *self) {
    return self->capacity;
}
