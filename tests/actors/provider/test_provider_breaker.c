/* tests/actors/provider/test_provider_breaker.c: a provider that does not answer is left alone, and
 * comes back by itself. */
#include "tests/actors/provider/calls.h"

#include <stdio.h>

static int64_t get_gauge(void) {
    return edda_cell_value(edda_metric_cell(EDDA_METRIC_PROVIDER_OPEN, "test"));
}

static bool has_changed(void *context) {
    return changes > *(int *)context;
}

static void await_change(void) {
    int before = changes;
    assert_true(fake_loop_until(loop, has_changed, &before, 20000));
}

static void after_five_failures_queries_are_refused_at_once(void **state) {
    (void)state;
    struct call call;
    int64_t wait_ms = 0;
    int64_t closed = count_of("closed");
    open_breaker();
    assert_int_equal(edda_provider_window(provider, &wait_ms), 0);
    assert_in_range(wait_ms, 1, EDDA_LIMIT_OPEN_MIN_MS);
    assert_int_equal(get_gauge(), 1);
    call_make(&call);
    call_send(&call, EDDA_E_UNAVAILABLE);
    assert_in_range(call.wait_ms, 1, EDDA_LIMIT_OPEN_MIN_MS);
    assert_string_equal(edda_provider_reason(provider), "test: 500 slow");
    assert_int_equal(scripted_requests(server), EDDA_LIMIT_FAILURES);
    assert_int_equal(count_of("closed"), closed + 1);
}

static void four_failures_and_a_success_are_none(void **state) {
    (void)state;
    for (int i = 0; i < 2 * EDDA_LIMIT_FAILURES; i++) {
        struct call call;
        bool good = i % EDDA_LIMIT_FAILURES == 0;
        scripted_says(server, good ? SCRIPTED_OK : REFUSE(500, ""));
        call_make(&call);
        call.request.tries = 1;
        call_send(&call, 0);
        call_expect(&call, good ? 0 : EDDA_E_UNAVAILABLE);
    }
    assert_int_equal(edda_provider_window(provider, NULL), 8);
    assert_int_equal(changes, 0);
}

static void it_opens_by_itself_with_nobody_asking(void **state) {
    (void)state;
    open_breaker();
    fake_loop_for(loop, 1);
    assert_int_equal(changes, 1);
    await_change();
    assert_int_equal(edda_provider_window(provider, NULL), 1);
    assert_int_equal(get_gauge(), 1); /* not before a call has shown it */
    struct call call;
    call_post(&call);
    call_expect(&call, 0);
    fake_loop_for(loop, 1);
    assert_int_equal(edda_provider_window(provider, NULL), 4); /* with care */
    assert_int_equal(get_gauge(), 0);
    assert_int_equal(changes, 3);
}

static void bulk_waits_and_is_the_one_that_tries(void **state) {
    (void)state;
    struct call calls[2];
    open_breaker();
    scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
    call_post_bulk(&calls[0]);
    call_post_bulk(&calls[1]);
    await_requests(EDDA_LIMIT_FAILURES + 1);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), EDDA_LIMIT_FAILURES + 1);
    scripted_go(server);
    call_expect(&calls[0], 0);
    call_expect(&calls[1], 0);
    assert_int_equal(get_gauge(), 0);
}

static void queries_do_not_wait_for_the_one_that_tries(void **state) {
    (void)state;
    struct call probe;
    struct call query;
    open_breaker();
    scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
    call_post_bulk(&probe);
    await_requests(EDDA_LIMIT_FAILURES + 1);
    call_make(&query);
    call_send(&query, EDDA_E_UNAVAILABLE);
    assert_int_equal(query.wait_ms, EDDA_LIMIT_OPEN_MIN_MS);
    scripted_go(server);
    call_expect(&probe, 0);
    call_send(&query, 0);
    call_expect(&query, 0);
}

