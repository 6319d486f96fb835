/* tests/actors/runtime/test_interrupted.c: signals that end a loop's sleep early. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/loop.h"
#include "tests/proto/cmocka.h"

#define INTERRUPTIONS 500

static atomic_uint interruptions;

static void note_signal(int number) {
    (void)number;
    atomic_fetch_add(&interruptions, 1);
}

static void *interrupt(void *context) {
    pthread_t loop_thread = *(pthread_t *)context;
    for (unsigned i = 0; i < INTERRUPTIONS; i++) {
        while (atomic_load(&interruptions) < i) {
            usleep(10);
        }
        usleep(100); /* so that it sleeps again */
        (void)pthread_kill(loop_thread, SIGUSR1);
    }
    return NULL;
}

static void stop(void *context) {
    edda_loop_stop(context);
}

/* As epoll_wait says after SIGSTOP and SIGCONT, too. Seen to fail with EINTR not expected
 * (tests/fault/guards/44.patch). */
static void a_loop_that_is_interrupted_goes_on(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct edda_timer timer = {.fire = stop, .context = loop, .name = "stop"};
    const struct sigaction action = {.sa_handler = note_signal};
    pthread_t self = pthread_self();
    pthread_t thread;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    int64_t begin_ms = edda_clock_ms();
    edda_loop_timer_set(loop, &timer, begin_ms + 300);
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_true(edda_clock_ms() - begin_ms >= 300);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&interruptions) > 0);
    edda_loop_destroy(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_is_interrupted_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
