/* tests/actors/runtime/test_loop.c: timers in order, sockets without lost wake-ups, drain and
 * holds. */
#include "actors/runtime/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "tests/harness/fake_broker.h"
#include "tests/proto/cmocka.h"

static void stop_loop(void *context) {
    edda_loop_stop(context);
}

static int log_of_fires[64];
static size_t fire_count;

struct numbered {
    struct edda_timer timer;
    int number;
    int64_t fired_ms;
};

static void note_fire(void *context) {
    struct numbered *numbered = context;
    numbered->fired_ms = edda_clock_ms();
    log_of_fires[fire_count++] = numbered->number;
}

static void timers_fire_in_order_and_never_early(void **state) {
    (void)state;
    static const int delays[] = {30, 10, 50, 20, 40, 10};
    edda_loop_t *loop = edda_loop_new("test");
    struct numbered timers[6] = {0};
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    int64_t begin_ms = edda_clock_ms();
    fire_count = 0;
    for (int i = 0; i < 6; i++) {
        timers[i].timer =
            (struct edda_timer){.fire = note_fire, .context = &timers[i], .name = "numbered"};
        timers[i].number = delays[i];
        edda_loop_timer_set(loop, &timers[i].timer, begin_ms + delays[i]);
    }
    edda_loop_timer_set(loop, &end, begin_ms + 70);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_int_equal(fire_count, 6);
    for (size_t i = 1; i < 6; i++) {
        assert_true(log_of_fires[i] >= log_of_fires[i - 1]);
    }
    for (int i = 0; i < 6; i++) {
        assert_true(timers[i].fired_ms >= begin_ms + delays[i]);
    }
    edda_loop_destroy(&loop);
}

static void a_cancelled_timer_does_not_fire_and_a_moved_one_fires_once(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct numbered timers[40] = {0};
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    int64_t begin_ms = edda_clock_ms();
    fire_count = 0;
    for (int i = 0; i < 40; i++) {
        timers[i].timer = (struct edda_timer){.fire = note_fire, .context = &timers[i]};
        timers[i].number = i;
        edda_loop_timer_set(loop, &timers[i].timer, begin_ms + 1000 - i);
    }
    for (int i = 0; i < 40; i++) {
        if (i % 2) {
            edda_loop_timer_cancel(loop, &timers[i].timer);
            edda_loop_timer_cancel(loop, &timers[i].timer);
        } else {
            edda_loop_timer_set(loop, &timers[i].timer, begin_ms + i);
        }
    }
    edda_loop_timer_set(loop, &end, begin_ms + 60);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_int_equal(fire_count, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(log_of_fires[i], 2 * i);
        assert_int_equal(timers[i].timer.index, 0);
    }
    edda_loop_destroy(&loop);
}

struct again {
    edda_loop_t *loop;
    struct edda_timer timer;
    size_t count;
};

static void set_again(void *context) {
    struct again *again = context;
    again->count++;
    edda_loop_timer_set(again->loop, &again->timer, edda_loop_now(again->loop));
}

struct owner {
    struct edda_timer timer;
    edda_loop_t *loop;
};

static void end_owner(void *context) {
    struct owner *owner = context;
    edda_loop_stop(owner->loop);
    memset(owner, 0xaa, sizeof *owner);
    free(owner);
}

static void a_timers_owner_may_go_when_it_fires(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct owner *owner = calloc(1, sizeof *owner);
    assert_non_null(owner);
    owner->loop = loop;
    owner->timer = (struct edda_timer){.fire = end_owner, .context = owner, .name = "owner"};
    edda_loop_timer_set(loop, &owner->timer, edda_clock_ms());
    assert_int_equal(edda_loop_run(loop), 0);
    edda_loop_destroy(&loop);
}

static void a_timer_that_sets_itself_for_now_starves_nobody(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct again again = {.loop = loop};
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    again.timer = (struct edda_timer){.fire = set_again, .context = &again, .name = "again"};
    edda_loop_timer_set(loop, &again.timer, edda_clock_ms());
    edda_loop_timer_set(loop, &end, edda_clock_ms() + 10);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_true(again.count > 1);
    edda_loop_timer_cancel(loop, &again.timer);
    edda_loop_destroy(&loop);
}

static void free_timer(void *context) {
    free(context);
}

static void a_timer_may_free_itself(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct edda_timer *timer = calloc(1, sizeof *timer);
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    *timer = (struct edda_timer){.fire = free_timer, .context = timer, .name = "freed"};
    edda_loop_timer_set(loop, timer, edda_clock_ms());
    edda_loop_timer_set(loop, &end, edda_clock_ms() + 2);
    assert_int_equal(edda_loop_run(loop), 0);
    edda_loop_destroy(&loop);
}

#define MESSAGES 20000

struct echo {
    edda_loop_t *loop;
    void *socket;
    edda_watch_t *watch;
    int got;
    int budget; /* messages per call */
};

