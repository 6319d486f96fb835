/* tests/proto/test_session.c: state table 2 of proto/README.md, one test a row. */
#include "proto/limits.h"
#include "proto/session.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static unsigned step(struct edda_session *session, enum edda_session_event event, int64_t now_ms) {
    return edda_session_step(session, event, now_ms, 7);
}

/* At time 0, with HELLO not yet sent. */
static struct edda_session connecting(void) {
    struct edda_session session;
    edda_session_init(&session, 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 0), EDDA_SESSION_OPEN);
    return session;
}

/* At time 0, pings each 1000 ms, silent after 3. */
static struct edda_session live(void) {
    struct edda_session session = connecting();
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 0), EDDA_SESSION_HELLO);
    edda_session_tune(&session, 1000, 3);
    assert_int_equal(step(&session, EDDA_SESSION_WELCOMED, 0), EDDA_SESSION_READY);
    return session;
}

static struct edda_session going(void) {
    struct edda_session session = live();
    assert_int_equal(step(&session, EDDA_SESSION_BROKER_DRAINS, 0), 0);
    assert_int_equal(session.state, EDDA_SESSION_GOING);
    return session;
}

static void assert_closes(struct edda_session session, enum edda_session_event event,
                          int64_t now_ms) {
    assert_int_equal(step(&session, event, now_ms), EDDA_SESSION_CLOSE);
    assert_int_equal(session.state, EDDA_SESSION_DOWN);
    assert_true(session.retry_ms >= now_ms);
    assert_true(session.retry_ms <= now_ms + EDDA_RECONNECT_MIN_MS);
}

static void a_session_that_is_down_opens_when_its_backoff_is_over(void **state) {
    (void)state;
    struct edda_session session = live();
    edda_session_step(&session, EDDA_SESSION_RESET_BY_BROKER, 10, 60);
    assert_int_equal(session.retry_ms, 70);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 70), EDDA_SESSION_OPEN);
    assert_int_equal(session.state, EDDA_SESSION_CONNECTING);
    assert_false(session.hello_sent);
}

static void a_session_that_is_down_waits_for_its_backoff(void **state) {
    (void)state;
    struct edda_session session = live();
    edda_session_step(&session, EDDA_SESSION_RESET_BY_BROKER, 10, 60);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 69), 0);
    assert_int_equal(session.state, EDDA_SESSION_DOWN);
}

static void a_session_that_is_down_ignores_messages(void **state) {
    (void)state;
    struct edda_session session = live();
    edda_session_step(&session, EDDA_SESSION_RESET_BY_BROKER, 10, 60);
    for (int event = EDDA_SESSION_WRITABLE; event <= EDDA_SESSION_DISCONNECTED; event++) {
        assert_int_equal(step(&session, (enum edda_session_event)event, 1000), 0);
        assert_int_equal(session.state, EDDA_SESSION_DOWN);
        assert_int_equal(session.retry_ms, 70);
    }
}

static void hello_goes_out_when_the_transport_can_take_it(void **state) {
    (void)state;
    struct edda_session session = connecting();
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 100), 0);
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 150), EDDA_SESSION_HELLO);
    assert_int_equal(session.state, EDDA_SESSION_CONNECTING);
}

static void hello_goes_out_once_per_connection(void **state) {
    (void)state;
    struct edda_session session = connecting();
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 0), EDDA_SESSION_HELLO);
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 1), 0);
    assert_int_equal(step(&session, EDDA_SESSION_RESET_BY_BROKER, 2), EDDA_SESSION_CLOSE);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1000), EDDA_SESSION_OPEN);
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 1000), EDDA_SESSION_HELLO);
}

static void a_welcome_makes_the_session_live(void **state) {
    (void)state;
    struct edda_session session = connecting();
    step(&session, EDDA_SESSION_WRITABLE, 0);
    assert_int_equal(step(&session, EDDA_SESSION_WELCOMED, 1999), EDDA_SESSION_READY);
    assert_int_equal(session.state, EDDA_SESSION_LIVE);
    assert_int_equal(session.heard_ms, 1999);
}

static void a_welcome_nobody_asked_for_is_ignored(void **state) {
    (void)state;
    struct edda_session session = connecting();
    assert_int_equal(step(&session, EDDA_SESSION_WELCOMED, 1), 0);
    assert_int_equal(session.state, EDDA_SESSION_CONNECTING);
}

static void a_session_without_welcome_is_closed_after_two_seconds(void **state) {
    (void)state;
    struct edda_session session = connecting();
    step(&session, EDDA_SESSION_WRITABLE, 0);
    step(&session, EDDA_SESSION_HEARD, 1000);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1000), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1999), 0);
    assert_closes(session, EDDA_SESSION_TICK, 2000);
}

