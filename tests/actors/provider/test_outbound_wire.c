/* tests/actors/provider/test_outbound_wire.c: what goes over the wire and what comes back, byte by
 * byte, and its caps on both sides. */
#include "tests/actors/provider/transfers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZED(size) "HTTP/1.1 200 OK\r\nContent-Length: " #size "\r\n\r\n"

static bool was_sent(size_t n, const char *text) {
    return strstr(scripted_request(server, n), text) != NULL;
}

static void what_is_sent_is_what_was_given(void **state) {
    (void)state;
    struct transfer transfer;
    const char *const headers[] = {"Content-Type: application/json", "Authorization: Bearer k",
                                   NULL};
    transfer_make(&transfer);
    transfer.request.headers = headers;
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(strncmp(scripted_request(server, 0), "POST /v1/x?y=1 HTTP/1.1\r\n", 25), 0);
    assert_true(was_sent(0, "\r\nContent-Type: application/json\r\n"));
    assert_true(was_sent(0, "\r\nAuthorization: Bearer k\r\n"));
    assert_true(was_sent(0, "\r\nUser-Agent: edda/" EDDA_VERSION "\r\n"));
    assert_true(was_sent(0, "\r\nContent-Length: 2\r\n"));
    assert_true(was_sent(0, "\r\n\r\n{}"));
    assert_false(was_sent(0, "Accept-Encoding"));
}

static void nothing_is_added_to_what_was_given(void **state) {
    (void)state;
    struct transfer transfer;
    size_t size = (size_t)3 << 20; /* curl would ask before it sends so much */
    char *body = malloc(size);
    memset(body, 'b', size);
    transfer_make(&transfer);
    transfer.request.headers = NULL;
    transfer.request.body = (struct edda_bytes){(const uint8_t *)body, size};
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_false(was_sent(0, "Expect"));
    assert_false(was_sent(0, "Content-Type"));
    assert_true(was_sent(0, "\r\nContent-Length: 3145728\r\n"));
    free(body);
}

static void a_get_has_no_body(void **state) {
    (void)state;
    struct transfer transfer;
    transfer_make(&transfer);
    transfer.request.method = "GET";
    transfer.request.headers = NULL;
    transfer.request.body = (struct edda_bytes){0};
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(strncmp(scripted_request(server, 0), "GET /v1/x?y=1 HTTP/1.1\r\n", 24), 0);
    assert_false(was_sent(0, "Content-Length"));
}

static void a_post_of_nothing_is_one(void **state) {
    (void)state;
    struct transfer transfer;
    transfer_make(&transfer);
    transfer.request.body = (struct edda_bytes){0};
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    assert_true(was_sent(0, "POST "));
    assert_true(was_sent(0, "\r\nContent-Length: 0\r\n"));
}

static void a_response_is_collected_however_its_end_is_told(void **state) {
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 201 Made\r\nContent-Type: text/a; b\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 201 Made\r\ncontent-type:text/a; b \r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 201 Made\r\nCONTENT-TYPE:  text/a; b\r\n\r\nhello",
    };
    for (size_t i = 0; i < 3; i++) {
        struct transfer transfer;
        scripted_does(server, i == 2 ? SCRIPT(SAY(answers[i]), CLOSE()) : SCRIPT(SAY(answers[i])));
        transfer_post(&transfer);
        transfer_expect(&transfer, 0);
        assert_int_equal(transfer.status, 201);
        assert_true(transfer.began);
        assert_string_equal(transfer.body, "hello");
        assert_int_equal(transfer.body_size, 5);
        assert_string_equal(transfer.content_type, "text/a; b");
        assert_string_equal(transfer.retry_after, "");
    }
}

static void an_empty_response_is_one(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_says(server, "HTTP/1.1 204 None\r\nRetry-After: 7\r\n\r\n");
    transfer_stream(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.status, 204);
    assert_string_equal(transfer.retry_after, "7");
    assert_int_equal(transfer.pieces, 0);
}

