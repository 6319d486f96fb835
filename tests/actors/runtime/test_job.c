/* tests/actors/runtime/test_job.c: state table 4 of proto/README.md, row by row, against a fake
 * broker. */
#include "actors/runtime/job.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/runtime/actor.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/pool.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "tests/actors/runtime/peers.h"
#include "tests/proto/cmocka.h"

#define WINDOW   3
#define MAX_JOBS 32

static void *context;
static edda_loop_t *loop;
static struct fake_broker *fake;
static edda_actor_t *actor;
static edda_job_t *jobs[MAX_JOBS]; /* handed to the stage and not finished */
static int job_count;
static int cancels;
static int credits;
static const struct edda_bytes nothing = {NULL, 0};
static const struct edda_empty empty;

static void keep_job(void *stage, edda_job_t *job) {
    (void)stage;
    jobs[job_count++] = job;
}

static void decode_first(void *stage, edda_job_t *job) {
    struct edda_chunk_arguments arguments;
    (void)stage;
    int error = edda_job_arguments(job, EDDA_BODY_CHUNK_ARGUMENTS, &arguments);
    if (error) {
        edda_job_fail(&job, error, EDDA_BLAME_JOB, 0, NULL);
        return;
    }
    keep_job(stage, job);
}

static const struct edda_operation operations[] = {
    {"test.keep", keep_job},
    {"chunk", decode_first},
};

static void start_actor(void) {
    static const char *const urls[] = {FIRST_URL};
    struct edda_actor_options options = {
        .loop = loop,
        .zmq_context = context,
        .brokers = urls,
        .broker_count = 1,
        .service = "test",
        .model = "model-1",
        .dimension = 8,
        .name = "tester",
        .operations = operations,
        .operation_count = 2,
        .window = WINDOW,
    };
    actor = edda_actor_new(&options);
    assert_non_null(actor);
}

static int set_up(void **state) {
    (void)state;
    context = zmq_ctx_new();
    loop = edda_loop_new("test");
    fake = fake_broker_new(loop, context, FIRST_URL);
    job_count = 0;
    cancels = 0;
    credits = 0;
    memset(jobs, 0, sizeof jobs);
    start_actor();
    (void)fake_broker_accept(fake, FAKE_BACK);
    fake_broker_expect_granted(fake, WINDOW);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < MAX_JOBS; i++) {
        if (jobs[i]) {
            edda_job_return(&jobs[i]);
        }
    }
    edda_actor_destroy(&actor);
    fake_broker_destroy(&fake);
    edda_loop_destroy(&loop);
    zmq_ctx_term(context);
    return 0;
}

static bool has_jobs(void *wanted) {
    return job_count == *(int *)wanted;
}

static struct edda_uuid give_work(const char *op, uint32_t ttl_ms) {
    struct edda_uuid id = edda_uuid_new();
    int wanted = job_count + 1;
    fake_broker_work(fake, &id, op, ttl_ms, EDDA_BODY_NONE, nothing);
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    return id;
}

static const struct edda_wire *expect(uint8_t command, const struct edda_uuid *id) {
    const struct edda_wire *wire = fake_broker_expect_after_credit(fake, FAKE_BACK, command);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, id));
    return wire;
}

static void note_cancel(void *unused) {
    (void)unused;
    cancels++;
}

static void note_credit(void *unused) {
    (void)unused;
    credits++;
}

static bool was_cancelled(void *unused) {
    (void)unused;
    return cancels > 0;
}

static bool was_credited(void *unused) {
    (void)unused;
    return credits > 0;
}

