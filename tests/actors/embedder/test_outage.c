/* tests/actors/embedder/test_outage.c: jobs and a provider that refuses, errs, or is away. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "tests/actors/embedder/live_embedder.h"
#include "tests/proto/cmocka.h"

static const char *const plain[] = {NULL};

/* ---- nonsense ---- */

static void nonsense_is_an_error_with_its_reason(void **state) {
    static const struct {
        const char *settings;
        const char *reason;
    } cases[] = {
        {"{\"embed\":{\"wrong_dimension\":63}}", "a vector of another dimension"},
        {"{\"embed\":{\"wrong_count\":1}}", "a vector for no text"},
        {"{\"embed\":{\"wrong_count\":-1}}", "another number of vectors than texts"},
        {"{\"embed\":{\"nan\":true}}", "a value that is no number"},
        {"{\"embed\":{\"malformed_json\":true}}", "it is no JSON"},
        {"{\"embed\":{\"uneven\":true}}", "a vector of another dimension"},
        {"{\"embed\":{\"duplicate_index\":true}}", "two vectors for one text"},
    };
    struct edda_text items[2] = {EDDA_TEXT("mill"), EDDA_TEXT("wheel")};
    struct edda_embed_arguments arguments = {.texts = {items, 2}};
    for (uint8_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct live_role live;
        live_embedder_start(&live, *state,
                            (const char *const[]){"EMBEDDING_DIMENSION", "64", NULL});
        provider_process_set(live.provider, cases[i].settings);
        live_embedder_embed(&live, i, LIVE_URGENT, &arguments);
        const char *text = live_embedder_failure(&live, i, EDDA_E_FAILED, EDDA_BLAME_OUTSIDE, NULL);
        if (!strstr(text, cases[i].reason) || !strstr(text, "openai: the answer makes no sense")) {
            fail_msg("%s: %s", cases[i].settings, text);
        }
        assert_int_equal(live_embedder_requests(&live), 2); /* tried again */
        live_role_stop(&live);
    }
}

static void an_answer_that_does_not_come_is_an_error(void **state) {
    static const struct {
        const char *settings;
        int error;
    } cases[] = {
        {"{\"embed\":{\"close\":true}}", EDDA_E_UNAVAILABLE},
        {"{\"embed\":{\"half_body\":true}}", EDDA_E_UNAVAILABLE},
        {"{\"embed\":{\"hang\":true}}", EDDA_E_TIMEOUT},
    };
    for (uint8_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct live_role live;
        live_embedder_start(&live, *state,
                            (const char *const[]){"EDDA_PROVIDER_FIRST_BYTE_MS", "200", NULL});
        provider_process_set(live.provider, cases[i].settings);
        live_embedder_query(&live, i, "Where is the mill?");
        (void)live_embedder_failure(&live, i, cases[i].error, EDDA_BLAME_OUTSIDE, NULL);
        live_role_stop(&live);
    }
}

static void a_large_answer_that_makes_no_sense_is_tried_again(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 50); /* 270 KB of JSON */
    provider_process_set(live.provider, "{\"embed\":{\"fail\":{\"nan\":true,\"times\":2}}}");
    live_embedder_chunks(&live, 1, &chunks);
    assert_int_equal(live_embedder_vectors(&live, 1).count, 50);
    assert_int_equal(live_embedder_requests(&live), 3);
    live_role_stop(&live);
}

static void a_models_dimension_is_that_of_its_first_answer(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"dimension\":48}}");
    live_embedder_query(&live, 1, "first");
    assert_int_equal(live_embedder_vectors(&live, 1).dimension, 48);
    provider_process_set(live.provider, "{\"embed\":{\"dimension\":64}}");
    live_embedder_query(&live, 2, "second");
    const char *text = live_embedder_failure(&live, 2, EDDA_E_FAILED, EDDA_BLAME_OUTSIDE, NULL);
    assert_non_null(strstr(text, "a vector of another dimension"));
    provider_process_set(live.provider, "{\"embed\":{\"dimension\":48}}");
    live_embedder_query(&live, 3, "second");
    assert_int_equal(live_embedder_vectors(&live, 3).dimension, 48);
    live_role_stop(&live);
}

/* ---- refusals ---- */

static void a_batch_that_is_too_large_is_halved(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"max_items\":10}}");
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 40);
    live_embedder_chunks(&live, 1, &chunks);
    assert_int_equal(live_embedder_vectors(&live, 1).count, 40);
    assert_int_equal(live_embedder_requests(&live), 1 + 2 + 4); /* 40, 20, 10 */
    live_role_stop(&live);
}

