/* tests/actors/runtime/test_client.c: calls, streams and limits with brokers that live. */
#include "actors/runtime/client.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "proto/body.h"
#include "proto/uuid.h"
#include "tests/actors/runtime/clients.h"
#include "tests/proto/cmocka.h"

/* The request of a_call_is_answered_once with every field where the protocol has it; its id. */
static struct edda_uuid expect_whole_request(void) {
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    const struct edda_envelope *envelope = &wire->message.envelope;
    assert_int_equal(envelope->route_count, 3);
    assert_true(edda_text_is(envelope->route[1].op, "store.search"));
    assert_int_equal(envelope->route[0].arguments, 0);
    assert_int_equal(envelope->route[1].arguments, 1);
    assert_int_equal(envelope->route[1].budget_ms, 77);
    assert_int_equal(envelope->route[2].arguments, EDDA_NO_ARGUMENTS);
    assert_int_equal(envelope->route[2].on_error, EDDA_ON_ERROR_SKIP);
    assert_int_equal(envelope->body_count, 2);
    assert_true(edda_text_is(envelope->project, "default"));
    assert_in_range(envelope->ttl_ms, 2000, 5000);
    assert_int_equal(envelope->priority, 5);
    assert_int_equal(envelope->retries, 2);
    assert_int_equal(envelope->fence, 99);
    assert_memory_equal(envelope->idempotency.data, "key", 3);
    assert_int_equal(envelope->id.bytes[6] >> 4, 7);
    return envelope->id;
}

static void a_call_is_answered_once(void **state) {
    (void)state;
    static const uint8_t arguments[] = {0x80};
    struct edda_step steps[] = {
        {.op = "embed", .type = EDDA_BODY_EMBED_ARGUMENTS, .arguments = {arguments, 1}},
        {.op = "store.search",
         .type = EDDA_BODY_STORE_SEARCH,
         .arguments = {arguments, 1},
         .budget_ms = 77},
        {.op = "rerank", .on_error = EDDA_ON_ERROR_SKIP},
    };
    static struct answer answer;
    start(1);
    grant(fakes[0], "embed", 4);
    struct edda_request request = make_request(steps, &answer);
    request.step_count = 3;
    request.traceparent = EDDA_TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.retries = 2;
    request.priority = 5;
    request.fence = 99;
    request.idempotency = (struct edda_bytes){(const uint8_t *)"key", 3};
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    assert_int_equal(edda_client_open_calls(client), 1);
    struct edda_uuid id = expect_whole_request();

    struct edda_message response = {.command = EDDA_RESP, .envelope.id = id};
    struct edda_bytes body = {(const uint8_t *)"\x80", 1};
    response.envelope.body_count = 1;
    response.envelope.bodies[0] =
        (struct edda_body_descriptor){.type = EDDA_BODY_HITS, .version = 1, .bytes = 1};
    response.envelope.degraded_count = 1;
    response.envelope.degraded[0] = EDDA_TEXT("rerank");
    fake_broker_send(fakes[0], FAKE_FRONT, &response, &body, 1);
    fake_broker_send(fakes[0], FAKE_FRONT, &response, &body, 1);
    expect_answer(loop, &answer, 0);
    assert_int_equal(answer.type, EDDA_BODY_HITS);
    assert_int_equal(answer.body_size, 1);
    assert_int_equal(answer.degraded, 1);
    assert_int_equal(edda_client_open_calls(client), 0);
    edda_cell_t *dropped = edda_metric_cell(EDDA_METRIC_DROPPED, "unknown_reply");
    int64_t before = edda_cell_value(dropped);
    fake_broker_fail(fakes[0], &id, EDDA_E_BUSY);
    fake_loop_for(loop, 20);
    assert_int_equal(answer.replies, 1);
    assert_true(edda_cell_value(dropped) > before);
}

static void a_failure_comes_with_its_detail(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    grant(fakes[0], "embed", 4);
    struct edda_uuid id = ask(&answer);
    struct edda_message failure = {.command = EDDA_FAIL, .envelope.id = id};
    failure.envelope.step = 2;
    failure.envelope.error = (struct edda_wire_error){
        .code = EDDA_E_FAILED, .retry_after_ms = 5, .text = EDDA_TEXT("bad text")};
    fake_broker_send(fakes[0], FAKE_FRONT, &failure, NULL, 0);
    expect_answer(loop, &answer, EDDA_E_FAILED);
    assert_string_equal(answer.text, "bad text");
    assert_int_equal(answer.step, 2);
}

