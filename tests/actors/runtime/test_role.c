/* tests/actors/runtime/test_role.c: a role's thread begins, drains, and is joined in bounded time.
 */
#include "actors/runtime/role.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/proto/cmocka.h"

static bool signals_blocked;

static int serve(edda_loop_t *loop, const struct edda_role *role) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT);
    role->ready(role->context, role->name, "here");
    return edda_loop_run(loop);
}

static int serve_holding(edda_loop_t *loop, const struct edda_role *role) {
    edda_loop_hold(loop);
    int result = serve(loop, role);
    edda_loop_release(loop);
    return result;
}

static void note_ready(void *context, const char *name, const char *detail) {
    int *pipe_end = context;
    assert_string_equal(name, "tester");
    assert_string_equal(detail, "here");
    assert_int_equal(write(*pipe_end, "r", 1), 1);
}

struct test {
    int ends[2];
    struct edda_role role;
    edda_thread_t *thread;
};

static void start(struct test *test, edda_role_main_fn main_of_role) {
    char byte;
    assert_int_equal(pipe(test->ends), 0);
    test->role =
        (struct edda_role){.name = "tester", .ready = note_ready, .context = &test->ends[1]};
    test->thread = edda_thread_new(&test->role, main_of_role);
    assert_non_null(test->thread);
    assert_int_equal(read(test->ends[0], &byte, 1), 1);
}

static void finish(struct test *test, int wanted) {
    int result = -99;
    assert_int_equal(edda_thread_join(&test->thread, 5000, &result), 0);
    assert_null(test->thread);
    assert_int_equal(result, wanted);
    close(test->ends[0]);
    close(test->ends[1]);
}

static void a_role_runs_until_it_is_drained_with_signals_blocked(void **state) {
    (void)state;
    struct test test;
    start(&test, serve);
    assert_false(edda_thread_ended(test.thread));
    edda_thread_drain(test.thread, 1000);
    finish(&test, 0);
    assert_true(signals_blocked);
}

static void a_role_that_still_runs_is_not_joined(void **state) {
    (void)state;
    struct test test;
    int result = -99;
    start(&test, serve_holding);
    assert_int_equal(edda_thread_join(&test.thread, 20, &result), EDDA_E_TIMEOUT);
    assert_non_null(test.thread);
    edda_thread_drain(test.thread, 30);
    finish(&test, EDDA_E_TIMEOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_runs_until_it_is_drained_with_signals_blocked),
        cmocka_unit_test(a_role_that_still_runs_is_not_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
