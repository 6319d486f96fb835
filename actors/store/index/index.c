/* actors/store/index/index.c: chunks and memos coming, becoming visible, and going. */
#include "actors/store/index/index.h"

#include "actors/store/index/state.h"
#include "proto/limits.h"

#include <stdlib.h>

#define SLOTS_MAX         0x7FFFFFFFu
#define SPARSE_CHUNKS_MIN 256

static struct edda_fusion_weights pick_weights(struct edda_fusion_weights given,
                                               struct edda_fusion_weights standard) {
    float sum = given.words + given.grams + given.vector;
    return sum > 0 ? (struct edda_fusion_weights){.words = given.words / sum,
                                                  .grams = given.grams / sum,
                                                  .vector = given.vector / sum}
                   : standard;
}

edda_index_t *edda_index_new(const struct edda_index_options *options) {
    const struct edda_index_options none = {0};
    edda_index_t *self = calloc(1, sizeof *self);
    options = options ? options : &none;
    if (self) {
        self->builtin_weights = pick_weights(options->weights, EDDA_FUSION_BUILTIN);
        self->model_weights = pick_weights(options->weights, EDDA_FUSION_MODEL);
    }
    return self;
}

void edda_index_destroy(edda_index_t **self_p) {
    edda_index_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->model_count; i++) {
        edda_vectors_done(&self->models[i]);
    }
    for (size_t i = 0; i < self->memo_count; i++) {
        free(self->memos[i].attributes);
    }
    edda_lexical_done(&self->lexical);
    edda_vocabulary_done(&self->vocabulary);
    edda_gram_sample_done(&self->sample);
    edda_map_done(&self->keys);
    free(self->slots);
    free(self->open);
    free(self->memos);
    free(self->free_memos);
    free(self);
    *self_p = NULL;
}

size_t edda_index_bytes(const edda_index_t *self) {
    size_t bytes = sizeof *self + edda_lexical_bytes(&self->lexical) +
                   edda_vocabulary_bytes(&self->vocabulary) +
                   edda_gram_sample_bytes(&self->sample) + self->attribute_bytes +
                   self->slots_capacity * sizeof *self->slots + self->open_capacity +
                   self->memos_capacity * sizeof *self->memos +
                   self->free_capacity * sizeof *self->free_memos +
                   self->keys.size * sizeof *self->keys.entries;
    for (size_t i = 0; i < self->model_count; i++) {
        bytes += edda_vectors_bytes(&self->models[i]);
    }
    return bytes;
}

size_t edda_index_chunks(const edda_index_t *self) {
    return (size_t)self->lexical.documents;
}

size_t edda_index_memos(const edda_index_t *self) {
    return self->visible_memos;
}

bool edda_index_has_term(const edda_index_t *self, uint32_t hash) {
    uint32_t term = edda_lexical_find(&self->lexical, hash);
    return term != EDDA_INDEX_NONE && self->lexical.terms[term].word != EDDA_INDEX_NONE;
}

int edda_index_put_term(edda_index_t *self, uint32_t hash, struct edda_text text) {
    uint32_t term;
    if (edda_index_has_term(self, hash)) {
        return 0;
    }
    int error = edda_lexical_term(&self->lexical, hash, &term);
    return error ? error : edda_vocabulary_put(&self->vocabulary, &self->lexical, term, text);
}

/* ---- memos ---- */

static struct edda_index_memo *find_memo(const edda_index_t *self, uint64_t key) {
    uint32_t number = edda_map_get(&self->keys, key);
    return number == EDDA_INDEX_NONE ? NULL : &self->memos[number];
}

static int make_memo(edda_index_t *self, uint64_t key, uint32_t *ret_number) {
    uint32_t number;
    if (self->free_count > 0) {
        number = self->free_memos[self->free_count - 1];
    } else {
        int error = EDDA_GROW(self->memos, self->memos_capacity, self->memo_count + 1);
        if (!error) {
            error = EDDA_GROW(self->free_memos, self->free_capacity, self->memos_capacity);
        }
        if (error) {
            return error;
        }
        number = (uint32_t)self->memo_count;
    }
    int error = edda_map_put(&self->keys, key, number);
    if (error) {
        return error;
    }
    if (number == self->memo_count) {
        self->memo_count++;
    } else {
        self->free_count--;
    }
    self->memos[number] = (struct edda_index_memo){.key = key, .first_slot = EDDA_INDEX_NONE};
    *ret_number = number;
    return 0;
}

