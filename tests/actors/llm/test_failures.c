/* tests/actors/llm/test_failures.c: what becomes of a question when its provider fails, before and
 * after the first word. */
#include "tests/actors/llm/with_provider.h"
#include "tests/proto/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/body.h"

/* A question whose answer breaks: the text that came is in with->text, the reason is returned. */
static const char *ask_and_break(struct with_provider *with, uint8_t number, const char *settings,
                                 int code, enum edda_blame blame) {
    provider_process_set(with->fake, settings);
    with_provider_ask(with, number, LIVE_STREAMING);
    live_llm_credit(&with->llm, number, 1000);
    return with_provider_break(with, code, blame);
}

/* ---- before the first word ---- */

static void a_refusal_is_passed_on_with_its_blame(void **state) {
    struct with_provider *with = *state;
    static const struct {
        const char *settings;
        int code;
        enum edda_blame blame;
        const char *text;
    } cases[] = {
        {"{\"chat\":{\"status\":400,\"message\":\"too odd\"}}", EDDA_E_FAILED, EDDA_BLAME_JOB,
         "local: 400 too odd"},
        {"{\"chat\":{\"status\":401,\"message\":\"who is sk-abcdefghijklmnop\"}}",
         EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE, "local: 401 who is ***"},
        {"{\"chat\":{\"status\":404,\"message\":\"no such model\"}}", EDDA_E_UNAVAILABLE,
         EDDA_BLAME_OUTSIDE, "local: 404 no such model"},
    };
    with_provider_start(with, NULL);
    for (uint8_t i = 0; i < 3; i++) {
        const char *text = ask_and_break(with, i, cases[i].settings, cases[i].code, cases[i].blame);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(with->parts, 0);
    }
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 3);
    with_provider_stop(with);
}

static void a_failure_that_passes_is_not_seen(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"At last.\",\"fail\":["
                                     "{\"status\":503},{\"close\":true},{\"status\":500}]}}");
    with_provider_ask(with, 1, 0);
    assert_string_equal(live_llm_answer(&with->llm).text.data, "At last.");
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 4);
    with_provider_stop(with);
}

static void a_provider_that_asks_to_wait_is_left_alone(void **state) {
    struct with_provider *with = *state;
    const struct edda_wire *wire;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"status\":429,\"retry_after\":\"60\","
                                     "\"message\":\"slow down\"}}");
    for (uint8_t i = 0; i < 2; i++) {
        with_provider_ask(with, i, LIVE_STREAMING);
        wire = live_llm_expect(&with->llm, EDDA_FAIL);
        assert_int_equal(wire->message.envelope.error.code, EDDA_E_UNAVAILABLE);
        assert_int_equal(wire->message.envelope.error.blame, EDDA_BLAME_OUTSIDE);
        assert_in_range(wire->message.envelope.error.retry_after_ms, 30000, 60000);
        assert_true(edda_text_is(wire->message.envelope.error.text, "local: 429 slow down"));
    }
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 1);
    with_provider_stop(with);
}

static void a_provider_that_does_not_begin_fails_in_its_time(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"EDDA_PROVIDER_FIRST_BYTE_MS", "200",
                                                    "EDDA_PROVIDER_CONNECT_MS", "100", NULL});
    const char *text =
        ask_and_break(with, 1, "{\"chat\":{\"hang\":true}}", EDDA_E_TIMEOUT, EDDA_BLAME_OUTSIDE);
    assert_string_equal(text, "local: no answer in time");
    /* The time is for all tries together. */
    assert_in_range(provider_process_count(with->fake, "chat", "requests"), 1, 2);
    with_provider_wait(with, "open", 0);
    with_provider_stop(with);
}

static void a_provider_that_is_not_there_is_unavailable(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"LOCAL_LLM_BASE_URL", "http://127.0.0.1:1/v1",
                                                    "EDDA_PROVIDER_FIRST_BYTE_MS", "8000", NULL});
    const char *text = ask_and_break(with, 1, "{}", EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    assert_memory_equal(text, "local: ", 7);
    with_provider_stop(with);
}

static void an_error_before_the_first_word_is_told(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    const char *text =
        ask_and_break(with, 1, "{\"chat\":{\"error_event\":0,\"message\":\"no capacity\"}}",
                      EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    assert_non_null(strstr(text, "no capacity"));
    assert_int_equal(with->parts, 0);
    with_provider_stop(with);
}

/* ---- after it ---- */

static void a_stream_that_breaks_fails_after_what_came(void **state) {
    struct with_provider *with = *state;
    static const struct {
        const char *settings;
        int code;
    } cases[] = {
        {"{\"chat\":{\"error_event\":3}}", EDDA_E_UNAVAILABLE},
        {"{\"chat\":{\"error_event\":null,\"no_end_mark\":true}}", EDDA_E_STREAM_BROKEN},
        {"{\"chat\":{\"no_end_mark\":null,\"malformed_sse\":true}}", EDDA_E_FAILED},
        {"{\"chat\":{\"malformed_sse\":null,\"half_body\":true}}", EDDA_E_UNAVAILABLE},
    };
    with_provider_start(with, NULL);
    for (uint8_t i = 0; i < 4; i++) {
        /* Not before the credit, which comes behind the work, is there. */
        provider_process_set(with->fake, "{\"chat\":{\"answer\":\"one two three four five six\","
                                         "\"first_token_ms\":500}}");
        const char *text =
            ask_and_break(with, i, cases[i].settings, cases[i].code, EDDA_BLAME_OUTSIDE);
        assert_memory_equal(text, "local: ", 7);
        assert_true(with->parts > 0);
        assert_memory_equal(with->text, "one two three ", 14);
    }
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 4);
    with_provider_stop(with);
}

