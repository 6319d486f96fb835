/* tests/gateway/test_chat_pace.c: streams over time: credit as the client reads, silence, clients
 * that leave, a gateway that drains. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

#define ROUTE    "embed store.search rerank llm.answer"
#define QUESTION "{\"query\":\"q\",\"stream\":true}"
#define PARTS    16
#define BYTES    65536

static struct edda_uuid begin_stream(struct live_gateway *live, struct live_stream *stream) {
    struct edda_uuid id = expect_route(live, ROUTE);
    struct edda_credit_grant grant = expect_stream_credit(live, &id);
    assert_int_equal(grant.messages, PARTS);
    assert_int_equal(grant.bytes, BYTES);
    send_progress(live, &id, 3);
    expect_event(stream, ": ping");
    return id;
}

static void a_client_that_reads_is_given_more(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = begin_stream(live, stream);
    uint64_t granted = PARTS;
    (void)state;
    for (uint32_t i = 0; i < 10 * PARTS; i++) {
        while (granted <= i) {
            struct edda_credit_grant grant = expect_stream_credit(live, &id);
            assert_true(grant.messages > granted && grant.messages <= i + PARTS);
            assert_true(grant.bytes > BYTES && grant.bytes <= BYTES + i * 64);
            granted = grant.messages;
        }
        send_part(live, &id, i, "x");
        expect_event(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
    }
    close_stream(&stream);
    live_gateway_stop(&live);
}

/* What is granted once no more comes for a while. */
static struct edda_credit_grant last_credit(struct live_gateway *live, const struct edda_uuid *id,
                                            struct edda_credit_grant grant) {
    while (has_stream_credit(live, 300)) {
        grant = expect_stream_credit(live, id);
    }
    return grant;
}

/* Seen to fail without settle_out() (tests/fault/guards/24.patch). */
static void a_client_that_does_not_read_stops_the_model(void **state) {
    enum { SIZE = 4000, MOST = 60 };
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_narrow_stream(live, QUESTION, 4096);
    struct edda_uuid id = begin_stream(live, stream);
    struct edda_credit_grant grant = {.messages = PARTS, .bytes = BYTES};
    char text[SIZE + 1];
    uint32_t sent = 0;
    uint64_t bytes = 0;
    (void)state;
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    /* As much as is granted, until nothing more is. */
    for (;;) {
        while (sent < grant.messages && bytes + SIZE + 16 <= grant.bytes) {
            send_part(live, &id, sent++, text);
            bytes += SIZE + 4;
        }
        struct edda_credit_grant more = last_credit(live, &id, grant);
        if (more.messages == grant.messages && more.bytes == grant.bytes) {
            break;
        }
        grant = more;
        assert_true(sent < MOST);
    }
    assert_true(sent >= 8 && sent < MOST);
    /* It reads on, and the model may too. */
    for (uint32_t i = 0; i < sent; i++) {
        (void)take_event(stream);
    }
    struct edda_credit_grant more = last_credit(live, &id, grant);
    assert_true(more.messages > grant.messages && more.bytes > grant.bytes);
    close_stream(&stream);
    expect_cancel(live, &id);
    live_gateway_stop(&live);
}

static void more_than_was_granted_breaks_the_stream(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_narrow_stream(live, QUESTION, 4096);
    struct edda_uuid id = begin_stream(live, stream);
    char text[32768 + 1];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    /* The answer's limit, with no regard for credit. */
    for (uint32_t i = 0; i <= EDDA_MAX_ANSWER_BYTES / (sizeof text - 1) + PARTS; i++) {
        send_part(live, &id, i, text);
    }
    expect_cancel(live, &id);
    close_stream(&stream);
    live_gateway_stop(&live);
}

