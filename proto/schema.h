/* proto/schema.h: how the tables of body_*.c are written. Private to proto.
 *
 * The kind of a field follows from the C type of its member, so the two cannot disagree; a member
 * of a type without a kind does not compile. Keys are written out and never reused. */
#ifndef EDDA_PROTO_SCHEMA_H
#define EDDA_PROTO_SCHEMA_H

#include "proto/body.h"
#include "proto/limits.h"

/* The largest text that fits a frame: for texts whose only bound is that. */
#define EDDA_ANY_SIZE   EDDA_MAX_FRAME_BYTES
#define EDDA_ANY_NUMBER 0

#define EDDA_MEMBER(record, member) (((struct record *)0)->member)

#define EDDA_KIND(record, member)                                                                  \
    _Generic(EDDA_MEMBER(record, member), bool                                                     \
             : EDDA_FIELD_BOOL, uint32_t                                                           \
             : EDDA_FIELD_U32, uint64_t                                                            \
             : EDDA_FIELD_U64, int64_t                                                             \
             : EDDA_FIELD_I64, double                                                              \
             : EDDA_FIELD_DOUBLE, struct edda_text                                                 \
             : EDDA_FIELD_TEXT, struct edda_bytes                                                  \
             : EDDA_FIELD_BYTES, struct edda_floats                                                \
             : EDDA_FIELD_FLOATS, struct edda_uuid                                                 \
             : EDDA_FIELD_UUID)

/* Members without a maximum of their own: bool, int64_t, double, uuid. */
#define FIELD(number, record, member)                                                              \
    {                                                                                              \
        .key = (number), .kind = EDDA_KIND(record, member), .name = #member,                       \
        .offset = offsetof(struct record, member)                                                  \
    }

/* A maximum: bytes of text, bytes and floats, value of a number (EDDA_ANY_NUMBER: its type's). */
#define FIELD_UP_TO(number, record, member, most)                                                  \
    {                                                                                              \
        .key = (number), .kind = EDDA_KIND(record, member), .name = #member,                       \
        .offset = offsetof(struct record, member), .maximum = (most)                               \
    }

#define FIELD_REQUIRED(number, record, member, most)                                               \
    {                                                                                              \
        .key = (number), .kind = EDDA_KIND(record, member), .required = true, .name = #member,     \
        .offset = offsetof(struct record, member), .maximum = (most)                               \
    }

/* struct edda_texts: most items of most_bytes each. */
#define FIELD_TEXTS(number, record, member, most, most_bytes)                                      \
    {                                                                                              \
        .key = (number),                                                                           \
        .kind = _Generic(EDDA_MEMBER(record, member), struct edda_texts                            \
                         : EDDA_FIELD_TEXTS),                                                      \
        .name = #member, .offset = offsetof(struct record, member), .maximum = (most),             \
        .item_maximum = (most_bytes)                                                               \
    }

/* {struct item *items; size_t count;}, laid out as struct edda_texts is. */
#define FIELD_LIST(number, record_name, member, item, most)                                        \
    {                                                                                              \
        .key = (number),                                                                           \
        .kind = _Generic(EDDA_MEMBER(record_name, member).items, struct item *                     \
                         : EDDA_FIELD_LIST),                                                       \
        .name = #member, .offset = offsetof(struct record_name, member), .maximum = (most),        \
        .record = &item##_schema                                                                   \
    }

#define EDDA_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The schema of a body, from its array record_fields. */
#define BODY_SCHEMA(record, body)                                                                  \
    const struct edda_schema record##_schema = {                                                   \
        .name = #record,                                                                           \
        .type = EDDA_BODY_##body,                                                                  \
        .version = EDDA_VERSION_##body,                                                            \
        .size = sizeof(struct record),                                                             \
        .fields = record##_fields,                                                                 \
        .count = EDDA_COUNT_OF(record##_fields),                                                   \
    }

/* The schema of a record that only occurs inside bodies of the same file. */
#define RECORD_SCHEMA(record_name)                                                                 \
    static const struct edda_schema record_name##_schema = {                                       \
        .name = #record_name,                                                                      \
        .size = sizeof(struct record_name),                                                        \
        .fields = record_name##_fields,                                                            \
        .count = EDDA_COUNT_OF(record_name##_fields),                                              \
    }

#define EDDA_BODY(name, number, version, record) EDDA_VERSION_##name = (version),
enum edda_body_version {
#include "proto/body.def"
};
#undef EDDA_BODY

#define EDDA_BODY(name, number, version, record) extern const struct edda_schema record##_schema;
#include "proto/body.def"
#undef EDDA_BODY

#endif
