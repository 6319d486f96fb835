/* tests/gateway/test_chat_streams.c: an answer as events: how it begins, how fast it may go, how it
 * ends when it breaks. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

#define MEMO     "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
#define ROUTE    "embed store.search rerank llm.answer"
#define QUESTION "{\"query\":\"q\",\"stream\":true}"
#define REFERENCED                                                                                 \
    "{\"query\":\"q\",\"stream\":true,\"rag_config\":{\"references\":{\"enabled\":true}}}"
#define LINE_LIMIT 65536 /* of Go's bufio.Scanner, line end included */
#define ERROR(why)                                                                                 \
    "data: {\"type\":\"error\",\"content\":\"An error occurred\",\"reason\":\"" why "\"}"

static void expect_token(struct live_stream *stream, const char *text) {
    char event[256];
    (void)snprintf(event, sizeof event, "data: {\"type\":\"token\",\"content\":\"%s\"}", text);
    expect_event(stream, event);
}

static void expect_done(struct live_stream *stream, const struct edda_uuid *chat,
                        const char *more) {
    char id[EDDA_UUID_TEXT];
    char event[256];
    edda_uuid_format(chat, id);
    (void)snprintf(event, sizeof event, "data: {\"type\":\"done\",\"chat_id\":\"%s\"%s}", id, more);
    expect_event_after_pings(stream, event);
    expect_last(stream);
}