/* Two queries come while it is half open: one tries, the other is refused. */
static void a_query_in_line_behind_the_one_that_tries_is_refused(void **state) {
    (void)state;
    struct call probe;
    struct call query;
    open_breaker();
    await_window(1);
    call_post(&probe);
    call_post(&query);
    call_expect(&query, EDDA_E_UNAVAILABLE);
    assert_string_equal(query.reply.text, "test: 500 slow");
    call_expect(&probe, 0);
}

static void a_try_that_fails_closes_it_for_longer(void **state) {
    (void)state;
    struct call call;

    int64_t second_ms;
    open_breaker();

    await_window(1);
    scripted_says(server, REFUSE(500, ""));
    call_post(&call);
    call_expect(&call, EDDA_E_UNAVAILABLE); /* a query: not tried again */
    assert_int_equal(edda_provider_window(provider, &second_ms), 0);
    assert_in_range(second_ms, EDDA_LIMIT_OPEN_MIN_MS * 9 / 10, 2 * EDDA_LIMIT_OPEN_MIN_MS);
    assert_in_range(call.reply.retry_after_ms, 1, 2 * EDDA_LIMIT_OPEN_MIN_MS);
    await_window(1);
}

static void queries_in_line_when_it_opens_are_refused_and_bulk_is_not(void **state) {
    (void)state;
    struct call failing[EDDA_LIMIT_FAILURES];
    struct call queries[2];
    struct call bulk;
    calls_use(1, 0);
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        bool last = i == EDDA_LIMIT_FAILURES - 1;
        scripted_does(server, SCRIPT(AWAIT(last), SAY(REFUSE(500, ""))));
        call_make(&failing[i]);
        failing[i].request.tries = 1;
        call_send(&failing[i], 0);
    }
    await_requests(EDDA_LIMIT_FAILURES);
    call_post(&queries[0]);
    call_post_bulk(&bulk);
    call_post(&queries[1]);
    scripted_go(server);
    for (int i = 0; i < 2; i++) {
        call_expect(&queries[i], EDDA_E_UNAVAILABLE);
        assert_true(queries[i].reply.retry_after_ms > 0);
        assert_int_equal(queries[i].reply.blame, EDDA_BLAME_OUTSIDE);
        assert_string_equal(queries[i].reply.text, "test: 500 slow");
    }
    assert_int_equal(bulk.done, 0);
    call_expect(&bulk, 0);
    assert_int_equal(scripted_requests(server), EDDA_LIMIT_FAILURES + 1);
}

static void bulk_waits_no_longer_than_its_deadline(void **state) {
    (void)state;
    struct call call;
    open_breaker();
    call_make(&call);
    call.request.bulk = true;
    call.request.deadline_ms = edda_loop_now(loop) + 100;
    call_send(&call, 0);
    call_expect(&call, EDDA_E_EXPIRED);
    assert_true(call.reply.retry_after_ms > 0);
    assert_int_equal(scripted_requests(server), EDDA_LIMIT_FAILURES);
}

static void who_asks_to_be_left_alone_is_and_is_not_down(void **state) {
    (void)state;
    struct call refused;
    struct call query;
    struct call bulk;
    scripted_says(server, REFUSE(429, "Retry-After: 1\r\n"));
    call_make(&refused);
    refused.request.tries = 1;
    call_send(&refused, 0);
    call_expect(&refused, EDDA_E_UNAVAILABLE);
    assert_in_range(refused.reply.retry_after_ms, 1, 1000);
    call_make(&query);
    call_send(&query, EDDA_E_UNAVAILABLE);
    assert_in_range(query.wait_ms, 1, 1000);
    assert_int_equal(get_gauge(), 0);
    call_post_bulk(&bulk);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), 1);
    await_window(4); /* by itself, half of what it was */
    assert_true(changes >= 2);
    call_expect(&bulk, 0);
}

static void blame(struct call *self) {
    (void)self;
    edda_provider_blame(provider);
}

