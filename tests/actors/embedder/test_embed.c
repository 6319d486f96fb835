/* tests/actors/embedder/test_embed.c: the built-in model, its batches and its cache. */
#include "actors/embedder/batch.h"
#include "actors/embedder/cache.h"
#include "actors/embedder/hash_embed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DIMENSION EDDA_HASH_EMBED_DIMENSION

static int make(void **state) {
    *state = edda_hash_embed_new();
    return *state != NULL ? 0 : -1;
}

static int unmake(void **state) {
    edda_hash_embed_t *embed = *state;
    edda_hash_embed_destroy(&embed);
    edda_hash_embed_destroy(&embed);
    return 0;
}

static void embed_text(void **state, const char *text, float *vector) {
    assert_int_equal(edda_hash_embed_text(*state, edda_text_of(text), vector), 0);
}

static double dot(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < DIMENSION; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double similarity(void **state, const char *a, const char *b) {
    float first[DIMENSION];
    float second[DIMENSION];
    embed_text(state, a, first);
    embed_text(state, b, second);
    return dot(first, second);
}

static void a_text_with_words_gives_a_unit_vector(void **state) {
    static const char *const texts[] = {
        "word", "A whole sentence of several words.", "東京都", "x", "42", "ภาษาไทย"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(fabs(similarity(state, texts[i], texts[i]) - 1.0) < 1e-5);
}

static void a_text_without_words_gives_zeros(void **state) {
    assert_true(similarity(state, "", "") == 0);
    assert_true(similarity(state, " .,!\n", "word") == 0);
    float vector[DIMENSION];
    embed_text(state, "\xFF\xFE", vector);
    for (size_t i = 0; i < DIMENSION; i++)
        assert_true(vector[i] == 0);
}

static void equal_texts_give_equal_bits_whatever_came_before(void **state) {
    float before[DIMENSION];
    float after[DIMENSION];
    const char *text = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.";
    embed_text(state, text, before);
    char *large = malloc(400001); /* grows every table and fills the memory of words */
    for (size_t i = 0; i < 400000; i++)
        large[i] = i % 7 == 6 ? ' ' : (char)('a' + (i * 2654435761u >> 13) % 26);
    large[400000] = '\0';
    embed_text(state, large, after);
    embed_text(state, text, after);
    assert_memory_equal(before, after, sizeof before);
    edda_hash_embed_t *other = edda_hash_embed_new();
    assert_int_equal(edda_hash_embed_text(other, edda_text_of(text), after), 0);
    assert_memory_equal(before, after, sizeof before);
    edda_hash_embed_destroy(&other);
    free(large);
}

static void spelling_decides_what_is_near(void **state) {
    const char *query = "electrical transformers";
    double same_stem = similarity(state, query, "an electric transformer");
    double typo = similarity(state, query, "electical transformes");
    double other = similarity(state, query, "gardening in spring");
    assert_true(same_stem > other + 0.3);
    assert_true(typo > other + 0.2);
    assert_true(fabs(similarity(state, "Café Zürich", "cafe zurich") - 1.0) < 1e-5);
}

static void a_word_repeated_counts_by_its_logarithm(void **state) {
    double once = similarity(state, "alpha beta", "alpha");
    double twice = similarity(state, "alpha alpha beta", "alpha");
    double often = similarity(state, "alpha alpha alpha alpha alpha alpha beta", "alpha");
    assert_true(once < twice && twice < often && often < 1.0);
}

static void the_model_has_not_changed_under_its_name(void **state) {
    /* Vectors are stored: a change here is a new model and needs a new name. */
    float vector[DIMENSION];
    embed_text(state, "The retrieval of documents", vector);
    double weighted = 0;
    for (size_t i = 0; i < DIMENSION; i++)
        weighted += (double)vector[i] * (double)(i + 1);
    assert_true(fabs(weighted - 118.802335) < 1e-3);
}

static void a_batch_is_done_slice_by_slice(void **state) {
    struct edda_text items[5] = {EDDA_TEXT("one"), EDDA_TEXT("two"), EDDA_TEXT(""),
                                 EDDA_TEXT("four"), EDDA_TEXT("one")};
    struct edda_arena arena;
    struct edda_batch batch;
    struct edda_buffer scratch;
    edda_arena_init(&arena, 1 << 20);
    edda_buffer_init(&scratch, 4096);
    assert_int_equal(edda_batch_init_texts(&batch, (struct edda_texts){items, 5}, &arena), 0);
    assert_int_equal(edda_batch_run(&batch, *state, &scratch, 4), 0);
    assert_int_equal(batch.next, 2);
    assert_int_equal(edda_batch_run(&batch, *state, &scratch, 1000), 0);
    assert_int_equal(batch.next, 5);
    struct edda_floats vectors = edda_batch_vectors(&batch);
    assert_int_equal(vectors.size, 5 * DIMENSION * 4);
    assert_memory_equal(vectors.data, vectors.data + 4 * DIMENSION * 4, DIMENSION * 4);
    float direct[DIMENSION];
    embed_text(state, "four", direct);
    assert_memory_equal(vectors.data + 3 * DIMENSION * 4, direct, sizeof direct);
    edda_buffer_done(&scratch);
    edda_arena_done(&arena);
}

static void a_chunk_is_embedded_with_title_and_heading(void **state) {
    struct edda_chunk items[2] = {{.text = EDDA_TEXT("body"), .heading = EDDA_TEXT("A > B")},
                                  {.text = EDDA_TEXT("body")}};
    struct edda_chunks chunks = {.chunks = {items, 2}, .title = EDDA_TEXT("Guide")};
    struct edda_arena arena;
    struct edda_batch batch;
    struct edda_buffer scratch;
    edda_arena_init(&arena, 1 << 20);
    edda_buffer_init(&scratch, 4096);
    assert_int_equal(edda_batch_init_chunks(&batch, &chunks, &arena), 0);
    assert_int_equal(edda_batch_run(&batch, *state, &scratch, 1000), 0);
    float expected[DIMENSION];
    embed_text(state, "Guide\nA > B\nbody\n", expected);
    assert_memory_equal(batch.vectors, expected, sizeof expected);
    embed_text(state, "Guide body", expected);
    assert_memory_equal(batch.vectors + DIMENSION * 4, expected, sizeof expected);
    edda_buffer_done(&scratch);
    edda_arena_done(&arena);
}

static void an_arena_too_small_for_the_vectors_is_reported(void **state) {
    (void)state;
    struct edda_text items[2] = {EDDA_TEXT("one"), EDDA_TEXT("two")};
    struct edda_arena arena;
    struct edda_batch batch;
    edda_arena_init(&arena, 100);
    assert_int_equal(edda_batch_init_texts(&batch, (struct edda_texts){items, 2}, &arena),
                     EDDA_E_MEMORY);
    edda_arena_done(&arena);
}

static struct edda_cache_key key_of(const char *text) {
    return edda_cache_key(EDDA_TEXT("model"), 4, EDDA_TEXT("query"), edda_text_of(text));
}

static void a_cached_vector_comes_back(void **state) {
    (void)state;
    edda_cache_t *cache = edda_cache_new(10000, 4);
    const float vector[4] = {1, 2, 3, 4};
    const float other[4] = {5, 6, 7, 8};
    struct edda_cache_key key = key_of("a");
    assert_null(edda_cache_get(cache, &key));
    edda_cache_put(cache, &key, vector);
    assert_memory_equal(edda_cache_get(cache, &key), vector, sizeof vector);
    edda_cache_put(cache, &key, other);
    assert_memory_equal(edda_cache_get(cache, &key), other, sizeof other);
    assert_int_equal(edda_cache_count(cache), 1);
    edda_cache_destroy(&cache);
}

static void every_part_of_the_key_counts(void **state) {
    (void)state;
    struct edda_cache_key keys[] = {
        key_of("a"),
        edda_cache_key(EDDA_TEXT("model2"), 4, EDDA_TEXT("query"), EDDA_TEXT("a")),
        edda_cache_key(EDDA_TEXT("model"), 5, EDDA_TEXT("query"), EDDA_TEXT("a")),
        edda_cache_key(EDDA_TEXT("model"), 4, EDDA_TEXT("document"), EDDA_TEXT("a")),
        edda_cache_key(EDDA_TEXT("model"), 4, EDDA_TEXT("querya"), EDDA_TEXT("")),
        key_of("b"),
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
    struct edda_cache_key again = key_of("a");
    assert_memory_equal(&keys[0], &again, sizeof again);
}

static void the_least_recently_used_vector_goes_first(void **state) {
    (void)state;
    edda_cache_t *cache = edda_cache_new(1000, 4);
    size_t capacity = edda_cache_capacity(cache);
    assert_true(capacity >= 4 && capacity < 100);
    char name[32];
    struct edda_cache_key first = key_of("0");
    for (unsigned i = 0; i < capacity + 1; i++) {
        snprintf(name, sizeof name, "%u", i);
        struct edda_cache_key key = key_of(name);
        float vector[4] = {(float)i, 0, 0, 0};
        edda_cache_put(cache, &key, vector);
        assert_non_null(edda_cache_get(cache, &first)); /* used again and again: stays */
    }
    assert_int_equal(edda_cache_count(cache), capacity);
    struct edda_cache_key second = key_of("1");
    assert_null(edda_cache_get(cache, &second));
    edda_cache_destroy(&cache);
}

static void many_vectors_through_a_small_cache_stay_true(void **state) {
    (void)state;
    edda_cache_t *cache = edda_cache_new(5000, 4);
    char name[32];
    for (unsigned i = 0; i < 20000; i++) {
        unsigned value = i * 2654435761u % 97;
        snprintf(name, sizeof name, "%u", value);
        struct edda_cache_key key = key_of(name);
        const float *known = edda_cache_get(cache, &key);
        float vector[4] = {(float)value, 0, 0, 0};
        if (known != NULL)
            assert_true(known[0] == vector[0]);
        else
            edda_cache_put(cache, &key, vector);
        assert_true(edda_cache_count(cache) <= edda_cache_capacity(cache));
    }
    edda_cache_destroy(&cache);
}

static void a_cache_without_room_for_one_vector_is_refused(void **state) {
    (void)state;
    assert_null(edda_cache_new(10, 4));
    assert_null(edda_cache_new(10000, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_with_words_gives_a_unit_vector, make, unmake),
        cmocka_unit_test_setup_teardown(a_text_without_words_gives_zeros, make, unmake),
        cmocka_unit_test_setup_teardown(equal_texts_give_equal_bits_whatever_came_before, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(spelling_decides_what_is_near, make, unmake),
        cmocka_unit_test_setup_teardown(a_word_repeated_counts_by_its_logarithm, make, unmake),
        cmocka_unit_test_setup_teardown(the_model_has_not_changed_under_its_name, make, unmake),
        cmocka_unit_test_setup_teardown(a_batch_is_done_slice_by_slice, make, unmake),
        cmocka_unit_test_setup_teardown(a_chunk_is_embedded_with_title_and_heading, make, unmake),
        cmocka_unit_test(an_arena_too_small_for_the_vectors_is_reported),
        cmocka_unit_test(a_cached_vector_comes_back),
        cmocka_unit_test(every_part_of_the_key_counts),
        cmocka_unit_test(the_least_recently_used_vector_goes_first),
        cmocka_unit_test(many_vectors_through_a_small_cache_stay_true),
        cmocka_unit_test(a_cache_without_room_for_one_vector_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
