/* tests/broker/test_absence.c: requests of a service that has no worker, or has just lost its last.
 */
#include "tests/broker/rig.h"

static void a_request_without_a_worker_fails_at_once(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "chunk");
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    assert_true(rig_sent(rig, client, EDDA_FAIL)->message.envelope.error.retry_after_ms > 0);
    /* Also when only a later step has none. */
    id = rig_req(rig, client, "embed -> store.search");
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    assert_int_equal(rig_sent(rig, client, EDDA_FAIL)->message.envelope.step, 1);
    assert_int_equal(rig_status(rig).admitted, 0);
    assert_int_equal(rig_status(rig).refused, 2);
    rig_free(&rig);
}

/* Seen to fail when the broker refuses what nobody has offered since it started. */
static void a_broker_that_has_just_started_waits_for_its_workers(void **state) {
    (void)state;
    struct rig *rig = rig_start();
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed -> store.search", .ttl_ms = 60000};
    struct edda_uuid early = rig_req_with(rig, client, &request);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    struct edda_uuid late = rig_req_with(rig, client, &request);
    assert_int_equal(rig_status(rig).queued, 2);
    uint32_t worker = rig_worker(rig, "embed", 2);
    assert_int_equal(rig_work_for(rig, &early), worker);
    assert_int_equal(rig_work_for(rig, &late), worker);
    rig_free(&rig);
}

/* Seen to fail when the services of ops nobody has heard of are made, too. */
static void a_broker_that_has_just_started_waits_for_nobody_longer_or_unknown(void **state) {
    (void)state;
    struct rig *rig = rig_start();
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request unknown = {.route = "made-up.op", .ttl_ms = 60000};
    const struct rig_request elsewhere = {
        .route = "embed", .ttl_ms = 60000, .flags = EDDA_FLAG_ELSEWHERE};
    const struct rig_request request = {.route = "embed", .ttl_ms = 60000};
    struct edda_uuid id = rig_req_with(rig, client, &unknown);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    id = rig_req_with(rig, client, &elsewhere);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    struct edda_uuid early = rig_req_with(rig, client, &request);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    assert_int_equal(rig_fail_code(rig, client, &early), 0);
    rig_tick(rig, 1);
    assert_int_equal(rig_fail_code(rig, client, &early), EDDA_E_NO_SERVICE);
    id = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    rig_free(&rig);
}

/* Seen to fail when only who is ready counts. */
static void a_request_waits_for_a_worker_that_has_just_gone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "store", 1);
    (void)rig_worker(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    const struct rig_request request = {.route = "store.words", .ttl_ms = 60000};
    struct edda_uuid waits = rig_req_with(rig, client, &request);
    struct edda_uuid begins = rig_req(rig, client, "embed -> store.search");
    assert_int_equal(rig_fail_code(rig, client, &begins), 0);
    assert_int_equal(rig_status(rig).queued, 1);
    assert_int_equal(rig_status(rig).running, 1);
    uint32_t back = rig_worker(rig, "store", 1);
    assert_int_equal(rig_work_for(rig, &waits), back);
    rig_free(&rig);
}

/* Seen to fail when it is waited for by those who come later, too. */
static void a_request_fails_at_once_when_the_last_worker_has_been_gone_for_long(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 60000};
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    struct edda_uuid early = rig_req_with(rig, client, &request);
    rig_tick(rig, 1);
    /* Who waits since a millisecond before is told at the same time. */
    assert_int_equal(rig_fail_code(rig, client, &early), EDDA_E_NO_SERVICE);
    struct edda_uuid late = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &late), EDDA_E_NO_SERVICE);
    assert_int_equal(rig_status(rig).refused, 1);
    rig_free(&rig);
}

/* Seen to fail, as expired, when it waits for as long as it has time. */
static void a_request_that_waits_for_a_worker_keeps_a_third_of_its_time(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 600};
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_tick(rig, 399);
    assert_int_equal(rig_fail_code(rig, client, &id), 0);
    rig_tick(rig, 1);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    rig_free(&rig);
}

/* Seen to fail when its wait for credit counts as one for a worker to come back. */
static void a_request_that_has_waited_for_credit_waits_for_a_worker_none_the_less(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 600};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_tick(rig, 450);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, 99);
    assert_int_equal(rig_fail_code(rig, client, &id), 0);
    rig_tick(rig, 1);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    rig_free(&rig);
}

