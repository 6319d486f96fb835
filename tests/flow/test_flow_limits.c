/* tests/flow/test_flow_limits.c: deadlines, credit, full queues, fairness and drain, end to end. */
#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

/* Seen to fail without the deadline of what is queued (tests/fault/guards/28.patch). */
static void a_request_expires_in_the_queue(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker_without_credit(s, "embed", 1);
    const struct fake_request request = {.route = "embed", .ttl_ms = 120};
    struct edda_uuid id = send_req_with(gateway, &request);
    expect_fail(gateway, &id, EDDA_E_EXPIRED);
    send_credit(embedder, 1);
    expect_silence(embedder, 60);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without the deadline of what runs (tests/fault/guards/28b.patch). */
static void a_request_expires_while_it_runs(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 1);
    const struct fake_request request = {.route = "embed", .ttl_ms = 150, .retries = 2};
    struct edda_uuid id = send_req_with(gateway, &request);
    struct fake_work work = expect_work(embedder, "embed");
    expect_fail(gateway, &id, EDDA_E_EXPIRED);
    expect_cancel(embedder, &id);
    send_done(embedder, &work, "too late");
    expect_silence(gateway, 50);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_cancelled_request_stops_its_worker(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 1);
    struct edda_uuid running = send_req(gateway, "embed");
    struct edda_uuid queued = send_req(gateway, "embed");
    (void)expect_work(embedder, "embed");
    send_cancel(gateway, &queued);
    send_cancel(gateway, &running);
    expect_cancel(embedder, &running);
    expect_silence(gateway, 50);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_stage_nobody_offers_is_said_when_it_had_the_time_to_come(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start_with_ping(NULL, 20);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_reply reply = expect_fail(gateway, &id, EDDA_E_NO_SERVICE);
    assert_true(reply.retry_after_ms > 0);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_worker_without_credit_is_sent_nothing(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid ids[5];
    for (int i = 0; i < 5; i++) {
        ids[i] = send_req(gateway, "embed");
    }
    struct fake_work first = expect_work(embedder, "embed");
    struct fake_work second = expect_work(embedder, "embed");
    expect_silence(embedder, 60);
    send_done(embedder, &first, "one"); /* and one more credit */
    (void)expect_work(embedder, "embed");
    expect_silence(embedder, 30);
    expect_resp(gateway, &ids[0], "one");
    send_done(embedder, &second, "two");
    expect_resp(gateway, &ids[1], "two");
    for (int i = 2; i < 5; i++) {
        send_cancel(gateway, &ids[i]);
    }
    fake_settle(gateway);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_client_beyond_its_credit_is_refused_and_gets_it_back(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *pump = scenario_client(s, "pump");
    edda_fake_t *chunker = scenario_worker_without_credit(s, "chunk", 1);
    expect_credit(pump, "chunk", EDDA_CLIENT_WINDOW / 2);
    const struct fake_request request = {.route = "chunk", .ttl_ms = 60000, .priority = 9};
    struct edda_uuid first = {{0}};
    for (unsigned i = 0; i < EDDA_CLIENT_WINDOW / 2; i++) {
        struct edda_uuid id = send_req_with(pump, &request);
        first = i == 0 ? id : first;
    }
    struct edda_uuid beyond = send_req_with(pump, &request);
    expect_fail(pump, &beyond, EDDA_E_CREDIT);
    send_credit(chunker, 1);
    struct fake_work work = expect_work(chunker, "chunk");
    assert_true(edda_uuid_equal(&work.id, &first));
    send_done(chunker, &work, "chunks");
    expect_resp(pump, &first, "chunks");
    /* One ended, and the refused one ended too. */
    expect_credit(pump, "chunk", EDDA_CLIENT_WINDOW / 2 + 2);
    scenario_stop(&s);
}

/* Seen to fail without edda_queue_has_room() (tests/fault/guards/22.patch). */
static void a_full_queue_is_busy_and_its_room_returns(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    (void)scenario_worker_without_credit(s, "embed", 1);
    const struct fake_request request = {.route = "embed", .ttl_ms = 60000, .priority = 9};
    edda_fake_t *clients[EDDA_MAX_QUEUE_MESSAGES / 2 / EDDA_CLIENT_WINDOW];
    size_t count = sizeof(clients) / sizeof(clients[0]);
    struct edda_uuid last = {{0}};
    for (size_t i = 0; i < count; i++) {
        clients[i] = scenario_client(s, "gateway");
        for (unsigned j = 0; j < EDDA_CLIENT_WINDOW; j++) {
            last = send_req_with(clients[i], &request);
        }
        fake_settle(clients[i]);
    }
    /* Bulk has its half; a pump is granted nothing, an interactive request still gets in. */
    edda_fake_t *pump = scenario_client(s, "pump");
    assert_int_equal(fake_credit(pump, "embed"), 0);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    struct edda_uuid refused = send_req_with(gateway, &request);
    expect_fail(gateway, &refused, EDDA_E_BUSY);
    struct edda_uuid fine = send_req(gateway, "embed");
    expect_silence(gateway, 30);
    send_cancel(clients[count - 1], &last);
    expect_credit(pump, "embed", 1);
    send_cancel(gateway, &fine);
    scenario_stop(&s);
}

static void two_projects_share_a_stage_fairly(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *pump = scenario_client(s, "pump");
    edda_fake_t *chunker = scenario_worker_without_credit(s, "chunk", 1);
    struct fake_request request = {.route = "chunk", .ttl_ms = 60000, .priority = 9};
    request.project = "large";
    for (int i = 0; i < 20; i++) {
        send_req_with(pump, &request);
    }
    request.project = "small";
    for (int i = 0; i < 5; i++) {
        send_req_with(pump, &request);
    }
    fake_settle(pump);
    int small = 0;
    send_credit(chunker, 1);
    for (int i = 0; i < 10; i++) {
        struct fake_work work = expect_work(chunker, "chunk");
        small += strcmp(work.project, "small") == 0;
        send_done(chunker, &work, "chunks");
        expect_command(pump, EDDA_RESP);
    }
    assert_int_equal(small, 5);
    scenario_stop(&s);
}

static void bulk_does_not_hold_up_interactive_work(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *importer = scenario_client(s, "gateway");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 4);
    const struct fake_request bulk = {.route = "embed", .ttl_ms = 60000, .priority = 9};
    for (int i = 0; i < 20; i++) {
        send_req_with(importer, &bulk);
    }
    for (int i = 0; i < 3; i++) { /* the fourth slot is not for bulk */
        assert_int_equal(expect_work(embedder, "embed").priority, 9);
    }
    expect_silence(embedder, 50);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(embedder, "embed");
    assert_int_equal(work.priority, 0);
    send_done(embedder, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    scenario_stop(&s);
}

/* Seen to fail when what is returned fails (tests/fault/guards/29.patch). */
static void a_draining_worker_finishes_and_leaves(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *leaving = scenario_worker(s, "embed", 4);
    struct edda_uuid started = send_req(gateway, "embed");
    struct edda_uuid waiting = send_req(gateway, "embed");
    struct fake_work work = expect_work(leaving, "embed");
    struct fake_work unstarted = expect_work(leaving, "embed");
    edda_fake_t *staying = scenario_worker(s, "embed", 4);
    send_command(leaving, EDDA_DRAIN);
    send_return(leaving, &unstarted);
    struct fake_work again = expect_work(staying, "embed");
    assert_true(edda_uuid_equal(&again.id, &waiting));
    assert_int_equal(again.attempt, 1);
    send_done(leaving, &work, "one");
    expect_resp(gateway, &started, "one");
    send_command(leaving, EDDA_BYE);
    send_done(staying, &again, "two");
    expect_resp(gateway, &waiting, "two");
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail when it does not wait (tests/fault/guards/29b.patch), and on a busy machine once in
 * five times when it ends with its last word. */
static void a_draining_broker_finishes_what_it_has(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 4);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(embedder, "embed");
    scenario_drain(s);
    expect_command(gateway, EDDA_DRAIN);
    expect_command(embedder, EDDA_DRAIN);
    struct edda_uuid refused = send_req(gateway, "embed");
    expect_fail(gateway, &refused, EDDA_E_DRAINING);
    assert_false(scenario_ended(s, 50));
    send_done(embedder, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_command(gateway, EDDA_BYE);
    assert_true(scenario_ended(s, SCENARIO_WAIT_MS));
    scenario_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_expires_in_the_queue),
        cmocka_unit_test(a_request_expires_while_it_runs),
        cmocka_unit_test(a_cancelled_request_stops_its_worker),
        cmocka_unit_test(a_stage_nobody_offers_is_said_when_it_had_the_time_to_come),
        cmocka_unit_test(a_worker_without_credit_is_sent_nothing),
        cmocka_unit_test(a_client_beyond_its_credit_is_refused_and_gets_it_back),
        cmocka_unit_test(a_full_queue_is_busy_and_its_room_returns),
        cmocka_unit_test(two_projects_share_a_stage_fairly),
        cmocka_unit_test(bulk_does_not_hold_up_interactive_work),
        cmocka_unit_test(a_draining_worker_finishes_and_leaves),
        cmocka_unit_test(a_draining_broker_finishes_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
