/* tests/broker/test_overload.c: what is refused while there is still time, and retries that do not
 * make a bad hour worse. */
#include <stdio.h>

#include "broker/budget.h"
#include "tests/broker/rig.h"
#include "tests/proto/random.h"

#define LARGE ((uint64_t)1 << 40)

/* A service whose steps take this long, with `count` requests of priority waiting behind a window
 * of 2. */
static uint32_t slow_service(struct rig *rig, uint32_t step_ms, uint32_t count, uint8_t priority) {
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    rig_credit(rig, worker, NULL, 1, LARGE);
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig->now_ms += step_ms;
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    const struct rig_request request = {
        .route = "embed", .ttl_ms = EDDA_MAX_TTL_MS, .priority = priority};
    for (uint32_t i = 0; i < count; i++) {
        id = rig_req_with(rig, client, &request);
        assert_int_equal(rig_fail_code(rig, client, &id), 0);
    }
    return client;
}

static int ask(struct rig *rig, uint32_t client, const char *route, uint32_t ttl_ms,
               uint8_t priority) {
    const struct rig_request request = {.route = route, .ttl_ms = ttl_ms, .priority = priority};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    return rig_fail_code(rig, client, &id);
}

/* Seen to fail without check_time() (tests/fault/guards/28c.patch). */
static void a_request_that_would_expire_in_the_queue_is_refused_at_once(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    /* 20 of 1,000 ms, two at a time: ten seconds. */
    uint32_t client = slow_service(rig, 1000, 20, 0);
    assert_int_equal(ask(rig, client, "embed", 10000, 0), EDDA_E_BUSY);
    assert_int_equal(rig_sent(rig, client, EDDA_FAIL)->message.envelope.error.retry_after_ms,
                     10000);
    assert_int_equal(ask(rig, client, "embed", 10001, 0), 0);
    rig_free(&rig);
}

static void the_waits_of_all_steps_count_together(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = slow_service(rig, 1000, 20, 0);
    (void)rig_worker(rig, "store", 4);
    assert_int_equal(ask(rig, client, "store.search -> embed", 9000, 0), EDDA_E_TYPE);
    assert_int_equal(ask(rig, client, "embed -> store.search", 9000, 0), EDDA_E_BUSY);
    assert_int_equal(ask(rig, client, "embed -> store.search", 11000, 0), 0);
    rig_free(&rig);
}

static void a_service_that_was_slow_and_is_idle_is_asked(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = slow_service(rig, 60000, 0, 0);
    assert_int_equal(ask(rig, client, "embed", 100, 0), 0);
    rig_free(&rig);
}

static void bulk_is_refused_before_interactive(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = slow_service(rig, 1000, 20, 9);
    /* Bulk has the line before it; a search goes past it. */
    assert_int_equal(ask(rig, client, "embed", 5000, 9), EDDA_E_BUSY);
    assert_int_equal(ask(rig, client, "embed", 5000, 0), 0);
    rig_free(&rig);
}

/* Seen to fail without flow.c's affords. */
static void failed_steps_are_retried_within_a_budget(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    const uint32_t requests = 400;
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    uint32_t works = 0;
    for (uint32_t i = 0; i < requests; i++) {
        struct edda_uuid id = rig_req(rig, client, "embed"); /* with two retries */
        uint8_t attempt = 0;
        while (rig_work_for(rig, &id) == worker) {
            rig_credit(rig, worker, NULL, ++rig->granted[worker], LARGE);
            works++;
            rig_fail(rig, worker, &id, 0, ++attempt, EDDA_E_INTERNAL, EDDA_BLAME_WORKER);
        }
        assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_INTERNAL);
    }
    uint32_t retries = works - requests;
    assert_true(retries >= EDDA_BUDGET_FLOOR);
    assert_true(retries <= EDDA_BUDGET_FLOOR + requests / EDDA_BUDGET_SHARE);
    assert_true(edda_core_counters(rig->core)->unretried > 0);
    rig_free(&rig);
}

static void a_step_over_its_time_is_retried_within_the_budget(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = rig_client(rig, "gateway");
    (void)rig_worker(rig, "embed", 64);
    (void)rig_worker(rig, "embed", 64);
    for (uint32_t i = 0; i < 3 * EDDA_BUDGET_FLOOR; i++) {
        (void)rig_req(rig, client, "embed(300)");
    }
    rig_tick(rig, 300);
    /* 30 steps have earned three tokens beside the floor. */
    assert_int_equal(rig_count(rig, EDDA_WORK), EDDA_BUDGET_FLOOR + 3);
    assert_int_equal(rig_count(rig, EDDA_FAIL), 2 * EDDA_BUDGET_FLOOR - 3);
    rig_free(&rig);
}

static void the_work_of_a_dead_worker_is_not_counted(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = rig_client(rig, "gateway");
    uint32_t dead = rig_worker(rig, "embed", 64);
    for (uint32_t i = 0; i < 4 * EDDA_BUDGET_FLOOR; i++) {
        (void)rig_req(rig, client, "embed");
    }
    (void)rig_worker(rig, "embed", 64);
    rig_lose(rig, dead, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig_count(rig, EDDA_FAIL), 0);
    assert_int_equal(edda_core_counters(rig->core)->unretried, 0);
    rig_free(&rig);
}

