/* tests/actors/runtime/test_trace.c: trace context as the recommendation has it. */
#include "actors/runtime/trace.h"

#include "tests/proto/cmocka.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_child_keeps_trace_and_flags_and_has_its_own_span(void **state) {
    (void)state;
    char child[EDDA_TRACEPARENT];
    char sibling[EDDA_TRACEPARENT];
    edda_trace_child(EDDA_TEXT(PARENT), child);
    edda_trace_child(EDDA_TEXT(PARENT), sibling);
    assert_true(edda_trace_valid(edda_text_of(child)));
    assert_memory_equal(child, PARENT, 36);
    assert_memory_not_equal(child + 36, PARENT + 36, 16);
    assert_memory_not_equal(child + 36, sibling + 36, 16);
    assert_string_equal(child + 52, "-01");
    assert_true(
        edda_text_is(edda_trace_id(edda_text_of(child)), "0af7651916cd43dd8448eb211c80319c"));
}

static void what_is_invalid_begins_a_new_trace(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    };
    char child[EDDA_TRACEPARENT];
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_false(edda_trace_valid(edda_text_of(invalid[i])));
        edda_trace_child(edda_text_of(invalid[i]), child);
        assert_true(edda_trace_valid(edda_text_of(child)));
        assert_memory_not_equal(child, PARENT, 36);
    }
    assert_false(edda_trace_valid((struct edda_text){NULL, 0}));
}

static void a_later_version_is_read_by_its_first_fields(void **state) {
    (void)state;
    assert_true(edda_trace_valid(
        EDDA_TEXT("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_keeps_trace_and_flags_and_has_its_own_span),
        cmocka_unit_test(what_is_invalid_begins_a_new_trace),
        cmocka_unit_test(a_later_version_is_read_by_its_first_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
