/* actors/runtime/json.c: walks the field tables of proto/body.h in both directions. */
#include "actors/runtime/json.h"

#include <math.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/utf8.h"
#include "proto/uuid.h"

#define MESSAGE_BYTES 256

/* Lists of all records begin alike: items, count. */
struct list {
    void *items;
    size_t count;
};

static json_t *write_record(const struct edda_schema *schema, const uint8_t *record);

/* How many bytes at `at` are one well-formed character; 0 when it is not. */
static size_t measure_character(const char *at, size_t left) {
    uint8_t first = (uint8_t)at[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return size <= left && edda_utf8_valid(at, size) ? size : 0;
}

/* Texts were valid when they were decoded; one that was made here may not be. */
static json_t *write_repaired(struct edda_text text) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, text.size * 3 + 1);
    for (size_t i = 0; i < text.size;) {
        size_t size = measure_character(text.data + i, text.size - i);
        if (size) {
            edda_buffer_append(&buffer, text.data + i, size);
        } else {
            edda_buffer_append_text(&buffer, "\xef\xbf\xbd");
        }
        i += size ? size : 1;
    }
    json_t *json = buffer.error ? NULL : json_stringn((const char *)buffer.data, buffer.size);
    edda_buffer_done(&buffer);
    return json;
}

static json_t *write_text(struct edda_text text) {
    return edda_utf8_valid(text.data, text.size) ? json_stringn(text.data, text.size)
                                                 : write_repaired(text);
}

/* Larger than JSON's integers here: as a string of digits, which the way back takes too. */
static json_t *write_unsigned(uint64_t value) {
    char digits[24];
    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    return json_string(digits);
}

static json_t *write_double(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *write_bytes(const struct edda_bytes *bytes) {
    size_t capacity = sodium_base64_ENCODED_LEN(bytes->size, sodium_base64_VARIANT_ORIGINAL);
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, capacity);
    json_t *json = NULL;
    if (edda_buffer_reserve(&buffer, capacity)) {
        sodium_bin2base64((char *)buffer.data, capacity, bytes->data, bytes->size,
                          sodium_base64_VARIANT_ORIGINAL);
        json = json_string((const char *)buffer.data);
    }
    edda_buffer_done(&buffer);
    return json;
}

