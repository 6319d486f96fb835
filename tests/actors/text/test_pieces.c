/* tests/actors/text/test_pieces.c: grams of words, parts of documents, paths of headings,
 * ends of sentences, sizes in tokens. */
#include "actors/text/grams.h"
#include "actors/text/headings.h"
#include "actors/text/parts.h"
#include "actors/text/sentence.h"
#include "actors/text/text.h"
#include "actors/text/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_word_has_its_framed_grams(void **state) {
    (void)state;
    struct edda_gram_word word;
    edda_gram_word_init(&word, EDDA_TEXT("word"), '_', '_');
    static const char *const expected[] = {"_wor", "word", "ord_"};
    assert_int_equal(edda_gram_count(&word, 4), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(edda_text_is(edda_gram_at(&word, i, 4), expected[i]));
}

static void grams_count_code_points_not_bytes(void **state) {
    (void)state;
    struct edda_gram_word word;
    edda_gram_word_init(&word, EDDA_TEXT("книга"), '<', '>');
    assert_int_equal(word.length, 7);
    assert_int_equal(edda_gram_count(&word, 5), 3);
    assert_true(edda_text_is(edda_gram_at(&word, 0, 3), "<кн"));
    assert_true(edda_text_is(edda_gram_at(&word, 2, 5), "нига>"));
}

static void a_short_word_is_one_gram(void **state) {
    (void)state;
    struct edda_gram_word word;
    edda_gram_word_init(&word, EDDA_TEXT("a"), '_', '_');
    assert_int_equal(edda_gram_count(&word, 4), 1);
    assert_true(edda_text_is(edda_gram_at(&word, 0, 4), "_a_"));
}

static void a_surface_over_the_limit_is_cut_at_a_code_point(void **state) {
    (void)state;
    char long_word[99];
    memset(long_word, 'x', sizeof long_word);
    memcpy(long_word + 63, "東", 3);
    struct edda_gram_word word;
    edda_gram_word_init(&word, (struct edda_text){long_word, sizeof long_word}, '_', '_');
    assert_int_equal(word.length, 65);
    /* Stray continuation bytes are invalid input, and must stay harmless. */
    memset(long_word, 0x80, sizeof long_word);
    edda_gram_word_init(&word, (struct edda_text){long_word, sizeof long_word}, '_', '_');
    for (size_t i = 0; i < edda_gram_count(&word, 3); i++)
        (void)edda_gram_hash(&word, i, 3);
}

static void gram_hashes_never_change(void **state) {
    (void)state;
    struct edda_gram_word word;
    edda_gram_word_init(&word, EDDA_TEXT("word"), '_', '_');
    assert_int_equal(edda_gram_hash(&word, 0, 4), UINT64_C(0x5bd1ae7214b634dc));
    edda_gram_word_init(&word, EDDA_TEXT("東京都庁"), '<', '>');
    assert_int_equal(edda_gram_hash(&word, 0, 5), UINT64_C(0x9a6e3399358c5c1d));
}

/* What a sink saw. */
struct seen {
    char *bytes;
    size_t size;
    uint64_t cuts[64];
    uint32_t count;
    int answer;
};

static int see_part(void *context, struct edda_text part, uint32_t number, uint64_t first_byte) {
    struct seen *seen = context;
    assert_int_equal(number, seen->count);
    assert_int_equal(first_byte, seen->size);
    assert_true(part.size > 0 && part.size <= EDDA_PART_BYTES);
    memcpy(seen->bytes + seen->size, part.data, part.size);
    seen->size += part.size;
    assert_true(seen->count < 64);
    seen->cuts[seen->count++] = seen->size;
    return seen->answer;
}

/* Feeds text in pieces of 1..step bytes chosen by seed. */
static void feed_all(struct seen *seen, const char *text, size_t size, size_t step, unsigned seed) {
    struct edda_parts parts;
    assert_int_equal(edda_parts_init(&parts, see_part, seen), 0);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245 + 12345;
        size_t count = 1 + (seed >> 8) % step;
        count = count < size - at ? count : size - at;
        assert_int_equal(edda_parts_feed(&parts, (struct edda_text){text + at, count}), 0);
        at += count;
    }
    assert_int_equal(edda_parts_finish(&parts), 0);
    edda_parts_done(&parts);
}

