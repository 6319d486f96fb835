/* tests/actors/runtime/test_outbox.c: order, bounds, one peer's failure, and nothing kept in sleep.
 */
#include "actors/runtime/outbox.h"

#include "actors/runtime/clock.h"
#include "actors/runtime/socket.h"
#include "proto/body.h"
#include "proto/body_peer.h"
#include "tests/harness/fake_broker.h"
#include "tests/harness/wire_send.h"
#include "tests/proto/cmocka.h"

#define MANY    (3 * EDDA_OUTBOX_MESSAGES)
#define ENDLESS 1000000

struct ends {
    void *zmq_context;
    edda_loop_t *loop;
    void *router;
    void *dealer;
    struct edda_outbox outbox;
    uint64_t first_refused;
    size_t refused_count;
    int refused_error;
    size_t after_count;
};

static void note_refused(void *context, uint64_t tag, int error, zmq_msg_t *frames, size_t count) {
    struct ends *ends = context;
    assert_int_equal(count, 4); /* routing id, F0, envelope, a body */
    assert_int_equal(zmq_msg_size(&frames[1]), EDDA_FRAME_BYTES);
    if (ends->refused_count++ == 0) {
        ends->first_refused = tag;
    }
    ends->refused_error = error;
}

static void note_after(void *context) {
    ((struct ends *)context)->after_count++;
}

static int set_up(void **state) {
    static struct ends ends;
    const char *url = "inproc://outbox";
    ends = (struct ends){.zmq_context = zmq_ctx_new(), .loop = edda_loop_new("test")};
    assert_int_equal(edda_socket_router(ends.zmq_context, &url, 1, false, &ends.router), 0);
    assert_int_equal(edda_socket_dealer(ends.zmq_context, url, NULL, 0, &ends.dealer), 0);
    *state = &ends;
    return 0;
}

static int tear_down(void **state) {
    struct ends *ends = *state;
    (void)edda_outbox_close(&ends->outbox, false);
    edda_socket_close(&ends->dealer, 0);
    edda_socket_close(&ends->router, 0);
    edda_loop_destroy(&ends->loop);
    zmq_ctx_term(ends->zmq_context);
    return 0;
}

static void open_for_dealer(struct ends *ends) {
    assert_int_equal(edda_outbox_open(&ends->outbox, ends->loop, ends->dealer, NULL, NULL, NULL),
                     0);
}

/* The number travels as the stamp of a PING. False: no room. */
static bool add_number(struct edda_outbox *outbox, const uint8_t *id, size_t id_size,
                       uint64_t number) {
    const struct edda_ping ping = {.stamp = number};
    zmq_msg_t *frames = edda_outbox_room(outbox);
    if (!frames) {
        return false;
    }
    int made = edda_wire_make_session(frames, id, id_size, EDDA_PING, NULL, EDDA_BODY_PING, &ping);
    assert_true(made > 0);
    edda_outbox_add(outbox, (size_t)made, number);
    return true;
}

static uint64_t read_number(const struct edda_wire *wire) {
    struct edda_ping ping;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    assert_int_equal(wire->message.command, EDDA_PING);
    assert_int_equal(edda_body_decode(EDDA_BODY_PING, wire->message.bodies[0], &arena, &ping), 0);
    edda_arena_done(&arena);
    return ping.stamp;
}

/* Reads all that is there; the numbers must be from, from + 1, ... Returns the next one. */
static uint64_t expect_numbers(void *socket, bool router, uint64_t from) {
    struct edda_wire wire;
    edda_wire_init(&wire);
    while (edda_wire_receive(socket, router, &wire) == 0) {
        assert_int_equal(read_number(&wire), from);
        from++;
        edda_wire_done(&wire);
    }
    return from;
}

struct burst {
    struct ends *ends;
    size_t count;
    uint64_t arrived; /* while the callback ran */
    int64_t spend_us; /* before the last */
};

static void add_burst(void *context) {
    struct burst *burst = context;
    for (size_t i = 0; i < burst->count; i++) {
        int64_t until_us = edda_clock_us() + burst->spend_us;
        while (i + 1 == burst->count && edda_clock_us() < until_us) {
        }
        assert_true(add_number(&burst->ends->outbox, NULL, 0, i));
    }
    burst->arrived = expect_numbers(burst->ends->router, true, 0);
}

static void stop_loop(void *context) {
    edda_loop_stop(context);
}

/* One turn in which this runs as a timer. */
static void run_in_turn(edda_loop_t *loop, edda_task_fn fire, void *context) {
    struct edda_timer timer = {.fire = fire, .context = context, .name = "turn"};
    struct edda_timer end = {.fire = stop_loop, .context = loop, .name = "end"};
    edda_loop_timer_set(loop, &timer, edda_clock_ms());
    edda_loop_timer_set(loop, &end, edda_clock_ms() + 1);
    assert_int_equal(edda_loop_run(loop), 0);
}

