/* tests/actors/text/test_text.c: what becomes of words. */
#include "actors/text/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int make(void **state) {
    *state = edda_analyser_new();
    return *state != NULL ? 0 : -1;
}

static int unmake(void **state) {
    edda_analyser_t *analyser = *state;
    edda_analyser_destroy(&analyser);
    assert_null(analyser);
    return 0;
}

static struct edda_tokens run(void **state, const char *text, enum edda_language language) {
    struct edda_tokens tokens;
    assert_int_equal(edda_analyser_run(*state, edda_text_of(text), language, &tokens), 0);
    return tokens;
}

/* Surfaces, or stems, joined by spaces. */
static const char *join(struct edda_tokens tokens, bool stems) {
    static char joined[4096];
    size_t size = 0;
    for (size_t i = 0; i < tokens.count; i++) {
        struct edda_text word = stems ? tokens.items[i].stem : tokens.items[i].surface;
        size += (size_t)snprintf(joined + size, sizeof joined - size, "%s%.*s", i > 0 ? " " : "",
                                 (int)word.size, word.data);
        assert_true(size < sizeof joined);
    }
    joined[size] = '\0';
    return joined;
}

static const char *surfaces(void **state, const char *text) {
    return join(run(state, text, EDDA_LANGUAGE_NONE), false);
}

static const char *stems(void **state, const char *text, enum edda_language language) {
    return join(run(state, text, language), true);
}

static void words_are_runs_of_letters_and_digits(void **state) {
    assert_string_equal(surfaces(state, "Hello, world! (it's) snake_case B2B 3.14"),
                        "hello world it s snake case b2b 3 14");
    assert_string_equal(surfaces(state, "  \n\t .,;"), "");
    assert_string_equal(surfaces(state, ""), "");
}

static void long_texts_and_short_ones_fold_alike(void **state) {
    /* Sixteen bytes are read at a time inside a text, one at a time near its end. */
    const char *words[] = {"Az", "z{`@[09/:AZ", "AbcdefghijklmnoP", "Abcdefghijklmnopq", "x"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[256];
        char once[512];
        snprintf(once, sizeof once, "%s", surfaces(state, words[i]));
        snprintf(text, sizeof text, "%s .................................", words[i]);
        assert_string_equal(surfaces(state, text), once);
    }
}

static void latin_greek_and_arabic_lose_their_marks(void **state) {
    assert_string_equal(surfaces(state, "Crème BRÛLÉE naïve Ångström"),
                        "creme brulee naive angstrom");
    assert_string_equal(surfaces(state, "Straße Øre łódź Æther ŒUVRE ıI"),
                        "strasse ore lodz aether oeuvre ii");
    assert_string_equal(surfaces(state, "Ἀθῆναι ΛΌΓΟΣ"), "αθηναι λογοσ");
    assert_string_equal(surfaces(state, "مُحَمَّد أحمد كتـــاب"), "محمد احمد كتاب");
}

static void cyrillic_keeps_short_i_and_loses_the_dots_of_io(void **state) {
    assert_string_equal(surfaces(state, "МОЙ Ёлка"), "мой елка");
}

static void decomposed_input_equals_composed_input(void **state) {
    assert_string_equal(surfaces(state, "cafe\xCC\x81"), "cafe");
    assert_string_equal(surfaces(state, "\xD0\xB8\xCC\x86"), "й");
    assert_string_equal(surfaces(state, "\xE3\x81\x8B\xE3\x82\x99"), "が");
}

static void full_width_letters_and_foreign_digits_become_ascii(void **state) {
    assert_string_equal(surfaces(state, "ＡＢＣ１２３"), "abc123");
    assert_string_equal(surfaces(state, "٢٠٢٤ २०२४"), "2024 2024");
    assert_string_equal(surfaces(state, "CO₂ m²"), "co2 m2");
    assert_string_equal(surfaces(state, "ﬁre soft\xC2\xADhyphen"), "fire softhyphen");
}

static void half_width_kana_join_their_voicing_marks(void **state) {
    assert_string_equal(surfaces(state, "ｶﾞ"), "ガ");
}

