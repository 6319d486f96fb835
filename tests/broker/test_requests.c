/* tests/broker/test_requests.c: state table 3, the rows of REQ and of the queue. */
#include "proto/uuid.h"
#include "tests/broker/rig.h"

#define LARGE ((uint64_t)1 << 40)

static void a_request_is_queued_and_dispatched(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed",
                                        .project = "home",
                                        .retries = 1,
                                        .ttl_ms = 5000,
                                        .priority = 1,
                                        .bytes = 50};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    assert_int_equal(rig_status(rig).queued, 1);
    assert_int_equal(rig_status(rig).pending_bytes, 50);
    rig->now_ms += 100;
    rig_credit(rig, worker, NULL, 1, LARGE);
    const struct edda_action *work = rig_sent(rig, worker, EDDA_WORK);
    assert_non_null(work);
    const struct edda_envelope *envelope = &work->message.envelope;
    assert_true(edda_uuid_equal(&envelope->id, &id));
    assert_true(edda_text_is(envelope->op, "embed"));
    assert_true(edda_text_is(envelope->project, "home"));
    assert_int_equal(envelope->attempt, 1);
    assert_int_equal(envelope->step, 0);
    assert_int_equal(envelope->ttl_ms, 4900); /* its dwell is gone */
    assert_int_equal(envelope->priority, 1);
    assert_int_equal(envelope->body_count, 2);
    assert_int_equal(envelope->bodies[0].type, EDDA_BODY_EMBED_ARGUMENTS);
    assert_int_equal(envelope->bodies[0].bytes, 50);
    assert_int_equal(envelope->bodies[1].type, EDDA_BODY_NONE);
    assert_non_null(work->bodies[0]);
    assert_null(work->bodies[1]);
    assert_false(edda_uuid_is_nil(&envelope->reply_to));
    rig_free(&rig);
}

static void the_broker_answers_its_own_status(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 3);
    uint32_t client = rig_client(rig, "cli");
    (void)rig_req(rig, client, "embed");
    struct edda_uuid id = rig_req(rig, client, "broker.status");
    const struct edda_action *action = rig_sent(rig, client, EDDA_RESP);
    assert_non_null(action);
    assert_true(edda_uuid_equal(&action->message.envelope.id, &id));
    assert_int_equal(action->record_type, EDDA_BODY_BROKER_STATUS);
    const struct edda_broker_status *status = &action->record.status;
    assert_int_equal(status->peers, 2);
    assert_int_equal(status->admitted, 1);
    assert_int_equal(status->running, 1);
    assert_int_equal(status->services.count, 1);
    assert_true(edda_text_is(status->services.items[0].name, "embed"));
    assert_int_equal(status->services.items[0].window, 3);
    assert_int_equal(status->services.items[0].running, 1);
    rig_free(&rig);
}

static void a_request_without_credit_is_refused(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = {{0}};
    for (uint32_t i = 0; i < EDDA_CLIENT_WINDOW; i++) {
        id = rig_req(rig, client, "embed");
        assert_int_equal(rig_fail_code(rig, client, &id), 0);
    }
    struct edda_uuid beyond = rig_req(rig, client, "embed");
    assert_int_equal(rig_fail_code(rig, client, &beyond), EDDA_E_CREDIT);
    /* Another client has its own. */
    uint32_t other = rig_client(rig, "gateway");
    struct edda_uuid fine = rig_req(rig, other, "embed");
    assert_int_equal(rig_fail_code(rig, other, &fine), 0);
    /* What ends comes back as credit at the next tick. */
    rig_about(rig, client, EDDA_CANCEL, &id, 0, 0);
    rig_tick(rig, 10);
    const struct edda_action *credit = rig_sent(rig, client, EDDA_CREDIT);
    assert_non_null(credit);
    assert_int_equal(credit->record.credit.messages, EDDA_CLIENT_WINDOW + 2);
    id = rig_req(rig, client, "embed");
    assert_int_equal(rig_fail_code(rig, client, &id), 0);
    rig_free(&rig);
}

static void credit_is_also_counted_in_bytes(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "pump");
    const struct rig_request request = {
        .route = "embed", .ttl_ms = 5000, .bytes = EDDA_CLIENT_WINDOW_BYTES / 32};
    for (int i = 0; i < 16; i++) {
        (void)rig_req_with(rig, client, &request);
    }
    assert_int_equal(rig_status(rig).queued, 16);
    struct edda_uuid beyond = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &beyond), EDDA_E_CREDIT);
    rig_free(&rig);
}