static void work_begins_a_job(void **state) {
    (void)state;
    struct edda_message work = {.command = EDDA_WORK, .envelope.id = edda_uuid_new()};
    struct edda_bytes bodies[2] = {{(const uint8_t *)"\x80", 1}, nothing};
    int wanted = 1;
    work.envelope.op = EDDA_TEXT("test.keep");
    work.envelope.project = EDDA_TEXT("project");
    work.envelope.attempt = 3;
    work.envelope.ttl_ms = 60000;
    work.envelope.fence = 12345;
    work.envelope.body_count = 2;
    work.envelope.bodies[0] =
        (struct edda_body_descriptor){.type = EDDA_BODY_CHUNK_ARGUMENTS, .version = 1, .bytes = 1};
    fake_broker_send(fake, FAKE_BACK, &work, bodies, 2);
    assert_true(fake_loop_until(loop, has_jobs, &wanted, FAKE_WAIT_MS));
    const struct edda_envelope *envelope = edda_job_envelope(jobs[0]);
    struct edda_chunk_arguments arguments = {.target_tokens = 9};
    struct edda_chunks input = {.dimension = 9};
    assert_true(edda_uuid_equal(&envelope->id, &work.envelope.id));
    assert_true(edda_text_is(envelope->project, "project"));
    assert_int_equal(envelope->attempt, 3);
    assert_int_equal(envelope->fence, 12345);
    assert_in_range(edda_job_deadline_ms(jobs[0]) - edda_clock_ms(), 50000, 60000);
    assert_int_equal(edda_job_arguments(jobs[0], EDDA_BODY_CHUNK_ARGUMENTS, &arguments), 0);
    assert_int_equal(arguments.target_tokens, 0);
    assert_int_equal(edda_job_input(jobs[0], EDDA_BODY_CHUNKS, &input), 0);
    assert_int_equal(input.dimension, 0);
    assert_int_equal(edda_job_arguments(jobs[0], EDDA_BODY_HITS, &arguments), EDDA_E_TYPE);
    assert_int_equal(edda_job_arguments(jobs[0], 9999, &arguments), EDDA_E_TYPE);
    assert_non_null(edda_arena_take(edda_job_arena(jobs[0]), 15u << 20)); /* 16 MiB is all it has */
    assert_null(edda_arena_take(edda_job_arena(jobs[0]), (1u << 20) + 1));
    assert_false(edda_job_cancelled(jobs[0]));
    assert_int_equal(edda_actor_running(actor), 1);
}

static void work_of_an_op_not_offered_fails(void **state) {
    (void)state;
    struct edda_uuid id = edda_uuid_new();
    fake_broker_work(fake, &id, "test.other", 1000, EDDA_BODY_NONE, nothing);
    const struct edda_wire *wire = expect(EDDA_FAIL, &id);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_NO_SERVICE);
    assert_int_equal(wire->message.envelope.error.blame, EDDA_BLAME_WORKER);
    fake_broker_expect_granted(fake, WINDOW + 1);
}

static void expect_refused(uint16_t type, struct edda_bytes body, int code) {
    struct edda_uuid id = edda_uuid_new();
    fake_broker_work(fake, &id, "chunk", 1000, type, body);
    const struct edda_wire *wire = expect(EDDA_FAIL, &id);
    assert_int_equal(wire->message.envelope.error.code, code);
    assert_int_equal(wire->message.envelope.error.blame, EDDA_BLAME_JOB);
}

static void work_with_a_wrong_body_fails_with_blame_on_the_job(void **state) {
    (void)state;
    expect_refused(EDDA_BODY_HITS, (struct edda_bytes){(const uint8_t *)"\x80", 1}, EDDA_E_TYPE);
    expect_refused(EDDA_BODY_CHUNK_ARGUMENTS, (struct edda_bytes){(const uint8_t *)"\x81", 1},
                   EDDA_E_MALFORMED);
    fake_broker_expect_granted(fake, WINDOW + 2);
    assert_int_equal(edda_actor_running(actor), 0);
}

static void work_that_arrives_while_draining_is_returned(void **state) {
    (void)state;
    struct edda_uuid first = give_work("test.keep", 5000);
    struct edda_uuid second = edda_uuid_new();
    edda_loop_drain(loop, 10000);
    (void)fake_broker_expect_after_credit(fake, FAKE_BACK, EDDA_DRAIN);
    fake_broker_work(fake, &second, "test.keep", 1000, EDDA_BODY_NONE, nothing);
    (void)expect(EDDA_RETURN, &second);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    (void)expect(EDDA_DONE, &first);
    assert_int_equal(job_count, 1);
}

