/* tests/broker/test_endings.c: state table 3, the rows of timers, CANCEL, gone clients, late
 * results. */
#include "tests/broker/rig.h"

#define LARGE       ((uint64_t)1 << 40)
#define PATIENCE_MS (EDDA_PING_MS * EDDA_LIVENESS)

/* Seen to fail without edda_flow_overdue() (tests/fault/guards/19.patch). */
static void a_step_over_its_budget_is_retried_elsewhere(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t slow = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed(300)");
    uint32_t other = rig_worker(rig, "embed", 4);
    rig_tick(rig, 300);
    assert_non_null(rig_sent(rig, slow, EDDA_CANCEL));
    assert_int_equal(rig_work_for(rig, &id), other);
    const struct edda_envelope *work = &rig_sent(rig, other, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 2);
    assert_int_equal(work->flags & EDDA_FLAG_SOLO, 0);
    rig_free(&rig);
}

static void a_step_over_its_budget_without_retries_times_out(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t slow = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed(300)", .ttl_ms = 5000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_tick(rig, 299);
    assert_int_equal(rig_fail_code(rig, client, &id), 0);
    rig_tick(rig, 1);
    assert_non_null(rig_sent(rig, slow, EDDA_CANCEL));
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_TIMEOUT);
    rig_free(&rig);
}

static void a_step_is_not_retried_when_its_budget_is_all_the_time_left(void **state) {
    (void)state;
    for (uint32_t spare_ms = 0; spare_ms < 2; spare_ms++) {
        struct rig *rig = rig_new();
        uint32_t slow = rig_worker(rig, "embed", 4);
        uint32_t client = rig_client(rig, "gateway");
        const struct rig_request request = {
            .route = "embed(300)", .ttl_ms = 600 + spare_ms, .retries = 2};
        struct edda_uuid id = rig_req_with(rig, client, &request);
        rig_tick(rig, 300);
        assert_non_null(rig_sent(rig, slow, EDDA_CANCEL));
        assert_int_equal(rig_fail_code(rig, client, &id), spare_ms > 0 ? 0 : EDDA_E_TIMEOUT);
        rig_free(&rig);
    }
}

static void returned_work_costs_no_attempt(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t first = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    uint32_t second = rig_worker(rig, "embed", 4);
    rig_about(rig, first, EDDA_RETURN, &id, 0, 1);
    assert_int_equal(rig_work_for(rig, &id), second);
    assert_int_equal(rig_sent(rig, second, EDDA_WORK)->message.envelope.attempt, 1);
    /* What the first says now is about nothing it holds. */
    rig_done(rig, first, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_null(rig_sent(rig, client, EDDA_RESP));
    assert_int_equal(rig_status(rig).late, 1);
    rig_free(&rig);
}

/* Else the worker takes the third WORK for the second, and the broker a slot of its credit for
 * lost: for ever, of a worker that has one. */
static void a_return_that_comes_twice_returns_nothing_more(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_about(rig, worker, EDDA_RETURN, &id, 0, 1);
    assert_int_equal(rig_sent(rig, worker, EDDA_WORK)->message.envelope.attempt, 2);
    rig_about(rig, worker, EDDA_RETURN, &id, 0, 1);
    assert_null(rig_sent(rig, worker, EDDA_WORK));
    assert_int_equal(rig_status(rig).late, 1);
    rig_done(rig, worker, &id, 0, 2, EDDA_BODY_EMBEDDINGS);
    assert_non_null(rig_sent(rig, client, EDDA_RESP));
    rig_free(&rig);
}

static void returned_work_is_first_in_the_queue(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t first = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid returned = rig_req(rig, client, "embed");
    struct edda_uuid waiting = rig_req(rig, client, "embed");
    uint32_t second = rig_worker_without_credit(rig, "embed", 1);
    rig_about(rig, first, EDDA_RETURN, &returned, 0, 1);
    rig_credit(rig, second, NULL, 1, LARGE);
    assert_int_equal(rig_work_for(rig, &returned), second);
    assert_int_equal(rig_work_for(rig, &waiting), UINT32_MAX);
    rig_free(&rig);
}

static void a_request_that_expires_while_running_is_cancelled(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 400, .retries = 2};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_tick(rig, 400);
    const struct edda_action *cancel = rig_sent(rig, worker, EDDA_CANCEL);
    assert_non_null(cancel);
    assert_true(edda_uuid_equal(&cancel->message.envelope.id, &id));
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_EXPIRED);
    rig_free(&rig);
}

