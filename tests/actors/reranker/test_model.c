/* tests/actors/reranker/test_model.c: the reranker as a role between a broker that is a fake and a
 * provider that is a program of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "actors/reranker/actor.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "tests/harness/live_role.h"
#include "tests/proto/cmocka.h"
#include "tests/provider/provider_process.h"

static void prepare(struct live_role *live, struct provider_process *provider,
                    const char *const *set) {
    const char *message = NULL;
    live_role_prepare(live, "reranker");
    live->provider = provider;
    for (size_t i = 0; set[i]; i++) {
        char pair[512];
        char *environment[] = {pair, NULL};
        const char *at = strchr(set[i], '@'); /* a path at the provider */
        (void)snprintf(pair, sizeof pair, "%s", set[i]);
        if (at) {
            size_t name = (size_t)(at - set[i]);
            provider_process_url(provider, at + 1, pair + name, sizeof pair - name);
        }
        assert_int_equal(edda_config_environment(live->config, environment, &message), 0);
    }
}

static void start(struct live_role *live, struct provider_process *provider) {
    static const char *const set[] = {"RERANKING_PROVIDER=cohere", "COHERE_BASE_URL=@cohere",
                                      "COHERE_API_KEY=co-1", NULL};
    provider_process_reset(provider);
    prepare(live, provider, set);
    live_role_start(live, edda_reranker_main);
}

static void work(struct live_role *live, uint8_t number, const char *op, uint32_t ttl_ms,
                 const struct edda_rerank_arguments *arguments, const struct edda_hits *hits) {
    struct edda_message message = {.envelope.id = {{7, [15] = number}},
                                   .envelope.op = edda_text_of(op),
                                   .envelope.ttl_ms = ttl_ms};
    live_role_send(live, &message, EDDA_BODY_RERANK_ARGUMENTS, arguments, EDDA_BODY_HITS, hits);
}

static struct edda_hits expect_hits(struct live_role *live, uint8_t number) {
    const struct edda_wire *wire =
        fake_broker_expect_after_credit(live->fake, FAKE_BACK, EDDA_DONE);
    struct edda_hits hits;
    assert_int_equal(wire->message.envelope.id.bytes[15], number);
    assert_int_equal(edda_body_decode(EDDA_BODY_HITS, wire->message.bodies[0], &live->arena, &hits),
                     0);
    return hits;
}

static const char *expect_failure(struct live_role *live, uint8_t number, int code) {
    const struct edda_wire *wire =
        fake_broker_expect_after_credit(live->fake, FAKE_BACK, EDDA_FAIL);
    const struct edda_wire_error *error = &wire->message.envelope.error;
    if (error->code != code || wire->message.envelope.id.bytes[15] != number) {
        fail_msg("%u failed with %s: %.*s", wire->message.envelope.id.bytes[15],
                 edda_error_name(error->code), (int)error->text.size, error->text.data);
    }
    return edda_arena_text(&live->arena, error->text).data;
}

/* `count` documents, of which number i has i of the question's words at most. */
static struct edda_texts make_documents(struct live_role *live, size_t count) {
    struct edda_text *items = edda_arena_take(&live->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "document %zu%s%s%s", i, i % 2 ? " storm" : "",
                       i % 3 == 0 ? " winter" : "", i == 57 ? " night" : "");
        items[i] = edda_arena_text(&live->arena, edda_text_of(text));
    }
    return (struct edda_texts){items, count};
}

static int64_t requests(struct live_role *live) {
    return provider_process_count(live->provider, "rerank", "requests");
}

static void documents_are_asked_for_25_at_a_time_and_merged(void **state) {
    struct live_role live;
    start(&live, *state);
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm night"),
                                              .top_k = 60,
                                              .documents = make_documents(&live, 101)};
    provider_process_set(live.provider, "{\"rerank\":{\"latency_ms\":200}}");
    work(&live, 1, "rerank.texts", 20000, &arguments, NULL);
    struct edda_hits hits = expect_hits(&live, 1);
    assert_string_equal(live.detail, "reorders with cohere:rerank-v3.5");
    assert_int_equal(requests(&live), 5);
    assert_int_equal(provider_process_count(live.provider, "rerank", "most_open"), 5);
    assert_int_equal(hits.hits.count, 60);
    assert_int_equal(hits.hits.items[0].number, 57); /* has all the words */
    for (size_t i = 1; i < 60; i++) {
        const struct edda_hit *before = &hits.hits.items[i - 1];
        const struct edda_hit *hit = &hits.hits.items[i];
        assert_true(hit->score <= before->score && hit->score >= 0 && hit->score <= 1);
        assert_true(hit->score < before->score || hit->number > before->number);
        assert_true(hit->first_score > 0 && hit->first_score <= 1);
    }
    live_role_stop(&live);
}

