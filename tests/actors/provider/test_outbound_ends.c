/* tests/actors/provider/test_outbound_ends.c: pauses, cancelled transfers, and what callbacks may
 * do. */
#include "tests/actors/provider/transfers.h"

#include <stdio.h>
#include <stdlib.h>

#define FLOOD_BYTES ((size_t)24 << 20) /* far more than sockets hold */

static void make_flood(struct transfer *transfer) {
    scripted_does(server, SCRIPT(SAY("HTTP/1.0 200 OK\r\n\r\n"), FLOOD(FLOOD_BYTES), CLOSE()));
    transfer_make_stream(transfer);
    transfer->request.response_maximum = FLOOD_BYTES;
}

static void pause_me(struct transfer *self) {
    edda_transfer_pause(self->handle, true);
    self->during = NULL;
}

/* The server's sends block: it gets no further although it has all the time it wants. */
static size_t await_blocked(void) {
    size_t flooded;
    int same = 0;
    for (size_t before = 0; same < 5; before = flooded) {
        fake_loop_for(loop, 50);
        flooded = scripted_flooded(server);
        same = flooded > 0 && flooded == before ? same + 1 : 0;
        assert_true(flooded < FLOOD_BYTES);
    }
    return flooded;
}

/* Seen to fail without edda_transfer_pause() (tests/fault/guards/24c.patch). */
static void a_pause_blocks_the_server_and_is_no_silence(void **state) {
    (void)state;
    struct transfer transfer;
    transfers_have_no_patience();
    make_flood(&transfer);
    transfer.during = pause_me;
    transfer_send(&transfer);
    transfer_await_bytes(&transfer, 1);
    (void)await_blocked();
    size_t bytes = transfer.bytes;
    fake_loop_for(loop, 3 * IDLE_MS);
    assert_int_equal(transfer.bytes, bytes);
    assert_int_equal(transfer.done, 0);
    edda_transfer_pause(transfer.handle, false);
    assert_int_equal(transfer.bytes, bytes); /* nothing from within */
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.bytes, FLOOD_BYTES);
}

static void a_pause_from_outside_holds_too(void **state) {
    (void)state;
    struct transfer transfer;
    make_flood(&transfer);
    transfer_send(&transfer);
    transfer_await_bytes(&transfer, 1);
    edda_transfer_pause(transfer.handle, true);
    edda_transfer_pause(transfer.handle, true);
    fake_loop_for(loop, 50);
    size_t bytes = transfer.bytes; /* what was read already */
    (void)await_blocked();
    assert_int_equal(transfer.bytes, bytes);
    edda_transfer_pause(transfer.handle, false);
    edda_transfer_pause(transfer.handle, false);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.bytes, FLOOD_BYTES);
}

static void a_pause_before_anything_came_holds_the_body_back(void **state) {
    (void)state;
    struct transfer transfer;
    transfers_have_no_patience();
    make_flood(&transfer);
    transfer_send(&transfer);
    edda_transfer_pause(transfer.handle, true);
    (void)await_blocked();
    assert_int_equal(transfer.bytes, 0);
    fake_loop_for(loop, 2 * IDLE_MS);
    assert_int_equal(transfer.done, 0);
    edda_transfer_pause(transfer.handle, false);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.bytes, FLOOD_BYTES);
}

static void a_pause_before_the_head_does_not_stop_the_clock_of_the_first_byte(void **state) {
    (void)state;
    struct transfer transfer;
    transfers_have_no_patience();
    scripted_does(server, SCRIPT(HANG()));
    transfer_stream(&transfer);
    edda_transfer_pause(transfer.handle, true);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
}

static void after_a_pause_silence_is_counted_anew(void **state) {
    (void)state;
    struct transfer transfer;
    transfers_have_no_patience();
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()));
    transfer_make_stream(&transfer);
    transfer.during = pause_me;
    transfer_send(&transfer);
    transfer_await_bytes(&transfer, 1);
    fake_loop_for(loop, 2 * IDLE_MS);
    assert_int_equal(transfer.done, 0);
    edda_transfer_pause(transfer.handle, false);
    fake_loop_for(loop, 1);
    assert_int_equal(transfer.done, 0);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
}

