/* tests/gateway/test_search_fields.c: coercions of limit and query, refusals of filters. */
#include <stdio.h>

#include "gateway/search_fields.h"
#include "proto/limits.h"
#include "tests/gateway/fields.h"

static struct edda_search_fields fields;

static void expect(const char *text, const char *wanted) {
    const char *message = NULL;
    parse(text);
    int error = edda_search_check(json, &arena, &fields, &message);
    expect_words(text, error, message, wanted);
}

static void a_query_is_required(void **state) {
    (void)state;
    expect(NULL, "Query is required");
    expect("{}", "Query is required");
    expect("[]", "Query is required");
    expect("{\"query\":\"\"}", "Query is required");
    expect("{\"query\":null}", "Query is required");
    expect("{\"query\":[\"a\"]}", "Query is required");
    expect("{\"query\":5}", NULL);
    assert_true(edda_text_is(fields.query, "5"));
    assert_int_equal(fields.limit, 10);
}

static void expect_limit(const char *value, uint32_t limit, const char *wanted) {
    char text[128];
    (void)snprintf(text, sizeof text, "{\"query\":\"q\",\"limit\":%s}", value);
    expect(text, wanted);
    if (!wanted) {
        assert_int_equal(fields.limit, limit);
    }
}

static void limits_are_coerced_and_bounded(void **state) {
    (void)state;
    expect_limit("0", 10, NULL);
    expect_limit("null", 10, NULL);
    expect_limit("\"\"", 10, NULL);
    expect_limit("\"2\"", 2, NULL);
    expect_limit("1.5", 2, NULL);
    expect_limit("0.2", 1, NULL);
    expect_limit("50", 50, NULL);
    expect_limit("51", 0, "Limit must be less than or equal to 50");
    expect_limit("1e300", 0, "Limit must be less than or equal to 50");
    expect_limit("\"51\"", 0, "Limit must be less than or equal to 50");
    expect_limit("-1", 0, "Limit must be greater than or equal to 1");
    expect_limit("\"abc\"", 0, "Limit must be a number");
    expect_limit("\"2x\"", 0, "Limit must be a number");
    expect_limit("[]", 0, "Limit must be a number");
    expect_limit("true", 0, "Limit must be a number");
}

static void expect_filter(const char *filter, const char *wanted) {
    char text[512];
    char message[256];
    (void)snprintf(text, sizeof text, "{\"query\":\"q\",\"filters\":[%s]}", filter);
    (void)snprintf(message, sizeof message, "Invalid filter: %s", wanted ? wanted : "");
    expect(text, wanted ? message : NULL);
}

#define FILTER(field, operator, value, type)                                                       \
    "{\"field\":\"" field "\",\"operator\":\"" operator"\",\"value\":" value                       \
                                                       ",\"filter_type\":\"" type "\"}"

static void filters_are_refused_in_the_contracts_words(void **state) {
    static const char missing[] = "Filter must have field, operator, value, and filter_type";
    (void)state;
    expect("{\"query\":\"q\",\"filters\":{}}", "Filters must be a list");
    expect("{\"query\":\"q\",\"filters\":\"x\"}", "Filters must be a list");
    expect("{\"query\":\"q\",\"filters\":null}", NULL);
    expect_filter("{}", missing);
    expect_filter("7", missing);
    expect_filter("{\"field\":\"title\",\"operator\":\"eq\",\"filter_type\":\"native_field\"}",
                  missing);
    expect_filter(FILTER("title", "like", "\"x\"", "native_field"),
                  "Invalid operator. Must be one of: eq, neq, contains, startswith, endswith, in, "
                  "not_in");
    expect_filter(FILTER("title", "eq", "\"x\"", "field"),
                  "Invalid filter type. Must be one of: native_field, custom_metadata, scope");
    expect_filter(FILTER("uuid", "eq", "\"x\"", "native_field"),
                  "Invalid field for native_field filter. Must be one of: title, source, "
                  "client_reference_id, tags");
    expect_filter(FILTER("title", "in", "\"x\"", "native_field"),
                  "Value must be a list for in or not_in operators");
    expect_filter(FILTER("tags", "eq", "\"x\"", "native_field"),
                  "Value must be a list for tags filter");
    expect_filter(FILTER("tags", "in", "[1]", "native_field"),
                  "Value must be a list of strings for tags filter");
    expect_filter(FILTER("tags", "eq", "[\"x\"]", "native_field"),
                  "Operator must be in or not_in for tags filter");
}

