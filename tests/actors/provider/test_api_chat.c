/* tests/actors/provider/test_api_chat.c: prompts out, streams in, whole and broken. */
#include "tests/actors/provider/accounts.h"
#include "tests/proto/cmocka.h"

#include <stdio.h>

static struct edda_llm_message messages[] = {
    {EDDA_TEXT("user"), EDDA_TEXT("hi")},
    {EDDA_TEXT("assistant"), EDDA_TEXT("hello \"you\"")},
    {EDDA_TEXT("user"), EDDA_TEXT("more")},
    {EDDA_TEXT("user"), EDDA_TEXT("please")},
};
static const struct edda_chat_prompt prompt = {
    .system = EDDA_TEXT("be brief"), .messages = {messages, 4}, .max_tokens = 99};

static const char *build(enum edda_provider_kind kind, struct edda_api_request *request) {
    struct edda_account account = account_of(kind);
    edda_api_request_init(request, 65536);
    assert_int_equal(edda_chat_build(&account, &prompt, request), 0);
    assert_int_equal(edda_buffer_append(&request->body, "", 1), 0);
    return (const char *)request->body.data;
}

static void each_provider_is_asked_in_its_own_words(void **state) {
    (void)state;
    struct edda_api_request request;
    assert_string_equal(
        build(EDDA_PROVIDER_OPENAI, &request),
        "{\"model\":\"m1\",\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
        "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"hello "
        "\\\"you\\\"\"},{\"role\":\"user\",\"content\":\"more\"},{\"role\":\"user\",\"content\":"
        "\"please\"}],\"stream\":true,\"temperature\":0,\"max_completion_tokens\":99,"
        "\"stream_options\":{\"include_usage\":true}}");
    assert_string_equal(request.url, "http://host/base/chat/completions");
    assert_true(has_header(&request, "Authorization: Bearer k1"));
    assert_true(has_header(&request, "Accept: application/json"));
    edda_api_request_done(&request);
    assert_non_null(strstr(build(EDDA_PROVIDER_GROQ, &request), "\"max_tokens\":99"));
    edda_api_request_done(&request);
    assert_non_null(strstr(build(EDDA_PROVIDER_LOCAL, &request), "\"max_tokens\":99"));
    edda_api_request_done(&request);
    assert_string_equal(
        build(EDDA_PROVIDER_ANTHROPIC, &request),
        "{\"model\":\"m1\",\"max_tokens\":99,\"system\":\"be brief\",\"messages\":[{\"role\":"
        "\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"hello \\\"you\\\"\"},"
        "{\"role\":\"user\",\"content\":\"more\\n\\nplease\"}],\"stream\":true}");
    assert_string_equal(request.url, "http://host/base/v1/messages");
    assert_true(has_header(&request, "x-api-key: k1"));
    assert_true(has_header(&request, "anthropic-version: 2023-06-01"));
    edda_api_request_done(&request);
    assert_string_equal(
        build(EDDA_PROVIDER_GEMINI, &request),
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
        "\"parts\":[{\"text\":\"hello \\\"you\\\"\"}]},{\"role\":\"user\",\"parts\":[{\"text\":"
        "\"more\"}]},{\"role\":\"user\",\"parts\":[{\"text\":\"please\"}]}],"
        "\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]},\"generationConfig\":{"
        "\"temperature\":0,\"maxOutputTokens\":99}}");
    assert_string_equal(request.url, "http://host/base/models/m1:streamGenerateContent?alt=sse");
    assert_true(has_header(&request, "x-goog-api-key: k1"));
    edda_api_request_done(&request);
}

/* ---- streams ---- */

static struct edda_chat_stream stream;

static int read_stream(enum edda_provider_kind kind, const char *text, size_t piece) {
    struct edda_account account = account_of(kind);
    int error = 0;
    edda_chat_stream_init(&stream, &account);
    for (size_t at = 0; at < strlen(text) && !error; at += piece) {
        struct edda_bytes bytes = bytes_of(text + at);
        bytes.size = bytes.size < piece ? bytes.size : piece;
        error = edda_chat_stream_feed(&stream, bytes);
    }
    return error ? error : edda_chat_stream_end(&stream);
}

static const char *heard(void) {
    static char out[256];
    snprintf(out, sizeof out, "%.*s", (int)stream.text.size,
             stream.text.data ? (const char *)stream.text.data : "");
    return out;
}

