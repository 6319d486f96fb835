/* tests/actors/llm/test_actor.c: the llm stage without a provider: quotes, streamed or whole. */
#include "proto/body.h"
#include "proto/body_peer.h"
#include "tests/actors/llm/live_llm.h"
#include "tests/proto/cmocka.h"

#include <stdlib.h>

#define LINE "Quoted from your documents (no language model is configured):"

static const char *const passages[] = {
    "The mill stands by the river. The mill was built of oak in 1742. Visitors come in summer.",
    "The mill grinds barley.",
    NULL,
};
static const char *const builtin_alone[] = {NULL};

static void an_answer_comes_whole_to_who_does_not_stream(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "What does the mill grind?", passages, 0);
    struct edda_answer answer = live_llm_answer(&llm);
    assert_string_equal(answer.text.data, LINE "\n\nThe mill grinds barley. [[2]]");
    assert_true(answer.extractive);
    assert_true(edda_text_is(answer.provider, "builtin"));
    assert_true(edda_text_is(answer.model, "extractive-1"));
    assert_true(edda_text_is(answer.finish, "stop"));
    assert_int_equal(answer.sources.count, 2);
    assert_int_equal(answer.sources.items[1].number, 2);
    assert_string_equal(llm.detail, "answers with extractive-1");
    live_role_stop(&llm);
}

static void what_the_search_said_of_itself_is_passed_on(void **state) {
    (void)state;
    struct live_role llm;
    struct edda_text degraded[] = {EDDA_TEXT("vector")};
    struct edda_hit items[] = {{.text = EDDA_TEXT("The mill stands."),
                                .title = EDDA_TEXT("Mills"),
                                .heading = EDDA_TEXT("Old ones"),
                                .memo = {{1}},
                                .chunk = {{2}},
                                .start = 10,
                                .end = 26}};
    struct edda_hits hits = {.hits = {items, 1},
                             .degraded = {degraded, 1},
                             .model = EDDA_TEXT("hash-256"),
                             .dimension = 256};
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("mill")};
    live_llm_start(&llm, builtin_alone);
    live_llm_work(&llm, 1, &arguments, &hits, 0, LIVE_TTL_MS);
    struct edda_answer answer = live_llm_answer(&llm);
    assert_int_equal(answer.degraded.count, 1);
    assert_true(edda_text_is(answer.degraded.items[0], "vector"));
    assert_true(edda_text_is(answer.serving_model, "hash-256"));
    assert_int_equal(answer.serving_dimension, 256);
    assert_int_equal(answer.sources.count, 1);
    const struct edda_source *source = &answer.sources.items[0];
    assert_int_equal(source->number, 1);
    assert_int_equal(source->memo.bytes[0], 1);
    assert_int_equal(source->chunk.bytes[0], 2);
    assert_true(edda_text_is(source->title, "Mills"));
    assert_true(edda_text_is(source->heading, "Old ones"));
    assert_int_equal(source->start, 10);
    assert_int_equal(source->end, 26);
    live_role_stop(&llm);
}

static void a_stream_is_told_at_once_that_its_step_has_begun(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    assert_int_equal(fake_broker_ignored(llm.fake), 0);
    live_llm_ask(&llm, 1, "Where is the mill?", passages, LIVE_STREAMING);
    live_llm_credit(&llm, 1, 1);
    (void)live_llm_part(&llm, 0);
    assert_true(fake_broker_ignored(llm.fake) >= 1);
    live_llm_cancel(&llm, 1);
    live_role_stop(&llm);
}

static void quotes_are_streamed_a_sentence_a_part_as_credit_comes(void **state) {
    (void)state;
    static const char *const parts[] = {LINE, "\n\nThe mill stands by the river. [[1]]",
                                        " The mill was built of oak in 1742. [[1]]",
                                        "\n\nThe mill grinds barley. [[2]]"};
    struct live_role llm;
    char whole[512] = "";
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "mill", passages, LIVE_STREAMING);
    live_llm_expect_silence(&llm, 50);
    for (uint32_t i = 0; i < 4; i++) {
        live_llm_credit(&llm, 1, i + 1);
        const char *part = live_llm_part(&llm, i);
        assert_string_equal(part, parts[i]);
        (void)snprintf(whole + strlen(whole), sizeof whole - strlen(whole), "%s", part);
        if (i < 3) {
            live_llm_expect_silence(&llm, 20);
        }
    }
    assert_string_equal(live_llm_answer(&llm).text.data, whole);
    live_role_stop(&llm);
}

static void an_answer_without_hits_says_so(void **state) {
    (void)state;
    static const char *const nothing[] = {NULL};
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "Where is the mill?", nothing, LIVE_STREAMING);
    live_llm_credit(&llm, 1, 100);
    assert_non_null(strstr(live_llm_part(&llm, 0), "do not seem to answer this"));
    struct edda_answer answer = live_llm_answer(&llm);
    assert_int_equal(answer.sources.count, 0);
    live_role_stop(&llm);
}

