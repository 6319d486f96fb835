/* tests/actors/llm/test_extractive.c: which sentences answer, and how they are quoted. */
#include "actors/llm/extractive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/llm/quote.h"
#include "actors/text/tokens.h"

#define HITS  8
#define ALONE "Quoted from your documents (no language model is configured):"

struct fixture {
    edda_analyser_t *analyser;
    edda_extractor_t *extractor;
    struct edda_arena arena;
    struct edda_hit items[HITS];
    struct edda_hits hits;
    struct edda_extract extract;
    char text[16384];
};

static int make(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->analyser = edda_analyser_new();
    fixture->extractor = edda_extractor_new(fixture->analyser);
    edda_arena_init(&fixture->arena, (size_t)64 << 20);
    fixture->hits.hits.items = fixture->items;
    *state = fixture;
    return 0;
}

static int unmake(void **state) {
    struct fixture *fixture = *state;
    edda_extractor_destroy(&fixture->extractor);
    edda_analyser_destroy(&fixture->analyser);
    edda_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

/* Passages, best first, NULL-terminated. */
static void give(struct fixture *fixture, const char *const *texts) {
    size_t count = 0;
    for (; texts[count]; count++) {
        fixture->items[count] = (struct edda_hit){.text = edda_text_of(texts[count]),
                                                  .score = 1 - (double)count / HITS};
    }
    fixture->hits.hits.count = count;
}

/* The whole answer: all pieces one behind the other. */
static const char *answer(struct fixture *fixture, const char *query, bool alone) {
    struct edda_llm_answer arguments = {.query = edda_text_of(query)};
    size_t size = 0;
    assert_int_equal(edda_extractor_run(fixture->extractor, &arguments, &fixture->hits, alone,
                                        &fixture->arena, &fixture->extract),
                     0);
    for (size_t i = 0; i < fixture->extract.pieces.count; i++) {
        struct edda_text piece = fixture->extract.pieces.items[i];
        assert_true(size + piece.size < sizeof fixture->text);
        memcpy(fixture->text + size, piece.data, piece.size);
        size += piece.size;
    }
    fixture->text[size] = '\0';
    return fixture->text;
}

static void assert_answer(struct fixture *fixture, const char *query, const char *quotes) {
    const char *text = answer(fixture, query, true);
    assert_memory_equal(text, ALONE "\n\n", sizeof ALONE + 1);
    assert_string_equal(text + sizeof ALONE + 1, quotes);
    assert_true(fixture->extract.found);
}

static void the_sentence_that_answers_is_quoted(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "The mill stands by the river. It was built of oak in 1742 by a carpenter from Lund. "
        "Visitors come in summer.",
        "The town has a church. Its bells ring at noon.",
        NULL,
    };
    give(fixture, texts);
    assert_answer(fixture, "Where does the mill stand?", "The mill stands by the river. [[1]]");
    assert_answer(fixture, "When do the bells ring?", "Its bells ring at noon. [[2]]");
}

static void the_first_line_says_what_it_is(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"The mill stands by the river.", NULL};
    give(fixture, texts);
    assert_string_equal(answer(fixture, "Where is the mill?", false),
                        "Quoted from your documents (no language model was asked):\n\n"
                        "The mill stands by the river. [[1]]");
    assert_int_equal(fixture->extract.pieces.count, 2);
    assert_true(edda_text_is(fixture->extract.pieces.items[0],
                             "Quoted from your documents (no language model was asked):"));
}

static void documents_without_an_answer_are_said_to_hold_none(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"The mill stands by the river.", "Bells ring at noon.",
                                        NULL};
    static const char *const nothing[] = {NULL};
    static const char *const queries[] = {"How many moons has Jupiter?", "", "?!", "火星在哪里"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        give(fixture, texts);
        const char *text = answer(fixture, queries[i], true);
        assert_false(fixture->extract.found);
        assert_non_null(strstr(text, "do not seem to answer this"));
        assert_null(strstr(text, "[["));
        assert_int_equal(fixture->extract.sources.count, 2);
    }
    give(fixture, nothing);
    assert_non_null(strstr(answer(fixture, "Where is the mill?", false), "no language model was"));
    assert_false(fixture->extract.found);
    assert_int_equal(fixture->extract.sources.count, 0);
}

