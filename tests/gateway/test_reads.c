/* tests/gateway/test_reads.c: health, get, list, status, delete: what is asked of the store, and
 * how its answers read. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/gateway/live_gateway.h"
#include "tests/proto/cmocka.h"

#define MEMO  "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
#define CHUNK "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0002"

static struct edda_uuid uuid_of(const char *text) {
    struct edda_uuid uuid;
    assert_int_equal(edda_uuid_parse(edda_text_of(text), &uuid), 0);
    return uuid;
}

static void health_is_the_stores_answer(void **state) {
    struct live_gateway *live = *state;
    struct edda_empty empty;
    struct edda_store_pong pong = {.database = true};
    int fd = send_http(live, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
    struct edda_uuid id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
    answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
    expect_http_json(live, fd, 200, "{\"status\":\"ok\",\"checks\":{\"database\":true}}");

    fd = send_http(live, "GET /api/health/ HTTP/1.1\r\nHost: x\r\n\r\n");
    id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
    pong.database = false;
    answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
    expect_http_json(live, fd, 503, "{\"status\":\"error\",\"checks\":{\"database\":false}}");

    fd = send_http(live, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
    id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
    fail_call(live, &id, EDDA_E_NO_SERVICE);
    expect_http_json(live, fd, 503, "{\"status\":\"error\",\"checks\":{\"database\":false}}");
}

static void every_response_carries_its_ids_and_the_trace_goes_on(void **state) {
    struct live_gateway *live = *state;
    struct edda_empty empty;
    struct edda_store_pong pong = {.database = true};
    int fd = send_http(live, "GET /api/health HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-7\r\n"
                             "traceparent: 00-0123456789abcdef0123456789abcdef-"
                             "0123456789abcdef-01\r\ntracestate: a=b\r\n\r\n");
    struct edda_uuid id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
    const struct edda_envelope *envelope = last_envelope(live);
    assert_int_equal(envelope->traceparent.size, 55);
    assert_memory_equal(envelope->traceparent.data + 3, "0123456789abcdef0123456789abcdef", 32);
    assert_true(edda_text_is(envelope->tracestate, "a=b"));
    answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
    struct http_answer *answer = expect_http(live, fd, 200);
    assert_non_null(strstr(answer->head, "X-Request-Id: mine-7\r\n"));
    assert_non_null(strstr(answer->head, "X-Trace-Id: 0123456789abcdef0123456789abcdef\r\n"));
    assert_non_null(strstr(answer->head, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer->head, "Content-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(answer->head, "ETag: W/\""));
    free_answer(&answer);
    (void)close(fd);
}

static struct edda_store_memo make_memo(struct edda_text *part) {
    *part = EDDA_TEXT("a \"quoted\"\nline");
    return (struct edda_store_memo){
        .uuid = uuid_of(MEMO),
        .created_wall_ms = 1700000000123,
        .updated_wall_ms = 1700000001000,
        .title = EDDA_TEXT("Title"),
        .parts = {part, 1},
        .metadata = EDDA_TEXT("{\"a\":1}"),
        .type = EDDA_TEXT("plaintext"),
        .status = EDDA_TEXT("processed"),
        .content_bytes = part->size,
        .content_length = part->size,
        .version = 1,
    };
}

static void a_memo_reads_as_the_contract_says(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_text part;
    struct edda_store_memo memo = make_memo(&part);
    struct edda_store_tag tag = {uuid_of(CHUNK), EDDA_TEXT("red")};
    struct edda_store_memo_chunk chunk = {.uuid = uuid_of(CHUNK), .text = part};
    memo.tags = (struct edda_store_tags){&tag, 1};
    memo.chunks = (struct edda_store_memo_chunks){&chunk, 1};
    int fd = send_get(live, "/api/v1/memo/" MEMO);
    struct edda_uuid id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    assert_true(edda_text_is(select.id, MEMO));
    assert_false(select.by_reference);
    assert_true(edda_text_is(last_envelope(live)->project, "default"));
    answer_call(live, &id, EDDA_BODY_STORE_MEMO, &memo);
    expect_http_json(
        live, fd, 200,
        "{\"uuid\":\"" MEMO "\",\"created_at\":\"2023-11-14T22:13:20.123Z\","
        "\"updated_at\":\"2023-11-14T22:13:21.000Z\",\"title\":\"Title\","
        "\"content\":\"a \\\"quoted\\\"\\nline\",\"summary\":null,\"metadata\":{\"a\":1},"
        "\"scopes\":null,\"client_reference_id\":null,\"source\":null,\"type\":\"plaintext\","
        "\"expiration_date\":null,\"archived\":false,\"processing_status\":\"processed\","
        "\"content_length\":15,\"pending\":false,"
        "\"tags\":[{\"uuid\":\"" CHUNK "\",\"tag\":\"red\"}],\"chunks\":[{\"uuid\":\"" CHUNK
        "\",\"chunk_content\":\"a \\\"quoted\\\"\\nline\",\"chunk_index\":0}]}");
}

static void a_large_memo_is_streamed_page_by_page(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_text part;
    struct edda_store_memo memo = make_memo(&part);
    struct edda_store_memo_chunk chunk = {.uuid = uuid_of(CHUNK), .text = EDDA_TEXT("chunk")};
    int fd = send_get(live, "/api/v1/memo/some%20ref%2F1?id_type=reference_id");
    struct edda_uuid id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    assert_true(edda_text_is(select.id, "some ref/1"));
    assert_true(select.by_reference);
    memo.more = true;
    memo.next_part = 1;
    memo.version = 3;
    answer_call(live, &id, EDDA_BODY_STORE_MEMO, &memo);
    id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    assert_int_equal(select.from_part, 1);
    assert_int_equal(select.version, 3);
    memo.next_part = 2;
    memo.next_chunk = 1;
    memo.chunks = (struct edda_store_memo_chunks){&chunk, 1};
    answer_call(live, &id, EDDA_BODY_STORE_MEMO, &memo);
    id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    assert_int_equal(select.from_chunk, 1);
    memo.parts.count = 0;
    memo.more = false;
    answer_call(live, &id, EDDA_BODY_STORE_MEMO, &memo);
    struct http_answer *answer = expect_http(live, fd, 200);
    assert_non_null(answer->json);
    assert_string_equal(json_string_value(json_object_get(answer->json, "content")),
                        "a \"quoted\"\nlinea \"quoted\"\nline");
    assert_int_equal(json_array_size(json_object_get(answer->json, "chunks")), 2);
    assert_non_null(strstr(answer->head, "ETag: W/\"3-"));
    free_answer(&answer);
    (void)close(fd);
}

static void a_stream_that_breaks_is_not_taken_for_whole(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_text part;
    struct edda_store_memo memo = make_memo(&part);
    char bytes[4096];
    int fd = send_get(live, "/api/v1/memo/" MEMO);
    struct edda_uuid id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    memo.more = true;
    memo.next_part = 1;
    answer_call(live, &id, EDDA_BODY_STORE_MEMO, &memo);
    id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    fail_call(live, &id, EDDA_E_CONFLICT);
    fake_loop_for(live_gateway_loop(live), 200);
    ssize_t got = recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
    assert_true(got > 0);
    bytes[got] = '\0';
    assert_null(strstr(bytes, "\r\n0\r\n\r\n"));
    /* At once: nobody waits for the next look at what is idle. */
    assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), 0);
    (void)close(fd);
}

