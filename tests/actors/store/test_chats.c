/* tests/actors/store/test_chats.c: chats are kept whole, once, in their project, and read in pages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/chats.h"
#include "tests/actors/store/fixture.h"

static struct edda_store_turn turn_of(const struct edda_uuid *chat, const char *query,
                                      const char *text) {
    return (struct edda_store_turn){
        .chat = *chat,
        .question = edda_uuid_new(),
        .answer = edda_uuid_new(),
        .query = edda_text_of(query),
        .text = edda_text_of(text),
        .asked_wall_ms = 1700000000000,
    };
}

static int save_in(struct fixture *f, const char *project, const struct edda_store_turn *turn) {
    return ask_in(f, project, EDDA_BACKEND_CHAT_SAVE, 0, turn, NULL, EDDA_BODY_EMPTY, NULL);
}

static int save(struct fixture *f, const struct edda_store_turn *turn) {
    return save_in(f, PROJECT, turn);
}

static int get_in(struct fixture *f, const char *project, const struct edda_uuid *chat,
                  struct edda_store_chat_select select, struct edda_store_chat *ret_chat) {
    char id[EDDA_UUID_TEXT];
    edda_uuid_format(chat, id);
    select.id = edda_text_of(id);
    return ask_in(f, project, EDDA_BACKEND_CHAT_GET, 0, &select, NULL, EDDA_BODY_STORE_CHAT,
                  ret_chat);
}

static struct edda_store_chat get(struct fixture *f, const struct edda_uuid *chat,
                                  struct edda_store_chat_select select) {
    struct edda_store_chat read = {0};
    assert_int_equal(get_in(f, PROJECT, chat, select, &read), 0);
    return read;
}

static struct edda_store_chats list(struct fixture *f, uint32_t number, uint32_t size) {
    struct edda_store_page page = {number, size};
    struct edda_store_chats chats = {0};
    assert_int_equal(ask(f, EDDA_BACKEND_CHAT_LIST, 0, &page, NULL, EDDA_BODY_STORE_CHATS, &chats),
                     0);
    return chats;
}

/* A text of `size` times `letter`, alive until the fixture goes. */
static struct edda_text text_of(struct fixture *f, char letter, size_t size) {
    char *text = edda_arena_take(&f->arena, size + 1);
    assert_non_null(text);
    memset(text, letter, size);
    return (struct edda_text){text, size};
}

/* ---- saving ---- */

static void a_turn_makes_its_chat_and_reads_back_as_it_was(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    turn.system_prompt = EDDA_TEXT("Be short.");
    assert_int_equal(save(f, &turn), 0);
    fixture_close(f);
    fixture_open(f);
    struct edda_store_chat read = get(f, &chat, (struct edda_store_chat_select){0});
    assert_true(edda_uuid_equal(&read.uuid, &chat));
    assert_int_equal(read.created_wall_ms, turn.asked_wall_ms);
    assert_int_equal(read.messages.count, 2);
    const struct edda_store_message *question = &read.messages.items[0];
    const struct edda_store_message *answer = &read.messages.items[1];
    assert_true(edda_uuid_equal(&question->uuid, &turn.question));
    assert_true(edda_text_is(question->content, "Who?"));
    assert_true(edda_text_is(question->sent_by, "user"));
    assert_true(edda_text_is(question->system_prompt, "Be short."));
    assert_null(question->error.data);
    assert_int_equal(question->sent_wall_ms, turn.asked_wall_ms);
    assert_true(edda_uuid_equal(&answer->uuid, &turn.answer));
    assert_true(edda_text_is(answer->content, "You."));
    assert_true(edda_text_is(answer->sent_by, "model"));
    assert_null(answer->system_prompt.data);
    assert_null(answer->error.data);
    assert_true(answer->sent_wall_ms >= turn.asked_wall_ms);
    assert_false(read.more);
    assert_int_equal(read.next, 2);
}

