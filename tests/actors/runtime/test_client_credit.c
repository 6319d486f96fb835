/* tests/actors/runtime/test_client_credit.c: what a client may send, and does without a grant. */
#include "actors/runtime/client.h"

#include <stdio.h>

#include "actors/runtime/client_state.h"
#include "actors/runtime/metric.h"
#include "proto/body.h"
#include "tests/actors/runtime/clients.h"
#include "tests/proto/cmocka.h"

static void a_call_without_credit_is_busy_and_leaves_nothing(void **state) {
    (void)state;
    static struct answer answers[4];
    start(1);
    grant(fakes[0], "embed", 3);
    for (int i = 0; i < 3; i++) {
        struct edda_request request = make_request(&embed, &answers[i]);
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
    }
    assert_int_equal(edda_client_credit(client, "embed"), 0);
    assert_int_equal(edda_client_credit(client, "unheard"), 0);
    struct edda_request request = make_request(&embed, &answers[3]);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_BUSY);
    assert_int_equal(edda_client_open_calls(client), 3);
    int before = changes;
    grant(fakes[0], "embed", 4);
    assert_int_equal(changes, before + 1);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    for (int i = 0; i < 4; i++) {
        (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
    }
}

/* A service that no worker offers yet is asked for and refused; that is not held against the
 * credit it will have, which counts only what was sent since. */
static void what_was_tried_without_a_grant_costs_no_credit(void **state) {
    (void)state;
    static struct answer answers[4];
    start(1);
    fake_loop_for(loop, 150); /* no grant comes: it is tried */
    for (int i = 0; i < 3; i++) {
        struct edda_request request = make_request(&embed, &answers[i]);
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
        const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
        fake_broker_fail(fakes[0], &wire->message.envelope.id, EDDA_E_NO_SERVICE);
        expect_answer(loop, &answers[i], EDDA_E_NO_SERVICE);
    }
    grant(fakes[0], "embed", 2);
    assert_int_equal(edda_client_credit(client, "embed"), 2);
    struct edda_request request = make_request(&embed, &answers[3]);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    (void)fake_broker_expect(fakes[0], FAKE_FRONT, EDDA_REQ);
}

static void credit_counts_body_bytes_too(void **state) {
    (void)state;
    static uint8_t bytes[1000];
    struct edda_step step = {
        .op = "embed", .type = EDDA_BODY_EMBED_ARGUMENTS, .arguments = {bytes, sizeof bytes}};
    static struct answer answers[2];
    start(1);
    grant_bytes(fakes[0], "embed", 100, 1500);
    struct edda_request request = make_request(&step, &answers[0]);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    request = make_request(&step, &answers[1]);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_BUSY);
    request = make_request(&embed, &answers[1]);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
}

static void a_service_that_never_granted_is_tried_without(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    struct edda_uuid id = ask(&answer);
    fake_broker_fail(fakes[0], &id, EDDA_E_NO_SERVICE);
    expect_answer(loop, &answer, EDDA_E_NO_SERVICE);
}

static void a_refusal_for_credit_reads_as_busy(void **state) {
    (void)state;
    static struct answer answer;
    start(1);
    struct edda_uuid id = ask(&answer);
    fake_broker_fail(fakes[0], &id, EDDA_E_CREDIT);
    expect_answer(loop, &answer, EDDA_E_BUSY);
}

static int64_t dropped_credits(void) {
    return edda_cell_value(edda_metric_cell(EDDA_METRIC_DROPPED, "credit"));
}

static bool was_dropped(void *before) {
    return dropped_credits() == *(int64_t *)before + 1;
}

/* The service past the table's end can be asked, only never waited for. */
static void credit_is_kept_for_as_many_services_as_the_table_has(void **state) {
    (void)state;
    static struct answer answers[2];
    char service[EDDA_MAX_NAME + 1];
    start(1);
    int64_t before = dropped_credits();
    for (unsigned i = 0; i < EDDA_CLIENT_SERVICES; i++) {
        (void)snprintf(service, sizeof service, "service%u", i);
        grant(fakes[0], service, 1);
    }
    assert_int_equal(dropped_credits(), before);
    fake_broker_grant(fakes[0], "over", 1, 1000);
    assert_true(fake_loop_until(loop, was_dropped, &before, FAKE_WAIT_MS));
    assert_int_equal(edda_client_credit(client, "over"), 0);
    assert_int_equal(edda_client_credit(client, service), 1);
    struct edda_step last = {.op = service};
    struct edda_request request = make_request(&last, &answers[0]);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    (void)expect_request(fakes[0]);
    assert_int_equal(edda_client_call(client, &request, NULL), EDDA_E_BUSY);
    struct edda_step over = {.op = "over"};
    for (size_t i = 0; i < 2; i++) {
        request = make_request(&over, &answers[i]);
        assert_int_equal(edda_client_call(client, &request, NULL), 0);
        (void)expect_request(fakes[0]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_call_without_credit_is_busy_and_leaves_nothing),
        TEST(what_was_tried_without_a_grant_costs_no_credit),
        TEST(credit_counts_body_bytes_too),
        TEST(a_service_that_never_granted_is_tried_without),
        TEST(a_refusal_for_credit_reads_as_busy),
        TEST(credit_is_kept_for_as_many_services_as_the_table_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
