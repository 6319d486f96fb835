/* gateway/read.c: jansson with the contract's words around it. */
#include "gateway/read.h"

#include <stdio.h>

#include "gateway/write.h"

#define MAX_COMPLAINTS      64
#define MAX_COMPLAINT_BYTES 8192

int edda_read_json(struct edda_bytes body, json_t **ret_json, const char **ret_message) {
    json_error_t error;
    json_t *json = json_loadb((const char *)body.data, body.size, 0, &error);
    if (!json && json_error_code(&error) == json_error_numeric_overflow) {
        json = json_loadb((const char *)body.data, body.size, JSON_DECODE_INT_AS_REAL, &error);
    }
    if (!json) {
        enum json_error_code code = json_error_code(&error);
        bool nul = code == json_error_null_character || code == json_error_null_byte_in_key;
        *ret_message = nul ? "NUL characters are not allowed" : "Invalid JSON in request body";
        return EDDA_E_INVALID;
    }
    *ret_json = json;
    return 0;
}

static const char *type_of(const json_t *value) {
    if (!value) {
        return "undefined";
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_NULL:
        return "null";
    }
    return "undefined";
}

struct edda_text edda_read_string(const json_t *value) {
    if (!json_is_string(value)) {
        return (struct edda_text){0};
    }
    return (struct edda_text){json_string_value(value), json_string_length(value)};
}

int edda_read_compact(const json_t *value, size_t maximum, struct edda_arena *arena,
                      struct edda_text *ret_text) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, maximum);
    edda_write_value(&buffer, value);
    int error = buffer.error;
    if (!error) {
        *ret_text =
            edda_arena_text(arena, (struct edda_text){(const char *)buffer.data, buffer.size});
        error = ret_text->data ? 0 : EDDA_E_MEMORY;
    }
    edda_buffer_done(&buffer);
    return error;
}

void edda_complaints_init(struct edda_complaints *complaints, const char *separator, bool names) {
    *complaints = (struct edda_complaints){.separator = separator, .names = names};
    edda_buffer_init(&complaints->text, MAX_COMPLAINT_BYTES);
}

void edda_complaints_done(struct edda_complaints *complaints) {
    edda_buffer_done(&complaints->text);
}

void edda_complain(struct edda_complaints *complaints, const char *field, const char *message) {
    if (complaints->count++ >= MAX_COMPLAINTS) {
        return;
    }
    if (complaints->count > 1) {
        (void)edda_buffer_append_text(&complaints->text, complaints->separator);
    }
    if (field && complaints->names) {
        (void)edda_buffer_printf(&complaints->text, "%s: ", field);
    }
    (void)edda_buffer_append_text(&complaints->text, message);
}

void edda_complain_type(struct edda_complaints *complaints, const char *field, const char *expected,
                        const json_t *value) {
    char message[80];
    (void)snprintf(message, sizeof message, "Expected %s, received %s", expected, type_of(value));
    edda_complain(complaints, field, message);
}