static void take_attributes(edda_index_t *self, struct edda_index_memo *memo,
                            struct edda_attributes *packed) {
    if (memo->attributes) {
        self->attribute_bytes -= edda_attributes_bytes(memo->attributes);
        free(memo->attributes);
    }
    memo->attributes = packed;
    memo->expires_wall_ms = edda_attributes_expiry(packed);
    self->attribute_bytes += edda_attributes_bytes(packed);
}

/* ---- chunks ---- */

static int find_model(edda_index_t *self, struct edda_text model, uint32_t dimension,
                      struct edda_vectors **ret_model) {
    for (size_t i = 0; i < self->model_count; i++) {
        if (self->models[i].dimension == dimension && edda_text_is(model, self->models[i].model)) {
            *ret_model = &self->models[i];
            return 0;
        }
    }
    if (self->model_count == EDDA_INDEX_MODELS) {
        return EDDA_E_LIMIT;
    }
    int error = edda_vectors_init(&self->models[self->model_count], model, dimension);
    if (!error) {
        *ret_model = &self->models[self->model_count++];
    }
    return error;
}

/* Gives slot its vector; dead slots' vectors are skipped, so a later failure needs no undoing. */
static int add_vector(edda_index_t *self, uint32_t slot, const struct edda_index_chunk *chunk) {
    struct edda_vectors *model;
    if (chunk->model.size == 0 || chunk->vector.size == 0) {
        return 0;
    }
    if (chunk->dimension == 0 || chunk->dimension > EDDA_MAX_DIMENSION ||
        chunk->vector.size != (size_t)chunk->dimension * 4) {
        return EDDA_E_MALFORMED;
    }
    int error = find_model(self, chunk->model, chunk->dimension, &model);
    if (error) {
        return error;
    }
    int added = edda_vectors_add(model, slot, chunk->vector);
    return added < 0 ? added : 0;
}

int edda_index_add(edda_index_t *self, uint64_t memo, const struct edda_index_chunk *chunk) {
    uint32_t number = edda_map_get(&self->keys, memo);
    uint32_t slot = (uint32_t)self->lexical.slot_count;
    if (number != EDDA_INDEX_NONE && self->memos[number].visible) {
        return EDDA_E_CONFLICT;
    }
    if (slot >= SLOTS_MAX) {
        return EDDA_E_LIMIT;
    }
    int error = EDDA_GROW(self->slots, self->slots_capacity, (size_t)slot + 1);
    if (!error) {
        error = EDDA_GROW(self->open, self->open_capacity, (size_t)slot + 1);
    }
    if (error) {
        return error;
    }
    /* From here a slot may exist: it is dead until the last line gives it to the memo. */
    uint64_t content = edda_map_mix(edda_text_hash(chunk->terms.data, chunk->terms.size));
    self->slots[slot] =
        (struct edda_index_slot){chunk->uuid, content, EDDA_INDEX_NONE, EDDA_INDEX_NONE};
    self->open[slot] = 0;
    error = edda_lexical_add(&self->lexical, chunk->terms);
    if (!error) {
        error = add_vector(self, slot, chunk);
    }
    if (!error && number == EDDA_INDEX_NONE) {
        error = make_memo(self, memo, &number);
    }
    if (error) {
        return error;
    }
    self->slots[slot].memo = number;
    self->slots[slot].next = self->memos[number].first_slot;
    self->memos[number].first_slot = slot;
    self->memos[number].chunk_count++;
    self->live_slots++;
    return 0;
}

static void mark_open(edda_index_t *self, const struct edda_index_memo *memo) {
    for (uint32_t slot = memo->first_slot; slot != EDDA_INDEX_NONE; slot = self->slots[slot].next) {
        self->open[slot] = memo->visible && memo->expires_wall_ms == 0;
    }
}

static void show_memo(edda_index_t *self, struct edda_index_memo *memo) {
    for (uint32_t slot = memo->first_slot; slot != EDDA_INDEX_NONE; slot = self->slots[slot].next) {
        edda_lexical_count(&self->lexical, slot, true);
        self->changed_chunks++;
    }
    memo->visible = true;
    self->visible_memos++;
}

