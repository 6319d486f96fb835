#include "tests/actors/store/index/build.h"

#include "proto/filter.h"

static bool passes(const struct edda_memo_attributes *attributes, const char *type,
                   const char *field, const char *operator_name, struct edda_texts values) {
    struct edda_store_filter filter = {edda_text_of(field), edda_text_of(operator_name),
                                       edda_text_of(type), values};
    struct edda_store_filters filters = {&filter, 1};
    struct edda_attributes *packed;
    edda_filter_t *compiled;
    assert_int_equal(edda_attributes_pack(attributes, &packed), 0);
    assert_int_equal(edda_filter_new(&filters, &compiled), 0);
    bool passed = edda_filter_pass(compiled, packed);
    edda_filter_destroy(&compiled);
    free(packed);
    return passed;
}

static bool passes_one(const struct edda_memo_attributes *attributes, const char *type,
                       const char *field, const char *operator_name, const char *value) {
    struct edda_text text = edda_text_of(value);
    return passes(attributes, type, field, operator_name, (struct edda_texts){&text, 1});
}

#define VIEW(literal)                                                                              \
    { (literal), sizeof(literal) - 1 }

static const struct edda_memo_attributes memo = {
    .title = VIEW("Ärger im Büro 100%"),
    .source = VIEW("web_crawl"),
    .metadata = VIEW("{\"year\":7,\"rate\":7.5,\"third\":0.1,\"open\":true,\"none\":null,"
                     "\"name\":\"Ada\",\"list\":[1, 2]}"),
    .scopes = VIEW("{\"team\":\"red\"}"),
};

#define NATIVE "native_field"
#define META   "custom_metadata"

static void scalar_operators_mean_what_sql_means(void **state) {
    (void)state;
    assert_true(passes_one(&memo, NATIVE, "source", "eq", "web_crawl"));
    assert_false(passes_one(&memo, NATIVE, "source", "eq", "Web_crawl"));
    assert_true(passes_one(&memo, NATIVE, "source", "neq", "other"));
    assert_false(passes_one(&memo, NATIVE, "source", "neq", "web_crawl"));
    assert_true(passes_one(&memo, NATIVE, "source", "startswith", "web_"));
    assert_false(passes_one(&memo, NATIVE, "source", "startswith", "Web"));
    assert_true(passes_one(&memo, NATIVE, "source", "endswith", "crawl"));
    assert_false(passes_one(&memo, NATIVE, "source", "endswith", "web_crawl2"));
    assert_true(passes_one(&memo, NATIVE, "source", "contains", "B_CR"));
    assert_true(passes_one(&memo, NATIVE, "source", "contains", ""));
}

static void wildcards_are_plain_letters(void **state) {
    (void)state;
    assert_false(passes_one(&memo, NATIVE, "source", "startswith", "web%"));
    assert_false(passes_one(&memo, NATIVE, "source", "contains", "b.c"));
    assert_true(passes_one(&memo, NATIVE, "title", "endswith", "100%"));
    assert_false(passes_one(&memo, NATIVE, "source", "endswith", "_rawl"));
}

static void contains_folds_case_beyond_ascii(void **state) {
    (void)state;
    assert_true(passes_one(&memo, NATIVE, "title", "contains", "ÄRGER IM"));
    assert_true(passes_one(&memo, NATIVE, "title", "contains", "büro"));
    assert_false(passes_one(&memo, NATIVE, "title", "contains", "buro"));
}

static void negations_drop_nulls_except_for_tags(void **state) {
    (void)state;
    struct edda_text value = EDDA_TEXT("x");
    struct edda_texts one = {&value, 1};
    assert_false(passes_one(&memo, NATIVE, "client_reference_id", "neq", "x"));
    assert_false(passes(&memo, NATIVE, "client_reference_id", "not_in", one));
    assert_false(passes_one(&memo, META, "none", "neq", "x"));
    assert_false(passes_one(&memo, META, "missing", "neq", "x"));
    assert_true(passes(&memo, NATIVE, "tags", "not_in", one));
    assert_false(passes(&memo, NATIVE, "tags", "in", one));
}

static void metadata_compares_as_text(void **state) {
    (void)state;
    assert_true(passes_one(&memo, META, "year", "eq", "7"));
    assert_false(passes_one(&memo, META, "year", "eq", "7.0"));
    assert_true(passes_one(&memo, META, "rate", "eq", "7.5"));
    assert_true(passes_one(&memo, META, "third", "eq", "0.1"));
    assert_true(passes_one(&memo, META, "open", "eq", "true"));
    assert_true(passes_one(&memo, META, "list", "eq", "[1,2]"));
    assert_true(passes_one(&memo, META, "name", "contains", "aD"));
    assert_true(passes_one(&memo, "scope", "team", "eq", "red"));
    assert_false(passes_one(&memo, META, "team", "eq", "red"));
}

static void lists_work_on_every_field(void **state) {
    (void)state;
    struct edda_text values[] = {EDDA_TEXT("7"), EDDA_TEXT("web_crawl")};
    struct edda_texts both = {values, 2};
    assert_true(passes(&memo, META, "year", "in", both));
    assert_true(passes(&memo, NATIVE, "source", "in", both));
    assert_false(passes(&memo, NATIVE, "source", "not_in", both));
    assert_true(passes(&memo, "scope", "team", "not_in", both));
    assert_false(passes(&memo, META, "year", "in", (struct edda_texts){0}));
    assert_true(passes(&memo, META, "year", "not_in", (struct edda_texts){0}));
}