static char *make_document(size_t size, unsigned seed) {
    static const char *const bits[] = {"word ",     "Satz. ", "zwei\n", "absatz\n\n",     "東京。",
                                       "x\r\n\r\n", "é",      "?! ",    "longerwordhere", "\t"};
    char *text = malloc(size + 16);
    size_t at = 0;
    while (at < size) {
        seed = seed * 1103515245 + 12345;
        const char *bit = bits[(seed >> 12) % 10];
        size_t count = strlen(bit);
        memcpy(text + at, bit, count);
        at += count;
    }
    return text;
}

static void parts_do_not_depend_on_how_bytes_are_fed(void **state) {
    (void)state;
    size_t size = 500000;
    char *text = make_document(size, 7);
    struct seen first = {.bytes = malloc(size)};
    feed_all(&first, text, size, size, 1);
    assert_true(first.count >= 8 && first.count <= 16);
    static const size_t steps[] = {1, 7, 4096, 65536, 65537, 200000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct seen other = {.bytes = malloc(size)};
        feed_all(&other, text, size, steps[i], (unsigned)i + 2);
        assert_int_equal(other.count, first.count);
        assert_memory_equal(other.cuts, first.cuts, sizeof first.cuts);
        assert_memory_equal(other.bytes, text, size);
        free(other.bytes);
    }
    size_t at = 0; /* and the one-piece function cuts the same */
    for (uint32_t i = 0; i < first.count; i++) {
        at += edda_parts_cut((struct edda_text){text + at, size - at});
        assert_int_equal(at, first.cuts[i]);
    }
    free(first.bytes);
    free(text);
}

static size_t cut_of(const char *filler, const char *mark, size_t mark_at) {
    size_t size = EDDA_PART_BYTES + 100;
    char *text = malloc(size + 8);
    size_t unit = strlen(filler);
    for (size_t i = 0; i < size; i += unit)
        memcpy(text + i, filler, i + unit <= size + 8 ? unit : size + 8 - i);
    if (mark != NULL)
        memcpy(text + mark_at, mark, strlen(mark));
    size_t cut = edda_parts_cut((struct edda_text){text, size});
    free(text);
    return cut;
}

static void a_part_ends_at_the_best_place_in_its_second_half(void **state) {
    (void)state;
    size_t at = 40000;
    assert_int_equal(cut_of("a", NULL, 0), EDDA_PART_BYTES);
    assert_int_equal(cut_of("a", " ", at), at + 1);
    assert_int_equal(cut_of("a ", ". ", at), at + 2);
    assert_int_equal(cut_of(". ", ".\n", at), at + 2);
    assert_int_equal(cut_of(".\n", "\n\n", at), at + 2);
    assert_int_equal(cut_of("a", "\xE3\x80\x82", at), at + 3);
    assert_int_equal(cut_of("a", "\n\n", 10000), EDDA_PART_BYTES); /* too early to count */
    assert_int_equal(cut_of("東", NULL, 0), EDDA_PART_BYTES - EDDA_PART_BYTES % 3);
}

static void an_empty_document_has_no_part(void **state) {
    (void)state;
    struct seen seen = {.count = 0};
    feed_all(&seen, "", 0, 1, 1);
    assert_int_equal(seen.count, 0);
}

static void a_sink_that_refuses_stops_the_feeding(void **state) {
    (void)state;
    char *text = make_document(70000, 3);
    struct seen seen = {.bytes = malloc(70000), .answer = EDDA_E_BUSY};
    struct edda_parts parts;
    assert_int_equal(edda_parts_init(&parts, see_part, &seen), 0);
    assert_int_equal(edda_parts_feed(&parts, (struct edda_text){text, 70000}), EDDA_E_BUSY);
    edda_parts_done(&parts);
    edda_parts_done(&parts);
    free(seen.bytes);
    free(text);
}