static void the_head_that_counts_is_the_last_and_trailers_do_not(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_says(server, "HTTP/1.1 103 Early\r\nRetry-After: 1\r\nContent-Type: x/y\r\n\r\n"
                          "HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "1\r\na\r\n0\r\nRetry-After: 3\r\n\r\n");
    transfer_post(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.status, 429);
    assert_string_equal(transfer.retry_after, "");
    assert_string_equal(transfer.content_type, "");
    assert_string_equal(transfer.body, "a");
}

static void a_redirect_is_an_answer_and_not_followed(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_says(server, "HTTP/1.1 307 There\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
    transfer_post(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.status, 307);
    fake_loop_for(loop, 50);
    assert_int_equal(scripted_requests(server), 1);
}

/* ---- caps ---- */

static void a_response_may_be_as_long_as_allowed_and_no_longer(void **state) {
    (void)state;
    static const char *const answers[] = {SIZED(4) "abcd", SCRIPTED_STREAM
                                          "2\r\nab\r\n2\r\ncd\r\n" SCRIPTED_STREAM_END};
    for (size_t i = 0; i < 8; i++) {
        struct transfer transfer;
        bool streams = i / 2 % 2;
        bool fits = i / 4;
        scripted_says(server, answers[i % 2]);
        (streams ? transfer_make_stream : transfer_make)(&transfer);
        transfer.request.response_maximum = fits ? 4 : 3;
        transfer_send(&transfer);
        transfer_expect(&transfer, fits ? 0 : EDDA_E_LIMIT);
        assert_true(transfer.began);
        assert_string_equal(transfer.body, fits && !streams ? "abcd" : transfer.body);
        assert_string_equal(transfer.data, fits && streams ? "abcd" : transfer.data);
        assert_true(transfer.bytes <= transfer.request.response_maximum);
    }
}

static void a_stream_is_as_long_as_all_its_pieces(void **state) {
    (void)state;
    for (size_t maximum = 3; maximum <= 4; maximum++) {
        struct transfer transfer;
        scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "2\r\nab\r\n"), AWAIT(maximum - 2),
                                     SAY("2\r\ncd\r\n" SCRIPTED_STREAM_END)));
        transfer_make_stream(&transfer);
        transfer.request.response_maximum = maximum;
        transfer_send(&transfer);
        transfer_await_bytes(&transfer, 2);
        scripted_go(server);
        transfer_expect(&transfer, maximum == 3 ? EDDA_E_LIMIT : 0);
        assert_string_equal(transfer.data, maximum == 3 ? "ab" : "abcd");
    }
}

static void an_endless_response_is_cut_off_at_its_cap(void **state) {
    (void)state;
    for (int streams = 0; streams < 2; streams++) {
        struct transfer transfer;
        scripted_does(server, SCRIPT(SAY("HTTP/1.0 200 OK\r\n\r\n"), FLOOD((size_t)1 << 40)));
        (streams ? transfer_make_stream : transfer_make)(&transfer);
        transfer.request.response_maximum = 1000000;
        transfer_send(&transfer);
        transfer_expect(&transfer, EDDA_E_LIMIT);
        assert_true(transfer.bytes <= 1000000);
        await_open(0);
    }
}

static void a_refusals_words_are_kept_also_for_who_wants_a_stream(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_says(server,
                  "HTTP/1.1 429 No\r\nRetry-After: 9\r\nContent-Length: 9\r\n\r\nslow down");
    transfer_stream(&transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.status, 429);
    assert_string_equal(transfer.retry_after, "9");
    assert_string_equal(transfer.body, "slow down");
    assert_int_equal(transfer.pieces, 0);
}

static void an_endless_refusal_is_one_with_its_first_words(void **state) {
    (void)state;
    for (int streams = 0; streams < 2; streams++) {
        struct transfer transfer;
        scripted_does(server, SCRIPT(SAY("HTTP/1.0 500 No\r\n\r\n"), FLOOD((size_t)1 << 40)));
        (streams ? transfer_make_stream : transfer_make)(&transfer);
        transfer.request.response_maximum = 10; /* of a success */
        transfer_send(&transfer);
        transfer_expect(&transfer, 0);
        assert_int_equal(transfer.status, 500);
        assert_int_equal(transfer.body_size, EDDA_OUTBOUND_WORDS);
        await_open(0);
    }
}

/* The beginning of a head with 200 lines of this many bytes. */
static void make_head(char *head, size_t size, size_t line) {
    int length = snprintf(head, size, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 200; i++) {
        length += snprintf(head + length, size - (size_t)length, "X-%0*d: \r\n", (int)line - 6, i);
        assert_in_range(length, 1, size - 1);
    }
}

static void a_head_may_be_long_but_not_endless(void **state) {
    (void)state;
    static const size_t lines[] = {EDDA_OUTBOUND_HEAD / 200 - 2, EDDA_OUTBOUND_HEAD / 200 + 1};
    /* The server may still be saying one when it was heard enough of. */
    static char heads[2][EDDA_OUTBOUND_HEAD + 1024];
    for (size_t i = 0; i < 2; i++) {
        struct transfer transfer;
        make_head(heads[i], sizeof heads[i], lines[i]);
        scripted_does(server, SCRIPT(SAY(heads[i]), SAY("Content-Length: 0\r\n\r\n")));
        transfer_post(&transfer);
        transfer_expect(&transfer, i ? EDDA_E_LIMIT : 0);
    }
}

/* ---- what goes wrong ---- */

