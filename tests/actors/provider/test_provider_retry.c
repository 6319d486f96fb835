/* tests/actors/provider/test_provider_retry.c: what is tried again, when, and what never is. */
#include "tests/actors/provider/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "actors/runtime/clock.h"

static int64_t count_retries(void) {
    return edda_cell_value(edda_metric_cell(EDDA_METRIC_PROVIDER_RETRIES, NULL));
}

static void a_failure_that_may_pass_is_tried_again(void **state) {
    (void)state;
    static const char *const answers[] = {REFUSE(408, ""), REFUSE(429, ""), REFUSE(500, ""),
                                          REFUSE(503, "")};
    int64_t retries = count_retries();
    for (size_t i = 0; i < 4; i++) {
        struct call call;
        scripted_says(server, answers[i]);
        call_post(&call);
        call_expect(&call, 0);
        assert_int_equal(call.reply.status, 200);
        assert_string_equal(call.body, "ok");
        assert_int_equal(scripted_requests(server), 2 * (i + 1));
        assert_string_equal(scripted_request(server, 2 * i + 1), scripted_request(server, 2 * i));
    }
    assert_int_equal(count_retries(), retries + 4);
}

static void have_no_patience(void) {
    edda_provider_destroy(&provider);
    transfers_have_no_patience();
    calls_use(8, 0);
}

static void a_connection_that_breaks_or_times_out_is_tried_again(void **state) {
    (void)state;
    static const struct scripted_step scripts[][3] = {
        {CLOSE()},
        {SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), CLOSE()},
        {HANG()},
        {SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), HANG()},
    };
    have_no_patience();
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct call call;
        scripted_does(server, scripts[i]);
        call_post(&call);
        call_expect(&call, 0);
        assert_string_equal(call.body, "ok");
        assert_int_equal(scripted_requests(server), 2 * (i + 1));
    }
}

static void tries_are_counted_and_the_last_ones_words_are_given(void **state) {
    (void)state;
    for (unsigned tries = 0; tries <= EDDA_PROVIDER_TRIES; tries++) {
        struct call call;
        size_t before = scripted_requests(server);
        size_t expected = tries ? tries : EDDA_PROVIDER_TRIES;
        calls_use(8, 0);
        for (size_t i = 0; i < expected; i++) {
            scripted_says(server, REFUSE(503, ""));
        }
        call_make(&call);
        call.request.tries = tries;
        call_send(&call, 0);
        call_expect(&call, EDDA_E_UNAVAILABLE);
        assert_int_equal(scripted_requests(server) - before, expected);
        assert_string_equal(call.reply.text, "test: 503 slow");
        assert_int_equal(call.reply.status, 503);
        assert_int_equal(call.reply.blame, EDDA_BLAME_OUTSIDE);
        assert_string_equal(edda_provider_reason(provider), call.reply.text);
    }
}

static void what_will_not_pass_is_not_tried_again(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int error;
        enum edda_blame blame;
    } cases[] = {
        {REFUSE(400, ""), EDDA_E_FAILED, EDDA_BLAME_JOB},
        {REFUSE(413, ""), EDDA_E_LIMIT, EDDA_BLAME_JOB},
        {REFUSE(422, "Retry-After: 1\r\n"), EDDA_E_FAILED, EDDA_BLAME_JOB},
        {REFUSE(401, ""), EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE},
        {REFUSE(404, ""), EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE},
        {REFUSE(302, ""), EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct call call;
        scripted_says(server, cases[i].answer);
        call_post(&call);
        call_expect(&call, cases[i].error);
        assert_int_equal(call.reply.blame, cases[i].blame);
        assert_int_equal(call.reply.retry_after_ms, 0);
        assert_int_equal(scripted_requests(server), i + 1);
    }
}

static void a_refusal_that_breaks_off_is_judged_by_its_status(void **state) {
    (void)state;
    struct call call;
    scripted_does(server, SCRIPT(SAY("HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nwho?"), CLOSE()));
    call_post(&call);
    call_expect(&call, EDDA_E_UNAVAILABLE);
    assert_string_equal(call.reply.text, "test: 401 who?");
    assert_int_equal(scripted_requests(server), 1);
}

