/* gateway/memo_fields.c: one small function per kind of rule, called in the contract's order. */
#include "gateway/memo_fields.h"

#include <math.h>
#include <stdio.h>

#include "actors/text/text.h"
#include "gateway/date.h"
#include "proto/limits.h"

#define TOO_LONG "String must contain at most 255 character(s)"

struct string_rule {
    const char *field;
    bool required;
    const char *empty;    /* complaint about "", or NULL when it is allowed */
    const char *too_long; /* NULL: any length */
};

/* The string, or absent when it is missing, null or complained about. */
static struct edda_text check_string(const json_t *body, const struct string_rule *rule,
                                     struct edda_complaints *complaints) {
    const json_t *value = json_object_get(body, rule->field);
    struct edda_text text = edda_read_string(value);
    struct edda_text none = {0};

    if (!value || (json_is_null(value) && !rule->required)) {
        if (rule->required) {
            edda_complain(complaints, rule->field, "Required");
        }
        return none;
    }
    if (!text.data) {
        edda_complain_type(complaints, rule->field, "string", value);
        return none;
    }
    if (text.size == 0 && rule->empty) {
        edda_complain(complaints, rule->field, rule->empty);
        return none;
    }
    if (rule->too_long && text.size > EDDA_MAX_TITLE && edda_text_length(text) > EDDA_MAX_TITLE) {
        edda_complain(complaints, rule->field, rule->too_long);
        return none;
    }
    return text;
}

/* new Date(value), as far as JSON values go. */
static bool coerce_date(const json_t *value, int64_t *ret_wall_ms) {
    double number;
    if (json_is_string(value)) {
        return edda_date_parse(edda_read_string(value), ret_wall_ms) == 0;
    }
    if (json_is_number(value)) {
        number = json_number_value(value);
    } else if (json_is_boolean(value)) {
        number = json_is_true(value) ? 1 : 0;
    } else {
        return false;
    }
    if (!(fabs(number) <= (double)EDDA_DATE_MAX_MS)) {
        return false;
    }
    *ret_wall_ms = (int64_t)number;
    return true;
}

/* 0 when it is missing, null or complained about. after_wall_ms INT64_MIN: any date will do. */
static int64_t check_date(const json_t *body, const char *field, int64_t after_wall_ms,
                          struct edda_complaints *complaints) {
    const json_t *value = json_object_get(body, field);
    int64_t wall_ms = 0;
    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!coerce_date(value, &wall_ms)) {
        edda_complain(complaints, field, "Invalid date");
        return 0;
    }
    if (wall_ms <= after_wall_ms) {
        edda_complain(complaints, field, "Expiration date must be in the future");
        return 0;
    }
    /* 0 says "never" on the wire; the instant itself is long past either way. */
    return wall_ms == 0 ? 1 : wall_ms;
}

static int check_tags(const json_t *body, struct edda_arena *arena, struct edda_texts *ret_tags,
                      struct edda_complaints *complaints) {
    const json_t *value = json_object_get(body, "tags");
    size_t count = json_array_size(value);
    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!json_is_array(value)) {
        edda_complain_type(complaints, "tags", "array", value);
        return 0;
    }
    if (count > EDDA_MAX_TAGS) {
        edda_complain(complaints, "tags", "Array must contain at most 256 element(s)");
        return 0;
    }
    struct edda_text *items = edda_arena_take(arena, (count + 1) * sizeof *items);
    if (!items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *tag = json_array_get(value, i);
        char field[16];
        (void)snprintf(field, sizeof field, "tags.%zu", i);
        items[i] = edda_read_string(tag);
        if (!items[i].data) {
            edda_complain_type(complaints, field, "string", tag);
        } else if (edda_text_length(items[i]) > EDDA_MAX_TITLE) {
            edda_complain(complaints, field, TOO_LONG);
        }
    }
    *ret_tags = (struct edda_texts){items, count};
    return 0;
}

/* The compact JSON of an object field; strings: every value must be a string. */
static int check_object(const json_t *body, const char *field, bool strings,
                        struct edda_arena *arena, struct edda_text *ret_text,
                        struct edda_complaints *complaints) {
    json_t *value = json_object_get(body, field);
    const char *key;
    json_t *item;
    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!json_is_object(value)) {
        edda_complain_type(complaints, field, "object", value);
        return 0;
    }
    if (strings) {
        json_object_foreach(value, key, item) {
            char path[128];
            if (!json_is_string(item)) {
                (void)snprintf(path, sizeof path, "%s.%s", field, key);
                edda_complain_type(complaints, path, "string", item);
            }
        }
    }
    int error = edda_read_compact(value, EDDA_MAX_METADATA_BYTES, arena, ret_text);
    if (error == EDDA_E_LIMIT) {
        edda_complain(complaints, field, "Object must be at most 65536 bytes of JSON");
        error = 0;
    }
    return error;
}

static bool check_body(const json_t *body, struct edda_complaints *complaints) {
    if (!body) {
        edda_complain(complaints, NULL, "Required");
    } else if (!json_is_object(body)) {
        edda_complain_type(complaints, NULL, "object", body);
    }
    return complaints->count == 0;
}

