/* tests/broker/test_streams.c: state table 3, the rows of what a running step streams. */
#include "tests/broker/rig.h"

#define LARGE ((uint64_t)1 << 40)

/* A streaming request that runs on a worker, with credit for count parts. */
static struct edda_uuid begin_stream(struct rig *rig, uint32_t client, uint64_t count) {
    const struct rig_request request = {
        .route = "talk.answer", .ttl_ms = 60000, .retries = 2, .flags = EDDA_FLAG_STREAMING};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_credit(rig, client, &id, count, LARGE);
    return id;
}

static void a_part_is_forwarded_in_order(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = begin_stream(rig, client, 8);
    for (uint32_t i = 0; i < 3; i++) {
        rig_part(rig, worker, &id, 1, i);
        const struct edda_action *part = rig_sent(rig, client, EDDA_PART);
        assert_non_null(part);
        assert_int_equal(part->message.envelope.sequence, i);
        assert_non_null(part->bodies[0]);
    }
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMPTY);
    assert_non_null(rig_sent(rig, client, EDDA_RESP));
    rig_free(&rig);
}

static void a_gap_in_the_parts_breaks_the_stream(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = begin_stream(rig, client, 8);
    rig_part(rig, worker, &id, 1, 0);
    rig_part(rig, worker, &id, 1, 2);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_STREAM_BROKEN);
    assert_non_null(rig_sent(rig, worker, EDDA_CANCEL));
    rig_free(&rig);
}

/* Seen to fail without receive_part() (tests/fault/guards/14b.patch). */
static void a_repeated_part_is_dropped(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = begin_stream(rig, client, 8);
    rig_part(rig, worker, &id, 1, 0);
    rig_part(rig, worker, &id, 1, 0);
    assert_null(rig_sent(rig, client, EDDA_PART));
    assert_int_equal(edda_core_counters(rig->core)->dropped, 1);
    rig_part(rig, worker, &id, 1, 1);
    assert_non_null(rig_sent(rig, client, EDDA_PART));
    rig_free(&rig);
}

static void a_part_without_stream_credit_resets_its_worker(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = begin_stream(rig, client, 1);
    rig_part(rig, worker, &id, 1, 0);
    rig_part(rig, worker, &id, 1, 1);
    assert_int_equal(rig_reset_code(rig, worker), EDDA_E_CREDIT);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_STREAM_BROKEN);
    rig_free(&rig);
}

static void stream_credit_is_relayed_to_the_worker(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = begin_stream(rig, client, 2);
    const struct edda_action *credit = rig_sent(rig, worker, EDDA_CREDIT);
    assert_non_null(credit);
    assert_true(edda_uuid_equal(&credit->message.envelope.id, &id));
    assert_int_equal(credit->record.credit.messages, 2);
    rig_credit(rig, client, &id, 2, LARGE);
    assert_null(rig_sent(rig, worker, EDDA_CREDIT)); /* nothing new */
    /* The next worker of a retried step is told, too. */
    uint32_t other = rig_worker(rig, "talk", 2);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_work_for(rig, &id), other);
    credit = rig_sent(rig, other, EDDA_CREDIT);
    assert_non_null(credit);
    assert_int_equal(credit->record.credit.messages, 2);
    rig_free(&rig);
}

static void a_request_that_delivered_is_never_retried(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "talk", 4);
    (void)rig_worker_without_credit(rig, "talk", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid failing = begin_stream(rig, client, 8);
    struct edda_uuid dying = begin_stream(rig, client, 8);
    rig_part(rig, worker, &failing, 1, 0);
    rig_part(rig, worker, &dying, 1, 0);
    rig_fail(rig, worker, &failing, 0, 1, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_fail_code(rig, client, &failing), EDDA_E_STREAM_BROKEN);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_fail_code(rig, client, &dying), EDDA_E_STREAM_BROKEN);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_forwarded_in_order),
        cmocka_unit_test(a_gap_in_the_parts_breaks_the_stream),
        cmocka_unit_test(a_repeated_part_is_dropped),
        cmocka_unit_test(a_part_without_stream_credit_resets_its_worker),
        cmocka_unit_test(stream_credit_is_relayed_to_the_worker),
        cmocka_unit_test(a_request_that_delivered_is_never_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
