/* tests/actors/store/postgres/test_reconnect.c: back-off, its bounds and its jitter. */
#include <stdlib.h>

#include "actors/store/postgres/reconnect.h"
#include "tests/proto/cmocka.h"

#define EVENTS 1000000

static int64_t wait_after(uint32_t failures, bool refused, uint32_t random) {
    struct edda_reconnect reconnect = {.failures = failures};
    edda_reconnect_failed(&reconnect, refused, 1000, random);
    return reconnect.not_before_ms - 1000;
}

static void the_longest_wait_doubles_up_to_its_most_and_the_shortest_is_none(void **state) {
    static const int64_t longest[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    (void)state;
    for (uint32_t i = 0; i < sizeof longest / sizeof longest[0]; i++) {
        assert_int_equal(wait_after(i, false, UINT32_MAX), longest[i]);
        assert_int_equal(wait_after(i, false, 0), 0);
    }
    assert_int_equal(wait_after(UINT32_MAX, false, UINT32_MAX), EDDA_RECONNECT_MOST_MS);
}

static void waits_are_spread_evenly(void **state) {
    size_t thirds[3] = {0};
    (void)state;
    srand(7);
    for (int i = 0; i < 30000; i++) {
        uint32_t random = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        int64_t wait_ms = wait_after(20, false, random);
        thirds[wait_ms * 3 / (EDDA_RECONNECT_MOST_MS + 1)]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(thirds[i], 9500, 10500);
    }
}

static void a_refusal_waits_at_least_half_the_most(void **state) {
    (void)state;
    assert_int_equal(wait_after(0, true, 0), EDDA_RECONNECT_MOST_MS / 2);
    assert_int_equal(wait_after(0, true, UINT32_MAX), EDDA_RECONNECT_MOST_MS);
}

static void a_success_begins_anew(void **state) {
    struct edda_reconnect reconnect = {.failures = 9, .refused = true};
    (void)state;
    edda_reconnect_succeeded(&reconnect);
    assert_int_equal(reconnect.failures, 0);
    assert_false(reconnect.refused);
}

static void a_connection_that_stood_may_come_back_soon(void **state) {
    struct edda_reconnect reconnect = {0};
    (void)state;
    edda_reconnect_lost(&reconnect, EDDA_RECONNECT_STOOD_MS, 1000, UINT32_MAX);
    assert_int_equal(reconnect.not_before_ms, 1000 + EDDA_RECONNECT_FIRST_MS);
    assert_int_equal(reconnect.failures, 0);
}

static void a_connection_that_never_stands_long_is_a_failure(void **state) {
    struct edda_reconnect reconnect = {.failures = 5};
    (void)state;
    edda_reconnect_lost(&reconnect, EDDA_RECONNECT_STOOD_MS - 1, 1000, UINT32_MAX);
    assert_int_equal(reconnect.failures, 6);
    assert_int_equal(reconnect.not_before_ms, 1000 + 1600);
}

static void those_that_fall_together_count_once(void **state) {
    struct edda_reconnect reconnect = {0};
    (void)state;
    edda_reconnect_failed(&reconnect, false, 1000, UINT32_MAX);
    for (int i = 0; i < 10; i++) {
        edda_reconnect_failed(&reconnect, false, 1010, UINT32_MAX);
        edda_reconnect_lost(&reconnect, 1, 1010, UINT32_MAX);
        edda_reconnect_lost(&reconnect, 100000, 1010, UINT32_MAX);
    }
    assert_int_equal(reconnect.failures, 1);
    assert_int_equal(reconnect.not_before_ms, 1050);
}

static void a_million_random_events_never_set_a_far_time(void **state) {
    struct edda_reconnect reconnect = {0};
    unsigned seed = 42;
    int64_t now_ms = 1;
    (void)state;
    for (int i = 0; i < EVENTS; i++) {
        uint32_t random = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
        int64_t before_ms = reconnect.not_before_ms;
        now_ms += rand_r(&seed) % 2000;
        switch (rand_r(&seed) % 4) {
        case 0:
            edda_reconnect_succeeded(&reconnect);
            assert_int_equal(reconnect.failures, 0);
            break;
        case 1:
            edda_reconnect_lost(&reconnect, rand_r(&seed) % 3000, now_ms, random);
            break;
        default:
            edda_reconnect_failed(&reconnect, rand_r(&seed) % 3 == 0, now_ms, random);
            break;
        }
        assert_true(reconnect.not_before_ms <= now_ms + EDDA_RECONNECT_MOST_MS);
        assert_true(reconnect.not_before_ms >= before_ms);
        assert_true(reconnect.not_before_ms == before_ms || reconnect.not_before_ms >= now_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_wait_doubles_up_to_its_most_and_the_shortest_is_none),
        cmocka_unit_test(waits_are_spread_evenly),
        cmocka_unit_test(a_refusal_waits_at_least_half_the_most),
        cmocka_unit_test(a_success_begins_anew),
        cmocka_unit_test(a_connection_that_stood_may_come_back_soon),
        cmocka_unit_test(a_connection_that_never_stands_long_is_a_failure),
        cmocka_unit_test(those_that_fall_together_count_once),
        cmocka_unit_test(a_million_random_events_never_set_a_far_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
