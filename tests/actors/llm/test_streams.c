/* tests/actors/llm/test_streams.c: answers of a provider, from its first word to its end: over real
 * connections to a provider that is a fake. */
#include "tests/actors/llm/live_llm.h"
#include "tests/actors/llm/with_provider.h"
#include "tests/proto/cmocka.h"

#include <stdlib.h>

static void an_answer_is_streamed_as_it_comes(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"It stands by the river [[1]].\","
                                     "\"token_ms\":20}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    live_llm_credit(&with->llm, 1, 100);
    struct edda_answer answer = with_provider_collect(with, 0);
    assert_string_equal(answer.text.data, "It stands by the river [[1]].");
    assert_true(with->parts > 1);
    assert_false(answer.extractive);
    assert_true(edda_text_is(answer.provider, "local"));
    assert_true(edda_text_is(answer.model, "llama3.1:8b"));
    assert_true(edda_text_is(answer.finish, "stop"));
    assert_int_equal(answer.output_tokens, 6);
    assert_true(answer.input_tokens > 50);
    assert_int_equal(answer.sources.count, 2);
    with_provider_stop(with);
}

static void every_provider_is_understood(void **state) {
    struct with_provider *with = *state;
    static const char *const names[] = {"local", "openai", "groq", "anthropic", "gemini"};
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"By the river [[1]].\"}}");
    for (uint8_t i = 0; i < 5; i++) {
        with_provider_ask_by(with, i, names[i], LIVE_STREAMING);
        live_llm_credit(&with->llm, i, 100);
        struct edda_answer answer = with_provider_collect(with, 0);
        assert_string_equal(answer.text.data, "By the river [[1]].");
        assert_true(edda_text_is(answer.provider, names[i]));
        assert_true(edda_text_is(answer.finish, "stop"));
        assert_true(answer.output_tokens > 0);
    }
    with_provider_ask_by(with, 9, "builtin", 0);
    assert_non_null(strstr(live_llm_answer(&with->llm).text.data, "no language model was asked"));
    assert_int_equal(provider_process_count(with->fake, "chat", "requests"), 5);
    with_provider_stop(with);
}

static void the_provider_is_given_the_prompt(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    with_provider_ask(with, 1, 0);
    (void)live_llm_answer(&with->llm);
    json_t *requests = provider_process_requests(with->fake, 1);
    const char *body = json_string_value(json_object_get(json_array_get(requests, 0), "body"));
    assert_non_null(body);
    json_t *json = json_loads(body, 0, NULL);
    const json_t *messages = json_object_get(json, "messages");
    assert_int_equal(json_array_size(messages), 2);
    const json_t *system = json_array_get(messages, 0);
    const json_t *last = json_array_get(messages, 1);
    assert_string_equal(json_string_value(json_object_get(system, "role")), "system");
    assert_string_equal(json_string_value(json_object_get(last, "content")),
                        "[[1]]\nThe mill stands by the river.\n\n[[2]]\nIt grinds barley.\n\n"
                        "[[end of passages]]\n\nQuestion: Where is the mill?");
    assert_int_equal(json_integer_value(json_object_get(json, "max_tokens")), 64);
    json_decref(json);
    json_decref(requests);
    with_provider_stop(with);
}

static void an_answer_is_whole_at_its_end_mark_whatever_its_connection_does(void **state) {
    struct with_provider *with = *state;
    static const char *const faults[] = {"unfinished", "lingers"};
    static const char *const names[] = {"local", "anthropic", "gemini"};
    with_provider_start(with, NULL);
    for (uint8_t i = 0; i < 6; i++) {
        char settings[128];
        (void)snprintf(settings, sizeof settings,
                       "{\"chat\":{\"answer\":\"By the river.\",\"%s\":true,\"%s\":false}}",
                       faults[i / 3], faults[1 - i / 3]);
        provider_process_set(with->fake, settings);
        with_provider_ask_by(with, i + 1, names[i % 3], LIVE_STREAMING);
        live_llm_credit(&with->llm, i + 1, 100);
        assert_string_equal(with_provider_collect(with, 0).text.data, "By the river.");
    }
    with_provider_stop(with);
}

static void who_does_not_stream_gets_the_whole_alone(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"One two three.\",\"token_ms\":5}}");
    with_provider_ask(with, 1, 0);
    assert_string_equal(live_llm_answer(&with->llm).text.data, "One two three.");
    with_provider_stop(with);
}

