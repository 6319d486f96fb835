/* tests/actors/provider/test_outbound_clocks.c: connection, first byte, silence, deadline: each
 * ends a transfer of its own, and none ends another's. */
#include "tests/actors/provider/transfers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON_MS 250

static void use_clocks(int64_t connect_ms, int64_t first_byte_ms, int64_t idle_ms) {
    transfers_use((struct edda_outbound_options){
        .connect_ms = connect_ms, .first_byte_ms = first_byte_ms, .idle_ms = idle_ms});
}

/* A listening socket whose queue is full answers no handshake any more. */
struct deaf {
    char url[64];
    int listener;
    int fillers[8];
};

static void deaf_open(struct deaf *deaf) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    deaf->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(deaf->listener, 0), 0);
    assert_int_equal(getsockname(deaf->listener, (struct sockaddr *)&address, &size), 0);
    for (size_t i = 0; i < 8; i++) {
        deaf->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(deaf->fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    snprintf(deaf->url, sizeof deaf->url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
}

static void deaf_close(struct deaf *deaf) {
    for (size_t i = 0; i < 8; i++) {
        close(deaf->fillers[i]);
    }
    close(deaf->listener);
}

static void a_connection_that_does_not_stand_in_time_is_a_timeout(void **state) {
    (void)state;
    struct deaf deaf;
    struct transfer transfer;
    deaf_open(&deaf);
    use_clocks(SOON_MS, FAR_MS, FAR_MS);
    transfer_make(&transfer);
    transfer.request.url = deaf.url;
    transfer_send(&transfer);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_string_equal(transfer.reason, "no connection in time");
    assert_false(transfer.began);
    deaf_close(&deaf);
}

static void tls_that_does_not_stand_in_time_is_a_timeout(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(SOON_MS, FAR_MS, FAR_MS);
    transfer_make(&transfer);
    memmove(transfer.url + 5, transfer.url + 4, strlen(transfer.url + 4) + 1);
    transfer.url[4] = 's'; /* the server waits for a request that never comes whole */
    transfer_send(&transfer);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_string_equal(transfer.reason, "no connection in time");
    await_open(0);
}

static void a_server_that_never_answers_is_left_when_its_time_is_over(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, SOON_MS, FAR_MS);
    scripted_does(server, SCRIPT(HANG()));
    transfer_post(&transfer);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_string_equal(transfer.reason, "no answer in time");
    assert_false(transfer.began);
    await_open(0);
}

static void silence_within_a_head_or_a_body_is_a_timeout(void **state) {
    (void)state;
    static const char *const begun[] = {"HTTP/1.1 200 OK\r\nX: y\r\n",
                                        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"};
    use_clocks(FAR_MS, FAR_MS, SOON_MS);
    for (size_t i = 0; i < 6; i++) {
        struct transfer transfer;
        scripted_does(server, SCRIPT(SAY(begun[i % 3]), HANG()));
        (i < 3 ? transfer_post : transfer_stream)(&transfer);
        transfer_expect(&transfer, EDDA_E_TIMEOUT);
        assert_string_equal(transfer.reason, "it fell silent in its answer");
        assert_true(transfer.began);
        await_open(0);
    }
}

/* Each piece after a good part of the time of silence, all of them after a multiple of it. */
static void slow_but_steady_is_no_silence(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, FAR_MS, 4000);
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM), AWAIT(1), SAY("1\r\na\r\n"), AWAIT(2),
                                 SAY("1\r\nb\r\n"), AWAIT(3), SAY(SCRIPTED_STREAM_END)));
    transfer_stream(&transfer);
    for (size_t i = 0; i < 3; i++) {
        fake_loop_for(loop, 1500);
        assert_int_equal(transfer.done, 0);
        scripted_go(server);
    }
    transfer_expect(&transfer, 0);
    assert_string_equal(transfer.data, "ab");
}

static void interim_responses_are_no_sign_of_an_answer(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, SOON_MS, FAR_MS);
    scripted_does(server, SCRIPT(SAY("HTTP/1.1 102 Processing\r\n\r\n"),
                                 SAY("HTTP/1.1 102 Processing\r\n\r\n"), HANG()));
    transfer_stream(&transfer);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_string_equal(transfer.reason, "no answer in time");
    assert_false(transfer.began);
    await_open(0);
}

/* The same is no silence in a stream, above. */
static void a_body_that_only_drips_is_given_up(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, FAR_MS, 3000);
    scripted_does(server, SCRIPT(SAY("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"), AWAIT(1),
                                 SAY("b"), AWAIT(2), SAY("c"), AWAIT(3), SAY("d")));
    transfer_post(&transfer);
    for (size_t i = 0; i < 3 && transfer.done == 0; i++) {
        fake_loop_for(loop, 1700);
        scripted_go(server);
    }
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_string_equal(transfer.reason, "its answer did not come to an end");
    await_open(0);
}

static void the_first_byte_ends_the_wait_for_it(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, 1000, FAR_MS);
    scripted_does(server, SCRIPT(SAY("H"), AWAIT(1), SAY("TTP/1.1 200 OK\r\n"), AWAIT(2),
                                 SAY("Content-Length: 1\r\n\r\n"), AWAIT(3), SAY("a")));
    transfer_post(&transfer);
    scripted_go(server);
    for (size_t i = 0; i < 3; i++) {
        fake_loop_for(loop, 500);
        scripted_go(server);
    }
    transfer_expect(&transfer, 0);
    assert_string_equal(transfer.body, "a");
}

