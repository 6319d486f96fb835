/* tests/actors/provider/test_provider_line.c: who goes when, who waits how long, and what callbacks
 * may do. */
#include "tests/actors/provider/calls.h"

#include <stdio.h>
#include <stdlib.h>

#define HELD SCRIPT(AWAIT(1), SAY(SCRIPTED_OK))

static void as_many_run_as_are_allowed_and_no_more(void **state) {
    (void)state;
    struct call calls[5];
    calls_use(3, 0);
    for (int i = 0; i < 5; i++) {
        scripted_does(server, HELD);
        call_post(&calls[i]);
    }
    await_requests(3);
    fake_loop_for(loop, 100);
    assert_int_equal(scripted_requests(server), 3);
    assert_int_equal(edda_outbound_open(outbound), 3);
    scripted_go(server);
    for (int i = 0; i < 5; i++) {
        call_expect(&calls[i], 0);
    }
}

/* The bodies in the order in which they came. */
static const char *get_order(size_t count) {
    static char order[32];
    order[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *request = scripted_request(server, i);
        size_t used = strlen(order);
        snprintf(order + used, sizeof order - used, "%s", strstr(request, "\r\n\r\n") + 4);
    }
    return order;
}

static void post_letter(struct call *call, const char *letter, bool bulk) {
    call_make(call);
    call->request.body = (struct edda_bytes){(const uint8_t *)letter, 1};
    call->request.bulk = bulk;
    call_send(call, 0);
}

static void queries_go_before_bulk_and_each_in_the_order_they_came(void **state) {
    (void)state;
    struct call calls[6];
    calls_use(1, 0);
    scripted_does(server, HELD);
    post_letter(&calls[0], "a", true);
    await_requests(1);
    post_letter(&calls[1], "b", true);
    post_letter(&calls[2], "c", true);
    post_letter(&calls[3], "d", false);
    post_letter(&calls[4], "e", false);
    post_letter(&calls[5], "f", true);
    scripted_go(server);
    call_expect(&calls[5], 0);
    assert_string_equal(get_order(6), "adebcf");
}

static void who_was_tried_before_goes_before_those_who_were_not(void **state) {
    (void)state;
    struct call calls[3];
    calls_use(1, 0);
    scripted_says(server, REFUSE(503, "Retry-After: 1\r\n"));
    post_letter(&calls[0], "a", true);
    await_window(0);
    post_letter(&calls[1], "b", true);
    post_letter(&calls[2], "c", true);
    call_expect(&calls[2], 0);
    assert_string_equal(get_order(4), "aabc");
}

static void as_many_wait_as_is_said_and_no_more(void **state) {
    (void)state;
    static struct call calls[EDDA_PROVIDER_WAITING + 2];
    int64_t busy = count_of("busy");
    calls_use(1, 0);
    scripted_does(server, SCRIPT(HANG()));
    call_post(&calls[0]);
    await_requests(1);
    for (size_t i = 1; i <= EDDA_PROVIDER_WAITING; i++) {
        call_make(&calls[i]);
        calls[i].request.bulk = i % 2;
        call_send(&calls[i], 0);
    }
    struct call *last = &calls[EDDA_PROVIDER_WAITING + 1];
    call_make(last);
    call_send(last, EDDA_E_BUSY);
    last->request.bulk = true;
    call_send(last, EDDA_E_BUSY);
    assert_int_equal(count_of("busy"), busy + 2);
    edda_provider_cancel(&calls[7].handle);
    call_send(last, 0);
    fake_loop_for(loop, 20);
    assert_int_equal(last->done, 0);
}

