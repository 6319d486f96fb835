/* actors/store/index/filter.c: attributes packed into one block, filters compiled against it. */
#include "actors/store/index/filter.h"

#include "actors/text/text.h"
#include "proto/buffer.h"
#include "proto/filter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#define PACKED_MAX (16u * 1024 * 1024)

/* What a pair of the packed block says. */
enum pair_kind { PAIR_TITLE, PAIR_SOURCE, PAIR_REFERENCE, PAIR_TAG, PAIR_METADATA, PAIR_SCOPE };

struct pair {
    uint32_t kind;
    uint32_t key_bytes; /* of METADATA and SCOPE; else 0 */
    uint32_t value_bytes;
    uint32_t next; /* bytes from this pair to the next */
};

/* A block: this head, then pairs, each followed by its key and value, aligned to 4. */
struct edda_attributes {
    int64_t expires_wall_ms;
    size_t bytes;
    size_t pair_bytes;
};

int64_t edda_attributes_expiry(const struct edda_attributes *packed) {
    return packed->expires_wall_ms;
}

size_t edda_attributes_bytes(const struct edda_attributes *packed) {
    return packed->bytes;
}

static int pack_pair(struct edda_buffer *out, enum pair_kind kind, struct edda_text key,
                     struct edda_text value) {
    static const char zeros[4] = {0};
    size_t size = sizeof(struct pair) + key.size + value.size;
    size_t padding = (4 - size % 4) % 4;
    if (size > PACKED_MAX) {
        return EDDA_E_LIMIT;
    }
    struct pair pair = {(uint32_t)kind, (uint32_t)key.size, (uint32_t)value.size,
                        (uint32_t)(size + padding)};
    (void)edda_buffer_append(out, &pair, sizeof pair);
    if (key.size) {
        (void)edda_buffer_append(out, key.data, key.size);
    }
    if (value.size) {
        (void)edda_buffer_append(out, value.data, value.size);
    }
    return padding ? edda_buffer_append(out, zeros, padding) : out->error;
}

static int pack_present(struct edda_buffer *out, enum pair_kind kind, struct edda_text value) {
    return value.data ? pack_pair(out, kind, (struct edda_text){0}, value) : 0;
}

/* The shortest decimal that reads back as the same number. */
static size_t format_real(double value, char *text, size_t size) {
    for (int digits = 15; digits < 17; digits++) {
        int written = snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            return (size_t)written;
        }
    }
    return (size_t)snprintf(text, size, "%.17g", value);
}

static int pack_json_value(struct edda_buffer *out, enum pair_kind kind, struct edda_text key,
                           const json_t *value) {
    char number[40];
    if (json_is_null(value)) {
        return 0;
    }
    if (json_is_string(value)) {
        return pack_pair(out, kind, key,
                         (struct edda_text){json_string_value(value), json_string_length(value)});
    }
    if (json_is_real(value)) {
        size_t size = format_real(json_real_value(value), number, sizeof number);
        return pack_pair(out, kind, key, (struct edda_text){number, size});
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text) {
        return EDDA_E_MEMORY;
    }
    int error = pack_pair(out, kind, key, edda_text_of(text));
    free(text);
    return error;
}

static int pack_object(struct edda_buffer *out, enum pair_kind kind, struct edda_text text) {
    const char *key;
    json_t *value;
    int error = 0;
    if (text.size == 0) {
        return 0;
    }
    json_t *object = json_loadb(text.data, text.size, 0, NULL);
    json_object_foreach(object, key, value) {
        if (!error) {
            error = pack_json_value(out, kind, edda_text_of(key), value);
        }
    }
    json_decref(object);
    return error;
}