static void a_finished_job_sends_done_and_grants_one_more(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    uint64_t bytes = fake_broker_granted_bytes(fake);
    struct edda_embeddings embeddings = {.model = EDDA_TEXT("m"), .dimension = 2};
    assert_true(bytes == (uint64_t)WINDOW * EDDA_MAX_MESSAGE_BYTES);
    edda_job_finish(&jobs[0], EDDA_BODY_EMBEDDINGS, &embeddings);
    assert_null(jobs[0]);
    const struct edda_wire *wire = expect(EDDA_DONE, &id);
    assert_int_equal(wire->message.envelope.attempt, 1);
    assert_int_equal(edda_message_body_type(&wire->message, 0), EDDA_BODY_EMBEDDINGS);
    struct edda_embeddings back;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    assert_int_equal(edda_body_decode(EDDA_BODY_EMBEDDINGS, wire->message.bodies[0], &arena, &back),
                     0);
    assert_int_equal(back.dimension, 2);
    edda_arena_done(&arena);
    fake_broker_expect_granted(fake, WINDOW + 1);
    assert_int_equal(edda_actor_running(actor), 0);
}

static void a_failed_job_sends_fail_with_its_blame(void **state) {
    (void)state;
    char text[EDDA_MAX_ERROR_TEXT + 100];
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_fail(&jobs[0], EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, 1500, "the provider is away");
    const struct edda_wire *wire = expect(EDDA_FAIL, &id);
    const struct edda_wire_error *error = &wire->message.envelope.error;
    assert_int_equal(error->code, EDDA_E_UNAVAILABLE);
    assert_int_equal(error->blame, EDDA_BLAME_OUTSIDE);
    assert_int_equal(error->retry_after_ms, 1500);
    assert_true(edda_text_is(error->text, "the provider is away"));
    fake_broker_expect_granted(fake, WINDOW + 1);

    /* A text over the maximum is cut between characters. */
    id = give_work("test.keep", 5000);
    memset(text, 'x', sizeof text);
    memcpy(text + EDDA_MAX_ERROR_TEXT - 1, "\xc3\xa9", 2);
    text[sizeof text - 1] = '\0';
    edda_job_fail(&jobs[1], EDDA_E_FAILED, EDDA_BLAME_JOB, 0, text);
    wire = expect(EDDA_FAIL, &id);
    assert_int_equal(wire->message.envelope.error.text.size, EDDA_MAX_ERROR_TEXT - 1);
}

static void a_job_given_back_is_returned(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_return(&jobs[0]);
    (void)expect(EDDA_RETURN, &id);
    fake_broker_expect_granted(fake, WINDOW + 1);
}

static void a_job_reports_progress(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    for (int i = 0; i < 100; i++) {
        edda_job_progress(jobs[0]);
    }
    (void)expect(EDDA_PROGRESS, &id);
    fake_broker_expect_nothing(fake, FAKE_BACK, 250, true);
    edda_job_progress(jobs[0]);
    (void)expect(EDDA_PROGRESS, &id);
}

static void grant_stream(const struct edda_uuid *id, uint64_t messages) {
    struct edda_credit_grant grant = {.messages = messages, .bytes = 1 << 20};
    fake_broker_tell(fake, FAKE_BACK, EDDA_CREDIT, id, EDDA_BODY_CREDIT, &grant);
    fake_loop_for(loop, 10);
}

static void a_piece_goes_out_as_the_next_part(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    grant_stream(&id, 5);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), 0);
        const struct edda_wire *wire = expect(EDDA_PART, &id);
        assert_int_equal(wire->message.envelope.sequence, i);
    }
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    (void)expect(EDDA_DONE, &id);
}

