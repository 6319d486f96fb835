/* gateway/search_fields.c: coercions as JavaScript makes them, refusals as the contract words them.
 */
#include "gateway/search_fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/filter.h"
#include "proto/limits.h"

#define DEFAULT_LIMIT   10
#define MAX_VALUE_BYTES 4096
#define MAX_FIELD_BYTES 1024
#define INVALID_FILTER  "Invalid filter: "

static int refuse(const char **ret_message, const char *message) {
    *ret_message = message;
    return EDDA_E_INVALID;
}

/* A string, or a number's text; absent for what JavaScript calls falsy and for composites. */
int edda_search_check_query(const json_t *body, struct edda_arena *arena,
                            struct edda_text *ret_query, const char **ret_message) {
    const json_t *value = json_object_get(body, "query");
    *ret_query = edda_read_string(value);
    bool number = json_is_number(value) && json_number_value(value) != 0;
    if (number || json_is_true(value)) {
        int error = edda_read_compact(value, EDDA_MAX_QUERY_BYTES, arena, ret_query);
        if (error) {
            return error;
        }
    }
    if (ret_query->size == 0) {
        return refuse(ret_message, "Query is required");
    }
    if (ret_query->size > EDDA_MAX_QUERY_BYTES) {
        return refuse(ret_message, "Query must be 16384 bytes or less");
    }
    return 0;
}

/* JavaScript's Number(text); NaN when it is none. */
static double number_of(struct edda_text text) {
    char digits[64];
    char *end;
    if (text.size >= sizeof digits) {
        return NAN;
    }
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    if (strspn(digits, " \t\r\n0123456789+-.eE") != text.size) {
        return NAN;
    }
    double number = strtod(digits, &end);
    return end[strspn(end, " \t\r\n")] == '\0' && end != digits ? number : NAN;
}

/* A field as JavaScript would make a number of it: 0 for what it calls falsy, else NaN. */
static double read_number(const json_t *value) {
    struct edda_text text = edda_read_string(value);
    if (json_is_number(value)) {
        return json_number_value(value);
    }
    if (text.size > 0) {
        return number_of(text);
    }
    return !value || json_is_null(value) || json_is_false(value) || text.data ? 0 : NAN;
}

static int check_limit(const json_t *body, struct edda_search_fields *fields,
                       const char **ret_message) {
    double number = read_number(json_object_get(body, "limit"));
    if (isnan(number)) {
        return refuse(ret_message, "Limit must be a number");
    }
    if (number > EDDA_MAX_SEARCH_LIMIT) {
        return refuse(ret_message, "Limit must be less than or equal to 50");
    }
    if (number < 0) {
        return refuse(ret_message, "Limit must be greater than or equal to 1");
    }
    fields->limit = number == 0 ? DEFAULT_LIMIT : (uint32_t)lround(number);
    fields->limit = fields->limit == 0 ? 1 : fields->limit;
    return 0;
}

static int check_offset(const json_t *body, struct edda_search_fields *fields,
                        const char **ret_message) {
    double number = read_number(json_object_get(body, "offset"));
    if (isnan(number) || number < 0) {
        return refuse(ret_message, "Offset must be a number from 0");
    }
    if (number + fields->limit > EDDA_MAX_CANDIDATES) {
        return refuse(ret_message, "Offset and limit must be less than or equal to 200 together");
    }
    fields->offset = (uint32_t)lround(number);
    return 0;
}

/* What a value is compared as: a string's characters, anything else's JSON text. */
static int read_value(const json_t *value, struct edda_arena *arena, struct edda_text *ret_text) {
    *ret_text = edda_read_string(value);
    if (ret_text->data) {
        return ret_text->size > MAX_VALUE_BYTES ? EDDA_E_LIMIT : 0;
    }
    return edda_read_compact(value, MAX_VALUE_BYTES, arena, ret_text);
}

static enum edda_filter_shape shape_of(const json_t *value) {
    if (!value) {
        return EDDA_FILTER_ABSENT;
    }
    if (!json_is_array(value)) {
        return EDDA_FILTER_SCALAR;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i))) {
            return EDDA_FILTER_LIST;
        }
    }
    return EDDA_FILTER_STRINGS;
}

