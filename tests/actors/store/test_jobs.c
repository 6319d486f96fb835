/* tests/actors/store/test_jobs.c: the decisions of state table 5, without a database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/store/jobs.h"
#include "proto/envelope.h"
#include "proto/utf8.h"

#define NOW 1000000

static struct edda_job_row leased(void) {
    return (struct edda_job_row){
        .state = EDDA_JOB_LEASED, .attempts = 1, .token = 7, .lease_until_ms = NOW + 500};
}

static bool next(struct edda_job_row row, enum edda_job_event event, uint64_t token,
                 struct edda_job_row *ret_row) {
    struct edda_job_input input = {
        .event = event, .token = token, .now_ms = NOW, .lease_ms = 60000, .random = 0x80000000u};
    return edda_job_next(&row, &input, ret_row);
}

static void a_claim_counts_an_attempt_and_a_token(void **state) {
    (void)state;
    struct edda_job_row row = {.state = EDDA_JOB_READY, .token = 3, .run_at_ms = NOW};
    struct edda_job_row after;
    assert_true(next(row, EDDA_JOB_CLAIM, 0, &after));
    assert_int_equal(after.state, EDDA_JOB_LEASED);
    assert_int_equal(after.token, 4);
    assert_int_equal(after.attempts, 1);
    assert_int_equal(after.lease_until_ms, NOW + 60000);
}

static void a_claim_waits_for_run_at_and_for_the_lease(void **state) {
    (void)state;
    struct edda_job_row after;
    struct edda_job_row row = {.state = EDDA_JOB_READY, .run_at_ms = NOW + 1};
    assert_false(next(row, EDDA_JOB_CLAIM, 0, &after));
    row = leased();
    row.lease_until_ms = NOW;
    assert_false(next(row, EDDA_JOB_CLAIM, 0, &after));
    row.lease_until_ms = NOW - 1;
    assert_true(next(row, EDDA_JOB_CLAIM, 0, &after));
    assert_int_equal(after.token, 8);
}

static void every_report_needs_the_token_and_a_lease(void **state) {
    (void)state;
    static const enum edda_job_event events[] = {
        EDDA_JOB_COMMIT, EDDA_JOB_PROGRESS, EDDA_JOB_RETURNED, EDDA_JOB_OUTSIDE,
        EDDA_JOB_FAILED, EDDA_JOB_DIED,     EDDA_JOB_UNSERVED};
    struct edda_job_row after;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        assert_false(next(leased(), events[i], 6, &after));
        assert_int_equal(after.token, 7);
        assert_true(next(leased(), events[i], 7, &after));
        for (int other = EDDA_JOB_READY; other <= EDDA_JOB_DEAD; other++) {
            struct edda_job_row row = leased();
            row.state = (enum edda_job_state)other;
            assert_true(next(row, events[i], 7, &after) == (other == EDDA_JOB_LEASED));
        }
    }
}

static void a_failure_nobody_is_to_blame_for_gives_the_attempt_back(void **state) {
    (void)state;
    struct edda_job_row after;
    assert_true(next(leased(), EDDA_JOB_OUTSIDE, 7, &after));
    assert_int_equal(after.state, EDDA_JOB_READY);
    assert_int_equal(after.attempts, 0);
    assert_int_equal(after.delays, 1);
    assert_true(after.run_at_ms > NOW);
}

/* Its pause is its pump's: with thousands in the backlog each would sleep for itself, and longer
 * each time that a worker is started again. */
static void a_job_that_nobody_serves_keeps_its_place_and_its_patience(void **state) {
    (void)state;
    struct edda_job_row row = leased();
    struct edda_job_row after;
    row.delays = 3;
    row.run_at_ms = NOW - 5000;
    assert_true(next(row, EDDA_JOB_UNSERVED, 7, &after));
    assert_int_equal(after.state, EDDA_JOB_READY);
    assert_int_equal(after.attempts, row.attempts - 1);
    assert_int_equal(after.deaths, row.deaths);
    assert_int_equal(after.delays, 3);
    assert_int_equal(after.run_at_ms, NOW - 5000);
    assert_true(next(after, EDDA_JOB_CLAIM, 0, &after));
}

