/* tests/proto/test_error.c: the table of errors and its look-ups. */
#include "proto/error.h"
#include "tests/proto/cmocka.h"

static void a_code_is_the_negative_of_its_number(void **state) {
    (void)state;
    assert_int_equal(EDDA_E_MALFORMED, -1);
    assert_int_equal(EDDA_E_AGAIN, -29);
    assert_int_equal(edda_error_from_wire(5), EDDA_E_NOT_FOUND);
    assert_int_equal(edda_error_from_wire(30), EDDA_E_QUOTA);
}

static void a_number_this_build_does_not_know_is_internal(void **state) {
    (void)state;
    assert_int_equal(edda_error_from_wire(31), EDDA_E_INTERNAL);
    assert_int_equal(edda_error_from_wire(4294967295u), EDDA_E_INTERNAL);
    assert_int_equal(edda_error_from_wire(0), 0);
}

static void names_are_in_lower_case(void **state) {
    (void)state;
    assert_string_equal(edda_error_name(EDDA_E_NOT_FOUND), "not_found");
    assert_string_equal(edda_error_name(EDDA_E_UNKNOWN_SESSION), "unknown_session");
    assert_string_equal(edda_error_name(0), "ok");
    assert_string_equal(edda_error_name(-31), "unknown");
    assert_string_equal(edda_error_name(1), "unknown");
    assert_string_equal(edda_error_name(INT32_MIN), "unknown");
}

static void every_code_has_a_text_a_status_and_its_way_back(void **state) {
    (void)state;
#define EDDA_ERROR(name, number, http, text)                                                       \
    assert_string_equal(edda_error_text(EDDA_E_##name), text);                                     \
    assert_int_equal(edda_error_http(EDDA_E_##name), http);                                        \
    assert_int_equal(edda_error_from_wire(number), EDDA_E_##name);
#include "proto/error.def"
#undef EDDA_ERROR
    assert_int_equal(edda_error_http(0), 200);
    assert_int_equal(edda_error_http(-1000), 500);
    assert_string_equal(edda_error_text(-1000), "unknown error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_is_the_negative_of_its_number),
        cmocka_unit_test(a_number_this_build_does_not_know_is_internal),
        cmocka_unit_test(names_are_in_lower_case),
        cmocka_unit_test(every_code_has_a_text_a_status_and_its_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