static void a_response_that_breaks_is_unavailable(void **state) {
    (void)state;
    static const struct {
        struct scripted_step steps[3];
        int status;
    } cases[] = {
        {{CLOSE()}, 0},
        {{RESET()}, 0},
        {{SAY("HTTP/1.1 200 O"), CLOSE()}, 0},
        {{SAY("this is not HTTP\r\n\r\n"), CLOSE()}, 0},
        {{SAY(SIZED(5) "hell"), CLOSE()}, 200},
        {{SAY(SIZED(5) "hell"), RESET()}, 200},
        {{SAY(SCRIPTED_STREAM "4\r\nhell\r\n"), CLOSE()}, 200},
        {{SAY(SCRIPTED_STREAM "x\r\nhell\r\n"), CLOSE()}, 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct transfer transfer;
        scripted_does(server, cases[i].steps);
        transfer_stream(&transfer);
        transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
        assert_int_equal(transfer.body_size, 0);
        assert_true(cases[i].status == 0 || transfer.status == cases[i].status);
    }
}

static void a_broken_stream_gives_what_came_before_it_broke(void **state) {
    (void)state;
    struct transfer transfer;
    scripted_does(server, SCRIPT(SAY(SCRIPTED_STREAM "4\r\nhell\r\n"), CLOSE()));
    transfer_stream(&transfer);
    transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
    assert_string_equal(transfer.data, "hell");
}

/* A port that is taken and where nobody listens. */
static int take_port(char url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, 64, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    return fd;
}

static void a_server_that_is_not_there_is_unavailable(void **state) {
    (void)state;
    struct transfer transfer;
    char url[64];
    int fd = take_port(url);
    transfer_make(&transfer);
    transfer.request.url = url;
    transfer_send(&transfer);
    transfer_expect(&transfer, EDDA_E_UNAVAILABLE);
    assert_int_equal(transfer.status, 0);
    assert_false(transfer.began);
    close(fd);
}

static void a_request_of_another_kind_is_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://host/x",      "host",        "http://", "https:///x",
        "http://a b/",        "http://a/\r\nX: y", "http://a/\t", ""};
    static const char *const headers[] = {"X: a\r\nY: b", "X: a\nb", "no colon", "X: \x7f"};
    struct transfer transfer;
    transfer_make(&transfer);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        transfer.request.url = urls[i];
        assert_int_equal(edda_outbound_send(outbound, &transfer.request, &transfer.handle),
                         EDDA_E_INVALID);
    }
    transfer_make(&transfer);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        transfer.request.headers = (const char *const[]){headers[i], NULL};
        assert_int_equal(edda_outbound_send(outbound, &transfer.request, &transfer.handle),
                         EDDA_E_INVALID);
    }
    assert_null(transfer.handle);
    assert_int_equal(edda_outbound_open(outbound), 0);
}

static void as_many_headers_as_there_is_room_for_and_no_more(void **state) {
    (void)state;
    const char *headers[EDDA_OUTBOUND_HEADERS + 2] = {NULL};
    struct transfer transfer;
    transfer_make(&transfer);
    transfer.request.headers = headers;
    for (size_t i = 0; i < EDDA_OUTBOUND_HEADERS; i++) {
        headers[i] = "X-A: 1";
    }
    transfer_send(&transfer);
    transfer_expect(&transfer, 0);
    headers[EDDA_OUTBOUND_HEADERS] = "X-A: 1";
    assert_int_equal(edda_outbound_send(outbound, &transfer.request, &transfer.handle),
                     EDDA_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(what_is_sent_is_what_was_given),
        TRANSFER_TEST(nothing_is_added_to_what_was_given),
        TRANSFER_TEST(a_get_has_no_body),
        TRANSFER_TEST(a_post_of_nothing_is_one),
        TRANSFER_TEST(a_response_is_collected_however_its_end_is_told),
        TRANSFER_TEST(an_empty_response_is_one),
        TRANSFER_TEST(the_head_that_counts_is_the_last_and_trailers_do_not),
        TRANSFER_TEST(a_redirect_is_an_answer_and_not_followed),
        TRANSFER_TEST(a_response_may_be_as_long_as_allowed_and_no_longer),
        TRANSFER_TEST(a_stream_is_as_long_as_all_its_pieces),
        TRANSFER_TEST(an_endless_response_is_cut_off_at_its_cap),
        TRANSFER_TEST(a_refusals_words_are_kept_also_for_who_wants_a_stream),
        TRANSFER_TEST(an_endless_refusal_is_one_with_its_first_words),
        TRANSFER_TEST(a_head_may_be_long_but_not_endless),
        TRANSFER_TEST(a_response_that_breaks_is_unavailable),
        TRANSFER_TEST(a_broken_stream_gives_what_came_before_it_broke),
        TRANSFER_TEST(a_server_that_is_not_there_is_unavailable),
        TRANSFER_TEST(a_request_of_another_kind_is_refused),
        TRANSFER_TEST(as_many_headers_as_there_is_room_for_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