static void messages_of_one_callback_leave_in_order_before_the_loop_sleeps(void **state) {
    struct burst burst = {.ends = *state, .count = 3};
    open_for_dealer(*state);
    run_in_turn(burst.ends->loop, add_burst, &burst);
    assert_int_equal(expect_numbers(burst.ends->router, true, burst.arrived), 3);
    assert_int_equal(burst.ends->outbox.count, 0);
}

static void a_burst_beyond_the_bound_leaves_in_order_and_in_parts(void **state) {
    struct burst burst = {.ends = *state, .count = MANY};
    open_for_dealer(*state);
    run_in_turn(burst.ends->loop, add_burst, &burst);
    assert_true(burst.arrived >= EDDA_OUTBOX_MESSAGES);
    assert_int_equal(expect_numbers(burst.ends->router, true, burst.arrived), MANY);
}

static void what_a_slow_callback_sends_does_not_wait_for_its_end(void **state) {
    struct burst burst = {.ends = *state, .count = 2, .spend_us = 2 * EDDA_OUTBOX_HOLD_US};
    open_for_dealer(*state);
    run_in_turn(burst.ends->loop, add_burst, &burst);
    assert_int_equal(burst.arrived, 2);
}

static void outside_a_running_loop_a_message_leaves_at_once(void **state) {
    struct ends *ends = *state;
    open_for_dealer(ends);
    assert_true(add_number(&ends->outbox, NULL, 0, 0));
    assert_int_equal(expect_numbers(ends->router, true, 0), 1);
}

