/* tests/flow/test_flow_runtime.c: the real client and the real actor around the real broker. */
#include "actors/runtime/actor.h"
#include "actors/runtime/client.h"
#include "proto/body.h"
#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

#define CALLS      2000
#define AT_ONCE    64
#define LIMIT_MS   20000 /* without an answer */
#define TIMER_MS   5
#define RESTART_AT 500

/* Test, client and actors share one loop; the broker has its own thread. */
struct house {
    edda_scenario_t *scenario;
    edda_loop_t *loop;
    edda_client_t *client;
    edda_actor_t *actors[2];
    struct edda_timer timer;
    int64_t moved_ms; /* the last answer's; at first the beginning */
    size_t asked;
    size_t answered;
    size_t failed;
    size_t unserved; /* of these: the client was back before the workers were */
    size_t worked;
    size_t calls;
    bool restart; /* the broker, once, in the middle */
};

static struct house house;

static void work(void *stage, edda_job_t *job) {
    (void)stage;
    const struct edda_empty empty = {false};
    house.worked++;
    edda_job_finish(&job, EDDA_BODY_EMPTY, &empty);
}

static void on_reply(void *context, const struct edda_reply *reply) {
    (void)context;
    house.answered++;
    house.moved_ms = edda_loop_now(house.loop);
    house.failed += reply->error != 0;
    house.unserved += reply->error == EDDA_E_NO_SERVICE;
}

static void ask_more(void) {
    const struct edda_step steps[] = {{.op = "own.first"}, {.op = "own.second"}};
    while (house.asked < house.calls && house.asked - house.answered < AT_ONCE) {
        const struct edda_request request = {
            .steps = steps,
            .step_count = 2,
            .project = EDDA_TEXT("test"),
            .ttl_ms = 15000,
            .retries = 2,
            .broker = -1,
            .on_reply = on_reply,
        };
        if (edda_client_call(house.client, &request, NULL) != 0) {
            return; /* no credit now: the timer comes again */
        }
        house.asked++;
    }
}

static void on_timer(void *context) {
    (void)context;
    if (house.restart && house.answered >= RESTART_AT) {
        house.restart = false;
        scenario_restart(house.scenario);
    }
    if (edda_client_credit(house.client, "own") > 0) {
        ask_more();
    }
    bool late = edda_loop_now(house.loop) - house.moved_ms > LIMIT_MS;
    if (house.answered == house.calls || late) {
        edda_loop_stop(house.loop);
        return;
    }
    edda_loop_timer_set(house.loop, &house.timer, edda_loop_now(house.loop) + TIMER_MS);
}

static edda_actor_t *make_actor(const char *const *urls) {
    static const struct edda_operation operations[] = {{"own.first", work}, {"own.second", work}};
    const struct edda_actor_options options = {
        .loop = house.loop,
        .zmq_context = scenario_context(house.scenario),
        .brokers = urls,
        .broker_count = 1,
        .curve = scenario_curve(house.scenario),
        .service = "own",
        .name = "test",
        .operations = operations,
        .operation_count = 2,
        .window = 8,
    };
    edda_actor_t *actor = edda_actor_new(&options);
    assert_non_null(actor);
    return actor;
}

static void run_house(size_t calls, bool restart) {
    house = (struct house){.scenario = scenario_start(NULL), .calls = calls, .restart = restart};
    const char *urls[] = {scenario_url(house.scenario)};
    house.loop = edda_loop_new("test");
    assert_non_null(house.loop);
    const struct edda_client_options options = {
        .loop = house.loop,
        .zmq_context = scenario_context(house.scenario),
        .brokers = urls,
        .broker_count = 1,
        .curve = scenario_curve(house.scenario),
        .role = "cli",
        .name = "test",
    };
    house.client = edda_client_new(&options);
    assert_non_null(house.client);
    for (size_t i = 0; i < 2; i++) {
        house.actors[i] = make_actor(urls);
    }
    house.moved_ms = edda_loop_now(house.loop);
    house.timer = (struct edda_timer){.fire = on_timer, .name = "test"};
    edda_loop_timer_set(house.loop, &house.timer, house.moved_ms);
    (void)edda_loop_run(house.loop);
    edda_client_destroy(&house.client);
    for (size_t i = 0; i < 2; i++) {
        edda_actor_destroy(&house.actors[i]);
    }
    edda_loop_destroy(&house.loop);
    assert_int_equal(house.answered, calls);
    assert_int_equal(house.failed, restart ? house.unserved : 0);
}

static void every_call_is_answered_once(void **state) {
    (void)state;
    run_house(CALLS, false);
    assert_int_equal(house.worked, 2 * CALLS);
    expect_balance(house.scenario);
    assert_int_equal(scenario_status(house.scenario)->admitted, CALLS);
    assert_int_equal(scenario_status(house.scenario)->late, 0);
    scenario_stop(&house.scenario);
}

static void calls_survive_a_broker_that_is_killed(void **state) {
    (void)state;
    run_house(CALLS, true);
    assert_false(house.restart);
    assert_true(house.worked >= 2 * (CALLS - house.unserved));
    scenario_stop(&house.scenario);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_answered_once),
        cmocka_unit_test(calls_survive_a_broker_that_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
