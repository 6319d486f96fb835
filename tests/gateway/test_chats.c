/* tests/gateway/test_chats.c: a chat's itinerary, its history and its answer in one piece. */
#include <stdio.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

#define CHAT  "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0003"
#define MEMO  "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
#define ROUTE "embed store.search rerank llm.answer"

static struct edda_source make_source(uint32_t number, const char *title) {
    struct edda_source source = {.number = number, .title = edda_text_of(title), .end = 36};
    assert_int_equal(edda_uuid_parse(EDDA_TEXT(MEMO), &source.memo), 0);
    source.chunk = source.memo;
    return source;
}

/* The answer's body with its chat_id, which nobody knows before, replaced by "ID". */
static void expect_chat(struct live_gateway *live, int fd, const char *json) {
    struct http_answer *answer = expect_http(live, fd, 200);
    struct edda_uuid uuid;
    const char *id = json_string_value(json_object_get(answer->json, "chat_id"));
    assert_non_null(id);
    assert_int_equal(edda_uuid_parse(edda_text_of(id), &uuid), 0);
    char *at = strstr(answer->body, id);
    memcpy(at, "ID", 2);
    memmove(at + 2, at + 36, strlen(at + 36) + 1);
    assert_string_equal(answer->body, json);
    free_answer(&answer);
    (void)close(fd);
}

#define PLAIN(text)                                                                                \
    "{\"ok\":true,\"chat_id\":\"ID\",\"response\":\"" text "\",\"intermediate_steps\":[]"