static void a_budget_never_gives_more_than_its_share(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct random random = {seed};
        struct edda_budget budget;
        int64_t now_ms = 1000;
        uint64_t steps = 0;
        uint64_t retries = 0;
        uint64_t refused = 0;
        edda_budget_init(&budget, now_ms);
        for (int i = 0; i < 5000; i++) {
            size_t event = random_below(&random, 100);
            now_ms += event < 5 ? (int64_t)random_below(&random, 3000) : 0;
            if (event < 60) {
                edda_budget_earn(&budget);
                steps++;
            } else if (edda_budget_spend(&budget, now_ms)) {
                retries++;
            } else {
                refused++;
            }
            uint64_t seconds = (uint64_t)(now_ms - 1000) / EDDA_BUDGET_TOKEN_MS;
            assert_true(retries <= EDDA_BUDGET_FLOOR + steps / EDDA_BUDGET_SHARE + seconds);
        }
        assert_true(refused > 0);
        assert_true(retries >= EDDA_BUDGET_FLOOR + steps / EDDA_BUDGET_SHARE -
                                   EDDA_BUDGET_TOKENS); /* nothing is lost below the maximum */
    }
}

static void a_budget_keeps_no_more_than_its_maximum(void **state) {
    (void)state;
    struct edda_budget budget;
    uint32_t retries = 0;
    edda_budget_init(&budget, 0);
    for (int i = 0; i < 100000; i++) {
        edda_budget_earn(&budget);
    }
    while (edda_budget_spend(&budget, 0)) {
        retries++;
    }
    assert_int_equal(retries, EDDA_BUDGET_TOKENS);
    /* Time alone brings back the floor and no more. */
    retries = 0;
    while (edda_budget_spend(&budget, (int64_t)EDDA_BUDGET_TOKEN_MS * 1000)) {
        retries++;
    }
    assert_int_equal(retries, EDDA_BUDGET_FLOOR);
    assert_false(edda_budget_spend(&budget, (int64_t)EDDA_BUDGET_TOKEN_MS * 1001 - 1));
    assert_true(edda_budget_spend(&budget, (int64_t)EDDA_BUDGET_TOKEN_MS * 1001));
}

/* Of ops that somebody serves: what nobody serves is not remembered. */
static void names_of_ops_are_bounded(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "made-up", 4);
    uint32_t client = rig_client(rig, "gateway");
    char route[32];
    for (int i = 0; i <= EDDA_CORE_OPS; i++) {
        (void)snprintf(route, sizeof route, "made-up.%d", i);
        struct edda_uuid id = rig_req(rig, client, route);
        if (i == EDDA_CORE_OPS) {
            assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_LIMIT);
            break;
        }
        assert_int_equal(rig_work_for(rig, &id), worker);
        rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMPTY);
        rig_credit(rig, worker, NULL, (uint64_t)i + 5, LARGE);
    }
    assert_int_equal(ask(rig, client, "nobodys.op", 5000, 0), EDDA_E_NO_SERVICE);
    assert_int_equal(ask(rig, client, "made-up.0", 5000, 0), 0);
    rig_free(&rig);
}

static void one_tick_ends_so_many_requests_and_the_next_the_rest(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    const struct rig_request request = {.route = "embed", .ttl_ms = 1000};
    uint32_t worker = rig_worker_without_credit(rig, "embed", 1);
    for (uint32_t i = 0; i < EDDA_CORE_TICK_BUDGET + 1; i += EDDA_CLIENT_WINDOW) {
        uint32_t client = rig_client(rig, "gateway");
        for (uint32_t k = i; k < i + EDDA_CLIENT_WINDOW && k <= EDDA_CORE_TICK_BUDGET; k++) {
            struct edda_uuid id = rig_req_with(rig, client, &request);
            assert_int_equal(rig_fail_code(rig, client, &id), 0);
        }
    }
    (void)worker;
    rig_tick(rig, 1000);
    assert_int_equal(rig_count(rig, EDDA_FAIL), EDDA_CORE_TICK_BUDGET);
    rig_tick(rig, 0);
    assert_int_equal(rig_count(rig, EDDA_FAIL), 1);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_would_expire_in_the_queue_is_refused_at_once),
        cmocka_unit_test(the_waits_of_all_steps_count_together),
        cmocka_unit_test(a_service_that_was_slow_and_is_idle_is_asked),
        cmocka_unit_test(bulk_is_refused_before_interactive),
        cmocka_unit_test(failed_steps_are_retried_within_a_budget),
        cmocka_unit_test(a_step_over_its_time_is_retried_within_the_budget),
        cmocka_unit_test(the_work_of_a_dead_worker_is_not_counted),
        cmocka_unit_test(a_budget_never_gives_more_than_its_share),
        cmocka_unit_test(a_budget_keeps_no_more_than_its_maximum),
        cmocka_unit_test(names_of_ops_are_bounded),
        cmocka_unit_test(one_tick_ends_so_many_requests_and_the_next_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
