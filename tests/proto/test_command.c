/* tests/proto/test_command.c: which commands there are and who may send them. */
#include "proto/command.h"
#include "tests/proto/cmocka.h"

static void a_command_has_its_name(void **state) {
    (void)state;
    assert_string_equal(edda_command_name(EDDA_HELLO), "HELLO");
    assert_string_equal(edda_command_name(EDDA_RESET), "RESET");
    assert_string_equal(edda_command_name(0), "?");
    assert_string_equal(edda_command_name(18), "?");
    assert_string_equal(edda_command_name(255), "?");
}

static void a_command_is_allowed_to_its_senders_only(void **state) {
    (void)state;
    assert_true(edda_command_allowed(EDDA_REQ, EDDA_FROM_CLIENT));
    assert_false(edda_command_allowed(EDDA_REQ, EDDA_FROM_WORKER | EDDA_FROM_BROKER));
    assert_true(edda_command_allowed(EDDA_DONE, EDDA_FROM_WORKER));
    assert_false(edda_command_allowed(EDDA_DONE, EDDA_FROM_CLIENT));
    assert_true(edda_command_allowed(EDDA_FAIL, EDDA_FROM_WORKER));
    assert_true(edda_command_allowed(EDDA_FAIL, EDDA_FROM_BROKER));
    assert_false(edda_command_allowed(EDDA_RESET, EDDA_FROM_CLIENT | EDDA_FROM_WORKER));
    assert_true(edda_command_allowed(EDDA_PING, EDDA_FROM_CLIENT));
}

static void a_number_that_is_no_command_is_allowed_to_nobody(void **state) {
    (void)state;
    assert_false(edda_command_allowed(0, ~0u));
    assert_false(edda_command_allowed(18, ~0u));
    assert_false(edda_command_allowed(255, ~0u));
    assert_false(edda_command_allowed(EDDA_REQ, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_has_its_name),
        cmocka_unit_test(a_command_is_allowed_to_its_senders_only),
        cmocka_unit_test(a_number_that_is_no_command_is_allowed_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