static void values_are_compared_as_text(void **state) {
    (void)state;
    expect_filter(FILTER("level", "eq", "7", "custom_metadata"), NULL);
    assert_int_equal(fields.filters.count, 1);
    assert_true(edda_text_is(fields.filters.items[0].values.items[0], "7"));
    expect_filter(FILTER("level", "eq", "7.0", "custom_metadata"), NULL);
    assert_true(edda_text_is(fields.filters.items[0].values.items[0], "7"));
    expect_filter(FILTER("level", "eq", "0.1", "custom_metadata"), NULL);
    assert_true(edda_text_is(fields.filters.items[0].values.items[0], "0.1"));
    expect_filter(FILTER("ok", "eq", "true", "scope"), NULL);
    assert_true(edda_text_is(fields.filters.items[0].values.items[0], "true"));
    expect_filter(FILTER("level", "in", "[7,\"a\"]", "custom_metadata"), NULL);
    assert_int_equal(fields.filters.items[0].values.count, 2);
    assert_true(edda_text_is(fields.filters.items[0].values.items[1], "a"));
    expect_filter(FILTER("tags", "not_in", "[]", "native_field"), NULL);
    assert_int_equal(fields.filters.items[0].values.count, 0);
}

#define SOME_FILTER FILTER("title", "eq", "\"x\"", "native_field")

/* before, middle as often as that, after. */
static void expect_many(const char *before, const char *middle, size_t times, const char *after,
                        const char *wanted) {
    struct edda_buffer text;
    edda_buffer_init(&text, (size_t)1 << 20);
    assert_int_equal(edda_buffer_append_text(&text, before), 0);
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(edda_buffer_append_text(&text, middle), 0);
    }
    assert_int_equal(edda_buffer_append(&text, after, strlen(after) + 1), 0);
    expect((const char *)text.data, wanted);
    edda_buffer_done(&text);
}

static void a_query_is_bounded_on_both_sides(void **state) {
    (void)state;
    expect_many("{\"query\":\"", "x", EDDA_MAX_QUERY_BYTES, "\"}", NULL);
    assert_int_equal(fields.query.size, EDDA_MAX_QUERY_BYTES);
    expect_many("{\"query\":\"", "x", EDDA_MAX_QUERY_BYTES + 1, "\"}",
                "Query must be 16384 bytes or less");
}

static void filters_are_bounded_on_both_sides(void **state) {
    static const char too_long[] =
        "Invalid filter: Value must have at most 256 entries of at most 4096 bytes";
    static const char begin[] = "{\"query\":\"q\",\"filters\":[";
    static const char values[] = "{\"query\":\"q\",\"filters\":[{\"field\":\"title\",\"operator\":"
                                 "\"in\",\"filter_type\":\"native_field\",\"value\":[";
    static const char field[] = "{\"query\":\"q\",\"filters\":[{\"operator\":\"eq\",\"value\":1,"
                                "\"filter_type\":\"scope\",\"field\":\"";
    (void)state;
    expect_many(begin, SOME_FILTER ",", EDDA_MAX_FILTERS - 1, SOME_FILTER "]}", NULL);
    assert_int_equal(fields.filters.count, EDDA_MAX_FILTERS);
    expect_many(begin, SOME_FILTER ",", EDDA_MAX_FILTERS, SOME_FILTER "]}",
                "Filters must have at most 32 entries");
    expect_many(values, "\"v\",", EDDA_MAX_FILTER_VALUES - 1, "\"v\"]}]}", NULL);
    assert_int_equal(fields.filters.items[0].values.count, EDDA_MAX_FILTER_VALUES);
    expect_many(values, "\"v\",", EDDA_MAX_FILTER_VALUES, "\"v\"]}]}", too_long);
    expect_many(field, "f", 1024, "\"}]}", NULL);
    expect_many(field, "f", 1025, "\"}]}", "Invalid filter: Field must be 1024 bytes or less");
}