static void the_pause_of_a_kind_nobody_serves_doubles_to_two_seconds(void **state) {
    (void)state;
    static const int64_t most_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
    for (uint32_t i = 0; i < sizeof most_ms / sizeof most_ms[0]; i++) {
        assert_int_equal(edda_job_unserved_ms(i + 1, 0), most_ms[i]);
        assert_int_equal(edda_job_unserved_ms(i + 1, UINT32_MAX), most_ms[i] - most_ms[i] / 2);
    }
    assert_int_equal(edda_job_unserved_ms(UINT32_MAX, 0), 2000);
}

static void an_outage_never_makes_a_job_sleep_for_minutes(void **state) {
    (void)state;
    struct edda_job_row row = leased();
    struct edda_job_row after;
    row.delays = 30;
    assert_true(next(row, EDDA_JOB_OUTSIDE, 7, &after));
    assert_true(after.run_at_ms <= NOW + 32000);
}

static void an_outage_before_makes_no_failure_s_pause_longer(void **state) {
    (void)state;
    static const enum edda_job_event events[] = {EDDA_JOB_FAILED, EDDA_JOB_DIED};
    for (size_t i = 0; i < 2; i++) {
        struct edda_job_row row = leased();
        struct edda_job_row after;
        row.delays = 30;
        assert_true(next(row, events[i], 7, &after));
        assert_true(after.run_at_ms <= NOW + 1000);
        assert_int_equal(after.delays, 30);
        row.attempts = EDDA_JOB_ATTEMPTS - 1;
        assert_true(next(row, events[i], 7, &after));
        assert_true(after.run_at_ms > NOW + 1000);
        assert_true(after.run_at_ms <= NOW + 8000);
    }
}

static void the_last_attempt_is_followed_by_death(void **state) {
    (void)state;
    struct edda_job_row row = leased();
    struct edda_job_row after;
    row.attempts = EDDA_JOB_ATTEMPTS - 1;
    assert_true(next(row, EDDA_JOB_FAILED, 7, &after));
    assert_int_equal(after.state, EDDA_JOB_READY);
    row.attempts = EDDA_JOB_ATTEMPTS;
    assert_true(next(row, EDDA_JOB_FAILED, 7, &after));
    assert_int_equal(after.state, EDDA_JOB_DEAD);
}

static void a_worker_s_death_makes_the_next_run_solo(void **state) {
    (void)state;
    struct edda_job_row row = leased();
    struct edda_job_row after;
    assert_true(next(row, EDDA_JOB_DIED, 7, &after));
    assert_true(after.solo);
    assert_int_equal(after.deaths, 1);
    assert_int_equal(after.state, EDDA_JOB_READY);
    row.deaths = EDDA_JOB_DEATHS - 1;
    assert_true(next(row, EDDA_JOB_DIED, 7, &after));
    assert_int_equal(after.state, EDDA_JOB_DEAD);
}

static void retry_after_is_obeyed_when_it_is_longer(void **state) {
    (void)state;
    struct edda_job_row row = leased();
    struct edda_job_row after;
    struct edda_job_input input = {
        .event = EDDA_JOB_OUTSIDE, .token = 7, .now_ms = NOW, .retry_after_ms = 90000};
    assert_true(edda_job_next(&row, &input, &after));
    assert_int_equal(after.run_at_ms, NOW + 90000);
}

static void the_back_off_doubles_up_to_five_minutes_with_full_jitter(void **state) {
    (void)state;
    assert_int_equal(edda_job_backoff_ms(0, 0), 0);
    assert_int_equal(edda_job_backoff_ms(0, UINT32_MAX), 1000);
    assert_int_equal(edda_job_backoff_ms(3, UINT32_MAX), 8000);
    assert_int_equal(edda_job_backoff_ms(9, UINT32_MAX), 300000);
    assert_int_equal(edda_job_backoff_ms(60, UINT32_MAX), 300000);
    assert_int_equal(edda_job_backoff_ms(3, 0x80000000u), 4000);
}