static void who_slept_listens_for_a_ping_interval_before_it_gives_up_a_welcome(void **state) {
    (void)state;
    struct edda_session session = connecting();
    step(&session, EDDA_SESSION_WRITABLE, 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 2000), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 2999), 0);
    struct edda_session welcome = session;
    assert_int_equal(step(&welcome, EDDA_SESSION_WELCOMED, 2999), EDDA_SESSION_READY);
    assert_closes(session, EDDA_SESSION_TICK, 3000);
}

static void a_reset_while_connecting_closes_and_backs_off(void **state) {
    (void)state;
    assert_closes(connecting(), EDDA_SESSION_RESET_BY_BROKER, 5);
    assert_closes(connecting(), EDDA_SESSION_BYE_FROM_BROKER, 5);
}

static void a_draining_broker_is_not_joined(void **state) {
    (void)state;
    assert_closes(connecting(), EDDA_SESSION_BROKER_DRAINS, 5);
}

static void a_connection_lost_before_hello_is_left_to_the_transport(void **state) {
    (void)state;
    struct edda_session session = connecting();
    assert_int_equal(step(&session, EDDA_SESSION_DISCONNECTED, 5), 0);
    assert_int_equal(session.state, EDDA_SESSION_CONNECTING);
    assert_int_equal(session.failures, 0);
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 150), EDDA_SESSION_HELLO);
}

static void a_connection_lost_after_hello_closes_and_backs_off(void **state) {
    (void)state;
    struct edda_session session = connecting();
    step(&session, EDDA_SESSION_WRITABLE, 0);
    assert_closes(session, EDDA_SESSION_DISCONNECTED, 5);
}

static void a_session_that_hears_stays_live(void **state) {
    (void)state;
    struct edda_session session = live();
    for (int64_t now_ms = 0; now_ms < 60000; now_ms += 2999) {
        assert_int_equal(step(&session, EDDA_SESSION_TICK, now_ms) & EDDA_SESSION_CLOSE, 0);
        assert_int_equal(step(&session, EDDA_SESSION_HEARD, now_ms), 0);
    }
    assert_int_equal(session.state, EDDA_SESSION_LIVE);
}

static void a_session_that_sent_nothing_pings(void **state) {
    (void)state;
    struct edda_session session = live();
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 999), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1000), EDDA_SESSION_PING);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1001), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 2000), EDDA_SESSION_PING);
}

static void a_session_that_sent_something_does_not_ping(void **state) {
    (void)state;
    struct edda_session session = live();
    assert_int_equal(step(&session, EDDA_SESSION_SENT, 900), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1899), 0);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1900), EDDA_SESSION_PING);
}

static void a_silent_broker_is_left(void **state) {
    (void)state;
    struct edda_session session = live();
    step(&session, EDDA_SESSION_TICK, 1000);
    step(&session, EDDA_SESSION_TICK, 2000);
    step(&session, EDDA_SESSION_SENT, 2500);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 2999), 0);
    assert_closes(session, EDDA_SESSION_TICK, 3000);
}

static void check_that_who_slept_listens(struct edda_session session) {
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1000), EDDA_SESSION_PING);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 5000), EDDA_SESSION_PING);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 5999), 0);
    struct edda_session told = session;
    step(&told, EDDA_SESSION_HEARD, 5999);
    assert_int_equal(step(&told, EDDA_SESSION_TICK, 6000), EDDA_SESSION_PING);
    assert_closes(session, EDDA_SESSION_TICK, 6000);
}

static void who_slept_listens_for_a_ping_interval_before_it_calls_a_broker_silent(void **state) {
    (void)state;
    check_that_who_slept_listens(live());
    check_that_who_slept_listens(going());
}

static void a_reset_ends_a_live_session(void **state) {
    (void)state;
    assert_closes(live(), EDDA_SESSION_RESET_BY_BROKER, 5);
}

static void a_bye_ends_a_live_session(void **state) {
    (void)state;
    assert_closes(live(), EDDA_SESSION_BYE_FROM_BROKER, 5);
}

static void a_session_ends_with_its_connection(void **state) {
    (void)state;
    assert_closes(live(), EDDA_SESSION_DISCONNECTED, 5);
}

