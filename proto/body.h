/* proto/body.h: how a body struct becomes bytes, bytes become a body struct, and both become JSON
 * elsewhere: one table of fields per body, one codec for all.
 *
 * A body is one msgpack map of small unsigned keys, ascending; zero and absent are the same and are
 * not written (a text, bytes or floats is absent when its data is NULL: an empty one is written);
 * unknown keys are ignored. Decoded views point into the source bytes, decoded lists
 * live in the arena. Each body type has a number and a version (proto/body.def). */
#ifndef EDDA_PROTO_BODY_H
#define EDDA_PROTO_BODY_H

#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/error.h"
#include "proto/types.h"

enum edda_field_kind {
    EDDA_FIELD_BOOL,
    EDDA_FIELD_U32,
    EDDA_FIELD_U64,
    EDDA_FIELD_I64,
    EDDA_FIELD_DOUBLE,
    EDDA_FIELD_TEXT,
    EDDA_FIELD_BYTES,
    EDDA_FIELD_FLOATS,
    EDDA_FIELD_UUID,  /* the nil uuid is "absent" */
    EDDA_FIELD_TEXTS, /* struct edda_texts */
    EDDA_FIELD_LIST,  /* {record *items; size_t count;} of .record */
};

struct edda_schema;

struct edda_field {
    uint8_t key;
    uint8_t kind;     /* enum edda_field_kind */
    bool required;    /* decode fails when absent (TEXT, BYTES, FLOATS, UUID, LIST) */
    const char *name; /* as in the struct, and in JSON */
    size_t offset;
    size_t
        maximum; /* bytes of a text, bytes or floats; items of a list; value of a number; 0 none */
    size_t item_maximum; /* bytes of each text of TEXTS */
    const struct edda_schema *record;
};

struct edda_schema {
    const char *name;
    uint16_t type; /* 0 for records that only occur inside others */
    uint8_t version;
    size_t size; /* sizeof the struct */
    const struct edda_field *fields;
    size_t count;
};

/* Body type numbers, from proto/body.def: EDDA_BODY_CHUNK_ARGUMENTS and so on. */
#define EDDA_BODY(name, number, version, record) EDDA_BODY_##name = (number),
enum edda_body_type {
    EDDA_BODY_NONE = 0,
#include "proto/body.def"
};
#undef EDDA_BODY

/* The schema of a body type; NULL for unknown types. */
const struct edda_schema *edda_body_schema(uint16_t type);

/* Appends record, a struct of the type's schema. EDDA_E_LIMIT: a field is over its maximum, or the
 * whole over a frame; EDDA_E_INVALID: a required field is absent; EDDA_E_TYPE: unknown type. */
int edda_body_encode(uint16_t type, const void *record, struct edda_buffer *out) EDDA_MUST_CHECK;

/* Walks bytes, then fills *ret_record (of the schema's size, zeroed first). Empty bytes decode to
 * the all-zero record when no field is required.
 * EDDA_E_MALFORMED, EDDA_E_LIMIT, EDDA_E_MEMORY (arena), EDDA_E_TYPE (unknown type). */
int edda_body_decode(uint16_t type, struct edda_bytes bytes, struct edda_arena *arena,
                     void *ret_record) EDDA_MUST_CHECK;

#endif