static void hello_carries_the_role(void **state) {
    (void)state;
    start_silent(1);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_HELLO);
    struct edda_arena arena;
    struct edda_hello hello;
    edda_arena_init(&arena, 4096);
    assert_int_equal(edda_body_decode(EDDA_BODY_HELLO, wire->message.bodies[0], &arena, &hello), 0);
    assert_true(edda_text_is(hello.role, "gateway"));
    assert_true(edda_text_is(hello.name, "tester"));
    assert_false(edda_uuid_is_nil(&hello.node));
    assert_true(hello.incarnation > 0);
    edda_arena_done(&arena);
}

static void requests_that_break_a_limit_are_refused_at_once(void **state) {
    (void)state;
    static uint8_t bytes[EDDA_MAX_FRAME_BYTES + 1];
    static const char long_op[] =
        "a2345678901234567890123456789012345678901234567890123456789012345";
    struct edda_step many[EDDA_MAX_ROUTE + 1];
    static struct answer answer;
    start(1);
    for (size_t i = 0; i < EDDA_MAX_ROUTE + 1; i++) {
        many[i] = (struct edda_step){
            .op = "embed", .type = EDDA_BODY_EMPTY, .arguments = {bytes, EDDA_MAX_FRAME_BYTES}};
    }
    struct edda_request request = make_request(many, &answer);
    request.step_count = EDDA_MAX_ROUTE + 1;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    request.step_count = 0;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    request.step_count = 4;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_LIMIT);
    struct edda_step step = {
        .op = "embed", .type = EDDA_BODY_EMPTY, .arguments = {bytes, EDDA_MAX_FRAME_BYTES + 1}};
    request = make_request(&step, &answer);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_LIMIT);
    step = (struct edda_step){.op = long_op};
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    step = (struct edda_step){.op = ""};
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    request = make_request(&embed, &answer);
    request.ttl_ms = 0;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    request.ttl_ms = EDDA_MAX_TTL_MS + 1;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    request = make_request(&embed, &answer);
    request.project = (struct edda_text){(const char *)bytes, EDDA_MAX_NAME + 1};
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_LIMIT);
    request = make_request(&embed, &answer);
    request.broker = 1;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    assert_int_equal(edda_client_open_calls(client), 0);
    fake_broker_expect_nothing(fakes[0], FAKE_FRONT, 20, false);
}

static void the_largest_texts_fit_the_envelope(void **state) {
    (void)state;
    static const char op[] = "a234567890123456789012345678901234567890123456789012345678901234";
    static char text[300];
    struct edda_step steps[EDDA_MAX_ROUTE];
    static struct answer answer;
    memset(text, 'x', sizeof text);
    start(1);
    for (size_t i = 0; i < EDDA_MAX_ROUTE; i++) {
        steps[i] = (struct edda_step){.op = op, .type = EDDA_BODY_EMPTY, .budget_ms = 0xffffffffu};
    }
    struct edda_request request = make_request(steps, &answer);
    request.step_count = EDDA_MAX_ROUTE;
    request.project = (struct edda_text){text, EDDA_MAX_NAME};
    request.traceparent = (struct edda_text){text, 55};
    request.tracestate = (struct edda_text){text, EDDA_MAX_TRACESTATE};
    request.idempotency = (struct edda_bytes){(const uint8_t *)text, EDDA_MAX_IDEMPOTENCY};
    request.fence = UINT64_MAX;
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    assert_int_equal(wire->message.envelope.body_count, EDDA_MAX_ROUTE);
    fake_broker_fail(fakes[0], &wire->message.envelope.id, EDDA_E_NO_SERVICE);
    expect_answer(loop, &answer, EDDA_E_NO_SERVICE);
}

static void an_id_in_use_is_refused(void **state) {
    (void)state;
    static struct answer answers[2];
    start(1);
    struct edda_request request = make_request(&embed, &answers[0]);
    request.id = edda_uuid_new();
    struct edda_uuid id = request.id;
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    request = make_request(&embed, &answers[1]);
    request.id = id;
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_INVALID);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &id));
}