static void hits_are_title_heading_and_text_and_keep_what_they_bring(void **state) {
    struct live_role live;
    struct edda_hit items[3] = {
        {.text = EDDA_TEXT("of calms"), .first_score = 0.9, .word_score = 0.5, .start = 7},
        {.text = EDDA_TEXT("of the night"),
         .title = EDDA_TEXT("Winter"),
         .heading = EDDA_TEXT("Sea > Storm"),
         .reference_id = EDDA_TEXT("r-1"),
         .first_score = 0.1,
         .score = 0.1},
        {.text = EDDA_TEXT("  "), .first_score = 0.5, .score = 0.5},
    };
    struct edda_text degraded = EDDA_TEXT("vector");
    struct edda_hits input = {.hits = {items, 3},
                              .degraded = {&degraded, 1},
                              .model = EDDA_TEXT("hash-256"),
                              .dimension = 256};
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm")};
    start(&live, *state);
    work(&live, 1, "rerank", 20000, &arguments, &input);
    struct edda_hits hits = expect_hits(&live, 1);
    assert_int_equal(hits.hits.count, 3);
    assert_true(edda_text_is(hits.hits.items[0].reference_id, "r-1"));
    assert_true(hits.hits.items[0].score > 0.5);
    assert_true(hits.hits.items[0].first_score > 0.09 && hits.hits.items[0].first_score < 0.11);
    assert_int_equal(hits.hits.items[1].start, 7);
    assert_true(hits.hits.items[1].word_score > 0.4);
    assert_true(hits.hits.items[2].score <= 0); /* blank: not sent, and last */
    assert_true(edda_text_is(hits.degraded.items[0], "vector"));
    assert_true(edda_text_is(hits.model, "hash-256"));
    json_t *sent = provider_process_requests(live.provider, 1);
    const char *body = json_string_value(json_object_get(json_array_get(sent, 0), "body"));
    assert_non_null(strstr(body, "\"Winter\\nSea > Storm\\nof the night\""));
    assert_null(strstr(body, "\"  \""));
    json_decref(sent);
    live_role_stop(&live);
}

static void nothing_to_rank_asks_nobody(void **state) {
    struct live_role live;
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("storm")};
    start(&live, *state);
    work(&live, 1, "rerank", 20000, &arguments, NULL);
    assert_int_equal(expect_hits(&live, 1).hits.count, 0);
    work(&live, 2, "rerank.texts", 20000, &arguments, NULL);
    assert_int_equal(expect_hits(&live, 2).hits.count, 0);
    assert_int_equal(requests(&live), 0);
    live_role_stop(&live);
}

static void a_batch_that_fails_fails_the_job(void **state) {
    static const struct {
        const char *settings;
        int error;
        const char *reason;
    } cases[] = {
        {"{\"rerank\":{\"fail\":{\"status\":400,\"message\":\"no such query\"}}}", EDDA_E_FAILED,
         "cohere: 400 no such query"},
        {"{\"rerank\":{\"fail\":{\"nan\":true,\"times\":4}}}", EDDA_E_FAILED,
         "the answer makes no sense: "},
        {"{\"rerank\":{\"fail\":{\"wrong_count\":-1,\"times\":4}}}", EDDA_E_FAILED,
         "a document has no score"},
        {"{\"rerank\":{\"fail\":{\"duplicate_index\":true,\"times\":4}}}", EDDA_E_FAILED,
         "two scores for one document"},
        {"{\"rerank\":{\"fail\":{\"malformed_json\":true,\"times\":4}}}", EDDA_E_FAILED,
         "it is no JSON"},
        {"{\"rerank\":{\"fail\":{\"close\":true,\"times\":4}}}", EDDA_E_UNAVAILABLE, "cohere: "},
        {"{\"rerank\":{\"fail\":{\"half_body\":true,\"times\":4}}}", EDDA_E_UNAVAILABLE,
         "cohere: "},
        {"{\"rerank\":{\"fail\":{\"status\":500,\"times\":4}}}", EDDA_E_UNAVAILABLE, "cohere: 500"},
    };
    for (uint8_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct live_role live;
        start(&live, *state);
        struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm"),
                                                  .documents = make_documents(&live, 50)};
        provider_process_set(live.provider, cases[i].settings);
        work(&live, i, "rerank.texts", 20000, &arguments, NULL);
        const char *text = expect_failure(&live, i, cases[i].error);
        if (!strstr(text, cases[i].reason)) {
            fail_msg("%s: %s", cases[i].settings, text);
        }
        provider_process_reset(live.provider);
        work(&live, 100, "rerank.texts", 20000, &arguments, NULL); /* the next is not touched */
        assert_int_equal(expect_hits(&live, 100).hits.count, 50);
        live_role_stop(&live);
    }
}

