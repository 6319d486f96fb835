/* tests/actors/runtime/test_client_loss.c: what becomes of calls when brokers go and
 * come, and when the client itself goes. */
#include "actors/runtime/client.h"

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/socket.h"
#include "proto/body.h"
#include "tests/actors/runtime/clients.h"
#include "tests/harness/port.h"
#include "tests/proto/cmocka.h"

static void call(struct answer *answer, int broker, uint32_t ttl_ms) {
    struct edda_request request = make_request(&embed, answer);
    request.broker = broker;
    request.ttl_ms = ttl_ms;
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
}

static void an_unanswered_call_is_sent_again_with_its_id_after_welcome(void **state) {
    (void)state;
    static struct answer answer;
    edda_cell_t *resent = edda_metric_cell(EDDA_METRIC_CALLS_RESENT, NULL);
    start(1);
    call(&answer, -1, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    int64_t before = edda_cell_value(resent);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid again = expect_request(fakes[0]);
    assert_true(edda_uuid_equal(&id, &again));
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answer, 0);
    assert_int_equal(edda_cell_value(resent), before + 1);
}

static void a_lost_brokers_calls_go_to_another(void **state) {
    (void)state;
    static struct answer answers[20];
    start(2);
    for (int i = 0; i < 20; i++) {
        call(&answers[i], -1, 5000);
    }
    for (int i = 0; i < 10; i++) {
        (void)expect_request(fakes[0]);
        struct edda_uuid id = expect_request(fakes[1]);
        fake_broker_respond(fakes[1], &id, EDDA_BODY_EMPTY, nothing);
    }
    fake_broker_tell(fakes[0], FAKE_FRONT, EDDA_BYE, NULL, 0, NULL);
    for (int i = 0; i < 10; i++) {
        struct edda_uuid id = expect_request(fakes[1]);
        fake_broker_respond(fakes[1], &id, EDDA_BODY_EMPTY, nothing);
    }
    for (int i = 0; i < 20; i++) {
        expect_answer(loop, &answers[i], 0);
    }
}

static void a_call_that_named_its_broker_waits_for_it(void **state) {
    (void)state;
    static struct answer answer;
    start(2);
    call(&answer, 0, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid again = expect_request(fakes[0]);
    assert_true(edda_uuid_equal(&id, &again));
    fake_broker_expect_nothing(fakes[1], FAKE_FRONT, 20, false);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answer, 0);
}

static void a_stream_that_began_is_not_sent_again(void **state) {
    (void)state;
    static struct answer answer;
    start(2);
    call(&answer, 0, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_part(fakes[0], &id, 0);
    fake_loop_for(loop, 10);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    expect_answer(loop, &answer, EDDA_E_STREAM_BROKEN);
    assert_int_equal(answer.parts, 1);
    fake_broker_expect_nothing(fakes[1], FAKE_FRONT, 20, false);
}

static void respond_after_parts(const struct edda_uuid *id, uint32_t parts) {
    struct edda_message response = {.command = EDDA_RESP};
    response.envelope.id = *id;
    response.envelope.sequence = parts;
    response.envelope.body_count = 1;
    response.envelope.bodies[0] =
        (struct edda_body_descriptor){.type = EDDA_BODY_EMPTY, .version = 1};
    fake_broker_send(fakes[0], FAKE_FRONT, &response, &nothing, 1);
}

/* Sent again after the session was lost, a call may get the end of what it never saw begin. */
static void an_answer_whose_parts_went_elsewhere_is_a_broken_stream(void **state) {
    (void)state;
    static struct answer whole;
    static struct answer broken;
    start(1);
    call(&whole, 0, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_part(fakes[0], &id, 0);
    fake_broker_part(fakes[0], &id, 1);
    respond_after_parts(&id, 2);
    expect_answer(loop, &whole, 0);
    assert_int_equal(whole.parts, 2);
    call(&broken, 0, 5000);
    (void)expect_request(fakes[0]);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    id = expect_request(fakes[0]);
    respond_after_parts(&id, 2);
    expect_answer(loop, &broken, EDDA_E_STREAM_BROKEN);
}

static void calls_wait_for_the_first_broker(void **state) {
    (void)state;
    static struct answer answer;
    start_client(1);
    call(&answer, -1, 5000);
    fake_loop_for(loop, 30);
    assert_int_equal(answer.replies, 0);
    fakes[0] = fake_broker_new(loop, context, FIRST_URL);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answer, 0);
}

static void calls_wait_three_seconds_at_most(void **state) {
    (void)state;
    static struct answer waiting;
    static struct answer expiring;
    start_client(1);
    int64_t begin_ms = edda_clock_ms();
    call(&waiting, -1, 10000);
    call(&expiring, -1, 200);
    expect_answer(loop, &expiring, EDDA_E_EXPIRED);
    assert_true(expiring.at_ms - begin_ms >= 200);
    expect_answer(loop, &waiting, EDDA_E_UNAVAILABLE);
    assert_true(waiting.at_ms - begin_ms >= EDDA_CLIENT_WAIT_MS);
}

static void open_calls_are_bounded(void **state) {
    (void)state;
    static struct answer answer;
    const struct edda_request request = make_request(&embed, &answer);
    edda_call_t *first = NULL;
    start_client(1);
    assert_int_equal(edda_client_call(client, &request, &first), 0);
    for (int i = 1; i < EDDA_CLIENT_MAX_CALLS; i++) {
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
    }
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_LIMIT);
    edda_client_cancel(client, &first);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    edda_client_destroy(&client);
    assert_int_equal(answer.replies, EDDA_CLIENT_MAX_CALLS);
}

