/* tests/actors/store/postgres/test_waiting.c: what a count of what waits is still good for. */
#include "actors/store/postgres/waiting.h"
#include "tests/proto/cmocka.h"

#define SECOND INT64_C(1000000)

static enum edda_pg_room room(const struct edda_pg_waiting *waiting, int64_t now_us) {
    return edda_pg_waiting_room(waiting, 10, false, now_us);
}

/* Counted from second 100 on, in took_us. */
static struct edda_pg_waiting counted(int64_t parts, int64_t took_us) {
    struct edda_pg_waiting waiting = {0};
    edda_pg_waiting_begin(&waiting, 0, 100 * SECOND);
    edda_pg_waiting_counted(&waiting, parts, 100 * SECOND + took_us);
    return waiting;
}

static void nothing_is_known_without_a_count(void **state) {
    struct edda_pg_waiting waiting = {0};
    (void)state;
    assert_int_equal(room(&waiting, 1), EDDA_PG_UNSURE);
    assert_int_equal(edda_pg_waiting_room(&waiting, 10, true, 1), EDDA_PG_UNSURE);
}

static void a_count_that_leaves_room_is_good_for_a_second(void **state) {
    struct edda_pg_waiting waiting = counted(9, 0);
    (void)state;
    assert_int_equal(room(&waiting, 101 * SECOND), EDDA_PG_ROOM);
    assert_int_equal(room(&waiting, 101 * SECOND + 1), EDDA_PG_UNSURE);
}

static void a_count_that_leaves_none_is_taken_again_after_ten_times_what_it_took(void **state) {
    struct edda_pg_waiting waiting = counted(10, 20);
    (void)state;
    assert_int_equal(room(&waiting, 100 * SECOND + 20 + 200), EDDA_PG_FULL);
    assert_int_equal(room(&waiting, 100 * SECOND + 20 + 201), EDDA_PG_UNSURE);
}

static void counts_that_take_long_are_rarer(void **state) {
    struct edda_pg_waiting waiting = counted(9, SECOND);
    (void)state;
    assert_int_equal(room(&waiting, 111 * SECOND), EDDA_PG_ROOM);
    assert_int_equal(room(&waiting, 111 * SECOND + 1), EDDA_PG_UNSURE);
    waiting = counted(10, SECOND);
    assert_int_equal(room(&waiting, 111 * SECOND), EDDA_PG_FULL);
    assert_int_equal(room(&waiting, 111 * SECOND + 1), EDDA_PG_UNSURE);
}

static void who_waited_for_a_count_gets_an_answer_however_old_it_is(void **state) {
    struct edda_pg_waiting waiting = counted(9, 5 * SECOND);
    (void)state;
    assert_int_equal(edda_pg_waiting_room(&waiting, 10, true, 200 * SECOND), EDDA_PG_ROOM);
    edda_pg_waiting_admit(&waiting, 1);
    assert_int_equal(edda_pg_waiting_room(&waiting, 10, true, 200 * SECOND), EDDA_PG_FULL);
}

static void what_is_admitted_while_a_count_goes_on_is_added_to_it(void **state) {
    struct edda_pg_waiting waiting = counted(3, 0);
    (void)state;
    edda_pg_waiting_admit(&waiting, 2);
    assert_int_equal(waiting.parts, 5);
    edda_pg_waiting_begin(&waiting, 1, 101 * SECOND);
    edda_pg_waiting_admit(&waiting, 4);
    assert_int_equal(waiting.parts, 9);
    edda_pg_waiting_counted(&waiting, 5, 101 * SECOND);
    assert_int_equal(waiting.parts, 5 + 1 + 4);
    assert_false(waiting.counting);
}

static void what_comes_to_nothing_is_taken_back_from_the_count_that_goes_on_too(void **state) {
    struct edda_pg_waiting waiting = counted(3, 0);
    (void)state;
    edda_pg_waiting_admit(&waiting, 2);
    edda_pg_waiting_begin(&waiting, 2, 101 * SECOND);
    edda_pg_waiting_withdraw(&waiting, 2);
    assert_int_equal(waiting.parts, 3);
    edda_pg_waiting_counted(&waiting, 4, 101 * SECOND);
    assert_int_equal(waiting.parts, 4);
}

static void a_count_that_fails_leaves_what_was_known(void **state) {
    struct edda_pg_waiting waiting = counted(3, 0);
    (void)state;
    edda_pg_waiting_begin(&waiting, 7, 100 * SECOND);
    edda_pg_waiting_failed(&waiting);
    assert_false(waiting.counting);
    assert_int_equal(room(&waiting, 101 * SECOND), EDDA_PG_ROOM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_without_a_count),
        cmocka_unit_test(a_count_that_leaves_room_is_good_for_a_second),
        cmocka_unit_test(a_count_that_leaves_none_is_taken_again_after_ten_times_what_it_took),
        cmocka_unit_test(counts_that_take_long_are_rarer),
        cmocka_unit_test(who_waited_for_a_count_gets_an_answer_however_old_it_is),
        cmocka_unit_test(what_is_admitted_while_a_count_goes_on_is_added_to_it),
        cmocka_unit_test(what_comes_to_nothing_is_taken_back_from_the_count_that_goes_on_too),
        cmocka_unit_test(a_count_that_fails_leaves_what_was_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
