/* tests/broker/test_steps.c: state table 3, the rows of RUNNING and ENDED. */
#include "tests/broker/rig.h"

static const char *const search = "embed -> store.search -> rerank?";

static void work_goes_to_a_worker_with_credit(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker_without_credit(rig, "embed", 4);
    uint32_t able = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &id), able);
    assert_int_equal(rig_status(rig).running, 1);
    rig_free(&rig);
}

static void a_finished_step_moves_the_request_on(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t embedder = rig_worker(rig, "embed", 1);
    uint32_t store = rig_worker(rig, "store", 1);
    (void)rig_worker(rig, "rerank", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, search);
    rig_done(rig, embedder, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    const struct edda_action *work = rig_sent(rig, store, EDDA_WORK);
    assert_non_null(work);
    assert_true(edda_text_is(work->message.envelope.op, "store.search"));
    assert_int_equal(work->message.envelope.step, 1);
    assert_int_equal(work->message.envelope.attempt, 1);
    assert_int_equal(work->message.envelope.bodies[0].type, EDDA_BODY_STORE_SEARCH);
    assert_int_equal(work->message.envelope.bodies[1].type, EDDA_BODY_EMBEDDINGS);
    assert_non_null(work->bodies[1]);
    assert_null(rig_sent(rig, client, EDDA_RESP));
    rig_free(&rig);
}

static void the_last_step_ends_the_request(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store,rerank", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, search);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_done(rig, worker, &id, 1, 1, EDDA_BODY_HITS);
    rig_done(rig, worker, &id, 2, 1, EDDA_BODY_HITS);
    const struct edda_action *reply = rig_sent(rig, client, EDDA_RESP);
    assert_non_null(reply);
    assert_true(edda_uuid_equal(&reply->message.envelope.id, &id));
    assert_int_equal(reply->message.envelope.bodies[0].type, EDDA_BODY_HITS);
    assert_int_equal(reply->message.envelope.degraded_count, 0);
    assert_int_equal(rig_status(rig).running, 0);
    rig_free(&rig);
}

static void an_output_of_another_type_ends_the_request(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed -> store.search");
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_HITS);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_TYPE);
    assert_int_equal(rig_status(rig).services.items[0].failed, 1);
    rig_free(&rig);
}

static void progress_renews_the_step_timer(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed(1000)", .ttl_ms = 60000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    for (int i = 0; i < 5; i++) {
        rig_ping(rig, client, EDDA_PING, 1, 0, 0);
        rig_tick(rig, 900);
        rig_about(rig, worker, EDDA_PROGRESS, &id, 0, 1);
        const struct edda_action *progress = rig_sent(rig, client, EDDA_PROGRESS);
        assert_non_null(progress);
        assert_true(edda_uuid_equal(&progress->message.envelope.id, &id));
    }
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    rig_tick(rig, 1000);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_TIMEOUT);
    rig_free(&rig);
}

static void expect_degraded(const struct rig *rig, uint32_t client) {
    const struct edda_action *reply = rig_sent(rig, client, EDDA_RESP);
    assert_non_null(reply);
    assert_int_equal(reply->message.envelope.bodies[0].type, EDDA_BODY_HITS);
    assert_int_equal(reply->message.envelope.degraded_count, 1);
    assert_true(edda_text_is(reply->message.envelope.degraded[0], "rerank"));
}

