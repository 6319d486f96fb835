/* proto/body.c: one encoder and one decoder for all bodies, led by their tables of fields.
 *
 * What decides whether a field is written: a number's bits, a text's or bytes' data pointer (so
 * that an empty text is not an absent one), a list's count. */
#include "proto/body.h"

#include "proto/pack.h"
#include "proto/read.h"
#include "proto/schema.h"
#include "proto/uuid.h"

#define EDDA_BODY(name, number, version, record) [number] = &record##_schema,
static const struct edda_schema *const schemas[] = {
#include "proto/body.def"
};
#undef EDDA_BODY

/* What every list of records looks like. */
struct list {
    void *items;
    size_t count;
};

const struct edda_schema *edda_body_schema(uint16_t type) {
    return type < EDDA_COUNT_OF(schemas) ? schemas[type] : NULL;
}

static bool is_present(const struct edda_field *field, const void *member) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        return *(const bool *)member;
    case EDDA_FIELD_U32:
        return *(const uint32_t *)member != 0;
    case EDDA_FIELD_U64:
    case EDDA_FIELD_I64:
    case EDDA_FIELD_DOUBLE: /* by its bits: -0.0 is a value */
        return *(const uint64_t *)member != 0;
    case EDDA_FIELD_TEXT:
    case EDDA_FIELD_BYTES:
    case EDDA_FIELD_FLOATS:
        return ((const struct edda_bytes *)member)->data != NULL;
    case EDDA_FIELD_UUID:
        return !edda_uuid_is_nil(member);
    case EDDA_FIELD_TEXTS:
    case EDDA_FIELD_LIST:
        return ((const struct list *)member)->count != 0;
    }
    return false;
}

static int check_texts(const struct edda_field *field, const struct edda_texts *texts) {
    if (texts->count > field->maximum) {
        return EDDA_E_LIMIT;
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->items[i].size > field->item_maximum) {
            return EDDA_E_LIMIT;
        }
    }
    return 0;
}

/* Whether a present member may be written. */
static int check_member(const struct edda_field *field, const void *member) {
    uint64_t value;
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_U32:
        value = *(const uint32_t *)member;
        break;
    case EDDA_FIELD_U64:
        value = *(const uint64_t *)member;
        break;
    case EDDA_FIELD_TEXT:
    case EDDA_FIELD_BYTES:
        return ((const struct edda_bytes *)member)->size > field->maximum ? EDDA_E_LIMIT : 0;
    case EDDA_FIELD_FLOATS:
        EDDA_ASSERT(((const struct edda_floats *)member)->size % 4 == 0);
        return ((const struct edda_floats *)member)->size > field->maximum ? EDDA_E_LIMIT : 0;
    case EDDA_FIELD_TEXTS:
        return check_texts(field, member);
    case EDDA_FIELD_LIST:
        return ((const struct list *)member)->count > field->maximum ? EDDA_E_LIMIT : 0;
    default:
        return 0;
    }
    return field->maximum != 0 && value > field->maximum ? EDDA_E_LIMIT : 0;
}

static int pack_record(msgpack_packer *packer, const struct edda_schema *schema,
                       const uint8_t *record);

static void pack_texts(msgpack_packer *packer, const struct edda_texts *texts) {
    msgpack_pack_array(packer, texts->count);
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->items[i].data) {
            edda_pack_text(packer, texts->items[i]);
        } else {
            msgpack_pack_nil(packer);
        }
    }
}

static int pack_list(msgpack_packer *packer, const struct edda_schema *schema,
                     const struct list *list) {
    msgpack_pack_array(packer, list->count);
    for (size_t i = 0; i < list->count; i++) {
        int error = pack_record(packer, schema, (const uint8_t *)list->items + i * schema->size);
        if (error) {
            return error;
        }
    }
    return 0;
}