static void a_stream_is_a_token_for_each_part_then_done(void **state) {
    struct live_gateway *live = *state;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    assert_int_equal(last_envelope(live)->flags & EDDA_FLAG_STREAMING, EDDA_FLAG_STREAMING);
    send_part(live, &id, 0, "The");
    expect_stream_head(stream);
    expect_event(stream, ": ping");
    expect_token(stream, "The");
    send_part(live, &id, 1, " \"answer\"\n");
    expect_token(stream, " \\\"answer\\\"\\n");
    answer_chat(live, &id, "The \"answer\"\n", NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    assert_true(edda_text_is(turn.text, "The \"answer\"\n"));
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
}

static void references_follow_the_tokens_as_json_in_a_string(void **state) {
    struct live_gateway *live = *state;
    struct edda_source source = {
        .number = 1, .title = EDDA_TEXT("A \"tea\""), .start = 7, .end = 36};
    assert_int_equal(edda_uuid_parse(EDDA_TEXT(MEMO), &source.memo), 0);
    struct live_stream *stream = open_stream(live, REFERENCED);
    struct edda_uuid id = expect_route(live, ROUTE);
    struct edda_text leg = EDDA_TEXT("vector");
    const struct edda_answer answer = {.text = EDDA_TEXT("a [[1]]"),
                                       .sources = {&source, 1},
                                       .degraded = {&leg, 1},
                                       .extractive = true};
    send_part(live, &id, 0, "a [[1]]");
    answer_call(live, &id, EDDA_BODY_ANSWER, &answer);
    struct edda_store_turn turn = expect_saved(live);
    expect_stream_head(stream);
    expect_event(stream, ": ping");
    expect_token(stream, "a [[1]]");
    expect_event(stream,
                 "data: {\"type\":\"references\",\"content\":\"{\\\"1\\\":{\\\"memo_uuid\\\":"
                 "\\\"" MEMO "\\\",\\\"memo_title\\\":\\\"A \\\\\\\"tea\\\\\\\"\\\","
                 "\\\"start\\\":7,\\\"end\\\":36}}\"}");
    expect_done(stream, &turn.chat, ",\"extractive\":true,\"degraded\":[\"vector\"]");
    close_stream(&stream);
}

static void what_came_in_no_part_is_streamed_all_the_same(void **state) {
    struct live_gateway *live = *state;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    send_part(live, &id, 0, "one ");
    answer_chat(live, &id, "one two", NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    expect_event(stream, ": ping");
    expect_token(stream, "one ");
    expect_token(stream, "two");
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
}

static void a_failure_before_the_first_sign_is_a_plain_answer(void **state) {
    struct live_gateway *live = *state;
    static const struct {
        uint8_t step;
        int code;
        int status;
        const char *json;
    } cases[] = {
        {1, EDDA_E_IO, 503, "{\"error\":\"the disk or database failed\"}"},
        {0, EDDA_E_EXPIRED, 504, "{\"error\":\"deadline exceeded\"}"},
        {3, EDDA_E_UNAVAILABLE, 503,
         "{\"error\":\"Chat agent unavailable\",\"reason\":\"no such provider\"}"},
        {3, EDDA_E_INVALID, 400, "{\"error\":\"no such provider\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = send_json(live, "POST", CHAT_PATH, QUESTION);
        struct edda_uuid id = expect_route(live, ROUTE);
        send_progress(live, &id, 1);
        fail_step(live, &id, cases[i].step, cases[i].code, "no such provider");
        expect_http_json(live, fd, cases[i].status, cases[i].json);
    }
    expect_no_call(live);
}

static void a_first_sign_of_the_model_begins_the_stream(void **state) {
    struct live_gateway *live = *state;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    send_progress(live, &id, 3);
    fail_step(live, &id, 3, EDDA_E_UNAVAILABLE, "openai: 401 no such key");
    expect_stream_head(stream);
    expect_event(stream, ": ping");
    expect_event(stream, ERROR("openai: 401 no such key"));
    struct edda_store_turn turn = expect_saved(live);
    assert_true(edda_text_is(turn.text, ""));
    assert_true(edda_text_is(turn.error, "openai: 401 no such key"));
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
}

static void a_stream_begins_after_a_second_of_nothing(void **state) {
    struct live_gateway *live = *state;
    static const char *const names[] = {"rerank", "store", "llm"};
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    expect_stream_head(stream);
    expect_event(stream, ": ping");
    /* Nothing has been delivered: the route that is left may still be tried. */
    fail_call(live, &id, EDDA_E_UNAVAILABLE);
    answer_look(live, names, 3);
    id = expect_route(live, "store.words rerank llm.answer");
    send_part(live, &id, 0, "words");
    expect_token(stream, "words");
    answer_chat(live, &id, "words", NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    expect_done(stream, &turn.chat, ",\"degraded\":[\"vector\"]");
    close_stream(&stream);
}

static void a_broken_stream_says_so_and_is_saved_as_far_as_it_came(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_turn turn;
    const struct edda_empty nothing = {0};
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    send_part(live, &id, 0, "half an ");
    fail_step(live, &id, 3, EDDA_E_STREAM_BROKEN, "worker died");
    expect_event(stream, ": ping");
    expect_token(stream, "half an ");
    expect_event(stream, ERROR("worker died"));
    id = expect_call(live, "store.chat_save", EDDA_BODY_STORE_TURN, &turn);
    assert_true(edda_text_is(turn.text, "half an "));
    assert_true(edda_text_is(turn.error, "worker died"));
    struct edda_uuid chat = turn.chat;
    /* Done waits for the store. */
    expect_silence(stream);
    answer_call(live, &id, EDDA_BODY_EMPTY, &nothing);
    expect_done(stream, &chat, "");
    close_stream(&stream);
}

static void done_comes_when_the_store_is_silent(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_turn turn;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    send_part(live, &id, 0, "half");
    fail_step(live, &id, 3, EDDA_E_STREAM_BROKEN, "worker died");
    (void)expect_call(live, "store.chat_save", EDDA_BODY_STORE_TURN, &turn);
    assert_true(last_envelope(live)->ttl_ms <= 2000);
    struct edda_uuid chat = turn.chat;
    expect_event(stream, ": ping");
    expect_token(stream, "half");
    expect_event(stream, ERROR("worker died"));
    expect_done(stream, &chat, ",\"degraded\":[\"save\"]");
    close_stream(&stream);
}

static void a_clients_fault_after_the_beginning_is_not_saved(void **state) {
    struct live_gateway *live = *state;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    send_progress(live, &id, 3);
    expect_event(stream, ": ping");
    fail_step(live, &id, 3, EDDA_E_INVALID, "Invalid LLM provider: x. Supported providers: local");
    expect_event(stream, ERROR("Invalid LLM provider: x. Supported providers: local"));
    assert_memory_equal(take_event(stream), "data: {\"type\":\"done\",", 21);
    expect_last(stream);
    expect_no_call(live);
    close_stream(&stream);
}

static void parts_that_are_none_break_the_stream(void **state) {
    struct live_gateway *live = *state;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    fake_broker_part(live_gateway_broker(live), &id, 0);
    expect_cancel(live, &id);
    expect_event(stream, ": ping");
    expect_event(stream, ERROR("body type not accepted by this stage"));
    struct edda_store_turn turn = expect_saved(live);
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
}

/* Reads tokens until they make up the text; every line is one that all SDKs can read. */
static void expect_tokens(struct live_stream *stream, const char *text, size_t size,
                          size_t *ret_lines) {
    size_t at = 0;
    *ret_lines = 0;
    while (at < size) {
        const char *event = take_event(stream);
        assert_true(strlen(event) + 1 < LINE_LIMIT);
        assert_memory_equal(event, "data: ", 6);
        json_t *json = json_loads(event + 6, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(json, "type")), "token");
        const json_t *content = json_object_get(json, "content");
        assert_true(at + json_string_length(content) <= size);
        assert_memory_equal(json_string_value(content), text + at, json_string_length(content));
        at += json_string_length(content);
        json_decref(json);
        (*ret_lines)++;
    }
}

static void a_large_part_becomes_lines_that_every_client_can_read(void **state) {
    struct live_gateway *live = *state;
    enum { SIZE = 60000 };
    char *text = calloc(1, SIZE + 1);
    size_t lines;
    struct live_stream *stream = open_stream(live, QUESTION);
    struct edda_uuid id = expect_route(live, ROUTE);
    /* Each byte is six when escaped, and a character stands on every possible cut. */
    memset(text, 1, SIZE / 2);
    for (size_t i = SIZE / 2; i < SIZE; i += 3) {
        memcpy(text + i, "\xe6\xbc\xa2", 3);
    }
    send_part(live, &id, 0, text);
    expect_event(stream, ": ping");
    expect_tokens(stream, text, SIZE, &lines);
    assert_true(lines >= SIZE / 2 * 6 / LINE_LIMIT);
    answer_chat(live, &id, text, NULL, 0);
    struct edda_store_turn turn = expect_saved(live);
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
    free(text);
}

static void many_references_fit_a_line(void **state) {
    struct live_gateway *live = *state;
    enum { COUNT = 200, TITLE = 255 };
    struct edda_source *sources = calloc(COUNT, sizeof *sources);
    char title[TITLE + 1];
    /* "\u0001" within a string within a string: seven bytes each. */
    memset(title, 1, TITLE);
    title[TITLE] = '\0';
    for (uint32_t i = 0; i < COUNT; i++) {
        sources[i] = (struct edda_source){
            .number = i + 1, .title = edda_text_of(title), .start = UINT32_MAX, .end = UINT32_MAX};
        assert_int_equal(edda_uuid_parse(EDDA_TEXT(MEMO), &sources[i].memo), 0);
    }
    struct live_stream *stream = open_stream(live, REFERENCED);
    struct edda_uuid id = expect_route(live, ROUTE);
    answer_chat(live, &id, "a", sources, COUNT);
    struct edda_store_turn turn = expect_saved(live);
    expect_event(stream, ": ping");
    expect_token(stream, "a");
    const char *event = take_event(stream);
    assert_true(strlen(event) + 1 < LINE_LIMIT);
    json_t *json = json_loads(event + 6, 0, NULL);
    json_t *all = json_loads(json_string_value(json_object_get(json, "content")), 0, NULL);
    assert_int_equal(json_object_size(all), COUNT);
    json_decref(all);
    json_decref(json);
    expect_done(stream, &turn.chat, "");
    close_stream(&stream);
    free(sources);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_a_token_for_each_part_then_done),
        cmocka_unit_test(references_follow_the_tokens_as_json_in_a_string),
        cmocka_unit_test(what_came_in_no_part_is_streamed_all_the_same),
        cmocka_unit_test(a_failure_before_the_first_sign_is_a_plain_answer),
        cmocka_unit_test(a_first_sign_of_the_model_begins_the_stream),
        cmocka_unit_test(a_stream_begins_after_a_second_of_nothing),
        cmocka_unit_test(a_broken_stream_says_so_and_is_saved_as_far_as_it_came),
        cmocka_unit_test(done_comes_when_the_store_is_silent),
        cmocka_unit_test(a_clients_fault_after_the_beginning_is_not_saved),
        cmocka_unit_test(parts_that_are_none_break_the_stream),
        cmocka_unit_test(a_large_part_becomes_lines_that_every_client_can_read),
        cmocka_unit_test(many_references_fit_a_line),
    };
    return cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
