/* tests/gateway/test_chat_reads.c: chats as they are kept, and who can answer one. */
#include <stdlib.h>
#include <unistd.h>

#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/gateway/live_chat.h"
#include "tests/proto/cmocka.h"

#define CHAT      "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0003"
#define QUESTION  "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0004"
#define PROVIDERS "/api/v1/config/llm-providers"
#define WHEN      INT64_C(1700000000000) /* 2023-11-14T22:13:20.000Z */
#define WHEN_TEXT "\"2023-11-14T22:13:20.000Z\""

static struct edda_uuid uuid_of(const char *text) {
    struct edda_uuid uuid;
    assert_int_equal(edda_uuid_parse(edda_text_of(text), &uuid), 0);
    return uuid;
}

static void chats_are_listed_in_pages(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_page page;
    struct edda_store_chat_row rows[2] = {
        {.uuid = uuid_of(CHAT),
         .created_wall_ms = WHEN,
         .title = EDDA_TEXT("How \"hot\"?"),
         .messages = 4,
         .last_wall_ms = WHEN + 1},
        {.uuid = uuid_of(CHAT), .created_wall_ms = WHEN},
    };
    struct edda_store_chats chats = {.chats = {rows, 2}, .count = 5};
    int fd = send_get(live, CHAT_PATH "?page=2&page_size=2");
    struct edda_uuid id = expect_call(live, "store.chat_list", EDDA_BODY_STORE_PAGE, &page);
    assert_int_equal(page.page, 2);
    assert_int_equal(page.page_size, 2);
    answer_call(live, &id, EDDA_BODY_STORE_CHATS, &chats);
    expect_http_json(live, fd, 200,
                     "{\"results\":[{\"uuid\":\"" CHAT "\",\"created_at\":" WHEN_TEXT
                     ",\"title\":\"How \\\"hot\\\"?\",\"message_count\":4,"
                     "\"last_message_at\":\"2023-11-14T22:13:20.001Z\"},{\"uuid\":\"" CHAT
                     "\",\"created_at\":" WHEN_TEXT
                     ",\"title\":\"Untitled Chat\",\"message_count\":0,"
                     "\"last_message_at\":" WHEN_TEXT "}],\"count\":5,\"page\":2,\"page_size\":2,"
                     "\"total_pages\":3,\"next\":\"http://x/api/v1/chat?page=3&page_size=2\","
                     "\"previous\":\"http://x/api/v1/chat?page=1&page_size=2\"}");
    fd = send_get(live, CHAT_PATH "?page_size=101");
    expect_http_json(live, fd, 400, "{\"error\":\"page_size must be less than or equal to 100\"}");
}

#define BEGIN_JSON "{\"uuid\":\"" CHAT "\",\"created_at\":" WHEN_TEXT ",\"messages\":["
#define MESSAGE_JSON(content, by, prompt, more)                                                    \
    "{\"uuid\":\"" QUESTION "\",\"content\":\"" content "\",\"sent_by\":\"" by                     \
    "\",\"sent_at\":" WHEN_TEXT ",\"client_system_prompt\":" prompt more "}"

static struct edda_store_message make_message(const char *by, const char *content) {
    return (struct edda_store_message){
        .uuid = uuid_of(QUESTION),
        .content = edda_text_of(content),
        .sent_by = edda_text_of(by),
        .sent_wall_ms = WHEN,
    };
}

static void a_chat_is_read_with_its_messages(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_chat_select select;
    struct edda_store_message messages[] = {make_message("user", "q"), make_message("model", "a")};
    struct edda_store_chat chat = {
        .uuid = uuid_of(CHAT), .created_wall_ms = WHEN, .messages = {messages, 2}};
    messages[0].system_prompt = EDDA_TEXT("be brief");
    messages[1].error = EDDA_TEXT("the stream broke");
    int fd = send_get(live, CHAT_PATH "/" CHAT);
    struct edda_uuid id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    assert_true(edda_text_is(select.id, CHAT));
    assert_false(select.latest);
    assert_int_equal(select.from, 0);
    answer_call(live, &id, EDDA_BODY_STORE_CHAT, &chat);
    expect_http_json(live, fd, 200,
                     BEGIN_JSON MESSAGE_JSON("q", "user", "\"be brief\"", "") "," MESSAGE_JSON(
                         "a", "model", "null", ",\"error\":\"the stream broke\"") "]}");
}