int edda_index_publish(edda_index_t *self, uint64_t memo,
                       const struct edda_memo_attributes *attributes, uint64_t replaces) {
    struct edda_attributes *packed;
    uint32_t number = edda_map_get(&self->keys, memo);
    int error = edda_attributes_pack(attributes, &packed);
    if (error) {
        return error;
    }
    if (number == EDDA_INDEX_NONE) {
        error = make_memo(self, memo, &number);
        if (error) {
            free(packed);
            return error;
        }
    }
    take_attributes(self, &self->memos[number], packed);
    if (!self->memos[number].visible) {
        show_memo(self, &self->memos[number]);
    }
    mark_open(self, &self->memos[number]);
    if (replaces != 0 && replaces != memo) {
        edda_index_remove(self, replaces);
    }
    return 0;
}

int edda_index_set_attributes(edda_index_t *self, uint64_t memo,
                              const struct edda_memo_attributes *attributes) {
    struct edda_index_memo *found = find_memo(self, memo);
    struct edda_attributes *packed;
    if (!found || !found->visible) {
        return EDDA_E_NOT_FOUND;
    }
    int error = edda_attributes_pack(attributes, &packed);
    if (!error) {
        take_attributes(self, found, packed);
        mark_open(self, found);
    }
    return error;
}

void edda_index_remove(edda_index_t *self, uint64_t memo) {
    struct edda_index_memo *found = find_memo(self, memo);
    if (!found) {
        return;
    }
    for (uint32_t slot = found->first_slot; slot != EDDA_INDEX_NONE;
         slot = self->slots[slot].next) {
        if (found->visible) {
            edda_lexical_count(&self->lexical, slot, false);
            self->changed_chunks++;
        }
        self->slots[slot].memo = EDDA_INDEX_NONE;
        self->open[slot] = 0;
        self->live_slots--;
    }
    if (found->visible) {
        self->visible_memos--;
    }
    if (found->attributes) {
        self->attribute_bytes -= edda_attributes_bytes(found->attributes);
        free(found->attributes);
    }
    *found = (struct edda_index_memo){.first_slot = EDDA_INDEX_NONE};
    edda_map_remove(&self->keys, memo);
    EDDA_ASSERT(self->free_count < self->free_capacity);
    self->free_memos[self->free_count++] = (uint32_t)(found - self->memos);
}

/* ---- compaction ---- */

bool edda_index_is_sparse(const edda_index_t *self) {
    size_t dead = self->lexical.slot_count - self->live_slots;
    return dead >= SPARSE_CHUNKS_MIN && dead * 5 > self->lexical.slot_count;
}

/* Moves the kept slots down and gives each memo its chain anew. */
static void renumber_slots(edda_index_t *self, const uint32_t *renumbered, size_t count) {
    for (size_t i = 0; i < self->memo_count; i++) {
        self->memos[i].first_slot = EDDA_INDEX_NONE;
    }
    for (size_t slot = 0; slot < count; slot++) {
        uint32_t to = renumbered[slot];
        if (to == EDDA_INDEX_NONE) {
            continue;
        }
        self->slots[to] = self->slots[slot];
        self->open[to] = self->open[slot];
        struct edda_index_memo *memo = &self->memos[self->slots[to].memo];
        self->slots[to].next = memo->first_slot;
        memo->first_slot = to;
    }
}

int edda_index_compact(edda_index_t *self) {
    size_t count = self->lexical.slot_count;
    uint32_t *renumbered = malloc((count + 1) * sizeof *renumbered);
    uint32_t kept = 0;
    if (!renumbered) {
        return EDDA_E_MEMORY;
    }
    for (size_t slot = 0; slot < count; slot++) {
        renumbered[slot] = self->slots[slot].memo == EDDA_INDEX_NONE ? EDDA_INDEX_NONE : kept++;
    }
    EDDA_ASSERT(kept == self->live_slots);
    int error = edda_lexical_rebuild(&self->lexical, renumbered);
    if (!error) {
        for (size_t i = 0; i < self->model_count; i++) {
            edda_vectors_rebuild(&self->models[i], renumbered);
        }
        renumber_slots(self, renumbered, count);
    }
    free(renumbered);
    return error;
}
