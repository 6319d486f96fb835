/* tests/actors/provider/test_limit.c: concurrency, rate and breaker as a function of events and
 * time. */
#include "actors/provider/limit.h"

#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static struct edda_limit limit;
static uint32_t turn;
static int64_t wait_ms;

static void begin(uint32_t maximum, uint32_t per_minute) {
    edda_limit_init(&limit, maximum, per_minute, 1000);
}

static bool admit(int64_t now_ms) {
    return edda_limit_admit(&limit, now_ms, &turn, &wait_ms);
}

static void end(enum edda_outcome outcome, int64_t retry_after_ms, int64_t now_ms) {
    edda_limit_end(&limit, turn, outcome, retry_after_ms, now_ms, 0);
}

static void run(enum edda_outcome outcome, int64_t retry_after_ms, int64_t now_ms) {
    assert_true(admit(now_ms));
    end(outcome, retry_after_ms, now_ms);
}

static void as_many_run_as_are_allowed_and_no_more(void **state) {
    (void)state;
    begin(3, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(admit(1000));
    }
    assert_false(admit(1000));
    assert_int_equal(wait_ms, -1);
    end(EDDA_OUTCOME_GOOD, 0, 1001);
    assert_true(admit(1001));
}

static void a_refusal_halves_what_is_allowed_and_successes_give_it_back_one_by_one(void **state) {
    (void)state;
    begin(8, 0);
    run(EDDA_OUTCOME_REFUSED, 0, 2000);
    assert_int_equal(limit.allowed, 4);
    run(EDDA_OUTCOME_REFUSED, 0, 2500); /* the same storm */
    assert_int_equal(limit.allowed, 4);
    run(EDDA_OUTCOME_REFUSED, 0, 3000);
    assert_int_equal(limit.allowed, 2);
    for (int i = 0; i < 2; i++) {
        run(EDDA_OUTCOME_GOOD, 0, 3100);
    }
    assert_int_equal(limit.allowed, 3);
    for (int i = 0; i < 1000; i++) {
        run(EDDA_OUTCOME_GOOD, 0, 3200);
    }
    assert_int_equal(limit.allowed, 8);
}

static void failures_in_a_row_open_it_and_a_success_in_between_does_not(void **state) {
    (void)state;
    begin(8, 0);
    for (int i = 0; i < EDDA_LIMIT_FAILURES - 1; i++) {
        run(EDDA_OUTCOME_FAILED, 0, 2000);
    }
    run(EDDA_OUTCOME_GOOD, 0, 2000);
    for (int i = 0; i < EDDA_LIMIT_FAILURES - 1; i++) {
        run(EDDA_OUTCOME_FAILED, 0, 2000);
    }
    assert_int_equal(limit.state, EDDA_LIMIT_CLOSED);
    run(EDDA_OUTCOME_FAILED, 0, 2000);
    assert_int_equal(limit.state, EDDA_LIMIT_OPEN);
    assert_int_equal(edda_limit_window(&limit, 2000), 0);
    assert_false(admit(2000));
    assert_in_range(wait_ms, EDDA_LIMIT_OPEN_MIN_MS / 2, EDDA_LIMIT_OPEN_MIN_MS);
}

static void open_now(int64_t now_ms) {
    begin(8, 0);
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        run(EDDA_OUTCOME_FAILED, 0, now_ms);
    }
}

static void when_its_time_is_over_one_call_tries_and_its_success_closes_it(void **state) {
    (void)state;
    open_now(2000);
    int64_t after_ms = 2000 + EDDA_LIMIT_OPEN_MIN_MS;
    assert_int_equal(edda_limit_window(&limit, after_ms), 1);
    assert_true(admit(after_ms));
    assert_int_equal(limit.state, EDDA_LIMIT_HALF_OPEN);
    assert_false(admit(after_ms));
    end(EDDA_OUTCOME_GOOD, 0, after_ms);
    assert_int_equal(limit.state, EDDA_LIMIT_CLOSED);
    assert_int_equal(edda_limit_window(&limit, after_ms), 4); /* back with care */
}