static void a_chat_is_one_itinerary_and_is_saved_after_it(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    struct edda_store_search search;
    struct edda_rerank_arguments rerank;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\",\"system_prompt\":\"be brief\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    const struct edda_envelope *envelope = last_envelope(live);
    assert_true(envelope->ttl_ms <= 120000 && envelope->ttl_ms > 110000);
    assert_int_equal(envelope->route[2].on_error, EDDA_ON_ERROR_SKIP);
    assert_int_equal(envelope->route[0].budget_ms, 5000 / 3);
    assert_int_equal(envelope->flags & EDDA_FLAG_STREAMING, 0);
    decode_step(live, 0, EDDA_BODY_EMBED_ARGUMENTS, &embed);
    assert_true(edda_text_is(embed.texts.items[0], "q"));
    decode_step(live, 1, EDDA_BODY_STORE_SEARCH, &search);
    assert_int_equal(search.limit, 50);
    assert_true(search.minimum_cosine == 0);
    decode_step(live, 2, EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    assert_int_equal(rerank.top_k, 25);
    struct edda_llm_answer arguments = last_answer_arguments(live);
    assert_true(edda_text_is(arguments.query, "q"));
    assert_true(edda_text_is(arguments.system_prompt, "be brief"));
    assert_null(arguments.provider.data);
    assert_int_equal(arguments.passages, 25);
    assert_int_equal(arguments.history.count, 0);
    /* Nobody reads its parts, so the worker never has to wait for that. */
    struct edda_credit_grant grant = expect_stream_credit(live, &id);
    assert_true(grant.messages >= EDDA_MAX_ANSWER_BYTES && grant.bytes >= EDDA_MAX_ANSWER_BYTES);
    answer_chat(live, &id, "the \"answer\"", NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    assert_true(edda_text_is(turn.query, "q"));
    assert_true(edda_text_is(turn.text, "the \"answer\""));
    assert_true(edda_text_is(turn.system_prompt, "be brief"));
    assert_null(turn.error.data);
    assert_true(turn.asked_wall_ms > INT64_C(1700000000000));
    assert_false(edda_uuid_is_nil(&turn.chat) || edda_uuid_equal(&turn.question, &turn.answer));
    expect_chat(live, fd, PLAIN("the \\\"answer\\\"") "}");
}

static void settings_reach_the_steps(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_search search;
    int fd = send_json(live, "POST", CHAT_PATH,
                       "{\"query\":\"q\",\"filters\":[{\"field\":\"a\",\"operator\":\"eq\","
                       "\"value\":7,\"filter_type\":\"custom_metadata\"}],\"rag_config\":{"
                       "\"llmProvider\":\"local\",\"vectorSearch\":{\"topK\":200,"
                       "\"similarityThreshold\":0.25},\"reranking\":{\"enabled\":false}}}");
    struct edda_uuid id = expect_route(live, "embed store.search llm.answer");
    decode_step(live, 1, EDDA_BODY_STORE_SEARCH, &search);
    assert_int_equal(search.limit, 200);
    assert_true(search.minimum_cosine == 0.75);
    assert_int_equal(search.filters.count, 1);
    struct edda_llm_answer arguments = last_answer_arguments(live);
    assert_int_equal(arguments.passages, 200);
    assert_true(edda_text_is(arguments.provider, "local"));
    answer_chat(live, &id, "a", NULL, 0);
    (void)expect_saved(live);
    expect_chat(live, fd, PLAIN("a") "}");
}

static void references_are_given_when_asked_for(void **state) {
    struct live_gateway *live = *state;
    struct edda_source sources[2] = {make_source(1, "Tea"), make_source(2, "\"Tea\"")};
    for (int asked = 0; asked < 2; asked++) {
        int fd = send_json(live, "POST", CHAT_PATH,
                           asked ? "{\"query\":\"q\",\"rag_config\":{\"references\":"
                                   "{\"enabled\":true}}}"
                                 : "{\"query\":\"q\"}");
        struct edda_uuid id = expect_route(live, ROUTE);
        const struct edda_answer answer = {
            .text = EDDA_TEXT("a [[1]]"), .sources = {sources, 2}, .extractive = true};
        answer_call(live, &id, EDDA_BODY_ANSWER, &answer);
        (void)expect_saved(live);
        expect_chat(live, fd,
                    asked ? PLAIN("a [[1]]") ",\"references\":{\"1\":{\"memo_uuid\":\"" MEMO
                                             "\",\"memo_title\":\"Tea\",\"start\":0,"
                                             "\"end\":36},\"2\":{\"memo_uuid\":"
                                             "\"" MEMO "\",\"memo_title\":\"\\\"Tea\\\"\","
                                             "\"start\":0,\"end\":36}},"
                                             "\"extractive\":true}"
                          : PLAIN("a [[1]]") ",\"extractive\":true}");
    }
}

static void answer_history(struct live_gateway *live) {
    struct edda_store_chat_select select;
    struct edda_store_message messages[] = {
        {.sent_by = EDDA_TEXT("model"), .content = EDDA_TEXT("cut off from its question")},
        {.sent_by = EDDA_TEXT("user"), .content = EDDA_TEXT("first")},
        {.sent_by = EDDA_TEXT("model"), .content = EDDA_TEXT("one")},
        {.sent_by = EDDA_TEXT("user"), .content = EDDA_TEXT("second")},
        {.sent_by = EDDA_TEXT("model"), .content = EDDA_TEXT(""), .error = EDDA_TEXT("broke")},
    };
    struct edda_store_chat chat = {.messages = {messages, 5}};
    struct edda_uuid id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    assert_true(edda_text_is(select.id, CHAT));
    assert_true(select.latest);
    assert_int_equal(select.history_bytes, 16384);
    answer_call(live, &id, EDDA_BODY_STORE_CHAT, &chat);
}

static void expect_history(const struct edda_llm_messages *history) {
    assert_int_equal(history->count, 3);
    assert_true(edda_text_is(history->items[0].role, "user"));
    assert_true(edda_text_is(history->items[0].content, "first"));
    assert_true(edda_text_is(history->items[1].role, "assistant"));
    assert_true(edda_text_is(history->items[1].content, "one"));
    assert_true(edda_text_is(history->items[2].content, "second"));
}

static void a_known_chat_goes_on_with_its_history(void **state) {
    struct live_gateway *live = *state;
    struct edda_uuid chat;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\",\"chat_id\":\"" CHAT "\"}");
    answer_history(live);
    struct edda_uuid id = expect_route(live, ROUTE);
    struct edda_llm_answer arguments = last_answer_arguments(live);
    expect_history(&arguments.history);
    answer_chat(live, &id, "a", NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    assert_int_equal(edda_uuid_parse(EDDA_TEXT(CHAT), &chat), 0);
    assert_true(edda_uuid_equal(&turn.chat, &chat));
    expect_http_json(live, fd, 200,
                     "{\"ok\":true,\"chat_id\":\"" CHAT
                     "\",\"response\":\"a\",\"intermediate_steps\":[]}");
}

static void an_unknown_chat_is_404(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_chat_select select;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\",\"chat_id\":\"" CHAT "\"}");
    struct edda_uuid id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    fail_call(live, &id, EDDA_E_NOT_FOUND);
    expect_http_json(live, fd, 404, "{\"error\":\"Chat not found\"}");
    fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\",\"chat_id\":\"mine\"}");
    expect_http_json(live, fd, 404, "{\"error\":\"Chat not found\"}");
    expect_no_call(live);
}

