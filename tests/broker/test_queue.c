/* tests/broker/test_queue.c: who goes first: bands, aging, projects, the choice of a worker. */
#include <stdio.h>

#include "tests/broker/rig.h"

#define LARGE ((uint64_t)1 << 40)

struct wish {
    const char *project;
    uint8_t priority;
    uint32_t bytes;
};

static struct edda_uuid ask(struct rig *rig, uint32_t client, struct wish wish) {
    const struct rig_request request = {.route = "embed",
                                        .ttl_ms = 600000,
                                        .project = wish.project,
                                        .priority = wish.priority,
                                        .bytes = wish.bytes};
    return rig_req_with(rig, client, &request);
}

/* Grants one more and gives the WORK that goes; its answer is sent at once. */
static struct edda_envelope take_one(struct rig *rig, uint32_t worker) {
    rig_credit(rig, worker, NULL, rig->granted[worker] + 1, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    struct edda_envelope envelope = rig_sent(rig, worker, EDDA_WORK)->message.envelope;
    struct edda_uuid id = envelope.id;
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    return envelope;
}

static void interactive_work_goes_before_bulk(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    (void)ask(rig, client, (struct wish){"a", 9, 10});
    (void)ask(rig, client, (struct wish){"a", 5, 10});
    (void)ask(rig, client, (struct wish){"a", 0, 10});
    assert_int_equal(take_one(rig, worker).priority, 0);
    assert_int_equal(take_one(rig, worker).priority, 5);
    assert_int_equal(take_one(rig, worker).priority, 9);
    rig_free(&rig);
}

static void bulk_ages_and_is_never_starved(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 4; i++) {
        (void)ask(rig, client, (struct wish){"a", 9, 10});
    }
    int bulk = 0;
    for (int i = 0; i < 200; i++) { /* two seconds of interactive work without end */
        (void)ask(rig, client, (struct wish){"b", 0, 10});
        (void)ask(rig, client, (struct wish){"b", 0, 10});
        rig->now_ms += 10;
        rig_ping(rig, client, EDDA_PING, 1, 0, 0);
        bulk += take_one(rig, worker).priority == 9;
        if (i % 64 == 63) { /* keep within the client's window */
            for (int j = 0; j < 60; j++) {
                bulk += take_one(rig, worker).priority == 9;
            }
            rig_tick(rig, 1);
        }
    }
    assert_true(bulk >= 3);
    rig_free(&rig);
}

static void projects_take_turns(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 100; i++) {
        (void)ask(rig, client, (struct wish){"large", 9, 100});
    }
    for (int i = 0; i < 10; i++) {
        (void)ask(rig, client, (struct wish){"small", 9, 100});
    }
    int small = 0;
    for (int i = 0; i < 20; i++) {
        struct edda_envelope envelope = take_one(rig, worker);
        small += edda_text_is(envelope.project, "small");
    }
    assert_int_equal(small, 10);
    rig_free(&rig);
}

static void turns_are_counted_in_bytes(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 40; i++) {
        (void)ask(rig, client, (struct wish){"heavy", 9, 64 * 1024});
        (void)ask(rig, client, (struct wish){"light", 9, 8 * 1024});
    }
    int heavy = 0;
    for (int i = 0; i < 36; i++) {
        heavy += edda_text_is(take_one(rig, worker).project, "heavy");
    }
    assert_in_range(heavy, 3, 5); /* eight light ones to one heavy */
    rig_free(&rig);
}

static void a_project_keeps_its_own_order(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid ids[5];
    for (size_t i = 0; i < 5; i++) {
        ids[i] = ask(rig, client, (struct wish){"a", 0, 10});
    }
    for (size_t i = 0; i < 5; i++) {
        struct edda_uuid id = take_one(rig, worker).id;
        assert_true(edda_uuid_equal(&id, &ids[i]));
    }
    rig_free(&rig);
}

static void begun_work_goes_before_fresh(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t first = rig_worker(rig, "one", 1);
    uint32_t second = rig_worker_without_credit(rig, "two", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid begun = rig_req(rig, client, "one -> two");
    struct edda_uuid fresh = rig_req(rig, client, "two");
    rig_done(rig, first, &begun, 0, 1, EDDA_BODY_EMPTY);
    rig_credit(rig, second, NULL, 1, LARGE);
    assert_int_equal(rig_work_for(rig, &begun), second);
    assert_int_equal(rig_work_for(rig, &fresh), UINT32_MAX);
    rig_free(&rig);
}

static void many_projects_share_the_last_turn(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    uint32_t worker = rig_worker_without_credit(rig, "embed,store", 2);
    static const char *const routes[] = {"embed", "store.ping"};
    uint32_t client = 0;
    char project[16];
    uint32_t asked = 0;
    for (uint32_t i = 0; i < EDDA_MAX_PROJECTS_TRACKED + 500; i++) {
        if (i % EDDA_CLIENT_WINDOW == 0) {
            client = rig_client(rig, "gateway");
        }
        (void)snprintf(project, sizeof(project), "p%u", i);
        const struct rig_request request = {
            .route = routes[i >= 3000], .ttl_ms = 600000, .project = project};
        struct edda_uuid id = rig_req_with(rig, client, &request);
        assert_int_equal(rig_fail_code(rig, client, &id), 0);
        asked++;
    }
    rig->unchecked = false;
    rig_credit(rig, worker, NULL, asked, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), asked);
    assert_int_equal(rig_status(rig).queued, 0);
    rig_free(&rig);
}