/* Fills the queue of "embed" with requests of priority from as many clients as it takes. */
static uint32_t fill_queue(struct rig *rig, uint8_t priority, uint32_t count) {
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {
        .route = "embed", .ttl_ms = 5000, .priority = priority, .bytes = 1};
    for (uint32_t i = 0; i < count; i++) {
        if (i % EDDA_CLIENT_WINDOW == 0) {
            client = rig_client(rig, "gateway");
        }
        struct edda_uuid id = rig_req_with(rig, client, &request);
        int code = rig_fail_code(rig, client, &id);
        if (code != 0) {
            assert_int_equal(code, EDDA_E_BUSY);
            return i;
        }
    }
    return count;
}

static void a_request_over_a_cap_is_refused_as_busy(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    (void)rig_worker_without_credit(rig, "embed", 1);
    assert_int_equal(fill_queue(rig, 0, EDDA_MAX_QUEUE_MESSAGES + 1), EDDA_MAX_QUEUE_MESSAGES);
    uint32_t client = rig_client(rig, "gateway");
    /* Nothing is granted from a full queue. */
    assert_null(rig_sent(rig, client, EDDA_CREDIT));
    rig_free(&rig);
}

static void bulk_may_fill_half_of_a_queue(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    (void)rig_worker_without_credit(rig, "embed", 1);
    assert_int_equal(fill_queue(rig, 9, EDDA_MAX_QUEUE_MESSAGES), EDDA_MAX_QUEUE_MESSAGES / 2);
    uint32_t pump = rig_client(rig, "pump");
    assert_null(rig_sent(rig, pump, EDDA_CREDIT));
    uint32_t gateway = rig_client(rig, "gateway");
    assert_non_null(rig_sent(rig, gateway, EDDA_CREDIT));
    struct edda_uuid id = rig_req(rig, gateway, "embed");
    assert_int_equal(rig_fail_code(rig, gateway, &id), 0);
    rig_free(&rig);
}

static void the_queue_is_bounded_in_bytes(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    (void)rig_worker_without_credit(rig, "embed", 1);
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000, .bytes = 1024 * 1024};
    uint32_t client = 0;
    for (uint32_t i = 0; i < 64; i++) {
        if (i % 32 == 0) {
            client = rig_client(rig, "gateway");
        }
        struct edda_uuid id = rig_req_with(rig, client, &request);
        assert_int_equal(rig_fail_code(rig, client, &id), 0);
    }
    struct edda_uuid id = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_BUSY);
    assert_int_equal(rig_status(rig).pending_bytes, EDDA_MAX_QUEUE_BYTES);
    rig_free(&rig);
}

static void all_that_is_pending_is_bounded(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    char name[] = "s0";
    uint32_t admitted = 0;
    int code = 0;
    for (int service = 0; service < 5 && code == 0; service++) {
        name[1] = (char)('0' + service);
        (void)rig_worker_without_credit(rig, name, 1);
        uint32_t client = 0;
        for (uint32_t i = 0; i < EDDA_MAX_QUEUE_MESSAGES && code == 0; i++) {
            if (i % EDDA_CLIENT_WINDOW == 0) {
                client = rig_client(rig, "gateway");
            }
            struct edda_uuid id = rig_req(rig, client, name);
            code = rig_fail_code(rig, client, &id);
            admitted += code == 0;
        }
    }
    assert_int_equal(code, EDDA_E_BUSY);
    assert_int_equal(admitted, EDDA_MAX_PENDING);
    /* One TICK ends a bounded number, the next ones the rest. */
    rig_tick(rig, 2000);
    for (int i = 0; rig_status(rig).queued > 0 && i < 100; i++) {
        rig_tick(rig, 3000);
    }
    assert_int_equal(rig_status(rig).queued, 0);
    rig_free(&rig);
}

static void a_request_without_time_left_is_refused(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 0};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_EXPIRED);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_free(&rig);
}

static void a_request_with_types_that_do_not_fit_is_refused(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed,store,rerank,chunk,own", 8);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request wrong[] = {
        {.route = "embed", .ttl_ms = 1, .wrong_type = EDDA_BODY_STORE_KEY},
        {.route = "embed", .ttl_ms = 1, .no_arguments = true},
        {.route = "chunk -> store.search", .ttl_ms = 1}, /* CHUNKS are no EMBEDDINGS */
        {.route = "rerank", .ttl_ms = 1},                /* the first step has no input */
        {.route = "embed -> embed", .ttl_ms = 1},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct edda_uuid id = rig_req_with(rig, client, &wrong[i]);
        assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_TYPE);
    }
    const struct rig_request fine[] = {
        {.route = "embed -> store.search -> rerank?", .ttl_ms = 1},
        {.route = "store.ping", .ttl_ms = 1, .no_arguments = true},
        {.route = "own.thing", .ttl_ms = 1, .wrong_type = EDDA_BODY_STORE_KEY},
        {.route = "own.thing -> embed.chunks", .ttl_ms = 1},
    };
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct edda_uuid id = rig_req_with(rig, client, &fine[i]);
        assert_int_equal(rig_fail_code(rig, client, &id), 0);
    }
    rig_free(&rig);
}

