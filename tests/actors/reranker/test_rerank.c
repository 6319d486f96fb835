#include "actors/reranker/rerank.h"

#include "actors/reranker/stage.h"
#include "actors/text/likeness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    edda_analyser_t *analyser;
    edda_reranker_t *reranker;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.analyser = edda_analyser_new();
    fixture.reranker = edda_reranker_new(fixture.analyser);
    *state = &fixture;
    return fixture.reranker ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    edda_reranker_destroy(&fixture->reranker);
    edda_analyser_destroy(&fixture->analyser);
    return 0;
}

static struct edda_rerank_passage passage(const char *title, const char *text, double prior) {
    return (struct edda_rerank_passage){edda_text_of(title), {0}, edda_text_of(text), prior};
}

static uint32_t best_of(void **state, const char *query, const struct edda_rerank_passage *passages,
                        size_t count) {
    struct fixture *fixture = *state;
    struct edda_rerank_order order[8];
    assert_int_equal(
        edda_reranker_run(fixture->reranker, edda_text_of(query), passages, count, NULL, 0, order),
        0);
    for (size_t i = 0; i < count; i++) {
        assert_true(order[i].score >= 0 && order[i].score <= 1);
        assert_true(i == 0 || order[i - 1].score >= order[i].score);
    }
    return order[0].passage;
}

static void query_words_side_by_side_beat_scattered_ones(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "A heart of gold, and many words about the mail, then an attack on a town.",
                .5),
        passage(NULL, "A town of gold, and many words about the mail, then a heart attack on it.",
                .5),
    };
    assert_int_equal(best_of(state, "heart attack", passages, 2), 1);
}

static void a_title_that_answers_counts(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage("Cooking pasta", "Put the kettle on and wait.", .5),
        passage("Growing tomatoes", "Put the seedlings out and wait.", .5),
    };
    assert_int_equal(best_of(state, "growing tomatoes", passages, 2), 1);
}

static void an_early_answer_beats_a_late_one(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "one two three four five six seven eight nine ten eleven volcano", .5),
        passage(NULL, "volcano one two three four five six seven eight nine ten eleven", .5),
    };
    assert_int_equal(best_of(state, "volcano", passages, 2), 1);
}

static void a_mistyped_word_still_counts_a_little(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "Some words on cooking and the garden.", .5),
        passage(NULL, "Some words on photosynthesis and the garden.", .5),
    };
    assert_int_equal(best_of(state, "photosyntesis", passages, 2), 1);
}

static double likeness_of(void **state, const char *query, const char *text) {
    struct fixture *fixture = *state;
    const struct edda_rerank_passage one = passage(NULL, text, .5);
    struct edda_rerank_order order;
    uint32_t others = ~(UINT32_C(1) << EDDA_RERANK_LIKENESS);
    assert_int_equal(
        edda_reranker_run(fixture->reranker, edda_text_of(query), &one, 1, NULL, others, &order),
        0);
    return order.score;
}

static void a_word_resembles_one_that_begins_as_a_word_of_the_query_does(void **state) {
    assert_true(likeness_of(state, "the photosynthesis", "of photosyntesis") > .5);
    assert_true(likeness_of(state, "the photosynthesis", "of hpotosynthesis") == 0);
    assert_true(likeness_of(state, "the photosynthesis hp", "of hpotosynthesis") > .2);
    assert_true(likeness_of(state,
                            "\xc3\xb0"
                            "photosynthesis",
                            "of \xc3\xb1photosynthesis") > .5);
}

static void the_first_stages_score_breaks_what_words_cannot(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "the same text", .2),
        passage(NULL, "the same text", .8),
    };
    assert_int_equal(best_of(state, "same text", passages, 2), 1);
    assert_int_equal(best_of(state, "nothing shared", passages, 2), 1);
    assert_int_equal(best_of(state, "", passages, 2), 1);
    assert_int_equal(best_of(state, "?!", passages, 2), 1);
}