static void an_unknown_memo_is_not_found(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    int fd = send_get(live, "/api/v1/memo/" MEMO "/");
    struct edda_uuid id = expect_call(live, "store.get", EDDA_BODY_STORE_SELECT, &select);
    fail_call(live, &id, EDDA_E_NOT_FOUND);
    expect_http_json(live, fd, 404, "{\"error\":\"Memo not found\"}");
    expect_http_json(live, send_get(live, "/api/v1/memo/not-a-uuid"), 404,
                     "{\"error\":\"Memo not found\"}");
    expect_http_json(live, send_get(live, "/api/v1/memo/" MEMO "?id_type=name"), 400,
                     "{\"error\":\"id_type must be either 'memo_uuid' or 'reference_id'\"}");
    expect_http_json(live, send_get(live, "/api/v1/memo/a%00b?id_type=reference_id"), 400,
                     "{\"error\":\"Invalid request\"}");
    expect_no_call(live);
}

static void a_list_names_its_neighbours(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_page page;
    struct edda_store_memo_row row = {.uuid = uuid_of(MEMO),
                                      .created_wall_ms = 1700000000123,
                                      .updated_wall_ms = 1700000000123,
                                      .title = EDDA_TEXT("T"),
                                      .content_length = 3,
                                      .status = EDDA_TEXT("processing")};
    struct edda_store_memos memos = {.memos = {&row, 1}, .count = 5};
    int fd = send_get(live, "/api/v1/memo?page=2&page_size=2");
    struct edda_uuid id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    assert_int_equal(page.page, 2);
    assert_int_equal(page.page_size, 2);
    answer_call(live, &id, EDDA_BODY_STORE_MEMOS, &memos);
    expect_http_json(live, fd, 200,
                     "{\"results\":[{\"uuid\":\"" MEMO
                     "\",\"created_at\":\"2023-11-14T22:13:20.123Z\","
                     "\"updated_at\":\"2023-11-14T22:13:20.123Z\",\"title\":\"T\","
                     "\"summary\":null,\"content_length\":3,\"metadata\":{},"
                     "\"client_reference_id\":null,\"processing_status\":\"processing\"}],"
                     "\"count\":5,\"page\":2,\"page_size\":2,\"total_pages\":3,"
                     "\"next\":\"http://x/api/v1/memo?page=3&page_size=2\","
                     "\"previous\":\"http://x/api/v1/memo?page=1&page_size=2\"}");
    fd = send_get(live, "/api/v1/memo?page_size=100");
    id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    assert_int_equal(page.page_size, 100);
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    struct http_answer *answer = expect_http(live, fd, 503);
    free_answer(&answer);
    (void)close(fd);
    expect_http_json(live, send_get(live, "/api/v1/memo?page_size=101"), 400,
                     "{\"error\":\"page_size must be less than or equal to 100\"}");
    expect_http_json(live, send_get(live, "/api/v1/memo?page=-1"), 400,
                     "{\"error\":\"page must be greater than or equal to 1\"}");
}