static void a_probe_is_one_and_others_are_told_to_wait_for_it(void **state) {
    (void)state;
    open_now(2000);
    int64_t after_ms = 2000 + EDDA_LIMIT_OPEN_MIN_MS;
    assert_int_equal(edda_limit_closed_ms(&limit, after_ms), 0);
    assert_true(admit(after_ms));
    assert_int_equal(edda_limit_closed_ms(&limit, after_ms + 60000), EDDA_LIMIT_OPEN_MIN_MS);
    assert_int_equal(edda_limit_window(&limit, after_ms + 60000), 1);
    assert_false(admit(after_ms + 60000));
    assert_int_equal(wait_ms, -1);
}

static void a_timeout_halves_as_a_refusal_does_and_counts_as_a_failure(void **state) {
    (void)state;
    begin(8, 0);
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        assert_int_equal(limit.state, EDDA_LIMIT_CLOSED);
        run(EDDA_OUTCOME_TIMEOUT, 0, 2000);
    }
    assert_int_equal(limit.allowed, 4);
    assert_int_equal(limit.state, EDDA_LIMIT_OPEN);
}

static void a_probe_that_fails_opens_it_for_longer_up_to_a_bound(void **state) {
    (void)state;
    int64_t now_ms = 2000;
    int64_t longest_ms = 0;
    open_now(now_ms);
    for (int i = 0; i < 20; i++) {
        int64_t closed_ms = edda_limit_closed_ms(&limit, now_ms);
        assert_true(closed_ms <= EDDA_LIMIT_OPEN_MAX_MS);
        assert_true(closed_ms >= longest_ms);
        longest_ms = closed_ms;
        now_ms += closed_ms;
        assert_true(admit(now_ms));
        end(EDDA_OUTCOME_FAILED, 0, now_ms);
    }
    assert_int_equal(longest_ms,
                     EDDA_LIMIT_OPEN_MAX_MS / 2); /* random 0: the least of its jitter */
    now_ms += longest_ms;
    assert_true(admit(now_ms));
    end(EDDA_OUTCOME_DROPPED, 0, now_ms);
    assert_int_equal(limit.state, EDDA_LIMIT_HALF_OPEN); /* a call we dropped says nothing */
}

static void calls_that_left_before_it_opened_do_not_open_it_again(void **state) {
    (void)state;
    begin(16, 0);
    for (int i = 0; i < 16; i++) {
        assert_true(admit(2000));
    }
    for (int i = 0; i < 16; i++) {
        end(EDDA_OUTCOME_FAILED, 0, 2000);
    }
    assert_int_equal(limit.opened, 1);
    assert_int_equal(edda_limit_closed_ms(&limit, 2000), EDDA_LIMIT_OPEN_MIN_MS / 2);
}

/* A stream of minutes, say, or a call that hangs until its own clock ends it. */
static void
a_call_that_outlives_the_opening_neither_blocks_the_probe_nor_speaks_for_it(void **state) {
    (void)state;
    begin(8, 0);
    assert_true(admit(2000));
    assert_true(admit(2000));
    uint32_t old_turn = turn;
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        run(EDDA_OUTCOME_FAILED, 0, 2000);
    }
    int64_t after_ms = 2000 + EDDA_LIMIT_OPEN_MIN_MS;
    assert_true(admit(after_ms));
    edda_limit_end(&limit, old_turn, EDDA_OUTCOME_GOOD, 0, after_ms, 0);
    assert_int_equal(limit.state, EDDA_LIMIT_HALF_OPEN);
    edda_limit_end(&limit, old_turn, EDDA_OUTCOME_TIMEOUT, 0, after_ms, 0);
    assert_int_equal(limit.state, EDDA_LIMIT_HALF_OPEN);
    assert_false(admit(after_ms));
    end(EDDA_OUTCOME_GOOD, 0, after_ms);
    assert_int_equal(limit.state, EDDA_LIMIT_CLOSED);
    assert_int_equal(limit.running, 0);
}

static void a_probe_never_makes_more_run_than_the_maximum(void **state) {
    (void)state;
    begin(EDDA_LIMIT_FAILURES + 1, 0);
    for (int i = 0; i < EDDA_LIMIT_FAILURES + 1; i++) {
        assert_true(admit(2000));
    }
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        end(EDDA_OUTCOME_FAILED, 0, 2000);
    }
    limit.running = limit.maximum; /* all of them hang */
    assert_false(admit(9000));
    assert_int_equal(wait_ms, -1);
    end(EDDA_OUTCOME_DROPPED, 0, 9000);
    assert_true(admit(9000));
}