static void a_turn_that_is_saved_again_changes_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn first = turn_of(&chat, "Who?", "You.");
    struct edda_store_turn second = turn_of(&chat, "Why?", "Because.");
    assert_int_equal(save(f, &first), 0);
    assert_int_equal(save(f, &second), 0);
    first.text = EDDA_TEXT("Somebody else.");
    first.answer = edda_uuid_new();
    assert_int_equal(save(f, &first), 0);
    first.chat = edda_uuid_new();
    assert_int_equal(save(f, &first), 0);
    struct edda_store_chat read = get(f, &chat, (struct edda_store_chat_select){0});
    assert_int_equal(read.messages.count, 4);
    assert_true(edda_text_is(read.messages.items[1].content, "You."));
    assert_int_equal(list(f, 1, 10).count, 1);
}

static void an_answer_that_broke_off_keeps_its_text_and_says_why(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "It was the");
    turn.error = EDDA_TEXT("the stream broke");
    assert_int_equal(save(f, &turn), 0);
    turn = turn_of(&chat, "Who then?", NULL);
    turn.error = EDDA_TEXT("deadline exceeded");
    assert_int_equal(save(f, &turn), 0);
    struct edda_store_chat read = get(f, &chat, (struct edda_store_chat_select){0});
    assert_true(edda_text_is(read.messages.items[1].content, "It was the"));
    assert_true(edda_text_is(read.messages.items[1].error, "the stream broke"));
    assert_int_equal(read.messages.items[3].content.size, 0);
    assert_non_null(read.messages.items[3].content.data);
    assert_true(edda_text_is(read.messages.items[3].error, "deadline exceeded"));
}

static void wrong_turns_are_refused_and_leave_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    struct edda_uuid nil = {{0}};
    struct edda_store_turn wrong = turn;
    wrong.chat = nil;
    assert_int_equal(save(f, &wrong), EDDA_E_INVALID);
    wrong = turn;
    wrong.question = nil;
    assert_int_equal(save(f, &wrong), EDDA_E_INVALID);
    wrong = turn;
    wrong.answer = nil;
    assert_int_equal(save(f, &wrong), EDDA_E_INVALID);
    wrong = turn;
    wrong.query = EDDA_TEXT("Wh\xff?");
    assert_int_equal(save(f, &wrong), EDDA_E_INVALID);
    wrong = turn;
    wrong.text = (struct edda_text){"a\0b", 3};
    assert_int_equal(save(f, &wrong), EDDA_E_INVALID);
    assert_int_equal(save_in(f, "", &turn), EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chat"), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project"), 0);
}

static void texts_may_be_as_large_as_their_limits_and_no_larger(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, NULL, NULL);
    turn.query = text_of(f, 'q', EDDA_MAX_QUERY_BYTES);
    turn.system_prompt = text_of(f, 's', EDDA_MAX_PROMPT_BYTES);
    turn.text = text_of(f, 't', EDDA_MAX_ANSWER_BYTES);
    turn.error = text_of(f, 'e', EDDA_CHAT_ERROR_BYTES);
    assert_int_equal(save(f, &turn), 0);
    struct edda_store_chat read = get(f, &chat, (struct edda_store_chat_select){0});
    assert_int_equal(read.messages.count, 2);
    assert_true(edda_text_equal(read.messages.items[0].content, turn.query));
    assert_true(edda_text_equal(read.messages.items[0].system_prompt, turn.system_prompt));
    assert_true(edda_text_equal(read.messages.items[1].content, turn.text));
    assert_true(edda_text_equal(read.messages.items[1].error, turn.error));
    struct edda_text *const texts[] = {&turn.query, &turn.system_prompt, &turn.text, &turn.error};
    for (size_t i = 0; i < 4; i++) {
        struct edda_text kept = *texts[i];
        turn.question = edda_uuid_new();
        *texts[i] = text_of(f, 'x', kept.size + 1);
        assert_int_equal(save(f, &turn), EDDA_E_LIMIT);
        *texts[i] = kept;
    }
}

