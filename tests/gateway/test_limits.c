/* tests/gateway/test_limits.c: what one request may be, and what one key may ask: 429, Retry-After
 * and the headers of draft-ietf-httpapi-ratelimit-headers-09. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/uri.h"
#include "gateway/visit.h"
#include "tests/gateway/live_gateway.h"
#include "tests/proto/cmocka.h"

static void expect_header(const struct http_answer *answer, const char *line) {
    if (!strstr(answer->head, line)) {
        fail_msg("no %s in %s", line, answer->head);
    }
}

static void ask(struct live_gateway *live, int fd, const char *key, int status, const char *line) {
    char request[512];
    int size =
        snprintf(request, sizeof request,
                 "GET /api/v1/memo/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", key);
    send_more(fd, request, (size_t)size);
    struct http_answer *answer = expect_http(live, fd, status);
    expect_header(answer, line);
    free_answer(&answer);
}

static void over_its_rate_a_key_is_told_when_to_come_again(void **state) {
    static const char *const flags[] = {"--rate", "2", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    (void)state;
    int fd = open_http(live);
    ask(live, fd, LIVE_KEY, 404, "RateLimit-Policy: \"rate\";q=2;w=60\r\n");
    ask(live, fd, LIVE_KEY, 404, "RateLimit: \"rate\";r=0;t=30\r\n");
    ask(live, fd, LIVE_KEY, 429, "Retry-After: 30\r\n");
    expect_no_call(live);
    (void)close(fd);
    live_gateway_stop(&live);
}

static void a_key_may_have_limits_of_its_own(void **state) {
    static const char *const flags[] = {"--rate", "2", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct edda_store_key key;
    struct edda_store_key found = {.project = EDDA_TEXT("theirs"), .rate = 3, .concurrency = 9};
    (void)state;
    int fd = send_http(live, "GET /api/v1/memo/x HTTP/1.1\r\nHost: x\r\n"
                             "Authorization: Bearer theirs\r\n\r\n");
    struct edda_uuid id = expect_call(live, "store.key_check", EDDA_BODY_STORE_KEY, &key);
    answer_call(live, &id, EDDA_BODY_STORE_KEY, &found);
    struct http_answer *answer = expect_http(live, fd, 404);
    expect_header(answer, "RateLimit-Policy: \"rate\";q=3;w=60, "
                          "\"concurrency\";q=9;qu=\"concurrent-requests\"\r\n");
    expect_header(answer, "RateLimit: \"rate\";r=2;t=20, \"concurrency\";r=8\r\n");
    free_answer(&answer);
    ask(live, fd, "theirs", 404, "r=1;");
    ask(live, fd, "theirs", 404, "r=0;");
    ask(live, fd, "theirs", 429, "r=0;");
    ask(live, fd, LIVE_KEY, 404, "\"rate\";q=2;w=60\r\n"); /* the gateway's */
    (void)close(fd);
    live_gateway_stop(&live);
}