/* Joined at now_ms, lost after lasted_ms: the longest back-off that may follow. */
static int64_t window_after(struct edda_session *session, int64_t *now_ms, int64_t lasted_ms) {
    static const uint32_t most = 12800; /* a jitter of all of any smaller window */
    assert_int_equal(step(session, EDDA_SESSION_TICK, *now_ms), EDDA_SESSION_OPEN);
    assert_int_equal(step(session, EDDA_SESSION_WRITABLE, *now_ms), EDDA_SESSION_HELLO);
    edda_session_tune(session, 1000, 3);
    assert_int_equal(step(session, EDDA_SESSION_WELCOMED, *now_ms), EDDA_SESSION_READY);
    *now_ms += lasted_ms;
    step(session, EDDA_SESSION_TICK, *now_ms);
    struct edda_session before = *session;
    int64_t longest_ms = 0;
    for (uint32_t jitter = 0; jitter <= most; jitter++) {
        *session = before;
        assert_int_equal(edda_session_step(session, EDDA_SESSION_DISCONNECTED, *now_ms, jitter),
                         EDDA_SESSION_CLOSE);
        int64_t wait_ms = session->retry_ms - *now_ms;
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
    }
    *now_ms = session->retry_ms;
    return longest_ms;
}

static void a_connection_that_breaks_behind_each_welcome_is_backed_off_from(void **state) {
    (void)state;
    static const int64_t windows_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct edda_session session;
    int64_t now_ms = 0;
    edda_session_init(&session, 0);
    for (size_t i = 0; i < sizeof(windows_ms) / sizeof(windows_ms[0]); i++) {
        assert_int_equal(window_after(&session, &now_ms, 999), windows_ms[i]);
    }
}

static void a_session_that_lasted_a_ping_interval_forgets_the_failures(void **state) {
    (void)state;
    struct edda_session session;
    int64_t now_ms = 0;
    edda_session_init(&session, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(window_after(&session, &now_ms, 1000), 100);
    }
    assert_int_equal(window_after(&session, &now_ms, 999), 200);
    assert_int_equal(window_after(&session, &now_ms, 1000), 100);
}

static void a_broker_that_drains_is_going(void **state) {
    (void)state;
    struct edda_session session = live();
    assert_int_equal(step(&session, EDDA_SESSION_BROKER_DRAINS, 5), 0);
    assert_int_equal(session.state, EDDA_SESSION_GOING);
}

static void a_second_welcome_changes_nothing(void **state) {
    (void)state;
    struct edda_session session = live();
    assert_int_equal(step(&session, EDDA_SESSION_WELCOMED, 5), 0);
    assert_int_equal(step(&session, EDDA_SESSION_WRITABLE, 5), 0);
    assert_int_equal(session.state, EDDA_SESSION_LIVE);
}

static void a_session_that_is_going_still_pings(void **state) {
    (void)state;
    struct edda_session session = going();
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 1000), EDDA_SESSION_PING);
    assert_int_equal(session.state, EDDA_SESSION_GOING);
}

static void a_going_broker_that_falls_silent_is_left(void **state) {
    (void)state;
    struct edda_session session = going();
    step(&session, EDDA_SESSION_TICK, 1000);
    step(&session, EDDA_SESSION_TICK, 2000);
    step(&session, EDDA_SESSION_SENT, 2500);
    assert_int_equal(step(&session, EDDA_SESSION_TICK, 2999), 0);
    assert_closes(session, EDDA_SESSION_TICK, 3000);
}

static void a_bye_ends_a_going_session(void **state) {
    (void)state;
    assert_closes(going(), EDDA_SESSION_BYE_FROM_BROKER, 5);
    assert_closes(going(), EDDA_SESSION_RESET_BY_BROKER, 5);
}

static void a_going_session_ends_with_its_connection(void **state) {
    (void)state;
    assert_closes(going(), EDDA_SESSION_DISCONNECTED, 5);
}

static void a_second_drain_changes_nothing(void **state) {
    (void)state;
    struct edda_session session = going();
    assert_int_equal(step(&session, EDDA_SESSION_BROKER_DRAINS, 5), 0);
    assert_int_equal(step(&session, EDDA_SESSION_WELCOMED, 5), 0);
    assert_int_equal(session.state, EDDA_SESSION_GOING);
}

static void the_backoff_doubles_to_its_maximum_with_full_jitter(void **state) {
    (void)state;
    static const uint32_t windows_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct random random = {3};
    for (int round = 0; round < 2000; round++) {
        struct edda_session session;
        int64_t now_ms = 0;
        edda_session_init(&session, 0);
        for (size_t i = 0; i < sizeof(windows_ms) / sizeof(windows_ms[0]); i++) {
            assert_int_equal(step(&session, EDDA_SESSION_TICK, now_ms), EDDA_SESSION_OPEN);
            uint32_t jitter = round == 0   ? windows_ms[i]
                              : round == 1 ? windows_ms[i] + 1
                                           : (uint32_t)random_next(&random);
            edda_session_step(&session, EDDA_SESSION_RESET_BY_BROKER, now_ms, jitter);
            int64_t wait_ms = session.retry_ms - now_ms;
            assert_in_range(wait_ms, 0, windows_ms[i]);
            assert_true(round != 0 || wait_ms == windows_ms[i]);
            assert_true(round != 1 || wait_ms == 0);
            now_ms = session.retry_ms;
        }
    }
}