static void one_failure_is_tried_again(void **state) {
    struct live_role live;
    start(&live, *state);
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm"),
                                              .documents = make_documents(&live, 10)};
    provider_process_set(live.provider, "{\"rerank\":{\"fail\":{\"status\":503}}}");
    work(&live, 1, "rerank.texts", 20000, &arguments, NULL);
    assert_int_equal(expect_hits(&live, 1).hits.count, 10);
    assert_int_equal(requests(&live), 2);
    live_role_stop(&live);
}

static void a_provider_that_is_away_is_not_waited_for(void **state) {
    struct live_role live;
    start(&live, *state);
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm"),
                                              .documents = make_documents(&live, 10)};
    provider_process_set(live.provider, "{\"rerank\":{\"status\":429,\"retry_after\":\"60\"}}");
    work(&live, 1, "rerank.texts", 20000, &arguments, NULL);
    (void)expect_failure(&live, 1, EDDA_E_UNAVAILABLE);
    for (uint8_t i = 2; i < 10; i++) {
        work(&live, i, "rerank.texts", 20000, &arguments, NULL);
        assert_non_null(strstr(expect_failure(&live, i, EDDA_E_UNAVAILABLE), "cohere: 429"));
    }
    assert_int_equal(requests(&live), 1);
    live_role_stop(&live);
}

static void a_cancelled_job_cancels_its_calls(void **state) {
    struct live_role live;
    struct edda_uuid id = {{7, [15] = 1}};
    start(&live, *state);
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm"),
                                              .documents = make_documents(&live, 50)};
    provider_process_set(live.provider, "{\"rerank\":{\"fail\":{\"hang\":true,\"times\":2}}}");
    work(&live, 1, "rerank.texts", 20000, &arguments, NULL);
    for (int64_t until_ms = edda_clock_ms() + FAKE_WAIT_MS;
         provider_process_count(live.provider, "rerank", "open") < 2;) {
        assert_true(edda_clock_ms() < until_ms);
        fake_loop_for(live.loop, 10);
    }
    fake_broker_tell(live.fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
    for (int64_t until_ms = edda_clock_ms() + FAKE_WAIT_MS;
         provider_process_count(live.provider, "rerank", "cancelled") < 2;) {
        assert_true(edda_clock_ms() < until_ms);
        fake_loop_for(live.loop, 10);
    }
    work(&live, 2, "rerank.texts", 20000, &arguments, NULL);
    assert_int_equal(expect_hits(&live, 2).hits.count, 50);
    live_role_stop(&live);
}

/* Searches give a reranker up long before its provider's own time is over. */
static void a_provider_that_never_answers_is_found_out_by_those_who_give_it_up(void **state) {
    struct live_role live;
    start(&live, *state);
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("winter storm"),
                                              .documents = make_documents(&live, 5)};
    provider_process_set(live.provider, "{\"rerank\":{\"hang\":true}}");
    for (uint8_t i = 0; i < 5; i++) {
        work(&live, i, "rerank.texts", 20000, &arguments, NULL);
    }
    fake_loop_for(live.loop, 1500);
    for (uint8_t i = 0; i < 5; i++) {
        struct edda_uuid id = {{7, [15] = i}};
        fake_broker_tell(live.fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
    }
    work(&live, 9, "rerank.texts", 20000, &arguments, NULL);
    (void)expect_failure(&live, 9, EDDA_E_UNAVAILABLE);
    live_role_stop(&live);
}

static void a_provider_that_is_not_set_up_stops_the_role(void **state) {
    struct live_role live;
    static const char *const set[] = {"RERANKING_PROVIDER=cohere", NULL};
    prepare(&live, *state, set);
    live_role_expect_refusal(&live, edda_reranker_main, EDDA_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_asked_for_25_at_a_time_and_merged),
        cmocka_unit_test(hits_are_title_heading_and_text_and_keep_what_they_bring),
        cmocka_unit_test(nothing_to_rank_asks_nobody),
        cmocka_unit_test(a_batch_that_fails_fails_the_job),
        cmocka_unit_test(one_failure_is_tried_again),
        cmocka_unit_test(a_provider_that_is_away_is_not_waited_for),
        cmocka_unit_test(a_cancelled_job_cancels_its_calls),
        cmocka_unit_test(a_provider_that_never_answers_is_found_out_by_those_who_give_it_up),
        cmocka_unit_test(a_provider_that_is_not_set_up_stops_the_role),
    };
    return cmocka_run_group_tests(tests, start_provider, stop_provider);
}