/* Of much text that is read in the pool. */
static struct edda_hits make_many(struct edda_hit items[8]) {
    for (size_t i = 0; i < 8; i++) {
        char *text = malloc(60000);
        for (size_t k = 0; k + 12 <= 60000; k += 12) {
            memcpy(text + k, k % 1200 ? "Other words " : "some. Lines.", 12);
        }
        memcpy(text, i == 5 ? "The flange is greased. " : "Nothing of it is said. ", 23);
        items[i] = (struct edda_hit){.text = {text, 60000}, .score = 0.5};
    }
    return (struct edda_hits){.hits = {items, 8}};
}

static void free_many(struct edda_hit items[8]) {
    for (size_t i = 0; i < 8; i++) {
        free((char *)(uintptr_t)items[i].text.data);
    }
}

static void much_text_is_read_beside_the_loop(void **state) {
    (void)state;
    struct live_role llm;
    struct edda_hit items[8];
    struct edda_hits hits = make_many(items);
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("How is the flange greased?")};
    live_llm_start(&llm, builtin_alone);
    for (uint8_t i = 0; i < 3; i++) {
        live_llm_work(&llm, i, &arguments, &hits, 0, LIVE_TTL_MS);
    }
    for (uint8_t i = 0; i < 3; i++) {
        struct edda_answer answer = live_llm_answer(&llm);
        assert_string_equal(answer.text.data, LINE "\n\nThe flange is greased. [[6]]");
    }
    /* One that is cancelled while it is read, and one that is read when the role ends. */
    live_llm_work(&llm, 7, &arguments, &hits, LIVE_STREAMING, LIVE_TTL_MS);
    live_llm_cancel(&llm, 7);
    live_llm_work(&llm, 8, &arguments, &hits, 0, LIVE_TTL_MS);
    (void)live_llm_answer(&llm);
    free_many(items);
    live_role_stop(&llm);
}

static void a_cancelled_answer_gives_its_slot_back(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    for (uint8_t i = 0; i < 64; i++) { /* the whole window, all without credit */
        live_llm_ask(&llm, i, "mill", passages, LIVE_STREAMING);
    }
    for (uint8_t i = 0; i < 64; i++) {
        live_llm_cancel(&llm, i);
    }
    fake_broker_expect_granted(llm.fake, 128);
    live_llm_ask(&llm, 99, "mill", passages, 0);
    (void)live_llm_answer(&llm);
    live_role_stop(&llm);
}

static void a_reader_that_takes_nothing_is_given_up(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start_slow(&llm, builtin_alone, 300);
    live_llm_ask(&llm, 1, "mill", passages, LIVE_STREAMING);
    assert_string_equal(live_llm_failure(&llm, EDDA_E_STREAM_BROKEN, EDDA_BLAME_OUTSIDE),
                        "slow_client");
    live_llm_ask(&llm, 2, "mill", passages, LIVE_STREAMING);
    live_llm_credit(&llm, 2, 1);
    (void)live_llm_part(&llm, 0);
    (void)live_llm_failure(&llm, EDDA_E_STREAM_BROKEN, EDDA_BLAME_OUTSIDE);
    live_role_stop(&llm);
}

static void a_job_tells_that_it_is_alive_while_it_waits(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "mill", passages, LIVE_STREAMING);
    live_llm_expect_silence(&llm, 2500);
    assert_true(fake_broker_ignored(llm.fake) >= 2);
    live_llm_cancel(&llm, 1);
    live_role_stop(&llm);
}

static void an_unknown_provider_is_refused_by_name(void **state) {
    (void)state;
    struct live_role llm;
    struct edda_hits hits = {.hits.count = 0};
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("mill"),
                                        .provider = EDDA_TEXT("openai")};
    live_llm_start(&llm, builtin_alone);
    live_llm_work(&llm, 1, &arguments, &hits, 0, LIVE_TTL_MS);
    assert_string_equal(live_llm_failure(&llm, EDDA_E_INVALID, EDDA_BLAME_JOB),
                        "Invalid LLM provider: openai. Supported providers: builtin");
    arguments.provider = EDDA_TEXT("builtin");
    live_llm_work(&llm, 2, &arguments, &hits, 0, LIVE_TTL_MS);
    (void)live_llm_answer(&llm);
    live_role_stop(&llm);
}

static struct edda_wire_error rewrite(struct live_role *llm, const char *query, bool with_history,
                                      struct edda_text *ret_query) {
    struct edda_llm_message history[] = {{EDDA_TEXT("user"), EDDA_TEXT("Who built the mill?")},
                                         {EDDA_TEXT("assistant"), EDDA_TEXT("A carpenter.")}};
    struct edda_llm_rewrite arguments = {.query = edda_text_of(query),
                                         .history = {history, with_history ? 2 : 0}};
    struct edda_rewritten rewritten;
    struct edda_buffer bytes;
    struct edda_uuid id = live_llm_id(50);
    edda_buffer_init(&bytes, EDDA_MAX_FRAME_BYTES);
    assert_int_equal(edda_body_encode(EDDA_BODY_LLM_REWRITE, &arguments, &bytes), 0);
    fake_broker_work(llm->fake, &id, "llm.rewrite", LIVE_TTL_MS, EDDA_BODY_LLM_REWRITE,
                     edda_buffer_bytes(&bytes));
    edda_buffer_done(&bytes);
    const struct edda_wire *wire = live_llm_expect(llm, EDDA_DONE);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_REWRITTEN, wire->message.bodies[0], &llm->arena, &rewritten), 0);
    *ret_query = edda_arena_text(&llm->arena, rewritten.query);
    return wire->message.envelope.error;
}