static void a_refusal_comes_through_a_pause(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_says(server, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno");
    transfer_stream(&transfer);
    edda_transfer_pause(transfer.handle, true);
    transfer_expect(&transfer, 0);
    assert_string_equal(transfer.body, "no");
}

static void pause_and_go_on(struct transfer *self) {
    edda_transfer_pause(self->handle, true);
    edda_transfer_pause(self->handle, false);
}

static void pauses_that_end_within_a_callback_lose_nothing(void **state) {
    (void)state;
    struct transfer transfer;
    make_flood(&transfer);
    transfer.during = pause_and_go_on;
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.bytes, FLOOD_BYTES);
}

static void a_paused_call_that_breaks_says_so_when_it_goes_on(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), AWAIT(1), CLOSE()));
    transfer_make_stream(&transfer);
    transfer.during = pause_me;
    transfer_send(&transfer);
    transfer_await_bytes(&transfer, 1);
    scripted_go(server);
    await_open(0);
    assert_int_equal(transfer.done, 0);
    edda_transfer_pause(transfer.handle, false);
    transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
}

/* ---- cancelled ---- */

static void a_call_that_is_cancelled_before_it_began_is_never_made(void **state) {
    (void)state;
    struct transfer transfer;
    transfer_post(&transfer);
    edda_transfer_cancel(&transfer.handle);
    assert_null(transfer.handle);
    edda_transfer_cancel(&transfer.handle);
    assert_int_equal(edda_outbound_open(outbound), 0);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), 0);
    assert_int_equal(transfer.done, 0);
}

static void a_cancelled_call_says_nothing_and_its_server_sees_it_go(void **state) {
    (void)state;
    for (int begun = 0; begun < 3; begun++) {
        struct transfer transfer;
        scripted_does(server,
                      begun ? SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()) : SCRIPT(HANG()));
        transfer_stream(&transfer);
        await_requests((size_t)begun + 1);
        if (begun) {
            transfer_await_bytes(&transfer, 1);
        }
        if (begun == 2) {
            edda_transfer_pause(transfer.handle, true);
        }
        edda_transfer_cancel(&transfer.handle);
        assert_int_equal(edda_outbound_open(outbound), 0);
        await_open(0);
        assert_int_equal(transfer.done, 0);
        assert_int_equal(transfer.bytes, begun ? 1 : 0);
    }
}

static void cancel_me(struct transfer *self) {
    edda_transfer_cancel(&self->handle);
}

static void a_call_may_be_cancelled_in_its_own_callbacks(void **state) {
    (void)state;
    struct transfer transfer;
    make_flood(&transfer);
    transfer.during = cancel_me;
    transfer_send(&transfer);
    transfer_await_bytes(&transfer, 1);
    await_open(0);
    assert_null(transfer.handle);
    assert_int_equal(transfer.pieces, 1);
    assert_int_equal(transfer.done, 0);
    transfer_make(&transfer);
    transfer.after = cancel_me; /* too late, and no harm */
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
}

static void cancel_other(struct transfer *self) {
    if (self->other->handle) {
        edda_transfer_cancel(&self->other->handle);
        free((void *)(uintptr_t)self->other->request.body.data);
    }
}

/* What was cancelled is still being sent: its body is the caller's again at once. */
static void a_call_may_be_cancelled_in_anothers_callback_and_its_body_freed(void **state) {
    (void)state;
    for (int by_end = 0; by_end < 2; by_end++) {
        struct transfer first;
        struct transfer second;
        size_t size = (size_t)32 << 20;
        uint8_t *body = calloc(1, size);
        scripted_does(server, SCRIPT(AWAIT((size_t)by_end + 1), SAY(SCRIPTED_OK)));
        transfer_make_stream(&first);
        first.other = &second;
        *(by_end ? &first.after : &first.during) = cancel_other;
        transfer_send(&first);
        await_requests((size_t)by_end + 1);
        transfer_make(&second);
        second.request.body = (struct edda_bytes){body, size};
        transfer_send(&second);
        fake_loop_for(loop, 5);
        scripted_go(server);
        transfer_expect(&first, 0);
        assert_null(second.handle);
        fake_loop_for(loop, 100);
        assert_int_equal(second.done, 0);
        assert_int_equal(scripted_requests(server), (size_t)by_end + 1);
    }
}