static void who_falls_silent_in_its_answer_fails(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"EDDA_PROVIDER_IDLE_MS", "300", NULL});
    const char *text = ask_and_break(with, 1, "{\"chat\":{\"token_ms\":600000}}", EDDA_E_TIMEOUT,
                                     EDDA_BLAME_OUTSIDE);
    assert_memory_equal(text, "local: ", 7);
    assert_int_equal(with->parts, 1);
    with_provider_wait(with, "open", 0);
    with_provider_stop(with);
}

static void a_paused_stream_is_not_silent(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"EDDA_PROVIDER_IDLE_MS", "300", NULL});
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"one two three\",\"token_ms\":20}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    live_llm_expect_silence(&with->llm, 1000);
    live_llm_credit(&with->llm, 1, 100);
    assert_string_equal(with_provider_collect(with, 0).text.data, "one two three");
    with_provider_stop(with);
}

/* Also when we are who breaks it off: the provider is not asked for a while. */
static void a_provider_of_broken_streams_is_not_asked_any_more(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    for (uint8_t i = 0; i < 5; i++) {
        (void)ask_and_break(with, i, "{\"chat\":{\"malformed_sse\":true}}", EDDA_E_FAILED,
                            EDDA_BLAME_OUTSIDE);
    }
    with_provider_ask(with, 9, LIVE_STREAMING);
    const struct edda_wire *wire = live_llm_expect(&with->llm, EDDA_FAIL);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_UNAVAILABLE);
    assert_true(wire->message.envelope.error.retry_after_ms > 0);
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 5);
    /* Others are. */
    provider_process_reset(with->fake);
    with_provider_ask_by(with, 10, "openai", 0);
    (void)live_llm_answer(&with->llm);
    with_provider_stop(with);
}

/* ---- what cannot be asked ---- */

static void an_unknown_provider_is_refused_by_name(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    with_provider_ask_by(with, 1, "mistral", LIVE_STREAMING);
    assert_string_equal(live_llm_failure(&with->llm, EDDA_E_INVALID, EDDA_BLAME_JOB),
                        "Invalid LLM provider: mistral. Supported providers: local, openai, "
                        "gemini, anthropic, groq");
    with_provider_stop(with);
}

static void a_question_that_fills_the_prompt_is_refused(void **state) {
    struct with_provider *with = *state;
    struct edda_hits hits = {.hits.count = 0};
    char text[8000];
    memset(text, 'x', sizeof text);
    struct edda_llm_answer arguments = {.query = {text, sizeof text}};
    with_provider_start(with, (const char *const[]){"EDDA_LLM_CONTEXT_TOKENS", "1000", NULL});
    live_llm_work(&with->llm, 1, &arguments, &hits, 0, LIVE_TTL_MS);
    assert_non_null(strstr(live_llm_failure(&with->llm, EDDA_E_LIMIT, EDDA_BLAME_JOB),
                           "EDDA_LLM_CONTEXT_TOKENS"));
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 0);
    with_provider_stop(with);
}

static void an_answer_without_text_is_an_error_that_says_so(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":0,\"finish\":\"tool_calls\"}}");
    with_provider_ask(with, 1, 0);
    assert_string_equal(live_llm_failure(&with->llm, EDDA_E_FAILED, EDDA_BLAME_OUTSIDE),
                        "local: the model gave no text (tool_calls)");
    with_provider_stop(with);
}

static void the_default_is_listed_first_and_quotes_last(void **state) {
    struct with_provider *with = *state;
    static const char *const names[] = {"openai",    "local", "gemini",
                                        "anthropic", "groq",  "builtin"};
    struct edda_llm_providers providers;
    struct edda_uuid id = live_llm_id(1);
    with_provider_start(with, (const char *const[]){"LLM_PROVIDER", "openai", NULL});
    fake_broker_work(with->llm.fake, &id, "llm.providers", LIVE_TTL_MS, EDDA_BODY_NONE,
                     (struct edda_bytes){NULL, 0});
    const struct edda_wire *wire = live_llm_expect(&with->llm, EDDA_DONE);
    assert_int_equal(edda_body_decode(EDDA_BODY_LLM_PROVIDERS, wire->message.bodies[0],
                                      &with->llm.arena, &providers),
                     0);
    assert_int_equal(providers.providers.count, 6);
    bool seen[6] = {false};
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 6; k++) {
            seen[k] |= edda_text_is(providers.providers.items[i].provider, names[k]);
        }
    }
    assert_true(edda_text_is(providers.providers.items[0].provider, "openai"));
    assert_true(edda_text_is(providers.providers.items[0].label, "OpenAI"));
    assert_true(edda_text_is(providers.providers.items[0].model, "gpt-4o-mini"));
    assert_true(edda_text_is(providers.providers.items[5].provider, "builtin"));
    for (size_t k = 0; k < 6; k++) {
        assert_true(seen[k]);
    }
    with_provider_stop(with);
}

