/* tests/actors/llm/test_rewrite.c: questions that lean on their chat. */
#include "actors/llm/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    edda_analyser_t *analyser;
    struct edda_arena arena;
};

static int make(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->analyser = edda_analyser_new();
    edda_arena_init(&fixture->arena, (size_t)16 << 20);
    *state = fixture;
    return 0;
}

static int unmake(void **state) {
    struct fixture *fixture = *state;
    edda_analyser_destroy(&fixture->analyser);
    edda_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

#define EXCHANGES 4

/* questions, oldest first, NULL-terminated; each was answered. */
static struct edda_llm_messages history_of(struct edda_llm_message *items,
                                           const char *const *questions) {
    size_t count = 0;
    for (size_t i = 0; i < EXCHANGES && questions[i]; i++) {
        items[count++] = (struct edda_llm_message){EDDA_TEXT("user"), edda_text_of(questions[i])};
        items[count++] =
            (struct edda_llm_message){EDDA_TEXT("assistant"), EDDA_TEXT("An answer [[1]].")};
    }
    return (struct edda_llm_messages){items, count};
}

static void a_leaning_question_gets_the_words_before_it(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *before[EXCHANGES];
        const char *query;
        const char *expected;
    } cases[] = {
        {{"Who built the Eiffel Tower?"}, "How tall is it?", "How tall is it? built Eiffel Tower"},
        {{"Who built the Eiffel Tower?"}, "Why?", "Why? built Eiffel Tower"},
        {{"Who built the Eiffel Tower?"}, "and in winter?", "and in winter? built Eiffel Tower"},
        {{"Wer baute den Eiffelturm?"},
         "Wozu dient dieser?",
         "Wozu dient dieser? baute Eiffelturm"},
        {{"埃菲尔铁塔在哪里？"}, "它有多高？", "它有多高？ 埃菲尔铁塔在哪里"},
        /* Over a question that leans itself, to the one it leans on. */
        {{"What is a broker?", "Who wrote it?"}, "When was this?", "When was this? wrote broker"},
        {{"What is a broker?", "What is a chunker?"}, "Who needs it?", "Who needs it? chunker"},
        /* What stands alone stays as it is. */
        {{"Who built the Eiffel Tower?"}, "Where is Paris?", "Where is Paris?"},
        {{"Who built the Eiffel Tower?"},
         "Which towers of iron stand in Paris and are taller than it?",
         "Which towers of iron stand in Paris and are taller than it?"},
        {{"埃菲尔铁塔在哪里？"}, "北京大学在哪里？", "北京大学在哪里？"},
        {{NULL}, "How tall is it?", "How tall is it?"},
        {{"Who built the Eiffel Tower?"}, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edda_llm_message items[2 * EXCHANGES];
        struct edda_llm_rewrite arguments = {.query = edda_text_of(cases[i].query),
                                             .history = history_of(items, cases[i].before)};
        struct edda_text query;
        assert_int_equal(
            edda_rewrite_builtin(fixture->analyser, &arguments, &fixture->arena, &query), 0);
        if (!edda_text_is(query, cases[i].expected)) {
            print_error("%zu: \"%.*s\" instead of \"%s\"\n", i, (int)query.size, query.data,
                        cases[i].expected);
        }
        assert_true(edda_text_is(query, cases[i].expected));
    }
}

static void a_question_that_would_get_too_long_is_left_as_it_is(void **state) {
    struct fixture *fixture = *state;
    char long_words[EDDA_REWRITE_BYTES];
    memset(long_words, ' ', sizeof long_words);
    for (size_t i = 0; i + 8 < sizeof long_words; i += 8) {
        memcpy(long_words + i, "word", 4);
        long_words[i + 4] = (char)('a' + i / 8 % 26);
        long_words[i + 5] = (char)('a' + i / 208);
    }
    struct edda_llm_message items[] = {
        {EDDA_TEXT("user"), {long_words, sizeof long_words}},
    };
    struct edda_llm_rewrite arguments = {.query = EDDA_TEXT("Why is it?"), .history = {items, 1}};
    struct edda_text query;
    /* 64 words of 7 bytes with their blanks: 448 and 10. */
    assert_int_equal(edda_rewrite_builtin(fixture->analyser, &arguments, &fixture->arena, &query),
                     0);
    assert_in_range(query.size, 400, EDDA_REWRITE_BYTES);
    char lead[] = "Why is it, it, it, it, it, it, it, it, it, it, it, it, it, it, it, it, it, it?";
    arguments.query = EDDA_TEXT(lead);
    assert_int_equal(edda_rewrite_builtin(fixture->analyser, &arguments, &fixture->arena, &query),
                     0);
    assert_true(edda_text_is(query, lead));
}

static void a_models_answer_is_cleaned(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        const char *expected;
    } cases[] = {
        {"How tall is the tower?", "How tall is the tower?"},
        {"\n  How tall is the tower?  \n\nI hope that helps.", "How tall is the tower?"},
        {"\"How tall is the tower?\"", "How tall is the tower?"},
        {"Question: How tall is the tower?", "How tall is the tower?"},
        {"stand-alone question: “How tall?”", "How tall?"},
        {"**How tall?**", "How tall?"},
        {"「塔有多高？」", "塔有多高？"},
        {"\"", "\""},
        {"", "as it was"},
        {" \n\t ", "as it was"},
        {"\xff\xfe", "as it was"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edda_text cleaned =
            edda_rewrite_clean(edda_text_of(cases[i].answer), EDDA_TEXT("as it was"));
        assert_true(edda_text_is(cleaned, cases[i].expected));
    }
}

static void a_models_answer_that_is_too_long_is_not_used(void **state) {
    (void)state;
    char text[EDDA_REWRITE_BYTES + 1];
    memset(text, 'x', sizeof text);
    struct edda_text query = EDDA_TEXT("as it was");
    struct edda_text fits = {text, EDDA_REWRITE_BYTES};
    struct edda_text over = {text, EDDA_REWRITE_BYTES + 1};
    assert_int_equal(edda_rewrite_clean(fits, query).size, EDDA_REWRITE_BYTES);
    assert_true(edda_text_is(edda_rewrite_clean(over, query), "as it was"));
}

static void a_model_is_shown_the_last_exchanges(void **state) {
    struct fixture *fixture = *state;
    static const char *const questions[] = {"First?", "Second?", "Third?", "Fourth?"};
    struct edda_llm_message items[2 * EXCHANGES];
    struct edda_llm_rewrite arguments = {.query = EDDA_TEXT("And it?"),
                                         .history = history_of(items, questions)};
    struct edda_chat_prompt prompt;
    assert_int_equal(edda_rewrite_prompt(&arguments, &fixture->arena, &prompt), 0);
    assert_int_equal(prompt.messages.count, 1);
    assert_int_equal(prompt.max_tokens, EDDA_REWRITE_TOKENS);
    assert_non_null(strstr(prompt.system.data, "Do not answer"));
    assert_string_equal(prompt.messages.items[0].content.data,
                        "Conversation:\n"
                        "User: Second?\nAssistant: An answer [[1]].\n"
                        "User: Third?\nAssistant: An answer [[1]].\n"
                        "User: Fourth?\nAssistant: An answer [[1]].\n"
                        "\nLast question: And it?");
}

static void a_long_answer_is_shown_by_its_beginning(void **state) {
    struct fixture *fixture = *state;
    char text[5000];
    memset(text, 'y', sizeof text);
    struct edda_llm_message items[] = {{EDDA_TEXT("user"), EDDA_TEXT("Tell me all.")},
                                       {EDDA_TEXT("assistant"), {text, sizeof text}}};
    struct edda_llm_rewrite arguments = {.query = EDDA_TEXT("Why?"), .history = {items, 2}};
    struct edda_chat_prompt prompt;
    assert_int_equal(edda_rewrite_prompt(&arguments, &fixture->arena, &prompt), 0);
    assert_in_range(prompt.messages.items[0].content.size, 900, 1000);
    assert_non_null(strstr(prompt.messages.items[0].content.data, "yyy …\n\nLast question: Why?"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_leaning_question_gets_the_words_before_it, make, unmake),
        cmocka_unit_test_setup_teardown(a_question_that_would_get_too_long_is_left_as_it_is, make,
                                        unmake),
        cmocka_unit_test(a_models_answer_is_cleaned),
        cmocka_unit_test(a_models_answer_that_is_too_long_is_not_used),
        cmocka_unit_test_setup_teardown(a_model_is_shown_the_last_exchanges, make, unmake),
        cmocka_unit_test_setup_teardown(a_long_answer_is_shown_by_its_beginning, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
