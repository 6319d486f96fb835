/* tests/proto/test_credit.c: no credit, no send (G7), whatever order the grants come in. */
#include "proto/credit.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static void nothing_goes_without_credit(void **state) {
    (void)state;
    struct edda_credit credit = {0};
    assert_false(edda_credit_allows(&credit, 0));
    edda_credit_grant(&credit, 1, 0);
    assert_true(edda_credit_allows(&credit, 0));
    assert_false(edda_credit_allows(&credit, 1));
}

static void credit_is_counted_in_messages_and_in_bytes(void **state) {
    (void)state;
    struct edda_credit credit = {0};
    edda_credit_grant(&credit, 2, 100);
    edda_credit_spend(&credit, 60);
    assert_int_equal(edda_credit_left(&credit), 1);
    assert_false(edda_credit_allows(&credit, 41));
    assert_true(edda_credit_allows(&credit, 40));
    edda_credit_spend(&credit, 40);
    assert_int_equal(edda_credit_left(&credit), 0);
    edda_credit_grant(&credit, 2, 1000);
    assert_false(edda_credit_allows(&credit, 0));
}

static void a_repeated_or_lower_grant_changes_nothing(void **state) {
    (void)state;
    struct edda_credit credit = {0};
    assert_true(edda_credit_grant(&credit, 5, 500));
    assert_false(edda_credit_grant(&credit, 5, 500));
    assert_false(edda_credit_grant(&credit, 4, 400));
    assert_true(edda_credit_grant(&credit, 4, 600));
    assert_int_equal(credit.granted_messages, 5);
    assert_int_equal(credit.granted_bytes, 600);
}

static void the_largest_totals_do_not_overflow(void **state) {
    (void)state;
    struct edda_credit credit = {0};
    edda_credit_grant(&credit, UINT64_MAX, UINT64_MAX);
    edda_credit_spend(&credit, SIZE_MAX - 1);
    assert_true(edda_credit_allows(&credit, 1));
    assert_false(edda_credit_allows(&credit, 2));
    assert_false(edda_credit_allows(&credit, SIZE_MAX));
}

static void sent_never_passes_granted_in_a_million_steps(void **state) {
    (void)state;
    struct random random = {42};
    struct edda_credit credit = {0};
    uint64_t most_messages = 0;
    uint64_t most_bytes = 0;
    for (int step = 0; step < 1000000; step++) {
        if (random_below(&random, 4) == 0) {
            /* Totals near the present ones: some are older, as when grants are reordered. */
            uint64_t messages = most_messages + random_below(&random, 8);
            uint64_t bytes = most_bytes + random_below(&random, 4096);
            messages -= messages < 4 ? messages : 4;
            bytes -= bytes < 2048 ? bytes : 2048;
            most_messages = messages > most_messages ? messages : most_messages;
            most_bytes = bytes > most_bytes ? bytes : most_bytes;
            edda_credit_grant(&credit, messages, bytes);
        } else {
            size_t bytes = random_below(&random, 2048);
            bool fits = credit.sent_messages + 1 <= most_messages &&
                        credit.sent_bytes + bytes <= most_bytes;
            assert_int_equal(edda_credit_allows(&credit, bytes), fits);
            if (fits) {
                edda_credit_spend(&credit, bytes);
            }
        }
        assert_int_equal(credit.granted_messages, most_messages);
        assert_int_equal(credit.granted_bytes, most_bytes);
        assert_true(credit.sent_messages <= most_messages && credit.sent_bytes <= most_bytes);
    }
    assert_true(credit.sent_messages > 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_without_credit),
        cmocka_unit_test(credit_is_counted_in_messages_and_in_bytes),
        cmocka_unit_test(a_repeated_or_lower_grant_changes_nothing),
        cmocka_unit_test(the_largest_totals_do_not_overflow),
        cmocka_unit_test(sent_never_passes_granted_in_a_million_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