static void ties_keep_the_callers_order(void **state) {
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "the same text", .5),
        passage(NULL, "the same text", .5),
        passage(NULL, "the same text", .5),
    };
    struct fixture *fixture = *state;
    struct edda_rerank_order order[3];
    assert_int_equal(
        edda_reranker_run(fixture->reranker, EDDA_TEXT("text"), passages, 3, NULL, 0, order), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(order[i].passage, i);
    }
}

static void the_collections_idf_decides_which_word_matters(void **state) {
    struct fixture *fixture = *state;
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "alpha stands here", .5),
        passage(NULL, "gamma stands here", .5),
    };
    for (int rare = 0; rare < 2; rare++) {
        struct edda_hit_term items[] = {
            {edda_text_hash("alpha", 5), rare ? 1.0 : 9.0},
            {edda_text_hash("gamma", 5), rare ? 9.0 : 1.0},
        };
        const struct edda_hit_terms terms = {items, 2};
        struct edda_rerank_order order[2];
        assert_int_equal(edda_reranker_run(fixture->reranker, EDDA_TEXT("alpha gamma"), passages, 2,
                                           &terms, 0, order),
                         0);
        assert_int_equal(order[0].passage, rare);
    }
}

static void results_do_not_depend_on_earlier_runs(void **state) {
    struct fixture *fixture = *state;
    const struct edda_rerank_passage passages[] = {
        passage("Title", "Mitochondria make the energy of cells.", .3),
        passage("Other", "Cell phones need energy too.", .4),
    };
    struct edda_rerank_order first[2];
    struct edda_rerank_order again[2];
    struct edda_text query = EDDA_TEXT("energy of mitochondira");
    assert_int_equal(edda_reranker_run(fixture->reranker, query, passages, 2, NULL, 0, first), 0);
    assert_int_equal(edda_reranker_run(fixture->reranker, EDDA_TEXT("cellular phone energies"),
                                       passages, 2, NULL, 0, again),
                     0);
    assert_int_equal(edda_reranker_run(fixture->reranker, query, passages, 2, NULL, 0, again), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(first[i].passage, again[i].passage);
        assert_true(first[i].score == again[i].score);
    }
}

static void a_query_of_a_thousand_words_is_answered(void **state) {
    static char query[16000];
    size_t used = 0;
    for (unsigned i = 0; used + 16 < sizeof query; i++) {
        int size = snprintf(query + used, sizeof query - used, "w%xord ", i);
        used += (size_t)size;
    }
    const struct edda_rerank_passage passages[] = {
        passage(NULL, "nothing", .5),
        passage(NULL, "w1ord w2ord", .5),
    };
    assert_int_equal(best_of(state, query, passages, 2), 1);
}

static void likeness_is_dice_of_trigrams(void **state) {
    (void)state;
    struct edda_likeness a;
    struct edda_likeness b;
    edda_likeness_of(EDDA_TEXT("night"), &a);
    edda_likeness_of(EDDA_TEXT("nights"), &b); /* <ni nig igh ght | ht> : ghts hts ts> */
    assert_true(edda_likeness_compare(&a, &b) == 2.0f * 4 / (5 + 6));
    assert_true(edda_likeness_compare(&b, &a) == edda_likeness_compare(&a, &b));
    assert_true(edda_likeness_compare(&a, &a) == 1.0f);
    edda_likeness_of(EDDA_TEXT("banana"), &b);
    assert_true(edda_likeness_compare(&a, &b) == 0);
    assert_int_equal(b.count, 5); /* ana twice */
}

static void hits_are_sorted_and_cut_to_top_k(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t top_k = 0; top_k <= 4; top_k++) {
        struct edda_hit items[] = {
            {.text = EDDA_TEXT("about the sea"), .first_score = .9, .number = 0},
            {.text = EDDA_TEXT("granite mountains"), .first_score = .8, .number = 1},
            {.text = EDDA_TEXT("about the sky"), .first_score = .1, .number = 2},
        };
        struct edda_hits hits = {.hits = {items, 3}};
        struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("granite mountains"),
                                                  .top_k = top_k};
        struct edda_arena arena;
        edda_arena_init(&arena, 1u << 20);
        assert_int_equal(edda_rerank_hits(fixture->reranker, &arguments, &arena, &hits), 0);
        assert_int_equal(hits.hits.count, top_k == 0 || top_k > 3 ? 3 : top_k);
        assert_int_equal(hits.hits.items[0].number, 1);
        assert_true(hits.hits.items[0].score > 0);
        assert_true(hits.hits.items[0].first_score == .8);
        edda_arena_done(&arena);
    }
}