static void a_waiting_call_can_be_cancelled(void **state) {
    (void)state;
    static struct answer answer;
    edda_call_t *made = NULL;
    start_client(1);
    struct edda_request request = make_request(&embed, &answer);
    assert_int_equal(edda_client_call(client, &request, &made), 0);
    edda_client_cancel(client, &made);
    assert_int_equal(edda_client_open_calls(client), 0);
}

static void a_draining_broker_gets_no_new_calls_but_answers_its_old(void **state) {
    (void)state;
    static struct answer old;
    static struct answer fresh;
    start(2);
    call(&old, 0, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_tell(fakes[0], FAKE_FRONT, EDDA_DRAIN, NULL, 0, NULL);
    expect_live(1);
    call(&fresh, -1, 5000);
    struct edda_uuid fresh_id = expect_request(fakes[1]);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &old, 0);
    fake_broker_respond(fakes[1], &fresh_id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &fresh, 0);
}

/* Seen to fail without step_joined() (tests/fault/guards/10.patch). */
static void a_silent_broker_is_left_and_its_calls_go_on(void **state) {
    (void)state;
    static struct answer answer;
    edda_cell_t *lost = edda_metric_cell(EDDA_METRIC_SESSIONS_LOST, "gateway");
    start_with_ping(1, 100);
    int64_t before = edda_cell_value(lost);
    call(&answer, -1, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_deaf(fakes[0], true);
    expect_live(0);
    assert_int_equal(edda_cell_value(lost), before + 1);
    fake_broker_deaf(fakes[0], false);
    fake_broker_forget_pings(fakes[0], FAKE_FRONT);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid again = expect_request(fakes[0]);
    assert_true(edda_uuid_equal(&id, &again));
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answer, 0);
}

static void session_pings_are_answered_and_sent(void **state) {
    (void)state;
    struct edda_ping ping = {.stamp = 424242};
    start_with_ping(1, 100);
    fake_broker_deaf(fakes[0], true);
    (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_PING);
    size_t before = fake_broker_pings(fakes[0]);
    fake_broker_tell(fakes[0], FAKE_FRONT, EDDA_PING, NULL, EDDA_BODY_PING, &ping);
    fake_loop_for(loop, 30);
    assert_true(fake_broker_pings(fakes[0]) > before);
}

/* The one call that is under way comes again with its id, and is answered. */
static void expect_again_after_restart(struct answer *answer) {
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_restart(fakes[0]);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid again = expect_request(fakes[0]);
    assert_true(edda_uuid_equal(&id, &again));
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, answer, 0);
}

/* Seen to fail without edda_client_dispatch_waiting() and without on_lost()
 * (tests/fault/guards/04.patch, 04b). */
static void a_restarted_broker_gets_the_unanswered_calls(void **state) {
    (void)state;
    static struct answer answer;
    start_with_ping(1, 100);
    call(&answer, -1, 10000);
    expect_again_after_restart(&answer);
}

/* Silence would take ten minutes here. */
static void a_call_whose_connection_broke_is_sent_again_at_once(void **state) {
    (void)state;
    static struct answer answer;
    char url[EDDA_MAX_URL];
    (void)free_tcp_url(url);
    urls[0] = url;
    start_with_ping(1, 60000);
    call(&answer, -1, 20000);
    expect_again_after_restart(&answer);
}

