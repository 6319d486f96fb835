/* tests/gateway/test_guards.c: time limits, deadlines, drains, with a store that does not answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "gateway/status.h"
#include "proto/body_peer.h"
#include "proto/body_stage.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

static void a_search_is_answered_by_its_deadline(void **state) {
    static const char *const flags[] = {"--search-ms", "300", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct edda_embed_arguments embed;
    (void)state;
    int64_t began_ms = edda_clock_ms();
    int fd = send_json(live, "POST", "/api/v1/search", "{\"query\":\"q\"}");
    (void)expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    struct http_answer *answer = expect_http(live, fd, 504);
    assert_true(edda_clock_ms() - began_ms < 300 + 2000);
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

static void slow_headers_and_bodies_are_cut(void **state) {
    static const char *const flags[] = {"--header-ms", "200", "--body-ms", "300", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    (void)state;
    int header = send_http(live, "GET /livez HTTP/1.1\r\nHo");
    int body = send_http(live, "POST /api/v1/memo HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
                               "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
    expect_http_json(live, header, 408, "{\"error\":\"Headers took too long\"}");
    expect_http_json(live, body, 408, "{\"error\":\"Body took too long\"}");
    live_gateway_stop(&live);
}

static void a_drain_lets_open_requests_finish(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct edda_store_page page;
    struct edda_store_memos memos = {0};
    (void)state;
    int idle = open_http(live);
    int fd = send_get(live, "/api/v1/memo");
    struct edda_uuid id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    live_gateway_drain(live);
    expect_end(live, idle);
    answer_call(live, &id, EDDA_BODY_STORE_MEMOS, &memos);
    struct http_answer *answer = expect_http(live, fd, 200);
    assert_non_null(strstr(answer->head, "Connection: close\r\n"));
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

static void while_readiness_fails_the_door_is_open(void **state) {
    static const char *const flags[] = {"--grace-ms", "3000", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    struct edda_store_page page;
    struct edda_store_memos memos = {0};
    (void)state;
    live_gateway_drain(live);
    fake_loop_for(live_gateway_loop(live), 1000); /* twice the default */
    int fd = send_get(live, "/api/v1/memo");
    struct edda_uuid id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    answer_call(live, &id, EDDA_BODY_STORE_MEMOS, &memos);
    struct http_answer *answer = expect_http(live, fd, 200);
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

static void a_second_drain_cuts_open_requests(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct edda_store_page page;
    (void)state;
    int fd = send_get(live, "/api/v1/memo");
    (void)expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    int stage = send_json(live, "POST", "/api/v1/search", "{\"query\":\"q\"}");
    struct edda_embed_arguments embed;
    (void)expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    live_gateway_cut(&live);
    (void)close(fd);
    (void)close(stage);
}

static void large_bodies_being_parsed_survive_a_stop(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    size_t size = 3u << 20;
    char *body = malloc(size + 1);
    (void)state;
    memset(body, ' ', size);
    body[0] = '[';
    body[size - 1] = ']';
    body[size] = '\0';
    int fds[4];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = send_json(live, "POST", "/api/v1/memo", body);
    }
    live_gateway_cut(&live);
    for (size_t i = 0; i < 4; i++) {
        (void)close(fds[i]);
    }
    free(body);
}

static void over_the_limit_a_newcomer_is_told(void **state) {
    static const char *const flags[] = {"--max-connections", "16", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    int held[16];
    (void)state;
    for (size_t i = 0; i < 16; i++) {
        held[i] = open_http(live);
    }
    fake_loop_for(live_gateway_loop(live), 100);
    int fd = open_http(live);
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_string_equal(answer->body, "{\"error\":\"Too many connections\"}");
    assert_non_null(strstr(answer->head, "Retry-After: 2\r\n"));
    assert_non_null(strstr(answer->head, "Connection: close\r\n"));
    free_answer(&answer);
    (void)close(fd);
    for (size_t i = 0; i < 16; i++) {
        (void)close(held[i]);
    }
    live_gateway_stop(&live);
}

static void without_a_broker_requests_end_in_503(void **state) {
    struct live_gateway *live = live_gateway_start(NULL);
    struct edda_store_page page;
    (void)state;
    int fd = send_get(live, "/api/v1/memo");
    struct edda_uuid id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_non_null(strstr(answer->head, "Retry-After: "));
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

static int ask_readiness(struct live_gateway *live) {
    return send_http(live, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void answer_look_without_a_store(struct live_gateway *live) {
    const struct edda_broker_status status = {0};
    for (size_t i = 0; i < 3; i++) {
        struct edda_text op;
        struct edda_uuid id = take_call(live, &op);
        if (edda_text_is(op, "broker.status")) {
            answer_call(live, &id, EDDA_BODY_BROKER_STATUS, &status);
        } else {
            fail_call(live, &id, EDDA_E_NO_SERVICE);
        }
    }
}

static void a_store_that_is_not_there_is_looked_for_after_a_tenth_of_a_second(void **state) {
    static const char *const all[] = {"embed", "rerank"};
    struct live_gateway *live = live_gateway_start(NULL);
    (void)state;
    int fd = ask_readiness(live);
    answer_look_without_a_store(live);
    struct http_answer *answer = expect_http(live, fd, 503);
    free_answer(&answer);
    (void)close(fd);
    fake_loop_for(live_gateway_loop(live), EDDA_STATUS_ABSENT_MS + 50);
    fd = ask_readiness(live);
    answer_look(live, all, 2);
    answer = expect_http(live, fd, 200);
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

/* Whether a call comes before the answer on fd does. */
static bool is_looked_at(struct live_gateway *live, int fd) {
    char byte;
    for (size_t waits = 0; waits < 1000; waits++) {
        if (fake_broker_has(live_gateway_broker(live), FAKE_FRONT, 10)) {
            return true;
        }
        if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            return false;
        }
    }
    fail_msg("neither a call nor an answer");
    return false;
}

static void with_a_store_there_is_one_look_a_second(void **state) {
    static const char *const all[] = {"embed"};
    struct live_gateway *live = live_gateway_start(NULL);
    bool kept = false;
    (void)state;
    for (size_t tries = 0; tries < 10 && !kept; tries++) { /* this machine may stand still */
        int fd = ask_readiness(live);
        kept = !is_looked_at(live, fd);
        if (!kept) {
            answer_look(live, all, 1);
        }
        struct http_answer *answer = expect_http(live, fd, 503);
        free_answer(&answer);
        (void)close(fd);
        fake_loop_for(live_gateway_loop(live), EDDA_STATUS_ABSENT_MS + 50);
    }
    assert_true(kept);
    live_gateway_stop(&live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_is_answered_by_its_deadline),
        cmocka_unit_test(slow_headers_and_bodies_are_cut),
        cmocka_unit_test(a_drain_lets_open_requests_finish),
        cmocka_unit_test(while_readiness_fails_the_door_is_open),
        cmocka_unit_test(a_second_drain_cuts_open_requests),
        cmocka_unit_test(large_bodies_being_parsed_survive_a_stop),
        cmocka_unit_test(over_the_limit_a_newcomer_is_told),
        cmocka_unit_test(without_a_broker_requests_end_in_503),
        cmocka_unit_test(a_store_that_is_not_there_is_looked_for_after_a_tenth_of_a_second),
        cmocka_unit_test(with_a_store_there_is_one_look_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