/* Sends between receives: a send may swallow the wake-up of what is waiting. */
static void take_and_answer(void *context) {
    struct echo *echo = context;
    for (int i = 0; i < echo->budget; i++) {
        int value;
        if (zmq_recv(echo->socket, &value, sizeof value, ZMQ_DONTWAIT) < 0) {
            return;
        }
        assert_int_equal(value, echo->got);
        echo->got++;
        assert_int_equal(zmq_send(echo->socket, &value, sizeof value, ZMQ_DONTWAIT), sizeof value);
        if (echo->got == MESSAGES) {
            edda_loop_stop(echo->loop);
        }
    }
}

static void *send_many(void *socket) {
    int received = 0;
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(zmq_send(socket, &i, sizeof i, 0), sizeof i);
        int value;
        while (zmq_recv(socket, &value, sizeof value, ZMQ_DONTWAIT) > 0) {
            received++;
        }
        if (i % 1000 == 999) {
            usleep(500); /* let the loop fall asleep */
        }
    }
    while (received < MESSAGES) {
        int value;
        assert_int_equal(zmq_recv(socket, &value, sizeof value, 0), sizeof value);
        received++;
    }
    return NULL;
}

static void pass_messages(const char *url, int budget) {
    void *context = zmq_ctx_new();
    edda_loop_t *loop = edda_loop_new("test");
    void *one = zmq_socket(context, ZMQ_PAIR);
    void *two = zmq_socket(context, ZMQ_PAIR);
    struct echo echo = {.loop = loop, .socket = one, .budget = budget};
    pthread_t thread;
    int no_limit = 0;
    for (int i = 0; i < 2; i++) {
        zmq_setsockopt(i ? one : two, ZMQ_SNDHWM, &no_limit, sizeof no_limit);
        zmq_setsockopt(i ? one : two, ZMQ_RCVHWM, &no_limit, sizeof no_limit);
    }
    assert_int_equal(zmq_bind(one, url), 0);
    assert_int_equal(zmq_connect(two, url), 0);
    echo.watch = edda_loop_socket(loop, one, take_and_answer, &echo, "echo");
    assert_non_null(echo.watch);
    pthread_create(&thread, NULL, send_many, two);
    assert_int_equal(edda_loop_run(loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(echo.got, MESSAGES);
    edda_loop_unwatch(loop, &echo.watch);
    assert_null(echo.watch);
    zmq_close(one);
    zmq_close(two);
    edda_loop_destroy(&loop);
    zmq_ctx_term(context);
}

static void a_socket_that_reads_one_message_a_turn_loses_no_wake_up(void **state) {
    (void)state;
    pass_messages("inproc://loop-one", 1);
}

static void a_socket_that_reads_many_messages_a_turn_loses_no_wake_up(void **state) {
    (void)state;
    pass_messages("inproc://loop-many", 256);
}

struct pair {
    edda_loop_t *loop;
    edda_watch_t *watches[2];
    int fds[2];
    int fired;
};

static void unwatch_both(void *context, uint32_t events) {
    struct pair *pair = context;
    assert_true(events & EPOLLIN);
    pair->fired++;
    edda_loop_unwatch(pair->loop, &pair->watches[0]);
    edda_loop_unwatch(pair->loop, &pair->watches[1]);
    edda_loop_stop(pair->loop);
}

static void a_watch_removed_by_another_callback_of_the_turn_does_not_fire(void **state) {
    (void)state;
    struct pair pair = {.loop = edda_loop_new("test")};
    for (int i = 0; i < 2; i++) {
        pair.fds[i] = eventfd(1, EFD_NONBLOCK);
        pair.watches[i] =
            edda_loop_watch(pair.loop, pair.fds[i], EPOLLIN, unwatch_both, &pair, "pair");
        assert_non_null(pair.watches[i]);
    }
    assert_int_equal(edda_loop_run(pair.loop), 0);
    assert_int_equal(pair.fired, 1);
    close(pair.fds[0]);
    close(pair.fds[1]);
    edda_loop_destroy(&pair.loop);
}

static void count_events(void *context, uint32_t events) {
    int *count = context;
    (void)events;
    (*count)++;
}

static void a_watch_can_change_what_it_waits_for(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    int fd = eventfd(1, EFD_NONBLOCK);
    int count = 0;
    edda_watch_t *watch = edda_loop_watch(loop, fd, EPOLLIN, count_events, &count, "count");
    edda_loop_watch_change(loop, watch, 0);
    fake_loop_for(loop, 5);
    assert_int_equal(count, 0);
    edda_loop_watch_change(loop, watch, EPOLLIN);
    fake_loop_for(loop, 5);
    assert_true(count > 0);
    edda_loop_unwatch(loop, &watch);
    close(fd);
    edda_loop_destroy(&loop);
}

static int64_t bear_five(void *context) {
    int *count = context;
    (*count)++;
    return 5;
}

static void a_prepare_callback_bounds_the_sleep(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    int count = 0;
    assert_int_equal(edda_loop_prepare(loop, bear_five, &count), 0);
    edda_loop_timer_set(loop, &end, edda_clock_ms() + 100);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_true(count >= 10);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(edda_loop_prepare(loop, bear_five, &count), 0);
    }
    assert_int_equal(edda_loop_prepare(loop, bear_five, &count), EDDA_E_LIMIT);
    edda_loop_destroy(&loop);
}

struct draining {
    edda_loop_t *loop;
    struct edda_timer timer;
    int begun;
};

static void count_fire(void *context) {
    ++*(int *)context;
}

static void release_hold(void *context) {
    struct draining *draining = context;
    edda_loop_release(draining->loop);
}

static void begin_drain(void *context) {
    struct draining *draining = context;
    assert_true(edda_loop_draining(draining->loop));
    draining->begun++;
    edda_loop_hold(draining->loop);
    edda_loop_timer_set(draining->loop, &draining->timer, edda_loop_now(draining->loop) + 20);
}

static void *drain_soon(void *loop) {
    usleep(5000);
    edda_loop_drain(loop, 10000);
    return NULL;
}

static void a_drain_waits_for_its_holds(void **state) {
    (void)state;
    struct draining draining = {.loop = edda_loop_new("test")};
    pthread_t thread;
    draining.timer = (struct edda_timer){.fire = release_hold, .context = &draining};
    assert_int_equal(edda_loop_on_drain(draining.loop, begin_drain, &draining), 0);
    int64_t begin_ms = edda_clock_ms();
    assert_false(edda_loop_draining(draining.loop));
    assert_true(edda_loop_drain_deadline(draining.loop) == INT64_MAX);
    pthread_create(&thread, NULL, drain_soon, draining.loop);
    assert_int_equal(edda_loop_run(draining.loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(draining.begun, 1);
    assert_true(edda_clock_ms() - begin_ms >= 20);
    edda_loop_destroy(&draining.loop);
}

static void there_is_room_for_32_callbacks_of_a_drain(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    int fired = 0;
    for (int i = 0; i < 32; i++) {
        assert_int_equal(edda_loop_on_drain(loop, count_fire, &fired), 0);
    }
    assert_int_equal(edda_loop_on_drain(loop, count_fire, &fired), EDDA_E_LIMIT);
    edda_loop_drain(loop, 1000);
    assert_int_equal(edda_loop_run(loop), 0);
    assert_int_equal(fired, 32);
    edda_loop_destroy(&loop);
}

static void stop_late(void *context) {
    edda_loop_stop(context);
}

/* Seen to fail without the deadline in step_drain() (tests/fault/guards/47.patch). */
static void a_drain_is_cut_at_its_deadline(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct edda_timer late = {.fire = stop_late, .context = loop};
    edda_loop_timer_set(loop, &late, edda_clock_ms() + 5000);
    edda_loop_hold(loop);
    edda_loop_drain(loop, 30);
    int64_t begin_ms = edda_clock_ms();
    assert_int_equal(edda_loop_run(loop), EDDA_E_TIMEOUT);
    assert_in_range(edda_clock_ms() - begin_ms, 29, 4999);
    edda_loop_timer_cancel(loop, &late);
    edda_loop_release(loop);
    edda_loop_destroy(&loop);
}

static void a_second_drain_ends_the_loop_at_once(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    edda_loop_hold(loop);
    edda_loop_drain(loop, 60000);
    edda_loop_drain(loop, 60000);
    assert_int_equal(edda_loop_run(loop), EDDA_E_TIMEOUT);
    edda_loop_release(loop);
    edda_loop_destroy(&loop);
}

static void sleep_long(void *context) {
    (void)context;
    usleep(25000);
}

/* Seen to fail without note_time() (tests/fault/guards/20b.patch). */
static void a_slow_callback_is_counted_by_its_name(void **state) {
    (void)state;
    edda_loop_t *loop = edda_loop_new("test");
    struct edda_timer slow = {.fire = sleep_long, .name = "slow_in_test"};
    edda_cell_t *cell = edda_metric_cell(EDDA_METRIC_LOOP_SLOW, "slow_in_test");
    edda_loop_timer_set(loop, &slow, edda_clock_ms());
    fake_loop_for(loop, 40);
    assert_int_equal(edda_cell_value(cell), 1);
    edda_loop_destroy(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(a_cancelled_timer_does_not_fire_and_a_moved_one_fires_once),
        cmocka_unit_test(a_timers_owner_may_go_when_it_fires),
        cmocka_unit_test(a_timer_that_sets_itself_for_now_starves_nobody),
        cmocka_unit_test(a_timer_may_free_itself),
        cmocka_unit_test(a_socket_that_reads_one_message_a_turn_loses_no_wake_up),
        cmocka_unit_test(a_socket_that_reads_many_messages_a_turn_loses_no_wake_up),
        cmocka_unit_test(a_watch_removed_by_another_callback_of_the_turn_does_not_fire),
        cmocka_unit_test(a_watch_can_change_what_it_waits_for),
        cmocka_unit_test(a_prepare_callback_bounds_the_sleep),
        cmocka_unit_test(a_drain_waits_for_its_holds),
        cmocka_unit_test(there_is_room_for_32_callbacks_of_a_drain),
        cmocka_unit_test(a_drain_is_cut_at_its_deadline),
        cmocka_unit_test(a_second_drain_ends_the_loop_at_once),
        cmocka_unit_test(a_slow_callback_is_counted_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