static void rare_words_count_for_more(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "The system of the house is a system. The flange is greased twice.", NULL};
    struct edda_hit_term terms[2] = {{.idf = 0.2}, {.idf = 6}};
    give(fixture, texts);
    struct edda_tokens tokens;
    static const char *const words[] = {"system", "flange"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(edda_analyser_run(fixture->analyser, edda_text_of(words[i]),
                                           EDDA_LANGUAGE_ENGLISH, &tokens),
                         0);
        terms[i].hash = tokens.items[0].hash;
    }
    fixture->hits.terms = (struct edda_hit_terms){terms, 2};
    assert_answer(fixture, "system flange", "The flange is greased twice. [[1]]");
    terms[0].idf = 6;
    terms[1].idf = 0.2;
    assert_answer(fixture, "system flange", "The system of the house is a system. [[1]]");
    fixture->hits.terms.count = 0;
}

static void chinese_is_quoted_by_its_own_sentences(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "色林错位于西藏自治区羌塘高原南部。湖水面积2391平方公里。周围有许多鸟类！",
        "北京是中国的首都。", NULL};
    give(fixture, texts);
    assert_answer(fixture, "湖水面积是多少平方公里？", "湖水面积2391平方公里。 [[1]]");
    assert_answer(fixture, "中国的首都是哪里？", "北京是中国的首都。 [[2]]");
}

static void what_overlapping_passages_share_is_quoted_once(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "Nothing here. The pump is drained by opening valve seven.",
        "The pump is drained by opening valve seven. Then it is cleaned.",
        "the pump is drained, by opening the valve seven!",
        NULL,
    };
    give(fixture, texts);
    const char *text = answer(fixture, "How is the pump drained?", true);
    const char *first = strstr(text, "drained by opening");
    assert_non_null(first);
    assert_null(strstr(first + 1, "drained"));
    assert_non_null(strstr(text, "[[1]]"));
}

static void quotes_are_grouped_by_passage_the_best_first(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "Valves of brass resist salt water.",
        "Brass valves are opened by hand. Cats sleep. Valves of brass close by a spring of steel.",
        NULL,
    };
    give(fixture, texts);
    fixture->items[0].score = 0.5;
    fixture->items[1].score = 1;
    assert_answer(fixture, "brass valves",
                  "Brass valves are opened by hand. [[2]] "
                  "Valves of brass close by a spring of steel. [[2]]\n\n"
                  "Valves of brass resist salt water. [[1]]");
}

static void at_most_four_sentences_are_given(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "Brass one rusts. Brass two bends. Brass three glows. Brass four rings. Brass five melts.",
        NULL};
    give(fixture, texts);
    (void)answer(fixture, "brass", true);
    assert_int_equal(fixture->extract.pieces.count, 1 + EDDA_EXTRACT_SENTENCES);
}

/* "Brass qaa qab ... ." of so many characters; other words for another `kind`. */
static size_t write_sentence(char *out, size_t characters, char kind) {
    size_t size = 5;
    memcpy(out, "Brass", 5);
    for (char word = 0; size + 5 < characters; word++) {
        const char letters[] = {' ', kind, (char)('a' + word % 26), (char)('a' + word / 26)};
        memcpy(out + size, letters, sizeof letters);
        size += sizeof letters;
    }
    memset(out + size, 'x', characters - size);
    out[characters - 1] = '.';
    out[characters] = '\0';
    return characters;
}

static void sentences_are_given_while_there_is_room(void **state) {
    struct fixture *fixture = *state;
    char text[2048];
    for (size_t over = 0; over < 2; over++) {
        size_t first = write_sentence(text, 315, 'q');
        text[first] = ' ';
        (void)write_sentence(text + first + 1, 315 + over, 'k');
        give(fixture, (const char *const[]){text, NULL});
        (void)answer(fixture, "brass", true);
        assert_int_equal(fixture->extract.pieces.count, over ? 2 : 3);
    }
}

