/* actors/store/sqlite/part_vectors.c: rows of vectors looked over before anything is stored. */
#include "actors/store/sqlite/part_vectors.h"

#include <math.h>

#include "proto/half.h"

/* An exponent of all ones: infinite or not a number. */
#define HALF_EXPONENT 0x7c00

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
static int widen_rows(struct edda_sqlite_call *call, const struct edda_chunks *chunks,
                      size_t values, const uint8_t **ret_rows) {
    *ret_rows = chunks->vectors.data;
    if (chunks->halves.size == 0) {
        return 0;
    }
    float *rows = edda_arena_take(&call->arena, values * sizeof(*rows));
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

int edda_part_vectors(struct edda_sqlite_call *call, const struct edda_chunks *chunks,
                      struct edda_bytes **ret_vectors) {
    size_t count = chunks->chunks.count;
    size_t row_bytes = (size_t)chunks->dimension * sizeof(float);
    const uint8_t *rows = NULL;
    struct edda_bytes *vectors = edda_arena_take(&call->arena, (count + 1) * sizeof(*vectors));
    if (!vectors) {
        return EDDA_E_MEMORY;
    }
    *ret_vectors = vectors;
    if (!do_fit(chunks, count * chunks->dimension)) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "vectors do not fit the chunks");
    }
    int error = widen_rows(call, chunks, count * chunks->dimension, &rows);
    for (size_t i = 0; i < count && row_bytes && !error; i++) {
        error = look_at_floats(rows + i * row_bytes, row_bytes, &vectors[i]);
    }
    return error == EDDA_E_INVALID
               ? edda_sqlite_call_fail(call, error, "a vector holds a value that is no number")
               : error;
}

int edda_model_need(struct edda_turn *turn, struct edda_text name, uint32_t dimension,
                    int64_t *ret_model) {
    int64_t model = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_MODEL_FIND,
                                   VALUES(TEXT(name), INTEGER(dimension)), 0, &model);
    if (!error && !model) {
        error = edda_query_run(turn->database, EDDA_SQL_MODEL_INSERT,
                               VALUES(TEXT(name), INTEGER(dimension)), NULL);
        model = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
    }
    *ret_model = model;
    return error;
}