#define REWRITING "\"rag_config\":{\"query_rewrite\":{\"enabled\":true}}"

static void a_rewritten_question_is_searched_for_and_the_original_answered(void **state) {
    struct live_gateway *live = *state;
    struct edda_llm_rewrite rewrite;
    struct edda_embed_arguments embed;
    struct edda_store_search search;
    struct edda_rerank_arguments rerank;
    const struct edda_rewritten rewritten = {.query = EDDA_TEXT("how hot is tea?")};
    int fd = send_json(live, "POST", CHAT_PATH,
                       "{\"query\":\"and tea?\",\"chat_id\":\"" CHAT "\"," REWRITING "}");
    answer_history(live);
    struct edda_uuid id = expect_call(live, "llm.rewrite", EDDA_BODY_LLM_REWRITE, &rewrite);
    assert_true(edda_text_is(rewrite.query, "and tea?"));
    expect_history(&rewrite.history);
    answer_call(live, &id, EDDA_BODY_REWRITTEN, &rewritten);
    id = expect_route(live, ROUTE);
    decode_step(live, 0, EDDA_BODY_EMBED_ARGUMENTS, &embed);
    assert_true(edda_text_is(embed.texts.items[0], "how hot is tea?"));
    decode_step(live, 1, EDDA_BODY_STORE_SEARCH, &search);
    assert_true(edda_text_is(search.query, "how hot is tea?"));
    decode_step(live, 2, EDDA_BODY_RERANK_ARGUMENTS, &rerank);
    assert_true(edda_text_is(rerank.query, "how hot is tea?"));
    assert_true(edda_text_is(last_answer_arguments(live).query, "and tea?"));
    answer_chat(live, &id, "a", NULL, 0);
    assert_true(edda_text_is(expect_saved(live).query, "and tea?"));
    expect_chat(live, fd, PLAIN("a") "}");
}

static void without_a_rewrite_the_chat_goes_on(void **state) {
    struct live_gateway *live = *state;
    struct edda_llm_rewrite rewrite;
    struct edda_embed_arguments embed;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"," REWRITING "}");
    struct edda_uuid id = expect_call(live, "llm.rewrite", EDDA_BODY_LLM_REWRITE, &rewrite);
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    id = expect_route(live, ROUTE);
    decode_step(live, 0, EDDA_BODY_EMBED_ARGUMENTS, &embed);
    assert_true(edda_text_is(embed.texts.items[0], "q"));
    answer_chat(live, &id, "a", NULL, 0);
    (void)expect_saved(live);
    expect_chat(live, fd, PLAIN("a") ",\"degraded\":[\"rewrite\"]}");
}