static void a_request_without_a_good_key_is_not_counted(void **state) {
    static const char *const flags[] = {"--rate", "1", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = send_http(live, "GET /api/v1/memo/x HTTP/1.1\r\nHost: x\r\n\r\n");
        struct http_answer *answer = expect_http(live, fd, 401);
        assert_null(strstr(answer->head, "RateLimit"));
        free_answer(&answer);
        (void)close(fd);
    }
    int fd = send_http(live, "GET /livez HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION "\r\n");
    struct http_answer *answer = expect_http(live, fd, 200);
    assert_null(strstr(answer->head, "RateLimit"));
    free_answer(&answer);
    ask(live, fd, LIVE_KEY, 404, "RateLimit: \"rate\";r=0;");
    (void)close(fd);
    live_gateway_stop(&live);
}

static void requests_open_at_once_are_limited(void **state) {
    static const char *const flags[] = {"--concurrency", "2", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct edda_store_page page;
    struct edda_store_memos memos = {0};
    struct edda_uuid ids[2];
    int fds[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fds[i] = send_get(live, "/api/v1/memo");
        ids[i] = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    }
    int third = send_get(live, "/api/v1/memo");
    struct http_answer *answer = expect_http(live, third, 429);
    assert_string_equal(answer->body, "{\"error\":\"Too many requests at once\"}");
    expect_header(answer, "Retry-After: 1\r\n");
    expect_header(answer, "RateLimit: \"concurrency\";r=0\r\n");
    free_answer(&answer);
    (void)close(third);
    answer_call(live, &ids[0], EDDA_BODY_STORE_MEMOS, &memos);
    answer = expect_http(live, fds[0], 200);
    free_answer(&answer);
    int fourth = send_get(live, "/api/v1/memo");
    (void)expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    (void)close(fourth);
    (void)close(fds[0]);
    (void)close(fds[1]);
    live_gateway_cut(&live);
}

/* The body is not taken first: the key is checked before it comes, and so is what it may ask. */
static void a_large_body_over_the_rate_is_refused_before_it_comes(void **state) {
    static const char *const flags[] = {"--rate", "1", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    (void)state;
    int fd = open_http(live);
    ask(live, fd, LIVE_KEY, 404, "RateLimit: ");
    static const char request[] =
        "POST /api/v1/memo HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
        "Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n";
    send_more(fd, request, sizeof request - 1);
    struct http_answer *answer = expect_http(live, fd, 429);
    assert_string_equal(answer->body, "{\"error\":\"Too many requests\"}");
    expect_header(answer, "Retry-After: 60\r\n");
    expect_header(answer, "RateLimit-Policy: \"rate\";q=1;w=60\r\n");
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

/* GET /livez with a query of that many bytes of arguments, the target's whole size. */
static void ask_for_target(struct live_gateway *live, size_t size, size_t arguments, int status) {
    char request[9000];
    int at = snprintf(request, sizeof request, "GET ");
    memset(request + at, 'a', size);
    memcpy(request + at, "/livez?", 7);
    for (size_t i = 1; i < arguments; i++) {
        request[(size_t)at + 7 + 2 * i] = '&';
    }
    snprintf(request + at + size, sizeof request - (size_t)at - size,
             " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    int fd = send_http(live, request);
    struct http_answer *answer = expect_http(live, fd, status);
    free_answer(&answer);
    (void)close(fd);
}

static void a_target_may_have_8192_bytes_and_64_arguments(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    (void)state;
    ask_for_target(live, EDDA_MAX_TARGET, 1, 200);
    ask_for_target(live, EDDA_MAX_TARGET + 1, 1, 400);
    ask_for_target(live, 500, 64, 200);
    ask_for_target(live, 500, 65, 400);
    live_gateway_stop(&live);
}

static void a_clients_own_id_is_kept_up_to_64_bytes(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    char id[66] = "";
    char request[256];
    (void)state;
    for (size_t size = 64; size <= 65; size++) {
        memset(id, 'r', size);
        snprintf(request, sizeof request,
                 "GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", id);
        int fd = send_http(live, request);
        struct http_answer *answer = expect_http(live, fd, 200);
        assert_true((strstr(answer->head, id) != NULL) == (size == 64));
        free_answer(&answer);
        (void)close(fd);
    }
    live_gateway_stop(&live);
}

/* A larger one is refused by its head alone. */
static void a_body_up_to_100_kib_is_taken_before_its_key_is_looked_at(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    static char body[EDDA_UNKEYED_BODY_BYTES];
    char head[256];
    char byte;
    (void)state;
    memset(body, ' ', sizeof body);
    memcpy(body, "{}", 2);
    for (int64_t size = EDDA_UNKEYED_BODY_BYTES + 1; size >= EDDA_UNKEYED_BODY_BYTES; size--) {
        snprintf(head, sizeof head,
                 "POST /api/v1/memo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Content-Length: %lld\r\n\r\n",
                 (long long)size);
        int fd = send_http(live, head);
        if (size == EDDA_UNKEYED_BODY_BYTES) {
            fake_loop_for(live_gateway_loop(live), 100);
            assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
            send_more(fd, body, sizeof body);
        }
        struct http_answer *answer = expect_http(live, fd, 401);
        free_answer(&answer);
        (void)close(fd);
    }
    live_gateway_stop(&live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_its_rate_a_key_is_told_when_to_come_again),
        cmocka_unit_test(a_key_may_have_limits_of_its_own),
        cmocka_unit_test(a_request_without_a_good_key_is_not_counted),
        cmocka_unit_test(requests_open_at_once_are_limited),
        cmocka_unit_test(a_large_body_over_the_rate_is_refused_before_it_comes),
        cmocka_unit_test(a_target_may_have_8192_bytes_and_64_arguments),
        cmocka_unit_test(a_clients_own_id_is_kept_up_to_64_bytes),
        cmocka_unit_test(a_body_up_to_100_kib_is_taken_before_its_key_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
