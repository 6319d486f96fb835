/* tests/gateway/test_limits.c: what one key may ask, over HTTP: 429, Retry-After and the headers of
 * draft-ietf-httpapi-ratelimit-headers-09. */
#include <unistd.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_its_rate_a_key_is_told_when_to_come_again),
        cmocka_unit_test(a_key_may_have_limits_of_its_own),
        cmocka_unit_test(a_request_without_a_good_key_is_not_counted),
        cmocka_unit_test(requests_open_at_once_are_limited),
        cmocka_unit_test(a_large_body_over_the_rate_is_refused_before_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