static void a_step_that_ends_after_the_deadline_is_not_followed(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed -> store.search", .ttl_ms = 400};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig->now_ms += 450; /* no tick came between */
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_EXPIRED);
    rig_free(&rig);
}

static void a_cancelled_request_is_cancelled_at_its_worker(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_about(rig, client, EDDA_CANCEL, &id, 0, 0);
    assert_non_null(rig_sent(rig, worker, EDDA_CANCEL));
    assert_int_equal(rig_status(rig).running, 0);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_null(rig_sent(rig, client, EDDA_RESP));
    assert_int_equal(edda_core_counters(rig->core)->ended[EDDA_END_CANCELLED], 1);
    rig_free(&rig);
}

static void the_requests_of_a_gone_client_are_cancelled(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 60000};
    struct edda_uuid running = rig_req_with(rig, client, &request);
    struct edda_uuid queued = rig_req_with(rig, client, &request);
    (void)running;
    (void)queued;
    rig_lose(rig, client, EDDA_EVENT_UNREACHABLE);
    rig_tick(rig, PATIENCE_MS - 1);
    assert_null(rig_sent(rig, worker, EDDA_CANCEL));
    rig_ping(rig, worker, EDDA_PING, 1, 1, LARGE);
    rig_tick(rig, 1);
    assert_non_null(rig_sent(rig, worker, EDDA_CANCEL));
    assert_int_equal(rig_status(rig).running, 0);
    assert_int_equal(rig_status(rig).queued, 0);
    assert_int_equal(edda_core_counters(rig->core)->ended[EDDA_END_CANCELLED], 2);
    rig_free(&rig);
}

static uint32_t come_back(struct rig *rig, uint32_t client) {
    uint32_t again = rig_stranger(rig, EDDA_SIDE_FRONT);
    rig_hello(rig, again, "gateway", NULL, rig_node(rig, client), 1, 0);
    assert_non_null(rig_sent(rig, again, EDDA_WELCOME));
    return again;
}

static void a_client_that_reconnects_gets_its_reply(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    uint32_t other = rig_client(rig, "gateway"); /* keeps the number taken */
    (void)other;
    struct edda_uuid id = rig_req(rig, client, "embed");
    struct edda_uuid ended = rig_req(rig, client, "embed");
    rig_lose(rig, client, EDDA_EVENT_UNREACHABLE);
    rig_done(rig, worker, &ended, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_RESP), 0);
    rig_tick(rig, 1000);
    uint32_t again = come_back(rig, client);
    /* It sends again what was not answered: one runs still, one was kept. */
    const struct rig_request resend = {.route = "embed", .ttl_ms = 4000, .id = id};
    (void)rig_req_with(rig, again, &resend);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    const struct rig_request resend_ended = {.route = "embed", .ttl_ms = 4000, .id = ended};
    (void)rig_req_with(rig, again, &resend_ended);
    assert_non_null(rig_sent(rig, again, EDDA_RESP));
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_non_null(rig_sent(rig, again, EDDA_RESP));
    rig_tick(rig, PATIENCE_MS - 1);
    assert_int_equal(rig_status(rig).ended, 2);
    rig_free(&rig);
}

static void the_credit_of_a_new_session_starts_anew(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_lose(rig, client, EDDA_EVENT_UNREACHABLE);
    uint32_t again = come_back(rig, client);
    assert_int_equal(rig_sent(rig, again, EDDA_CREDIT)->record.credit.messages, EDDA_CLIENT_WINDOW);
    const struct rig_request resend = {.route = "embed", .ttl_ms = 4000, .id = id};
    (void)rig_req_with(rig, again, &resend);
    rig_tick(rig, 10);
    assert_null(rig_sent(rig, again, EDDA_CREDIT)); /* it is open in this session now */
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_tick(rig, 10);
    assert_int_equal(rig_sent(rig, again, EDDA_CREDIT)->record.credit.messages,
                     EDDA_CLIENT_WINDOW + 1);
    rig_free(&rig);
}

static void a_part_for_a_client_that_is_away_breaks_the_stream(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "talk.answer");
    rig_credit(rig, client, &id, 8, LARGE);
    rig_lose(rig, client, EDDA_EVENT_UNREACHABLE);
    rig_part(rig, worker, &id, 1, 0);
    assert_non_null(rig_sent(rig, worker, EDDA_CANCEL));
    uint32_t again = come_back(rig, client);
    const struct rig_request resend = {.route = "talk.answer", .ttl_ms = 4000, .id = id};
    (void)rig_req_with(rig, again, &resend);
    assert_int_equal(rig_fail_code(rig, again, &id), EDDA_E_STREAM_BROKEN);
    rig_free(&rig);
}

