/* tests/gateway/test_limiter.c: the token bucket and the count of one key, and their table. */
#include "gateway/limiter.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static struct edda_key_tag tag_of(uint32_t number) {
    struct edda_key_tag tag = {{0}};
    memcpy(tag.bytes, &number, sizeof number); /* its first two bytes choose the set */
    return tag;
}

static enum edda_limiter_verdict ask(edda_limiter_t *limiter, uint32_t key, uint32_t rate,
                                     int64_t now_ms) {
    struct edda_key_tag tag = tag_of(key);
    const struct edda_key_limits limits = {.rate = rate};
    struct edda_limiter_answer answer = edda_limiter_enter(limiter, &tag, &limits, now_ms);
    edda_limiter_leave(limiter, answer.ticket);
    return answer.verdict;
}

static void a_key_without_limits_is_not_counted(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    const struct edda_key_limits none = {0};
    struct edda_key_tag tag = tag_of(1);
    char policy[EDDA_LIMITER_POLICY];
    char text[EDDA_LIMITER_POLICY];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct edda_limiter_answer answer = edda_limiter_enter(limiter, &tag, &none, 0);
        assert_int_equal(answer.verdict, EDDA_LIMITER_PASS);
        assert_int_equal(answer.ticket, EDDA_LIMITER_NO_TICKET);
        edda_limiter_headers(&none, &answer, policy, text);
    }
    assert_string_equal(policy, "");
    assert_string_equal(text, "");
    edda_limiter_destroy(&limiter);
    assert_null(limiter);
}

static void a_bucket_is_full_at_first_and_fills_at_its_rate(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(ask(limiter, 1, 60, 1000), EDDA_LIMITER_PASS);
    }
    assert_int_equal(ask(limiter, 1, 60, 1000), EDDA_LIMITER_RATE);
    assert_int_equal(ask(limiter, 1, 60, 1999), EDDA_LIMITER_RATE);
    assert_int_equal(ask(limiter, 1, 60, 2000), EDDA_LIMITER_PASS);
    assert_int_equal(ask(limiter, 1, 60, 2000), EDDA_LIMITER_RATE);
    assert_int_equal(ask(limiter, 2, 60, 2000), EDDA_LIMITER_PASS); /* another's */
    edda_limiter_destroy(&limiter);
}

/* Milliseconds too short for a thousandth of a request add up all the same. */
static void a_slow_rate_loses_nothing_by_being_asked_often(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    (void)state;
    assert_int_equal(ask(limiter, 1, 1, 0), EDDA_LIMITER_PASS);
    for (int64_t now_ms = 1; now_ms < 60000; now_ms++) {
        assert_int_equal(ask(limiter, 1, 1, now_ms), EDDA_LIMITER_RATE);
    }
    assert_int_equal(ask(limiter, 1, 1, 60000), EDDA_LIMITER_PASS);
    edda_limiter_destroy(&limiter);
}

static void no_minute_has_more_than_twice_the_rate(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        struct random random = {seed};
        edda_limiter_t *limiter = edda_limiter_new();
        uint32_t rate = 1 + (uint32_t)random_below(&random, 1000);
        int64_t now_ms = 0;
        uint64_t passed = 0;
        for (int i = 0; i < 20000; i++) {
            now_ms += (int64_t)random_below(&random, 40);
            passed += ask(limiter, 7, rate, now_ms) == EDDA_LIMITER_PASS;
            assert_true(passed * 60000 <= rate * (uint64_t)(now_ms + 60000));
        }
        /* And who asks all the time gets all of it. */
        assert_true(rate > 900 || (passed + 1) * 60000 >= rate * (uint64_t)now_ms);
        edda_limiter_destroy(&limiter);
    }
}

static void requests_open_at_once_are_counted(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    const struct edda_key_limits limits = {.rate = 100, .concurrency = 2};
    struct edda_key_tag tag = tag_of(1);
    (void)state;
    struct edda_limiter_answer first = edda_limiter_enter(limiter, &tag, &limits, 0);
    struct edda_limiter_answer second = edda_limiter_enter(limiter, &tag, &limits, 0);
    assert_int_equal(second.verdict, EDDA_LIMITER_PASS);
    assert_int_equal(second.open_left, 0);
    struct edda_limiter_answer third = edda_limiter_enter(limiter, &tag, &limits, 0);
    assert_int_equal(third.verdict, EDDA_LIMITER_BUSY);
    assert_int_equal(third.rate_left, 98); /* what is refused costs nothing */
    edda_limiter_leave(limiter, third.ticket);
    edda_limiter_leave(limiter, first.ticket);
    third = edda_limiter_enter(limiter, &tag, &limits, 0);
    assert_int_equal(third.verdict, EDDA_LIMITER_PASS);
    edda_limiter_leave(limiter, second.ticket);
    edda_limiter_leave(limiter, third.ticket);
    edda_limiter_destroy(&limiter);
}