static void a_chat_is_called_by_its_first_question(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    char query[256 * 2 + 1];
    for (size_t i = 0; i < 256; i++) {
        memcpy(query + 2 * i, "\xc3\xbc", 3);
    }
    struct edda_store_turn turn = turn_of(&chat, query, "You.");
    assert_int_equal(save(f, &turn), 0);
    turn = turn_of(&chat, "Another question", "You.");
    assert_int_equal(save(f, &turn), 0);
    struct edda_store_chats chats = list(f, 1, 10);
    assert_int_equal(chats.chats.items[0].title.size, 255 * 2);
    assert_memory_equal(chats.chats.items[0].title.data, query, 255 * 2);
    assert_int_equal(chats.chats.items[0].messages, 4);
}

static void a_chat_has_room_for_its_limit_of_messages(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    assert_int_equal(save(f, &turn), 0);
    sql_run(f, "UPDATE chat_message SET id = id + 1048572; UPDATE chat SET messages = 1048574");
    turn = turn_of(&chat, "Last?", "Last.");
    assert_int_equal(save(f, &turn), 0);
    turn = turn_of(&chat, "One more?", "No.");
    assert_int_equal(save(f, &turn), EDDA_E_LIMIT);
    struct edda_store_chat read =
        get(f, &chat, (struct edda_store_chat_select){.from = EDDA_CHAT_MESSAGES - 1});
    assert_int_equal(read.messages.count, 1);
    assert_true(edda_text_is(read.messages.items[0].content, "Last."));
    assert_int_equal(read.next, EDDA_CHAT_MESSAGES);
    read = get(f, &chat, (struct edda_store_chat_select){.from = UINT32_MAX});
    assert_int_equal(read.messages.count, 0);
    sql_run(f, either(f, "DELETE FROM chat; DELETE FROM chat_message; UPDATE project SET chats = 0",
                      "DELETE FROM chat; DELETE FROM chat_message; DELETE FROM project_count"));
}

/* ---- projects ---- */

