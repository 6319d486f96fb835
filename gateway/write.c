/* gateway/write.c: see write.h. */
#include "gateway/write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/date.h"
#include "proto/uuid.h"

void edda_write_ready(struct edda_buffer *out, struct edda_text json, const char *fallback) {
    edda_write_raw(out, json.size > 0 ? json : edda_text_of(fallback));
}

void edda_write_double(struct edda_buffer *out, double number) {
    char text[40];
    if (!isfinite(number)) {
        EDDA_WRITE(out, "0");
        return;
    }
    if (fabs(number) < 1e15 && trunc(number) == number) {
        (void)edda_buffer_printf(out, "%lld", (long long)number);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    (void)edda_buffer_append_text(out, text);
}

void edda_write_date(struct edda_buffer *out, int64_t wall_ms) {
    char text[EDDA_DATE_TEXT];
    if (wall_ms == 0) {
        EDDA_WRITE(out, "null");
        return;
    }
    edda_write_text(out, edda_date_format(wall_ms, text));
}

void edda_write_uuid(struct edda_buffer *out, const struct edda_uuid *uuid) {
    char text[EDDA_UUID_TEXT];
    edda_uuid_format(uuid, text);
    edda_write_text(out, (struct edda_text){text, EDDA_UUID_TEXT - 1});
}

void edda_write_range(struct edda_buffer *out, uint32_t start, uint32_t end) {
    (void)edda_buffer_printf(out, ",\"start\":%" PRIu32 ",\"end\":%" PRIu32, start, end);
}

void edda_write_bool(struct edda_buffer *out, bool value) {
    edda_write_raw(out, value ? EDDA_TEXT("true") : EDDA_TEXT("false"));
}

static void write_object(struct edda_buffer *out, const json_t *object) {
    const char *separator = "{";
    /* jansson's iterator takes a non-const object but does not change it. */
    json_t *source = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(source); at; at = json_object_iter_next(source, at)) {
        (void)edda_buffer_append_text(out, separator);
        edda_write_text(out, edda_text_of(json_object_iter_key(at)));
        EDDA_WRITE(out, ":");
        edda_write_value(out, json_object_iter_value(at));
        separator = ",";
    }
    (void)edda_buffer_append_text(out, json_object_size(object) > 0 ? "}" : "{}");
}

static void write_array(struct edda_buffer *out, const json_t *array) {
    EDDA_WRITE(out, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) {
            EDDA_WRITE(out, ",");
        }
        edda_write_value(out, json_array_get(array, i));
    }
    EDDA_WRITE(out, "]");
}

void edda_write_value(struct edda_buffer *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value);
        return;
    case JSON_ARRAY:
        write_array(out, value);
        return;
    case JSON_STRING:
        edda_write_text(out,
                        (struct edda_text){json_string_value(value), json_string_length(value)});
        return;
    case JSON_INTEGER:
        (void)edda_buffer_printf(out, "%lld", (long long)json_integer_value(value));
        return;
    case JSON_REAL:
        edda_write_double(out, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        edda_write_bool(out, json_is_true(value));
        return;
    case JSON_NULL:
        EDDA_WRITE(out, "null");
        return;
    }
}
