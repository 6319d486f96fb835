#include "actors/embedder/rows.h"

#include <stdlib.h>

#include "proto/half.h"
#include "proto/limits.h"

#define CHUNK_EXTRA 64 /* numbers and names of a chunk in its body, at most */
#define BODY_EXTRA  512

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bodies hold little-endian floats");

void edda_rows_init(struct edda_rows *rows, size_t count) {
    *rows = (struct edda_rows){.count = count};
}

void edda_rows_done(struct edda_rows *rows) {
    free(rows->values);
    *rows = (struct edda_rows){0};
}

int edda_rows_take(struct edda_rows *rows, uint32_t dimension) {
    EDDA_ASSERT(dimension > 0 && (!rows->values || rows->dimension == dimension));
    if (!rows->values && rows->count > 0) {
        rows->values = calloc(rows->count, dimension * sizeof *rows->values);
        if (!rows->values) {
            return EDDA_E_MEMORY;
        }
    }
    rows->dimension = dimension;
    return 0;
}

void edda_rows_set(struct edda_rows *rows, size_t i, const float *row) {
    EDDA_ASSERT(rows->values && i < rows->count);
    memcpy(rows->values + i * rows->dimension, row, rows->dimension * sizeof *row);
}

/* ---- rows that were there ---- */

static bool has_bit(const uint8_t *bytes, size_t size, uint8_t last_mask) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] & (i + 1 == size ? last_mask : 0xFF)) {
            return true;
        }
    }
    return false;
}

/* A zero may have a sign. */
static bool has_value(const uint8_t *row, size_t values, size_t size) {
    for (size_t i = 0; i < values; i++) {
        if (has_bit(row + i * size, size, 0x7F)) {
            return true;
        }
    }
    return false;
}

bool edda_rows_given(const struct edda_chunks *chunks, struct edda_text model, uint32_t dimension,
                     size_t i) {
    size_t values = chunks->chunks.count * (size_t)dimension;
    if (dimension == 0 || chunks->dimension != dimension ||
        !edda_text_equal(chunks->model, model)) {
        return false;
    }
    if (chunks->vectors.size == values * sizeof(float)) {
        return has_value(chunks->vectors.data + i * dimension * sizeof(float), dimension,
                         sizeof(float));
    }
    return chunks->halves.size == values * sizeof(uint16_t) &&
           has_value(chunks->halves.data + i * dimension * sizeof(uint16_t), dimension,
                     sizeof(uint16_t));
}

void edda_rows_set_given(struct edda_rows *rows, const struct edda_chunks *chunks, size_t i) {
    EDDA_ASSERT(rows->values && i < rows->count);
    size_t first = i * rows->dimension;
    float *row = rows->values + first;
    if (chunks->vectors.size > 0) {
        memcpy(row, chunks->vectors.data + first * sizeof *row, rows->dimension * sizeof *row);
        return;
    }
    for (size_t k = 0; k < rows->dimension; k++) {
        uint16_t half;
        memcpy(&half, chunks->halves.data + (first + k) * sizeof half, sizeof half);
        row[k] = edda_half_to_float(half);
    }
}

/* ---- the way out ---- */

struct edda_floats edda_rows_floats(const struct edda_rows *rows) {
    size_t bytes = rows->values ? rows->count * rows->dimension * sizeof *rows->values : 0;
    return (struct edda_floats){(const uint8_t *)rows->values, bytes};
}

static size_t measure_texts(const struct edda_chunks *chunks) {
    size_t bytes = BODY_EXTRA + chunks->title.size;
    for (size_t i = 0; i < chunks->chunks.count; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        bytes += CHUNK_EXTRA + chunk->text.size + chunk->heading.size;
    }
    return bytes;
}

/* In their place: each half is written behind the floats that were read. */
static struct edda_bytes make_halves(struct edda_rows *rows) {
    uint8_t *bytes = (uint8_t *)rows->values;
    size_t values = rows->count * rows->dimension;
    for (size_t i = 0; i < values; i++) {
        float value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        uint16_t half = edda_half_from_float(value);
        memcpy(bytes + i * sizeof half, &half, sizeof half);
    }
    return (struct edda_bytes){bytes, values * sizeof(uint16_t)};
}

int edda_rows_give(struct edda_rows *rows, struct edda_chunks *chunks) {
    struct edda_floats floats = edda_rows_floats(rows);
    size_t texts = measure_texts(chunks);
    size_t room = texts < EDDA_MAX_FRAME_BYTES ? EDDA_MAX_FRAME_BYTES - texts : 0;
    chunks->dimension = rows->dimension;
    chunks->vectors = (struct edda_floats){0};
    chunks->halves = (struct edda_bytes){0};
    if (floats.size / 2 > room) {
        return EDDA_E_LIMIT;
    }
    if (floats.size <= room) {
        chunks->vectors = floats;
    } else {
        chunks->halves = make_halves(rows);
    }
    return 0;
}