static void a_limit_that_changes_holds_at_once(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask(limiter, 1, 10, 0), EDDA_LIMITER_PASS);
    }
    assert_int_equal(ask(limiter, 1, 10, 0), EDDA_LIMITER_RATE);
    assert_int_equal(ask(limiter, 1, 12, 0), EDDA_LIMITER_PASS);
    assert_int_equal(ask(limiter, 1, 12, 0), EDDA_LIMITER_PASS);
    assert_int_equal(ask(limiter, 1, 12, 0), EDDA_LIMITER_RATE);
    assert_int_equal(ask(limiter, 1, 5, 0), EDDA_LIMITER_RATE);
    edda_limiter_destroy(&limiter);
}

static void keys_that_are_busy_keep_their_places(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    const struct edda_key_limits limits = {.rate = 10};
    (void)state;
    /* All of one set: their first two bytes are the same. */
    for (uint32_t i = 0; i < 1000; i++) {
        struct edda_key_tag tag = tag_of(i << 16);
        struct edda_limiter_answer answer = edda_limiter_enter(limiter, &tag, &limits, 0);
        assert_int_equal(answer.verdict, EDDA_LIMITER_PASS);
        edda_limiter_leave(limiter, answer.ticket);
    }
    uint64_t unmetered = edda_limiter_unmetered(limiter);
    assert_true(unmetered > 0 && unmetered < 1000);
    /* The first ones are still counted, */
    for (int i = 0; i < 9; i++) {
        assert_int_equal(ask(limiter, 0, 10, 0), EDDA_LIMITER_PASS);
    }
    assert_int_equal(ask(limiter, 0, 10, 0), EDDA_LIMITER_RATE);
    /* and once they have been quiet for a minute others may have their places. */
    assert_int_equal(ask(limiter, 999 << 16, 10, 60000), EDDA_LIMITER_PASS);
    assert_int_equal(edda_limiter_unmetered(limiter), unmetered);
    edda_limiter_destroy(&limiter);
}

static void the_headers_say_what_is_left_and_when_there_is_more(void **state) {
    edda_limiter_t *limiter = edda_limiter_new();
    const struct edda_key_limits limits = {.rate = 6, .concurrency = 3};
    const struct edda_key_limits largest = {.rate = UINT32_MAX, .concurrency = UINT32_MAX};
    struct edda_key_tag tag = tag_of(1);
    char policy[EDDA_LIMITER_POLICY];
    char text[EDDA_LIMITER_POLICY];
    (void)state;
    struct edda_limiter_answer answer = edda_limiter_enter(limiter, &tag, &limits, 0);
    edda_limiter_headers(&limits, &answer, policy, text);
    assert_string_equal(policy,
                        "\"rate\";q=6;w=60, \"concurrency\";q=3;qu=\"concurrent-requests\"");
    assert_string_equal(text, "\"rate\";r=5;t=10, \"concurrency\";r=2");
    edda_limiter_leave(limiter, answer.ticket);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(limiter, 1, 6, 0), EDDA_LIMITER_PASS);
    }
    answer = edda_limiter_enter(limiter, &tag, &limits, 2001);
    assert_int_equal(answer.verdict, EDDA_LIMITER_RATE);
    assert_int_equal(answer.next_s, 8); /* 7.999, and never too early */
    answer = (struct edda_limiter_answer){.rate_left = UINT32_MAX, .open_left = UINT32_MAX};
    edda_limiter_headers(&largest, &answer, policy, text);
    assert_string_equal(policy + strlen(policy) - 20, "concurrent-requests\"");
    edda_limiter_destroy(&limiter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_without_limits_is_not_counted),
        cmocka_unit_test(a_bucket_is_full_at_first_and_fills_at_its_rate),
        cmocka_unit_test(a_slow_rate_loses_nothing_by_being_asked_often),
        cmocka_unit_test(no_minute_has_more_than_twice_the_rate),
        cmocka_unit_test(requests_open_at_once_are_counted),
        cmocka_unit_test(a_limit_that_changes_holds_at_once),
        cmocka_unit_test(keys_that_are_busy_keep_their_places),
        cmocka_unit_test(the_headers_say_what_is_left_and_when_there_is_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