static void expect_stream(enum edda_provider_kind kind, const char *text, const char *finish,
                          uint32_t input_tokens, uint32_t output_tokens) {
    for (size_t piece = 1; piece <= strlen(text); piece += 1 + piece / 8) {
        assert_int_equal(read_stream(kind, text, piece), 0);
        assert_string_equal(heard(), "Once upon");
        assert_string_equal(stream.finish, finish);
        assert_int_equal(stream.input_tokens, input_tokens);
        assert_int_equal(stream.output_tokens, output_tokens);
        assert_true(stream.ended);
        edda_chat_stream_done(&stream);
    }
}

#define OPENAI_TEXT                                                                                \
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":" \
    "\"\",\"refusal\":null},\"finish_reason\":null}]}\n\n"                                         \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Once\"},\"finish_reason\":null}]}"  \
    "\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" upon\"}}]}\n\n"
#define OPENAI_END                                                                                 \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"

static void an_openai_stream_is_read_to_its_done(void **state) {
    (void)state;
    expect_stream(EDDA_PROVIDER_OPENAI, OPENAI_TEXT OPENAI_END "data: [DONE]\n\n", "stop", 7, 2);
    expect_stream(EDDA_PROVIDER_LOCAL, OPENAI_TEXT "data: [DONE]\n\n", "stop", 0, 0);
    expect_stream(EDDA_PROVIDER_GROQ,
                  OPENAI_TEXT "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n"
                              "\ndata: [DONE]\n\ndata: {\"choices\":[{\"delta\":{\"content\":"
                              "\"too late\"}}]}\n\n",
                  "length", 0, 0);
}

#define ANTHROPIC_TEXT                                                                             \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":" \
    "{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"                                               \
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"             \
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\":"        \
    "\"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0" \
    ",\"delta\":{\"type\":\"text_delta\",\"text\":\"Once\"}}\n\nevent: content_block_delta\n"      \
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","  \
    "\"thinking\":\"hm\"}}\n\nevent: content_block_delta\ndata: {\"type\":"                        \
    "\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" upon\"}}"  \
    "\n\n"
#define ANTHROPIC_END                                                                              \
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"           \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"          \
    "\"max_tokens\"},\"usage\":{\"output_tokens\":2}}\n\n"

static void an_anthropic_stream_is_read_to_its_stop(void **state) {
    (void)state;
    expect_stream(EDDA_PROVIDER_ANTHROPIC,
                  ANTHROPIC_TEXT ANTHROPIC_END
                  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
                  "length", 7, 2);
}

#define GEMINI_TEXT                                                                                \
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"thinking\","   \
    "\"thought\":true},{\"text\":\"Once\"}]},\"index\":0}]}\r\n\r\n"

static void a_gemini_stream_ends_with_a_reason(void **state) {
    (void)state;
    expect_stream(EDDA_PROVIDER_GEMINI,
                  GEMINI_TEXT "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" upon\"}"
                              "]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                              "\"promptTokenCount\":7,\"candidatesTokenCount\":2}}\r\n\r\n",
                  "stop", 7, 2);
}

static void a_blocked_prompt_ends_without_text(void **state) {
    (void)state;
    assert_int_equal(read_stream(EDDA_PROVIDER_GEMINI,
                                 "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n", 7),
                     0);
    assert_string_equal(stream.finish, "content_filter");
    assert_int_equal(stream.text.size, 0);
    edda_chat_stream_done(&stream);
}

static void an_end_without_the_providers_mark_is_an_error(void **state) {
    (void)state;
    static const struct {
        enum edda_provider_kind kind;
        const char *text;
    } cut[] = {
        {EDDA_PROVIDER_OPENAI, ""},
        {EDDA_PROVIDER_OPENAI, OPENAI_TEXT},
        {EDDA_PROVIDER_OPENAI, OPENAI_TEXT OPENAI_END},
        {EDDA_PROVIDER_OPENAI, OPENAI_TEXT OPENAI_END "data: [DONE]"},
        {EDDA_PROVIDER_ANTHROPIC, ANTHROPIC_TEXT ANTHROPIC_END},
        {EDDA_PROVIDER_GEMINI, GEMINI_TEXT},
    };
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        assert_int_equal(read_stream(cut[i].kind, cut[i].text, 100), EDDA_E_STREAM_BROKEN);
        assert_string_equal(stream.reason, "the stream ended without its end mark");
        edda_chat_stream_done(&stream);
    }
}