static json_t *write_floats(const struct edda_floats *floats) {
    json_t *array = json_array();
    for (size_t i = 0; array && i + 4 <= floats->size; i += 4) {
        float value;
        memcpy(&value, floats->data + i, 4);
        if (json_array_append_new(array, write_double((double)value)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *write_texts(const struct edda_texts *texts) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < texts->count; i++) {
        json_t *item = texts->items[i].data ? write_text(texts->items[i]) : json_null();
        if (json_array_append_new(array, item) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *write_list(const struct edda_field *field, const struct list *list) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < list->count; i++) {
        const uint8_t *item = (const uint8_t *)list->items + i * field->record->size;
        if (json_array_append_new(array, write_record(field->record, item)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *write_uuid(const struct edda_uuid *uuid) {
    char text[EDDA_UUID_TEXT];
    edda_uuid_format(uuid, text);
    return json_string(text);
}

static bool is_absent(const struct edda_field *field, const void *member) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_TEXT:
    case EDDA_FIELD_BYTES:
    case EDDA_FIELD_FLOATS:
        return ((const struct edda_bytes *)member)->data == NULL;
    case EDDA_FIELD_UUID:
        return edda_uuid_is_nil(member);
    default:
        return false;
    }
}

static json_t *write_member(const struct edda_field *field, const void *member) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        return json_boolean(*(const bool *)member);
    case EDDA_FIELD_U32:
        return json_integer(*(const uint32_t *)member);
    case EDDA_FIELD_U64:
        return write_unsigned(*(const uint64_t *)member);
    case EDDA_FIELD_I64:
        return json_integer(*(const int64_t *)member);
    case EDDA_FIELD_DOUBLE:
        return write_double(*(const double *)member);
    case EDDA_FIELD_TEXT:
        return write_text(*(const struct edda_text *)member);
    case EDDA_FIELD_BYTES:
        return write_bytes(member);
    case EDDA_FIELD_FLOATS:
        return write_floats(member);
    case EDDA_FIELD_UUID:
        return write_uuid(member);
    case EDDA_FIELD_TEXTS:
        return write_texts(member);
    case EDDA_FIELD_LIST:
        return write_list(field, member);
    }
    return NULL;
}

static json_t *write_record(const struct edda_schema *schema, const uint8_t *record) {
    json_t *object = json_object();
    for (size_t i = 0; object && i < schema->count; i++) {
        const struct edda_field *field = &schema->fields[i];
        const void *member = record + field->offset;
        if (is_absent(field, member)) {
            continue;
        }
        if (json_object_set_new(object, field->name, write_member(field, member)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *edda_json_from_body(uint16_t type, const void *record) {
    const struct edda_schema *schema = edda_body_schema(type);
    EDDA_ASSERT(schema);
    return write_record(schema, record);
}

/* What a conversion carries along. */
struct reading {
    struct edda_arena *arena;
    const char *message;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reading *reading, const char *format,
                                                        ...) {
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct edda_text kept = edda_arena_text(reading->arena, edda_text_of(text));
    reading->message = kept.data ? kept.data : "invalid";
    return EDDA_E_INVALID;
}

static int read_record(struct reading *reading, const struct edda_schema *schema,
                       const json_t *json, uint8_t *record);

static int read_unsigned(struct reading *reading, const struct edda_field *field,
                         const json_t *json, uint64_t most, uint64_t *ret_value) {
    uint64_t value = 0;
    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        value = (uint64_t)json_integer_value(json);
    } else if (json_is_string(json) && most == UINT64_MAX && json_string_length(json) > 0) {
        const char *digits = json_string_value(json);
        for (; *digits; digits++) {
            uint64_t digit = (uint64_t)(*digits - '0');
            if (*digits < '0' || *digits > '9' || value > (UINT64_MAX - digit) / 10) {
                return refuse(reading, "%s: must be a whole number from 0", field->name);
            }
            value = value * 10 + digit;
        }
    } else {
        return refuse(reading, "%s: must be a whole number from 0", field->name);
    }
    most = field->maximum && field->maximum < most ? field->maximum : most;
    if (value > most) {
        return refuse(reading, "%s: is %llu, at most %llu is allowed", field->name,
                      (unsigned long long)value, (unsigned long long)most);
    }
    *ret_value = value;
    return 0;
}

static int read_text(struct reading *reading, const struct edda_field *field, const json_t *json,
                     size_t maximum, struct edda_text *ret_text) {
    if (!json_is_string(json)) {
        return refuse(reading, "%s: must be a string", field->name);
    }
    struct edda_text text = {json_string_value(json), json_string_length(json)};
    if (text.size > maximum) {
        return refuse(reading, "%s: has %zu bytes, at most %zu are allowed", field->name, text.size,
                      maximum);
    }
    *ret_text = edda_arena_text(reading->arena, text);
    return ret_text->data ? 0 : EDDA_E_MEMORY;
}

static int read_bytes(struct reading *reading, const struct edda_field *field, const json_t *json,
                      struct edda_bytes *ret_bytes) {
    if (!json_is_string(json)) {
        return refuse(reading, "%s: must be a base64 string", field->name);
    }
    size_t size = json_string_length(json);
    uint8_t *data = edda_arena_take(reading->arena, size + 1);
    size_t decoded = 0;
    if (!data) {
        return EDDA_E_MEMORY;
    }
    if (sodium_base642bin(data, size + 1, json_string_value(json), size, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return refuse(reading, "%s: is not base64", field->name);
    }
    if (decoded > field->maximum) {
        return refuse(reading, "%s: has %zu bytes, at most %zu are allowed", field->name, decoded,
                      field->maximum);
    }
    *ret_bytes = (struct edda_bytes){data, decoded};
    return 0;
}

static int check_array(struct reading *reading, const struct edda_field *field, const json_t *json,
                       size_t maximum) {
    if (!json_is_array(json)) {
        return refuse(reading, "%s: must be a list", field->name);
    }
    if (json_array_size(json) > maximum) {
        return refuse(reading, "%s: has %zu entries, at most %zu are allowed", field->name,
                      json_array_size(json), maximum);
    }
    return 0;
}

static int read_floats(struct reading *reading, const struct edda_field *field, const json_t *json,
                       struct edda_floats *ret_floats) {
    int error = check_array(reading, field, json, field->maximum / 4);
    if (error) {
        return error;
    }
    size_t count = json_array_size(json);
    uint8_t *data = edda_arena_take(reading->arena, count * 4 + 1);
    if (!data) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, i);
        if (!json_is_number(item)) {
            return refuse(reading, "%s[%zu]: must be a number", field->name, i);
        }
        float value = (float)json_number_value(item);
        memcpy(data + i * 4, &value, 4);
    }
    *ret_floats = (struct edda_floats){data, count * 4};
    return 0;
}

static int read_texts(struct reading *reading, const struct edda_field *field, const json_t *json,
                      struct edda_texts *ret_texts) {
    int error = check_array(reading, field, json, field->maximum);
    size_t count = error ? 0 : json_array_size(json);
    struct edda_text *items = count ? edda_arena_take(reading->arena, count * sizeof *items) : NULL;
    if (count && !items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count && !error; i++) {
        const json_t *item = json_array_get(json, i);
        if (!json_is_null(item)) {
            error = read_text(reading, field, item, field->item_maximum, &items[i]);
        }
    }
    if (!error) {
        *ret_texts = (struct edda_texts){items, count};
    }
    return error;
}

static int read_list(struct reading *reading, const struct edda_field *field, const json_t *json,
                     struct list *ret_list) {
    int error = check_array(reading, field, json, field->maximum);
    size_t count = error ? 0 : json_array_size(json);
    size_t size = field->record->size;
    uint8_t *items = count ? edda_arena_take(reading->arena, count * size) : NULL;
    if (count && !items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count && !error; i++) {
        error = read_record(reading, field->record, json_array_get(json, i), items + i * size);
    }
    if (!error) {
        *ret_list = (struct list){items, count};
    }
    return error;
}

static int read_uuid(struct reading *reading, const struct edda_field *field, const json_t *json,
                     struct edda_uuid *ret_uuid) {
    if (json_is_string(json)) {
        struct edda_text text = {json_string_value(json), json_string_length(json)};
        if (edda_uuid_parse(text, ret_uuid) == 0) {
            return 0;
        }
    }
    return refuse(reading, "%s: must be a uuid", field->name);
}

static int read_number(struct reading *reading, const struct edda_field *field, const json_t *json,
                       void *member) {
    uint64_t value = 0;
    int error = 0;
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_U32:
        error = read_unsigned(reading, field, json, UINT32_MAX, &value);
        *(uint32_t *)member = (uint32_t)value;
        return error;
    case EDDA_FIELD_U64:
        error = read_unsigned(reading, field, json, UINT64_MAX, &value);
        *(uint64_t *)member = value;
        return error;
    case EDDA_FIELD_I64:
        if (!json_is_integer(json)) {
            return refuse(reading, "%s: must be a whole number", field->name);
        }
        *(int64_t *)member = json_integer_value(json);
        return 0;
    default:
        if (!json_is_number(json)) {
            return refuse(reading, "%s: must be a number", field->name);
        }
        *(double *)member = json_number_value(json);
        return 0;
    }
}

static int read_member(struct reading *reading, const struct edda_field *field, const json_t *json,
                       void *member) {
    switch ((enum edda_field_kind)field->kind) {
    case EDDA_FIELD_BOOL:
        if (!json_is_boolean(json)) {
            return refuse(reading, "%s: must be true or false", field->name);
        }
        *(bool *)member = json_is_true(json);
        return 0;
    case EDDA_FIELD_U32:
    case EDDA_FIELD_U64:
    case EDDA_FIELD_I64:
    case EDDA_FIELD_DOUBLE:
        return read_number(reading, field, json, member);
    case EDDA_FIELD_TEXT:
        return read_text(reading, field, json, field->maximum, member);
    case EDDA_FIELD_BYTES:
        return read_bytes(reading, field, json, member);
    case EDDA_FIELD_FLOATS:
        return read_floats(reading, field, json, member);
    case EDDA_FIELD_UUID:
        return read_uuid(reading, field, json, member);
    case EDDA_FIELD_TEXTS:
        return read_texts(reading, field, json, member);
    case EDDA_FIELD_LIST:
        return read_list(reading, field, json, member);
    }
    return EDDA_E_INTERNAL;
}

static const struct edda_field *find_field(const struct edda_schema *schema, const char *name) {
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) {
            return &schema->fields[i];
        }
    }
    return NULL;
}

static int read_record(struct reading *reading, const struct edda_schema *schema,
                       const json_t *json, uint8_t *record) {
    if (!json_is_object(json)) {
        return refuse(reading, "%s: must be an object", schema->name);
    }
    /* jansson's iterators take a mutable object and change nothing. */
    json_t *object = (json_t *)(uintptr_t)json;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        const struct edda_field *field = find_field(schema, name);
        if (!field) {
            return refuse(reading, "%.64s: no such field in %s", name, schema->name);
        }
        if (json_is_null(value)) {
            continue; /* absent */
        }
        int error = read_member(reading, field, value, record + field->offset);
        if (error) {
            return error;
        }
    }
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->fields[i].required &&
            (is_absent(&schema->fields[i], record + schema->fields[i].offset) ||
             (schema->fields[i].kind == EDDA_FIELD_LIST &&
              ((const struct list *)(void *)(record + schema->fields[i].offset))->count == 0))) {
            return refuse(reading, "%s: is required", schema->fields[i].name);
        }
    }
    return 0;
}

int edda_json_to_body(uint16_t type, const json_t *json, struct edda_arena *arena, void *ret_record,
                      const char **ret_message) {
    const struct edda_schema *schema = edda_body_schema(type);
    struct reading reading = {.arena = arena, .message = NULL};
    if (!schema) {
        return EDDA_E_TYPE;
    }
    memset(ret_record, 0, schema->size);
    int error = read_record(&reading, schema, json, ret_record);
    if (error == EDDA_E_INVALID) {
        *ret_message = reading.message;
    }
    return error;
}
