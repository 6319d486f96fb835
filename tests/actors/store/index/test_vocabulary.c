#include "tests/actors/store/index/build.h"

#include "actors/store/index/vocabulary.h"

/* The textbook recurrence of optimal string alignment, whole matrix. */
static unsigned naive_distance(const uint32_t *a, size_t n, const uint32_t *b, size_t m) {
    unsigned d[17][17];
    for (size_t i = 0; i <= n; i++) {
        for (size_t k = 0; k <= m; k++) {
            if (i == 0 || k == 0) {
                d[i][k] = (unsigned)(i + k);
                continue;
            }
            unsigned best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
            best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
            best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                d[i - 2][k - 2] + 1 < best) {
                best = d[i - 2][k - 2] + 1;
            }
            d[i][k] = best;
        }
    }
    return d[n][m];
}

static void distances_equal_the_textbook_up_to_the_limit(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 1);
    for (size_t round = 0; round < 20000; round++) {
        uint32_t a[16];
        uint32_t b[16];
        size_t n = build_random(&build, 9);
        size_t m = build_random(&build, 9);
        for (size_t i = 0; i < 16; i++) {
            a[i] = 'a' + build_random(&build, 3);
            b[i] = 'a' + build_random(&build, 3);
        }
        for (unsigned limit = 1; limit <= 2; limit++) {
            unsigned expected = naive_distance(a, n, b, m);
            expected = expected > limit ? limit + 1 : expected;
            assert_int_equal(edda_vocabulary_distance(a, n, b, m, limit), expected);
        }
    }
    build_done(&build);
}

struct words {
    struct edda_lexical lexical;
    struct edda_vocabulary vocabulary;
    struct edda_vocabulary_scratch scratch;
};

static uint32_t put_word(struct words *words, const char *text, uint32_t df) {
    uint32_t term;
    uint32_t hash = (uint32_t)edda_text_hash(text, strlen(text));
    assert_int_equal(edda_lexical_term(&words->lexical, hash, &term), 0);
    words->lexical.terms[term].df = df;
    assert_int_equal(
        edda_vocabulary_put(&words->vocabulary, &words->lexical, term, edda_text_of(text)), 0);
    return term;
}

static void done_words(struct words *words) {
    edda_vocabulary_scratch_done(&words->scratch);
    edda_vocabulary_done(&words->vocabulary);
    edda_lexical_done(&words->lexical);
}

static size_t find_near(struct words *words, const char *text,
                        struct edda_expansion found[EDDA_EXPANSIONS]) {
    size_t count;
    assert_int_equal(edda_vocabulary_neighbours(&words->vocabulary, &words->lexical,
                                                &words->scratch, edda_text_of(text), found, &count),
                     0);
    return count;
}

static void a_mistyped_word_finds_the_right_one_first(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    uint32_t protein = put_word(&words, "protein", 10);
    (void)put_word(&words, "protean", 1);
    (void)put_word(&words, "goblin", 5);
    assert_int_equal(find_near(&words, "protien", found), 2);
    assert_int_equal(found[0].term, protein);
    assert_true(found[0].weight == 1.0f - 1.0f / 7.0f);
    done_words(&words);
}

static void short_words_may_differ_by_one_edit_long_ones_by_two(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    (void)put_word(&words, "table", 1);
    assert_int_equal(find_near(&words, "tabel", found), 1); /* a swap */
    assert_int_equal(find_near(&words, "taxxe", found), 0);
    (void)put_word(&words, "kitchen", 1);
    assert_int_equal(find_near(&words, "kixchxn", found), 1);
    assert_int_equal(find_near(&words, "kxxchxn", found), 0);
    assert_int_equal(find_near(&words, "tab", found), 0); /* three letters are not widened */
    done_words(&words);
}

static void letters_are_code_points_not_bytes(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    (void)put_word(&words, "документ", 1);
    assert_int_equal(find_near(&words, "докумнет", found), 1);
    assert_true(found[0].weight == 1.0f - 1.0f / 8.0f);
    assert_int_equal(find_near(&words, "дом", found), 0);
    done_words(&words);
}

static void words_nobody_uses_are_not_proposed(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    (void)put_word(&words, "galaxy", 0);
    uint32_t known = put_word(&words, "galactic", 3);
    assert_int_equal(find_near(&words, "galaxi", found), 0);
    assert_int_equal(edda_vocabulary_variants(&words.vocabulary, &words.lexical, known,
                                              EDDA_TEXT("galactic"), found),
                     0);
    done_words(&words);
}

static void variants_share_four_letters_and_half_their_trigrams(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    uint32_t known = put_word(&words, "comput", 3);
    uint32_t near = put_word(&words, "computer", 2);
    (void)put_word(&words, "compassionless", 9); /* prefix, but few trigrams */
    (void)put_word(&words, "recomput", 9);       /* trigrams, but no prefix */
    assert_int_equal(edda_vocabulary_variants(&words.vocabulary, &words.lexical, known,
                                              EDDA_TEXT("comput"), found),
                     1);
    assert_int_equal(found[0].term, near);
    assert_true(found[0].weight == 0.7f * (2.0f * 5.0f / 14.0f));
    done_words(&words);
}

static void the_best_five_win_and_ties_go_to_the_commoner(void **state) {
    (void)state;
    struct words words = {0};
    struct edda_expansion found[EDDA_EXPANSIONS];
    char word[] = "planetaX";
    uint32_t terms[8];
    for (uint32_t i = 0; i < 8; i++) {
        word[7] = (char)('a' + i);
        terms[i] = put_word(&words, word, 10 + i);
    }
    assert_int_equal(find_near(&words, "planetaz", found), EDDA_EXPANSIONS);
    for (size_t i = 0; i < EDDA_EXPANSIONS; i++) {
        assert_int_equal(found[i].term, terms[7 - i]);
    }
    done_words(&words);
}

static void words_of_two_or_33_letters_are_left_out(void **state) {
    (void)state;
    struct words words = {0};
    (void)put_word(&words, "ox", 1);
    (void)put_word(&words, "abcdefghijklmnopqrstuvwxyzabcdefg", 1);
    assert_int_equal(words.vocabulary.word_count, 0);
    (void)put_word(&words, "oxy", 1);
    (void)put_word(&words, "abcdefghijklmnopqrstuvwxyzabcdef", 1);
    assert_int_equal(words.vocabulary.word_count, 2);
    done_words(&words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_equal_the_textbook_up_to_the_limit),
        cmocka_unit_test(a_mistyped_word_finds_the_right_one_first),
        cmocka_unit_test(short_words_may_differ_by_one_edit_long_ones_by_two),
        cmocka_unit_test(letters_are_code_points_not_bytes),
        cmocka_unit_test(words_nobody_uses_are_not_proposed),
        cmocka_unit_test(variants_share_four_letters_and_half_their_trigrams),
        cmocka_unit_test(the_best_five_win_and_ties_go_to_the_commoner),
        cmocka_unit_test(words_of_two_or_33_letters_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
