/* tests/gateway/test_uri.c: targets, escapes, parameters. */
#include <stdlib.h>

#include "gateway/uri.h"
#include "tests/proto/cmocka.h"

static struct edda_arena arena;

static int start(void **state) {
    (void)state;
    edda_arena_init(&arena, 65536);
    return 0;
}

static int stop(void **state) {
    (void)state;
    edda_arena_done(&arena);
    return 0;
}

static void control_characters_make_a_target_unclean(void **state) {
    (void)state;
    assert_true(edda_uri_clean(EDDA_TEXT("/a?b=c%20d")));
    assert_false(edda_uri_clean(EDDA_TEXT("/a b")));
    assert_false(edda_uri_clean(EDDA_TEXT("/a\tb")));
    assert_false(edda_uri_clean(EDDA_TEXT("/a\0b")));
    assert_false(edda_uri_clean(EDDA_TEXT("/a\x7f")));
    assert_false(edda_uri_clean(EDDA_TEXT("")));
}

static void a_target_is_split_at_the_first_question_mark(void **state) {
    struct edda_text path;
    struct edda_text query;
    (void)state;
    edda_uri_split(EDDA_TEXT("/a?b?c#d?e"), &path, &query);
    assert_true(edda_text_is(path, "/a"));
    assert_true(edda_text_is(query, "b?c"));
    edda_uri_split(EDDA_TEXT("/a"), &path, &query);
    assert_true(edda_text_is(path, "/a"));
    assert_null(query.data);
    edda_uri_split(EDDA_TEXT("/a?"), &path, &query);
    assert_non_null(query.data);
    assert_int_equal(query.size, 0);
}

static void expect_decoded(const char *raw, bool plus, const char *wanted) {
    struct edda_text text;
    assert_int_equal(edda_uri_decode(edda_text_of(raw), plus, &arena, &text), 0);
    assert_true(edda_text_is(text, wanted));
}

static void escapes_become_bytes(void **state) {
    (void)state;
    expect_decoded("a%2Fb%20c+d", false, "a/b c+d");
    expect_decoded("a%2fb+c", true, "a/b c");
    expect_decoded("%C3%A4", false, "\xc3\xa4");
    expect_decoded("", false, "");
}

static void broken_escapes_nul_and_bad_utf8_are_refused(void **state) {
    static const char *const bad[] = {"%", "%4", "%zz", "a%0", "%00", "a%00b", "%ff", "%c3"};
    struct edda_text text;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(edda_uri_decode(edda_text_of(bad[i]), false, &arena, &text),
                         EDDA_E_INVALID);
    }
}

static void expect_parameter(const char *query, const char *name, const char *wanted) {
    struct edda_text value;
    assert_int_equal(edda_uri_parameter(edda_text_of(query), name, &arena, &value), 0);
    if (wanted) {
        assert_true(edda_text_is(value, wanted));
        assert_non_null(value.data);
    } else {
        assert_null(value.data);
    }
}

static void the_first_parameter_of_a_name_counts(void **state) {
    (void)state;
    expect_parameter("page=2&page_size=3", "page", "2");
    expect_parameter("page=2&page_size=3", "page_size", "3");
    expect_parameter("a=1&a=2", "a", "1");
    expect_parameter("a&b=1", "a", "");
    expect_parameter("a=", "a", "");
    expect_parameter("&&a=x%20y+z&", "a", "x y z");
    expect_parameter("a=b=c", "a", "b=c");
    expect_parameter("ab=1", "a", NULL);
    expect_parameter("", "a", NULL);
    expect_parameter(NULL, "a", NULL);
}

static void expect_number(const char *text, bool found, int64_t wanted) {
    int64_t number;
    assert_int_equal(edda_uri_number(edda_text_of(text), &number), found);
    if (found) {
        assert_int_equal(number, wanted);
    }
}

static void numbers_are_read_as_parse_int_reads_them(void **state) {
    (void)state;
    expect_number("12", true, 12);
    expect_number(" 7abc", true, 7);
    expect_number("-1", true, -1);
    expect_number("+3.9", true, 3);
    expect_number("0", true, 0);
    expect_number("99999999999999999999", true, 1000000000);
    expect_number("abc", false, 0);
    expect_number("", false, 0);
    expect_number("-", false, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_make_a_target_unclean),
        cmocka_unit_test(a_target_is_split_at_the_first_question_mark),
        cmocka_unit_test(escapes_become_bytes),
        cmocka_unit_test(broken_escapes_nul_and_bad_utf8_are_refused),
        cmocka_unit_test(the_first_parameter_of_a_name_counts),
        cmocka_unit_test(numbers_are_read_as_parse_int_reads_them),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
