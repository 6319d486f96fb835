/* tests/gateway/test_writes.c: creating, staging, patching, keys and idempotency, by messages. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/gateway/live_gateway.h"
#include "tests/proto/cmocka.h"

#define MEMO "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
#define PATH "/api/v1/memo"

/* {"title":"t","content":"xxx...","x":"..."} */
static char *make_body(size_t content_size) {
    char *body = malloc(content_size + 64);
    int at = snprintf(body, 64, "{\"title\":\"t\",\"content\":\"");
    for (size_t i = 0; i < content_size; i++) {
        body[(size_t)at + i] = i % 80 == 79 ? ' ' : (char)('a' + i % 26);
    }
    memcpy(body + at + content_size, "\"}", 3);
    return body;
}

static void answer_accept(struct live_gateway *live, const struct edda_uuid *id,
                          const struct edda_uuid *memo) {
    struct edda_store_accepted accepted = {.memo = *memo, .version = 1};
    answer_call(live, id, EDDA_BODY_STORE_ACCEPTED, &accepted);
}

static void expect_created(struct live_gateway *live, int fd, const struct edda_uuid *memo) {
    char uuid[EDDA_UUID_TEXT];
    char wanted[128];
    edda_uuid_format(memo, uuid);
    (void)snprintf(wanted, sizeof wanted, "{\"memo_uuid\":\"%s\",\"ok\":true}", uuid);
    expect_http_json(live, fd, 201, wanted);
}

static void a_small_memo_is_one_message(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_accept accept;
    int fd = send_json(live, "POST", PATH,
                       "{\"title\":\"T\",\"content\":\"C\",\"tags\":[\"a\"],"
                       "\"metadata\":{\"k\": 1.0},\"reference_id\":\"r\"}");
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    assert_true(edda_text_is(accept.title, "T"));
    assert_int_equal(accept.parts.count, 1);
    assert_true(edda_text_is(accept.parts.items[0], "C"));
    assert_int_equal(accept.content_bytes, 1);
    assert_int_equal(accept.staged_parts, 0);
    assert_true(edda_text_is(accept.tags.items[0], "a"));
    assert_true(edda_text_is(accept.metadata, "{\"k\":1}"));
    assert_true(edda_text_is(accept.reference_id, "r"));
    assert_true(edda_text_is(accept.type, "plaintext"));
    assert_null(accept.idempotency_key.data);
    assert_int_equal(accept.memo.bytes[6] >> 4, 7);
    answer_accept(live, &id, &accept.memo);
    expect_created(live, fd, &accept.memo);
}

static void a_memo_of_half_a_megabyte_travels_in_parts(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_accept accept;
    char *body = make_body(EDDA_INLINE_CONTENT_BYTES);
    int fd = send_json(live, "POST", PATH, body);
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    size_t at = strlen("{\"title\":\"t\",\"content\":\"");
    assert_true(accept.parts.count >= 8);
    for (size_t i = 0; i < accept.parts.count; i++) {
        assert_true(accept.parts.items[i].size <= EDDA_PART_BYTES);
        assert_memory_equal(accept.parts.items[i].data, body + at, accept.parts.items[i].size);
        at += accept.parts.items[i].size;
    }
    assert_int_equal(accept.content_bytes, EDDA_INLINE_CONTENT_BYTES);
    answer_accept(live, &id, &accept.memo);
    expect_created(live, fd, &accept.memo);
    free(body);
}

static void one_byte_more_than_half_a_megabyte_is_staged(void **state) {
    struct live_gateway *live = *state;
    const struct edda_empty empty = {0};
    struct edda_store_put_part put;
    struct edda_store_accept accept;
    char *body = make_body(EDDA_INLINE_CONTENT_BYTES + 1);
    int fd = send_json(live, "POST", PATH, body);
    size_t staged = 0;
    while (staged <= EDDA_INLINE_CONTENT_BYTES) {
        struct edda_uuid id = expect_call(live, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put);
        for (size_t i = 0; i < put.parts.count; i++) {
            staged += put.parts.items[i].size;
        }
        answer_call(live, &id, EDDA_BODY_EMPTY, &empty);
    }
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    assert_int_equal(accept.parts.count, 0);
    assert_int_equal(accept.content_bytes, EDDA_INLINE_CONTENT_BYTES + 1);
    answer_accept(live, &id, &accept.memo);
    expect_created(live, fd, &accept.memo);
    free(body);
}