static void a_sentence_that_leans_on_the_one_before_comes_with_it(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "Ravens live here. The lighthouse of Kullen warns ships. It was lit with coal in 1560. "
        "Paths lead to it.",
        NULL};
    give(fixture, texts);
    const char *text = answer(fixture, "When was the lighthouse of Kullen lit with coal?", true);
    assert_non_null(strstr(text, "The lighthouse of Kullen warns ships. [[1]] It was lit with coal "
                                 "in 1560. [[1]]"));
}

static void who_asks_for_a_number_gets_one_first(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"The tower was built by masons.",
                                        "The tower was built in 1310.", NULL};
    give(fixture, texts);
    assert_answer(fixture, "When was the tower built?",
                  "The tower was built in 1310. [[2]]\n\nThe tower was built by masons. [[1]]");
    assert_answer(fixture, "Who built the tower?",
                  "The tower was built by masons. [[1]]\n\nThe tower was built in 1310. [[2]]");
}

static void a_question_in_a_document_gives_way_to_its_answer(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "How do I reset my password? The password is reset by the link on the first page.", NULL};
    give(fixture, texts);
    assert_answer(fixture, "How do I reset my password?",
                  "The password is reset by the link on the first page. [[1]]");
    static const char *const quoted[] = {"他問：「密碼在哪裡？」", "密碼在紙上。", NULL};
    give(fixture, quoted);
    assert_answer(fixture, "密碼在哪裡", "密碼在紙上。 [[2]]");
}

static void a_mistyped_word_is_still_found(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"Cats sleep. The lighthouse has red walls.", NULL};
    give(fixture, texts);
    assert_answer(fixture, "lihgthouse", "The lighthouse has red walls. [[1]]");
}

static void a_document_cannot_cite(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"The mill [[7]] stands\n  by the [[[river.", NULL};
    give(fixture, texts);
    assert_answer(fixture, "mill", "The mill [ [7]] stands by the [ [ [river. [[1]]");
}

static void only_as_many_passages_as_asked_for_are_looked_at(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"Cats sleep.", "The mill stands by the river.", NULL};
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("Where is the mill?"), .passages = 1};
    give(fixture, texts);
    assert_int_equal(edda_extractor_run(fixture->extractor, &arguments, &fixture->hits, true,
                                        &fixture->arena, &fixture->extract),
                     0);
    assert_false(fixture->extract.found);
    assert_int_equal(fixture->extract.sources.count, 1);
    arguments.passages = 2;
    assert_int_equal(edda_extractor_run(fixture->extractor, &arguments, &fixture->hits, true,
                                        &fixture->arena, &fixture->extract),
                     0);
    assert_true(fixture->extract.found);
    assert_int_equal(fixture->extract.sources.count, 2);
    assert_int_equal(fixture->extract.sources.items[1].number, 2);
}

static void the_answer_does_not_depend_on_what_came_before(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {"The mill stands by the river. Bells ring at noon.", NULL};
    static const char *const others[] = {"北京是中国的首都。", "Die Glocken läuten.", NULL};
    char first[512];
    give(fixture, texts);
    (void)snprintf(first, sizeof first, "%s", answer(fixture, "Where is the mill?", true));
    give(fixture, others);
    (void)answer(fixture, "Wann läuten die Glocken?", true);
    give(fixture, texts);
    assert_string_equal(answer(fixture, "Where is the mill?", true), first);
}

/* ---- the walk ---- */

static void assert_quotes(const char *text, const char *const *expected) {
    struct edda_quotes quotes;
    struct edda_quote quote;
    edda_quotes_begin(&quotes, edda_text_of(text));
    for (size_t i = 0; expected[i]; i++) {
        assert_true(edda_quotes_next(&quotes, &quote));
        if (!edda_text_is(quote.text, expected[i])) {
            print_error("\"%.*s\" instead of \"%s\"\n", (int)quote.text.size, quote.text.data,
                        expected[i]);
        }
        assert_true(edda_text_is(quote.text, expected[i]));
        assert_false(quote.cut || quote.begun);
    }
    assert_false(edda_quotes_next(&quotes, &quote));
}