static int read_values(const json_t *value, bool scalar, struct edda_arena *arena,
                       struct edda_texts *ret_values) {
    size_t count = scalar ? 1 : json_array_size(value);
    if (count > EDDA_MAX_FILTER_VALUES) {
        return EDDA_E_LIMIT;
    }
    struct edda_text *items = edda_arena_take(arena, (count + 1) * sizeof *items);
    if (!items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        int error = read_value(scalar ? value : json_array_get(value, i), arena, &items[i]);
        if (error) {
            return error;
        }
    }
    *ret_values = (struct edda_texts){items, count};
    return 0;
}

static int refuse_filter(struct edda_arena *arena, const char *why, const char **ret_message) {
    size_t size = strlen(why);
    char *message = edda_arena_take(arena, sizeof INVALID_FILTER + size);
    if (!message) {
        return EDDA_E_MEMORY;
    }
    memcpy(message, INVALID_FILTER, sizeof INVALID_FILTER - 1);
    memcpy(message + sizeof INVALID_FILTER - 1, why, size);
    return refuse(ret_message, message);
}

static int check_filter(const json_t *source, struct edda_arena *arena,
                        struct edda_store_filter *filter, bool *ret_nothing,
                        const char **ret_message) {
    const json_t *value = json_object_get(source, "value");
    enum edda_filter_shape shape = shape_of(value);
    filter->field = edda_read_string(json_object_get(source, "field"));
    filter->operator_name = edda_read_string(json_object_get(source, "operator"));
    filter->filter_type = edda_read_string(json_object_get(source, "filter_type"));

    const char *why = edda_filter_check_shape(filter, shape);
    if (why) {
        return refuse_filter(arena, why, ret_message);
    }
    if (filter->field.size > MAX_FIELD_BYTES) {
        return refuse_filter(arena, "Field must be 1024 bytes or less", ret_message);
    }
    bool listed =
        edda_text_is(filter->operator_name, "in") || edda_text_is(filter->operator_name, "not_in");
    int error = read_values(value, !listed, arena, &filter->values);
    if (error == EDDA_E_LIMIT) {
        return refuse_filter(arena, "Value must have at most 256 entries of at most 4096 bytes",
                             ret_message);
    }
    *ret_nothing = *ret_nothing || (!listed && json_is_null(value));
    return error;
}

int edda_search_check_filters(const json_t *body, struct edda_arena *arena,
                              struct edda_store_filters *ret_filters, bool *ret_nothing,
                              const char **ret_message) {
    const json_t *value = json_object_get(body, "filters");
    size_t count = json_array_size(value);
    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!json_is_array(value)) {
        return refuse(ret_message, "Filters must be a list");
    }
    if (count > EDDA_MAX_FILTERS) {
        return refuse(ret_message, "Filters must have at most 32 entries");
    }
    struct edda_store_filter *items = edda_arena_take(arena, (count + 1) * sizeof *items);
    if (!items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        int error =
            check_filter(json_array_get(value, i), arena, &items[i], ret_nothing, ret_message);
        if (error) {
            return error;
        }
    }
    *ret_filters = (struct edda_store_filters){items, count};
    return 0;
}

static int check_assemble(const json_t *body, struct edda_search_fields *fields,
                          const char **ret_message) {
    const json_t *value = json_object_get(body, "assemble");
    if (value && !json_is_boolean(value) && !json_is_null(value)) {
        return refuse(ret_message, "Assemble must be a boolean");
    }
    fields->assemble = json_is_true(value);
    return 0;
}

int edda_search_check(const json_t *body, struct edda_arena *arena,
                      struct edda_search_fields *ret_fields, const char **ret_message) {
    *ret_fields = (struct edda_search_fields){0};
    int error = edda_search_check_query(body, arena, &ret_fields->query, ret_message);
    if (!error) {
        error = check_limit(body, ret_fields, ret_message);
    }
    if (!error) {
        error = check_offset(body, ret_fields, ret_message);
    }
    if (!error) {
        error = edda_search_check_filters(body, arena, &ret_fields->filters, &ret_fields->nothing,
                                          ret_message);
    }
    if (!error) {
        error = check_assemble(body, ret_fields, ret_message);
    }
    return error;
}
