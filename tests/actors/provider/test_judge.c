/* tests/actors/provider/test_judge.c: what statuses mean, and that no key is ever repeated. */
#include "actors/provider/provider_state.h"

#include <stdio.h>

#include "proto/utf8.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static struct edda_provider_reply reply;
static enum edda_outcome outcome;
static bool again;

static void judge(int status, const char *body) {
    memset(&reply, 0, sizeof reply);
    edda_provider_judge("openai", status, (struct edda_bytes){(const uint8_t *)body, strlen(body)},
                        NULL, &reply, &outcome, &again);
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
    static const int statuses[] = {301, 308, 401, 402, 403, 404, 405, 410};
    for (size_t i = 0; i < 8; i++) {
        judge(statuses[i], "{\"detail\":\"no\"}");
        assert_int_equal(reply.error, EDDA_E_UNAVAILABLE);
        assert_int_equal(reply.blame, EDDA_BLAME_OUTSIDE);
        assert_int_equal(outcome, EDDA_OUTCOME_FAILED);
        assert_false(again);
    }
}

static void a_code_that_only_a_person_can_heal_counts_for_more_than_its_status(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {429, "{\"error\":{\"message\":\"no\",\"type\":\"insufficient_quota\",\"code\":null}}"},
        {429, "{\"error\":{\"message\":\"no\",\"type\":\"x\",\"code\":\"insufficient_quota\"}}"},
        {400, "{\"error\":{\"code\":400,\"message\":\"no\",\"status\":\"INVALID_ARGUMENT\","
              "\"details\":[{\"@type\":\"x\",\"reason\":\"API_KEY_INVALID\"}]}}"},
        {400, "{\"code\":\"model_not_found\",\"message\":\"no\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge(cases[i].status, cases[i].body);
        assert_int_equal(reply.error, EDDA_E_UNAVAILABLE);
        assert_int_equal(reply.blame, EDDA_BLAME_OUTSIDE);
        assert_int_equal(outcome, EDDA_OUTCOME_FAILED);
        assert_false(again);
        assert_non_null(strstr(reply.text, " no"));
    }
    judge(429, "{\"error\":{\"message\":\"insufficient_quota\",\"code\":\"rate_limit\"}}");
    assert_true(again); /* words are no codes */
    judge(200, "{\"error\":{\"code\":\"insufficient_quota\"}}");
    assert_int_equal(reply.error, 0);
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

static void half_an_emoji_hides_neither_words_nor_code(void **state) {
    (void)state;
    judge(429, "{\"error\":{\"message\":\"no money \\ud83d\",\"code\":\"insufficient_quota\"}}");
    assert_string_equal(reply.text, "openai: 429 no money \xef\xbf\xbd");
    assert_false(again);
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
    size_t size = edda_redact(edda_text_of(text), NULL, out, sizeof out);
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

static void names_of_models_and_addresses_are_no_keys(void **state) {
    (void)state;
    static const char *const texts[] = {
        "The model `claude-3-5-sonnet-20241022` does not exist",
        "text-embedding-3-small-20240101 is gone",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        "see https://platform.openai.com/docs/guides/error-codes/api-errors",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(redact(texts[i]), texts[i]);
    }
}

static void keys_of_any_make_are_taken_out(void **state) {
    (void)state;
    assert_string_equal(redact("key=sk-1, api_key=pa-2; \"gsk_3\""), "***, ***; \"***\"");
    assert_string_equal(redact("bearer x, BEARER y"), "bearer ***, BEARER ***");
    assert_string_equal(redact("a1B2-c3D4_e5F6-g7H8_i9J0"), "***");
    assert_string_equal(redact("123e4567-e89b-12d3-a456-426614174000"), "***");
    assert_string_equal(redact("(AbCdEfGhIjKlMnOpQrS1)"), "(***)");
    assert_string_equal(redact("AbCdEfGhIjKlMnOpQrS AbCdEfGhIjKlMnOpQr1"),
                        "AbCdEfGhIjKlMnOpQrS AbCdEfGhIjKlMnOpQr1"); /* 19: one too few */
    assert_string_equal(redact("sk-abcd***wxyz."), "***.");
}

static void control_characters_become_blanks(void **state) {
    (void)state;
    assert_string_equal(redact("a\x1b[31mb\r\nc\x7f\xc2\x85"
                               "d\tz"),
                        "a [31mb  c  d z");
}

static void what_is_no_utf8_becomes_question_marks(void **state) {
    (void)state;
    assert_string_equal(redact("gr\xfc\xdf \xc3\xa4 \xe6\xbc"), "gr?? \xc3\xa4 ??");
    assert_string_equal(redact("\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf"), "??? ???? ??");
}

static void any_bytes_give_a_text_that_a_message_can_carry(void **state) {
    (void)state;
    struct random random = {3};
    for (int round = 0; round < 20000; round++) {
        char text[64];
        char out[48];
        size_t size = random_below(&random, sizeof text);
        size_t room = 1 + random_below(&random, sizeof out);
        random_bytes(&random, (uint8_t *)text, size);
        size_t written = edda_redact((struct edda_text){text, size}, NULL, out, room);
        assert_true(written < room && out[written] == '\0' && strlen(out) == written);
        assert_true(edda_utf8_valid(out, written));
        for (size_t i = 0; i < written; i++) {
            assert_true((unsigned char)out[i] >= 0x20);
        }
    }
}

static const char *hide(const char *text, const char *header) {
    static char out[200];
    const char *const headers[] = {"Content-Type: application/json", header, NULL};
    const char *secrets[EDDA_OUTBOUND_HEADERS + 1];
    edda_header_secrets(headers, secrets);
    (void)edda_redact(edda_text_of(text), secrets, out, sizeof out);
    return out;
}

static void the_key_that_was_sent_is_taken_out_whatever_it_looks_like(void **state) {
    (void)state;
    assert_string_equal(hide("my-secret is wrong: my-secret!", "Authorization: Bearer my-secret"),
                        "*** is wrong: ***!");
    assert_string_equal(hide("mysecret", "x-api-key: mysecret"), "***");
    assert_string_equal(hide("send application/json with a key", "x-api-key: a"),
                        "send application/json with a key");
    assert_string_equal(hide("nothing", "x-api-key:"), "nothing");
    assert_string_equal(hide("key=mysecret&x", "x-api-key: mysecret"), "key=***&x");
}

static void a_key_at_the_cut_shows_no_part_of_itself(void **state) {
    (void)state;
    static const char *const secrets[] = {"correct-horse", NULL};
    char out[16];
    for (size_t blanks = 0; blanks < 16; blanks++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%*scorrect-horse", (int)blanks, "");
        (void)edda_redact(edda_text_of(text), secrets, out, sizeof out);
        assert_null(strstr(out, "c"));
    }
}

static void texts_are_cut_at_a_character(void **state) {
    (void)state;
    char out[8];
    edda_redact(EDDA_TEXT("abcdefghij"), NULL, out, sizeof out);
    assert_string_equal(out, "abcdefg");
    edda_redact(EDDA_TEXT("abcde\xc3\xa4\xc3\xa4"), NULL, out, sizeof out);
    assert_string_equal(out, "abcde\xc3\xa4");
    edda_redact(EDDA_TEXT("abcdef\xe6\xbc\xa2"), NULL, out, sizeof out);
    assert_string_equal(out, "abcdef");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_one),
        cmocka_unit_test(a_refused_input_is_the_jobs_fault_and_no_sign_of_ill_health),
        cmocka_unit_test(a_batch_that_is_too_large_is_said_so_that_it_can_be_split),
        cmocka_unit_test(a_key_that_is_not_accepted_is_a_fault_outside_that_time_does_not_heal),
        cmocka_unit_test(a_code_that_only_a_person_can_heal_counts_for_more_than_its_status),
        cmocka_unit_test(too_much_and_broken_servers_are_asked_again),
        cmocka_unit_test(the_providers_own_words_are_found_in_every_shape),
        cmocka_unit_test(half_an_emoji_hides_neither_words_nor_code),
        cmocka_unit_test(pages_and_nonsense_are_not_quoted),
        cmocka_unit_test(keys_are_taken_out_of_texts),
        cmocka_unit_test(names_of_models_and_addresses_are_no_keys),
        cmocka_unit_test(keys_of_any_make_are_taken_out),
        cmocka_unit_test(control_characters_become_blanks),
        cmocka_unit_test(what_is_no_utf8_becomes_question_marks),
        cmocka_unit_test(any_bytes_give_a_text_that_a_message_can_carry),
        cmocka_unit_test(the_key_that_was_sent_is_taken_out_whatever_it_looks_like),
        cmocka_unit_test(a_key_at_the_cut_shows_no_part_of_itself),
        cmocka_unit_test(a_key_at_the_cut_shows_no_part_of_itself),
        cmocka_unit_test(texts_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