static void stream_credit_is_told_again_after_a_lost_session(void **state) {
    (void)state;
    static struct answer answer;
    edda_call_t *made = NULL;
    start(1);
    struct edda_request request = make_request(&embed, &answer);
    assert_int_equal(edda_client_call(client, &request, &made), 0);
    (void)expect_request(fakes[0]);
    edda_client_grant(client, made, 5, 500);
    (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_CREDIT);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    struct edda_uuid id = expect_request(fakes[0]);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_CREDIT);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &id));
}

static void after_a_reconnection_calls_wait_for_the_grant_instead_of_failing(void **state) {
    (void)state;
    static struct answer answers[3];
    start(1);
    fake_broker_grant(fakes[0], "embed", 1, 1 << 20);
    fake_loop_for(loop, 20);
    call(&answers[0], -1, 5000);
    struct edda_uuid id = expect_request(fakes[0]);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answers[0], 0);
    fake_broker_reset(fakes[0], FAKE_FRONT, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fakes[0], FAKE_FRONT);
    expect_live(1);
    call(&answers[1], -1, 5000);
    fake_broker_grant(fakes[0], "embed", 1, 1 << 20);
    id = expect_request(fakes[0]);
    struct edda_request request = make_request(&embed, &answers[2]);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_BUSY);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answers[1], 0);
}

static void leaving_waits_for_open_calls_then_says_bye(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    struct edda_request request = make_request(&embed, &answer);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    struct edda_uuid id = expect_request(fakes[0]);
    edda_client_leave(client);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_DRAINING);
    fake_broker_expect_nothing(fakes[0], FAKE_FRONT, 120, false);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, nothing);
    expect_answer(loop, &answer, 0);
    (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_BYE);
    assert_int_equal(edda_client_brokers_live(client), 0);
}

static void destroying_answers_what_is_open(void **state) {
    (void)state;
    static struct answer answers[2];
    start(1);
    for (int i = 0; i < 2; i++) {
        struct edda_request request = make_request(&embed, &answers[i]);
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
    }
    edda_client_destroy(&client);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(answers[i].replies, 1);
        assert_int_equal(answers[i].error, EDDA_E_CANCELLED);
    }
}

struct chain {
    struct answer last;
    int left;
    int replies;
};

static void call_again(void *context_of_chain, const struct edda_reply *reply) {
    struct chain *chain = context_of_chain;
    assert_int_equal(reply->error, 0);
    chain->replies++;
    if (--chain->left > 0) {
        struct edda_request request = make_request(&embed, &chain->last);
        request.on_reply = call_again;
        request.context = chain;
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
    }
}

static void a_reply_may_make_the_next_call(void **state) {
    (void)state;
    static struct chain chain = {.left = 5};
    start(1);
    struct edda_request request = make_request(&embed, &chain.last);
    request.on_reply = call_again;
    request.context = &chain;
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    for (int i = 0; i < 5; i++) {
        const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
        fake_broker_respond(fakes[0], &wire->message.envelope.id, EDDA_BODY_EMPTY, nothing);
    }
    fake_loop_for(loop, 20);
    assert_int_equal(chain.replies, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_unanswered_call_is_sent_again_with_its_id_after_welcome),
        TEST(a_lost_brokers_calls_go_to_another),
        TEST(a_call_that_named_its_broker_waits_for_it),
        TEST(a_stream_that_began_is_not_sent_again),
        TEST(an_answer_whose_parts_went_elsewhere_is_a_broken_stream),
        TEST(calls_wait_for_the_first_broker),
        TEST(calls_wait_three_seconds_at_most),
        TEST(open_calls_are_bounded),
        TEST(a_waiting_call_can_be_cancelled),
        TEST(a_draining_broker_gets_no_new_calls_but_answers_its_old),
        TEST(a_silent_broker_is_left_and_its_calls_go_on),
        TEST(session_pings_are_answered_and_sent),
        TEST(a_restarted_broker_gets_the_unanswered_calls),
        TEST(a_call_whose_connection_broke_is_sent_again_at_once),
        TEST(stream_credit_is_told_again_after_a_lost_session),
        TEST(after_a_reconnection_calls_wait_for_the_grant_instead_of_failing),
        TEST(leaving_waits_for_open_calls_then_says_bye),
        TEST(destroying_answers_what_is_open),
        TEST(a_reply_may_make_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