static void a_call_over_its_time_is_answered_here(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    struct edda_request request = make_request(&embed, &answer);
    request.ttl_ms = 100;
    int64_t begin_ms = edda_clock_ms();
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    expect_answer(loop, &answer, EDDA_E_EXPIRED);
    assert_true(answer.at_ms - begin_ms >= 100);
}

static void a_cancelled_call_is_never_answered_and_the_broker_is_told(void **state) {
    (void)state;
    static struct answer answer;
    edda_call_t *call = NULL;
    start(1);
    struct edda_request request = make_request(&embed, &answer);
    assert_int_equal(edda_client_call(client, &request, &call), 0);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    struct edda_uuid id = wire->message.envelope.id;
    edda_client_cancel(client, &call);
    assert_null(call);
    wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_CANCEL);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &id));
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, (struct edda_bytes){NULL, 0});
    fake_loop_for(loop, 20);
    assert_int_equal(answer.replies, 0);
    assert_int_equal(edda_client_open_calls(client), 0);
}

static void parts_come_in_order_then_the_reply(void **state) {
    (void)state;
    static struct answer answer;
    edda_call_t *call = NULL;
    start(1);
    struct edda_request request = make_request(&embed, &answer);
    request.flags = EDDA_FLAG_STREAMING;
    assert_int_equal(edda_client_call(client, &request, &call), 0);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    struct edda_uuid id = wire->message.envelope.id;
    edda_client_grant(client, call, 8, 4096);
    wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_CREDIT);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &id));
    fake_broker_part(fakes[0], &id, 0);
    fake_broker_part(fakes[0], &id, 1);
    fake_broker_part(fakes[0], &id, 1);
    fake_broker_tell(fakes[0], FAKE_FRONT, EDDA_PROGRESS, &id, 0, NULL);
    fake_broker_part(fakes[0], &id, 2);
    fake_broker_respond(fakes[0], &id, EDDA_BODY_EMPTY, (struct edda_bytes){NULL, 0});
    expect_answer(loop, &answer, 0);
    assert_int_equal(answer.parts, 3);
    assert_int_equal(answer.progress, 1);
}

static void a_gap_in_the_parts_ends_the_call(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    struct edda_uuid id = ask(&answer);
    fake_broker_part(fakes[0], &id, 0);
    fake_broker_part(fakes[0], &id, 2);
    expect_answer(loop, &answer, EDDA_E_STREAM_BROKEN);
    assert_int_equal(answer.parts, 1);
    (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_CANCEL);
}

static void the_broker_with_fewer_open_calls_gets_the_next(void **state) {
    (void)state;
    static struct answer answers[40];
    start(2);
    grant(fakes[0], "embed", 100);
    grant(fakes[1], "embed", 100);
    fake_loop_for(loop, 10);
    assert_int_equal(edda_client_credit(client, "embed"), 200);
    for (int i = 0; i < 40; i++) {
        struct edda_request request = make_request(&embed, &answers[i]);
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
    }
    for (int i = 0; i < 20; i++) {
        (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
        (void)fake_broker_expect(fakes[1], FAKE_FRONT, EDDA_REQ);
    }
}

static void a_call_can_name_its_broker(void **state) {
    (void)state;
    static struct answer answers[10];
    start(2);
    for (int i = 0; i < 10; i++) {
        struct edda_request request = make_request(&embed, &answers[i]);
        request.broker = 1;
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
        (void)fake_broker_expect(fakes[1], FAKE_FRONT, EDDA_REQ);
    }
    fake_broker_expect_nothing(fakes[0], FAKE_FRONT, 20, false);
    assert_true(edda_client_broker_live(client, 1));
    assert_false(edda_client_broker_live(client, 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered_once),
        TEST(a_failure_comes_with_its_detail),
        TEST(hello_carries_the_role),
        TEST(requests_that_break_a_limit_are_refused_at_once),
        TEST(the_largest_texts_fit_the_envelope),
        TEST(an_id_in_use_is_refused),
        TEST(a_call_over_its_time_is_answered_here),
        TEST(a_cancelled_call_is_never_answered_and_the_broker_is_told),
        TEST(parts_come_in_order_then_the_reply),
        TEST(a_gap_in_the_parts_ends_the_call),
        TEST(the_broker_with_fewer_open_calls_gets_the_next),
        TEST(a_call_can_name_its_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