static void a_socket_that_takes_nothing_blocks_its_outbox_until_it_does(void **state) {
    struct ends *ends = *state;
    void *lonely = zmq_socket(ends->zmq_context, ZMQ_DEALER);
    int linger = 0;
    assert_int_equal(zmq_setsockopt(lonely, ZMQ_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(edda_outbox_open(&ends->outbox, ends->loop, lonely, NULL, NULL, NULL), 0);
    assert_true(add_number(&ends->outbox, NULL, 0, 0));
    assert_true(ends->outbox.blocked);
    for (uint64_t i = 1; i < 2 * EDDA_OUTBOX_MESSAGES; i++) {
        assert_false(add_number(&ends->outbox, NULL, 0, i));
    }
    assert_int_equal(ends->outbox.count, 1);
    assert_int_equal(zmq_connect(lonely, "inproc://outbox"), 0);
    assert_true(add_number(&ends->outbox, NULL, 0, 1));
    edda_outbox_flush(&ends->outbox);
    assert_int_equal(expect_numbers(ends->router, true, 0), 2);
    assert_int_equal(edda_outbox_close(&ends->outbox, true), 0);
    assert_int_equal(zmq_close(lonely), 0);
}

static void a_full_pipe_keeps_the_order_of_what_it_refused(void **state) {
    struct ends *ends = *state;
    uint64_t next = 0;
    open_for_dealer(ends);
    while (next < ENDLESS && add_number(&ends->outbox, NULL, 0, next)) {
        next++;
    }
    assert_true(next < ENDLESS && ends->outbox.blocked);
    uint64_t read = expect_numbers(ends->router, true, 0);
    assert_true(read > 0);
    /* The reader's word that there is room comes in batches: ask until it has come. */
    for (int i = 0; i < 1000 && ends->outbox.count > 0; i++) {
        (void)edda_socket_writable(ends->dealer);
        edda_outbox_flush(&ends->outbox);
        read = expect_numbers(ends->router, true, read);
    }
    assert_int_equal(expect_numbers(ends->router, true, read), next);
}

/* Whatever the time: nothing is late. */
static void never_late(struct edda_outbox *outbox) {
    outbox->flushed_us = INT64_MAX / 2;
}

static void close_both_ways(void *context) {
    struct ends *ends = context;
    for (int send = 0; send < 2; send++) {
        open_for_dealer(ends);
        never_late(&ends->outbox);
        assert_true(add_number(&ends->outbox, NULL, 0, 0));
        assert_true(add_number(&ends->outbox, NULL, 0, 1));
        assert_int_equal(ends->outbox.count, 2);
        assert_int_equal(edda_outbox_close(&ends->outbox, send), send ? 0 : 2);
        assert_null(edda_outbox_room(&ends->outbox));
        assert_int_equal(expect_numbers(ends->router, true, 0), send ? 2 : 0);
    }
    assert_int_equal(edda_outbox_close(&ends->outbox, true), 0);
}

static void a_closed_outbox_sends_or_drops_what_it_kept(void **state) {
    run_in_turn(((struct ends *)*state)->loop, close_both_ways, *state);
}

/* As the router first hears from it: its id is in wire, which the caller ends. */
static void introduce(struct ends *ends, void *dealer, struct edda_wire *wire) {
    edda_wire_init(wire);
    assert_int_equal(wire_send_session(dealer, NULL, 0, EDDA_BYE, NULL, 0, NULL), 0);
    assert_int_equal(edda_wire_receive(ends->router, true, wire), 0);
}

static void open_for_router(struct ends *ends) {
    assert_int_equal(
        edda_outbox_open(&ends->outbox, ends->loop, ends->router, note_refused, note_after, ends),
        0);
}

static void write_to_somebody_and_nobody(void *context) {
    static const uint8_t nobody[5] = {0, 9, 9, 9, 9};
    struct ends *ends = context;
    struct edda_wire wire;
    introduce(ends, ends->dealer, &wire);
    open_for_router(ends);
    never_late(&ends->outbox);
    assert_true(add_number(&ends->outbox, wire.routing_id, wire.routing_id_size, 0));
    assert_true(add_number(&ends->outbox, nobody, sizeof nobody, 77));
    assert_true(add_number(&ends->outbox, wire.routing_id, wire.routing_id_size, 1));
    assert_int_equal(ends->refused_count, 0);
    edda_wire_done(&wire);
}

static void one_peer_that_is_gone_does_not_stop_the_messages_to_others(void **state) {
    struct ends *ends = *state;
    run_in_turn(ends->loop, write_to_somebody_and_nobody, ends);
    assert_int_equal(ends->refused_count, 1);
    assert_int_equal(ends->first_refused, 77);
    assert_int_equal(ends->refused_error, EDDA_E_UNAVAILABLE);
    assert_int_equal(ends->after_count, 1);
    assert_false(ends->outbox.blocked);
    assert_int_equal(expect_numbers(ends->dealer, false, 0), 2);
}

static void one_peer_that_is_full_does_not_stop_the_messages_to_others(void **state) {
    struct ends *ends = *state;
    void *other = NULL;
    struct edda_wire wires[2];
    assert_int_equal(edda_socket_dealer(ends->zmq_context, "inproc://outbox", NULL, 0, &other), 0);
    introduce(ends, ends->dealer, &wires[0]);
    introduce(ends, other, &wires[1]);
    open_for_router(ends);
    uint64_t next = 0;
    while (next < ENDLESS && ends->refused_count == 0) {
        assert_true(add_number(&ends->outbox, wires[0].routing_id, wires[0].routing_id_size, next));
        next++;
    }
    assert_int_equal(ends->refused_count, 1);
    assert_int_equal(ends->first_refused, next - 1);
    assert_int_equal(ends->refused_error, EDDA_E_AGAIN);
    assert_true(add_number(&ends->outbox, wires[1].routing_id, wires[1].routing_id_size, 0));
    assert_int_equal(expect_numbers(other, false, 0), 1);
    assert_int_equal(expect_numbers(ends->dealer, false, 0), next - 1);
    edda_wire_done(&wires[0]);
    edda_wire_done(&wires[1]);
    edda_socket_close(&other, 0);
}

struct again {
    struct edda_deferred deferred;
    edda_loop_t *loop;
    int left;
};

static void defer_again(void *context) {
    struct again *again = context;
    if (--again->left > 0) {
        edda_loop_defer(again->loop, &again->deferred);
        edda_loop_defer(again->loop, &again->deferred);
    } else {
        edda_loop_stop(again->loop);
    }
}

static void what_is_deferred_meanwhile_runs_before_the_loop_sleeps(void **state) {
    struct ends *ends = *state;
    struct again again = {.loop = ends->loop, .left = 20};
    struct again cancelled = {.loop = ends->loop, .left = 1};
    again.deferred = (struct edda_deferred){.fire = defer_again, .context = &again};
    cancelled.deferred = (struct edda_deferred){.fire = defer_again, .context = &cancelled};
    edda_loop_defer(ends->loop, &again.deferred);
    edda_loop_defer(ends->loop, &cancelled.deferred);
    edda_deferred_cancel(&cancelled.deferred);
    /* No timer, no socket: a loop that slept would never end. */
    assert_int_equal(edda_loop_run(ends->loop), 0);
    assert_int_equal(again.left, 0);
    assert_int_equal(cancelled.left, 1);
}

#define WITH_ENDS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ENDS(messages_of_one_callback_leave_in_order_before_the_loop_sleeps),
        WITH_ENDS(a_burst_beyond_the_bound_leaves_in_order_and_in_parts),
        WITH_ENDS(what_a_slow_callback_sends_does_not_wait_for_its_end),
        WITH_ENDS(outside_a_running_loop_a_message_leaves_at_once),
        WITH_ENDS(a_socket_that_takes_nothing_blocks_its_outbox_until_it_does),
        WITH_ENDS(a_full_pipe_keeps_the_order_of_what_it_refused),
        WITH_ENDS(a_closed_outbox_sends_or_drops_what_it_kept),
        WITH_ENDS(one_peer_that_is_gone_does_not_stop_the_messages_to_others),
        WITH_ENDS(one_peer_that_is_full_does_not_stop_the_messages_to_others),
        WITH_ENDS(what_is_deferred_meanwhile_runs_before_the_loop_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