static void marks_of_structure_are_not_quoted(void **state) {
    (void)state;
    static const char *const prose[] = {"One goes\non here.", "Two.", "Three", "four.", NULL};
    static const char *const list[] = {"Take it.", "Wash\n  it well.", "Dry it.", "Said he.", NULL};
    static const char *const table[] = {"| a | b |", "| 1 | 2 |", NULL};
    static const char *const code[] = {"Do:", "rm -r x", "# no heading", "ls. Now", "Done.", NULL};
    static const char *const none[] = {NULL};
    assert_quotes("# Title\n\nOne goes\non here. Two.\n\nThree\n## Sub\nfour.", prose);
    assert_quotes("- Take it.\n- Wash\n  it well.\n3. Dry it.\n> Said he.\n", list);
    assert_quotes("| a | b |\n|---|:-:|\n| 1 | 2 |\n", table);
    assert_quotes("Do:\n```sh\nrm -r x\n# no heading\nls. Now\n```\nDone.", code);
    assert_quotes("", none);
    assert_quotes("\n \n# Title only\n===\n***\n", none);
    assert_quotes("... !!! ---", none);
}

static void a_long_sentence_comes_in_marked_pieces(void **state) {
    struct fixture *fixture = *state;
    char text[2000];
    size_t size = 0;
    while (size < 1500) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%s number %zu and so on",
                                 size ? "," : "The mill", size);
    }
    struct edda_quotes quotes;
    struct edda_quote quote;
    size_t count = 0;
    edda_quotes_begin(&quotes, edda_text_of(text));
    while (edda_quotes_next(&quotes, &quote)) {
        assert_true(edda_tokens_of(quote.text) <= EDDA_QUOTE_TOKENS);
        assert_int_equal(quote.begun, count > 0);
        assert_int_equal(quote.cut, quote.text.data + quote.text.size < text + size);
        assert_true(!quote.cut || quote.text.data[quote.text.size - 1] == ',');
        count++;
    }
    assert_int_equal(count, 3);
    give(fixture, (const char *const[]){text, NULL});
    const char *shown = answer(fixture, "mill", true);
    assert_non_null(strstr(shown, ", … [[1]]"));
}

static void a_text_without_breaks_is_cut_between_characters(void **state) {
    (void)state;
    char text[3000];
    for (size_t i = 0; i + 3 <= sizeof text; i += 3) {
        memcpy(text + i, "漢", 3);
    }
    struct edda_quotes quotes;
    struct edda_quote quote;
    size_t bytes = 0;
    edda_quotes_begin(&quotes, (struct edda_text){text, sizeof text});
    while (edda_quotes_next(&quotes, &quote)) {
        assert_true(edda_text_valid(quote.text));
        bytes += quote.text.size;
    }
    assert_int_equal(bytes, sizeof text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_sentence_that_answers_is_quoted),
        TEST(the_first_line_says_what_it_is),
        TEST(documents_without_an_answer_are_said_to_hold_none),
        TEST(rare_words_count_for_more),
        TEST(chinese_is_quoted_by_its_own_sentences),
        TEST(what_overlapping_passages_share_is_quoted_once),
        TEST(quotes_are_grouped_by_passage_the_best_first),
        TEST(at_most_four_sentences_are_given),
        TEST(sentences_are_given_while_there_is_room),
        TEST(a_sentence_that_leans_on_the_one_before_comes_with_it),
        TEST(who_asks_for_a_number_gets_one_first),
        TEST(a_question_in_a_document_gives_way_to_its_answer),
        TEST(a_mistyped_word_is_still_found),
        TEST(a_document_cannot_cite),
        TEST(only_as_many_passages_as_asked_for_are_looked_at),
        TEST(the_answer_does_not_depend_on_what_came_before),
        TEST(marks_of_structure_are_not_quoted),
        TEST(a_long_sentence_comes_in_marked_pieces),
        TEST(a_text_without_breaks_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