static void the_values_of_a_filter_are_bounded_on_both_sides(void **state) {
    static const char begin[] =
        "{\"query\":\"q\",\"filters\":[{\"field\":\"f\",\"operator\":\"eq\","
        "\"filter_type\":\"scope\",\"value\":\"";
    (void)state;
    expect_many(begin, "v", 4096, "\"}]}", NULL);
    assert_int_equal(fields.filters.items[0].values.items[0].size, 4096);
    expect_many(begin, "v", 4097, "\"}]}",
                "Invalid filter: Value must have at most 256 entries of at most 4096 bytes");
}

static void comparing_with_null_finds_nothing(void **state) {
    (void)state;
    expect_filter(FILTER("level", "eq", "null", "custom_metadata"), NULL);
    assert_true(fields.nothing);
    expect_filter(FILTER("level", "eq", "1", "custom_metadata"), NULL);
    assert_false(fields.nothing);
}

static void an_offset_and_its_limit_stay_within_what_the_store_gives(void **state) {
    (void)state;
    expect("{\"query\":\"q\",\"limit\":50,\"offset\":150}", NULL);
    assert_int_equal(fields.offset, 150);
    expect("{\"query\":\"q\",\"offset\":\"7\"}", NULL);
    assert_int_equal(fields.offset, 7);
    expect("{\"query\":\"q\",\"offset\":null}", NULL);
    assert_int_equal(fields.offset, 0);
    expect("{\"query\":\"q\",\"limit\":50,\"offset\":151}",
           "Offset and limit must be less than or equal to 200 together");
    expect("{\"query\":\"q\",\"offset\":-1}", "Offset must be a number from 0");
    expect("{\"query\":\"q\",\"offset\":\"x\"}", "Offset must be a number from 0");
}

static void assemble_is_a_boolean_or_absent(void **state) {
    (void)state;
    expect("{\"query\":\"q\",\"assemble\":true}", NULL);
    assert_true(fields.assemble);
    expect("{\"query\":\"q\",\"assemble\":null}", NULL);
    assert_false(fields.assemble);
    expect("{\"query\":\"q\"}", NULL);
    assert_false(fields.assemble);
    expect("{\"query\":\"q\",\"assemble\":\"true\"}", "Assemble must be a boolean");
    expect("{\"query\":\"q\",\"assemble\":1}", "Assemble must be a boolean");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_is_required, start, stop),
        cmocka_unit_test_setup_teardown(limits_are_coerced_and_bounded, start, stop),
        cmocka_unit_test_setup_teardown(filters_are_refused_in_the_contracts_words, start, stop),
        cmocka_unit_test_setup_teardown(values_are_compared_as_text, start, stop),
        cmocka_unit_test_setup_teardown(a_query_is_bounded_on_both_sides, start, stop),
        cmocka_unit_test_setup_teardown(filters_are_bounded_on_both_sides, start, stop),
        cmocka_unit_test_setup_teardown(the_values_of_a_filter_are_bounded_on_both_sides, start,
                                        stop),
        cmocka_unit_test_setup_teardown(comparing_with_null_finds_nothing, start, stop),
        cmocka_unit_test_setup_teardown(assemble_is_a_boolean_or_absent, start, stop),
        cmocka_unit_test_setup_teardown(an_offset_and_its_limit_stay_within_what_the_store_gives,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