static void a_long_chat_is_read_page_by_page(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_chat_select select;
    int fd = send_get(live, CHAT_PATH "/" CHAT);
    for (uint32_t i = 0; i < 3; i++) {
        struct edda_store_message message = make_message(i == 1 ? "model" : "user", "m");
        struct edda_store_chat chat = {.uuid = uuid_of(CHAT),
                                       .created_wall_ms = WHEN,
                                       .messages = {&message, 1},
                                       .next = i + 1,
                                       .more = i < 2};
        struct edda_uuid id =
            expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
        assert_int_equal(select.from, i);
        answer_call(live, &id, EDDA_BODY_STORE_CHAT, &chat);
    }
    expect_http_json(live, fd, 200,
                     BEGIN_JSON MESSAGE_JSON("m", "user", "null", "") "," MESSAGE_JSON(
                         "m", "model", "null", "") "," MESSAGE_JSON("m", "user", "null", "") "]}");
}

static void a_page_that_fails_cuts_the_response(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_chat_select select;
    struct edda_store_message message = make_message("user", "m");
    struct edda_store_chat chat = {
        .uuid = uuid_of(CHAT), .messages = {&message, 1}, .next = 1, .more = true};
    int fd = send_get(live, CHAT_PATH "/" CHAT);
    struct edda_uuid id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    answer_call(live, &id, EDDA_BODY_STORE_CHAT, &chat);
    id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    fail_call(live, &id, EDDA_E_IO);
    expect_cut(live, fd);
}

static void an_unknown_chat_is_404(void **state) {
    struct live_gateway *live = *state;
    struct edda_store_chat_select select;
    int fd = send_get(live, CHAT_PATH "/" CHAT);
    struct edda_uuid id = expect_call(live, "store.chat_get", EDDA_BODY_STORE_CHAT_SELECT, &select);
    fail_call(live, &id, EDDA_E_NOT_FOUND);
    expect_http_json(live, fd, 404, "{\"error\":\"Chat not found\"}");
    fd = send_get(live, CHAT_PATH "/mine");
    expect_http_json(live, fd, 404, "{\"error\":\"Chat not found\"}");
    expect_no_call(live);
}

static void providers_are_the_llms_and_remembered(void **state) {
    struct live_gateway *live = *state;
    struct edda_empty nothing;
    struct edda_llm_provider items[2] = {
        {EDDA_TEXT("local"), EDDA_TEXT("Local"), EDDA_TEXT("llama"), {0}},
        {EDDA_TEXT("builtin"), EDDA_TEXT("Built in"), EDDA_TEXT("extractive-1"), {0}},
    };
    struct edda_llm_providers providers = {.providers = {items, 2}};
    /* Nobody there: none, and asked again the next time. */
    int fd = send_get(live, PROVIDERS);
    struct edda_uuid id = expect_call(live, "llm.providers", EDDA_BODY_EMPTY, &nothing);
    fail_call(live, &id, EDDA_E_NO_SERVICE);
    expect_http_json(live, fd, 200, "{\"providers\":[]}");
    fd = send_get(live, PROVIDERS);
    id = expect_call(live, "llm.providers", EDDA_BODY_EMPTY, &nothing);
    answer_call(live, &id, EDDA_BODY_LLM_PROVIDERS, &providers);
    for (int i = 0; i < 2; i++) {
        expect_http_json(live, fd, 200,
                         "{\"providers\":[{\"provider\":\"local\",\"label\":\"Local\",\"model\":"
                         "\"llama\"},{\"provider\":\"builtin\",\"label\":\"Built in\",\"model\":"
                         "\"extractive-1\"}]}");
        fd = send_get(live, PROVIDERS);
    }
    (void)close(fd);
    expect_no_call(live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_are_listed_in_pages),
        cmocka_unit_test(a_chat_is_read_with_its_messages),
        cmocka_unit_test(a_long_chat_is_read_page_by_page),
        cmocka_unit_test(a_page_that_fails_cuts_the_response),
        cmocka_unit_test(an_unknown_chat_is_404),
        cmocka_unit_test(providers_are_the_llms_and_remembered),
    };
    return cmocka_run_group_tests(tests, start_live_gateway, stop_live_gateway);
}