static void numbers_of_the_broker_are_brought_into_range(void **state) {
    (void)state;
    struct edda_session session = connecting();
    edda_session_tune(&session, 0, 0);
    assert_int_equal(session.ping_ms, 100);
    assert_int_equal(session.liveness, 2);
    edda_session_tune(&session, UINT32_MAX, UINT32_MAX);
    assert_int_equal(session.ping_ms, 60000);
    assert_int_equal(session.liveness, 10);
    edda_session_tune(&session, 250, 4);
    assert_int_equal(session.ping_ms, 250);
    assert_int_equal(session.liveness, 4);
}

/* Whatever happens in whatever order, a close is never answered before an open, and so on. */
static void actions_come_in_order_whatever_happens(void **state) {
    (void)state;
    struct random random = {11};
    struct edda_session session;
    int64_t now_ms = 0;
    bool open = false;
    bool hello = false;
    bool ready = false;
    edda_session_init(&session, 0);
    for (int i = 0; i < 300000; i++) {
        now_ms += (int64_t)random_below(&random, 400);
        enum edda_session_event event =
            (enum edda_session_event)random_below(&random, EDDA_SESSION_DISCONNECTED + 1);
        unsigned actions =
            edda_session_step(&session, event, now_ms, (uint32_t)random_next(&random));
        if (actions & EDDA_SESSION_OPEN) {
            assert_false(open);
            open = true;
            hello = ready = false;
        }
        if (actions & EDDA_SESSION_HELLO) {
            assert_true(open && !hello);
            hello = true;
        }
        if (actions & EDDA_SESSION_READY) {
            assert_true(hello && !ready);
            ready = true;
        }
        assert_true(!(actions & EDDA_SESSION_PING) || ready);
        if (actions & EDDA_SESSION_CLOSE) {
            assert_true(open);
            open = hello = ready = false;
        }
        assert_int_equal(session.state == EDDA_SESSION_DOWN, !open);
        assert_int_equal(session.state >= EDDA_SESSION_LIVE, ready);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_is_down_opens_when_its_backoff_is_over),
        cmocka_unit_test(a_session_that_is_down_waits_for_its_backoff),
        cmocka_unit_test(a_session_that_is_down_ignores_messages),
        cmocka_unit_test(hello_goes_out_when_the_transport_can_take_it),
        cmocka_unit_test(hello_goes_out_once_per_connection),
        cmocka_unit_test(a_welcome_makes_the_session_live),
        cmocka_unit_test(a_welcome_nobody_asked_for_is_ignored),
        cmocka_unit_test(a_session_without_welcome_is_closed_after_two_seconds),
        cmocka_unit_test(who_slept_listens_for_a_ping_interval_before_it_gives_up_a_welcome),
        cmocka_unit_test(a_reset_while_connecting_closes_and_backs_off),
        cmocka_unit_test(a_draining_broker_is_not_joined),
        cmocka_unit_test(a_connection_lost_before_hello_is_left_to_the_transport),
        cmocka_unit_test(a_connection_lost_after_hello_closes_and_backs_off),
        cmocka_unit_test(a_session_that_hears_stays_live),
        cmocka_unit_test(a_session_that_sent_nothing_pings),
        cmocka_unit_test(a_session_that_sent_something_does_not_ping),
        cmocka_unit_test(a_silent_broker_is_left),
        cmocka_unit_test(who_slept_listens_for_a_ping_interval_before_it_calls_a_broker_silent),
        cmocka_unit_test(a_reset_ends_a_live_session),
        cmocka_unit_test(a_bye_ends_a_live_session),
        cmocka_unit_test(a_session_ends_with_its_connection),
        cmocka_unit_test(a_connection_that_breaks_behind_each_welcome_is_backed_off_from),
        cmocka_unit_test(a_session_that_lasted_a_ping_interval_forgets_the_failures),
        cmocka_unit_test(a_broker_that_drains_is_going),
        cmocka_unit_test(a_second_welcome_changes_nothing),
        cmocka_unit_test(a_session_that_is_going_still_pings),
        cmocka_unit_test(a_going_broker_that_falls_silent_is_left),
        cmocka_unit_test(a_bye_ends_a_going_session),
        cmocka_unit_test(a_going_session_ends_with_its_connection),
        cmocka_unit_test(a_second_drain_changes_nothing),
        cmocka_unit_test(the_backoff_doubles_to_its_maximum_with_full_jitter),
        cmocka_unit_test(numbers_of_the_broker_are_brought_into_range),
        cmocka_unit_test(actions_come_in_order_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