static void another_project_s_chat_is_not_found(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    assert_int_equal(save(f, &turn), 0);
    struct edda_store_turn theirs = turn_of(&chat, "Mine?", "No.");
    assert_int_equal(save_in(f, "other", &theirs), EDDA_E_NOT_FOUND);
    assert_int_equal(save_in(f, "other", &turn), EDDA_E_NOT_FOUND);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project"), 1);
    struct edda_store_chat read;
    assert_int_equal(get_in(f, "other", &chat, (struct edda_store_chat_select){0}, &read),
                     EDDA_E_NOT_FOUND);
    struct edda_store_page page = {1, 10};
    struct edda_store_chats chats;
    theirs.chat = edda_uuid_new();
    assert_int_equal(save_in(f, "other", &theirs), 0);
    assert_int_equal(
        ask_in(f, "other", EDDA_BACKEND_CHAT_LIST, 0, &page, NULL, EDDA_BODY_STORE_CHATS, &chats),
        0);
    assert_int_equal(chats.count, 1);
    assert_true(edda_uuid_equal(&chats.chats.items[0].uuid, &theirs.chat));
    assert_int_equal(get(f, &chat, (struct edda_store_chat_select){0}).messages.count, 2);
    /* The same uuids in another project are another question. */
    turn.chat = edda_uuid_new();
    assert_int_equal(save_in(f, "other", &turn), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chat_message"), 6);
}

static void a_chat_that_is_not_there_is_not_found(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_chat read;
    assert_int_equal(get_in(f, PROJECT, &chat, (struct edda_store_chat_select){0}, &read),
                     EDDA_E_NOT_FOUND);
    struct edda_store_chat_select select = {.id = EDDA_TEXT("not-a-uuid")};
    assert_int_equal(ask(f, EDDA_BACKEND_CHAT_GET, 0, &select, NULL, EDDA_BODY_STORE_CHAT, &read),
                     EDDA_E_NOT_FOUND);
    assert_int_equal(list(f, 1, 10).count, 0);
}

static void a_project_may_have_chats_and_no_memos(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    assert_int_equal(save(f, &turn), 0);
    assert_int_equal(search(f, "who").hits.count, 0);
    accept_text(f, "Title", "Some text.");
    process_all(f);
    assert_int_equal(search(f, "text").hits.count, 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project"), 1);
}

/* ---- pages ---- */

static void a_long_chat_is_read_in_pages_of_half_a_mebibyte(void **state) {
    struct fixture *f = *state;
    enum { TURNS = 12 };
    struct edda_uuid chat = edda_uuid_new();
    for (int i = 0; i < TURNS; i++) {
        struct edda_store_turn turn = turn_of(&chat, "Next?", NULL);
        turn.text = text_of(f, (char)('a' + i), 150000);
        assert_int_equal(save(f, &turn), 0);
    }
    struct edda_store_chat_select select = {0};
    uint32_t messages = 0;
    unsigned pages = 0;
    for (bool more = true; more; pages++) {
        struct edda_store_chat page = get(f, &chat, select);
        size_t bytes = 0;
        assert_true(page.messages.count > 0);
        for (size_t i = 0; i < page.messages.count; i++) {
            const struct edda_text content = page.messages.items[i].content;
            bytes += content.size;
            if (messages % 2) {
                assert_int_equal(content.data[0], 'a' + messages / 2);
            }
            messages++;
        }
        assert_true(bytes <= EDDA_MEMO_PAGE_BYTES);
        assert_int_equal(page.next, messages);
        select.from = page.next;
        more = page.more;
    }
    assert_int_equal(messages, 2 * TURNS);
    assert_int_equal(pages, TURNS / 3);
}

static void a_page_of_short_messages_has_at_most_a_thousand(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turn = turn_of(&chat, "Who?", "You.");
    assert_int_equal(save(f, &turn), 0);
    sql_run(f,
            either(f,
                   "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1003)"
                   " INSERT INTO chat_message SELECT (SELECT id FROM chat) << 20 | i,"
                   " randomblob(16), i & 1, 'x', NULL, NULL, 1 FROM n;"
                   "UPDATE chat SET messages = 1004",
                   "INSERT INTO chat_message SELECT (SELECT id FROM chat) << 20 | i,"
                   " gen_random_uuid(), i & 1, 'x', NULL, NULL, 1"
                   " FROM generate_series(2, 1003) i; UPDATE chat SET messages = 1004"));
    struct edda_store_chat page = get(f, &chat, (struct edda_store_chat_select){0});
    assert_int_equal(page.messages.count, EDDA_CHAT_PAGE_MESSAGES);
    assert_true(page.more);
    page = get(f, &chat, (struct edda_store_chat_select){.from = page.next});
    assert_int_equal(page.messages.count, 4);
    assert_false(page.more);
}

static void the_latest_messages_are_those_that_fit(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chat = edda_uuid_new();
    char query[16];
    for (int i = 0; i < 150; i++) {
        snprintf(query, sizeof(query), "q%04d", i);
        struct edda_store_turn turn = turn_of(&chat, query, "answer");
        turn.system_prompt = EDDA_TEXT("Not part of what must fit.");
        assert_int_equal(save(f, &turn), 0);
    }
    struct edda_store_chat_select select = {.latest = true, .history_bytes = 22, .from = 7};
    struct edda_store_chat read = get(f, &chat, select);
    assert_int_equal(read.messages.count, 4);
    assert_true(edda_text_is(read.messages.items[0].content, "q0148"));
    assert_true(edda_text_is(read.messages.items[3].content, "answer"));
    assert_false(read.more);
    assert_int_equal(read.next, 300);
    select.history_bytes = 21;
    read = get(f, &chat, select);
    assert_int_equal(read.messages.count, 3);
    assert_true(edda_text_is(read.messages.items[1].content, "q0149"));
    select.history_bytes = EDDA_MAX_HISTORY_BYTES;
    read = get(f, &chat, select);
    assert_int_equal(read.messages.count, EDDA_MAX_HISTORY);
    assert_true(edda_text_is(read.messages.items[0].content, "q0050"));
    select.history_bytes = 0;
    read = get(f, &chat, select);
    assert_int_equal(read.messages.count, 1);
    assert_true(edda_text_is(read.messages.items[0].content, "answer"));
}

static void chats_are_listed_by_their_last_message(void **state) {
    struct fixture *f = *state;
    struct edda_uuid chats[3];
    for (int i = 0; i < 3; i++) {
        chats[i] = edda_uuid_new();
        struct edda_store_turn turn = turn_of(&chats[i], "Who?", "You.");
        assert_int_equal(save(f, &turn), 0);
    }
    sql_run(f, "UPDATE chat SET last_ms = 1700000000000 + id");
    struct edda_store_chats page = list(f, 1, 2);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.chats.count, 2);
    assert_true(edda_uuid_equal(&page.chats.items[0].uuid, &chats[2]));
    struct edda_store_turn turn = turn_of(&chats[0], "And now?", "Now.");
    assert_int_equal(save(f, &turn), 0);
    page = list(f, 1, 2);
    assert_true(edda_uuid_equal(&page.chats.items[0].uuid, &chats[0]));
    assert_int_equal(page.chats.items[0].messages, 4);
    assert_true(page.chats.items[0].last_wall_ms > page.chats.items[1].last_wall_ms);
    assert_int_equal(page.chats.items[0].created_wall_ms, turn.asked_wall_ms);
    page = list(f, 2, 2);
    assert_int_equal(page.chats.count, 1);
    assert_true(edda_uuid_equal(&page.chats.items[0].uuid, &chats[1]));
    static const struct edda_store_page wrong[] = {{0, 2}, {1, 0}, {1, 101}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            ask(f, EDDA_BACKEND_CHAT_LIST, 0, &wrong[i], NULL, EDDA_BODY_STORE_CHATS, NULL),
            EDDA_E_INVALID);
    }
}