static void a_request_to_a_draining_broker_is_refused(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid before = rig_req(rig, client, "embed");
    rig_drain(rig);
    assert_non_null(rig_sent(rig, client, EDDA_DRAIN));
    assert_non_null(rig_sent(rig, worker, EDDA_DRAIN));
    assert_int_equal(rig->drained, 0);
    struct edda_uuid after = rig_req(rig, client, "embed");
    assert_int_equal(rig_fail_code(rig, client, &after), EDDA_E_DRAINING);
    uint32_t late = rig_stranger(rig, EDDA_SIDE_FRONT);
    rig_hello(rig, late, "gateway", NULL, rig_node(rig, late), 1, 0);
    assert_int_equal(rig_reset_code(rig, late), EDDA_E_DRAINING);
    rig_done(rig, worker, &before, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_non_null(rig_sent(rig, client, EDDA_RESP));
    assert_non_null(rig_sent(rig, client, EDDA_BYE));
    assert_int_equal(rig->drained, 1);
    rig_free(&rig);
}

static void an_idle_broker_drains_at_once(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 1);
    rig_drain(rig);
    rig_drain(rig);
    assert_int_equal(rig->drained, 1);
    rig_free(&rig);
}

static void a_request_sent_twice_runs_once(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    const struct rig_request again = {.route = "embed", .ttl_ms = 5000, .id = id};
    (void)rig_req_with(rig, client, &again);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    assert_int_equal(rig_count(rig, EDDA_FAIL), 0);
    assert_int_equal(edda_core_counters(rig->core)->repeated, 1);
    /* Somebody else's request of the same id is not this one. */
    uint32_t other = rig_client(rig, "gateway");
    (void)rig_req_with(rig, other, &again);
    assert_int_equal(rig_fail_code(rig, other, &id), EDDA_E_CONFLICT);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_RESP), 1);
    rig_free(&rig);
}