int edda_attributes_pack(const struct edda_memo_attributes *attributes,
                         struct edda_attributes **ret_packed) {
    struct edda_attributes head = {.expires_wall_ms = attributes->expires_wall_ms};
    struct edda_buffer out;
    uint8_t *data;
    size_t size;
    edda_buffer_init(&out, PACKED_MAX);
    int error = edda_buffer_append(&out, &head, sizeof head);
    if (!error) {
        error = pack_present(&out, PAIR_TITLE, attributes->title);
    }
    if (!error) {
        error = pack_present(&out, PAIR_SOURCE, attributes->source);
    }
    if (!error) {
        error = pack_present(&out, PAIR_REFERENCE, attributes->reference_id);
    }
    for (size_t i = 0; !error && i < attributes->tags.count; i++) {
        error = pack_pair(&out, PAIR_TAG, (struct edda_text){0}, attributes->tags.items[i]);
    }
    if (!error) {
        error = pack_object(&out, PAIR_METADATA, attributes->metadata);
    }
    if (!error) {
        error = pack_object(&out, PAIR_SCOPE, attributes->scopes);
    }
    if (error) {
        edda_buffer_done(&out);
        return error;
    }
    edda_buffer_take(&out, &data, &size);
    uint8_t *fitted = realloc(data, size);
    struct edda_attributes *packed = (struct edda_attributes *)(void *)(fitted ? fitted : data);
    packed->bytes = size;
    packed->pair_bytes = size - sizeof *packed;
    *ret_packed = packed;
    return 0;
}

/* ---- filters ---- */

enum comparison {
    COMPARE_EQ,
    COMPARE_NEQ,
    COMPARE_CONTAINS,
    COMPARE_STARTS,
    COMPARE_ENDS,
    COMPARE_IN,
    COMPARE_NOT_IN
};

struct condition {
    enum comparison comparison;
    enum pair_kind kind;
    struct edda_text key;
    struct edda_text *values; /* folded for COMPARE_CONTAINS */
    size_t value_count;
};

struct edda_filter {
    struct condition *conditions;
    size_t count;
};

