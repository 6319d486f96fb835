/* actors/store/postgres/value.c: arrays and vectors in the server's binary form.
 *
 * Array: dimensions (1, or 0 when empty), whether it has NULLs, element type, count, lower bound 1;
 * then each element's length (-1: NULL) and bytes. halfvec: dimension, 0 (16 bits each), halves.
 * Source: PostgreSQL's array_recv in src/backend/utils/adt/arrayfuncs.c, pgvector's src/halfvec.c
 */
#include "actors/store/postgres/value.h"

#include <math.h>

#include "proto/half.h"

#define ABSENT          UINT32_MAX
#define HALF_NOT_FINITE 0x7C00u

static uint32_t array_type(uint32_t element) {
    switch (element) {
    case EDDA_PG_BYTEA:
        return EDDA_PG_BYTEA_ARRAY;
    case EDDA_PG_BIGINT:
        return EDDA_PG_BIGINT_ARRAY;
    case EDDA_PG_TEXT:
        return EDDA_PG_TEXT_ARRAY;
    default:
        return EDDA_PG_ANY;
    }
}

static void put32(uint8_t *at, uint32_t value) {
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static void append32(struct edda_buffer *buffer, uint32_t value) {
    value = htobe32(value);
    (void)edda_buffer_append(buffer, &value, sizeof value);
}

static void refuse(struct edda_buffer *buffer) {
    buffer->error = buffer->error ? buffer->error : EDDA_E_INVALID;
}

/* ---- vectors ---- */

static bool append_dimension(struct edda_buffer *buffer, size_t dimension) {
    if (dimension == 0 || dimension > EDDA_PG_DIMENSION) {
        refuse(buffer);
        return false;
    }
    append32(buffer, (uint32_t)dimension << 16);
    return true;
}

static void append_floats(struct edda_buffer *buffer, struct edda_floats floats) {
    size_t dimension = floats.size / 4;
    if (floats.size % 4 != 0 || !append_dimension(buffer, dimension)) {
        refuse(buffer);
        return;
    }
    uint8_t *to = edda_buffer_reserve(buffer, dimension * 2);
    if (!to) {
        return;
    }
    for (size_t i = 0; i < dimension; i++) {
        uint32_t bits;
        float value;
        memcpy(&bits, floats.data + i * 4, sizeof bits);
        bits = le32toh(bits);
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            refuse(buffer);
            return;
        }
        uint16_t half = htobe16(edda_half_from_float(value));
        memcpy(to + i * 2, &half, sizeof half);
    }
    buffer->size += dimension * 2;
}

static void append_halves(struct edda_buffer *buffer, struct edda_bytes halves) {
    size_t dimension = halves.size / 2;
    if (halves.size % 2 != 0 || !append_dimension(buffer, dimension)) {
        refuse(buffer);
        return;
    }
    uint8_t *to = edda_buffer_reserve(buffer, halves.size);
    if (!to) {
        return;
    }
    for (size_t i = 0; i < halves.size; i += 2) {
        if ((halves.data[i + 1] << 8 & HALF_NOT_FINITE) == HALF_NOT_FINITE) {
            refuse(buffer);
            return;
        }
        to[i] = halves.data[i + 1];
        to[i + 1] = halves.data[i];
    }
    buffer->size += halves.size;
}

static void begin(struct edda_pg_built *built, struct edda_buffer *buffer, uint32_t type) {
    *built = (struct edda_pg_built){.buffer = buffer, .begin = buffer->size, .type = type};
}

void edda_pg_build_halfvec(struct edda_pg_built *built, struct edda_buffer *buffer,
                           struct edda_floats floats) {
    begin(built, buffer, EDDA_PG_ANY);
    append_floats(buffer, floats);
    built->end = buffer->size;
}

/* ---- arrays ---- */

void edda_pg_build_array(struct edda_pg_built *built, struct edda_buffer *buffer,
                         uint32_t element) {
    begin(built, buffer, array_type(element));
    built->element = element;
    append32(buffer, 0);
    append32(buffer, 0);
    append32(buffer, element);
    built->end = buffer->size;
}

/* Dimension and bound come with the first element: an empty array has none. */
static void begin_element(struct edda_pg_built *built) {
    EDDA_ASSERT(built->end == built->buffer->size || built->buffer->error);
    if (built->count++ == 0) {
        append32(built->buffer, 0);
        append32(built->buffer, 1);
    }
}

static void end_element(struct edda_pg_built *built) {
    built->end = built->buffer->size;
}

static void append_element(struct edda_pg_built *built, const void *data, size_t size) {
    begin_element(built);
    if (size > EDDA_PG_VALUE_BYTES) {
        built->buffer->error = built->buffer->error ? built->buffer->error : EDDA_E_LIMIT;
    }
    append32(built->buffer, (uint32_t)size);
    (void)edda_buffer_append(built->buffer, data, size);
    end_element(built);
}

void edda_pg_array_absent(struct edda_pg_built *built) {
    begin_element(built);
    append32(built->buffer, ABSENT);
    built->has_absent = true;
    end_element(built);
}

void edda_pg_array_bigint(struct edda_pg_built *built, int64_t value) {
    uint64_t bytes = htobe64((uint64_t)value);
    EDDA_ASSERT(built->element == EDDA_PG_BIGINT);
    append_element(built, &bytes, sizeof bytes);
}

void edda_pg_array_text(struct edda_pg_built *built, struct edda_text text) {
    EDDA_ASSERT(built->element == EDDA_PG_TEXT);
    if (text.data) {
        append_element(built, text.data, text.size);
    } else {
        edda_pg_array_absent(built);
    }
}

void edda_pg_array_bytea(struct edda_pg_built *built, struct edda_bytes bytes) {
    EDDA_ASSERT(built->element == EDDA_PG_BYTEA);
    if (bytes.data) {
        append_element(built, bytes.data, bytes.size);
    } else {
        edda_pg_array_absent(built);
    }
}

void edda_pg_array_halfvec_of_halves(struct edda_pg_built *built, struct edda_bytes halves) {
    begin_element(built);
    append32(built->buffer, (uint32_t)(4 + halves.size));
    append_halves(built->buffer, halves);
    end_element(built);
}

/* The head of an array is written here: before that its count was not known. */
struct edda_pg_value edda_pg_built_value(const struct edda_pg_built *built) {
    struct edda_buffer *buffer = built->buffer;
    if (buffer->error) {
        return edda_pg_bytes_value(built->type, NULL, 0);
    }
    uint8_t *head = buffer->data + built->begin;
    if (built->count > 0) {
        put32(head, 1);
        put32(head + 4, built->has_absent);
        put32(head + 12, built->count);
    }
    return edda_pg_bytes_value(built->type, head, built->end - built->begin);
}
