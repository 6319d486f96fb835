/* tests/actors/runtime/test_link.c: a session that ends with its connection, where the broker's
 * pings are a minute apart, so that nothing is found out by silence; and what silence is. */
#include "actors/runtime/link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/body.h"
#include "tests/harness/fake_broker.h"
#include "tests/harness/port.h"
#include "tests/proto/cmocka.h"

#define PING_MS 60000
#define WAIT_MS 10000
#define BATCHES 4

static void *context;
static edda_loop_t *loop;
static struct fake_broker *fake;
static struct edda_link peer;
static struct edda_wire incoming;
static struct edda_timer timer;
static char folder[64];
static char url[EDDA_MAX_URL];
static uint16_t port; /* of a tcp one */
static size_t ready;
static size_t lost;
static size_t messages;
static size_t messages_when_lost;
static size_t batches[BATCHES]; /* messages, after each that had one */
static size_t batch_count;

static const struct edda_hello hello = {
    .node = {{1}},
    .role = EDDA_TEXT("pump"),
    .name = EDDA_TEXT("tester"),
    .incarnation = 1,
};

static void on_message(void *owner, struct edda_link *link, struct edda_wire *wire) {
    (void)owner;
    (void)link;
    (void)wire;
    messages++;
}

static void on_ready(void *owner, struct edda_link *link) {
    (void)owner;
    (void)link;
    ready++;
}

static void on_lost(void *owner, struct edda_link *link) {
    (void)owner;
    (void)link;
    lost++;
    messages_when_lost = messages;
}

static void on_ended(void *owner, struct edda_link *link) {
    (void)owner;
    (void)link;
    if (batch_count < BATCHES && messages > 0) {
        batches[batch_count++] = messages;
    }
}

static const struct edda_link_handler handler = {
    .message = on_message, .ready = on_ready, .lost = on_lost, .ended = on_ended};

static void tick(void *unused) {
    (void)unused;
    edda_link_tick(&peer);
    edda_loop_timer_set(loop, &timer, edda_loop_now(loop) + 10);
}