static char *fold_text(struct edda_text text, size_t *ret_size) {
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t size =
        utf8proc_map((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, &folded,
                     UTF8PROC_CASEFOLD | UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (size < 0) {
        return NULL;
    }
    *ret_size = (size_t)size;
    return (char *)folded;
}

static int copy_text(struct edda_text text, bool folded, struct edda_text *ret_copy) {
    size_t size = text.size;
    char *copy = NULL;
    if (folded && text.size) {
        copy = fold_text(text, &size);
    }
    if (!copy) { /* also bytes that are not UTF-8: they match as they are */
        size = text.size;
        copy = malloc(size + 1);
        if (!copy) {
            return EDDA_E_MEMORY;
        }
        if (size) {
            memcpy(copy, text.data, size);
        }
    }
    *ret_copy = (struct edda_text){copy, size};
    return 0;
}

void edda_filter_destroy(edda_filter_t **self_p) {
    edda_filter_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        struct condition *condition = &self->conditions[i];
        for (size_t k = 0; condition->values && k < condition->value_count; k++) {
            free((char *)(uintptr_t)condition->values[k].data);
        }
        free(condition->values);
        free((char *)(uintptr_t)condition->key.data);
    }
    free(self->conditions);
    free(self);
    *self_p = NULL;
}

static enum comparison find_comparison(struct edda_text name) {
    static const char *const names[] = {"eq",       "neq", "contains", "startswith",
                                        "endswith", "in",  "not_in"};
    size_t i = 0;
    while (!edda_text_is(name, names[i])) {
        i++; /* edda_filter_check has seen that it is one of them */
    }
    return (enum comparison)i;
}

static enum pair_kind find_kind(const struct edda_store_filter *filter) {
    if (edda_text_is(filter->filter_type, "custom_metadata")) {
        return PAIR_METADATA;
    }
    if (edda_text_is(filter->filter_type, "scope")) {
        return PAIR_SCOPE;
    }
    if (edda_text_is(filter->field, "title")) {
        return PAIR_TITLE;
    }
    if (edda_text_is(filter->field, "source")) {
        return PAIR_SOURCE;
    }
    return edda_text_is(filter->field, "tags") ? PAIR_TAG : PAIR_REFERENCE;
}

static int compile_condition(const struct edda_store_filter *filter, struct condition *condition) {
    condition->comparison = find_comparison(filter->operator_name);
    condition->kind = find_kind(filter);
    condition->values = calloc(filter->values.count + 1, sizeof *condition->values);
    if (!condition->values) {
        return EDDA_E_MEMORY;
    }
    bool named = condition->kind == PAIR_METADATA || condition->kind == PAIR_SCOPE;
    struct edda_text key = named ? filter->field : (struct edda_text){"", 0};
    int error = copy_text(key, false, &condition->key);
    for (size_t i = 0; !error && i < filter->values.count; i++) {
        condition->value_count = i + 1;
        error = copy_text(filter->values.items[i], condition->comparison == COMPARE_CONTAINS,
                          &condition->values[i]);
    }
    return error;
}

int edda_filter_new(const struct edda_store_filters *filters, edda_filter_t **ret_filter) {
    *ret_filter = NULL;
    if (filters->count == 0) {
        return 0;
    }
    for (size_t i = 0; i < filters->count; i++) {
        if (edda_filter_check(&filters->items[i])) {
            return EDDA_E_INVALID;
        }
    }
    edda_filter_t *self = calloc(1, sizeof *self);
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->conditions = calloc(filters->count, sizeof *self->conditions);
    int error = self->conditions ? 0 : EDDA_E_MEMORY;
    for (size_t i = 0; !error && i < filters->count; i++) {
        self->count = i + 1;
        error = compile_condition(&filters->items[i], &self->conditions[i]);
    }
    if (error) {
        edda_filter_destroy(&self);
        return error;
    }
    *ret_filter = self;
    return 0;
}

static bool has_within(struct edda_text text, struct edda_text part) {
    return part.size == 0 ||
           (text.size >= part.size && memmem(text.data, text.size, part.data, part.size));
}

static bool is_ascii(struct edda_text text) {
    unsigned char seen = 0;
    for (size_t i = 0; i < text.size; i++) {
        seen |= (unsigned char)text.data[i];
    }
    return seen < 0x80;
}

/* part is folded already; ASCII, the common case, is compared without copying. */
static bool has_within_folded(struct edda_text text, struct edda_text part) {
    if (is_ascii(text)) {
        for (size_t at = 0; at + part.size <= text.size; at++) {
            size_t same = 0;
            while (same < part.size && (text.data[at + same] >= 'A' && text.data[at + same] <= 'Z'
                                            ? text.data[at + same] + 32
                                            : text.data[at + same]) == part.data[same]) {
                same++;
            }
            if (same == part.size) {
                return true;
            }
        }
        return false;
    }
    size_t size;
    char *folded = fold_text(text, &size);
    bool found =
        folded ? has_within((struct edda_text){folded, size}, part) : has_within(text, part);
    free(folded);
    return found;
}

static bool is_listed(const struct condition *condition, struct edda_text value) {
    for (size_t i = 0; i < condition->value_count; i++) {
        if (edda_text_equal(condition->values[i], value)) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct condition *condition, struct edda_text value) {
    struct edda_text wanted = condition->value_count ? condition->values[0] : (struct edda_text){0};
    switch (condition->comparison) {
    case COMPARE_EQ:
    case COMPARE_IN:
        return is_listed(condition, value);
    case COMPARE_NEQ:
    case COMPARE_NOT_IN:
        return !is_listed(condition, value);
    case COMPARE_CONTAINS:
        return has_within_folded(value, wanted);
    case COMPARE_STARTS:
        return value.size >= wanted.size &&
               (wanted.size == 0 || memcmp(value.data, wanted.data, wanted.size) == 0);
    case COMPARE_ENDS:
        return value.size >= wanted.size &&
               (wanted.size == 0 ||
                memcmp(value.data + value.size - wanted.size, wanted.data, wanted.size) == 0);
    }
    return false;
}

static bool pass_condition(const struct condition *condition,
                           const struct edda_attributes *packed) {
    const uint8_t *at = (const uint8_t *)(packed + 1);
    const uint8_t *end = at + packed->pair_bytes;
    bool tags = condition->kind == PAIR_TAG;
    while (at < end) {
        const struct pair *pair = (const struct pair *)(const void *)at;
        const char *text = (const char *)(pair + 1);
        struct edda_text key = {text, pair->key_bytes};
        struct edda_text value = {text + pair->key_bytes, pair->value_bytes};
        at += pair->next;
        if (pair->kind != (uint32_t)condition->kind || !edda_text_equal(key, condition->key)) {
            continue;
        }
        if (!tags) {
            return holds(condition, value);
        }
        if (is_listed(condition, value)) {
            return condition->comparison == COMPARE_IN;
        }
    }
    return tags && condition->comparison == COMPARE_NOT_IN;
}

bool edda_filter_pass(const edda_filter_t *filter, const struct edda_attributes *packed) {
    for (size_t i = 0; filter && i < filter->count; i++) {
        if (!pass_condition(&filter->conditions[i], packed)) {
            return false;
        }
    }
    return true;
}
