/* tests/gateway/test_keys.c: Authorization, what is remembered of keys, Idempotency-Key, and what
 * failures mean to a client. */
#include <sodium.h>
#include <stdio.h>

#include "gateway/admit.h"
#include "gateway/idempotency.h"
#include "gateway/keys.h"
#include "tests/proto/cmocka.h"

static void expect_key(const char *header, int error, const char *wanted) {
    struct edda_text key = {0};
    assert_int_equal(edda_keys_parse(edda_text_of(header), &key), error);
    if (!error) {
        assert_true(edda_text_is(key, wanted));
    }
}

static void both_schemes_are_taken_in_any_case(void **state) {
    char header[300] = "Bearer ";
    (void)state;
    expect_key("Bearer abc", 0, "abc");
    expect_key("bearer  abc", 0, "abc");
    expect_key("TOKEN abc", 0, "abc");
    expect_key("abc", EDDA_E_DENIED, NULL);
    expect_key("Basic abc", EDDA_E_DENIED, NULL);
    expect_key("Bearer", EDDA_E_DENIED, NULL);
    expect_key("Bearer ", EDDA_E_DENIED, NULL);
    expect_key("Bearerabc", EDDA_E_DENIED, NULL);
    expect_key("Bearer a b", EDDA_E_DENIED, NULL);
    expect_key(NULL, EDDA_E_DENIED, NULL);
    memset(header + 7, 'x', 193);
    expect_key(header, 0, header + 7);
    header[200] = 'x';
    expect_key(header, EDDA_E_INVALID, NULL);
}

static void what_the_store_said_is_remembered_for_a_while(void **state) {
    edda_keys_t *keys = edda_keys_new("static");
    struct edda_key_tag tag;
    struct edda_key_grant grant;
    const struct edda_key_grant mine = {"mine", {600, 7}};
    (void)state;
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("static"), 0, &tag, &grant), 0);
    assert_string_equal(grant.project, "default");
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("k"), 100, &tag, &grant), EDDA_E_AGAIN);
    edda_keys_learn(keys, &tag, &mine, 100);
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("k"), 100 + EDDA_KEY_GOOD_MS - 1, &tag, &grant),
                     0);
    assert_string_equal(grant.project, "mine");
    assert_int_equal(grant.limits.rate, 600);
    assert_int_equal(grant.limits.concurrency, 7);
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("k"), 100 + EDDA_KEY_GOOD_MS, &tag, &grant),
                     EDDA_E_AGAIN);
    edda_keys_learn(keys, &tag, NULL, 100);
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("k"), 101, &tag, &grant), EDDA_E_DENIED);
    assert_int_equal(edda_keys_find(keys, EDDA_TEXT("k"), 100 + EDDA_KEY_BAD_MS, &tag, &grant),
                     EDDA_E_AGAIN);
    edda_keys_destroy(&keys);
    assert_null(keys);
}

static void the_memory_of_keys_is_bounded(void **state) {
    edda_keys_t *keys = edda_keys_new("");
    struct edda_key_tag tag;
    struct edda_key_grant grant;
    const struct edda_key_grant p = {.project = "p"};
    size_t known = 0;
    char name[32];
    (void)state;
    for (int i = 0; i < 4 * EDDA_KEYS_REMEMBERED; i++) {
        int size = snprintf(name, sizeof name, "key-%d", i);
        struct edda_text key = {name, (size_t)size};
        assert_int_equal(edda_keys_find(keys, key, 0, &tag, &grant), EDDA_E_AGAIN);
        edda_keys_learn(keys, &tag, &p, 0);
    }
    for (int i = 0; i < 4 * EDDA_KEYS_REMEMBERED; i++) {
        int size = snprintf(name, sizeof name, "key-%d", i);
        struct edda_text key = {name, (size_t)size};
        known += edda_keys_find(keys, key, 1, &tag, &grant) == 0;
    }
    assert_true(known > EDDA_KEYS_REMEMBERED / 2 && known <= EDDA_KEYS_REMEMBERED);
    edda_keys_destroy(&keys);
}

static void expect_idempotency(const char *header, int error, const char *wanted) {
    char key[EDDA_MAX_KEY_HEADER + 1];
    size_t size = 0;
    assert_int_equal(edda_idempotency_parse(edda_text_of(header), key, &size), error);
    if (!error) {
        assert_string_equal(key, wanted);
        assert_int_equal(size, strlen(wanted));
    }
}

static void an_idempotency_key_is_a_quoted_string_or_a_token(void **state) {
    char longest[EDDA_MAX_KEY_HEADER + 4];
    (void)state;
    expect_idempotency("\"8e03978e-40d5\"", 0, "8e03978e-40d5");
    expect_idempotency("8e03978e-40d5", 0, "8e03978e-40d5");
    expect_idempotency("\"a \\\"b\\\" \\\\ c\"", 0, "a \"b\" \\ c");
    expect_idempotency("", EDDA_E_INVALID, NULL);
    expect_idempotency("\"\"", EDDA_E_INVALID, NULL);
    expect_idempotency("\"", EDDA_E_INVALID, NULL);
    expect_idempotency("\"a\"b\"", EDDA_E_INVALID, NULL);
    expect_idempotency("\"a\\\"", EDDA_E_INVALID, NULL);
    expect_idempotency("a b", EDDA_E_INVALID, NULL);
    expect_idempotency("a,b", EDDA_E_INVALID, NULL);
    memset(longest, 'x', sizeof longest);
    longest[EDDA_MAX_KEY_HEADER] = '\0';
    expect_idempotency(longest, 0, longest);
    longest[EDDA_MAX_KEY_HEADER] = 'x';
    longest[EDDA_MAX_KEY_HEADER + 1] = '\0';
    expect_idempotency(longest, EDDA_E_INVALID, NULL);
    longest[0] = '"';
    longest[EDDA_MAX_KEY_HEADER + 1] = 'x';
    longest[EDDA_MAX_KEY_HEADER + 2] = '"';
    longest[EDDA_MAX_KEY_HEADER + 3] = '\0';
    expect_idempotency(longest, EDDA_E_INVALID, NULL);
}