static int pack_member(msgpack_packer *packer, const struct edda_field *field, const void *member) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        msgpack_pack_true(packer);
        return 0;
    case EDDA_FIELD_U32:
        msgpack_pack_uint32(packer, *(const uint32_t *)member);
        return 0;
    case EDDA_FIELD_U64:
        msgpack_pack_uint64(packer, *(const uint64_t *)member);
        return 0;
    case EDDA_FIELD_I64:
        msgpack_pack_int64(packer, *(const int64_t *)member);
        return 0;
    case EDDA_FIELD_DOUBLE:
        msgpack_pack_double(packer, *(const double *)member);
        return 0;
    case EDDA_FIELD_TEXT:
        edda_pack_text(packer, *(const struct edda_text *)member);
        return 0;
    case EDDA_FIELD_BYTES:
    case EDDA_FIELD_FLOATS: {
        const struct edda_bytes *bytes = member;
        edda_pack_bytes(packer, bytes->data, bytes->size);
        return 0;
    }
    case EDDA_FIELD_UUID:
        edda_pack_bytes(packer, member, 16);
        return 0;
    case EDDA_FIELD_TEXTS:
        pack_texts(packer, member);
        return 0;
    case EDDA_FIELD_LIST:
        return pack_list(packer, field->record, member);
    }
    return 0;
}

static int pack_record(msgpack_packer *packer, const struct edda_schema *schema,
                       const uint8_t *record) {
    uint64_t present = 0;
    for (size_t i = 0; i < schema->count; i++) {
        const struct edda_field *field = &schema->fields[i];
        const void *member = record + field->offset;
        if (is_present(field, member)) {
            int error = check_member(field, member);
            if (error) {
                return error;
            }
            present |= UINT64_C(1) << i;
        } else if (field->required) {
            return EDDA_E_INVALID;
        }
    }
    msgpack_pack_map(packer, (size_t)__builtin_popcountll(present));
    while (present) {
        const struct edda_field *field = &schema->fields[__builtin_ctzll(present)];
        present &= present - 1;
        msgpack_pack_uint8(packer, field->key);
        int error = pack_member(packer, field, record + field->offset);
        if (error) {
            return error;
        }
    }
    return 0;
}

int edda_body_encode(uint16_t type, const void *record, struct edda_buffer *out) {
    const struct edda_schema *schema = edda_body_schema(type);
    if (!schema) {
        return EDDA_E_TYPE;
    }
    size_t start = out->size;
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, edda_pack_write);
    int error = pack_record(&packer, schema, record);
    if (!error) {
        error = out->error;
    }
    if (!error && out->size - start > EDDA_MAX_FRAME_BYTES) {
        error = EDDA_E_LIMIT;
    }
    if (error) {
        out->size = start;
    }
    return error;
}

/* What a decode carries along: where it reads and where lists go. */
struct decoder {
    struct edda_reader reader;
    struct edda_arena *arena;
};

static void read_record(struct decoder *decoder, const struct edda_schema *schema, uint8_t *record);

static void read_floats(struct decoder *decoder, const struct edda_field *field,
                        struct edda_floats *floats) {
    struct edda_bytes bytes = edda_read_bytes(&decoder->reader, field->maximum);
    if (bytes.size % 4 != 0) {
        edda_read_fail(&decoder->reader, EDDA_E_MALFORMED);
    }
    *floats = (struct edda_floats){bytes.data, bytes.size};
}

/* Reads an array's head and takes room for its items; NULL when it is empty or on error. */
static void *take_items(struct decoder *decoder, size_t maximum, size_t item_size,
                        size_t *ret_count) {
    size_t count = edda_read_array(&decoder->reader);
    *ret_count = 0;
    if (count > maximum) {
        edda_read_fail(&decoder->reader, EDDA_E_LIMIT);
    }
    if (count == 0 || decoder->reader.error) {
        return NULL;
    }
    void *items = edda_arena_take(decoder->arena, count * item_size);
    if (!items) {
        edda_read_fail(&decoder->reader, EDDA_E_MEMORY);
        return NULL;
    }
    *ret_count = count;
    return items;
}