static void tags_in_means_any_and_not_in_means_none(void **state) {
    (void)state;
    struct edda_text tags[] = {EDDA_TEXT("python"), EDDA_TEXT("beginner")};
    struct edda_memo_attributes tagged = {.tags = {tags, 2}};
    struct edda_text wanted[] = {EDDA_TEXT("go"), EDDA_TEXT("python")};
    assert_true(passes(&tagged, NATIVE, "tags", "in", (struct edda_texts){wanted, 2}));
    assert_false(passes(&tagged, NATIVE, "tags", "in", (struct edda_texts){wanted, 1}));
    assert_false(passes(&tagged, NATIVE, "tags", "not_in", (struct edda_texts){wanted, 2}));
    assert_true(passes(&tagged, NATIVE, "tags", "not_in", (struct edda_texts){wanted, 1}));
}

static void every_condition_must_hold(void **state) {
    (void)state;
    struct edda_text values[] = {EDDA_TEXT("web_crawl"), EDDA_TEXT("8")};
    struct edda_store_filter items[] = {
        {EDDA_TEXT("source"), EDDA_TEXT("eq"), EDDA_TEXT(NATIVE), {&values[0], 1}},
        {EDDA_TEXT("year"), EDDA_TEXT("neq"), EDDA_TEXT(META), {&values[1], 1}}};
    struct edda_attributes *packed;
    edda_filter_t *compiled;
    assert_int_equal(edda_attributes_pack(&memo, &packed), 0);
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){items, 2}, &compiled), 0);
    assert_true(edda_filter_pass(compiled, packed));
    edda_filter_destroy(&compiled);
    values[1] = EDDA_TEXT("7");
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){items, 2}, &compiled), 0);
    assert_false(edda_filter_pass(compiled, packed));
    edda_filter_destroy(&compiled);
    free(packed);
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){0}, &compiled), 0);
    assert_null(compiled);
}

static void unreadable_metadata_has_no_keys(void **state) {
    (void)state;
    struct edda_memo_attributes broken = {.metadata = EDDA_TEXT("{\"a\":"),
                                          .scopes = EDDA_TEXT("[1]")};
    assert_false(passes_one(&broken, META, "a", "neq", "x"));
    assert_false(passes_one(&broken, "scope", "0", "eq", "1"));
}

static const char *check(const char *field, const char *operator_name, const char *type,
                         enum edda_filter_shape shape) {
    struct edda_store_filter filter = {
        edda_text_of(field), edda_text_of(operator_name), edda_text_of(type), {0}};
    return edda_filter_check_shape(&filter, shape);
}

static void refusals_use_the_contracts_words(void **state) {
    (void)state;
    static const char missing[] = "Filter must have field, operator, value, and filter_type";
    assert_string_equal(check(NULL, "eq", NATIVE, EDDA_FILTER_SCALAR), missing);
    assert_string_equal(check("title", NULL, NATIVE, EDDA_FILTER_SCALAR), missing);
    assert_string_equal(check("title", "eq", NULL, EDDA_FILTER_SCALAR), missing);
    assert_string_equal(check("title", "eq", NATIVE, EDDA_FILTER_ABSENT), missing);
    assert_string_equal(check("title", "like", "x", EDDA_FILTER_SCALAR),
                        "Invalid operator. Must be one of: eq, neq, contains, startswith, "
                        "endswith, in, not_in");
    assert_string_equal(check("title", "eq", "x", EDDA_FILTER_SCALAR),
                        "Invalid filter type. Must be one of: native_field, custom_metadata, "
                        "scope");
    assert_string_equal(check("content", "eq", NATIVE, EDDA_FILTER_SCALAR),
                        "Invalid field for native_field filter. Must be one of: title, source, "
                        "client_reference_id, tags");
    assert_string_equal(check("title", "in", NATIVE, EDDA_FILTER_SCALAR),
                        "Value must be a list for in or not_in operators");
    assert_string_equal(check("tags", "eq", NATIVE, EDDA_FILTER_SCALAR),
                        "Value must be a list for tags filter");
    assert_string_equal(check("tags", "in", NATIVE, EDDA_FILTER_LIST),
                        "Value must be a list of strings for tags filter");
    assert_string_equal(check("tags", "eq", NATIVE, EDDA_FILTER_STRINGS),
                        "Operator must be in or not_in for tags filter");
    assert_null(check("tags", "in", NATIVE, EDDA_FILTER_STRINGS));
    assert_null(check("anything", "in", META, EDDA_FILTER_LIST));
    assert_null(check("anything", "eq", "scope", EDDA_FILTER_SCALAR));
}

static void a_message_with_two_values_for_eq_is_refused(void **state) {
    (void)state;
    struct edda_text values[2] = {EDDA_TEXT("a"), EDDA_TEXT("b")};
    struct edda_store_filter filter = {
        EDDA_TEXT("title"), EDDA_TEXT("eq"), EDDA_TEXT(NATIVE), {values, 2}};
    edda_filter_t *compiled;
    assert_non_null(edda_filter_check(&filter));
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){&filter, 1}, &compiled),
                     EDDA_E_INVALID);
    filter.values.count = 1;
    assert_null(edda_filter_check(&filter));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_operators_mean_what_sql_means),
        cmocka_unit_test(wildcards_are_plain_letters),
        cmocka_unit_test(contains_folds_case_beyond_ascii),
        cmocka_unit_test(negations_drop_nulls_except_for_tags),
        cmocka_unit_test(metadata_compares_as_text),
        cmocka_unit_test(lists_work_on_every_field),
        cmocka_unit_test(tags_in_means_any_and_not_in_means_none),
        cmocka_unit_test(every_condition_must_hold),
        cmocka_unit_test(unreadable_metadata_has_no_keys),
        cmocka_unit_test(refusals_use_the_contracts_words),
        cmocka_unit_test(a_message_with_two_values_for_eq_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