static void a_single_text_that_is_too_large_fails_its_job(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider,
                         "{\"embed\":{\"status\":413,\"message\":\"too many tokens\"}}");
    live_embedder_document(&live, 1, LIVE_BULK, "a text");
    const char *text = live_embedder_failure(&live, 1, EDDA_E_LIMIT, EDDA_BLAME_JOB, NULL);
    assert_non_null(strstr(text, "413 too many tokens"));
    assert_int_equal(live_embedder_requests(&live), 1);
    live_role_stop(&live);
}

static void a_text_at_fault_fails_its_job_alone(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    /* A first call, so that the next four wait for each other. */
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":300}}");
    live_embedder_document(&live, 9, LIVE_BULK, "warm");
    fake_loop_for(live.loop, 20);
    provider_process_set(
        live.provider,
        "{\"embed\":{\"latency_ms\":0,\"fail\":{\"status\":400,\"message\":\"not this text\","
        "\"times\":3}}}"); /* the batch, its first half, and that one's first */
    live_embedder_document(&live, 0, LIVE_BULK, "text 0");
    live_embedder_document(&live, 1, LIVE_BULK, "text 1");
    live_embedder_document(&live, 2, LIVE_BULK, "text 2");
    live_embedder_document(&live, 3, LIVE_BULK, "text 3");
    const char *text = live_embedder_failure(&live, 0, EDDA_E_FAILED, EDDA_BLAME_JOB, NULL);
    assert_non_null(strstr(text, "400 not this text"));
    unsigned seen = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t number;
        (void)live_embedder_any(&live, &number);
        seen |= 1u << number;
    }
    assert_int_equal(seen, 1u << 9 | 1u << 3 | 1u << 2 | 1u << 1);
    live_role_stop(&live);
}

/* ---- outages ---- */

static void a_refusal_that_says_when_is_waited_for(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider,
                         "{\"embed\":{\"fail\":{\"status\":429,\"retry_after\":\"1\"}}}");
    int64_t began_ms = edda_clock_ms();
    live_embedder_document(&live, 1, LIVE_BULK, "a text");
    (void)live_embedder_vectors(&live, 1);
    assert_true(edda_clock_ms() - began_ms >= 900);
    assert_int_equal(live_embedder_requests(&live), 2);
    live_role_stop(&live);
}

static void errors_that_pass_are_outlived(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"fail\":[{\"status\":500},{\"close\":true},"
                                        "{\"status\":503}]}}");
    live_embedder_document(&live, 1, LIVE_BULK, "a text");
    (void)live_embedder_vectors(&live, 1);
    assert_int_equal(live_embedder_requests(&live), 4);
    live_role_stop(&live);
}

static void what_cannot_wait_so_long_is_failed_with_when_to_come_again(void **state) {
    struct live_role live;
    uint32_t retry_after_ms = 0;
    live_embedder_start(&live, *state, plain);
    live_embedder_document(&live, 1, LIVE_BULK, "known");
    (void)live_embedder_vectors(&live, 1);
    provider_process_set(live.provider, "{\"embed\":{\"status\":429,\"retry_after\":\"60\"}}");
    /* Who is told to come again in a minute does not wait here for it, and no attempt is spent. */
    live_embedder_document(&live, 2, LIVE_BULK, "first");
    const char *text =
        live_embedder_failure(&live, 2, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, &retry_after_ms);
    assert_non_null(strstr(text, "openai: 429"));
    assert_true(retry_after_ms > 50000 && retry_after_ms <= 60000);
    /* Those that come now neither, bulk or not. */
    live_embedder_document(&live, 3, LIVE_BULK, "second");
    (void)live_embedder_failure(&live, 3, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, &retry_after_ms);
    assert_true(retry_after_ms > 40000);
    live_embedder_query(&live, 4, "question");
    (void)live_embedder_failure(&live, 4, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, &retry_after_ms);
    assert_true(retry_after_ms > 40000);
    assert_int_equal(live_embedder_requests(&live), 2);
    live_embedder_document(&live, 5, LIVE_BULK, "known"); /* nobody need be asked */
    (void)live_embedder_vectors(&live, 5);
    live_role_stop(&live);
}

/* The provider closes every connection; five failures in a row open the breaker. Counts jobs. */
static uint64_t break_provider(struct live_role *live) {
    uint32_t retry_after_ms = 0;
    provider_process_set(live->provider, "{\"embed\":{\"close\":true}}");
    for (uint8_t i = 0; i < 3; i++) { /* two tries each */
        char text[16];
        (void)snprintf(text, sizeof text, "broken %u", i);
        live_embedder_query(live, 100 + i, text);
        (void)live_embedder_failure(live, 100 + i, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE,
                                    &retry_after_ms);
    }
    assert_true(retry_after_ms > 0); /* open */
    return 3;
}