/* Seen to fail without what note_hangup() does (tests/fault/guards/25.patch). */
static void a_client_that_leaves_a_silent_stream_cancels_at_once(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    (void)state;
    /* Closed, or only its sending side. */
    for (int half = 0; half < 2; half++) {
        struct live_stream *stream = open_stream(live, QUESTION);
        struct edda_uuid id = begin_stream(live, stream);
        send_part(live, &id, 0, "x");
        expect_event(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
        (void)shutdown(stream_fd(stream), half ? SHUT_WR : SHUT_RDWR);
        expect_cancel(live, &id);
        close_stream(&stream);
    }
    expect_no_call(live);
    live_gateway_stop(&live);
}

static void a_client_that_leaves_a_full_stream_cancels_too(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_narrow_stream(live, QUESTION, 4096);
    struct edda_uuid id = begin_stream(live, stream);
    char text[30001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    send_part(live, &id, 0, text);
    send_part(live, &id, 1, text);
    fake_loop_for(live_gateway_loop(live), 100);
    close_stream(&stream);
    expect_cancel(live, &id);
    live_gateway_stop(&live);
}

static void silence_is_filled_with_pings_and_is_no_reason_to_cut(void **state) {
    static const char *const flags[] = {"--chat-ping-ms", "150", "--body-ms", "100", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = begin_stream(live, stream);
    (void)state;
    for (int i = 0; i < 8; i++) {
        expect_event(stream, ": ping");
    }
    send_part(live, &id, 0, "x");
    expect_event_after_pings(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
    expect_event(stream, ": ping");
    close_stream(&stream);
    expect_cancel(live, &id);
    live_gateway_stop(&live);
}

/* Seen to fail without sweep_phase() (tests/fault/guards/24b.patch). */
static void a_client_that_takes_nothing_is_cut(void **state) {
    static const char *const flags[] = {"--body-ms", "300", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct live_stream *stream = open_narrow_stream(live, QUESTION, 4096);
    struct edda_uuid id = begin_stream(live, stream);
    char text[30001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    send_part(live, &id, 0, text);
    send_part(live, &id, 1, text);
    expect_cancel(live, &id);
    close_stream(&stream);
    live_gateway_stop(&live);
}

static void a_model_that_falls_silent_is_given_up(void **state) {
    static const char *const flags[] = {"--chat-idle-ms", "400", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = begin_stream(live, stream);
    (void)state;
    send_part(live, &id, 0, "x");
    expect_event(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
    expect_cancel(live, &id);
    expect_event(stream, "data: {\"type\":\"error\",\"content\":\"An error occurred\",\"reason\":"
                         "\"the step ran out of its time\"}");
    struct edda_store_turn turn = expect_saved(live);
    assert_true(edda_text_is(turn.text, "x"));
    assert_memory_equal(take_event(stream), "data: {\"type\":\"done\"", 20);
    expect_last(stream);
    close_stream(&stream);
    live_gateway_stop(&live);
}

static void a_chat_ends_by_its_deadline(void **state) {
    static const char *const flags[] = {"--chat-ms", "1500", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = begin_stream(live, stream);
    (void)state;
    send_part(live, &id, 0, "x");
    expect_event(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
    expect_event(stream, "data: {\"type\":\"error\",\"content\":\"An error occurred\",\"reason\":"
                         "\"deadline exceeded\"}");
    (void)expect_saved(live);
    assert_memory_equal(take_event(stream), "data: {\"type\":\"done\"", 20);
    expect_last(stream);
    close_stream(&stream);
    live_gateway_stop(&live);
}

static void a_drain_lets_streams_finish(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = begin_stream(live, stream);
    (void)state;
    live_gateway_drain(live);
    fake_loop_for(live_gateway_loop(live), 800); /* the doors are closed */
    send_part(live, &id, 0, "x");
    expect_event(stream, "data: {\"type\":\"token\",\"content\":\"x\"}");
    answer_chat(live, &id, "x", NULL, 0);
    (void)expect_saved(live);
    assert_memory_equal(take_event(stream), "data: {\"type\":\"done\"", 20);
    expect_last(stream);
    live_gateway_stop(&live);
    close_stream(&stream);
}

static void a_second_drain_cuts_streams(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct live_stream *stream = open_stream(live, QUESTION);
    (void)begin_stream(live, stream);
    (void)state;
    live_gateway_cut(&live);
    close_stream(&stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_reads_is_given_more),
        cmocka_unit_test(a_client_that_does_not_read_stops_the_model),
        cmocka_unit_test(more_than_was_granted_breaks_the_stream),
        cmocka_unit_test(a_client_that_leaves_a_silent_stream_cancels_at_once),
        cmocka_unit_test(a_client_that_leaves_a_full_stream_cancels_too),
        cmocka_unit_test(silence_is_filled_with_pings_and_is_no_reason_to_cut),
        cmocka_unit_test(a_client_that_takes_nothing_is_cut),
        cmocka_unit_test(a_model_that_falls_silent_is_given_up),
        cmocka_unit_test(a_chat_ends_by_its_deadline),
        cmocka_unit_test(a_drain_lets_streams_finish),
        cmocka_unit_test(a_second_drain_cuts_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
