/* proto/filter.c: the contract's rules for filters, in the order the contract reports them. */
#include "proto/filter.h"

static bool is_one_of(struct edda_text text, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (edda_text_is(text, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_list_operator(struct edda_text name) {
    return edda_text_is(name, "in") || edda_text_is(name, "not_in");
}

const char *edda_filter_check_shape(const struct edda_store_filter *filter,
                                    enum edda_filter_shape shape) {
    static const char *const operators[] = {"eq",       "neq", "contains", "startswith",
                                            "endswith", "in",  "not_in"};
    static const char *const types[] = {"native_field", "custom_metadata", "scope"};
    static const char *const natives[] = {"title", "source", "client_reference_id", "tags"};
    bool listed = shape == EDDA_FILTER_STRINGS || shape == EDDA_FILTER_LIST;

    if (filter->field.size == 0 || filter->operator_name.size == 0 ||
        filter->filter_type.size == 0 || shape == EDDA_FILTER_ABSENT) {
        return "Filter must have field, operator, value, and filter_type";
    }
    if (!is_one_of(filter->operator_name, operators, sizeof operators / sizeof *operators)) {
        return "Invalid operator. Must be one of: eq, neq, contains, startswith, endswith, in, "
               "not_in";
    }
    if (!is_one_of(filter->filter_type, types, sizeof types / sizeof *types)) {
        return "Invalid filter type. Must be one of: native_field, custom_metadata, scope";
    }
    bool native = edda_text_is(filter->filter_type, "native_field");
    if (native && !is_one_of(filter->field, natives, sizeof natives / sizeof *natives)) {
        return "Invalid field for native_field filter. Must be one of: title, source, "
               "client_reference_id, tags";
    }
    if (is_list_operator(filter->operator_name) && !listed) {
        return "Value must be a list for in or not_in operators";
    }
    if (native && edda_text_is(filter->field, "tags")) {
        if (!listed) {
            return "Value must be a list for tags filter";
        }
        if (shape == EDDA_FILTER_LIST) {
            return "Value must be a list of strings for tags filter";
        }
        if (!is_list_operator(filter->operator_name)) {
            return "Operator must be in or not_in for tags filter";
        }
    }
    return NULL;
}

const char *edda_filter_check(const struct edda_store_filter *filter) {
    enum edda_filter_shape shape = EDDA_FILTER_STRINGS;
    if (!is_list_operator(filter->operator_name)) {
        shape = filter->values.count == 1 ? EDDA_FILTER_SCALAR : EDDA_FILTER_ABSENT;
    }
    return edda_filter_check_shape(filter, shape);
}