static void han_and_kana_give_unigrams_and_bigrams_in_order(void **state) {
    struct edda_tokens tokens = run(state, "東京都 ok", EDDA_LANGUAGE_NONE);
    assert_string_equal(join(tokens, false), "東 東京 京 京都 都 ok");
    assert_int_equal(tokens.items[0].kind, EDDA_TOKEN_CJK);
    assert_int_equal(tokens.items[1].position, 0);
    assert_int_equal(tokens.items[2].position, 1);
    assert_int_equal(tokens.items[4].position, 2);
    assert_int_equal(tokens.items[5].position, 3);
    assert_int_equal(tokens.items[1].start, 0);
    assert_int_equal(tokens.items[1].end, 6);
    assert_int_equal(tokens.items[1].letters, 2);
    assert_int_equal(tokens.items[5].kind, EDDA_TOKEN_WORD);
}

static void thai_gives_three_and_four_grams(void **state) {
    assert_string_equal(surfaces(state, "กขคงจ"), "กขค กขคง ขคง ขคงจ คงจ");
    assert_string_equal(surfaces(state, "กข"), "กข");
    assert_string_equal(surfaces(state, "กขค"), "กขค");
}

static void hangul_syllables_stay_whole(void **state) {
    assert_string_equal(surfaces(state, "한국어 검색"), "한국어 검색");
}

static void english_is_stemmed_and_numbers_are_not(void **state) {
    assert_string_equal(stems(state, "running happily B2Bs 1990s", EDDA_LANGUAGE_ENGLISH),
                        "run happili b2bs 1990s");
    struct edda_tokens tokens = run(state, "1990s", EDDA_LANGUAGE_ENGLISH);
    assert_int_equal(tokens.items[0].kind, EDDA_TOKEN_NUMBER);
}