static void a_response_that_is_too_long_is_not_asked_for_again(void **state) {
    (void)state;
    struct call call;
    call_make(&call);
    call.request.response_maximum = 1;
    call_send(&call, 0);
    call_expect(&call, EDDA_E_FAILED);
    assert_int_equal(call.reply.blame, EDDA_BLAME_OUTSIDE);
    assert_int_equal(scripted_requests(server), 1);
}

/* ---- Retry-After ---- */

static void expect_kept_to(struct call *call, int64_t least_ms) {
    int64_t sent_ms = edda_loop_now(loop);
    call_send(call, 0);
    await_window(0);
    assert_int_equal(scripted_requests(server), 1);
    call_expect(call, 0);
    assert_true(edda_loop_now(loop) - sent_ms >= least_ms);
    assert_int_equal(scripted_requests(server), 2);
}

static void a_retry_after_in_seconds_is_kept_to(void **state) {
    (void)state;
    for (int bulk = 0; bulk < 2; bulk++) {
        struct call call;
        scripted_stop(&server);
        server = scripted_start();
        scripted_says(server, REFUSE(429, "Retry-After: 1\r\n"));
        call_make(&call);
        call.request.bulk = bulk;
        expect_kept_to(&call, 1000);
    }
}

static void a_retry_after_as_a_date_is_kept_to(void **state) {
    (void)state;
    struct call call;
    char answer[160];
    char date[64];
    time_t soon = time(NULL) + 2;
    struct tm tm;
    assert_true(strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&soon, &tm)) > 0);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 503 No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
    scripted_says(server, answer);
    call_make(&call);
    expect_kept_to(&call, 500); /* time() may have been all but two seconds ago */
    assert_true(edda_clock_wall_ms() >= (int64_t)soon * 1000 - 50); /* the loop's turn is older */
}

static void a_retry_after_beyond_the_deadline_is_told_at_once(void **state) {
    (void)state;
    for (int bulk = 0; bulk < 2; bulk++) {
        struct call call;
        calls_use(8, 0);
        scripted_says(server, REFUSE(429, "Retry-After: 60\r\n"));
        call_make(&call);
        call.request.bulk = bulk;
        call_send(&call, 0);
        call_expect(&call, EDDA_E_UNAVAILABLE);
        assert_int_equal(call.reply.retry_after_ms, 60000);
        assert_string_equal(call.reply.text, "test: 429 slow");
        assert_int_equal(scripted_requests(server), (size_t)bulk + 1);
    }
}

static bool is_over(void *context) {
    return ((struct call *)context)->done > 0;
}

/* A back-off that would end after the deadline is not begun: the refusal is told, no other reason.
 */
static void a_back_off_ends_inside_the_deadline(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct call call;
        calls_use(8, 0);
        scripted_says(server, REFUSE(500, ""));
        call_make(&call);
        call.request.deadline_ms = edda_loop_now(loop) + 100; /* of back-offs of up to 250 */
        call.request.tries = 2;
        call_send(&call, 0);
        assert_true(fake_loop_until(loop, is_over, &call, 20000));
        assert_null(strstr(call.reply.text, "no turn"));
    }
}

/* ---- streams ---- */

static void a_stream_is_not_tried_again_after_its_first_bytes(void **state) {
    (void)state;
    struct call call;
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), CLOSE()));
    call_make_stream(&call);
    call_send(&call, 0);
    call_expect(&call, EDDA_E_UNAVAILABLE);
    assert_true(call.reply.began);
    assert_int_equal(call.bytes, 1);
    assert_int_equal(scripted_requests(server), 1);
}

static void a_stream_is_tried_again_before_them(void **state) {
    (void)state;
    struct call call;
    scripted_says(server, REFUSE(503, ""));
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM), CLOSE()));
    scripted_says(server, SCRIPTED_STREAM "1\r\na\r\n" SCRIPTED_STREAM_END);
    call_make_stream(&call);
    call_send(&call, 0);
    call_expect(&call, 0);
    assert_true(call.reply.began);
    assert_int_equal(call.bytes, 1);
    assert_string_equal(call.body, "");
    assert_int_equal(scripted_requests(server), 3);
}

