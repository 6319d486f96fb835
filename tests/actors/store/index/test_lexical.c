#include "tests/actors/store/index/build.h"

#include <math.h>

#define CHUNKS 300

/* How often word stands in text, and how many words text has. */
static void count_words(const char *text, const char *word, size_t times, double *tf,
                        double *length) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy, *next; *at; at = next) {
        size_t size = strcspn(at, " ");
        next = at + size + (at[size] == ' ');
        *length += (double)times;
        if (size == strlen(word) && memcmp(at, word, size) == 0) {
            *tf += (double)times;
        }
    }
}

static double naive_bm25(const struct build_chunk *chunks, const char *word, size_t which) {
    double df = 0;
    double total = 0;
    double tf = 0;
    double length = 0;
    for (size_t i = 0; i < CHUNKS; i++) {
        double here = 0;
        double words = 0;
        count_words(chunks[i].title, word, 2, &here, &words);
        count_words(chunks[i].text, word, 1, &here, &words);
        df += here > 0;
        total += words;
        if (i == which) {
            tf = here;
            length = words;
        }
    }
    double idf = log(1 + (CHUNKS - df + 0.5) / (df + 0.5));
    return idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length * CHUNKS / total));
}

/* One word of three letters: it has no variants, so its score is plain BM25. */
static void words_are_scored_by_bm25(void **state) {
    (void)state;
    struct build build;
    static struct build_chunk chunks[CHUNKS];
    build_init(&build, 3);
    edda_index_t *index = edda_index_new(NULL);
    for (size_t i = 0; i < CHUNKS; i++) {
        chunks[i] = build_chunk(&build, i + 1);
        size_t size = strlen(chunks[i].text);
        for (uint32_t k = build_random(&build, 4); k > 0; k--) {
            size += (size_t)snprintf(chunks[i].text + size, sizeof chunks[i].text - size, "qux ");
        }
        assert_int_equal(build_add(&build, index, &chunks[i]), 0);
        build_publish(index, i + 1, 0);
    }
    struct edda_index_result result = build_search(&build, index, "qux", NULL);
    assert_int_equal(result.count, EDDA_INDEX_CANDIDATES);
    double scores[CHUNKS];
    for (size_t i = 0; i < CHUNKS; i++) {
        scores[i] = naive_bm25(chunks, "qux", i);
    }
    double high = naive_bm25(chunks, "qux", result.items[0].memo - 1);
    double low = naive_bm25(chunks, "qux", result.items[result.count - 1].memo - 1);
    size_t better = 0;
    for (size_t i = 0; i < CHUNKS; i++) {
        assert_true(scores[i] <= high + 1e-6);
        better += scores[i] > low + 1e-6;
    }
    assert_true(better < EDDA_INDEX_CANDIDATES);
    for (size_t i = 0; i < result.count; i++) {
        double expected = (scores[result.items[i].memo - 1] - low) / (high - low);
        assert_true(fabs((double)result.items[i].words - expected) < 1e-4);
    }
    edda_index_destroy(&index);
    build_done(&build);
}

static void equal_scores_are_ordered_by_chunk(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 4);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 150; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        snprintf(chunk.title, sizeof chunk.title, "same");
        snprintf(chunk.text, sizeof chunk.text, "identical words");
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    struct edda_index_result result = build_search(&build, index, "identical", NULL);
    assert_int_equal(result.count, EDDA_INDEX_CANDIDATES);
    for (size_t i = 1; i < result.count; i++) {
        assert_true(memcmp(&result.items[i - 1].chunk, &result.items[i].chunk, 16) < 0);
    }
    edda_index_destroy(&index);
    build_done(&build);
}

static void numbers_and_chinese_are_matched_but_never_widened(void **state) {
    (void)state;
    struct build build;
    static const char *const texts[] = {"invoice 2024001", "invoice 2024002", "北京大学 图书馆"};
    build_init(&build, 5);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 3; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        snprintf(chunk.text, sizeof chunk.text, "%s", texts[memo - 1]);
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    assert_int_equal(build_search(&build, index, "2024001", NULL).count, 1);
    assert_int_equal(build_search(&build, index, "2024003", NULL).count, 0);
    assert_int_equal(build_search(&build, index, "大学", NULL).count, 1);
    assert_int_equal(build_search(&build, index, "东莞", NULL).count, 0);
    assert_int_equal(build_search(&build, index, "invioce", NULL).count, 2);
    edda_index_destroy(&index);
    build_done(&build);
}

static void the_terms_say_what_the_collection_knows(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 6);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 10; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        snprintf(chunk.text, sizeof chunk.text, memo == 1 ? "qqq www" : "www");
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    struct edda_index_result result = build_search(&build, index, "qqq www", NULL);
    assert_int_equal(result.term_count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool rare = result.terms[i].hash == edda_text_hash("qqq", 3);
        double df = rare ? 1 : 10;
        assert_true(fabs(result.terms[i].idf - log(1 + (10 - df + 0.5) / (df + 0.5))) < 1e-5);
    }
    edda_index_destroy(&index);
    build_done(&build);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_scored_by_bm25),
        cmocka_unit_test(equal_scores_are_ordered_by_chunk),
        cmocka_unit_test(numbers_and_chinese_are_matched_but_never_widened),
        cmocka_unit_test(the_terms_say_what_the_collection_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