static void the_last_slot_is_for_interactive_work(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 3);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 3; i++) {
        (void)ask(rig, client, (struct wish){"a", 9, 10});
    }
    assert_int_equal(rig_status(rig).running, 2);
    struct edda_uuid id = ask(rig, client, (struct wish){"a", 0, 10});
    assert_int_equal(rig_work_for(rig, &id), worker);
    rig_free(&rig);
    /* A small window has none to spare. */
    rig = rig_new();
    (void)rig_worker(rig, "embed", 2);
    client = rig_client(rig, "gateway");
    for (int i = 0; i < 3; i++) {
        (void)ask(rig, client, (struct wish){"a", 9, 10});
    }
    assert_int_equal(rig_status(rig).running, 2);
    rig_free(&rig);
}

/* Seen to fail without is_better() (tests/fault/guards/18b.patch). */
static void work_goes_where_there_is_least_for_its_window(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t small = rig_worker(rig, "embed", 2);
    uint32_t large = rig_worker(rig, "embed", 6);
    uint32_t client = rig_client(rig, "gateway");
    uint32_t to_large = 0;
    for (int i = 0; i < 8; i++) {
        struct edda_uuid id = ask(rig, client, (struct wish){"a", 0, 10});
        uint32_t peer = rig_work_for(rig, &id);
        assert_true(peer == small || peer == large);
        to_large += peer == large;
        if (i == 3) {
            assert_int_equal(to_large, 3); /* in proportion all along */
        }
    }
    assert_int_equal(to_large, 6);
    rig_free(&rig);
}

/* Seen to fail without is_better() (tests/fault/guards/18.patch). */
static void of_idle_workers_the_faster_is_chosen(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t workers[2] = {rig_worker(rig, "embed", 2), rig_worker(rig, "embed", 2)};
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid first = ask(rig, client, (struct wish){"a", 0, 10});
    struct edda_uuid second = ask(rig, client, (struct wish){"a", 0, 10});
    rig->now_ms += 10;
    rig_done(rig, workers[0], &first, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig->now_ms += 300;
    rig_done(rig, workers[1], &second, 0, 1, EDDA_BODY_EMBEDDINGS);
    for (uint32_t i = 0; i < 2; i++) {
        rig_credit(rig, workers[i], NULL, 8, LARGE);
    }
    for (int i = 0; i < 3; i++) {
        struct edda_uuid id = ask(rig, client, (struct wish){"a", 0, 10});
        assert_int_equal(rig_work_for(rig, &id), workers[0]);
        rig->now_ms += 10;
        rig_done(rig, workers[0], &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    }
    rig_free(&rig);
}

static void the_workers_of_one_service_take_nothing_of_another(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t embedder = rig_worker_without_credit(rig, "embed", 2);
    uint32_t store = rig_worker(rig, "store", 2);
    uint32_t both = rig_worker_without_credit(rig, "embed,store", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = ask(rig, client, (struct wish){"a", 0, 10});
    assert_int_equal(rig_work_for(rig, &id), UINT32_MAX);
    rig_credit(rig, store, NULL, 9, LARGE);
    assert_int_equal(rig_work_for(rig, &id), UINT32_MAX);
    rig_credit(rig, both, NULL, 1, LARGE);
    assert_int_equal(rig_work_for(rig, &id), both);
    (void)embedder;
    rig_free(&rig);
}

static void services_are_bounded(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    char name[8];
    for (int i = 0; i < EDDA_CORE_SERVICES; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        (void)rig_worker(rig, name, 1);
    }
    uint32_t peer = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, peer, "worker", "one-too-many", 999, 1, 1);
    assert_int_equal(rig_reset_code(rig, peer), EDDA_E_LIMIT);
    assert_true(rig_forgot(rig, peer));
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interactive_work_goes_before_bulk),
        cmocka_unit_test(bulk_ages_and_is_never_starved),
        cmocka_unit_test(projects_take_turns),
        cmocka_unit_test(turns_are_counted_in_bytes),
        cmocka_unit_test(a_project_keeps_its_own_order),
        cmocka_unit_test(begun_work_goes_before_fresh),
        cmocka_unit_test(many_projects_share_the_last_turn),
        cmocka_unit_test(the_last_slot_is_for_interactive_work),
        cmocka_unit_test(work_goes_where_there_is_least_for_its_window),
        cmocka_unit_test(of_idle_workers_the_faster_is_chosen),
        cmocka_unit_test(the_workers_of_one_service_take_nothing_of_another),
        cmocka_unit_test(services_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
