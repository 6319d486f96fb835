/* tests/actors/runtime/test_pool.c: work on threads, results on the loop, bounded, none lost. */
#include "actors/runtime/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/harness/fake_broker.h"
#include "tests/proto/cmocka.h"

#define TASKS 2000

struct task {
    struct test *test;
    int number;
    pthread_t ran_on;
    bool worked;
    bool done;
};

struct test {
    edda_loop_t *loop;
    edda_pool_t *pool;
    pthread_t loop_thread;
    struct task tasks[TASKS];
    int done;
    int order[TASKS];
    _Atomic unsigned highest_index;
    _Atomic bool gate;
};

static struct test test;

static void set_up_test(unsigned threads, size_t queued) {
    memset(&test, 0, sizeof test);
    test.loop = edda_loop_new("test");
    test.loop_thread = pthread_self();
    test.pool = edda_pool_new(test.loop, "pool", threads, queued);
    assert_non_null(test.pool);
    for (int i = 0; i < TASKS; i++) {
        test.tasks[i] = (struct task){.test = &test, .number = i};
    }
}

static void tear_down_test(void) {
    edda_pool_destroy(&test.pool);
    assert_null(test.pool);
    edda_loop_destroy(&test.loop);
}

static void work(void *context, unsigned thread_index) {
    struct task *task = context;
    task->ran_on = pthread_self();
    task->worked = true;
    unsigned highest = atomic_load(&task->test->highest_index);
    while (thread_index > highest &&
           !atomic_compare_exchange_weak(&task->test->highest_index, &highest, thread_index)) {
    }
}

static void wait_for_gate(void *context, unsigned thread_index) {
    struct task *task = context;
    while (!atomic_load(&task->test->gate)) {
        usleep(200);
    }
    work(context, thread_index);
}

static void done(void *context) {
    struct task *task = context;
    assert_true(pthread_equal(pthread_self(), task->test->loop_thread));
    assert_true(task->worked);
    assert_false(pthread_equal(task->ran_on, task->test->loop_thread));
    assert_false(task->done);
    task->done = true;
    task->test->order[task->test->done++] = task->number;
}

static bool all_done(void *context) {
    return test.done == *(int *)context;
}

static void results_come_back_to_the_loop_each_once(void **state) {
    (void)state;
    set_up_test(3, TASKS);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(edda_pool_run(test.pool, work, done, &test.tasks[i]), 0);
    }
    int wanted = TASKS;
    assert_true(fake_loop_until(test.loop, all_done, &wanted, 5000));
    assert_in_range(atomic_load(&test.highest_index), 0, 2);
    assert_int_equal(edda_pool_queued(test.pool), 0);
    tear_down_test();
}

static void a_pool_of_one_thread_keeps_order(void **state) {
    (void)state;
    set_up_test(1, TASKS);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(edda_pool_run(test.pool, work, done, &test.tasks[i]), 0);
    }
    int wanted = 500;
    assert_true(fake_loop_until(test.loop, all_done, &wanted, 5000));
    for (int i = 0; i < 500; i++) {
        assert_int_equal(test.order[i], i);
    }
    tear_down_test();
}

static void a_full_queue_is_busy_and_takes_nothing(void **state) {
    (void)state;
    set_up_test(1, 4);
    assert_int_equal(edda_pool_run(test.pool, wait_for_gate, done, &test.tasks[0]), 0);
    while (edda_pool_queued(test.pool) > 0) {
        usleep(200);
    }
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(edda_pool_run(test.pool, wait_for_gate, done, &test.tasks[i]), 0);
    }
    assert_int_equal(edda_pool_queued(test.pool), 4);
    assert_int_equal(edda_pool_run(test.pool, work, done, &test.tasks[5]), EDDA_E_BUSY);
    atomic_store(&test.gate, true);
    int wanted = 5;
    assert_true(fake_loop_until(test.loop, all_done, &wanted, 5000));
    assert_false(test.tasks[5].worked);
    assert_int_equal(edda_pool_run(test.pool, work, NULL, &test.tasks[5]), 0);
    tear_down_test();
    assert_true(test.tasks[5].worked);
}

static void destroying_finishes_what_is_queued(void **state) {
    (void)state;
    set_up_test(2, TASKS);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(edda_pool_run(test.pool, work, done, &test.tasks[i]), 0);
    }
    tear_down_test();
    assert_int_equal(test.done, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back_to_the_loop_each_once),
        cmocka_unit_test(a_pool_of_one_thread_keeps_order),
        cmocka_unit_test(a_full_queue_is_busy_and_takes_nothing),
        cmocka_unit_test(destroying_finishes_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