static void a_failed_model_is_unavailable_and_not_tried_again(void **state) {
    struct live_gateway *live = *state;
    static const int codes[] = {EDDA_E_UNAVAILABLE, EDDA_E_FAILED, EDDA_E_TIMEOUT, EDDA_E_EXPIRED,
                                EDDA_E_STREAM_BROKEN};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
        struct edda_uuid id = expect_route(live, ROUTE);
        fail_step(live, &id, 3, codes[i], "openai: 401 no such key");
        struct http_answer *answer = expect_http(live, fd, 503);
        assert_string_equal(answer->body, "{\"error\":\"Chat agent unavailable\","
                                          "\"reason\":\"openai: 401 no such key\"}");
        assert_non_null(strstr(answer->head, "Retry-After: "));
        free_answer(&answer);
        (void)close(fd);
    }
    expect_no_call(live);
}

static void a_provider_that_is_not_there_is_the_clients_fault(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", CHAT_PATH,
                       "{\"query\":\"q\",\"rag_config\":{\"llm_provider\":\"openai\"}}");
    struct edda_uuid id = expect_route(live, ROUTE);
    fail_step(live, &id, 3, EDDA_E_INVALID,
              "Invalid LLM provider: openai. Supported providers: local");
    expect_http_json(live, fd, 400,
                     "{\"error\":\"Invalid LLM provider: openai. Supported providers: local\"}");
}

static void a_failed_search_says_what_a_search_says(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    fail_call(live, &id, EDDA_E_EXPIRED);
    expect_http_json(live, fd, 504, "{\"error\":\"deadline exceeded\"}");
    fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    id = expect_route(live, ROUTE);
    fail_step(live, &id, 1, EDDA_E_IO, "disk");
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_string_equal(answer->body, "{\"error\":\"the disk or database failed\"}");
    free_answer(&answer);
    (void)close(fd);
}

static void without_an_embedder_words_are_answered_from(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"rerank", "store", "llm"};
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    answer_look(live, names, 3);
    id = expect_route(live, "store.words rerank llm.answer");
    answer_chat(live, &id, "a", NULL, 0);
    (void)expect_saved(live);
    expect_chat(live, fd, PLAIN("a") ",\"degraded\":[\"vector\"]}");
    fake_loop_for(live_gateway_loop(live), 1100);
}

static void without_a_model_there_is_no_chat(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"embed", "rerank", "store"};
    /* As the broker says it, and as a look at the broker does. */
    for (uint8_t step = 0; step < 4; step += 3) {
        int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
        struct edda_uuid id = expect_route(live, ROUTE);
        fail_step(live, &id, step, EDDA_E_NO_SERVICE, "no worker offers this stage");
        if (step == 0) {
            answer_look(live, names, 3);
        }
        struct http_answer *answer = expect_http(live, fd, 503);
        assert_string_equal(answer->body, "{\"error\":\"Chat agent unavailable\","
                                          "\"reason\":\"no worker offers this stage\"}");
        free_answer(&answer);
        (void)close(fd);
    }
    expect_no_call(live);
}

static void an_answer_that_cannot_be_saved_stands(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_turn turn;
    struct edda_text skipped = EDDA_TEXT("vector");
    const struct edda_answer answer = {.text = EDDA_TEXT("a"), .degraded = {&skipped, 1}};
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    answer_call(live, &id, EDDA_BODY_ANSWER, &answer);
    id = expect_call(live, "store.chat_save", EDDA_BODY_STORE_TURN, &turn);
    fail_call(live, &id, EDDA_E_IO);
    expect_chat(live, fd, PLAIN("a") ",\"degraded\":[\"vector\",\"save\"]}");
}

static void a_client_that_hangs_up_cancels_its_answer(void **state) {
    struct live_gateway *live = *state;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    send_part(live, &id, 0, "unread");
    (void)close(fd);
    expect_cancel(live, &id);
    expect_no_call(live);
}

