/* tests/actors/runtime/test_actor.c: sessions and the books of credit of a worker. */
#include "actors/runtime/actor.h"

#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "tests/actors/runtime/peers.h"
#include "tests/proto/cmocka.h"

#define MAX_JOBS 128

static void *context;
static edda_loop_t *loop;
static struct fake_broker *fakes[BROKERS];
static edda_actor_t *actor;
static edda_job_t *jobs[MAX_JOBS];
static int job_count;
static const struct edda_bytes nothing = {NULL, 0};
static const struct edda_empty empty;

static void keep_job(void *stage, edda_job_t *job) {
    assert_ptr_equal(stage, &job_count);
    jobs[job_count++] = job;
}

static void finish_at_once(void *stage, edda_job_t *job) {
    (void)stage;
    edda_job_finish(&job, EDDA_BODY_EMPTY, &empty);
}

static const struct edda_operation operations[] = {
    {"test.keep", keep_job},
    {"test.now", finish_at_once},
};

static void start(size_t brokers, uint32_t window) {
    static const char *const urls[BROKERS] = {FIRST_URL, SECOND_URL};
    context = zmq_ctx_new();
    loop = edda_loop_new("test");
    job_count = 0;
    for (size_t i = 0; i < brokers; i++) {
        fakes[i] = fake_broker_new(loop, context, urls[i]);
    }
    struct edda_actor_options options = {
        .loop = loop,
        .zmq_context = context,
        .brokers = urls,
        .broker_count = brokers,
        .service = "test",
        .model = "model-1",
        .dimension = 8,
        .name = "tester",
        .operations = operations,
        .operation_count = 2,
        .window = window,
        .stage = &job_count,
    };
    actor = edda_actor_new(&options);
    assert_non_null(actor);
}

static void start_live(size_t brokers, uint32_t window) {
    start(brokers, window);
    for (size_t i = 0; i < brokers; i++) {
        struct edda_hello hello = fake_broker_accept(fakes[i], FAKE_BACK);
        assert_int_equal(hello.window, window);
        assert_int_equal(hello.services.count, 1);
        fake_broker_expect_granted(fakes[i], window);
    }
    assert_int_equal(edda_actor_brokers_live(actor), brokers);
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < job_count; i++) {
        if (jobs[i]) {
            edda_job_return(&jobs[i]);
        }
    }
    edda_actor_destroy(&actor);
    for (size_t i = 0; i < BROKERS; i++) {
        fake_broker_destroy(&fakes[i]);
    }
    edda_loop_destroy(&loop);
    zmq_ctx_term(context);
    return 0;
}

static bool has_jobs(void *wanted) {
    return job_count == *(int *)wanted;
}

static void give(struct fake_broker *fake, const char *op) {
    struct edda_uuid id = edda_uuid_new();
    fake_broker_work(fake, &id, op, 5000, EDDA_BODY_NONE, nothing);
}

static void work_that_comes_twice_runs_once(void **state) {
    (void)state;
    struct edda_uuid id = edda_uuid_new();
    int one = 1;
    start_live(1, 2);
    fake_broker_work(fakes[0], &id, "test.keep", 5000, EDDA_BODY_NONE, nothing);
    fake_broker_work(fakes[0], &id, "test.keep", 5000, EDDA_BODY_NONE, nothing);
    assert_true(fake_loop_until(loop, has_jobs, &one, FAKE_WAIT_MS));
    fake_loop_for(loop, 20);
    assert_int_equal(job_count, 1);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    (void)fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_DONE);
    fake_broker_expect_granted(fakes[0], 3);
    /* When it has left, the same is work again: it may have been given back. */
    int two = 2;
    fake_broker_work(fakes[0], &id, "test.keep", 5000, EDDA_BODY_NONE, nothing);
    assert_true(fake_loop_until(loop, has_jobs, &two, FAKE_WAIT_MS));
}

static void hello_names_the_service_with_its_model(void **state) {
    (void)state;
    start(1, 4);
    const struct edda_wire *wire = fake_broker_expect(fakes[0], FAKE_BACK, EDDA_HELLO);
    struct edda_hello hello;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    assert_int_equal(edda_body_decode(EDDA_BODY_HELLO, wire->message.bodies[0], &arena, &hello), 0);
    assert_true(edda_text_is(hello.role, "worker"));
    assert_true(edda_text_is(hello.services.items[0].name, "test"));
    assert_true(edda_text_is(hello.services.items[0].model, "model-1"));
    assert_int_equal(hello.services.items[0].dimension, 8);
    edda_arena_done(&arena);
}

static void a_handler_may_finish_within_itself(void **state) {
    (void)state;
    start_live(1, 4);
    for (int i = 0; i < 4; i++) {
        give(fakes[0], "test.now");
    }
    for (int i = 0; i < 4; i++) {
        (void)fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_DONE);
    }
    fake_broker_expect_granted(fakes[0], 8);
    assert_int_equal(edda_actor_running(actor), 0);
}