static int set_up(void **state) {
    (void)state;
    ready = lost = messages = batch_count = 0;
    context = zmq_ctx_new();
    loop = edda_loop_new("test");
    snprintf(folder, sizeof folder, "/tmp/edda-link-XXXXXX");
    assert_non_null(mkdtemp(folder));
    edda_wire_init(&incoming);
    timer = (struct edda_timer){.fire = tick, .name = "tick"};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    edda_loop_timer_cancel(loop, &timer);
    edda_link_done(&peer);
    fake_broker_destroy(&fake);
    edda_loop_destroy(&loop);
    zmq_ctx_term(context);
    char path[128];
    static const char *const left[] = {"broker", "broker.lock", "broker.back", "broker.back.lock"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, left[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return 0;
}

static void name_url(const char *transport) {
    if (strcmp(transport, "ipc") == 0) {
        snprintf(url, sizeof url, "ipc://%s/broker", folder);
    } else if (strcmp(transport, "tcp") == 0) {
        port = free_tcp_url(url);
    } else {
        snprintf(url, sizeof url, "inproc://broker");
    }
}

static void start_fake(uint32_t ping_ms) {
    fake = fake_broker_new(loop, context, url);
    fake_broker_tune(fake, ping_ms, 10);
}

static void start_peer(void) {
    edda_link_init(&peer, loop, context, url, NULL, 0, &hello, &handler, NULL);
    peer.incoming = &incoming;
}

static bool is_ready(void *wanted) {
    return ready == *(size_t *)wanted;
}

static void expect_ready(size_t wanted) {
    (void)fake_broker_accept(fake, FAKE_FRONT);
    assert_true(fake_loop_until(loop, is_ready, &wanted, WAIT_MS));
}

static void join_with_pings(const char *transport, uint32_t ping_ms) {
    name_url(transport);
    start_fake(ping_ms);
    start_peer();
    edda_loop_timer_set(loop, &timer, edda_loop_now(loop));
    expect_ready(1);
}

static void join(const char *transport) {
    join_with_pings(transport, PING_MS);
}

static bool is_lost(void *wanted) {
    return lost == *(size_t *)wanted;
}

static void check_that_a_broken_connection_is_noticed(const char *transport) {
    join(transport);
    fake_broker_restart(fake);
    expect_ready(2);
    assert_int_equal(lost, 1);
    assert_int_equal(peer.number, 2);
}

static void a_session_over_ipc_ends_with_its_connection(void **state) {
    (void)state;
    check_that_a_broken_connection_is_noticed("ipc");
}

static void a_session_over_tcp_ends_with_its_connection(void **state) {
    (void)state;
    check_that_a_broken_connection_is_noticed("tcp");
}

/* There heartbeats alone say so: a_restarted_broker_gets_the_unanswered_calls. */
static void a_session_over_inproc_has_no_monitor(void **state) {
    (void)state;
    join("inproc");
    assert_null(peer.monitor.socket);
    assert_null(peer.monitor_watch);
}

/* socket NULL: fd, whose wake-up only a call on its socket takes away. */
static void wait_readable(void *socket, int fd) {
    zmq_pollitem_t item = {.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
}

/* Both wait when the loop looks: the message and the news of the end. */
static void what_came_before_the_end_is_heard_first(void **state) {
    (void)state;
    join("tcp");
    edda_loop_timer_cancel(loop, &timer);
    fake_broker_grant(fake, "embed", 10, 1 << 20);
    wait_readable(peer.socket, -1);
    fake_broker_destroy(&fake);
    wait_readable(NULL, edda_monitor_fd(&peer.monitor));
    size_t one = 1;
    assert_true(fake_loop_until(loop, is_lost, &one, WAIT_MS));
    assert_int_equal(messages_when_lost, 1);
}

static bool is_batch_count(void *wanted) {
    return batch_count == *(size_t *)wanted;
}

/* Seen to fail when all that waits is read: other sockets and timers would starve. */
static void a_turn_reads_as_many_messages_as_it_may_and_the_next_the_rest(void **state) {
    (void)state;
    join("inproc");
    edda_loop_timer_cancel(loop, &timer);
    for (size_t batch = 1; batch <= 2; batch++) {
        messages = batch_count = 0;
        for (size_t i = 0; i < EDDA_SOCKET_BUDGET + batch - 1; i++) {
            fake_broker_grant(fake, "embed", i, i);
        }
        assert_true(fake_loop_until(loop, is_batch_count, &batch, WAIT_MS));
        assert_int_equal(batches[0], EDDA_SOCKET_BUDGET);
        assert_int_equal(messages, EDDA_SOCKET_BUDGET + batch - 1);
    }
}

/* The tick comes before the socket is looked at, as after a sleep of the whole process. */
static void signs_of_life_that_wait_unread_are_no_silence(void **state) {
    (void)state;
    const struct edda_ping ping = {.stamp = 1};
    join_with_pings("ipc", 100);
    edda_loop_timer_cancel(loop, &timer);
    fake_broker_tell(fake, FAKE_FRONT, EDDA_PING, NULL, EDDA_BODY_PING, &ping);
    wait_readable(peer.socket, -1);
    usleep(1200 * 1000);
    edda_link_tick(&peer);
    assert_int_equal(lost, 0);
    assert_int_equal(peer.session.state, EDDA_SESSION_LIVE);
    fake_broker_deaf(fake, true);
    edda_loop_timer_set(loop, &timer, edda_loop_now(loop));
    size_t one = 1;
    assert_true(fake_loop_until(loop, is_lost, &one, WAIT_MS));
}

static void a_broker_that_breaks_each_connection_is_a_failure_each_time(void **state) {
    (void)state;
    join("ipc");
    for (size_t i = 1; i <= 3; i++) {
        fake_broker_restart(fake);
        expect_ready(i + 1);
        assert_int_equal(lost, i);
        assert_int_equal(peer.session.failures, i);
    }
}

static int listen_at_port(void) {
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    return listener;
}

struct turned_away {
    int listener;
    size_t count;
};

/* Whether three connections were accepted and hung up on. */
static bool turn_away(void *turned_away) {
    struct turned_away *self = turned_away;
    int accepted = accept(self->listener, NULL, NULL);
    if (accepted >= 0) {
        close(accepted);
        self->count++;
    }
    return self->count >= 3;
}

/* Without ticks, whose two seconds would end it, there is only what the transport does. */
static void connections_that_break_before_hello_are_the_transports_own(void **state) {
    (void)state;
    name_url("tcp");
    struct turned_away turned = {.listener = listen_at_port()};
    start_peer();
    edda_link_tick(&peer);
    assert_true(fake_loop_until(loop, turn_away, &turned, WAIT_MS));
    close(turned.listener);
    start_fake(PING_MS);
    expect_ready(1);
    assert_int_equal(peer.number, 1);
    assert_int_equal(peer.session.failures, 0);
    assert_int_equal(lost, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_session_over_ipc_ends_with_its_connection),
        TEST(a_session_over_tcp_ends_with_its_connection),
        TEST(a_session_over_inproc_has_no_monitor),
        TEST(what_came_before_the_end_is_heard_first),
        TEST(a_turn_reads_as_many_messages_as_it_may_and_the_next_the_rest),
        TEST(signs_of_life_that_wait_unread_are_no_silence),
        TEST(a_broker_that_breaks_each_connection_is_a_failure_each_time),
        TEST(connections_that_break_before_hello_are_the_transports_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
