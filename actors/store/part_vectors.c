/* actors/store/part_vectors.c: rows of vectors looked over before anything is stored. */
#include "actors/store/part_vectors.h"

#include <math.h>
#include <stdio.h>

#include "proto/half.h"
#include "proto/limits.h"

/* An exponent of all ones: infinite or not a number. */
#define HALF_EXPONENT 0x7c00
#define WORDS         256

/* Absent when all values are zero. EDDA_E_INVALID: one is not a number. */
static int look_at_floats(const uint8_t *data, size_t size, struct edda_bytes *ret_vector) {
    bool some = false;
    for (size_t at = 0; at < size; at += sizeof(float)) {
        float value;
        memcpy(&value, data + at, sizeof(value));
        if (!isfinite(value)) {
            return EDDA_E_INVALID;
        }
        some = some || value != 0;
    }
    *ret_vector = some ? (struct edda_bytes){data, size} : (struct edda_bytes){NULL, 0};
    return 0;
}

static int widen(const uint8_t *data, size_t count, float *ret_values) {
    for (size_t i = 0; i < count; i++) {
        uint16_t half = (uint16_t)(data[2 * i] | data[2 * i + 1] << 8);
        if ((half & HALF_EXPONENT) == HALF_EXPONENT) {
            return EDDA_E_INVALID;
        }
        ret_values[i] = edda_half_to_float(half);
    }
    return 0;
}

/* All rows as float32, in *ret_rows; borrowed from chunks when they are that already. */
static int widen_rows(struct edda_arena *arena, const struct edda_chunks *chunks, size_t values,
                      const uint8_t **ret_rows) {
    *ret_rows = chunks->vectors.data;
    if (chunks->halves.size == 0) {
        return 0;
    }
    float *rows = edda_arena_take(arena, values * sizeof(*rows));
    *ret_rows = (const uint8_t *)rows;
    return rows ? widen(chunks->halves.data, values, rows) : EDDA_E_MEMORY;
}

static bool do_fit(const struct edda_chunks *chunks, size_t values) {
    size_t floats = chunks->vectors.size;
    size_t halves = chunks->halves.size;
    bool sizes = (floats == values * sizeof(float) && halves == 0) ||
                 (floats == 0 && halves == values * sizeof(uint16_t));
    return sizes && chunks->dimension <= EDDA_MAX_DIMENSION &&
           (values == 0 || chunks->model.size > 0);
}

int edda_part_vectors_look(struct edda_arena *arena, const struct edda_chunks *chunks,
                           struct edda_bytes **ret_vectors, const char **ret_text) {
    size_t count = chunks->chunks.count;
    size_t row_bytes = (size_t)chunks->dimension * sizeof(float);
    const uint8_t *rows = NULL;
    struct edda_bytes *vectors = edda_arena_take(arena, (count + 1) * sizeof(*vectors));
    if (!vectors) {
        return EDDA_E_MEMORY;
    }
    *ret_vectors = vectors;
    if (!do_fit(chunks, count * chunks->dimension)) {
        *ret_text = "vectors do not fit the chunks";
        return EDDA_E_INVALID;
    }
    int error = widen_rows(arena, chunks, count * chunks->dimension, &rows);
    for (size_t i = 0; i < count && row_bytes && !error; i++) {
        error = look_at_floats(rows + i * row_bytes, row_bytes, &vectors[i]);
    }
    if (error == EDDA_E_INVALID) {
        *ret_text = "a vector holds a value that is no number";
    }
    return error;
}

const char *edda_part_vectors_refuse(struct edda_arena *arena, const struct edda_chunks *chunks,
                                     struct edda_text wanted, uint32_t dimension) {
    char *words = edda_arena_take(arena, WORDS);
    if (!words) {
        return "the embedder gave vectors of another model than wanted";
    }
    (void)snprintf(words, WORDS,
                   "the embedder gave vectors of %.*s (%u floats), wanted are %.*s (%u)",
                   (int)chunks->model.size, chunks->model.data ? chunks->model.data : "",
                   chunks->dimension, (int)wanted.size, wanted.data ? wanted.data : "", dimension);
    return words;
}