static void a_pause_is_remembered_over_tries(void **state) {
    (void)state;
    struct call call;
    have_no_patience();
    scripted_says(server, REFUSE(503, ""));
    scripted_does(server, SCRIPT(SAY("HTTP/1.0 200 OK\r\n\r\n"), FLOOD(1000), CLOSE()));
    call_make_stream(&call);
    call_send(&call, 0);
    edda_provider_pause(call.handle, true);
    await_requests(2);
    fake_loop_for(loop, 2 * IDLE_MS);
    assert_int_equal(call.bytes, 0);
    assert_int_equal(call.done, 0);
    edda_provider_pause(call.handle, false);
    call_expect(&call, 0);
    assert_int_equal(call.bytes, 1000);
}

/* ---- nonsense ---- */

static void nonsense_is_a_failure_that_is_tried_again(void **state) {
    (void)state;
    struct call call;
    int64_t failed = count_of("failed");
    call_make(&call);
    call.nonsense = 2;
    call_send(&call, 0);
    call_expect(&call, 0);
    assert_int_equal(call.checked, 3);
    assert_string_equal(call.body, "ok");
    assert_int_equal(count_of("failed"), failed + 2);
}

static void nonsense_to_the_end_is_given_with_its_code(void **state) {
    (void)state;
    struct call call;
    call_make(&call);
    call.nonsense = 9;
    call_send(&call, 0);
    call_expect(&call, EDDA_E_FAILED);
    assert_int_equal(call.checked, EDDA_PROVIDER_TRIES);
    assert_int_equal(call.reply.status, 200);
    assert_string_equal(call.body, "");
}

/* ---- answers that are looked at for longer ---- */

static bool is_looked_at(void *context) {
    return ((struct call *)context)->checked > 0;
}

static void await_look(struct call *call) {
    assert_true(fake_loop_until(loop, is_looked_at, call, FAKE_WAIT_MS));
    call->checked = 0;
    assert_int_equal(call->done, 0);
}

static void an_answer_that_is_looked_at_keeps_its_turn(void **state) {
    (void)state;
    struct call call;
    struct call next;
    int64_t good = count_of("good");
    calls_use(1, 0);
    call_make(&call);
    call.later = true;
    call_send(&call, 0);
    await_look(&call);
    call_post(&next);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), 1);
    assert_int_equal(count_of("good"), good);
    edda_provider_checked(call.handle, 0);
    call_expect(&call, 0);
    assert_int_equal(call.reply.status, 200);
    call_expect(&next, 0);
    assert_int_equal(count_of("good"), good + 2);
}

static void nonsense_that_is_found_later_is_tried_again(void **state) {
    (void)state;
    struct call call;
    int64_t failed = count_of("failed");
    call_make(&call);
    call.later = true;
    call_send(&call, 0);
    for (int i = 0; i < EDDA_PROVIDER_TRIES; i++) {
        await_look(&call);
        edda_provider_checked(call.handle, EDDA_E_FAILED);
    }
    call_expect(&call, EDDA_E_FAILED);
    assert_int_equal(call.reply.blame, EDDA_BLAME_OUTSIDE);
    assert_string_equal(call.reply.text, "test: the answer makes no sense");
    assert_int_equal(count_of("failed"), failed + EDDA_PROVIDER_TRIES);
}

static void a_call_may_be_cancelled_while_its_answer_is_looked_at(void **state) {
    (void)state;
    struct call call;
    struct call next;
    calls_use(1, 0);
    call_make(&call);
    call.later = true;
    call_send(&call, 0);
    await_look(&call);
    edda_provider_cancel(&call.handle);
    call_post(&next);
    call_expect(&next, 0); /* its turn is free */
    assert_int_equal(call.done, 0);
}

/* ---- patience ---- */