static void what_stands_behind_the_first_fifty_stays_there(void **state) {
    struct fixture *fixture = *state;
    struct edda_hit items[EDDA_RERANK_DEPTH + 2];
    struct edda_hits hits = {.hits = {items, EDDA_RERANK_DEPTH + 2}};
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("granite mountains")};
    struct edda_arena arena;
    edda_arena_init(&arena, 1u << 20);
    for (uint32_t i = 0; i < EDDA_RERANK_DEPTH + 2; i++) {
        bool answers = i >= EDDA_RERANK_DEPTH - 1;
        items[i] = (struct edda_hit){.text = answers ? EDDA_TEXT("granite mountains")
                                                     : EDDA_TEXT("about the sea"),
                                     .first_score = .5,
                                     .score = .9,
                                     .number = i};
    }
    assert_int_equal(edda_rerank_hits(fixture->reranker, &arguments, &arena, &hits), 0);
    assert_int_equal(hits.hits.items[0].number, EDDA_RERANK_DEPTH - 1);
    for (uint32_t i = EDDA_RERANK_DEPTH; i < EDDA_RERANK_DEPTH + 2; i++) {
        assert_int_equal(hits.hits.items[i].number, i);
        assert_true(hits.hits.items[i].score == hits.hits.items[EDDA_RERANK_DEPTH - 1].score);
    }
    edda_arena_done(&arena);
}

static void documents_come_back_as_numbers_in_order(void **state) {
    struct fixture *fixture = *state;
    struct edda_text documents[] = {EDDA_TEXT("rain in spring"), EDDA_TEXT("snow in winter"),
                                    EDDA_TEXT("")};
    struct edda_rerank_arguments arguments = {
        .query = EDDA_TEXT("winter snow"), .top_k = 2, .documents = {documents, 3}};
    struct edda_hits hits;
    struct edda_arena arena;
    edda_arena_init(&arena, 1u << 20);
    assert_int_equal(edda_rerank_texts(fixture->reranker, &arguments, &arena, &hits), 0);
    assert_int_equal(hits.hits.count, 2);
    assert_int_equal(hits.hits.items[0].number, 1);
    assert_int_equal(hits.hits.items[1].number, 0);
    arguments.documents.count = 0;
    assert_int_equal(edda_rerank_texts(fixture->reranker, &arguments, &arena, &hits), 0);
    assert_int_equal(hits.hits.count, 0);
    edda_arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_words_side_by_side_beat_scattered_ones),
        cmocka_unit_test(a_title_that_answers_counts),
        cmocka_unit_test(an_early_answer_beats_a_late_one),
        cmocka_unit_test(a_mistyped_word_still_counts_a_little),
        cmocka_unit_test(a_word_resembles_one_that_begins_as_a_word_of_the_query_does),
        cmocka_unit_test(the_first_stages_score_breaks_what_words_cannot),
        cmocka_unit_test(ties_keep_the_callers_order),
        cmocka_unit_test(the_collections_idf_decides_which_word_matters),
        cmocka_unit_test(results_do_not_depend_on_earlier_runs),
        cmocka_unit_test(a_query_of_a_thousand_words_is_answered),
        cmocka_unit_test(likeness_is_dice_of_trigrams),
        cmocka_unit_test(hits_are_sorted_and_cut_to_top_k),
        cmocka_unit_test(what_stands_behind_the_first_fifty_stays_there),
        cmocka_unit_test(documents_come_back_as_numbers_in_order),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