/* Takes all put_part messages, answering each when `window` of them are open. */
static void a_large_memo_is_staged_in_bounded_messages(void **state) {
    struct live_gateway *live = *state;
    size_t size = 3u << 20;
    char *body = make_body(size);
    struct edda_store_put_part put;
    struct edda_store_accept accept;
    struct edda_uuid open[4];
    struct edda_uuid memo = {0};
    size_t at = strlen("{\"title\":\"t\",\"content\":\"");
    uint32_t parts = 0;
    int fd = send_json(live, "POST", PATH, body);
    for (size_t i = 0; i < 4; i++) {
        open[i] = expect_call(live, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put);
        memo = put.memo;
        size_t bytes = 0;
        assert_int_equal(put.first, parts);
        for (size_t k = 0; k < put.parts.count; k++) {
            assert_memory_equal(put.parts.items[k].data, body + at, put.parts.items[k].size);
            at += put.parts.items[k].size;
            bytes += put.parts.items[k].size;
        }
        assert_true(bytes <= 512 * 1024);
        parts += (uint32_t)put.parts.count;
    }
    expect_no_call(live);
    struct edda_empty empty = {0};
    for (size_t next = 0; at < size; next = (next + 1) % 4) {
        answer_call(live, &open[next], EDDA_BODY_EMPTY, &empty);
        open[next] = expect_call(live, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put);
        assert_true(edda_uuid_equal(&put.memo, &memo));
        assert_int_equal(put.first, parts);
        for (size_t k = 0; k < put.parts.count; k++) {
            at += put.parts.items[k].size;
        }
        parts += (uint32_t)put.parts.count;
    }
    for (size_t i = 0; i < 4; i++) {
        answer_call(live, &open[i], EDDA_BODY_EMPTY, &empty);
    }
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    assert_int_equal(accept.staged_parts, parts);
    assert_int_equal(accept.parts.count, 0);
    assert_int_equal(accept.content_bytes, size);
    assert_true(edda_uuid_equal(&accept.memo, &memo));
    answer_accept(live, &id, &memo);
    expect_created(live, fd, &memo);
    free(body);
}

static void a_failed_staging_fails_the_request(void **state) {
    struct live_gateway *live = *state;
    char *body = make_body(600u * 1024);
    struct edda_store_put_part put;
    int fd = send_json(live, "POST", PATH, body);
    struct edda_uuid first = expect_call(live, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put);
    struct edda_uuid second = expect_call(live, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put);
    fail_call(live, &first, EDDA_E_IO);
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_non_null(strstr(answer->head, "Retry-After: "));
    free_answer(&answer);
    const struct edda_wire *wire =
        fake_broker_expect(live_gateway_broker(live), FAKE_FRONT, EDDA_CANCEL);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &second));
    (void)close(fd);
    free(body);
}

static void a_patch_names_what_changes(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_patch patch;
    int fd = send_json(live, "PATCH", PATH "/" MEMO,
                       "{\"title\":\"new\",\"content\":\"text\",\"tags\":null}");
    struct edda_uuid id = expect_call(live, "store.patch", EDDA_BODY_STORE_PATCH, &patch);
    assert_true(edda_text_is(patch.id, MEMO));
    assert_int_equal(patch.set, EDDA_PATCH_TITLE | EDDA_PATCH_CONTENT);
    assert_int_equal(patch.parts.count, 1);
    assert_int_equal(patch.content_bytes, 4);
    struct edda_store_accepted accepted = {.version = 2};
    answer_call(live, &id, EDDA_BODY_STORE_ACCEPTED, &accepted);
    expect_http_json(live, fd, 200, "{\"ok\":true}");
}