static const char *path_after(const char *before, const char *text) {
    static char path[EDDA_HEADING_PATH_BYTES + 1];
    size_t size = edda_headings_after(EDDA_TEXT("markdown"), edda_text_of(text), false,
                                      edda_text_of(before), path);
    path[size] = '\0';
    return path;
}

static void headings_make_a_path(void **state) {
    (void)state;
    assert_string_equal(path_after("", "# Guide\ntext\n## Install ##\n"), "Guide > Install");
    assert_string_equal(path_after("", "# A\n## B\n# C"), "C");
    assert_string_equal(path_after("A > B", "no heading\n"), "A > B");
    assert_string_equal(path_after("A > B > C", "## D\n"), "A > D");
    assert_string_equal(path_after("", "#no space\n#\n####### seven\n"), "");
    assert_string_equal(path_after("", "    # indented code\n"), "");
}

static void a_title_has_160_bytes_and_is_cut_at_a_code_point(void **state) {
    (void)state;
    char text[EDDA_HEADING_BYTES + 5] = "# ";
    memset(text + 2, 'x', EDDA_HEADING_BYTES);
    assert_string_equal(path_after("", text), text + 2);
    text[EDDA_HEADING_BYTES + 2] = 'y';
    const char *path = path_after("", text);
    assert_int_equal(strlen(path), EDDA_HEADING_BYTES);
    assert_null(strchr(path, 'y'));
    memcpy(text + 1 + EDDA_HEADING_BYTES, "\xc3\xa9", 2); /* its first byte is the 160th */
    assert_int_equal(strlen(path_after("", text)), EDDA_HEADING_BYTES - 1);
}

static void underlined_titles_are_headings(void **state) {
    (void)state;
    assert_string_equal(path_after("", "Title\n=====\n\nPart\n----\n"), "Title > Part");
    assert_string_equal(path_after("", "two\nlines\n---\n"), "");
    assert_string_equal(path_after("", "---\ntitle: x\n---\n"), "");
    assert_string_equal(path_after("", "- item\n---\n"), "");
    assert_string_equal(path_after("", "a\n\n---\n"), "");
}

static void fenced_code_has_no_headings(void **state) {
    (void)state;
    assert_string_equal(path_after("", "# A\n```sh\n# not one\n```\n"), "A");
    assert_string_equal(path_after("", "~~~~\n# no\n~~~\n# no\n~~~~\n# yes\n"), "yes");
    assert_string_equal(path_after("", "`` `x` `` ```\n# yes\n"), "yes");
}

static void a_long_title_is_cut_at_a_code_point(void **state) {
    (void)state;
    char text[600] = "# ";
    for (size_t i = 0; i < 100; i++)
        memcpy(text + 2 + i * 3, "東", 3);
    const char *path = path_after("", text);
    assert_int_equal(strlen(path), 159);
    assert_true(edda_text_valid(edda_text_of(path)));
}

static void the_first_row_of_csv_is_its_heading(void **state) {
    (void)state;
    char path[EDDA_HEADING_PATH_BYTES];
    struct edda_text csv = EDDA_TEXT("name,\"two\nlines\"\r\n1,2\n");
    size_t size = edda_headings_after(EDDA_TEXT("csv"), csv, true, EDDA_TEXT(""), path);
    assert_true(edda_text_is((struct edda_text){path, size}, "name,\"two\nlines\""));
    size = edda_headings_after(EDDA_TEXT("csv"), csv, false, EDDA_TEXT("kept"), path);
    assert_true(edda_text_is((struct edda_text){path, size}, "kept"));
    size = edda_headings_after(EDDA_TEXT("plain"), csv, true, EDDA_TEXT("gone"), path);
    assert_int_equal(size, 0);
}