static void a_provider_that_says_when_is_left_alone_until_then(void **state) {
    (void)state;
    begin(8, 0);
    run(EDDA_OUTCOME_REFUSED, 7000, 2000);
    assert_int_equal(edda_limit_closed_ms(&limit, 2000), 7000);
    assert_int_equal(limit.state, EDDA_LIMIT_CLOSED);
    assert_false(admit(8999));
    assert_int_equal(wait_ms, 1);
    assert_true(admit(9000));
    end(EDDA_OUTCOME_REFUSED, INT64_MAX / 4, 9000);
    assert_int_equal(edda_limit_closed_ms(&limit, 9000), EDDA_LIMIT_HOLD_MAX_MS);
}

static void a_rate_spreads_calls_over_the_minute(void **state) {
    (void)state;
    int admitted = 0;
    begin(100, 120); /* two a second */
    for (int64_t now_ms = 1000; now_ms < 61000; now_ms += 10) {
        if (admit(now_ms)) {
            admitted++;
            end(EDDA_OUTCOME_GOOD, 0, now_ms);
        }
    }
    assert_in_range(admitted, 120, 122);
    begin(100, 30); /* one in two seconds */
    assert_true(admit(1000));
    assert_false(admit(1000));
    assert_in_range(wait_ms, 1999, 2001);
    assert_true(admit(1000 + wait_ms));
}

static void the_backoff_doubles_to_its_maximum_with_full_jitter(void **state) {
    (void)state;
    assert_int_equal(edda_limit_backoff_ms(1, 0), 0);
    for (uint32_t tries = 1; tries < 40; tries++) {
        int64_t most_ms = EDDA_LIMIT_RETRY_MIN_MS << (tries < 8 ? tries - 1 : 7);
        most_ms = most_ms < EDDA_LIMIT_RETRY_MAX_MS ? most_ms : EDDA_LIMIT_RETRY_MAX_MS;
        int64_t highest_ms = 0;
        struct random random = {tries};
        for (int i = 0; i < 20000; i++) {
            int64_t backoff_ms =
                edda_limit_backoff_ms(tries, (uint32_t)random_below(&random, UINT32_MAX));
            assert_in_range(backoff_ms, 0, most_ms);
            highest_ms = backoff_ms > highest_ms ? backoff_ms : highest_ms;
        }
        assert_true(highest_ms > most_ms * 9 / 10);
    }
}

static void retry_after_is_read_in_both_forms(void **state) {
    (void)state;
    const int64_t wall_ms = INT64_C(1700000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("7"), wall_ms), 7000);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("0"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tue, 14 Nov 2023 22:13:25 GMT"), wall_ms),
                     5000);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tue, 14 Nov 2023 22:13:15 GMT"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("soon"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("-5"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms((struct edda_text){NULL, 0}, wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tuesday, 14-Nov-23 22:13:25 GMT"), wall_ms),
                     5000);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tue Nov 14 22:13:25 2023"), wall_ms), 5000);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tue, 14 Nov 2023 22:13:25 CET"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("Tue, 14 Nov 2023"), wall_ms), 0);
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("7 seconds"), wall_ms), 0);
}

static void a_retry_after_beyond_all_sense_is_cut(void **state) {
    (void)state;
    static const char *const values[] = {"1000001", "999999999", "99999999999999999999",
                                         "Tue, 14 Nov 9999 22:13:25 GMT"};
    assert_int_equal(edda_retry_after_ms(EDDA_TEXT("1000000"), 0), EDDA_LIMIT_FAR_MS);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(edda_retry_after_ms(edda_text_of(values[i]), 0), EDDA_LIMIT_FAR_MS);
    }
}

#define MOST 12

struct play {
    struct random random;
    int64_t now_ms;
    uint32_t turns[MOST]; /* of what runs */
    uint32_t running;
};

static void end_one(struct play *play, enum edda_outcome outcome, int64_t retry_after_ms) {
    size_t which = random_below(&play->random, play->running);
    uint32_t its_turn = play->turns[which];
    play->turns[which] = play->turns[--play->running];
    edda_limit_end(&limit, its_turn, outcome, retry_after_ms, play->now_ms,
                   (uint32_t)random_next(&play->random));
}

