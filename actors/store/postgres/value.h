/* actors/store/postgres/value.h: what a statement is given for $1, $2 ...: binary, typed.
 *
 *   edda_pg_call_say(call, EDDA_PGSQL_STAGING_NEED, VALUES(TEXT(project), UUID(&memo)), NULL);
 *
 * A value borrows what it points to; numbers and uuids are inside it. An absent text or bytes is
 * NULL. Many rows go as arrays, one a column, which the SQL unfolds: unnest($1::bigint[],
 * $2::text[]). That is how bulk is written: it stays in the pipeline and beside the fence in one
 * statement, which COPY cannot. Pure. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_VALUE_H
#define EDDA_ACTORS_STORE_POSTGRES_VALUE_H

#include <endian.h>

#include "actors/store/postgres/type.h"
#include "proto/buffer.h"
#include "proto/types.h"

#define EDDA_PG_VALUES      24                 /* most of one statement */
#define EDDA_PG_VALUE_BYTES (64 * 1024 * 1024) /* most of one value: longer is EDDA_E_LIMIT */
#define EDDA_PG_DIMENSION   16000              /* most of a halfvec that pgvector takes */

struct edda_pg_value {
    uint32_t type; /* enum edda_pg_type; the same for the same $n of a statement, always */
    bool absent;   /* NULL */
    size_t size;
    const void *data; /* borrowed; NULL: inside */
    union {
        uint64_t number; /* big-endian */
        uint8_t inside[16];
    };
};

/* ---- one value ---- */

static inline struct edda_pg_value edda_pg_bytes_value(uint32_t type, const void *data,
                                                       size_t size) {
    return (struct edda_pg_value){.type = type, .absent = !data, .size = size, .data = data};
}

static inline struct edda_pg_value edda_pg_bigint_value(int64_t value) {
    return (struct edda_pg_value){
        .type = EDDA_PG_BIGINT, .size = 8, .number = htobe64((uint64_t)value)};
}

/* The four bytes come first in memory, whatever this machine's order is. */
static inline struct edda_pg_value edda_pg_integer_value(int32_t value) {
    return (struct edda_pg_value){
        .type = EDDA_PG_INTEGER, .size = 4, .number = htobe64((uint64_t)(uint32_t)value << 32)};
}

static inline struct edda_pg_value edda_pg_boolean_value(bool value) {
    return (struct edda_pg_value){
        .type = EDDA_PG_BOOLEAN, .size = 1, .number = htobe64((uint64_t)value << 56)};
}

static inline struct edda_pg_value edda_pg_double_value(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (struct edda_pg_value){.type = EDDA_PG_DOUBLE, .size = 8, .number = htobe64(bits)};
}

static inline struct edda_pg_value edda_pg_uuid_value(const struct edda_uuid *uuid) {
    struct edda_pg_value value = {.type = EDDA_PG_UUID, .size = sizeof uuid->bytes};
    memcpy(value.inside, uuid->bytes, sizeof uuid->bytes);
    return value;
}

#define BIGINT(value)  edda_pg_bigint_value((int64_t)(value))
#define INTEGER(value) edda_pg_integer_value((int32_t)(value))
#define BOOLEAN(value) edda_pg_boolean_value(value)
#define DOUBLE(value)  edda_pg_double_value(value)
#define TEXT(text)     edda_pg_bytes_value(EDDA_PG_TEXT, (text).data, (text).size)
#define BYTEA(bytes)   edda_pg_bytes_value(EDDA_PG_BYTEA, (bytes).data, (bytes).size)
#define UUID(uuid)     edda_pg_uuid_value(uuid)
#define NOTHING(type)  edda_pg_bytes_value((type), NULL, 0)

/* Values in the order of the statement's numbers, and how many. */
#define VALUES(...)                                                                                \
    (const struct edda_pg_value[]){__VA_ARGS__},                                                   \
        sizeof((const struct edda_pg_value[]){__VA_ARGS__}) / sizeof(struct edda_pg_value)
#define NO_VALUES NULL, 0

/* ---- values that are built ---- */

/* A run of bytes in a buffer of the caller's: places, not pointers, for the buffer may grow and
 * move. Errors stick in the buffer: look there once, when all is built. */
struct edda_pg_built {
    struct edda_buffer *buffer; /* borrowed */
    size_t begin;
    size_t end;
    uint32_t type;    /* of the value */
    uint32_t element; /* arrays: the type of each */
    uint32_t count;
    bool has_absent;
};

/* Only now may the bytes not move any more. EDDA_PG_ANY with nothing in it when the buffer has an
 * error. */
struct edda_pg_value edda_pg_built_value(const struct edda_pg_built *built);

/* One vector: floats little-endian, as they travel; halves likewise. A number that is not finite or
 * a dimension that is 0 or over EDDA_PG_DIMENSION makes EDDA_E_INVALID of the buffer. What is
 * beyond the largest half becomes that. */
void edda_pg_build_halfvec(struct edda_pg_built *built, struct edda_buffer *buffer,
                           struct edda_floats floats);

/* An array of one dimension, filled by the functions below, one after the other, each element of
 * the element type that was said. Arrays in one buffer are built one after the other. element of a
 * halfvec array: edda_pg_halfvec_type of database.h. */
void edda_pg_build_array(struct edda_pg_built *built, struct edda_buffer *buffer, uint32_t element);
void edda_pg_array_absent(struct edda_pg_built *built);
void edda_pg_array_bigint(struct edda_pg_built *built, int64_t value);
void edda_pg_array_text(struct edda_pg_built *built, struct edda_text text);
void edda_pg_array_bytea(struct edda_pg_built *built, struct edda_bytes bytes);
void edda_pg_array_halfvec_of_halves(struct edda_pg_built *built, struct edda_bytes halves);

#define BUILT(built) edda_pg_built_value(built)

#endif