static void the_provider_may_be_blamed_for_an_answer_that_came(void **state) {
    (void)state;
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        struct call call;
        assert_int_equal(get_gauge(), 0);
        call_make(&call);
        call.after = blame;
        call_send(&call, 0);
        call_expect(&call, 0);
    }
    fake_loop_for(loop, 1);
    assert_int_equal(get_gauge(), 1);
    assert_string_equal(edda_provider_reason(provider), "test: the answer makes no sense");
}

static void a_refused_input_says_nothing_against_the_provider(void **state) {
    (void)state;
    for (int i = 0; i < 2 * EDDA_LIMIT_FAILURES; i++) {
        struct call call;
        scripted_says(server, REFUSE(400, ""));
        call_post(&call);
        call_expect(&call, EDDA_E_FAILED);
    }
    assert_int_equal(edda_provider_window(provider, NULL), 8);
    assert_string_equal(edda_provider_reason(provider), "test: asked to wait");
}

/* ---- calls that have no time left ---- */

static void run_out(int64_t ms, bool by_owner) {
    struct call calls[EDDA_LIMIT_FAILURES];
    size_t before = scripted_requests(server);
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        scripted_does(server, SCRIPT(HANG()));
        call_make(&calls[i]);
        calls[i].request.deadline_ms = edda_loop_now(loop) + ms;
        call_send(&calls[i], 0);
    }
    if (by_owner) {
        await_requests(before + EDDA_LIMIT_FAILURES);
    }
    for (int i = 0; i < EDDA_LIMIT_FAILURES; i++) {
        if (by_owner) {
            edda_provider_cancel(&calls[i].handle);
        } else {
            call_expect(&calls[i], EDDA_E_EXPIRED);
        }
    }
}

static void calls_with_no_time_or_no_owner_say_nothing(void **state) {
    (void)state;
    run_out(100, false);
    run_out(FAR_MS, true);
    assert_int_equal(edda_provider_window(provider, NULL), 8);
}

static void calls_that_had_time_and_got_nothing_do(void **state) {
    (void)state;
    run_out(EDDA_PROVIDER_PATIENCE_MS + 200, false);
    assert_int_equal(edda_provider_window(provider, NULL), 0);
    fake_loop_for(loop, 1);
    assert_int_equal(get_gauge(), 1);
}

/* A stream that runs on while others fail neither keeps the provider down nor speaks for it. */
static void a_long_stream_does_not_hold_up_the_recovery(void **state) {
    (void)state;
    struct call stream;
    struct call query;
    scripted_does(server,
                  SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), AWAIT(1), SAY(SCRIPTED_STREAM_END)));
    call_make_stream(&stream);
    call_send(&stream, 0);
    await_requests(1);
    open_breaker();
    await_window(1);
    call_post(&query);
    call_expect(&query, 0);
    assert_int_equal(get_gauge(), 0);
    assert_int_equal(stream.done, 0);
    scripted_go(server);
    call_expect(&stream, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(after_five_failures_queries_are_refused_at_once),
        CALL_TEST(four_failures_and_a_success_are_none),
        CALL_TEST(it_opens_by_itself_with_nobody_asking),
        CALL_TEST(bulk_waits_and_is_the_one_that_tries),
        CALL_TEST(queries_do_not_wait_for_the_one_that_tries),
        CALL_TEST(a_query_in_line_behind_the_one_that_tries_is_refused),
        CALL_TEST(a_try_that_fails_closes_it_for_longer),
        CALL_TEST(queries_in_line_when_it_opens_are_refused_and_bulk_is_not),
        CALL_TEST(bulk_waits_no_longer_than_its_deadline),
        CALL_TEST(who_asks_to_be_left_alone_is_and_is_not_down),
        CALL_TEST(the_provider_may_be_blamed_for_an_answer_that_came),
        CALL_TEST(a_refused_input_says_nothing_against_the_provider),
        CALL_TEST(calls_with_no_time_or_no_owner_say_nothing),
        CALL_TEST(calls_that_had_time_and_got_nothing_do),
        CALL_TEST(a_long_stream_does_not_hold_up_the_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