static void a_deletion_has_no_body(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_empty empty = {0};
    int fd = send_http(live, "DELETE /api/v1/memo/" MEMO " HTTP/1.1\r\nHost: x\r\n"
                             "Authorization: Token " LIVE_KEY "\r\n\r\n");
    struct edda_uuid id = expect_call(live, "store.delete", EDDA_BODY_STORE_SELECT, &select);
    answer_call(live, &id, EDDA_BODY_EMPTY, &empty);
    struct http_answer *answer = expect_http(live, fd, 204);
    assert_int_equal(answer->size, 0);
    free_answer(&answer);
    (void)close(fd);
}

static void a_memo_that_is_processed_says_how_many_parts_are_left(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_store_status status = {
        .uuid = uuid_of(MEMO), .open_jobs = 12, .error = EDDA_TEXT("the provider is away")};
    int fd = send_get(live, "/api/v1/memo/" MEMO "/status");
    struct edda_uuid id = expect_call(live, "store.status", EDDA_BODY_STORE_SELECT, &select);
    answer_call(live, &id, EDDA_BODY_STORE_STATUS, &status);
    expect_http_json(live, fd, 200,
                     "{\"memo_uuid\":\"" MEMO "\",\"status\":\"processing\","
                     "\"processing_started_at\":null,\"processing_completed_at\":null,"
                     "\"error_reason\":null,\"waiting_reason\":\"the provider is away\","
                     "\"parts_left\":12}");
}

static void a_known_etag_is_answered_with_304(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_select select;
    struct edda_store_status status = {
        .uuid = uuid_of(MEMO), .status = EDDA_TEXT("processed"), .started_wall_ms = 1700000000123};
    int fd = send_get(live, "/api/v1/memo/" MEMO "/status");
    struct edda_uuid id = expect_call(live, "store.status", EDDA_BODY_STORE_SELECT, &select);
    answer_call(live, &id, EDDA_BODY_STORE_STATUS, &status);
    struct http_answer *answer = expect_http(live, fd, 200);
    assert_string_equal(answer->body, "{\"memo_uuid\":\"" MEMO "\",\"status\":\"processed\","
                                      "\"processing_started_at\":\"2023-11-14T22:13:20.123Z\","
                                      "\"processing_completed_at\":null,\"error_reason\":null}");
    assert_non_null(strstr(answer->head, "Cache-Control: no-cache\r\n"));
    char request[512];
    const char *etag = strstr(answer->head, "ETag: ") + 6;
    (void)snprintf(request, sizeof request,
                   "GET /api/v1/memo/" MEMO "/status HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
                   "If-None-Match: \"other\", %.*s\r\n\r\n",
                   (int)strcspn(etag, "\r"), etag);
    send_more(fd, request, strlen(request));
    free_answer(&answer);
    id = expect_call(live, "store.status", EDDA_BODY_STORE_SELECT, &select);
    answer_call(live, &id, EDDA_BODY_STORE_STATUS, &status);
    answer = expect_http(live, fd, 304);
    assert_int_equal(answer->size, 0);
    free_answer(&answer);
    (void)close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    struct live_gateway *live = *state;
    struct edda_empty empty;
    struct edda_store_pong pong = {.database = true};
    int fd = send_http(live, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    struct edda_uuid id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
    answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
    fake_loop_for(live_gateway_loop(live), 200);
    char bytes[8192];
    ssize_t got = recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT);
    assert_true(got > 0);
    bytes[got] = '\0';
    const char *first = strstr(bytes, "\"database\":true");
    const char *second = first ? strstr(first, "{\"status\":\"ok\"}") : NULL;
    assert_non_null(second);
    assert_non_null(strstr(second, "HTTP/1.1 404 Not Found"));
    (void)close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_the_stores_answer),
        cmocka_unit_test(every_response_carries_its_ids_and_the_trace_goes_on),
        cmocka_unit_test(a_memo_reads_as_the_contract_says),
        cmocka_unit_test(a_large_memo_is_streamed_page_by_page),
        cmocka_unit_test(a_stream_that_breaks_is_not_taken_for_whole),
        cmocka_unit_test(an_unknown_memo_is_not_found),
        cmocka_unit_test(a_list_names_its_neighbours),
        cmocka_unit_test(a_deletion_has_no_body),
        cmocka_unit_test(a_memo_that_is_processed_says_how_many_parts_are_left),
        cmocka_unit_test(a_known_etag_is_answered_with_304),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
    };
    return cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
