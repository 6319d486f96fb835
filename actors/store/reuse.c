/* actors/store/reuse.c: equal chunks by hash, then by their texts. */
#include "actors/store/reuse.h"

#include "actors/text/text.h"
#include "proto/half.h"
#include "proto/limits.h"

#define CHUNK_OVERHEAD 64 /* of a chunk in an encoded body, and of the body itself */

static uint64_t hash_of(struct edda_text text, struct edda_text heading) {
    uint64_t hash = edda_text_hash(text.data ? text.data : "", text.size);
    return hash * 31 + edda_text_hash(heading.data ? heading.data : "", heading.size);
}

int edda_reuse_begin(struct edda_reuse *reuse, struct edda_arena *arena,
                     const struct edda_chunks *input) {
    size_t count = input->chunks.count;
    *reuse = (struct edda_reuse){.input = input, .slot_count = 16};
    while (reuse->slot_count < 2 * count) {
        reuse->slot_count *= 2;
    }
    reuse->places = edda_arena_take(arena, (count + 1) * sizeof(*reuse->places));
    reuse->slots = edda_arena_take(arena, reuse->slot_count * sizeof(*reuse->slots));
    if (!reuse->places || !reuse->slots) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct edda_chunk *chunk = &input->chunks.items[i];
        uint64_t hash = hash_of(chunk->text, chunk->heading);
        size_t at = hash & (reuse->slot_count - 1);
        while (reuse->slots[at]) {
            at = (at + 1) & (reuse->slot_count - 1);
        }
        reuse->places[i].hash = hash;
        reuse->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

void edda_reuse_offer(struct edda_reuse *reuse, int64_t row, struct edda_text text,
                      struct edda_text heading, int64_t model) {
    uint64_t hash = hash_of(text, heading);
    for (size_t at = hash & (reuse->slot_count - 1); reuse->slots[at];
         at = (at + 1) & (reuse->slot_count - 1)) {
        size_t i = reuse->slots[at] - 1;
        const struct edda_chunk *chunk = &reuse->input->chunks.items[i];
        struct edda_reuse_place *place = &reuse->places[i];
        if (place->hash == hash && !place->row && edda_text_equal(chunk->text, text) &&
            edda_text_equal(chunk->heading, heading)) {
            place->row = row;
            place->model = model;
        }
    }
}

int64_t edda_reuse_choose(const struct edda_reuse *reuse, int64_t preferred) {
    int64_t best = 0;
    size_t most = 0;
    for (size_t i = 0; i < reuse->input->chunks.count; i++) {
        size_t count = 0;
        int64_t model = reuse->places[i].model;
        for (size_t k = i; k < reuse->input->chunks.count && model && model != best; k++) {
            count += reuse->places[k].model == model;
        }
        if (count > most || (count && count == most && model == preferred)) {
            most = count;
            best = model;
        }
    }
    return best;
}

/* Bytes a value may take, so that all rows fit the frame beside the texts; 0: they do not. */
static size_t bytes_a_value(const struct edda_chunks *chunks) {
    size_t values = chunks->chunks.count * chunks->dimension;
    size_t used = chunks->title.size + chunks->model.size + CHUNK_OVERHEAD;
    for (size_t i = 0; i < chunks->chunks.count; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        used += chunk->text.size + chunk->heading.size + CHUNK_OVERHEAD;
    }
    size_t left = used < EDDA_MAX_FRAME_BYTES ? EDDA_MAX_FRAME_BYTES - used : 0;
    return values * sizeof(float) <= left      ? sizeof(float)
           : values * sizeof(uint16_t) <= left ? sizeof(uint16_t)
                                               : 0;
}

int edda_reuse_make_room(struct edda_arena *arena, struct edda_chunks *output) {
    size_t value_bytes = bytes_a_value(output);
    size_t size = output->chunks.count * output->dimension * value_bytes;
    if (size == 0) {
        output->model = (struct edda_text){NULL, 0};
        output->dimension = 0;
        return 0;
    }
    uint8_t *rows = edda_arena_take(arena, size);
    if (!rows) {
        return EDDA_E_MEMORY;
    }
    if (value_bytes == sizeof(float)) {
        output->vectors = (struct edda_floats){rows, size};
    } else {
        output->halves = (struct edda_bytes){rows, size};
    }
    return 0;
}

static void narrow(const uint8_t *floats, uint32_t dimension, uint8_t *ret_halves) {
    float largest = 1;
    for (uint32_t i = 0; i < dimension; i++) {
        float value;
        memcpy(&value, floats + i * sizeof(value), sizeof(value));
        value = value < 0 ? -value : value;
        largest = value > largest ? value : largest;
    }
    for (uint32_t i = 0; i < dimension; i++) {
        float value;
        memcpy(&value, floats + i * sizeof(value), sizeof(value));
        uint16_t half = edda_half_from_float(value / largest);
        ret_halves[2 * i] = (uint8_t)(half & 0xff);
        ret_halves[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

void edda_reuse_fill(struct edda_chunks *output, size_t i, const uint8_t *floats) {
    /* Both are the arena's own, and this is who fills them. */
    if (output->vectors.size > 0) {
        size_t row_bytes = output->dimension * sizeof(float);
        memcpy((uint8_t *)(uintptr_t)output->vectors.data + i * row_bytes, floats, row_bytes);
    } else if (output->halves.size > 0) {
        size_t row_bytes = output->dimension * sizeof(uint16_t);
        narrow(floats, output->dimension,
               (uint8_t *)(uintptr_t)output->halves.data + i * row_bytes);
    }
}