static void many_jobs_that_end_in_one_turn_are_granted_together(void **state) {
    (void)state;
    int wanted = 8;
    int messages = 0;
    start_live(1, 8);
    for (int i = 0; i < 8; i++) {
        give(fakes[0], "test.keep");
    }
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    for (int i = 0; i < 8; i++) {
        edda_job_finish(&jobs[i], EDDA_BODY_EMPTY, &empty);
    }
    for (; messages < 8; messages++) {
        (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_DONE);
    }
    (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_CREDIT);
    assert_int_equal(fake_broker_granted(fakes[0]), 16);
    fake_broker_expect_nothing(fakes[0], FAKE_BACK, 80, false);
}

static void a_wide_window_is_granted_in_pieces_and_the_rest_by_the_tick(void **state) {
    (void)state;
    int wanted = 5;
    start_live(1, 64);
    for (int i = 0; i < 5; i++) {
        give(fakes[0], "test.keep");
    }
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    for (int i = 0; i < 5; i++) {
        edda_job_finish(&jobs[i], EDDA_BODY_EMPTY, &empty);
    }
    fake_broker_expect_granted(fakes[0], 69);
}

static void a_broker_that_drains_is_still_granted(void **state) {
    (void)state;
    start_live(1, 1);
    fake_broker_tell(fakes[0], FAKE_BACK, EDDA_DRAIN, NULL, 0, NULL);
    give(fakes[0], "test.now");
    (void)fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_DONE);
    fake_broker_expect_granted(fakes[0], 2);
    assert_int_equal(edda_actor_brokers_live(actor), 0);
}

static void an_actor_with_a_window_of_zero_grants_nothing_until_it_has_one_again(void **state) {
    (void)state;
    int wanted = 2;
    start_live(1, 2);
    edda_actor_set_window(actor, 0);
    give(fakes[0], "test.keep");
    give(fakes[0], "test.keep");
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    edda_job_finish(&jobs[1], EDDA_BODY_EMPTY, &empty);
    fake_loop_for(loop, 120);
    (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_DONE);
    (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_DONE);
    fake_broker_expect_nothing(fakes[0], FAKE_BACK, 60, false);
    assert_int_equal(fake_broker_granted(fakes[0]), 2);
    edda_actor_set_window(actor, 2);
    fake_broker_expect_granted(fakes[0], 4);
}

static void a_narrower_window_keeps_what_was_granted_and_grants_less(void **state) {
    (void)state;
    int wanted = 3;
    start_live(1, 4);
    edda_actor_set_window(actor, 1);
    assert_int_equal(fake_broker_granted(fakes[0]), 4);
    for (int i = 0; i < 3; i++) {
        give(fakes[0], "test.keep");
    }
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    for (int i = 0; i < 3; i++) {
        edda_job_finish(&jobs[i], EDDA_BODY_EMPTY, &empty);
    }
    fake_loop_for(loop, 120);
    assert_int_equal(fake_broker_granted(fakes[0]), 4); /* three done and one more may come */
    give(fakes[0], "test.now");
    fake_broker_expect_granted(fakes[0], 5);
    edda_actor_set_window(actor, 4);
    fake_broker_expect_granted(fakes[0], 8);
}

static void brokers_share_a_window_by_what_they_use(void **state) {
    (void)state;
    int wanted = 2;
    start(2, 5);
    for (size_t i = 0; i < 2; i++) {
        (void)fake_broker_accept(fakes[i], FAKE_BACK);
        fake_broker_expect_granted(fakes[i], 2);
    }
    give(fakes[0], "test.keep");
    give(fakes[0], "test.keep");
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    fake_broker_expect_granted(fakes[0], 5); /* seven are out: the window, and a floor */
    for (int i = 0; i < 2; i++) {
        edda_job_finish(&jobs[i], EDDA_BODY_EMPTY, &empty);
    }
    fake_loop_for(loop, 100);
    fake_broker_expect_granted(fakes[0], 5); /* it has more than it uses */
    fake_broker_expect_granted(fakes[1], 2);
}

static void jobs_of_a_lost_session_hold_their_slots_until_they_end(void **state) {
    (void)state;
    int wanted = 2;
    start_live(1, 3);
    give(fakes[0], "test.keep");
    give(fakes[0], "test.keep");
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    fake_broker_restart(fakes[0]);
    fake_broker_expect_nothing(fakes[0], FAKE_BACK, 10, true);
    (void)fake_broker_accept(fakes[0], FAKE_BACK);
    fake_broker_expect_granted(fakes[0], 1);
    assert_int_equal(edda_actor_running(actor), 2);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    fake_broker_expect_granted(fakes[0], 2);
    edda_job_finish(&jobs[1], EDDA_BODY_EMPTY, &empty);
    fake_broker_expect_granted(fakes[0], 3);
    fake_broker_expect_nothing(fakes[0], FAKE_BACK, 30, true);
}