static void who_gets_no_turn_by_its_deadline_is_told_so(void **state) {
    (void)state;
    struct call held;
    struct call waits[2];
    int64_t expired = count_of("expired");
    calls_use(1, 0);
    scripted_does(server, HELD);
    call_post(&held);
    await_requests(1);
    for (int bulk = 0; bulk < 2; bulk++) {
        call_make(&waits[bulk]);
        waits[bulk].request.bulk = bulk;
        waits[bulk].request.deadline_ms = edda_loop_now(loop) + 100;
        call_send(&waits[bulk], 0);
    }
    for (int bulk = 0; bulk < 2; bulk++) {
        call_expect(&waits[bulk], EDDA_E_EXPIRED);
        assert_int_equal(waits[bulk].reply.blame, EDDA_BLAME_OUTSIDE);
        assert_string_equal(waits[bulk].reply.text, "test: no turn by the deadline");
    }
    assert_int_equal(held.done, 0);
    scripted_go(server);
    call_expect(&held, 0);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), 1);
    assert_int_equal(count_of("expired"), expired + 2);
}

static void a_rate_is_kept_to_by_waiting(void **state) {
    (void)state;
    struct call calls[3];
    calls_use(8, 120); /* two a second, two at once */
    int64_t sent_ms = edda_loop_now(loop);
    for (int i = 0; i < 3; i++) {
        call_post(&calls[i]);
    }
    await_requests(2);
    assert_int_equal(calls[2].done, 0);
    call_expect(&calls[2], 0);
    assert_true(edda_loop_now(loop) - sent_ms >= 400);
}

static void a_request_that_is_none_is_refused(void **state) {
    (void)state;
    struct call call;
    call_make(&call);
    call.request.url = "ftp://x/";
    call_send(&call, EDDA_E_INVALID);
    call_make(&call);
    call.request.headers = (const char *const[]){"X: a\r\nY: b", NULL};
    call_send(&call, EDDA_E_INVALID);
    fake_loop_for(loop, 20);
    assert_int_equal(call.done, 0);
}

/* Others fill the outbound; as soon as one of theirs ends, the call goes. */
static void a_full_outbound_is_waited_for(void **state) {
    (void)state;
    static struct transfer transfers[EDDA_OUTBOUND_CONNECTIONS];
    struct call call;
    calls_use(8, 0);
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        scripted_does(server, SCRIPT(HANG()));
        transfer_make(&transfers[i]);
        transfer_send(&transfers[i]);
    }
    await_requests(EDDA_OUTBOUND_CONNECTIONS);
    call_post(&call);
    fake_loop_for(loop, 50);
    assert_int_equal(call.done, 0);
    assert_int_equal(scripted_requests(server), EDDA_OUTBOUND_CONNECTIONS);
    edda_transfer_cancel(&transfers[0].handle);
    call_expect(&call, 0);
}

/* ---- cancelled ---- */

static void a_call_in_line_may_be_cancelled(void **state) {
    (void)state;
    struct call held;
    struct call waits;
    calls_use(1, 0);
    scripted_does(server, HELD);
    call_post(&held);
    await_requests(1);
    call_post(&waits);
    edda_provider_pause(waits.handle, true);
    edda_provider_cancel(&waits.handle);
    assert_null(waits.handle);
    scripted_go(server);
    call_expect(&held, 0);
    fake_loop_for(loop, 50);
    assert_int_equal(waits.done, 0);
    assert_int_equal(scripted_requests(server), 1);
}

static void a_running_call_may_be_cancelled_and_the_next_goes(void **state) {
    (void)state;
    struct call held;
    struct call next;
    int64_t cancelled = count_of("cancelled");
    calls_use(1, 0);
    scripted_does(server, SCRIPT(HANG()));
    call_post(&held);
    await_requests(1);
    call_post(&next);
    edda_provider_cancel(&held.handle);
    call_expect(&next, 0);
    await_open(1);
    assert_int_equal(held.done, 0);
    assert_int_equal(count_of("cancelled"), cancelled + 1);
}

static void cancel_me(struct call *self) {
    edda_provider_cancel(&self->handle);
}

