#include "tests/actors/store/index/build.h"

#define LARGE     16384 /* rows, from which on the built-in vectors are compared by the words' best */
#define DIMENSION 8

struct large {
    struct build build;
    edda_index_t *index;
    uint32_t memos;
};

static void put(struct large *large, struct edda_text model, const char *text,
                const float *vector) {
    struct edda_memo_attributes attributes = {.title = EDDA_TEXT("a title")};
    struct edda_terms *terms = &large->build.terms;
    uint32_t memo = ++large->memos;
    struct edda_index_chunk chunk = {
        .uuid = {{(uint8_t)(memo >> 16), (uint8_t)(memo >> 8), (uint8_t)memo, 1}},
        .model = model,
        .dimension = DIMENSION,
        .vector = {(const uint8_t *)vector, DIMENSION * sizeof *vector},
    };
    assert_int_equal(edda_terms_make(terms, large->build.analyser, (struct edda_text){0},
                                     (struct edda_text){0}, edda_text_of(text)),
                     0);
    for (size_t i = 0; i < terms->count; i++) {
        assert_int_equal(
            edda_index_put_term(large->index, terms->items[i].hash, terms->items[i].text), 0);
    }
    chunk.terms = edda_buffer_bytes(&terms->vector);
    assert_int_equal(edda_index_add(large->index, memo, &chunk), 0);
    assert_int_equal(edda_index_publish(large->index, memo, &attributes, 0), 0);
}

/* rows chunks: three hundred speak of lanterns, the others of gravel; one of gravel, the last, is
 * the only one with a vector like that which will be asked for. */
static void fill(struct large *large, struct edda_text model, size_t rows) {
    static const float near[DIMENSION] = {1};
    *large = (struct large){.index = edda_index_new(NULL)};
    build_init(&large->build, 71);
    while (large->memos < rows - 1) {
        float far[DIMENSION] = {-1, 1, (float)large->memos / (float)rows};
        put(large, model, large->memos < 300 ? "lantern" : "gravel", far);
    }
    put(large, model, "gravel", near);
}

static bool finds_the_near_one(struct large *large, struct edda_text model, const char *text) {
    static const float asked[DIMENSION] = {1};
    struct edda_index_result result;
    struct edda_index_query query = {
        .text = edda_text_of(text),
        .model = model,
        .dimension = DIMENSION,
        .vector = {(const uint8_t *)asked, sizeof asked},
    };
    assert_int_equal(edda_index_search(large->index, large->build.scratch, &query, &result), 0);
    assert_true(result.vector_count <= 1);
    return result.vector_count == 1;
}

static void empty(struct large *large) {
    edda_index_destroy(&large->index);
    build_done(&large->build);
}

/* Seen to fail when every index counts as large. */
static void a_small_index_compares_all_built_in_vectors(void **state) {
    (void)state;
    struct large large;
    fill(&large, EDDA_TEXT("hash-8"), LARGE);
    assert_true(finds_the_near_one(&large, EDDA_TEXT("hash-8"), "lantern"));
    empty(&large);
}

/* Seen to fail when none does. */
static void a_large_one_compares_those_that_say_the_querys_words(void **state) {
    (void)state;
    struct large large;
    fill(&large, EDDA_TEXT("hash-8"), LARGE + 1);
    assert_false(finds_the_near_one(&large, EDDA_TEXT("hash-8"), "lantern"));
    /* With words that leave few, or too many alike, all are looked at. */
    assert_true(finds_the_near_one(&large, EDDA_TEXT("hash-8"), "zither"));
    assert_true(finds_the_near_one(&large, EDDA_TEXT("hash-8"), "gravel"));
    empty(&large);
}

static void vectors_of_a_model_are_compared_wholly_however_many(void **state) {
    (void)state;
    struct large large;
    fill(&large, EDDA_TEXT("model-8"), LARGE + 1);
    assert_true(finds_the_near_one(&large, EDDA_TEXT("model-8"), "lantern"));
    empty(&large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_index_compares_all_built_in_vectors),
        cmocka_unit_test(a_large_one_compares_those_that_say_the_querys_words),
        cmocka_unit_test(vectors_of_a_model_are_compared_wholly_however_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