static void a_question_is_rewritten_with_the_words_of_its_chat(void **state) {
    (void)state;
    struct live_role llm;
    struct edda_text query;
    live_llm_start(&llm, builtin_alone);
    (void)rewrite(&llm, "When was it?", true, &query);
    assert_string_equal(query.data, "When was it? built mill");
    (void)rewrite(&llm, "When was it?", false, &query);
    assert_string_equal(query.data, "When was it?");
    live_role_stop(&llm);
}

static void who_can_answer_is_told(void **state) {
    (void)state;
    struct live_role llm;
    struct edda_llm_providers providers;
    struct edda_uuid id = live_llm_id(1);
    live_llm_start(&llm, builtin_alone);
    fake_broker_work(llm.fake, &id, "llm.providers", LIVE_TTL_MS, EDDA_BODY_EMPTY,
                     (struct edda_bytes){(const uint8_t *)"\x80", 1});
    const struct edda_wire *wire = live_llm_expect(&llm, EDDA_DONE);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_LLM_PROVIDERS, wire->message.bodies[0], &llm.arena, &providers),
        0);
    assert_int_equal(providers.providers.count, 1);
    assert_true(edda_text_is(providers.providers.items[0].provider, "builtin"));
    assert_true(edda_text_is(providers.providers.items[0].label, "Built-in"));
    assert_true(edda_text_is(providers.providers.items[0].model, "extractive-1"));
    live_role_stop(&llm);
}

static void a_default_that_is_not_described_whole_stops_the_role(void **state) {
    (void)state;
    live_llm_expect_refusal((const char *const[]){"LLM_PROVIDER", "anthropic", NULL},
                            EDDA_E_INVALID);
    live_llm_expect_refusal((const char *const[]){"LLM_PROVIDER", "local", NULL}, EDDA_E_INVALID);
    live_llm_expect_refusal(
        (const char *const[]){"LLM_PROVIDER", "local", "LOCAL_LLM_BASE_URL", "ftp://x", NULL},
        EDDA_E_INVALID);
}

static void a_running_answer_is_finished_before_the_role_ends(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "What does the mill grind?", passages, LIVE_STREAMING);
    live_llm_credit(&llm, 1, 1);
    (void)live_llm_part(&llm, 0);
    edda_thread_drain(llm.thread, FAKE_WAIT_MS);
    (void)live_llm_expect(&llm, EDDA_DRAIN);
    assert_false(edda_thread_ended(llm.thread));
    live_llm_credit(&llm, 1, 100);
    assert_non_null(strstr(live_llm_part(&llm, 1), "barley"));
    (void)live_llm_answer(&llm);
    (void)live_llm_expect(&llm, EDDA_BYE);
    live_role_stop(&llm);
}

static void an_answer_nobody_reads_does_not_hold_up_a_second_drain(void **state) {
    (void)state;
    struct live_role llm;
    live_llm_start(&llm, builtin_alone);
    live_llm_ask(&llm, 1, "mill", passages, LIVE_STREAMING);
    live_llm_credit(&llm, 1, 1);
    (void)live_llm_part(&llm, 0);
    edda_thread_drain(llm.thread, 600000);
    (void)live_llm_expect(&llm, EDDA_DRAIN);
    live_role_end(&llm, 600000, EDDA_E_TIMEOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_to_who_does_not_stream),
        cmocka_unit_test(what_the_search_said_of_itself_is_passed_on),
        cmocka_unit_test(a_stream_is_told_at_once_that_its_step_has_begun),
        cmocka_unit_test(quotes_are_streamed_a_sentence_a_part_as_credit_comes),
        cmocka_unit_test(an_answer_without_hits_says_so),
        cmocka_unit_test(much_text_is_read_beside_the_loop),
        cmocka_unit_test(a_cancelled_answer_gives_its_slot_back),
        cmocka_unit_test(a_reader_that_takes_nothing_is_given_up),
        cmocka_unit_test(a_job_tells_that_it_is_alive_while_it_waits),
        cmocka_unit_test(an_unknown_provider_is_refused_by_name),
        cmocka_unit_test(a_question_is_rewritten_with_the_words_of_its_chat),
        cmocka_unit_test(who_can_answer_is_told),
        cmocka_unit_test(a_default_that_is_not_described_whole_stops_the_role),
        cmocka_unit_test(a_running_answer_is_finished_before_the_role_ends),
        cmocka_unit_test(an_answer_nobody_reads_does_not_hold_up_a_second_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