/* Runs a search up to its rerank step, with no retries. */
static struct edda_uuid search_until_rerank(struct rig *rig, uint32_t client, uint32_t worker) {
    const struct rig_request request = {.route = "embed -> store.search -> rerank?(500)",
                                        .ttl_ms = 60000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_done(rig, worker, &id, 1, 1, EDDA_BODY_HITS);
    return id;
}

static void a_step_that_may_be_skipped_is_skipped_and_named(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store", 16);
    uint32_t reranker = rig_worker(rig, "rerank", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = search_until_rerank(rig, client, worker);
    rig_fail(rig, reranker, &id, 2, 1, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    expect_degraded(rig, client);
    id = search_until_rerank(rig, client, worker);
    rig_tick(rig, 500);
    expect_degraded(rig, client);
    id = search_until_rerank(rig, client, worker);
    rig_lose(rig, reranker, EDDA_EVENT_UNREACHABLE);
    expect_degraded(rig, client);
    /* With no worker at all it is not even waited for. */
    id = search_until_rerank(rig, client, worker);
    expect_degraded(rig, client);
    assert_int_equal(edda_core_counters(rig->core)->skipped, 4);
    rig_free(&rig);
}

static void a_search_without_a_reranker_is_admitted_and_degraded(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store", 4);
    uint32_t client = rig_client(rig, "gateway");
    (void)search_until_rerank(rig, client, worker);
    expect_degraded(rig, client);
    rig_free(&rig);
}

static void a_skipped_step_has_its_retries_first(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed,store", 4);
    uint32_t first = rig_worker(rig, "rerank", 1);
    uint32_t second = rig_worker(rig, "rerank", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, search);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_done(rig, worker, &id, 1, 1, EDDA_BODY_HITS);
    uint32_t bad = rig_work_for(rig, &id);
    rig_fail(rig, bad, &id, 2, 1, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_work_for(rig, &id), bad == first ? second : first);
    rig_free(&rig);
}

static void a_step_that_failed_by_its_worker_is_retried_elsewhere(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t first = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    uint32_t second = rig_worker(rig, "embed", 4);
    rig_fail(rig, first, &id, 0, 1, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_work_for(rig, &id), second);
    const struct edda_envelope *work = &rig_sent(rig, second, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 2);
    assert_int_equal(work->retries, 1);
    rig_fail(rig, second, &id, 0, 2, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_work_for(rig, &id), first);
    rig_fail(rig, first, &id, 0, 3, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_INTERNAL);
    rig_free(&rig);
}

static void the_only_worker_is_not_avoided(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t only = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_fail(rig, only, &id, 0, 1, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_work_for(rig, &id), only);
    rig_free(&rig);
}

static void who_avoids_one_waits_for_another_until_alone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t first = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    uint32_t second = rig_worker_without_credit(rig, "embed", 4);
    rig_fail(rig, first, &id, 0, 1, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
    assert_int_equal(rig_status(rig).queued, 1);
    /* It does not hold up others meanwhile. */
    struct edda_uuid other = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &other), first);
    rig_lose(rig, second, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_work_for(rig, &id), first);
    rig_free(&rig);
}

static void a_step_that_failed_by_its_input_is_not_retried(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    (void)rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    worker = rig_work_for(rig, &id);
    rig_fail(rig, worker, &id, 0, 1, EDDA_E_LIMIT, EDDA_BLAME_JOB);
    const struct edda_action *action = rig_sent(rig, client, EDDA_FAIL);
    assert_non_null(action);
    const struct edda_wire_error *error = &action->message.envelope.error;
    assert_int_equal(error->code, EDDA_E_LIMIT);
    assert_int_equal(error->blame, EDDA_BLAME_JOB);
    assert_int_equal(error->retry_after_ms, 7);
    assert_true(edda_text_is(error->text, "it did not work"));
    id = rig_req(rig, client, "embed");
    worker = rig_work_for(rig, &id);
    rig_fail(rig, worker, &id, 0, 1, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_UNAVAILABLE);
    rig_free(&rig);
}

static void a_failure_names_its_step_also_when_it_is_asked_for_again(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t embedder = rig_worker(rig, "embed", 4);
    uint32_t store = rig_worker(rig, "store", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed -> store.search");
    rig_done(rig, embedder, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_fail(rig, store, &id, 1, 1, EDDA_E_FAILED, EDDA_BLAME_JOB);
    assert_int_equal(rig_sent(rig, client, EDDA_FAIL)->message.envelope.step, 1);
    const struct rig_request again = {.route = "embed -> store.search", .ttl_ms = 5000, .id = id};
    (void)rig_req_with(rig, client, &again);
    assert_int_equal(rig_sent(rig, client, EDDA_FAIL)->message.envelope.step, 1);
    rig_free(&rig);
}

static void the_work_of_a_dead_worker_is_retried_solo(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t dying = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid suspect = rig_req(rig, client, "embed");
    struct edda_uuid innocent = rig_req(rig, client, "embed");
    uint32_t other = rig_worker(rig, "embed", 4);
    rig_lose(rig, dying, EDDA_EVENT_UNREACHABLE);
    /* One runs alone, the other waits for the worker to be empty again; so does what is new. */
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    const struct edda_envelope *work = &rig_sent(rig, other, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 2);
    assert_int_equal(work->flags & EDDA_FLAG_SOLO, EDDA_FLAG_SOLO);
    bool suspect_first = edda_uuid_equal(&work->id, &suspect);
    struct edda_uuid fresh = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &fresh), UINT32_MAX);
    rig_done(rig, other, suspect_first ? &suspect : &innocent, 0, 2, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_work_for(rig, suspect_first ? &innocent : &suspect), other);
    assert_int_equal(rig_work_for(rig, &fresh), UINT32_MAX);
    rig_done(rig, other, suspect_first ? &innocent : &suspect, 0, 2, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_work_for(rig, &fresh), other);
    rig_free(&rig);
}

static void work_that_never_left_blames_nobody(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t dead = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "pump");
    struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    struct edda_uuid begun = rig_req_with(rig, client, &request);
    struct edda_uuid unsent = rig_req_with(rig, client, &request);
    uint32_t other = rig_worker(rig, "embed", 4);
    rig_unsent(rig, dead, &unsent, 0, 1);
    assert_int_equal(rig->actions.count, 0);
    rig_lose(rig, dead, EDDA_EVENT_UNREACHABLE);
    /* Without retries the one that was begun is over; the other has not even begun. */
    assert_int_equal(rig_fail_code(rig, client, &begun), EDDA_E_WORKER_DIED);
    assert_int_equal(rig_work_for(rig, &unsent), other);
    const struct edda_envelope *work = &rig_sent(rig, other, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 1);
    assert_int_equal(work->flags & EDDA_FLAG_SOLO, 0);
    /* The next worker to die with it is not spared for that. */
    rig_lose(rig, other, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_fail_code(rig, client, &unsent), EDDA_E_WORKER_DIED);
    rig_free(&rig);
}