static void each_credit_is_one_part(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake,
                         "{\"chat\":{\"answer\":\"one two three four five six\",\"token_ms\":5}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    with_provider_wait(with, "tokens", 1);
    live_llm_expect_silence(&with->llm, 100);
    struct edda_answer answer = with_provider_collect(with, 1);
    assert_string_equal(answer.text.data, "one two three four five six");
    assert_true(with->parts >= 1 && with->parts <= 6);
    with_provider_stop(with);
}

static void what_came_before_an_error_is_given_before_it(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"answer\":\"one two three four five six\","
                                     "\"error_event\":3}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    with_provider_wait(with, "requests", 1);
    live_llm_expect_silence(&with->llm, 300);
    live_llm_credit(&with->llm, 1, 100);
    (void)with_provider_break(with, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    assert_true(with->text[0] != '\0' &&
                strncmp("one two three four five six", with->text, strlen(with->text)) == 0);
    with_provider_stop(with);
}

/* An answer of 100,000 characters is, with the events around them, ten megabytes on the way. Seen
 * to fail without take_text() (tests/fault/guards/24d.patch). */
static void no_credit_stops_the_provider(void **state) {
    struct with_provider *with = *state;
    enum { WORDS = 50000 };
    char *setting = malloc(2 * WORDS + 64);
    char *end = setting + snprintf(setting, 64, "{\"chat\":{\"answer\":\"");
    for (size_t i = 0; i < WORDS; i++) {
        *end++ = 'a';
        *end++ = ' ';
    }
    (void)snprintf(end, 8, "\"}}");
    with_provider_start(with, (const char *const[]){"EDDA_LLM_MAX_TOKENS", "65536", NULL});
    provider_process_set(with->fake, setting);
    with_provider_ask(with, 1, LIVE_STREAMING);
    with_provider_wait(with, "requests", 1);
    with_provider_settle(with);
    int64_t held = provider_process_count(with->fake, NULL, "bytes_out");
    assert_true(held < 6000000);
    live_llm_expect_silence(&with->llm, 300);
    assert_int_equal(provider_process_count(with->fake, NULL, "bytes_out"), held);
    live_llm_credit(&with->llm, 1, 100000);
    struct edda_answer answer = with_provider_collect(with, 0);
    assert_int_equal(answer.text.size, 2 * WORDS);
    assert_true(provider_process_count(with->fake, NULL, "bytes_out") > 8000000);
    assert_int_equal(provider_process_count(with->fake, "chat", "cancelled"), 0);
    free(setting);
    with_provider_stop(with);
}

static void an_answer_that_is_too_long_is_cut(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, (const char *const[]){"EDDA_LLM_MAX_TOKENS", "65536", NULL});
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":65000}}");
    with_provider_ask(with, 1, 0);
    struct edda_answer answer = live_llm_answer(&with->llm);
    assert_true(edda_text_is(answer.finish, "length"));
    assert_in_range(answer.text.size, EDDA_MAX_ANSWER_BYTES - 3, EDDA_MAX_ANSWER_BYTES);
    with_provider_wait(with, "cancelled", 1);
    with_provider_stop(with);
}

static void why_an_answer_ended_is_passed_on(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":500}}"); /* 64 are allowed */
    with_provider_ask(with, 1, 0);
    assert_true(edda_text_is(live_llm_answer(&with->llm).finish, "length"));
    provider_process_set(with->fake, "{\"chat\":{\"finish\":\"content_filter\"}}");
    with_provider_ask(with, 2, 0);
    assert_true(edda_text_is(live_llm_answer(&with->llm).finish, "content_filter"));
    with_provider_stop(with);
}

/* ---- who leaves ---- */

static void a_cancel_closes_the_connection(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":64,\"token_ms\":600000}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    live_llm_credit(&with->llm, 1, 100);
    (void)live_llm_part(&with->llm, 0);
    live_llm_cancel(&with->llm, 1);
    with_provider_wait(with, "cancelled", 1);
    provider_process_set(with->fake, "{\"chat\":{\"hang\":true}}");
    with_provider_ask(with, 2, LIVE_STREAMING);
    with_provider_wait(with, "open", 1);
    live_llm_cancel(&with->llm, 2);
    with_provider_wait(with, "cancelled", 2);
    live_llm_expect_silence(&with->llm, 20);
    with_provider_stop(with);
}