int edda_memo_check_create(const json_t *body, int64_t now_wall_ms, struct edda_arena *arena,
                           struct edda_store_accept *ret_accept, struct edda_text *ret_content,
                           struct edda_complaints *complaints) {
    static const struct string_rule title = {"title", true, "Title is required",
                                             "Title must be 255 characters or less"};
    static const struct string_rule content = {"content", true, "Content is required", NULL};
    static const struct string_rule source = {"source", false, NULL, TOO_LONG};
    static const struct string_rule reference = {"reference_id", false, NULL, TOO_LONG};
    if (!check_body(body, complaints)) {
        return EDDA_E_INVALID;
    }
    ret_accept->title = check_string(body, &title, complaints);
    if (ret_content) {
        *ret_content = check_string(body, &content, complaints);
    }
    ret_accept->source = check_string(body, &source, complaints);
    ret_accept->reference_id = check_string(body, &reference, complaints);
    ret_accept->expires_wall_ms = check_date(body, "expiration_date", now_wall_ms, complaints);
    int error = check_tags(body, arena, &ret_accept->tags, complaints);
    if (!error) {
        error = check_object(body, "metadata", false, arena, &ret_accept->metadata, complaints);
    }
    if (!error) {
        error = check_object(body, "scopes", true, arena, &ret_accept->scopes, complaints);
    }
    if (error) {
        return error;
    }
    return complaints->count > 0 ? EDDA_E_INVALID : 0;
}

/* Marks the field as changed when the client sent it and it is not null. */
static uint32_t changed(const json_t *body, const char *field, uint32_t bit) {
    const json_t *value = json_object_get(body, field);
    return value && !json_is_null(value) ? bit : 0;
}

int edda_memo_check_patch(const json_t *body, struct edda_arena *arena,
                          struct edda_store_patch *ret_patch, struct edda_text *ret_content,
                          struct edda_complaints *complaints) {
    static const struct string_rule title = {"title", false, NULL, TOO_LONG};
    static const struct string_rule reference = {"client_reference_id", false, NULL, TOO_LONG};
    static const struct string_rule source = {"source", false, NULL, TOO_LONG};
    static const struct string_rule content = {"content", true,
                                               "String must contain at least 1 character(s)", NULL};
    *ret_content = (struct edda_text){0};
    if (!check_body(body, complaints)) {
        return EDDA_E_INVALID;
    }
    ret_patch->title = check_string(body, &title, complaints);
    int error = check_object(body, "metadata", false, arena, &ret_patch->metadata, complaints);
    ret_patch->reference_id = check_string(body, &reference, complaints);
    ret_patch->source = check_string(body, &source, complaints);
    ret_patch->expires_wall_ms = check_date(body, "expiration_date", INT64_MIN, complaints);
    if (json_object_get(body, "content")) {
        *ret_content = check_string(body, &content, complaints);
    }
    if (!error) {
        error = check_object(body, "scopes", true, arena, &ret_patch->scopes, complaints);
    }
    if (!error) {
        error = check_tags(body, arena, &ret_patch->tags, complaints);
    }
    if (error) {
        return error;
    }
    ret_patch->set =
        changed(body, "title", EDDA_PATCH_TITLE) | changed(body, "metadata", EDDA_PATCH_METADATA) |
        changed(body, "client_reference_id", EDDA_PATCH_REFERENCE_ID) |
        changed(body, "source", EDDA_PATCH_SOURCE) |
        changed(body, "expiration_date", EDDA_PATCH_EXPIRES) |
        changed(body, "scopes", EDDA_PATCH_SCOPES) | changed(body, "tags", EDDA_PATCH_TAGS) |
        changed(body, "content", EDDA_PATCH_CONTENT);
    return complaints->count > 0 ? EDDA_E_INVALID : 0;
}

static bool ends_with(struct edda_text text, const char *ending) {
    size_t size = strlen(ending);
    return text.size > size && strncasecmp(text.data + text.size - size, ending, size) == 0;
}

const char *edda_memo_format(struct edda_text file_name) {
    static const struct {
        const char *ending;
        const char *format;
    } formats[] = {{".txt", "plain"},
                   {".md", "markdown"},
                   {".html", "html"},
                   {".csv", "csv"},
                   {".json", "json"}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (ends_with(file_name, formats[i].ending)) {
            return formats[i].format;
        }
    }
    return NULL;
}

struct edda_text edda_memo_title(struct edda_text file_name, struct edda_arena *arena) {
    char *out = edda_arena_take(arena, file_name.size + 1);
    size_t size = 0;
    if (!out) {
        return (struct edda_text){0};
    }
    for (size_t i = 0; i < file_name.size; i++) {
        unsigned char byte = (unsigned char)file_name.data[i];
        if (byte == '/' || byte == '\\') {
            size = 0;
        } else if (byte >= 0x20 && byte != 0x7f) {
            out[size++] = (char)byte;
        }
    }
    struct edda_text title = edda_text_prefix((struct edda_text){out, size}, EDDA_MAX_TITLE);
    return title.size > 0 ? title : EDDA_TEXT("document");
}