static void what_never_left_to_a_stranger_is_nothing(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "pump");
    struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    struct edda_uuid unknown = rig_id(rig);
    rig_unsent(rig, worker, &id, 0, 2); /* another attempt */
    rig_unsent(rig, worker, &unknown, 0, 1);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_WORKER_DIED);
    rig_unsent(rig, worker, &id, 0, 1); /* it is gone */
    assert_int_equal(rig->actions.count, 0);
    rig_free(&rig);
}

static void a_solo_job_is_not_starved_by_a_stream_of_others(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid busy = rig_req(rig, client, "embed");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000, .flags = EDDA_FLAG_SOLO};
    struct edda_uuid solo = rig_req_with(rig, client, &request);
    assert_int_equal(rig_work_for(rig, &solo), UINT32_MAX);
    struct edda_uuid next = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &next), UINT32_MAX); /* the worker is kept for it */
    rig_done(rig, worker, &busy, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_work_for(rig, &solo), worker);
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    rig_done(rig, worker, &solo, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_work_for(rig, &next), worker);
    rig_free(&rig);
}

static void a_cancelled_solo_job_gives_its_worker_free(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    (void)rig_req(rig, client, "embed");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000, .flags = EDDA_FLAG_SOLO};
    struct edda_uuid solo = rig_req_with(rig, client, &request);
    struct edda_uuid next = rig_req(rig, client, "embed");
    rig_about(rig, client, EDDA_CANCEL, &solo, 0, 0);
    assert_int_equal(rig_work_for(rig, &next), worker);
    rig_free(&rig);
}

static void a_second_death_ends_the_request(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = rig_client(rig, "gateway");
    uint32_t first = rig_worker(rig, "embed", 4);
    struct edda_uuid id = rig_req(rig, client, "embed"); /* with two retries */
    uint32_t second = rig_worker(rig, "embed", 4);
    rig_lose(rig, first, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_work_for(rig, &id), second);
    (void)rig_worker(rig, "embed", 4);
    rig_lose(rig, second, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_WORKER_DIED);
    /* Without retries the first one does. */
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    id = rig_req_with(rig, client, &request);
    rig_lose(rig, rig_work_for(rig, &id), EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_WORKER_DIED);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_goes_to_a_worker_with_credit),
        cmocka_unit_test(a_finished_step_moves_the_request_on),
        cmocka_unit_test(the_last_step_ends_the_request),
        cmocka_unit_test(an_output_of_another_type_ends_the_request),
        cmocka_unit_test(progress_renews_the_step_timer),
        cmocka_unit_test(a_step_that_may_be_skipped_is_skipped_and_named),
        cmocka_unit_test(a_search_without_a_reranker_is_admitted_and_degraded),
        cmocka_unit_test(a_skipped_step_has_its_retries_first),
        cmocka_unit_test(a_step_that_failed_by_its_worker_is_retried_elsewhere),
        cmocka_unit_test(the_only_worker_is_not_avoided),
        cmocka_unit_test(who_avoids_one_waits_for_another_until_alone),
        cmocka_unit_test(a_step_that_failed_by_its_input_is_not_retried),
        cmocka_unit_test(a_failure_names_its_step_also_when_it_is_asked_for_again),
        cmocka_unit_test(the_work_of_a_dead_worker_is_retried_solo),
        cmocka_unit_test(work_that_never_left_blames_nobody),
        cmocka_unit_test(what_never_left_to_a_stranger_is_nothing),
        cmocka_unit_test(a_solo_job_is_not_starved_by_a_stream_of_others),
        cmocka_unit_test(a_cancelled_solo_job_gives_its_worker_free),
        cmocka_unit_test(a_second_death_ends_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
