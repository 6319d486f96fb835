/* tests/gateway/test_searches.c: the search's itinerary, what it does without, and cancelling. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/uuid.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

#define PATH  "/api/v1/search"
#define CHUNK "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0002"
#define MEMO  "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"

static struct edda_hit make_hit(void) {
    struct edda_hit hit = {.score = 0.75,
                           .text = EDDA_TEXT("chunk"),
                           .title = EDDA_TEXT("title"),
                           .snippet = EDDA_TEXT("snippet"),
                           .start = 70,
                           .end = 75};
    assert_int_equal(edda_uuid_parse(EDDA_TEXT(CHUNK), &hit.chunk), 0);
    assert_int_equal(edda_uuid_parse(EDDA_TEXT(MEMO), &hit.memo), 0);
    return hit;
}

#define HIT                                                                                        \
    "{\"chunk_uuid\":\"" CHUNK "\",\"memo_uuid\":\"" MEMO "\",\"memo_title\":\"title\","           \
    "\"memo_summary\":\"\",\"content_snippet\":\"snippet\",\"chunk_content\":\"chunk\","           \
    "\"distance\":0.25,\"start\":70,\"end\":75}"

static void a_search_is_one_itinerary(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    struct edda_store_search search;
    struct edda_rerank_arguments rerank;
    struct edda_hit hit = make_hit();
    struct edda_hits hits = {.hits = {&hit, 1}};
    int fd = send_json(live, "POST", PATH,
                       "{\"query\":\"q\",\"limit\":3,\"filters\":[{\"field\":\"a\","
                       "\"operator\":\"eq\",\"value\":7,\"filter_type\":\"custom_metadata\"}]}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    const struct edda_envelope *envelope = last_envelope(live);
    assert_int_equal(envelope->route_count, 3);
    assert_int_equal(envelope->priority, 0);
    assert_true(envelope->ttl_ms <= 5000 && envelope->ttl_ms > 4000);
    assert_true(edda_text_is(envelope->route[1].op, "store.search"));
    assert_true(edda_text_is(envelope->route[2].op, "rerank"));
    assert_int_equal(envelope->route[2].on_error, EDDA_ON_ERROR_SKIP);
    assert_true(edda_text_is(embed.input_type, "query"));
    assert_true(edda_text_is(embed.texts.items[0], "q"));
    decode_step(live, 1, EDDA_BODY_STORE_SEARCH, &search);
    assert_int_equal(search.limit, 50);
    assert_int_equal(search.filters.count, 1);
    assert_true(edda_text_is(search.filters.items[0].values.items[0], "7"));
    decode_step(live, 2, EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    assert_int_equal(rerank.top_k, 3);
    assert_false(rerank.assemble);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "]}");
}

static void passages_are_assembled_for_who_asks_for_them(void **state) {
    struct live_gateway *live = *state;
    struct edda_rerank_arguments rerank;
    struct edda_hits hits = {0};
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\",\"assemble\":true}");
    struct edda_uuid id = expect_route(live, "embed store.search rerank");
    decode_step(live, 2, EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    assert_true(rerank.assemble);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
    expect_http_json(live, fd, 200, "{\"results\":[]}");
}

static void a_failed_leg_is_named_and_too_many_hits_are_cut(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    struct edda_hit items[2] = {make_hit(), make_hit()};
    struct edda_text leg = EDDA_TEXT("vector");
    struct edda_hits hits = {.hits = {items, 2}, .degraded = {&leg, 1}};
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\",\"limit\":1}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "],\"degraded\":[\"vector\"]}");
}

static void without_a_reranker_the_search_goes_on(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"embed", "store"};
    struct edda_embed_arguments embed;
    struct edda_store_search search;
    struct edda_hit hit = make_hit();
    struct edda_hits hits = {.hits = {&hit, 1}};
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\",\"limit\":4}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    fail_call(live, &id, EDDA_E_NO_SERVICE);
    answer_look(live, names, 2);
    id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    assert_int_equal(last_envelope(live)->route_count, 2);
    decode_step(live, 1, EDDA_BODY_STORE_SEARCH, &search);
    assert_int_equal(search.limit, 4);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "],\"degraded\":[\"rerank\"]}");
    fake_loop_for(live_gateway_loop(live), 1100);
}

static void without_an_embedder_words_are_searched(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"rerank", "store"};
    struct edda_embed_arguments embed;
    struct edda_store_search search;
    struct edda_hit hit = make_hit();
    struct edda_hits hits = {.hits = {&hit, 1}};
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    answer_look(live, names, 2);
    id = expect_call(live, "store.words", EDDA_BODY_STORE_SEARCH, &search);
    assert_int_equal(last_envelope(live)->route_count, 2);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "],\"degraded\":[\"vector\"]}");
    fake_loop_for(live_gateway_loop(live), 1100);
}

static void without_a_store_it_fails_at_once(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"embed", "rerank"};
    struct edda_embed_arguments embed;
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    fail_call(live, &id, EDDA_E_NO_SERVICE);
    answer_look(live, names, 2);
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_string_equal(answer->body, "{\"error\":\"no worker offers this stage\"}");
    assert_non_null(strstr(answer->head, "Retry-After: "));
    free_answer(&answer);
    (void)close(fd);
}

static void a_client_that_hangs_up_cancels_its_search(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    (void)close(fd);
    const struct edda_wire *wire =
        fake_broker_expect(live_gateway_broker(live), FAKE_FRONT, EDDA_CANCEL);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &id));
}

static void an_expired_search_is_504(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    fail_call(live, &id, EDDA_E_EXPIRED);
    expect_http_json(live, fd, 504, "{\"error\":\"deadline exceeded\"}");
}

static void comparing_with_null_asks_nobody(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", PATH,
                       "{\"query\":\"q\",\"filters\":[{\"field\":\"title\",\"operator\":\"eq\","
                       "\"value\":null,\"filter_type\":\"native_field\"}]}");
    expect_http_json(live, fd, 200, "{\"results\":[]}");
    expect_no_call(live);
}

/* Answers the next search, which must ask for this model, with hits that name another. */
static void answer_naming(struct live_gateway *live, const char *asked, const char *named) {
    struct edda_embed_arguments embed;
    struct edda_hit hit = make_hit();
    struct edda_text leg = EDDA_TEXT("vector");
    struct edda_hits hits = {.hits = {&hit, 1},
                             .degraded = {&leg, named ? 1 : 0},
                             .model = edda_text_of(named),
                             .dimension = named ? 8 : 0};
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    assert_int_equal(last_envelope(live)->route_count, 3);
    assert_true(edda_text_is(embed.model, asked));
    assert_int_equal(embed.dimension, *asked ? 8 : 0);
    answer_call(live, &id, EDDA_BODY_HITS, &hits);
}