static void read_texts(struct decoder *decoder, const struct edda_field *field,
                       struct edda_texts *texts) {
    texts->items = take_items(decoder, field->maximum, sizeof(*texts->items), &texts->count);
    for (size_t i = 0; i < texts->count && !decoder->reader.error; i++) {
        if (!edda_reader_nil(&decoder->reader)) {
            texts->items[i] = edda_read_text(&decoder->reader, field->item_maximum);
        }
    }
}

static void read_list(struct decoder *decoder, const struct edda_field *field, struct list *list) {
    const struct edda_schema *schema = field->record;
    list->items = take_items(decoder, field->maximum, schema->size, &list->count);
    for (size_t i = 0; i < list->count && !decoder->reader.error; i++) {
        read_record(decoder, schema, (uint8_t *)list->items + i * schema->size);
    }
}

static void read_member(struct decoder *decoder, const struct edda_field *field, void *member) {
    struct edda_reader *reader = &decoder->reader;
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        *(bool *)member = edda_reader_bool(reader);
        return;
    case EDDA_FIELD_U32:
        *(uint32_t *)member =
            (uint32_t)edda_read_unsigned(reader, field->maximum ? field->maximum : UINT32_MAX);
        return;
    case EDDA_FIELD_U64:
        *(uint64_t *)member =
            edda_read_unsigned(reader, field->maximum ? field->maximum : UINT64_MAX);
        return;
    case EDDA_FIELD_I64:
        *(int64_t *)member = edda_reader_signed(reader);
        return;
    case EDDA_FIELD_DOUBLE:
        *(double *)member = edda_reader_double(reader);
        return;
    case EDDA_FIELD_TEXT:
        *(struct edda_text *)member = edda_read_text(reader, field->maximum);
        return;
    case EDDA_FIELD_BYTES:
        *(struct edda_bytes *)member = edda_read_bytes(reader, field->maximum);
        return;
    case EDDA_FIELD_FLOATS:
        read_floats(decoder, field, member);
        return;
    case EDDA_FIELD_UUID:
        edda_read_uuid(reader, member);
        return;
    case EDDA_FIELD_TEXTS:
        read_texts(decoder, field, member);
        return;
    case EDDA_FIELD_LIST:
        read_list(decoder, field, member);
        return;
    }
}

/* Keys and fields both ascend, so one pass over each is enough. */
static void read_record(struct decoder *decoder, const struct edda_schema *schema,
                        uint8_t *record) {
    struct edda_reader *reader = &decoder->reader;
    size_t next = 0; /* the first field that the keys have not passed yet */
    size_t pairs = edda_read_map(reader);
    for (size_t i = 0; i < pairs && !reader->error; i++) {
        uint64_t key = edda_read_unsigned(reader, UINT64_MAX);
        while (next < schema->count && schema->fields[next].key < key) {
            next++;
        }
        if (next < schema->count && schema->fields[next].key == key) {
            read_member(decoder, &schema->fields[next], record + schema->fields[next].offset);
        } else {
            edda_reader_skip(reader);
        }
    }
    for (size_t i = 0; i < schema->count && !reader->error; i++) {
        const struct edda_field *field = &schema->fields[i];
        if (field->required && !is_present(field, record + field->offset)) {
            edda_read_fail(reader, EDDA_E_MALFORMED);
        }
    }
}

int edda_body_decode(uint16_t type, struct edda_bytes bytes, struct edda_arena *arena,
                     void *ret_record) {
    static const uint8_t empty_map[] = {0x80};
    const struct edda_schema *schema = edda_body_schema(type);
    if (!schema) {
        return EDDA_E_TYPE;
    }
    if (bytes.size > EDDA_MAX_FRAME_BYTES) {
        return EDDA_E_LIMIT;
    }
    if (bytes.size == 0) {
        bytes = (struct edda_bytes){empty_map, sizeof(empty_map)};
    }
    int error = edda_walk(bytes, EDDA_MAX_DEPTH, EDDA_MAX_BODY_OBJECTS);
    if (error) {
        return error;
    }
    memset(ret_record, 0, schema->size);
    struct decoder decoder = {.arena = arena};
    edda_reader_init(&decoder.reader, bytes);
    read_record(&decoder, schema, ret_record);
    return decoder.reader.error;
}