static void who_has_little_patience_is_told_when_to_come_again(void **state) {
    (void)state;
    static const struct {
        int64_t patience_ms;
        int error;
    } cases[] = {{900, EDDA_E_UNAVAILABLE}, {1000, 0}, {0, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct call call;
        calls_use(8, 0);
        scripted_says(server, REFUSE(429, "Retry-After: 1\r\n"));
        call_make(&call);
        call.request.bulk = true;
        call.request.patience_ms = cases[i].patience_ms;
        call_send(&call, 0);
        call_expect(&call, cases[i].error);
        assert_int_equal(call.reply.retry_after_ms, cases[i].error ? 1000 : 0);
    }
}

/* ---- what is whose ---- */

static void what_was_sent_may_be_forgotten_by_its_sender_but_for_the_body(void **state) {
    (void)state;
    struct call call;
    char url[80];
    char header[] = "X-Key: my-own";
    const char *headers[] = {header, NULL};
    snprintf(url, sizeof url, "%spath", scripted_url(server));
    scripted_says(server, REFUSE(503, ""));
    call_make(&call);
    call.request.url = url;
    call.request.headers = headers;
    call_send(&call, 0);
    memset(url, 'x', sizeof url - 1);
    memset(header, 'x', sizeof header - 1);
    headers[0] = NULL;
    call_expect(&call, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(strstr(scripted_request(server, i), "POST /path "));
        assert_non_null(strstr(scripted_request(server, i), "\r\nX-Key: my-own\r\n"));
    }
}

static void the_key_is_in_no_text_although_the_provider_says_it(void **state) {
    (void)state;
    struct call call;
    scripted_says(server, "HTTP/1.1 401 No\r\nContent-Length: 22\r\n\r\nI do not know \"my-own\"");
    call_post(&call);
    call_expect(&call, EDDA_E_UNAVAILABLE);
    assert_string_equal(call.reply.text, "test: 401 I do not know \"***\"");
    assert_string_equal(edda_provider_reason(provider), call.reply.text);
}

static void a_resting_call_may_be_cancelled(void **state) {
    (void)state;
    struct call call;
    scripted_says(server, REFUSE(429, "Retry-After: 1\r\n"));
    call_post(&call);
    await_window(0);
    edda_provider_cancel(&call.handle);
    edda_provider_cancel(&call.handle);
    await_window(4);
    fake_loop_for(loop, 100);
    assert_int_equal(call.done, 0);
    assert_int_equal(scripted_requests(server), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(a_failure_that_may_pass_is_tried_again),
        CALL_TEST(a_connection_that_breaks_or_times_out_is_tried_again),
        CALL_TEST(tries_are_counted_and_the_last_ones_words_are_given),
        CALL_TEST(what_will_not_pass_is_not_tried_again),
        CALL_TEST(a_refusal_that_breaks_off_is_judged_by_its_status),
        CALL_TEST(a_response_that_is_too_long_is_not_asked_for_again),
        CALL_TEST(a_retry_after_in_seconds_is_kept_to),
        CALL_TEST(a_retry_after_as_a_date_is_kept_to),
        CALL_TEST(a_retry_after_beyond_the_deadline_is_told_at_once),
        CALL_TEST(a_back_off_ends_inside_the_deadline),
        CALL_TEST(a_stream_is_not_tried_again_after_its_first_bytes),
        CALL_TEST(a_stream_is_tried_again_before_them),
        CALL_TEST(a_pause_is_remembered_over_tries),
        CALL_TEST(nonsense_is_a_failure_that_is_tried_again),
        CALL_TEST(nonsense_to_the_end_is_given_with_its_code),
        CALL_TEST(an_answer_that_is_looked_at_keeps_its_turn),
        CALL_TEST(nonsense_that_is_found_later_is_tried_again),
        CALL_TEST(a_call_may_be_cancelled_while_its_answer_is_looked_at),
        CALL_TEST(who_has_little_patience_is_told_when_to_come_again),
        CALL_TEST(what_was_sent_may_be_forgotten_by_its_sender_but_for_the_body),
        CALL_TEST(the_key_is_in_no_text_although_the_provider_says_it),
        CALL_TEST(a_resting_call_may_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
