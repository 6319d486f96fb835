/* tests/ops/test_eval.c: the figures of `edda eval` and how sure they are: pure parts. */
#include "tests/proto/cmocka.h"

#include <math.h>
#include <stdlib.h>

#include "actors/text/text.h"
#include "ops/eval/metric.h"
#include "ops/eval/ranking.h"
#include "ops/eval/statistics.h"
#include "ops/eval/tune.h"
#include "ops/eval/typo.h"

static void near(double value, double wanted) {
    assert_true(fabs(value - wanted) < 1e-9);
}

static void the_right_order_has_every_figure_at_one(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{7, 1}, {3, 2}, {9, 0}};
    const size_t ranked[] = {3, 7, 9};
    struct edda_figures figures;
    assert_true(edda_metric_judge(grades, 3, ranked, 3, &figures));
    near(figures.ndcg_10, 1);
    near(figures.recall_10, 1);
    near(figures.recall_100, 1);
    near(figures.reciprocal_10, 1);
}

/* By hand: gains 1 at rank 2 and 2 at rank 3; the best order has 2 at rank 1 and 1 at rank 2. */
static void gain_is_linear_and_discounted_by_rank(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{7, 1}, {3, 2}};
    const size_t ranked[] = {5, 7, 3};
    struct edda_figures figures;
    assert_true(edda_metric_judge(grades, 2, ranked, 3, &figures));
    near(figures.ndcg_10, (1 / log2(3) + 2 / log2(4)) / (2 / log2(2) + 1 / log2(3)));
    near(figures.reciprocal_10, 0.5);
}

static void equal_grades_are_each_counted_once_in_the_ideal(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{1, 1}, {2, 1}, {3, 2}, {4, 1}};
    const size_t ranked[] = {3, 1, 2, 4};
    struct edda_figures figures;
    assert_true(edda_metric_judge(grades, 4, ranked, 4, &figures));
    near(figures.ndcg_10, 1);
}

static void what_stands_behind_ten_counts_for_recall_of_a_hundred_alone(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{50, 1}, {1000, 1}};
    size_t ranked[150];
    struct edda_figures figures;
    for (size_t i = 0; i < 150; i++)
        ranked[i] = i + 40; /* document 50 stands at place 11 */
    ranked[120] = 1000;     /* too late for anything */
    assert_true(edda_metric_judge(grades, 2, ranked, 150, &figures));
    near(figures.ndcg_10, 0);
    near(figures.recall_10, 0);
    near(figures.recall_100, 0.5);
    near(figures.reciprocal_10, 0);
}

static void a_right_document_that_is_not_there_lowers_the_figures(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{0, 1}, {SIZE_MAX, 1}};
    const size_t ranked[] = {0};
    struct edda_figures figures;
    assert_true(edda_metric_judge(grades, 2, ranked, 1, &figures));
    near(figures.recall_100, 0.5);
    assert_true(figures.ndcg_10 < 1);
}

static void without_a_right_answer_there_is_nothing_to_judge(void **state) {
    (void)state;
    const struct edda_grade grades[] = {{0, 0}, {1, -1}};
    const size_t ranked[] = {0};
    struct edda_figures figures;
    assert_false(edda_metric_judge(grades, 2, ranked, 1, &figures));
}

static void a_document_stands_where_its_best_chunk_stands(void **state) {
    (void)state;
    struct edda_scored_chunk chunks[] = {{1, .5}, {2, .9}, {1, .8}, {3, 0}, {4, .8}};
    struct edda_ranking ranking;
    edda_ranking_make(chunks, 5, &ranking);
    assert_int_equal(ranking.count, 3); /* 3 was not found */
    assert_int_equal(ranking.documents[0], 2);
    assert_int_equal(ranking.documents[1], 1);
    assert_int_equal(ranking.documents[2], 4);
}

static void equal_seeds_give_equal_numbers_and_others_do_not(void **state) {
    (void)state;
    struct edda_random one = edda_random_seeded(5);
    struct edda_random same = edda_random_seeded(5);
    struct edda_random other = edda_random_seeded(6);
    assert_true(edda_random_next(&one) == edda_random_next(&same));
    assert_true(edda_random_next(&one) != edda_random_next(&other));
    for (size_t i = 0; i < 1000; i++) {
        assert_true(edda_random_below(&one, 7) < 7);
        double share = edda_random_share(&one);
        assert_true(share >= 0 && share < 1);
    }
}

