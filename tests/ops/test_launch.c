/* tests/ops/test_launch.c: parts that end when they are asked to, and one that does not. */
#include "ops/launch.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "tests/proto/cmocka.h"

#define GIVE_UP_S 20 /* on a launcher that does not give up */

int64_t __real_edda_clock_ms(void);
int64_t __wrap_edda_clock_ms(void);

static _Thread_local bool hurries; /* an hour passes after each look of this thread at the clock */
static _Thread_local int64_t ahead_ms;

int64_t __wrap_edda_clock_ms(void) {
    int64_t now_ms = __real_edda_clock_ms() + ahead_ms;
    ahead_ms += hurries ? 3600000 : 0;
    return now_ms;
}

static int serve(edda_loop_t *loop, const struct edda_role *role) {
    role->ready(role->context, role->name, "serves");
    return edda_loop_run(loop);
}

static int hang(edda_loop_t *loop, const struct edda_role *role) {
    role->ready(role->context, role->name, "");
    while (loop) {
        pause();
    }
    return 0;
}

static const struct edda_part_kind server = {.name = "server", .main = serve, .phase = 1};
static const struct edda_part_kind hung = {.name = "hung", .main = hang, .phase = 2};

static edda_launch_t *start(const struct edda_part_kind *first,
                            const struct edda_part_kind *second) {
    const char *name = NULL;
    edda_launch_t *launch = edda_launch_new(NULL, NULL, -1);
    assert_non_null(launch);
    assert_int_equal(edda_launch_start(launch, first, NULL, 0, NULL, 0), 0);
    assert_int_equal(edda_launch_start(launch, second, NULL, 0, NULL, 0), 0);
    assert_int_equal(edda_launch_wait_ready(launch, &name), 0);
    return launch;
}

static void parts_that_end_in_their_time_are_joined(void **state) {
    (void)state;
    edda_launch_t *launch = start(&server, &server);
    assert_string_equal(edda_launch_detail(launch, "server"), "serves");
    assert_int_equal(edda_launch_drain(launch, 10000), 0);
    edda_launch_destroy(&launch);
}

/* Seen to fail without give_up_on() (tests/fault/guards/47b.patch). */
static void a_part_that_never_ends_ends_the_process(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(GIVE_UP_S);
        edda_launch_t *launch = start(&server, &hung);
        hurries = true;
        _exit(edda_launch_drain(launch, 1000) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_that_never_ends_ends_the_process), /* before any other thread */
        cmocka_unit_test(parts_that_end_in_their_time_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