static void an_outage_stops_credit_and_gives_it_back_by_itself(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    live_embedder_document(&live, 1, LIVE_BULK, "before");
    (void)live_embedder_vectors(&live, 1);
    fake_broker_expect_granted(live.fake, EDDA_MAX_WORKER_WINDOW + 1);
    uint64_t finished = 1 + break_provider(&live);
    fake_loop_for(live.loop, 100);
    /* 64 more than had ended when the breaker opened, which is by the second or the third of those
     * jobs. They are used up, and one at a time is left: for the urgent. */
    uint64_t granted = fake_broker_granted(live.fake);
    assert_true(granted <= finished + EDDA_MAX_WORKER_WINDOW);
    while (finished + 2 < granted) {
        uint8_t number = (uint8_t)finished++;
        live_embedder_query(&live, number, "while it is away");
        (void)live_embedder_failure(&live, number, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, NULL);
    }
    fake_loop_for(live.loop, 100);
    assert_true(fake_broker_granted(live.fake) <= finished + 2);
    /* It comes back. Nobody asks for anything, and still there is a place for a bulk job to try. */
    provider_process_reset(live.provider);
    fake_broker_expect_granted(live.fake, finished + 2);
    live_embedder_document(&live, 200, LIVE_BULK, "after");
    (void)live_embedder_vectors(&live, 200);
    fake_broker_expect_granted(live.fake, finished + 1 + EDDA_MAX_WORKER_WINDOW);
    live_role_stop(&live);
}

static void bulk_that_is_held_is_done_after_a_short_outage(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    (void)break_provider(&live);
    live_embedder_document(&live, 1, LIVE_BULK, "held"); /* open for a second at most: it waits */
    provider_process_reset(live.provider);
    (void)live_embedder_vectors(&live, 1);
    live_role_stop(&live);
}

static void bulk_that_takes_long_says_that_it_is_alive(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":2500}}");
    live_embedder_query(&live, 1, "a question");
    fake_loop_for(live.loop, 1500);
    assert_int_equal(fake_broker_ignored(live.fake), 0); /* a search would rather go on without */
    live_embedder_document(&live, 2, LIVE_BULK, "a text");
    (void)live_embedder_vectors(&live, 1);
    (void)live_embedder_vectors(&live, 2);
    assert_true(fake_broker_ignored(live.fake) >= 1);
    live_role_stop(&live);
}

/* A call that hung before keeps its slot; queries, which find out, must not wait for it. */
static void a_call_that_hangs_keeps_nobody_from_finding_the_provider_well(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"hang\":true}}");
    live_embedder_document(&live, 1, LIVE_BULK, "hangs");
    fake_loop_for(live.loop, 300);
    provider_process_set(live.provider, "{\"embed\":{\"hang\":false}}");
    (void)break_provider(&live);
    provider_process_set(live.provider, "{\"embed\":{\"close\":false}}");
    fake_loop_for(live.loop, 2500); /* until the breaker's time is over */
    live_embedder_query(&live, 2, "Where is the mill?");
    assert_int_equal(live_embedder_vectors(&live, 2).count, 1);
    live_embedder_document(&live, 3, LIVE_BULK, "and more of it");
    (void)live_embedder_vectors(&live, 3);
    live_embedder_cancel(&live, 1);
    live_role_stop(&live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_is_an_error_with_its_reason),
        cmocka_unit_test(an_answer_that_does_not_come_is_an_error),
        cmocka_unit_test(a_large_answer_that_makes_no_sense_is_tried_again),
        cmocka_unit_test(a_models_dimension_is_that_of_its_first_answer),
        cmocka_unit_test(a_batch_that_is_too_large_is_halved),
        cmocka_unit_test(a_single_text_that_is_too_large_fails_its_job),
        cmocka_unit_test(a_text_at_fault_fails_its_job_alone),
        cmocka_unit_test(a_refusal_that_says_when_is_waited_for),
        cmocka_unit_test(errors_that_pass_are_outlived),
        cmocka_unit_test(what_cannot_wait_so_long_is_failed_with_when_to_come_again),
        cmocka_unit_test(an_outage_stops_credit_and_gives_it_back_by_itself),
        cmocka_unit_test(a_call_that_hangs_keeps_nobody_from_finding_the_provider_well),
        cmocka_unit_test(bulk_that_is_held_is_done_after_a_short_outage),
        cmocka_unit_test(bulk_that_takes_long_says_that_it_is_alive),
    };
    return cmocka_run_group_tests(tests, start_provider, stop_provider);
}