static void a_percentile_is_a_value_that_is_there(void **state) {
    (void)state;
    double values[] = {5, 1, 4, 2, 3};
    near(edda_percentile(values, 5, 0.5), 3);
    near(edda_percentile(values, 5, 0.99), 5);
    near(edda_percentile(values, 5, 0), 1);
    near(edda_percentile(values, 0, 0.5), 0);
}

/* 400 throws of a coin: the mean's standard error is .025, so that the interval is near +-.049. */
static void the_bootstrap_interval_is_as_wide_as_the_standard_error_says(void **state) {
    (void)state;
    double values[400];
    for (size_t i = 0; i < 400; i++)
        values[i] = (double)(i % 2);
    struct edda_interval interval = edda_bootstrap(values, 400, 1);
    assert_true(interval.low > 0.44 && interval.low < 0.46);
    assert_true(interval.high > 0.54 && interval.high < 0.56);
    for (size_t i = 0; i < 400; i++)
        values[i] = 0.25;
    interval = edda_bootstrap(values, 400, 1);
    near(interval.low, 0.25);
    near(interval.high, 0.25);
}

static void a_difference_that_chance_makes_easily_has_a_large_p(void **state) {
    (void)state;
    double differences[100];
    for (size_t i = 0; i < 100; i++)
        differences[i] = i % 2 ? 1 : -1;
    near(edda_randomisation(differences, 100, 1), 1); /* a mean of 0 is reached by any */
    for (size_t i = 0; i < 100; i++)
        differences[i] = 0.01;
    assert_true(edda_randomisation(differences, 100, 1) < 0.001);
    /* 60 of 100 coins: two-sided, the binomial says .057. */
    for (size_t i = 0; i < 100; i++)
        differences[i] = i < 60 ? 1 : -1;
    double p = edda_randomisation(differences, 100, 1);
    assert_true(p > 0.045 && p < 0.070);
    near(edda_randomisation(differences, 0, 1), 1);
}

static size_t count_changed(const char *left, const char *right) {
    size_t changed = 0;
    while (*left && *right) {
        size_t a = strcspn(left, " ");
        size_t b = strcspn(right, " ");
        changed += a != b || memcmp(left, right, a) != 0;
        left += a + strspn(left + a, " ");
        right += b + strspn(right + b, " ");
    }
    return changed;
}

static void about_one_long_word_in_five_is_mistyped(void **state) {
    (void)state;
    char text[8001] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 8 * i, "winter, ", 8);
    char *typed = edda_typo_new(edda_text_of(text));
    char *again = edda_typo_new(edda_text_of(text));
    assert_string_equal(typed, again);
    size_t changed = count_changed(text, typed);
    assert_true(changed > 140 && changed < 250);
    free(typed);
    free(again);
}

static void short_words_numbers_and_both_ends_of_words_stay(void **state) {
    (void)state;
    for (char letter = 'a'; letter <= 'z'; letter++) {
        char text[64] = "the 1,000 b2b4u cat qzzzq in 2020s: ab";
        text[0] = letter;
        char *typed = edda_typo_new(edda_text_of(text));
        assert_memory_equal(typed, text, strlen("the 1,000 b2b4u cat q"));
        const char *end = strstr(typed, " in 2020s: ab");
        assert_non_null(end);
        assert_true(end[-1] == 'q');
        free(typed);
    }
}

static void mistyped_text_of_any_script_stays_valid(void **state) {
    (void)state;
    static const char *const texts[] = {"Где находится столица провинции?",
                                        "Größenwahnsinnige Bären", "战国无双由哪两个公司合作开发的",
                                        "", "\xff\xfe broken\xc3"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *typed = edda_typo_new(edda_text_of(texts[i]));
        assert_non_null(typed);
        assert_true(i == 4 || edda_text_valid(edda_text_of(typed)));
        assert_true(i != 2 || strcmp(typed, texts[i]) == 0); /* no words with spaces */
        free(typed);
    }
}

/* Questions whose right document is found by one leg alone, and a wrong one by the others. */
enum { TUNED = 40 };

static struct edda_tune_question tuned_questions[TUNED];
static struct edda_tune_hit tuned_hits[TUNED][3];
static struct edda_grade right = {1, 1};
static struct edda_judged_query judged = {.grades = &right, .grade_count = 1};