static void a_large_request_on_a_slow_line_is_not_the_servers_time(void **state) {
    (void)state;
    struct transfer transfer;
    size_t size = (size_t)32 << 20;
    uint8_t *body = calloc(1, size);
    use_clocks(FAR_MS, 3000, FAR_MS);
    scripted_read_slowly(server, 256 * 1024, 30); /* nearly four seconds for all */
    transfer_make(&transfer);
    transfer.request.body = (struct edda_bytes){body, size};
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_string_equal(transfer.body, "ok");
    free(body);
}

static void a_request_that_the_server_stops_reading_is_a_timeout(void **state) {
    (void)state;
    struct transfer transfer;
    size_t size = (size_t)32 << 20;
    uint8_t *body = calloc(1, size);
    use_clocks(FAR_MS, SOON_MS, FAR_MS);
    scripted_read_slowly(server, 1024, 60000);
    transfer_make(&transfer);
    transfer.request.body = (struct edda_bytes){body, size};
    transfer_send(&transfer);
    transfer_expect(&transfer, EDDA_E_TIMEOUT);
    assert_int_equal(scripted_requests(server), 0);
    free(body);
    scripted_read_slowly(server, 0, 0);
}

/* ---- the deadline ---- */

static void send_until(struct transfer *transfer, int64_t ms) {
    transfer->request.deadline_ms = edda_loop_now(loop) + ms;
    transfer_send(transfer);
}

static void expect_expired(struct transfer *transfer) {
    transfer_expect(transfer, EDDA_E_EXPIRED);
    assert_string_equal(transfer->reason, "no answer by the deadline");
}

static void the_deadline_ends_a_connection_on_its_way(void **state) {
    (void)state;
    struct deaf deaf;
    struct transfer transfer;
    deaf_open(&deaf);
    use_clocks(FAR_MS, FAR_MS, FAR_MS);
    transfer_make(&transfer);
    transfer.request.url = deaf.url;
    send_until(&transfer, SOON_MS);
    expect_expired(&transfer);
    deaf_close(&deaf);
}

static void the_deadline_ends_the_wait_for_an_answer_and_an_answer(void **state) {
    (void)state;
    use_clocks(FAR_MS, FAR_MS, FAR_MS);
    for (int began = 0; began < 2; began++) {
        struct transfer transfer;
        scripted_does(server,
                      began ? SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()) : SCRIPT(HANG()));
        transfer_make_stream(&transfer);
        send_until(&transfer, SOON_MS);
        expect_expired(&transfer);
        assert_int_equal(transfer.began, began);
        assert_string_equal(transfer.data, began ? "a" : "");
        await_open(0);
    }
}

static void the_deadline_ends_a_wait_for_anothers_connection(void **state) {
    (void)state;
    struct transfer first;
    struct transfer second;
    use_clocks(FAR_MS, FAR_MS, FAR_MS);
    transfer_make(&first);
    memmove(first.url + 5, first.url + 4, strlen(first.url + 4) + 1);
    first.url[4] = 's'; /* over TLS, which never stands, to be shared by both */
    transfer_send(&first);
    fake_loop_for(loop, 50);
    transfer_make(&second);
    second.request.url = first.url;
    send_until(&second, SOON_MS);
    expect_expired(&second);
    assert_int_equal(first.done, 0);
    assert_int_equal(scripted_connections(server), 1);
}

static void a_deadline_that_is_over_ends_it_at_once_but_not_within_send(void **state) {
    (void)state;
    struct transfer transfer;
    transfer_make(&transfer);
    send_until(&transfer, -1000);
    expect_expired(&transfer);
    await_open(0);
}

static void the_deadline_holds_during_a_pause(void **state) {
    (void)state;
    struct transfer transfer;
    use_clocks(FAR_MS, FAR_MS, FAR_MS);
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "1\r\na\r\n"), HANG()));
    transfer_make_stream(&transfer);
    send_until(&transfer, 2 * SOON_MS);
    transfer_await_bytes(&transfer, 1);
    edda_transfer_pause(transfer.handle, true);
    expect_expired(&transfer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(a_connection_that_does_not_stand_in_time_is_a_timeout),
        TRANSFER_TEST(tls_that_does_not_stand_in_time_is_a_timeout),
        TRANSFER_TEST(a_server_that_never_answers_is_left_when_its_time_is_over),
        TRANSFER_TEST(silence_within_a_head_or_a_body_is_a_timeout),
        TRANSFER_TEST(slow_but_steady_is_no_silence),
        TRANSFER_TEST(interim_responses_are_no_sign_of_an_answer),
        TRANSFER_TEST(a_body_that_only_drips_is_given_up),
        TRANSFER_TEST(the_first_byte_ends_the_wait_for_it),
        TRANSFER_TEST(a_large_request_on_a_slow_line_is_not_the_servers_time),
        TRANSFER_TEST(a_request_that_the_server_stops_reading_is_a_timeout),
        TRANSFER_TEST(the_deadline_ends_a_connection_on_its_way),
        TRANSFER_TEST(the_deadline_ends_the_wait_for_an_answer_and_an_answer),
        TRANSFER_TEST(the_deadline_ends_a_wait_for_anothers_connection),
        TRANSFER_TEST(a_deadline_that_is_over_ends_it_at_once_but_not_within_send),
        TRANSFER_TEST(the_deadline_holds_during_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