static void every_language_has_a_stemmer(void **state) {
    static const struct {
        enum edda_language language;
        const char *word;
        const char *stem;
    } cases[] = {
        {EDDA_LANGUAGE_GERMAN, "Häuser", "haus"},
        {EDDA_LANGUAGE_FRENCH, "continuellement", "continuel"},
        {EDDA_LANGUAGE_RUSSIAN, "книгами", "книг"},
        {EDDA_LANGUAGE_SPANISH, "bibliotecas", "bibliotec"},
        {EDDA_LANGUAGE_DUTCH, "huizen", "huiz"},
        {EDDA_LANGUAGE_SWEDISH, "flickorna", "flick"},
        {EDDA_LANGUAGE_FINNISH, "taloissa", "talo"},
        {EDDA_LANGUAGE_TURKISH, "evler", "ev"},
        {EDDA_LANGUAGE_HINDI, "लड़कों", "लड़क"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(stems(state, cases[i].word, cases[i].language), cases[i].stem);
    for (enum edda_language i = EDDA_LANGUAGE_NONE; i < EDDA_LANGUAGE_COUNT; i++)
        assert_int_equal(run(state, "a b c", i).language, i);
}

static void stopwords_are_marked_for_the_language_used(void **state) {
    struct edda_tokens tokens = run(state, "The house of them", EDDA_LANGUAGE_ENGLISH);
    assert_true(tokens.items[0].stopword);
    assert_false(tokens.items[1].stopword);
    assert_true(tokens.items[2].stopword);
    assert_true(run(state, "für", EDDA_LANGUAGE_GERMAN).items[0].stopword);
    assert_true(run(state, "fur", EDDA_LANGUAGE_GERMAN).items[0].stopword);
    assert_false(run(state, "the", EDDA_LANGUAGE_NONE).items[0].stopword);
    assert_false(run(state, "the", EDDA_LANGUAGE_FRENCH).items[0].stopword);
}

static void the_language_is_found_by_vote(void **state) {
    static const struct {
        const char *text;
        enum edda_language language;
    } cases[] = {
        {"What is the capital of France?", EDDA_LANGUAGE_ENGLISH},
        {"Welche Stadt ist die Hauptstadt von Frankreich?", EDDA_LANGUAGE_GERMAN},
        {"Quelle est la capitale de la France et pourquoi ?", EDDA_LANGUAGE_FRENCH},
        {"¿Cuál es la capital de Francia y por qué?", EDDA_LANGUAGE_SPANISH},
        {"Qual é a capital da França e por que não?", EDDA_LANGUAGE_PORTUGUESE},
        {"Qual è la capitale della Francia e perché?", EDDA_LANGUAGE_ITALIAN},
        {"Wat is de hoofdstad van Frankrijk en waarom?", EDDA_LANGUAGE_DUTCH},
        {"Vilken stad är huvudstad i Frankrike och varför?", EDDA_LANGUAGE_SWEDISH},
        {"Mikä on Ranskan pääkaupunki ja miksi se on", EDDA_LANGUAGE_FINNISH},
        {"Какой город является столицей Франции?", EDDA_LANGUAGE_RUSSIAN},
        {"население Баварии", EDDA_LANGUAGE_RUSSIAN},
        {"Care este capitala Franței și de ce?", EDDA_LANGUAGE_ROMANIAN},
        {"Mi az a város, amely Franciaország fővárosa és miért?", EDDA_LANGUAGE_HUNGARIAN},
        {"Fransa'nın başkenti hangisi ve neden bu kadar ünlü?", EDDA_LANGUAGE_TURKISH},
        {"ما هي عاصمة فرنسا", EDDA_LANGUAGE_ARABIC},
        {"Ποια είναι η πρωτεύουσα της Γαλλίας;", EDDA_LANGUAGE_GREEK},
        {"फ्रांस की राजधानी क्या है", EDDA_LANGUAGE_HINDI},
        {"zyxw qwerty", EDDA_LANGUAGE_AUTO},
        {"", EDDA_LANGUAGE_AUTO},
        {"東京都", EDDA_LANGUAGE_AUTO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(edda_analyser_language(*state, edda_text_of(cases[i].text)),
                         cases[i].language);
}

static void nothing_voting_means_english(void **state) {
    assert_int_equal(run(state, "zyxw", EDDA_LANGUAGE_AUTO).language, EDDA_LANGUAGE_ENGLISH);
}

static void ranges_point_into_the_source(void **state) {
    const char *text = "Ünïted  nations, 東京 x";
    struct edda_tokens tokens = run(state, text, EDDA_LANGUAGE_NONE);
    assert_int_equal(tokens.items[0].start, 0);
    assert_int_equal(tokens.items[0].end, 8);
    assert_memory_equal(text + tokens.items[1].start, "nations", 7);
    assert_int_equal(tokens.items[1].end - tokens.items[1].start, 7);
}

static void a_run_over_sixty_four_bytes_becomes_several_tokens(void **state) {
    char text[201];
    memset(text, 'a', 200);
    text[200] = '\0';
    struct edda_tokens tokens = run(state, text, EDDA_LANGUAGE_ENGLISH);
    assert_int_equal(tokens.count, 4);
    for (size_t i = 0; i < tokens.count; i++)
        assert_true(tokens.items[i].surface.size <= 64);
    assert_int_equal(tokens.items[3].end, 200);
    char wide[300] = "";
    for (size_t i = 0; i < 60; i++)
        strncat(wide, "ж", sizeof wide - strlen(wide) - 1);
    tokens = run(state, wide, EDDA_LANGUAGE_RUSSIAN);
    for (size_t i = 0; i < tokens.count; i++)
        assert_true(edda_text_valid(tokens.items[i].surface));
}

static void invalid_bytes_separate(void **state) {
    assert_string_equal(surfaces(state, "ab\xFF"
                                        "cd \xC3 \xE2\x82 ef"),
                        "ab cd ef");
}

static void a_full_memory_of_words_changes_no_result(void **state) {
    char word[32];
    char before[256];
    snprintf(before, sizeof before, "%s",
             stems(state, "relational conditioning", EDDA_LANGUAGE_ENGLISH));
    for (unsigned i = 0; i < 60000; i++) {
        snprintf(word, sizeof word, "w%uing Q%uы", i * 7919, i);
        struct edda_tokens tokens;
        assert_int_equal(
            edda_analyser_run(*state, edda_text_of(word), EDDA_LANGUAGE_ENGLISH, &tokens), 0);
        assert_int_equal(tokens.count, 2);
    }
    assert_string_equal(stems(state, "relational conditioning", EDDA_LANGUAGE_ENGLISH), before);
}

static void a_text_larger_than_what_is_kept_is_analysed_whole(void **state) {
    size_t size = 400000;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 5 == 4 ? ' ' : (char)('a' + i / 5 % 26);
    text[size] = '\0';
    for (int round = 0; round < 2; round++) {
        struct edda_tokens tokens = run(state, text, EDDA_LANGUAGE_ENGLISH);
        assert_int_equal(tokens.count, size / 5);
        for (size_t i = 0; i < tokens.count; i++)
            assert_memory_equal(tokens.items[i].surface.data, text + tokens.items[i].start, 4);
    }
    free(text);
}

static void the_hash_never_changes(void **state) {
    (void)state;
    /* Stored on disk: these values may not change between builds. */
    assert_int_equal(edda_text_hash("", 0), UINT64_C(0x96ebbe173ff72a30));
    assert_int_equal(edda_text_hash("run", 3), UINT64_C(0xec71cbc2b534ec6a));
    assert_int_equal(edda_text_hash("retriev", 7), UINT64_C(0x68c4cd2ea9f4c781));
    assert_int_equal(edda_text_hash("internationalis", 15), UINT64_C(0xaea3a41f22105c9b));
    assert_int_equal(edda_text_hash("donaudampfschifffahrtsgesellschaft", 34),
                     UINT64_C(0xff1c26ed90814729));
}

static void code_points_are_counted_and_cut(void **state) {
    (void)state;
    assert_int_equal(edda_text_length(EDDA_TEXT("aé東😀")), 4);
    assert_int_equal(edda_text_length(EDDA_TEXT("a\xFF\xFE")), 3);
    assert_int_equal(edda_text_prefix(EDDA_TEXT("aé東😀"), 3).size, 6);
    assert_int_equal(edda_text_prefix(EDDA_TEXT("ab"), 9).size, 2);
    assert_int_equal(edda_text_prefix(EDDA_TEXT("ab"), 0).size, 0);
}

static void validity_knows_overlong_forms_surrogates_and_nul(void **state) {
    (void)state;
    assert_true(edda_text_valid(EDDA_TEXT("plain ascii text, aé東😀 and more of it")));
    assert_true(edda_text_valid(EDDA_TEXT("\xEF\xBF\xBD")));
    assert_true(edda_text_valid(EDDA_TEXT("")));
    assert_false(edda_text_valid((struct edda_text){"abcdefgh\0jklmnop", 16}));
    assert_false(edda_text_valid(EDDA_TEXT("\xC0\x80")));
    assert_false(edda_text_valid(EDDA_TEXT("\xE0\x80\x80")));
    assert_false(edda_text_valid(EDDA_TEXT("\xED\xA0\x80")));
    assert_false(edda_text_valid(EDDA_TEXT("\xF4\x90\x80\x80")));
    assert_false(edda_text_valid(EDDA_TEXT("abc\xE6\x9D")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_are_runs_of_letters_and_digits, make, unmake),
        cmocka_unit_test_setup_teardown(long_texts_and_short_ones_fold_alike, make, unmake),
        cmocka_unit_test_setup_teardown(latin_greek_and_arabic_lose_their_marks, make, unmake),
        cmocka_unit_test_setup_teardown(cyrillic_keeps_short_i_and_loses_the_dots_of_io, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(decomposed_input_equals_composed_input, make, unmake),
        cmocka_unit_test_setup_teardown(full_width_letters_and_foreign_digits_become_ascii, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(half_width_kana_join_their_voicing_marks, make, unmake),
        cmocka_unit_test_setup_teardown(han_and_kana_give_unigrams_and_bigrams_in_order, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(thai_gives_three_and_four_grams, make, unmake),
        cmocka_unit_test_setup_teardown(hangul_syllables_stay_whole, make, unmake),
        cmocka_unit_test_setup_teardown(english_is_stemmed_and_numbers_are_not, make, unmake),
        cmocka_unit_test_setup_teardown(every_language_has_a_stemmer, make, unmake),
        cmocka_unit_test_setup_teardown(stopwords_are_marked_for_the_language_used, make, unmake),
        cmocka_unit_test_setup_teardown(the_language_is_found_by_vote, make, unmake),
        cmocka_unit_test_setup_teardown(nothing_voting_means_english, make, unmake),
        cmocka_unit_test_setup_teardown(ranges_point_into_the_source, make, unmake),
        cmocka_unit_test_setup_teardown(a_run_over_sixty_four_bytes_becomes_several_tokens, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(invalid_bytes_separate, make, unmake),
        cmocka_unit_test_setup_teardown(a_full_memory_of_words_changes_no_result, make, unmake),
        cmocka_unit_test_setup_teardown(a_text_larger_than_what_is_kept_is_analysed_whole, make,
                                        unmake),
        cmocka_unit_test(the_hash_never_changes),
        cmocka_unit_test(code_points_are_counted_and_cut),
        cmocka_unit_test(validity_knows_overlong_forms_surrogates_and_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