static void a_reply_tells_how_many_parts_went_before_it(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "talk.answer");
    rig_credit(rig, client, &id, 5, LARGE);
    rig_part(rig, worker, &id, 1, 0);
    rig_part(rig, worker, &id, 1, 1);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMPTY);
    assert_int_equal(rig_sent(rig, client, EDDA_RESP)->message.envelope.sequence, 2);
    /* So does the kept one, to a session that saw none of them. */
    rig_lose(rig, client, EDDA_EVENT_UNREACHABLE);
    uint32_t again = come_back(rig, client);
    const struct rig_request resend = {.route = "talk.answer", .ttl_ms = 4000, .id = id};
    (void)rig_req_with(rig, again, &resend);
    assert_int_equal(rig_sent(rig, again, EDDA_RESP)->message.envelope.sequence, 2);
    rig_free(&rig);
}

/* Seen to fail without each condition of find_running() (tests/fault/guards/16.patch, 16b, 16c). */
static void a_late_result_is_counted_and_dropped(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t slow = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed(300)");
    uint32_t other = rig_worker(rig, "embed", 4);
    rig_tick(rig, 300);
    assert_int_equal(rig_work_for(rig, &id), other);
    rig_done(rig, slow, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_fail(rig, slow, &id, 0, 1, EDDA_E_FAILED, EDDA_BLAME_JOB);
    rig_part(rig, slow, &id, 1, 0);
    rig_done(rig, other, &id, 0, 1, EDDA_BODY_EMBEDDINGS); /* an older attempt */
    rig_done(rig, other, &id, 1, 2, EDDA_BODY_EMBEDDINGS); /* another step */
    rig_done(rig, slow, &id, 0, 2, EDDA_BODY_EMBEDDINGS);  /* another worker */
    assert_int_equal(rig_status(rig).late, 6);
    assert_int_equal(rig_status(rig).running, 1);
    rig_done(rig, other, &id, 0, 2, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_RESP), 1);
    rig_free(&rig);
}

static void a_result_for_an_ended_request_is_dropped(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_RESP), 0);
    rig_about(rig, worker, EDDA_RETURN, &id, 0, 1);
    rig_about(rig, worker, EDDA_PROGRESS, &id, 0, 1);
    assert_int_equal(rig_status(rig).late, 3);
    rig_about(rig, client, EDDA_CANCEL, &id, 0, 0);
    rig_credit(rig, client, &id, 5, 5);
    assert_int_equal(edda_core_counters(rig->core)->dropped, 2);
    rig_free(&rig);
}

static void admitted_is_ended_and_queued_and_running(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 3);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid ids[8];
    for (size_t i = 0; i < 8; i++) {
        ids[i] = rig_req(rig, client, "embed");
    }
    rig_done(rig, worker, &ids[0], 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_fail(rig, worker, &ids[1], 0, 1, EDDA_E_FAILED, EDDA_BLAME_JOB);
    rig_about(rig, client, EDDA_CANCEL, &ids[7], 0, 0);
    struct edda_broker_status status = rig_status(rig);
    assert_int_equal(status.admitted, 8);
    assert_int_equal(status.ended, 3);
    assert_int_equal(status.running, 1);
    assert_int_equal(status.queued, 4);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_over_its_budget_is_retried_elsewhere),
        cmocka_unit_test(a_step_over_its_budget_without_retries_times_out),
        cmocka_unit_test(a_step_is_not_retried_when_its_budget_is_all_the_time_left),
        cmocka_unit_test(returned_work_costs_no_attempt),
        cmocka_unit_test(a_return_that_comes_twice_returns_nothing_more),
        cmocka_unit_test(returned_work_is_first_in_the_queue),
        cmocka_unit_test(a_request_that_expires_while_running_is_cancelled),
        cmocka_unit_test(a_step_that_ends_after_the_deadline_is_not_followed),
        cmocka_unit_test(a_cancelled_request_is_cancelled_at_its_worker),
        cmocka_unit_test(the_requests_of_a_gone_client_are_cancelled),
        cmocka_unit_test(a_client_that_reconnects_gets_its_reply),
        cmocka_unit_test(the_credit_of_a_new_session_starts_anew),
        cmocka_unit_test(a_part_for_a_client_that_is_away_breaks_the_stream),
        cmocka_unit_test(a_reply_tells_how_many_parts_went_before_it),
        cmocka_unit_test(a_late_result_is_counted_and_dropped),
        cmocka_unit_test(a_result_for_an_ended_request_is_dropped),
        cmocka_unit_test(admitted_is_ended_and_queued_and_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
