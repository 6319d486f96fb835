/* tests/actors/provider/test_judge.c: what statuses mean, and that no key is ever repeated. */
#include "actors/provider/provider.h"

#include "tests/proto/cmocka.h"

static struct edda_provider_reply reply;
static enum edda_outcome outcome;
static bool again;

static void judge(int status, const char *body) {
    memset(&reply, 0, sizeof reply);
    edda_provider_judge("openai", status, (struct edda_bytes){(const uint8_t *)body, strlen(body)},
                        &reply, &outcome, &again);
}

static void a_success_is_one(void **state) {
    (void)state;
    judge(200, "{}");
    assert_int_equal(reply.error, 0);
    assert_int_equal(outcome, EDDA_OUTCOME_GOOD);
    assert_false(again);
    assert_string_equal(reply.text, "");
}

static void a_refused_input_is_the_jobs_fault_and_no_sign_of_ill_health(void **state) {
    (void)state;
    static const int statuses[] = {400, 415, 422};
    for (size_t i = 0; i < 3; i++) {
        judge(statuses[i], "{\"error\":{\"message\":\"too long\"}}");
        assert_int_equal(reply.error, EDDA_E_FAILED);
        assert_int_equal(reply.blame, EDDA_BLAME_JOB);
        assert_int_equal(outcome, EDDA_OUTCOME_GOOD);
        assert_false(again);
    }
}

static void a_batch_that_is_too_large_is_said_so_that_it_can_be_split(void **state) {
    (void)state;
    judge(413, "");
    assert_int_equal(reply.error, EDDA_E_LIMIT);
    assert_int_equal(outcome, EDDA_OUTCOME_GOOD);
    assert_string_equal(reply.text, "openai: 413");
}

static void a_key_that_is_not_accepted_is_a_fault_outside_that_time_does_not_heal(void **state) {
    (void)state;
    static const int statuses[] = {401, 402, 403, 404};
    for (size_t i = 0; i < 4; i++) {
        judge(statuses[i], "{\"detail\":\"no\"}");
        assert_int_equal(reply.error, EDDA_E_UNAVAILABLE);
        assert_int_equal(reply.blame, EDDA_BLAME_OUTSIDE);
        assert_int_equal(outcome, EDDA_OUTCOME_FAILED);
        assert_false(again);
    }
}

static void too_much_and_broken_servers_are_asked_again(void **state) {
    (void)state;
    static const int refused[] = {429, 503, 529};
    static const int failed[] = {408, 409, 425, 500, 502, 504};
    for (size_t i = 0; i < 3; i++) {
        judge(refused[i], "");
        assert_int_equal(reply.error, EDDA_E_UNAVAILABLE);
        assert_int_equal(reply.blame, EDDA_BLAME_OUTSIDE);
        assert_int_equal(outcome, EDDA_OUTCOME_REFUSED);
        assert_true(again);
    }
    for (size_t i = 0; i < 6; i++) {
        judge(failed[i], "");
        assert_int_equal(reply.error, EDDA_E_UNAVAILABLE);
        assert_int_equal(outcome, EDDA_OUTCOME_FAILED);
        assert_true(again);
    }
}

static void the_providers_own_words_are_found_in_every_shape(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"slow down\",\"type\":\"x\",\"code\":null}}",
        "{\"error\":\"slow down\"}",
        "{\"detail\":\"slow down\"}",
        "{\"message\":\"slow down\"}",
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"slow down\"}}",
        "{\"error\":{\"code\":429,\"message\":\"slow down\",\"status\":\"X\"}}",
        "{\"error\":\"slow down\",\"error_type\":\"Overloaded\"}",
        "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"slow down\"}]}",
        "slow down\nand more",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        judge(429, bodies[i]);
        assert_string_equal(reply.text, "openai: 429 slow down");
    }
}

static void pages_and_nonsense_are_not_quoted(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "<html><body>502</body></html>", "", "{}", "[]", "{\"error\":{}}",
        "{\"error\":{\"message\":7}}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        judge(502, bodies[i]);
        assert_string_equal(reply.text, "openai: 502");
    }
}

static const char *redact(const char *text) {
    static char out[200];
    size_t size = edda_redact(edda_text_of(text), out, sizeof out);
    assert_int_equal(size, strlen(out));
    return out;
}

static void keys_are_taken_out_of_texts(void **state) {
    (void)state;
    assert_string_equal(redact("Incorrect API key provided: sk-abc123. See https://x.y/z"),
                        "Incorrect API key provided: ***. See https://x.y/z");
    assert_string_equal(redact("Authorization: Bearer whatever it is"),
                        "Authorization: Bearer *** it is");
    assert_string_equal(redact("key 0a1b2c3d4e5f60718293 ends"), "key *** ends");
    assert_string_equal(redact("AIzaSyX pa-1 gsk_2 jina_3 sk_proj_4 eyJhbGci.x.y"),
                        "*** *** *** *** *** ***");
    assert_string_equal(
        redact("a word of ordinarylettersonlyandlong stays, 12345678901234567890 too"),
        "a word of ordinarylettersonlyandlong stays, 12345678901234567890 too");
}

static void control_characters_become_blanks(void **state) {
    (void)state;
    assert_string_equal(redact("a\x1b[31mb\r\nc"), "a [31mb  c");
}

static void texts_are_cut_at_a_character(void **state) {
    (void)state;
    char out[8];
    edda_redact(EDDA_TEXT("abcdefghij"), out, sizeof out);
    assert_string_equal(out, "abcdefg");
    edda_redact(EDDA_TEXT("abcde\xc3\xa4\xc3\xa4"), out, sizeof out);
    assert_string_equal(out, "abcde\xc3\xa4");
    edda_redact(EDDA_TEXT("abcdef\xe6\xbc\xa2"), out, sizeof out);
    assert_string_equal(out, "abcdef");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_one),
        cmocka_unit_test(a_refused_input_is_the_jobs_fault_and_no_sign_of_ill_health),
        cmocka_unit_test(a_batch_that_is_too_large_is_said_so_that_it_can_be_split),
        cmocka_unit_test(a_key_that_is_not_accepted_is_a_fault_outside_that_time_does_not_heal),
        cmocka_unit_test(too_much_and_broken_servers_are_asked_again),
        cmocka_unit_test(the_providers_own_words_are_found_in_every_shape),
        cmocka_unit_test(pages_and_nonsense_are_not_quoted),
        cmocka_unit_test(keys_are_taken_out_of_texts),
        cmocka_unit_test(control_characters_become_blanks),
        cmocka_unit_test(texts_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