static void errors_become_events_by_code_and_then_by_blame(void **state) {
    (void)state;
    assert_int_equal(edda_job_event_of(EDDA_E_WORKER_DIED, EDDA_BLAME_JOB), EDDA_JOB_DIED);
    assert_int_equal(edda_job_event_of(EDDA_E_DRAINING, EDDA_BLAME_JOB), EDDA_JOB_RETURNED);
    assert_int_equal(edda_job_event_of(EDDA_E_BUSY, EDDA_BLAME_JOB), EDDA_JOB_OUTSIDE);
    assert_int_equal(edda_job_event_of(EDDA_E_NO_SERVICE, EDDA_BLAME_JOB), EDDA_JOB_UNSERVED);
    assert_int_equal(edda_job_event_of(EDDA_E_UNAVAILABLE, EDDA_BLAME_JOB), EDDA_JOB_OUTSIDE);
    assert_int_equal(edda_job_event_of(EDDA_E_IO, EDDA_BLAME_JOB), EDDA_JOB_OUTSIDE);
    assert_int_equal(edda_job_event_of(EDDA_E_FAILED, EDDA_BLAME_OUTSIDE), EDDA_JOB_OUTSIDE);
    assert_int_equal(edda_job_event_of(EDDA_E_FAILED, EDDA_BLAME_JOB), EDDA_JOB_FAILED);
    assert_int_equal(edda_job_event_of(EDDA_E_TIMEOUT, EDDA_BLAME_WORKER), EDDA_JOB_FAILED);
}

static void a_reason_is_kept_in_whole_characters_of_one_line(void **state) {
    (void)state;
    char kept[EDDA_JOB_REASON];
    char long_text[400];
    assert_int_equal(edda_job_reason(EDDA_TEXT("a\nb\x7f\tc"), kept), 6);
    assert_string_equal(kept, "a b  c");
    assert_int_equal(edda_job_reason((struct edda_text){"a\0b", 3}, kept), 3);
    assert_string_equal(kept, "a b");
    assert_int_equal(edda_job_reason((struct edda_text){NULL, 0}, kept), 0);
    memset(long_text, 'a', sizeof long_text);
    assert_int_equal(edda_job_reason((struct edda_text){long_text, 255}, kept), 255);
    assert_int_equal(edda_job_reason((struct edda_text){long_text, 256}, kept), 255);
    for (size_t i = 0; i < sizeof long_text; i += 2) {
        memcpy(long_text + i, "\u00fc", 2);
    }
    assert_int_equal(edda_job_reason((struct edda_text){long_text, 400}, kept), 254);
    assert_true(edda_utf8_valid(kept, 254));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_counts_an_attempt_and_a_token),
        cmocka_unit_test(a_claim_waits_for_run_at_and_for_the_lease),
        cmocka_unit_test(every_report_needs_the_token_and_a_lease),
        cmocka_unit_test(a_failure_nobody_is_to_blame_for_gives_the_attempt_back),
        cmocka_unit_test(a_job_that_nobody_serves_keeps_its_place_and_its_patience),
        cmocka_unit_test(the_pause_of_a_kind_nobody_serves_doubles_to_two_seconds),
        cmocka_unit_test(an_outage_never_makes_a_job_sleep_for_minutes),
        cmocka_unit_test(an_outage_before_makes_no_failure_s_pause_longer),
        cmocka_unit_test(the_last_attempt_is_followed_by_death),
        cmocka_unit_test(a_worker_s_death_makes_the_next_run_solo),
        cmocka_unit_test(retry_after_is_obeyed_when_it_is_longer),
        cmocka_unit_test(the_back_off_doubles_up_to_five_minutes_with_full_jitter),
        cmocka_unit_test(errors_become_events_by_code_and_then_by_blame),
        cmocka_unit_test(a_reason_is_kept_in_whole_characters_of_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