static void a_key_runs_once_at_a_time_in_its_project(void **state) {
    static struct edda_running_keys keys;
    struct edda_running_key first = {0};
    struct edda_running_key again = {0};
    struct edda_running_key other = {0};
    (void)state;
    edda_idempotency_digest(EDDA_TEXT("p"), EDDA_TEXT("k"), &first);
    edda_idempotency_digest(EDDA_TEXT("p"), EDDA_TEXT("k"), &again);
    edda_idempotency_digest(EDDA_TEXT("q"), EDDA_TEXT("k"), &other);
    assert_int_equal(edda_idempotency_enter(&keys, &first), 0);
    assert_int_equal(edda_idempotency_enter(&keys, &again), EDDA_E_RUNNING);
    assert_int_equal(edda_idempotency_enter(&keys, &other), 0);
    edda_idempotency_leave(&keys, &first);
    assert_int_equal(edda_idempotency_enter(&keys, &again), 0);
    edda_idempotency_leave(&keys, &again);
    edda_idempotency_leave(&keys, &other);
}

static void failures_inside_are_not_the_clients_fault(void **state) {
    struct edda_wire_error detail = {.text = EDDA_TEXT("too many tags"), .retry_after_ms = 10000};
    (void)state;
    struct edda_refusal refusal = edda_admit_refuse(EDDA_E_BUSY, NULL, 7);
    assert_int_equal(refusal.status, 503);
    assert_true(refusal.retry_after_s >= 1 && refusal.retry_after_s <= 3);
    assert_true(refusal.ours);
    for (uint32_t random = 0; random < 20000; random += 97) {
        refusal = edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, random);
        assert_true(refusal.retry_after_s >= 8 && refusal.retry_after_s <= 12);
    }
    detail.retry_after_ms = 120000; /* our own estimate: at most half a minute */
    for (uint32_t random = 0; random < 20000; random += 97) {
        refusal = edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, random);
        assert_true(refusal.retry_after_s >= 24 && refusal.retry_after_s <= 30);
    }
    detail.retry_after_ms = 10000;
    assert_int_equal(edda_admit_refuse(EDDA_E_EXPIRED, NULL, 0).status, 504);
    assert_int_equal(edda_admit_refuse(EDDA_E_MALFORMED, NULL, 0).status, 500);
    assert_int_equal(edda_admit_refuse(EDDA_E_CREDIT, NULL, 0).status, 503);
    assert_int_equal(edda_admit_refuse(EDDA_E_MISMATCH, NULL, 0).status, 422);
    assert_int_equal(edda_admit_refuse(EDDA_E_RUNNING, NULL, 0).status, 409);
    assert_true(edda_admit_refuse(EDDA_E_RUNNING, NULL, 0).retry_after_s > 0);
    refusal = edda_admit_refuse(EDDA_E_INVALID, &detail, 0);
    assert_int_equal(refusal.status, 400);
    assert_true(edda_text_is(refusal.text, "too many tags"));
    assert_int_equal(refusal.retry_after_s, 0);
}

/* A client that came back after half a minute would only be refused again. */
static void a_providers_time_to_come_back_is_told_as_it_is(void **state) {
    struct edda_wire_error detail = {.blame = EDDA_BLAME_OUTSIDE, .retry_after_ms = 120000};
    (void)state;
    for (uint32_t random = 0; random < 50000; random += 97) {
        uint32_t after_s = edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, random).retry_after_s;
        assert_true(after_s >= 120 && after_s <= 144);
    }
    for (uint32_t random = 0; random < 50000; random += 97) { /* a broker's is an estimate */
        assert_true(edda_admit_refuse(EDDA_E_BUSY, &detail, random).retry_after_s <= 30);
    }
    detail.retry_after_ms = 1;
    assert_int_equal(edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, 0).retry_after_s, 1);
    detail.retry_after_ms = UINT32_MAX;
    assert_true(edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, UINT32_MAX).retry_after_s >=
                UINT32_MAX / 1000);
    detail.retry_after_ms = 0; /* it did not say */
    assert_true(edda_admit_refuse(EDDA_E_UNAVAILABLE, &detail, 7).retry_after_s <= 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_schemes_are_taken_in_any_case),
        cmocka_unit_test(what_the_store_said_is_remembered_for_a_while),
        cmocka_unit_test(the_memory_of_keys_is_bounded),
        cmocka_unit_test(an_idempotency_key_is_a_quoted_string_or_a_token),
        cmocka_unit_test(a_key_runs_once_at_a_time_in_its_project),
        cmocka_unit_test(failures_inside_are_not_the_clients_fault),
        cmocka_unit_test(a_providers_time_to_come_back_is_told_as_it_is),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