/* Seen to fail, queued, when the flag is not looked at. */
static void a_request_that_may_go_elsewhere_waits_for_no_worker(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {
        .route = "embed", .ttl_ms = 60000, .flags = EDDA_FLAG_ELSEWHERE};
    struct edda_uuid early = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &early), 0); /* there is a worker, if a busy one */
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, 50);
    assert_int_equal(rig_fail_code(rig, client, &early), EDDA_E_NO_SERVICE);
    struct edda_uuid late = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &late), EDDA_E_NO_SERVICE);
    rig_free(&rig);
}

/* It may have killed the worker: seen to fail, and free of blame, without it. */
static void a_request_that_a_worker_died_of_goes_elsewhere_with_the_blame(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {
        .route = "embed", .ttl_ms = 60000, .retries = 1, .flags = EDDA_FLAG_ELSEWHERE};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    assert_int_equal(rig_work_for(rig, &id), worker);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_status(rig).queued, 1);
    rig_tick(rig, 50);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    const struct edda_action *told = rig_sent(rig, client, EDDA_FAIL);
    assert_int_equal(told->message.envelope.error.blame, EDDA_BLAME_WORKER);
    rig_free(&rig);
}

static void a_step_that_may_be_skipped_waits_for_nobody(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t store = rig_worker(rig, "store", 1);
    uint32_t worker = rig_worker(rig, "rerank", 1);
    uint32_t client = rig_client(rig, "gateway");
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    struct edda_uuid id = rig_req(rig, client, "store.words -> rerank?");
    rig_done(rig, store, &id, 0, 1, EDDA_BODY_HITS);
    assert_non_null(rig_sent(rig, client, EDDA_RESP));
    rig_free(&rig);
}

static void a_queued_request_fails_when_its_service_stays_gone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 60000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    assert_int_equal(rig_fail_code(rig, client, &id), 0);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    rig_tick(rig, 1);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    rig_free(&rig);
}

static void a_queued_request_waits_for_its_service_to_come_back(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, 1000);
    uint32_t other = rig_worker(rig, "embed", 1);
    assert_int_equal(rig_work_for(rig, &id), other);
    rig_free(&rig);
}

/* Seen to fail without the event. */
static void every_worker_is_asked_once_after_a_connection_ended(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t workers[] = {rig_worker(rig, "embed", 1), rig_worker(rig, "store", 1)};
    uint32_t client = rig_client(rig, "gateway");
    rig_step(rig, &(struct edda_event){.kind = EDDA_EVENT_DOUBT});
    assert_null(rig_sent(rig, workers[0], EDDA_PING)); /* a thousand may end at once */
    rig_tick(rig, 1);
    assert_non_null(rig_sent(rig, workers[0], EDDA_PING));
    assert_non_null(rig_sent(rig, workers[1], EDDA_PING));
    assert_null(rig_sent(rig, client, EDDA_PING));
    rig_tick(rig, 1);
    assert_null(rig_sent(rig, workers[0], EDDA_PING));
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_is_asked_once_after_a_connection_ended),
        cmocka_unit_test(a_request_without_a_worker_fails_at_once),
        cmocka_unit_test(a_broker_that_has_just_started_waits_for_its_workers),
        cmocka_unit_test(a_broker_that_has_just_started_waits_for_nobody_longer_or_unknown),
        cmocka_unit_test(a_request_waits_for_a_worker_that_has_just_gone),
        cmocka_unit_test(a_request_fails_at_once_when_the_last_worker_has_been_gone_for_long),
        cmocka_unit_test(a_request_that_waits_for_a_worker_keeps_a_third_of_its_time),
        cmocka_unit_test(a_request_that_has_waited_for_credit_waits_for_a_worker_none_the_less),
        cmocka_unit_test(a_request_that_may_go_elsewhere_waits_for_no_worker),
        cmocka_unit_test(a_request_that_a_worker_died_of_goes_elsewhere_with_the_blame),
        cmocka_unit_test(a_step_that_may_be_skipped_waits_for_nobody),
        cmocka_unit_test(a_queued_request_fails_when_its_service_stays_gone),
        cmocka_unit_test(a_queued_request_waits_for_its_service_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