static void a_piece_without_stream_credit_parks_the_job(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_on_credit(jobs[0], note_credit, NULL);
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), EDDA_E_AGAIN);
    grant_stream(&id, 1);
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), 0);
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), EDDA_E_AGAIN);
    (void)expect(EDDA_PART, &id);
    fake_broker_expect_nothing(fake, FAKE_BACK, 30, true);
}

static void stream_credit_wakes_a_parked_job(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_on_credit(jobs[0], note_credit, NULL);
    grant_stream(&id, 1);
    assert_int_equal(credits, 0); /* it did not wait */
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), 0);
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), EDDA_E_AGAIN);
    grant_stream(&id, 1); /* a repeated grant wakes nobody */
    assert_int_equal(credits, 0);
    grant_stream(&id, 2);
    assert_true(fake_loop_until(loop, was_credited, NULL, FAKE_WAIT_MS));
    assert_int_equal(credits, 1);
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), 0);
}

static void a_cancelled_job_sends_nothing(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    struct edda_uuid other = edda_uuid_new();
    edda_job_on_cancel(jobs[0], note_cancel, NULL);
    grant_stream(&id, 5);
    fake_broker_tell(fake, FAKE_BACK, EDDA_CANCEL, &other, 0, NULL);
    fake_broker_tell(fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
    fake_broker_tell(fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
    assert_true(fake_loop_until(loop, was_cancelled, NULL, FAKE_WAIT_MS));
    fake_loop_for(loop, 10);
    assert_int_equal(cancels, 1);
    assert_true(edda_job_cancelled(jobs[0]));
    assert_int_equal(edda_job_part(jobs[0], EDDA_BODY_EMPTY, &empty), EDDA_E_CANCELLED);
    edda_job_progress(jobs[0]);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    fake_broker_expect_nothing(fake, FAKE_BACK, 50, true);
}

static void a_cancelled_job_still_gives_its_slot_back(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_on_cancel(jobs[0], note_cancel, NULL);
    fake_broker_tell(fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
    assert_true(fake_loop_until(loop, was_cancelled, NULL, FAKE_WAIT_MS));
    fake_loop_for(loop, 70);
    assert_int_equal(fake_broker_granted(fake), WINDOW); /* the handler still works on it */
    edda_job_fail(&jobs[0], EDDA_E_CANCELLED, EDDA_BLAME_JOB, 0, NULL);
    fake_broker_expect_granted(fake, WINDOW + 1);
}

static void a_job_over_its_deadline_fails_as_expired(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 60);
    edda_job_on_cancel(jobs[0], note_cancel, NULL);
    const struct edda_wire *wire = expect(EDDA_FAIL, &id);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_EXPIRED);
    assert_int_equal(cancels, 1);
    assert_true(edda_job_cancelled(jobs[0]));
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    fake_broker_expect_nothing(fake, FAKE_BACK, 30, true);
    fake_broker_expect_granted(fake, WINDOW + 1);
}

struct pooled {
    edda_job_t *job;
    pthread_t worked_on;
};

static void work_on_pool(void *context_of_work, unsigned thread_index) {
    struct pooled *pooled = context_of_work;
    (void)thread_index;
    pooled->worked_on = pthread_self();
    assert_non_null(edda_arena_take(edda_job_arena(pooled->job), 64));
    assert_false(edda_job_cancelled(pooled->job));
}

static void finish_pooled(void *context_of_work) {
    struct pooled *pooled = context_of_work;
    assert_false(pthread_equal(pooled->worked_on, pthread_self()));
    edda_job_finish(&pooled->job, EDDA_BODY_EMPTY, &empty);
}

static void a_job_done_on_the_pool_is_answered_from_the_loop(void **state) {
    (void)state;
    edda_pool_t *pool = edda_pool_new(loop, "pool", 1, 8);
    struct edda_uuid id = give_work("test.keep", 5000);
    struct pooled pooled = {.job = jobs[0]};
    jobs[0] = NULL;
    assert_int_equal(edda_pool_run(pool, work_on_pool, finish_pooled, &pooled), 0);
    (void)expect(EDDA_DONE, &id);
    assert_null(pooled.job);
    edda_pool_destroy(&pool);
}

static void a_draining_actor_finishes_its_jobs_before_bye(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_loop_drain(loop, 10000);
    (void)fake_broker_expect_after_credit(fake, FAKE_BACK, EDDA_DRAIN);
    fake_broker_expect_nothing(fake, FAKE_BACK, 60, false);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    (void)expect(EDDA_DONE, &id);
    (void)fake_broker_expect(fake, FAKE_BACK, EDDA_BYE);
    assert_int_equal(edda_actor_brokers_live(actor), 0);
}

static void a_job_over_the_drain_limit_is_returned(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_on_cancel(jobs[0], note_cancel, NULL);
    int64_t begin_ms = edda_clock_ms();
    edda_loop_drain(loop, 300);
    (void)fake_broker_expect_after_credit(fake, FAKE_BACK, EDDA_DRAIN);
    (void)expect(EDDA_RETURN, &id);
    (void)fake_broker_expect(fake, FAKE_BACK, EDDA_BYE);
    assert_true(edda_clock_ms() - begin_ms >= 100);
    assert_int_equal(cancels, 1);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty); /* late, harmless */
    fake_broker_expect_nothing(fake, FAKE_BACK, 20, false);
}