/* Seen to fail without fill_ping()'s totals (tests/fault/guards/15b.patch). */
static void pings_repeat_the_totals(void **state) {
    (void)state;
    struct edda_ping ping = {.stamp = 77};
    start_live(1, 5);
    fake_broker_deaf(fakes[0], true);
    fake_broker_lose_grants(fakes[0]);
    size_t before = fake_broker_pings(fakes[0]);
    fake_broker_tell(fakes[0], FAKE_BACK, EDDA_PING, NULL, EDDA_BODY_PING, &ping);
    fake_loop_for(loop, 30);
    assert_true(fake_broker_pings(fakes[0]) > before);
    assert_int_equal(fake_broker_granted(fakes[0]), 5);
    assert_true(fake_broker_granted_bytes(fakes[0]) > 0);
}

static void an_idle_actor_drains_at_once(void **state) {
    (void)state;
    start_live(1, 2);
    edda_loop_drain(loop, 10000);
    assert_int_equal(edda_loop_run(loop), 0);
    (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_DRAIN);
    (void)fake_broker_expect(fakes[0], FAKE_BACK, EDDA_BYE);
}

static void command_of_a_client_is_dropped_by_a_worker(void **state) {
    (void)state;
    struct edda_message message = {.command = EDDA_FAIL, .envelope.id = edda_uuid_new()};
    start_live(1, 2);
    message.envelope.error.code = EDDA_E_BUSY;
    fake_broker_send(fakes[0], FAKE_BACK, &message, NULL, 0);
    fake_broker_expect_nothing(fakes[0], FAKE_BACK, 20, true);
    assert_int_equal(edda_actor_brokers_live(actor), 1);
}

static void give_one(void) {
    int wanted = job_count + 1;
    give(fakes[0], "test.keep");
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
}

static void an_output_that_is_encoded_already_is_sent_as_it_is(void **state) {
    (void)state;
    struct edda_buffer buffer;
    start_live(1, 2);
    give_one();
    edda_buffer_init(&buffer, 100000);
    for (int i = 0; i < 1000; i++) {
        edda_buffer_append_text(&buffer, "0123456789");
    }
    edda_job_finish_buffer(&jobs[0], EDDA_BODY_CHUNKS, &buffer);
    assert_null(buffer.data);
    const struct edda_wire *wire = fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_DONE);
    assert_int_equal(wire->message.bodies[0].size, 10000);
    assert_memory_equal(wire->message.bodies[0].data + 9990, "0123456789", 10);
}

static void an_output_over_a_frame_fails_the_job(void **state) {
    (void)state;
    struct edda_buffer buffer;
    start_live(1, 2);
    give_one();
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES + 10);
    uint8_t *room = edda_buffer_reserve(&buffer, EDDA_MAX_FRAME_BYTES + 1);
    assert_non_null(room);
    memset(room, 0, EDDA_MAX_FRAME_BYTES + 1);
    buffer.size = EDDA_MAX_FRAME_BYTES + 1;
    edda_job_finish_buffer(&jobs[0], EDDA_BODY_CHUNKS, &buffer);
    assert_null(buffer.data);
    const struct edda_wire *wire = fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_FAIL);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_LIMIT);
}

static void work_without_time_left_fails_as_expired(void **state) {
    (void)state;
    struct edda_uuid id = edda_uuid_new();
    start_live(1, 2);
    fake_broker_work(fakes[0], &id, "test.keep", 0, EDDA_BODY_NONE, nothing);
    const struct edda_wire *wire = fake_broker_expect_after_credit(fakes[0], FAKE_BACK, EDDA_FAIL);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_EXPIRED);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hello_names_the_service_with_its_model),
        TEST(work_that_comes_twice_runs_once),
        TEST(a_handler_may_finish_within_itself),
        TEST(many_jobs_that_end_in_one_turn_are_granted_together),
        TEST(a_wide_window_is_granted_in_pieces_and_the_rest_by_the_tick),
        TEST(a_broker_that_drains_is_still_granted),
        TEST(an_actor_with_a_window_of_zero_grants_nothing_until_it_has_one_again),
        TEST(a_narrower_window_keeps_what_was_granted_and_grants_less),
        TEST(brokers_share_a_window_by_what_they_use),
        TEST(jobs_of_a_lost_session_hold_their_slots_until_they_end),
        TEST(pings_repeat_the_totals),
        TEST(an_idle_actor_drains_at_once),
        TEST(command_of_a_client_is_dropped_by_a_worker),
        TEST(an_output_that_is_encoded_already_is_sent_as_it_is),
        TEST(an_output_over_a_frame_fails_the_job),
        TEST(work_without_time_left_fails_as_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