static void sentences_end_where_readers_end_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t first;
    } cases[] = {
        {"One. Two.", 5},
        {"Dr. Who came. Two.", 14},
        {"It is 3.14 now. Two.", 16},
        {"See e.g. the. Two.", 14},
        {"He said \"no.\" Then.", 14},
        {"Why? Because.", 5},
        {"J. Smith. Two.", 10},
        {"No end here", 11},
        {"Wait... what. Two.", 14},
        {"好。坏。", 6},
        {"好！」坏", 9},
        {"क्या। हाँ", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(edda_sentence_next(edda_text_of(cases[i].text)), cases[i].first);
}

static void tokens_are_counted_by_writing(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t tokens;
    } cases[] = {
        {"", 0},      {"a", 1},    {"nine letters and more", 5}, /* 21 characters */
        {"a   b", 1},                                            /* white space is one */
        {"漢字", 2},  {"สวัสดี", 6}, {"ab漢", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(edda_tokens_of(edda_text_of(cases[i].text)), cases[i].tokens);
}

static void a_prefix_has_as_many_tokens_as_it_may(void **state) {
    (void)state;
    static const char *const texts[] = {"some words in a row", "漢字かな交じり文", "é漢é漢é漢",
                                        "x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct edda_text text = edda_text_of(texts[i]);
        for (uint32_t tokens = 0; tokens < 10; tokens++) {
            struct edda_text prefix = edda_tokens_prefix(text, tokens);
            assert_ptr_equal(prefix.data, text.data);
            assert_true(edda_text_valid(prefix));
            assert_true(edda_tokens_of(prefix) <= tokens);
            if (prefix.size < text.size) {
                const char *next = text.data + prefix.size;
                edda_text_next(&next, text.data + text.size);
                struct edda_text more = {text.data, (size_t)(next - text.data)};
                assert_true(edda_tokens_of(more) > tokens);
            }
        }
    }
}

static void a_text_is_given_with_its_title_and_headings_a_line_each(void **state) {
    static const struct {
        const char *title;
        const char *heading;
        const char *text;
        const char *wanted;
    } cases[] = {{"Tea", "Green > Hot", "eighty", "Tea\nGreen > Hot\neighty"},
                 {"", "Green", "eighty", "Green\neighty"},
                 {"Tea", "", "", "Tea"},
                 {"", "", "eighty", "eighty"},
                 {"", "", "", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edda_arena arena;
        struct edda_text text;
        edda_arena_init(&arena, 1024);
        assert_int_equal(edda_headed_text(edda_text_of(cases[i].title),
                                          edda_text_of(cases[i].heading),
                                          edda_text_of(cases[i].text), &arena, &text),
                         0);
        assert_true(edda_text_is(text, cases[i].wanted));
        edda_arena_done(&arena);
    }
}

static void trimming_leaves_what_is_not_white_space(void **state) {
    (void)state;
    assert_true(edda_text_is(edda_text_trim(EDDA_TEXT(" \t\r\na b \n")), "a b"));
    assert_int_equal(edda_text_trim(EDDA_TEXT(" \n ")).size, 0);
    assert_int_equal(edda_text_trim(EDDA_TEXT("")).size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_has_its_framed_grams),
        cmocka_unit_test(grams_count_code_points_not_bytes),
        cmocka_unit_test(a_short_word_is_one_gram),
        cmocka_unit_test(a_surface_over_the_limit_is_cut_at_a_code_point),
        cmocka_unit_test(gram_hashes_never_change),
        cmocka_unit_test(parts_do_not_depend_on_how_bytes_are_fed),
        cmocka_unit_test(a_part_ends_at_the_best_place_in_its_second_half),
        cmocka_unit_test(an_empty_document_has_no_part),
        cmocka_unit_test(a_sink_that_refuses_stops_the_feeding),
        cmocka_unit_test(a_text_is_given_with_its_title_and_headings_a_line_each),
        cmocka_unit_test(trimming_leaves_what_is_not_white_space),
        cmocka_unit_test(headings_make_a_path),
        cmocka_unit_test(a_title_has_160_bytes_and_is_cut_at_a_code_point),
        cmocka_unit_test(underlined_titles_are_headings),
        cmocka_unit_test(fenced_code_has_no_headings),
        cmocka_unit_test(a_long_title_is_cut_at_a_code_point),
        cmocka_unit_test(the_first_row_of_csv_is_its_heading),
        cmocka_unit_test(sentences_end_where_readers_end_them),
        cmocka_unit_test(tokens_are_counted_by_writing),
        cmocka_unit_test(a_prefix_has_as_many_tokens_as_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