static void the_model_that_serves_a_project_is_learned_from_answers(void **state) {
    struct live_gateway *live = *state;
    struct edda_embed_arguments embed;
    const struct edda_answer answer = {
        .text = EDDA_TEXT("a"), .serving_model = EDDA_TEXT("other"), .serving_dimension = 8};
    for (int i = 0; i < 2; i++) {
        int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
        struct edda_uuid id = expect_route(live, ROUTE);
        decode_step(live, 0, EDDA_BODY_EMBED_ARGUMENTS, &embed);
        assert_true(edda_text_is(embed.model, i ? "other" : ""));
        assert_int_equal(embed.dimension, i ? 8 : 0);
        answer_call(live, &id, EDDA_BODY_ANSWER, &answer);
        (void)expect_saved(live);
        expect_chat(live, fd, PLAIN("a") "}");
    }
}

static void a_silent_model_is_given_up(void **state) {
    static const char *const flags[] = {"--chat-idle-ms", "300", NULL};
    struct live_gateway *live = live_gateway_start(flags);
    (void)state;
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct edda_uuid id = expect_route(live, ROUTE);
    send_progress(live, &id, 3);
    expect_cancel(live, &id);
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_string_equal(answer->body, "{\"error\":\"Chat agent unavailable\"}");
    free_answer(&answer);
    (void)close(fd);
    live_gateway_stop(&live);
}

static void more_chats_than_the_limit_are_refused(void **state) {
    struct live_gateway *live = *state;
    enum { LIMIT = EDDA_CLIENT_WINDOW * 3 / 4 };
    struct edda_embed_arguments embed;
    int fds[LIMIT];
    struct edda_uuid ids[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
        ids[i] = expect_route(live, ROUTE);
    }
    int fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    struct http_answer *answer = expect_http(live, fd, 503);
    assert_string_equal(answer->body, "{\"error\":\"overloaded\"}");
    assert_non_null(strstr(answer->head, "Retry-After: "));
    free_answer(&answer);
    /* There is room for searches. */
    int search = send_json(live, "POST", "/api/v1/search", "{\"query\":\"q\"}");
    struct edda_uuid id = expect_call(live, "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
    fail_call(live, &id, EDDA_E_EXPIRED);
    expect_http_json(live, search, 504, "{\"error\":\"deadline exceeded\"}");
    for (int i = 0; i < LIMIT; i++) {
        fail_step(live, &ids[i], 3, EDDA_E_FAILED, "no");
        expect_http_json(live, fds[i], 503,
                         "{\"error\":\"Chat agent unavailable\",\"reason\":\"no\"}");
    }
    (void)close(fd);
    /* And again for a chat. */
    fd = send_json(live, "POST", CHAT_PATH, "{\"query\":\"q\"}");
    id = expect_route(live, ROUTE);
    answer_chat(live, &id, "a", NULL, 0);
    (void)expect_saved(live);
    expect_chat(live, fd, PLAIN("a") "}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_is_one_itinerary_and_is_saved_after_it),
        cmocka_unit_test(settings_reach_the_steps),
        cmocka_unit_test(references_are_given_when_asked_for),
        cmocka_unit_test(a_known_chat_goes_on_with_its_history),
        cmocka_unit_test(an_unknown_chat_is_404),
        cmocka_unit_test(a_rewritten_question_is_searched_for_and_the_original_answered),
        cmocka_unit_test(without_a_rewrite_the_chat_goes_on),
        cmocka_unit_test(a_failed_model_is_unavailable_and_not_tried_again),
        cmocka_unit_test(a_provider_that_is_not_there_is_the_clients_fault),
        cmocka_unit_test(a_failed_search_says_what_a_search_says),
        cmocka_unit_test(without_an_embedder_words_are_answered_from),
        cmocka_unit_test(without_a_model_there_is_no_chat),
        cmocka_unit_test(an_answer_that_cannot_be_saved_stands),
        cmocka_unit_test(a_client_that_hangs_up_cancels_its_answer),
        cmocka_unit_test(the_model_that_serves_a_project_is_learned_from_answers),
        cmocka_unit_test(more_chats_than_the_limit_are_refused),
        cmocka_unit_test(a_silent_model_is_given_up),
    };
    return cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