static void make_questions(float words_of_right, float grams_of_right, float vector_of_right) {
    for (size_t i = 0; i < TUNED; i++) {
        tuned_hits[i][0] =
            (struct edda_tune_hit){2, 1 - words_of_right, 1 - grams_of_right, 1 - vector_of_right};
        tuned_hits[i][1] =
            (struct edda_tune_hit){1, words_of_right, grams_of_right, vector_of_right};
        tuned_hits[i][2] = (struct edda_tune_hit){3, 0.1f, 0.1f, 0.1f};
        tuned_questions[i] = (struct edda_tune_question){&judged, tuned_hits[i], 3};
    }
}

static void tuning_finds_the_leg_that_is_right_and_says_how_sure_it_is(void **state) {
    (void)state;
    const struct edda_tune_weights given = {60, 35, 5};
    struct edda_tuned tuned;
    make_questions(0.2f, 0.3f, 0.9f);
    assert_int_equal(edda_tune(tuned_questions, TUNED, given, &tuned), 0);
    assert_true(tuned.before < 0.7);
    near(tuned.after, 1);
    assert_true(tuned.p < 0.001);
    assert_true(tuned.weights.vector > 30);
    assert_int_equal(tuned.weights.words + tuned.weights.grams + tuned.weights.vector, 100);
}

static void of_equal_choices_tuning_keeps_what_is_set(void **state) {
    (void)state;
    const struct edda_tune_weights given = {60, 35, 5};
    struct edda_tuned tuned;
    make_questions(0.9f, 0.9f, 0.9f);
    assert_int_equal(edda_tune(tuned_questions, TUNED, given, &tuned), 0);
    near(tuned.before, 1);
    near(tuned.after, 1);
    near(tuned.p, 1);
    assert_int_equal(tuned.weights.words, 60);
    assert_int_equal(tuned.weights.grams, 35);
}

/* What one question alone would choose does not judge that question. */
static void no_question_judges_the_weights_it_chose(void **state) {
    (void)state;
    const struct edda_tune_weights given = {100, 0, 0};
    struct edda_tuned tuned;
    make_questions(0.9f, 0.1f, 0.1f); /* words are right for all but one */
    tuned_hits[0][0] = (struct edda_tune_hit){2, 0.8f, 0.2f, 0.1f};
    tuned_hits[0][1] = (struct edda_tune_hit){1, 0.2f, 0.8f, 0.9f};
    assert_int_equal(edda_tune(tuned_questions, TUNED, given, &tuned), 0);
    assert_true(tuned.after <= tuned.before);
}

static void tuning_wants_as_many_questions_as_parts(void **state) {
    (void)state;
    const struct edda_tune_weights given = {60, 35, 5};
    struct edda_tuned tuned;
    make_questions(0.9f, 0.9f, 0.9f);
    assert_int_equal(edda_tune(tuned_questions, EDDA_TUNE_FOLDS - 1, given, &tuned),
                     EDDA_E_INVALID);
    assert_int_equal(edda_tune(tuned_questions, EDDA_TUNE_FOLDS, given, &tuned), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_order_has_every_figure_at_one),
        cmocka_unit_test(gain_is_linear_and_discounted_by_rank),
        cmocka_unit_test(equal_grades_are_each_counted_once_in_the_ideal),
        cmocka_unit_test(what_stands_behind_ten_counts_for_recall_of_a_hundred_alone),
        cmocka_unit_test(a_right_document_that_is_not_there_lowers_the_figures),
        cmocka_unit_test(without_a_right_answer_there_is_nothing_to_judge),
        cmocka_unit_test(a_document_stands_where_its_best_chunk_stands),
        cmocka_unit_test(equal_seeds_give_equal_numbers_and_others_do_not),
        cmocka_unit_test(a_percentile_is_a_value_that_is_there),
        cmocka_unit_test(the_bootstrap_interval_is_as_wide_as_the_standard_error_says),
        cmocka_unit_test(a_difference_that_chance_makes_easily_has_a_large_p),
        cmocka_unit_test(about_one_long_word_in_five_is_mistyped),
        cmocka_unit_test(short_words_numbers_and_both_ends_of_words_stay),
        cmocka_unit_test(mistyped_text_of_any_script_stays_valid),
        cmocka_unit_test(tuning_finds_the_leg_that_is_right_and_says_how_sure_it_is),
        cmocka_unit_test(of_equal_choices_tuning_keeps_what_is_set),
        cmocka_unit_test(no_question_judges_the_weights_it_chose),
        cmocka_unit_test(tuning_wants_as_many_questions_as_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