static void a_call_may_be_cancelled_in_its_own_data(void **state) {
    (void)state;
    struct call call;
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()));
    call_make_stream(&call);
    call.during = cancel_me;
    call_send(&call, 0);
    await_requests(1);
    await_open(0);
    assert_int_equal(call.bytes, 1);
    assert_int_equal(call.done, 0);
    assert_null(call.handle);
}

static void cancel_other(struct call *self) {
    edda_provider_cancel(&self->other->handle);
}

static void send_and_await(struct call *call, size_t number) {
    call_send(call, 0);
    await_requests(number);
}

static void one_that_runs_may_be_cancelled_in_on_done(void **state) {
    (void)state;
    struct call first;
    struct call other;
    calls_use(2, 0);
    scripted_does(server, HELD);
    scripted_does(server, SCRIPT(HANG()));
    call_make(&first);
    call_make(&other);
    first.after = cancel_other;
    first.other = &other;
    send_and_await(&first, 1);
    send_and_await(&other, 2);
    scripted_go(server);
    call_expect(&first, 0);
    assert_null(other.handle);
    assert_int_equal(other.done, 0);
    await_open(1); /* of the two, the one whose call ended well */
}

static void one_in_line_may_be_cancelled_in_on_done(void **state) {
    (void)state;
    struct call first;
    struct call other;
    calls_use(1, 0);
    scripted_does(server, HELD);
    call_make(&first);
    call_make(&other);
    first.after = cancel_other;
    first.other = &other;
    send_and_await(&first, 1);
    call_send(&other, 0);
    scripted_go(server);
    call_expect(&first, 0);
    assert_null(other.handle);
    assert_int_equal(other.done, 0);
    assert_int_equal(scripted_requests(server), 1);
}

static void send_other(struct call *self) {
    call_send(self->other, 0);
}

static void a_call_may_be_sent_in_on_done(void **state) {
    (void)state;
    struct call first;
    struct call second;
    calls_use(1, 0);
    call_make(&first);
    call_make(&second);
    first.other = &second;
    first.after = send_other;
    call_send(&first, 0);
    call_expect(&first, 0);
    call_expect(&second, 0);
    assert_int_equal(scripted_connections(server), 1);
}

static void what_is_open_goes_with_the_provider_without_a_word(void **state) {
    (void)state;
    struct call calls[4];
    calls_use(2, 0);
    scripted_does(server, SCRIPT(HANG()));
    scripted_says(server, REFUSE(503, "Retry-After: 20\r\n"));
    call_post(&calls[0]);
    await_requests(1);
    call_post_bulk(&calls[1]); /* will rest */
    await_window(0);
    call_post_bulk(&calls[2]); /* in line */
    edda_provider_destroy(&provider);
    assert_null(provider);
    await_open(1); /* the idle one of the refusal */
    fake_loop_for(loop, 50);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(calls[i].done, 0);
    }
    assert_int_equal(edda_outbound_open(outbound), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALL_TEST(as_many_run_as_are_allowed_and_no_more),
        CALL_TEST(queries_go_before_bulk_and_each_in_the_order_they_came),
        CALL_TEST(who_was_tried_before_goes_before_those_who_were_not),
        CALL_TEST(as_many_wait_as_is_said_and_no_more),
        CALL_TEST(who_gets_no_turn_by_its_deadline_is_told_so),
        CALL_TEST(a_rate_is_kept_to_by_waiting),
        CALL_TEST(a_request_that_is_none_is_refused),
        CALL_TEST(a_full_outbound_is_waited_for),
        CALL_TEST(a_call_in_line_may_be_cancelled),
        CALL_TEST(a_running_call_may_be_cancelled_and_the_next_goes),
        CALL_TEST(a_call_may_be_cancelled_in_its_own_data),
        CALL_TEST(one_that_runs_may_be_cancelled_in_on_done),
        CALL_TEST(one_in_line_may_be_cancelled_in_on_done),
        CALL_TEST(a_call_may_be_sent_in_on_done),
        CALL_TEST(what_is_open_goes_with_the_provider_without_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