static void a_cancel_while_paused_closes_it_too(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":64,\"token_ms\":600000}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    with_provider_wait(with, "requests", 1);
    live_llm_expect_silence(&with->llm, 200); /* the first token has come, and waits */
    live_llm_cancel(&with->llm, 1);
    with_provider_wait(with, "cancelled", 1);
    live_llm_expect_silence(&with->llm, 20);
    with_provider_stop(with);
}

static void a_slow_reader_is_given_up_and_the_connection_closed(void **state) {
    struct with_provider *with = *state;
    with_provider_start_slow(with, NULL, 300);
    provider_process_set(with->fake, "{\"chat\":{\"tokens\":64,\"token_ms\":1000}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    assert_string_equal(live_llm_failure(&with->llm, EDDA_E_STREAM_BROKEN, EDDA_BLAME_OUTSIDE),
                        "slow_client");
    with_provider_wait(with, "cancelled", 1);
    with_provider_stop(with);
}

static void the_deadline_ends_an_answer(void **state) {
    struct with_provider *with = *state;
    struct edda_hits hits = {.hits.count = 0};
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("Where?")};
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"hang\":true}}");
    live_llm_work(&with->llm, 1, &arguments, &hits, LIVE_STREAMING, 400);
    /* Our clock and the actor's ring together; either may be first. */
    const struct edda_wire *wire = live_llm_expect(&with->llm, EDDA_FAIL);
    assert_int_equal(wire->message.envelope.error.code, EDDA_E_EXPIRED);
    with_provider_wait(with, "open", 0);
    with_provider_stop(with);
}

static void a_running_answer_is_finished_before_the_role_ends(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake,
                         "{\"chat\":{\"answer\":\"one two three four five\",\"token_ms\":100}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    live_llm_credit(&with->llm, 1, 100);
    const char *first = live_llm_part(&with->llm, 0);
    edda_thread_drain(with->llm.thread, FAKE_WAIT_MS);
    (void)live_llm_expect(&with->llm, EDDA_DRAIN);
    with->parts = 1;
    (void)snprintf(with->text, sizeof with->text, "%s", first);
    assert_string_equal(with_provider_collect(with, 0).text.data, "one two three four five");
    with_provider_stop(with);
}

static void a_drain_that_is_cut_gives_the_answer_back(void **state) {
    struct with_provider *with = *state;
    with_provider_start(with, NULL);
    provider_process_set(with->fake, "{\"chat\":{\"hang\":true}}");
    with_provider_ask(with, 1, LIVE_STREAMING);
    with_provider_wait(with, "open", 1);
    edda_thread_drain(with->llm.thread, 500);
    (void)live_llm_expect(&with->llm, EDDA_DRAIN);
    (void)live_llm_expect(&with->llm, EDDA_RETURN);
    with_provider_wait(with, "open", 0);
    with_provider_stop(with);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PROVIDER_TEST(an_answer_is_streamed_as_it_comes),
        WITH_PROVIDER_TEST(every_provider_is_understood),
        WITH_PROVIDER_TEST(the_provider_is_given_the_prompt),
        WITH_PROVIDER_TEST(an_answer_is_whole_at_its_end_mark_whatever_its_connection_does),
        WITH_PROVIDER_TEST(who_does_not_stream_gets_the_whole_alone),
        WITH_PROVIDER_TEST(each_credit_is_one_part),
        WITH_PROVIDER_TEST(what_came_before_an_error_is_given_before_it),
        WITH_PROVIDER_TEST(no_credit_stops_the_provider),
        WITH_PROVIDER_TEST(an_answer_that_is_too_long_is_cut),
        WITH_PROVIDER_TEST(why_an_answer_ended_is_passed_on),
        WITH_PROVIDER_TEST(a_cancel_closes_the_connection),
        WITH_PROVIDER_TEST(a_cancel_while_paused_closes_it_too),
        WITH_PROVIDER_TEST(a_slow_reader_is_given_up_and_the_connection_closed),
        WITH_PROVIDER_TEST(the_deadline_ends_an_answer),
        WITH_PROVIDER_TEST(a_running_answer_is_finished_before_the_role_ends),
        WITH_PROVIDER_TEST(a_drain_that_is_cut_gives_the_answer_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