static void a_request_sent_again_after_its_end_gets_the_kept_reply(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid good = rig_req(rig, client, "embed");
    struct edda_uuid bad = rig_req(rig, client, "embed");
    rig_done(rig, worker, &good, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_fail(rig, worker, &bad, 0, 1, EDDA_E_FAILED, EDDA_BLAME_JOB);
    const struct rig_request again = {.route = "embed", .ttl_ms = 5000, .id = good};
    (void)rig_req_with(rig, client, &again);
    const struct edda_action *reply = rig_sent(rig, client, EDDA_RESP);
    assert_non_null(reply);
    assert_int_equal(reply->message.envelope.bodies[0].bytes, 100);
    const struct rig_request bad_again = {.route = "embed", .ttl_ms = 5000, .id = bad};
    (void)rig_req_with(rig, client, &bad_again);
    assert_int_equal(rig_fail_code(rig, client, &bad), EDDA_E_FAILED);
    assert_true(edda_text_is(rig_sent(rig, client, EDDA_FAIL)->message.envelope.error.text,
                             "it did not work"));
    /* Kept for a while, not for ever: then it is a new request. */
    for (int i = 0; i <= EDDA_ENDED_KEEP_MS / 1000; i++) {
        rig_ping(rig, client, EDDA_PING, 1, 0, 0);
        rig_ping(rig, worker, EDDA_PING, 1, 6, LARGE);
        rig_tick(rig, 1000);
    }
    (void)rig_req_with(rig, client, &again);
    assert_int_equal(rig_work_for(rig, &good), worker);
    rig_free(&rig);
}

static void kept_replies_are_bounded_in_bytes(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    for (uint64_t i = 0; i < 100000; i++) {
        struct edda_uuid id = rig_req(rig, client, "embed");
        rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
        rig_credit(rig, worker, NULL, i + 2, LARGE);
    }
    assert_true(rig->live <= EDDA_ENDED_RING_BYTES / 256);
    assert_true(rig->live > 1000);
    rig_free(&rig);
}

/* Asks again for a request that has ended: whether its reply was kept. */
static bool is_kept(struct rig *rig, uint32_t client, struct edda_uuid id) {
    const struct rig_request again = {.route = "made-up.op", .ttl_ms = 5000, .id = id};
    (void)rig_req_with(rig, client, &again);
    return rig_sent(rig, client, EDDA_RESP) != NULL;
}

/* Replies without a body cost the least. */
static void kept_replies_are_bounded_in_number(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    struct edda_uuid ids[EDDA_ENDED_RING + 1];
    uint32_t worker = rig_worker(rig, "made-up", 1);
    uint32_t client = rig_client(rig, "gateway");
    rig->unchecked = true;
    for (uint64_t i = 0; i <= EDDA_ENDED_RING; i++) {
        if (i == EDDA_ENDED_RING) {
            assert_true(is_kept(rig, client, ids[0]));
        }
        ids[i] = rig_req(rig, client, "made-up.op");
        rig_done(rig, worker, &ids[i], 0, 1, EDDA_BODY_NONE);
        rig_credit(rig, worker, NULL, i + 2, LARGE);
    }
    assert_true(is_kept(rig, client, ids[1]));
    assert_true(is_kept(rig, client, ids[EDDA_ENDED_RING]));
    assert_false(is_kept(rig, client, ids[0]));
    rig_free(&rig);
}

static void work_waits_for_credit(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid first = rig_req(rig, client, "embed");
    struct edda_uuid second = rig_req(rig, client, "embed");
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    /* DONE alone grants nothing. */
    rig_done(rig, worker, &first, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_credit(rig, worker, NULL, 2, LARGE);
    assert_int_equal(rig_work_for(rig, &second), worker);
    rig_free(&rig);
}

static void work_waits_for_credit_in_bytes(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000, .bytes = 1000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_credit(rig, worker, NULL, 4, 999);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_credit(rig, worker, NULL, 4, 1000);
    assert_int_equal(rig_work_for(rig, &id), worker);
    rig_free(&rig);
}

static void a_request_that_expires_in_the_queue_is_never_dispatched(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 200};
    struct edda_uuid swept = rig_req_with(rig, client, &request);
    rig_tick(rig, 199);
    assert_int_equal(rig_fail_code(rig, client, &swept), 0);
    rig_tick(rig, 1);
    assert_int_equal(rig_fail_code(rig, client, &swept), EDDA_E_EXPIRED);
    /* Also when credit comes before the tick does. */
    struct edda_uuid met = rig_req_with(rig, client, &request);
    rig->now_ms += 250;
    rig_credit(rig, worker, NULL, 1, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    assert_int_equal(rig_fail_code(rig, client, &met), EDDA_E_EXPIRED);
    assert_int_equal(edda_core_counters(rig->core)->ended[EDDA_END_EXPIRED], 2);
    rig_free(&rig);
}

static void a_cancelled_request_leaves_the_queue(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_about(rig, client, EDDA_CANCEL, &id, 0, 0);
    assert_int_equal(rig_status(rig).queued, 0);
    assert_int_equal(rig_status(rig).ended, 1);
    rig_credit(rig, worker, NULL, 1, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    /* Twice, and of what never was: counted. */
    rig_about(rig, client, EDDA_CANCEL, &id, 0, 0);
    assert_int_equal(edda_core_counters(rig->core)->dropped, 1);
    rig_free(&rig);
}

static void only_its_own_client_cancels_a_request(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    uint32_t other = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_about(rig, other, EDDA_CANCEL, &id, 0, 0);
    assert_int_equal(rig_status(rig).running, 1);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_queued_and_dispatched),
        cmocka_unit_test(the_broker_answers_its_own_status),
        cmocka_unit_test(a_request_without_credit_is_refused),
        cmocka_unit_test(credit_is_also_counted_in_bytes),
        cmocka_unit_test(a_request_over_a_cap_is_refused_as_busy),
        cmocka_unit_test(bulk_may_fill_half_of_a_queue),
        cmocka_unit_test(the_queue_is_bounded_in_bytes),
        cmocka_unit_test(all_that_is_pending_is_bounded),
        cmocka_unit_test(a_request_without_time_left_is_refused),
        cmocka_unit_test(a_request_with_types_that_do_not_fit_is_refused),
        cmocka_unit_test(a_request_to_a_draining_broker_is_refused),
        cmocka_unit_test(an_idle_broker_drains_at_once),
        cmocka_unit_test(a_request_sent_twice_runs_once),
        cmocka_unit_test(a_request_sent_again_after_its_end_gets_the_kept_reply),
        cmocka_unit_test(kept_replies_are_bounded_in_bytes),
        cmocka_unit_test(kept_replies_are_bounded_in_number),
        cmocka_unit_test(work_waits_for_credit),
        cmocka_unit_test(work_waits_for_credit_in_bytes),
        cmocka_unit_test(a_request_that_expires_in_the_queue_is_never_dispatched),
        cmocka_unit_test(a_cancelled_request_leaves_the_queue),
        cmocka_unit_test(only_its_own_client_cancels_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