static void a_result_for_a_lost_session_is_dropped(void **state) {
    (void)state;
    edda_cell_t *dropped = edda_metric_cell(EDDA_METRIC_DROPPED, "lost_session");
    int64_t before = edda_cell_value(dropped);
    (void)give_work("test.keep", 5000);
    edda_job_on_cancel(jobs[0], note_cancel, NULL);
    fake_broker_reset(fake, FAKE_BACK, EDDA_E_UNKNOWN_SESSION);
    (void)fake_broker_accept(fake, FAKE_BACK);
    assert_int_equal(cancels, 1);
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    fake_broker_expect_nothing(fake, FAKE_BACK, 60, true);
    assert_int_equal(edda_cell_value(dropped), before + 1);
}

/* In a child, for an assertion ends the process. */
static int finish_in_child(edda_job_t *job) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        edda_job_return(&job);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_job_is_finished_exactly_once(void **state) {
    (void)state;
    struct edda_uuid id = give_work("test.keep", 5000);
    edda_job_t *stale = jobs[0];
    edda_job_finish(&jobs[0], EDDA_BODY_EMPTY, &empty);
    (void)expect(EDDA_DONE, &id);
    assert_int_equal(finish_in_child(stale), SIGABRT);
    assert_int_equal(finish_in_child(NULL), SIGABRT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(work_begins_a_job),
        TEST(work_of_an_op_not_offered_fails),
        TEST(work_with_a_wrong_body_fails_with_blame_on_the_job),
        TEST(work_that_arrives_while_draining_is_returned),
        TEST(a_finished_job_sends_done_and_grants_one_more),
        TEST(a_failed_job_sends_fail_with_its_blame),
        TEST(a_job_given_back_is_returned),
        TEST(a_job_reports_progress),
        TEST(a_piece_goes_out_as_the_next_part),
        TEST(a_piece_without_stream_credit_parks_the_job),
        TEST(stream_credit_wakes_a_parked_job),
        TEST(a_cancelled_job_sends_nothing),
        TEST(a_cancelled_job_still_gives_its_slot_back),
        TEST(a_job_over_its_deadline_fails_as_expired),
        TEST(a_job_done_on_the_pool_is_answered_from_the_loop),
        TEST(a_draining_actor_finishes_its_jobs_before_bye),
        TEST(a_job_over_the_drain_limit_is_returned),
        TEST(a_result_for_a_lost_session_is_dropped),
        TEST(a_job_is_finished_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