static void end_any(struct play *play) {
    enum edda_outcome outcome =
        (enum edda_outcome)random_below(&play->random, EDDA_OUTCOME_DROPPED + 1);
    bool says_when = outcome == EDDA_OUTCOME_REFUSED && random_below(&play->random, 2);
    end_one(play, outcome, says_when ? (int64_t)random_below(&play->random, 100000) : 0);
}

static void try_one(struct play *play) {
    enum edda_limit_state before = limit.state;
    uint32_t window = edda_limit_window(&limit, play->now_ms);
    if (admit(play->now_ms)) {
        assert_true(window > 0 && play->running < MOST);
        assert_true(before != EDDA_LIMIT_CLOSED || play->running < limit.allowed);
        assert_true(limit.state != EDDA_LIMIT_OPEN);
        play->turns[play->running++] = turn;
    } else {
        assert_true(wait_ms == -1 || wait_ms > 0);
        assert_true(wait_ms != -1 || play->running > 0);
        assert_in_range(wait_ms + 1, 0, EDDA_LIMIT_HOLD_MAX_MS + 1);
    }
}

/* Waiting as long as is said, and ending something when that is said, a call is let through. */
static void get_one_through(struct play *play) {
    for (int steps = 0; !admit(play->now_ms); steps++) {
        assert_true(steps < MOST + 3);
        if (wait_ms > 0) {
            play->now_ms += wait_ms;
        } else {
            end_one(play, EDDA_OUTCOME_DROPPED, 0);
        }
    }
    play->turns[play->running++] = turn;
}

/* Whatever happens: bounds hold, and from every state time and endings lead back to a call. */
static void half_a_million_random_events_keep_the_rules_and_never_get_stuck(void **state) {
    (void)state;
    static const uint32_t rates[] = {0, 7, 600, 100000};
    size_t opened = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct play play = {.random = {seed}, .now_ms = 1000};
        begin(1 + (uint32_t)random_below(&play.random, MOST), rates[seed % 4]);
        for (int i = 0; i < 25000; i++) {
            play.now_ms += (int64_t)random_below(&play.random, i % 500 < 400 ? 40 : 4000);
            if (play.running > 0 && random_below(&play.random, 2)) {
                end_any(&play);
            } else if (random_below(&play.random, 50) == 0) {
                get_one_through(&play);
            } else {
                try_one(&play);
            }
            opened += limit.state == EDDA_LIMIT_OPEN;
            assert_int_equal(limit.running, play.running);
            assert_in_range(limit.allowed, 1, limit.maximum);
            assert_true(limit.running <= limit.maximum);
            assert_true(!limit.probing || limit.state == EDDA_LIMIT_HALF_OPEN);
            assert_true(limit.open_until_ms - play.now_ms <= EDDA_LIMIT_OPEN_MAX_MS);
            assert_in_range(edda_limit_closed_ms(&limit, play.now_ms), 0, EDDA_LIMIT_HOLD_MAX_MS);
        }
    }
    assert_true(opened > 1000); /* the play has been everywhere */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_run_as_are_allowed_and_no_more),
        cmocka_unit_test(a_refusal_halves_what_is_allowed_and_successes_give_it_back_one_by_one),
        cmocka_unit_test(failures_in_a_row_open_it_and_a_success_in_between_does_not),
        cmocka_unit_test(when_its_time_is_over_one_call_tries_and_its_success_closes_it),
        cmocka_unit_test(a_probe_that_fails_opens_it_for_longer_up_to_a_bound),
        cmocka_unit_test(calls_that_left_before_it_opened_do_not_open_it_again),
        cmocka_unit_test(
            a_call_that_outlives_the_opening_neither_blocks_the_probe_nor_speaks_for_it),
        cmocka_unit_test(a_probe_never_makes_more_run_than_the_maximum),
        cmocka_unit_test(a_probe_is_one_and_others_are_told_to_wait_for_it),
        cmocka_unit_test(a_timeout_halves_as_a_refusal_does_and_counts_as_a_failure),
        cmocka_unit_test(a_provider_that_says_when_is_left_alone_until_then),
        cmocka_unit_test(a_rate_spreads_calls_over_the_minute),
        cmocka_unit_test(the_backoff_doubles_to_its_maximum_with_full_jitter),
        cmocka_unit_test(retry_after_is_read_in_both_forms),
        cmocka_unit_test(a_retry_after_beyond_all_sense_is_cut),
        cmocka_unit_test(half_a_million_random_events_keep_the_rules_and_never_get_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