static void send_other(struct transfer *self) {
    if (!self->other->handle && self->other->done == 0) {
        transfer_send(self->other);
    }
}

static void a_call_may_be_sent_in_anothers_callback(void **state) {
    (void)state;
    for (int by_end = 0; by_end < 2; by_end++) {
        struct transfer first;
        struct transfer second;
        transfer_make_stream(&first);
        transfer_make(&second);
        first.other = &second;
        *(by_end ? &first.after : &first.during) = send_other;
        transfer_send(&first);
        transfer_expect(&first, 0);
        transfer_expect(&second, 0);
        assert_string_equal(second.body, "ok");
    }
    assert_true(scripted_connections(server) <= 3);
}

/* The slot of a call that has ended is free for the next already in on_done. */
static void a_call_sent_in_on_done_takes_the_place_of_the_one_that_ended(void **state) {
    (void)state;
    static struct transfer transfers[EDDA_OUTBOUND_CONNECTIONS];
    struct transfer next;
    transfer_make(&next);
    scripted_does(server, SCRIPT(AWAIT(1), SAY(SCRIPTED_OK)));
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        scripted_does(server, SCRIPT(AWAIT(2), SAY(SCRIPTED_OK)));
    }
    for (size_t i = 0; i < EDDA_OUTBOUND_CONNECTIONS; i++) {
        transfer_make(&transfers[i]);
        transfers[i].other = &next;
        transfers[i].after = send_other;
        transfer_send(&transfers[i]);
    }
    await_requests(EDDA_OUTBOUND_CONNECTIONS);
    scripted_go(server);
    await_requests(EDDA_OUTBOUND_CONNECTIONS + 1);
    assert_int_equal(edda_outbound_open(outbound), EDDA_OUTBOUND_CONNECTIONS);
    scripted_go(server);
    transfer_expect(&next, 0);
}

/* ---- destroyed ---- */

static void what_is_open_goes_with_the_outbound_without_a_word(void **state) {
    (void)state;
    struct transfer transfers[5];
    scripted_does(server, SCRIPT(HANG()));
    transfer_stream(&transfers[0]);
    await_requests(1);
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()));
    transfer_stream(&transfers[1]);
    transfer_await_bytes(&transfers[1], 1);
    make_flood(&transfers[2]);
    transfers[2].during = pause_me;
    transfer_send(&transfers[2]);
    transfer_await_bytes(&transfers[2], 1);
    transfer_post(&transfers[3]);
    transfer_expect(&transfers[3], 0); /* leaves an idle connection */
    transfer_post(&transfers[4]);
    assert_int_equal(edda_outbound_open(outbound), 4);
    edda_outbound_destroy(&outbound);
    assert_null(outbound);
    await_open(0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(transfers[i].done, i == 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(a_pause_blocks_the_server_and_is_no_silence),
        TRANSFER_TEST(a_pause_from_outside_holds_too),
        TRANSFER_TEST(a_pause_before_anything_came_holds_the_body_back),
        TRANSFER_TEST(a_pause_before_the_head_does_not_stop_the_clock_of_the_first_byte),
        TRANSFER_TEST(after_a_pause_silence_is_counted_anew),
        TRANSFER_TEST(a_refusal_comes_through_a_pause),
        TRANSFER_TEST(pauses_that_end_within_a_callback_lose_nothing),
        TRANSFER_TEST(a_paused_call_that_breaks_says_so_when_it_goes_on),
        TRANSFER_TEST(a_call_that_is_cancelled_before_it_began_is_never_made),
        TRANSFER_TEST(a_cancelled_call_says_nothing_and_its_server_sees_it_go),
        TRANSFER_TEST(a_call_may_be_cancelled_in_its_own_callbacks),
        TRANSFER_TEST(a_call_may_be_cancelled_in_anothers_callback_and_its_body_freed),
        TRANSFER_TEST(a_call_may_be_sent_in_anothers_callback),
        TRANSFER_TEST(a_call_sent_in_on_done_takes_the_place_of_the_one_that_ended),
        TRANSFER_TEST(what_is_open_goes_with_the_outbound_without_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