/* ---- at once ---- */

struct counter {
    struct fixture *f;
    size_t open;
    size_t good;
};

static void on_saved(void *context, const struct edda_backend_answer *answer) {
    struct counter *counter = context;
    counter->good += answer->error == 0;
    if (--counter->open == 0) {
        edda_loop_stop(counter->f->loop);
    }
}

static void turns_that_are_saved_at_once_are_each_kept_once(void **state) {
    enum { TURNS = 100, TIMES = 3 };
    struct counter counter = {.f = *state};
    struct edda_uuid chat = edda_uuid_new();
    struct edda_store_turn turns[TURNS];
    for (size_t i = 0; i < (size_t)TURNS * TIMES; i++) {
        struct edda_store_turn *turn = &turns[i % TURNS];
        if (i < TURNS) {
            *turn = turn_of(&chat, "Who?", "You.");
        }
        struct edda_backend_request request = {.operation = EDDA_BACKEND_CHAT_SAVE,
                                               .project = EDDA_TEXT(PROJECT),
                                               .arguments = turn,
                                               .done = on_saved,
                                               .context = &counter};
        assert_int_equal(edda_backend_submit(counter.f->backend, &request), 0);
        counter.open++;
    }
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.good, TURNS * TIMES);
    assert_int_equal(sql_integer(counter.f, "SELECT messages FROM chat"), 2 * TURNS);
    assert_int_equal(sql_integer(counter.f, "SELECT count(DISTINCT uuid) FROM chat_message"),
                     2 * TURNS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_turn_makes_its_chat_and_reads_back_as_it_was),
        TEST(a_turn_that_is_saved_again_changes_nothing),
        TEST(an_answer_that_broke_off_keeps_its_text_and_says_why),
        TEST(wrong_turns_are_refused_and_leave_nothing),
        TEST(texts_may_be_as_large_as_their_limits_and_no_larger),
        TEST(a_chat_is_called_by_its_first_question),
        TEST(a_chat_has_room_for_its_limit_of_messages),
        TEST(another_project_s_chat_is_not_found),
        TEST(a_chat_that_is_not_there_is_not_found),
        TEST(a_project_may_have_chats_and_no_memos),
        TEST(a_long_chat_is_read_in_pages_of_half_a_mebibyte),
        TEST(a_page_of_short_messages_has_at_most_a_thousand),
        TEST(the_latest_messages_are_those_that_fit),
        TEST(chats_are_listed_by_their_last_message),
        TEST(turns_that_are_saved_at_once_are_each_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
