/* actors/store/index/sample.c: keeping the sample of 4-grams near what the project holds. */
#include "actors/store/index/index.h"
#include "actors/store/index/state.h"

#include <stdlib.h>

struct ordered {
    uint64_t order;
    uint32_t slot;
};

static void sink_largest(struct ordered *heap, size_t count, size_t at, struct ordered item) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].order > heap[child].order) {
            child++;
        }
        if (heap[child].order <= item.order) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = item;
}

static void rise_largest(struct ordered *heap, size_t at, struct ordered item) {
    for (; at > 0 && heap[(at - 1) / 2].order < item.order; at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = item;
}

/* The visible chunks that belong in the sample now, in no order: by what they say, so that the same
 * texts give the same sample, whatever their ids and whenever they came. */
static size_t choose_chunks(const edda_index_t *self, struct ordered *heap) {
    size_t held = 0;
    for (uint32_t slot = 0; slot < self->lexical.slot_count; slot++) {
        uint32_t memo = self->slots[slot].memo;
        if (memo == EDDA_INDEX_NONE || !self->memos[memo].visible) {
            continue;
        }
        struct ordered item = {self->slots[slot].content, slot};
        if (held < EDDA_INDEX_SAMPLE) {
            rise_largest(heap, held++, item);
        } else if (item.order < heap[0].order) {
            sink_largest(heap, held, 0, item);
        }
    }
    return held;
}

bool edda_index_sample_due(const edda_index_t *self) {
    size_t fresh = self->sample.size_when_fresh;
    return self->changed_chunks > 0 && self->changed_chunks * EDDA_INDEX_SAMPLE_AGE >= fresh;
}

/* Which of the sample's chunks are known, by key. EDDA_E_MEMORY. */
static int map_sample(const struct edda_gram_sample *sample, struct edda_map *map) {
    int error = 0;
    for (size_t i = 0; !error && i < sample->chunk_count; i++) {
        error = edda_map_put(map, sample->chunks[i].key, (uint32_t)i);
    }
    return error;
}

size_t edda_index_sample_wanted(const edda_index_t *self,
                                struct edda_uuid ret_chunks[EDDA_INDEX_SAMPLE]) {
    struct edda_map known = {0};
    size_t wanted = 0;
    struct ordered *heap = malloc(EDDA_INDEX_SAMPLE * sizeof *heap);
    if (heap && map_sample(&self->sample, &known) == 0) {
        size_t count = choose_chunks(self, heap);
        for (size_t i = 0; i < count; i++) {
            const struct edda_uuid *uuid = &self->slots[heap[i].slot].uuid;
            if (edda_map_get(&known, edda_gram_sample_key(uuid)) == EDDA_MAP_NONE) {
                ret_chunks[wanted++] = *uuid;
            }
        }
    }
    edda_map_done(&known);
    free(heap);
    return wanted;
}

int edda_index_sample_make(edda_index_scratch_t *scratch, const struct edda_uuid *chunk,
                           const struct edda_index_text *text, struct edda_index_grams *ret_grams) {
    *ret_grams = (struct edda_index_grams){.uuid = *chunk};
    return edda_grams_collect(&scratch->folder, text, ret_grams);
}

void edda_index_grams_done(struct edda_index_grams *grams) {
    free(grams->items);
    grams->items = NULL;
    grams->count = 0;
}

int edda_index_sample_update(edda_index_t *self, struct edda_index_grams *grams, size_t count) {
    struct edda_map wanted = {0};
    struct ordered *heap = malloc(EDDA_INDEX_SAMPLE * sizeof *heap);
    int error = heap ? 0 : EDDA_E_MEMORY;
    size_t chosen = heap ? choose_chunks(self, heap) : 0;
    for (size_t i = 0; !error && i < chosen; i++) {
        uint64_t key = edda_gram_sample_key(&self->slots[heap[i].slot].uuid);
        error = edda_map_put(&wanted, key, heap[i].slot);
    }
    for (size_t i = self->sample.chunk_count; !error && i > 0; i--) {
        if (edda_map_get(&wanted, self->sample.chunks[i - 1].key) == EDDA_MAP_NONE) {
            edda_gram_sample_drop(&self->sample, i - 1);
        } else {
            edda_map_remove(&wanted, self->sample.chunks[i - 1].key);
        }
    }
    for (size_t i = 0; !error && i < count; i++) {
        uint64_t key = edda_gram_sample_key(&grams[i].uuid);
        if (grams[i].items && edda_map_get(&wanted, key) != EDDA_MAP_NONE) {
            edda_map_remove(&wanted, key);
            error = edda_gram_sample_take(&self->sample, &grams[i]);
        }
    }
    if (!error) {
        self->sample.size_when_fresh = edda_index_chunks(self);
        self->changed_chunks = 0;
    }
    edda_map_done(&wanted);
    free(heap);
    return error;
}