static int send_keyed(struct live_gateway *live, const char *key, const char *body) {
    char request[1024];
    (void)snprintf(request, sizeof request,
                   "POST " PATH " HTTP/1.1\r\nHost: x\r\n" LIVE_AUTHORIZATION
                   "Idempotency-Key: %s\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   key, strlen(body), body);
    return send_http(live, request);
}

static void a_key_that_is_running_is_409_and_a_mismatch_422(void **state) {
    struct live_gateway *live = *state;
    static const char body[] = "{\"title\":\"T\",\"content\":\"C\"}";
    struct edda_store_accept accept;
    uint8_t hash[32];
    int first = send_keyed(live, "\"k\"", body);
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    assert_int_equal(accept.idempotency_key.size, 64);
    crypto_hash_sha256(hash, (const unsigned char *)body, sizeof body - 1);
    assert_int_equal(accept.fingerprint.size, 32);
    assert_memory_equal(accept.fingerprint.data, hash, 32);
    struct edda_uuid memo = accept.memo;
    int second = send_keyed(live, "k", body);
    struct http_answer *answer = expect_http(live, second, 409);
    assert_non_null(strstr(answer->head, "Retry-After: "));
    free_answer(&answer);
    (void)close(second);
    answer_accept(live, &id, &memo);
    expect_created(live, first, &memo);

    second = send_keyed(live, "k", "{\"title\":\"T\",\"content\":\"D\"}");
    id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    fail_call(live, &id, EDDA_E_MISMATCH);
    answer = expect_http(live, second, 422);
    free_answer(&answer);
    (void)close(second);
    answer = expect_http(live, send_keyed(live, "a b", body), 400);
    free_answer(&answer);
}

static void a_key_is_asked_for_once_and_opens_its_project(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_key key;
    struct edda_store_page page;
    struct edda_store_memos memos = {0};
    static const char request[] =
        "GET " PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: Token other-key\r\n\r\n";
    uint8_t hash[32];
    int fd = send_http(live, request);
    struct edda_uuid id = expect_call(live, "store.key_check", EDDA_BODY_STORE_KEY, &key);
    crypto_hash_sha256(hash, (const unsigned char *)"other-key", 9);
    assert_int_equal(key.hash.size, 32);
    assert_memory_equal(key.hash.data, hash, 32);
    struct edda_store_key found = {.project = EDDA_TEXT("theirs")};
    answer_call(live, &id, EDDA_BODY_STORE_KEY, &found);
    id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    assert_true(edda_text_is(last_envelope(live)->project, "theirs"));
    answer_call(live, &id, EDDA_BODY_STORE_MEMOS, &memos);
    struct http_answer *answer = expect_http(live, fd, 200);
    free_answer(&answer);
    send_more(fd, request, sizeof request - 1);
    id = expect_call(live, "store.list", EDDA_BODY_STORE_PAGE, &page);
    answer_call(live, &id, EDDA_BODY_STORE_MEMOS, &memos);
    answer = expect_http(live, fd, 200);
    free_answer(&answer);
    (void)close(fd);
}

static void an_unknown_key_is_401_and_a_silent_store_503(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_key key;
    static const char request[] =
        "GET " PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n";
    char text[256];
    (void)snprintf(text, sizeof text, request, "unknown");
    int fd = send_http(live, text);
    struct edda_uuid id = expect_call(live, "store.key_check", EDDA_BODY_STORE_KEY, &key);
    fail_call(live, &id, EDDA_E_NOT_FOUND);
    expect_http_json(live, fd, 401, "{\"error\":\"Unauthorized\"}");
    expect_http_json(live, send_http(live, text), 401, "{\"error\":\"Unauthorized\"}");
    expect_no_call(live);
    (void)snprintf(text, sizeof text, request, "undecided");
    fd = send_http(live, text);
    id = expect_call(live, "store.key_check", EDDA_BODY_STORE_KEY, &key);
    fail_call(live, &id, EDDA_E_NO_SERVICE);
    struct http_answer *answer = expect_http(live, fd, 503);
    free_answer(&answer);
    (void)close(fd);
}

static void a_client_that_hangs_up_does_not_stop_a_write(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_accept accept;
    int fd = send_json(live, "POST", PATH, "{\"title\":\"T\",\"content\":\"C\"}");
    struct edda_uuid id = expect_call(live, "store.accept", EDDA_BODY_STORE_ACCEPT, &accept);
    (void)close(fd);
    fake_broker_expect_nothing(live_gateway_broker(live), FAKE_FRONT, 400, true);
    answer_accept(live, &id, &accept.memo);
    fake_loop_for(live_gateway_loop(live), 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_memo_is_one_message),
        cmocka_unit_test(a_memo_of_half_a_megabyte_travels_in_parts),
        cmocka_unit_test(one_byte_more_than_half_a_megabyte_is_staged),
        cmocka_unit_test(a_large_memo_is_staged_in_bounded_messages),
        cmocka_unit_test(a_failed_staging_fails_the_request),
        cmocka_unit_test(a_patch_names_what_changes),
        cmocka_unit_test(a_key_that_is_running_is_409_and_a_mismatch_422),
        cmocka_unit_test(a_key_is_asked_for_once_and_opens_its_project),
        cmocka_unit_test(an_unknown_key_is_401_and_a_silent_store_503),
        cmocka_unit_test(a_client_that_hangs_up_does_not_stop_a_write),
    };
    return sodium_init() < 0 ? 1
                             : cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