/* ---- rewriting ---- */

static void send_rewrite(struct with_provider *with, uint8_t number) {
    struct edda_llm_message history[] = {{EDDA_TEXT("user"), EDDA_TEXT("Who built the mill?")},
                                         {EDDA_TEXT("assistant"), EDDA_TEXT("A carpenter.")}};
    struct edda_llm_rewrite arguments = {.query = EDDA_TEXT("When was it?"),
                                         .history = {history, 2}};
    struct edda_uuid id = live_llm_id(number);
    struct edda_buffer bytes;
    edda_buffer_init(&bytes, EDDA_MAX_FRAME_BYTES);
    assert_int_equal(edda_body_encode(EDDA_BODY_LLM_REWRITE, &arguments, &bytes), 0);
    fake_broker_work(with->llm.fake, &id, "llm.rewrite", LIVE_TTL_MS, EDDA_BODY_LLM_REWRITE,
                     edda_buffer_bytes(&bytes));
    edda_buffer_done(&bytes);
}

static void assert_rewritten(struct with_provider *with, const char *settings,
                             const char *expected) {
    struct edda_rewritten rewritten;
    provider_process_set(with->fake, settings);
    send_rewrite(with, 1);
    const struct edda_wire *wire = live_llm_expect(&with->llm, EDDA_DONE);
    assert_int_equal(edda_body_decode(EDDA_BODY_REWRITTEN, wire->message.bodies[0],
                                      &with->llm.arena, &rewritten),
                     0);
    assert_true(edda_text_is(rewritten.query, expected));
}

static void a_model_rewrites_a_question(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"EDDA_LLM_MAX_TOKENS", "65536", NULL});
    assert_rewritten(with, "{\"chat\":{\"answer\":\"\\\"When was the mill built?\\\"\\nDone.\"}}",
                     "When was the mill built?");
    assert_rewritten(with, "{\"chat\":{\"answer\":\"\"}}", "When was it?");
    /* Longer than a question may be, and longer than is read. */
    for (size_t size = 600; size <= 6000; size *= 10) {
        char settings[6100];
        int begun = snprintf(settings, sizeof settings, "{\"chat\":{\"answer\":\"");
        memset(settings + begun, 'x', size);
        (void)snprintf(settings + begun + size, sizeof settings - (size_t)begun - size, "\"}}");
        assert_rewritten(with, settings, "When was it?");
    }
    with_provider_stop(with);
}

static void a_rewrite_fails_or_is_left_with_its_provider(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"status\":400,\"message\":\"no\"}}");
    send_rewrite(with, 1);
    assert_string_equal(live_llm_failure(&with->llm, EDDA_E_FAILED, EDDA_BLAME_JOB),
                        "local: 400 no");
    provider_process_set(with->fake, "{\"chat\":{\"status\":200,\"hang\":true}}");
    send_rewrite(with, 2);
    with_provider_wait(with, "open", 1);
    live_llm_cancel(&with->llm, 2);
    with_provider_wait(with, "cancelled", 1);
    live_llm_expect_silence(&with->llm, 20);
    with_provider_stop(with);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PROVIDER_TEST(a_refusal_is_passed_on_with_its_blame),
        WITH_PROVIDER_TEST(a_failure_that_passes_is_not_seen),
        WITH_PROVIDER_TEST(a_provider_that_asks_to_wait_is_left_alone),
        WITH_PROVIDER_TEST(a_provider_that_does_not_begin_fails_in_its_time),
        WITH_PROVIDER_TEST(a_provider_that_is_not_there_is_unavailable),
        WITH_PROVIDER_TEST(an_error_before_the_first_word_is_told),
        WITH_PROVIDER_TEST(a_stream_that_breaks_fails_after_what_came),
        WITH_PROVIDER_TEST(who_falls_silent_in_its_answer_fails),
        WITH_PROVIDER_TEST(a_paused_stream_is_not_silent),
        WITH_PROVIDER_TEST(a_provider_of_broken_streams_is_not_asked_any_more),
        WITH_PROVIDER_TEST(an_unknown_provider_is_refused_by_name),
        WITH_PROVIDER_TEST(a_question_that_fills_the_prompt_is_refused),
        WITH_PROVIDER_TEST(an_answer_without_text_is_an_error_that_says_so),
        WITH_PROVIDER_TEST(the_default_is_listed_first_and_quotes_last),
        WITH_PROVIDER_TEST(a_model_rewrites_a_question),
        WITH_PROVIDER_TEST(a_rewrite_fails_or_is_left_with_its_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