static void a_project_served_by_another_model_is_asked_again_with_it(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    answer_naming(live, "", "old");
    answer_naming(live, "old", NULL);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "]}");
    /* The next is right at once. */
    fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    answer_naming(live, "old", NULL);
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "]}");
}

static void nothing_is_asked_more_than_once_again_for_its_model(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    answer_naming(live, "old", "new");
    answer_naming(live, "new", "newest");
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "],\"degraded\":[\"vector\"]}");
    /* An embedder that does not speak the model is not asked for it twice. */
    fd = send_json(live, "POST", PATH, "{\"query\":\"q\"}");
    answer_naming(live, "newest", "newest");
    expect_http_json(live, fd, 200, "{\"results\":[" HIT "],\"degraded\":[\"vector\"]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_is_one_itinerary),
        cmocka_unit_test(passages_are_assembled_for_who_asks_for_them),
        cmocka_unit_test(a_failed_leg_is_named_and_too_many_hits_are_cut),
        cmocka_unit_test(without_a_reranker_the_search_goes_on),
        cmocka_unit_test(without_an_embedder_words_are_searched),
        cmocka_unit_test(without_a_store_it_fails_at_once),
        cmocka_unit_test(a_client_that_hangs_up_cancels_its_search),
        cmocka_unit_test(an_expired_search_is_504),
        cmocka_unit_test(comparing_with_null_asks_nobody),
        cmocka_unit_test(a_project_served_by_another_model_is_asked_again_with_it),
        cmocka_unit_test(nothing_is_asked_more_than_once_again_for_its_model),
    };
    return cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