static void an_error_within_the_stream_is_told_after_the_text_before_it(void **state) {
    (void)state;
    static const struct {
        enum edda_provider_kind kind;
        const char *text;
        int error;
    } broken[] = {
        {EDDA_PROVIDER_OPENAI,
         OPENAI_TEXT "data: {\"error\":{\"message\":\"key sk-123 is tired\"}}\n\n",
         EDDA_E_UNAVAILABLE},
        {EDDA_PROVIDER_ANTHROPIC,
         ANTHROPIC_TEXT "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                        "\"overloaded_error\",\"message\":\"key sk-123 is tired\"}}\n\n",
         EDDA_E_UNAVAILABLE},
        {EDDA_PROVIDER_ANTHROPIC,
         ANTHROPIC_TEXT "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                        "\"invalid_request_error\",\"message\":\"key sk-123 is tired\"}}\n\n",
         EDDA_E_FAILED},
        {EDDA_PROVIDER_GEMINI,
         GEMINI_TEXT "data: {\"error\":{\"code\":500,\"message\":\"key sk-123 is tired\"}}\n\n",
         EDDA_E_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(read_stream(broken[i].kind, broken[i].text, 64), broken[i].error);
        assert_string_equal(stream.reason, "key *** is tired");
        assert_int_equal(strncmp(heard(), "Once", 4), 0);
        edda_chat_stream_done(&stream);
    }
}

static void nonsense_within_the_stream_is_an_error(void **state) {
    (void)state;
    static const enum edda_provider_kind kinds[] = {EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_ANTHROPIC,
                                                    EDDA_PROVIDER_GEMINI};
    static const char *const texts[] = {"data: {\"choi\n\n", "data: 7\n\n", "data: []\n\n",
                                        "data: null\n\n"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(read_stream(kinds[i], texts[k], 5), EDDA_E_FAILED);
            edda_chat_stream_done(&stream);
        }
    }
}

static void odd_but_harmless_events_are_passed_over(void **state) {
    (void)state;
    expect_stream(
        EDDA_PROVIDER_OPENAI,
        "data: {}\n\ndata: {\"choices\":{}}\n\ndata: {\"choices\":[7]}\n\ndata: {\"choices\":[{"
        "\"delta\":{\"content\":null,\"tool_calls\":[]}}],\"error\":null}\n\ndata: {\"choices\":"
        "[{\"delta\":{\"content\":7,\"reasoning\":\"hm\"}}],\"usage\":null}\n\n" OPENAI_TEXT
        "data: [DONE]\n\n",
        "stop", 0, 0);
}

static void the_key_that_was_sent_is_in_no_reason(void **state) {
    (void)state;
    struct edda_account account = account_of(EDDA_PROVIDER_OPENAI);
    account.key = "correcthorse";
    edda_chat_stream_init(&stream, &account);
    assert_int_equal(
        edda_chat_stream_feed(
            &stream, bytes_of("data: {\"error\":{\"message\":\"correcthorse is no key\"}}\n\n")),
        EDDA_E_UNAVAILABLE);
    assert_string_equal(stream.reason, "*** is no key");
    edda_chat_stream_done(&stream);
    edda_chat_stream_init(&stream, &account);
    assert_int_equal(
        edda_chat_stream_feed(
            &stream, bytes_of("data: {\"choices\":[{\"finish_reason\":\"correcthorse\"}]}\n\n")),
        0);
    assert_string_equal(stream.finish, "***");
    edda_chat_stream_done(&stream);
}

static void an_error_without_words_has_ours(void **state) {
    (void)state;
    assert_int_equal(
        read_stream(EDDA_PROVIDER_OPENAI, "data: {\"error\":{\"message\":\"\"}}\n\n", 9),
        EDDA_E_UNAVAILABLE);
    assert_string_equal(stream.reason, "the provider broke off");
    edda_chat_stream_done(&stream);
}

static void text_comes_in_pieces_of_a_list_too_and_without_nul(void **state) {
    (void)state;
    assert_int_equal(
        read_stream(EDDA_PROVIDER_LOCAL,
                    "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":"
                    "\"By \"},{\"type\":\"text\",\"text\":\"the\\u0000 river\"}]}}]}\n\n"
                    "data: [DONE]\n\n",
                    1000),
        0);
    assert_string_equal(heard(), "By the\xef\xbf\xbd river");
    edda_chat_stream_done(&stream);
}

/* A model's token may end in the middle of an emoji: the answer goes on all the same. */
static void half_an_emoji_is_one_unknown_character_and_the_answer_stands(void **state) {
    (void)state;
    static const struct {
        enum edda_provider_kind kind;
        const char *text;
    } cases[] = {
        {EDDA_PROVIDER_OPENAI, "data: {\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}\n\n"
                               "data: {\"choices\":[{\"delta\":{\"content\":\"\\uDE00b\"},"
                               "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
        {EDDA_PROVIDER_ANTHROPIC,
         "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"
         "\"text_delta\",\"text\":\"a\\ud83d\\udbff\"}}\n\ndata: {\"type\":"
         "\"content_block_delta\",\"delta\":{\"type\":\"text_delta\","
         "\"text\":\"b\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"},
        {EDDA_PROVIDER_GEMINI,
         "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":"
         "\"a\\ud83dx\\udc00\"},{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}"
         "\n\n"},
    };
    static const char *const texts[] = {"a\xef\xbf\xbd\xef\xbf\xbd\x62",
                                        "a\xef\xbf\xbd\xef\xbf\xbd\x62",
                                        "a\xef\xbf\xbdx\xef\xbf\xbd\x62"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_stream(cases[i].kind, cases[i].text, 5), 0);
        assert_string_equal(heard(), texts[i]);
        edda_chat_stream_done(&stream);
    }
}

/* Escaped backslashes begin no character, and a whole pair is one. */
static void only_halves_are_mended(void **state) {
    (void)state;
    assert_int_equal(read_stream(EDDA_PROVIDER_OPENAI,
                                 "data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d"
                                 "\\ud83d\\ude00\\\\ud83d\\\\\\udc00\\n\"}}]}\n\ndata: [DONE]\n\n",
                                 100),
                     0);
    assert_string_equal(heard(), "\xef\xbf\xbd\xf0\x9f\x98\x80\\ud83d\\\xef\xbf\xbd\n");
    edda_chat_stream_done(&stream);
    assert_int_equal(read_stream(EDDA_PROVIDER_OPENAI, "data: {\"a\":\"\\ud83d\\ud8\"}\n\n", 100),
                     EDDA_E_FAILED);
    edda_chat_stream_done(&stream);
}

static void an_answer_without_end_is_cut_by_a_limit(void **state) {
    (void)state;
    static char event[4096];
    struct edda_account account = account_of(EDDA_PROVIDER_OPENAI);
    int error = 0;
    int events = 0;
    memset(event, 'x', sizeof event);
    int size = snprintf(event, sizeof event,
                        "data: {\"choices\":[{\"delta\":{\"content\":\"%01024d"
                        "\"}}]}\n\n",
                        0);
    edda_chat_stream_init(&stream, &account);
    while (!error && events < 10000) {
        error = edda_chat_stream_feed(&stream,
                                      (struct edda_bytes){(const uint8_t *)event, (size_t)size});
        events++;
    }
    assert_int_equal(error, EDDA_E_LIMIT);
    assert_int_equal(events, 2 * 256 + 1);
    edda_chat_stream_done(&stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_is_asked_in_its_own_words),
        cmocka_unit_test(an_openai_stream_is_read_to_its_done),
        cmocka_unit_test(an_anthropic_stream_is_read_to_its_stop),
        cmocka_unit_test(a_gemini_stream_ends_with_a_reason),
        cmocka_unit_test(a_blocked_prompt_ends_without_text),
        cmocka_unit_test(an_end_without_the_providers_mark_is_an_error),
        cmocka_unit_test(an_error_within_the_stream_is_told_after_the_text_before_it),
        cmocka_unit_test(nonsense_within_the_stream_is_an_error),
        cmocka_unit_test(odd_but_harmless_events_are_passed_over),
        cmocka_unit_test(the_key_that_was_sent_is_in_no_reason),
        cmocka_unit_test(an_error_without_words_has_ours),
        cmocka_unit_test(text_comes_in_pieces_of_a_list_too_and_without_nul),
        cmocka_unit_test(half_an_emoji_is_one_unknown_character_and_the_answer_stands),
        cmocka_unit_test(only_halves_are_mended),
        cmocka_unit_test(an_answer_without_end_is_cut_by_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
