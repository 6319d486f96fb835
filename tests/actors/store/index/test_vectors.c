#include "tests/actors/store/index/build.h"

#include "actors/store/index/vectors.h"

#include <math.h>

#define ROWS      3000
#define DIMENSION 100
#define WANTED    25

static bool admit_all(void *context, uint32_t slot) {
    (void)context;
    (void)slot;
    return true;
}

static bool admit_third(void *context, uint32_t slot) {
    (void)context;
    return slot % 3 == 0;
}

static void fill_random(struct build *build, float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)build_random(build, 2001) / 1000.0f - 1.0f;
    }
}

static struct edda_floats view(const float *values, size_t count) {
    return (struct edda_floats){(const uint8_t *)values, count * sizeof *values};
}

static double cosine(const float *a, const float *b) {
    double dot = 0;
    double left = 0;
    double right = 0;
    for (size_t i = 0; i < DIMENSION; i++) {
        dot += (double)a[i] * (double)b[i];
        left += (double)a[i] * (double)a[i];
        right += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(left * right);
}

static int compare_down(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a > b ? -1 : a < b;
}

static int compare_scored(const void *left, const void *right) {
    float a = ((const struct edda_scored *)left)->score;
    float b = ((const struct edda_scored *)right)->score;
    return a > b ? -1 : a < b;
}

static void every_kernel_gives_the_same_integers(void **state) {
    (void)state;
    struct build build;
    size_t kernel_count;
    const struct edda_vectors_kernel *kernels = edda_vectors_kernels(&kernel_count);
    build_init(&build, 1);
    for (size_t stride = 64; stride <= 1024; stride += 320) {
        int8_t *rows = aligned_alloc(64, stride * 37);
        int8_t *query = aligned_alloc(64, stride);
        int32_t expected[37];
        int32_t found[37];
        for (size_t i = 0; i < stride * 37; i++) {
            rows[i] = (int8_t)((int)build_random(&build, 255) - 127);
        }
        memset(rows, 127, stride); /* the extremes, where sums could overflow */
        memset(rows + stride, -127, stride);
        for (size_t i = 0; i < stride; i++) {
            query[i] = (int8_t)((int)build_random(&build, 255) - 127);
        }
        for (int extreme = 0; extreme < 3; extreme++) {
            kernels[0].scan(rows, stride, 37, query, expected);
            for (size_t k = 1; k < kernel_count; k++) {
                kernels[k].scan(rows, stride, 37, query, found);
                assert_memory_equal(found, expected, sizeof expected);
            }
            memset(query, extreme ? 127 : -127, stride);
        }
        free(rows);
        free(query);
    }
    build_done(&build);
}

static void every_kernel_multiplies_to_the_same_bits(void **state) {
    (void)state;
    struct build build;
    size_t kernel_count;
    const struct edda_vectors_kernel *kernels = edda_vectors_kernels(&kernel_count);
    build_init(&build, 7);
    for (uint32_t dimension = 1; dimension < 200; dimension++) {
        float query[200];
        uint16_t halves[200];
        fill_random(&build, query, 200);
        for (size_t i = 0; i < 200; i++) {
            float small = build_random(&build, 2) ? 1.0f : 1e-5f; /* denormal halves too */
            halves[i] = edda_half_from_float(small * (float)build_random(&build, 1001) / 1000.0f);
        }
        float expected = kernels[0].multiply(query, halves, dimension);
        for (size_t k = 1; k < kernel_count; k++) {
            assert_true(kernels[k].multiply(query, halves, dimension) == expected);
        }
    }
    build_done(&build);
}

static void compare_to_brute_force(struct build *build, const struct edda_vectors *vectors,
                                   const float *rows, edda_vectors_test_fn test) {
    static double all[ROWS];
    struct edda_vectors_scratch scratch = {0};
    for (size_t round = 0; round < 20; round++) {
        float query[DIMENSION];
        size_t count;
        size_t admitted = 0;
        fill_random(build, query, DIMENSION);
        for (uint32_t i = 0; i < ROWS; i++) {
            if (test(NULL, i)) {
                all[admitted++] = cosine(rows + i * DIMENSION, query);
            }
        }
        qsort(all, admitted, sizeof *all, compare_down);
        assert_int_equal(edda_vectors_search(vectors, &scratch, view(query, DIMENSION), 0, WANTED,
                                             test, NULL, &count),
                         0);
        assert_true(count >= WANTED);
        qsort(scratch.pool, count, sizeof *scratch.pool, compare_scored);
        for (size_t i = 0; i < WANTED; i++) {
            uint32_t slot = scratch.pool[i].slot;
            assert_true(test(NULL, slot));
            assert_true(fabs((double)scratch.pool[i].score - all[i]) < 1e-3);
            assert_true(fabs(cosine(rows + slot * DIMENSION, query) - all[i]) < 1e-3);
        }
    }
    edda_vectors_scratch_done(&scratch);
}

static void a_search_finds_what_brute_force_finds(void **state) {
    (void)state;
    struct build build;
    struct edda_vectors vectors;
    float *rows = malloc(ROWS * DIMENSION * sizeof *rows);
    build_init(&build, 3);
    fill_random(&build, rows, ROWS * DIMENSION);
    assert_int_equal(edda_vectors_init(&vectors, EDDA_TEXT("m"), DIMENSION), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_int_equal(edda_vectors_add(&vectors, i, view(rows + i * DIMENSION, DIMENSION)), 1);
    }
    compare_to_brute_force(&build, &vectors, rows, admit_all);
    compare_to_brute_force(&build, &vectors, rows, admit_third);
    edda_vectors_done(&vectors);
    free(rows);
    build_done(&build);
}

/* Seen to fail when the row of a slot is looked for one place too far. */
static void rows_compared_by_name_score_as_in_a_search(void **state) {
    (void)state;
    struct build build;
    struct edda_vectors vectors;
    struct edda_vectors_scratch searched = {0};
    struct edda_vectors_scratch compared = {0};
    static uint32_t slots[ROWS];
    float *rows = malloc(ROWS * DIMENSION * sizeof *rows);
    size_t named = 0;
    build_init(&build, 5);
    fill_random(&build, rows, ROWS * DIMENSION);
    assert_int_equal(edda_vectors_init(&vectors, EDDA_TEXT("m"), DIMENSION), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (i % 7) { /* every seventh chunk has no vector */
            const float *row = rows + i * DIMENSION;
            assert_int_equal(edda_vectors_add(&vectors, i, view(row, DIMENSION)), 1);
        }
        if (i % 3 == 0) {
            slots[named++] = i;
        }
    }
    for (size_t round = 0; round < 20; round++) {
        float query[DIMENSION];
        size_t found;
        size_t count;
        fill_random(&build, query, DIMENSION);
        assert_int_equal(edda_vectors_search(&vectors, &searched, view(query, DIMENSION), 0, WANTED,
                                             admit_third, NULL, &found),
                         0);
        assert_int_equal(edda_vectors_compare(&vectors, &compared, view(query, DIMENSION), 0,
                                              WANTED, slots, named, &count),
                         0);
        assert_true(found >= WANTED && count >= WANTED);
        qsort(searched.pool, found, sizeof *searched.pool, compare_scored);
        qsort(compared.pool, count, sizeof *compared.pool, compare_scored);
        for (size_t i = 0; i < WANTED; i++) {
            assert_int_equal(compared.pool[i].slot, searched.pool[i].slot);
            assert_true(compared.pool[i].score == searched.pool[i].score);
        }
        assert_int_equal(edda_vectors_compare(&vectors, &compared, view(query, DIMENSION), 0,
                                              WANTED, slots, 0, &count),
                         0);
        assert_int_equal(count, 0);
    }
    edda_vectors_scratch_done(&searched);
    edda_vectors_scratch_done(&compared);
    edda_vectors_done(&vectors);
    free(rows);
    build_done(&build);
}

static void what_was_narrowed_once_is_the_same_when_it_is_narrowed_again(void **state) {
    enum { ROUNDS = 200 };
    struct build build;
    uint16_t halves[DIMENSION];
    uint16_t again[DIMENSION];
    float values[DIMENSION];
    (void)state;
    build_init(&build, 7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < DIMENSION; i++) {
            values[i] = ((float)build_random(&build, 2001) - 1000.0f) * (float)(round + 1);
        }
        assert_true(edda_vectors_narrow(view(values, DIMENSION), DIMENSION, halves));
        double length = 0;
        for (size_t i = 0; i < DIMENSION; i++) {
            values[i] = edda_half_to_float(halves[i]);
            length += (double)values[i] * (double)values[i];
        }
        assert_true(fabs(length - 1) < 0.001);
        assert_true(edda_vectors_narrow(view(values, DIMENSION), DIMENSION, again));
        assert_memory_equal(halves, again, sizeof halves);
    }
    build_done(&build);
}

static void zero_and_infinite_rows_never_match(void **state) {
    (void)state;
    struct edda_vectors vectors;
    struct edda_vectors_scratch scratch = {0};
    float values[4] = {0, 0, 0, 0};
    size_t count;
    assert_int_equal(edda_vectors_init(&vectors, EDDA_TEXT("m"), 4), 0);
    assert_int_equal(edda_vectors_add(&vectors, 0, view(values, 4)), 0);
    values[1] = INFINITY;
    assert_int_equal(edda_vectors_add(&vectors, 1, view(values, 4)), 0);
    values[1] = NAN;
    assert_int_equal(edda_vectors_add(&vectors, 2, view(values, 4)), 0);
    values[1] = -3;
    assert_int_equal(edda_vectors_add(&vectors, 3, view(values, 4)), 1);
    assert_int_equal(
        edda_vectors_search(&vectors, &scratch, view(values, 4), 0, 5, admit_all, NULL, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(scratch.pool[0].slot, 3);
    values[1] = 3; /* the opposite: cosine -1 is no match */
    assert_int_equal(
        edda_vectors_search(&vectors, &scratch, view(values, 4), 0, 5, admit_all, NULL, &count), 0);
    assert_int_equal(count, 0);
    values[1] = 0;
    assert_int_equal(
        edda_vectors_search(&vectors, &scratch, view(values, 4), 0, 5, admit_all, NULL, &count), 0);
    assert_int_equal(count, 0);
    edda_vectors_scratch_done(&scratch);
    edda_vectors_done(&vectors);
}

static void rows_below_the_minimum_are_left_out(void **state) {
    (void)state;
    static const float rows[3][4] = {{0, 2, 0, 0}, {4, 3, 0, 0}, {1, 0, 0, 0}};
    static const struct {
        float minimum;
        size_t count;
    } cases[] = {{-1, 2}, {0, 2}, {.59f, 2}, {.61f, 1}, {.99f, 1}, {1.01f, 0}, {NAN, 2}};
    static const float query[4] = {0, 1, 0, 0};
    struct edda_vectors vectors;
    struct edda_vectors_scratch scratch = {0};
    assert_int_equal(edda_vectors_init(&vectors, EDDA_TEXT("m"), 4), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(edda_vectors_add(&vectors, i, view(rows[i], 4)), 1);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = 9;
        assert_int_equal(edda_vectors_search(&vectors, &scratch, view(query, 4), cases[i].minimum,
                                             5, admit_all, NULL, &count),
                         0);
        assert_int_equal(count, cases[i].count);
    }
    edda_vectors_scratch_done(&scratch);
    edda_vectors_done(&vectors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_gives_the_same_integers),
        cmocka_unit_test(every_kernel_multiplies_to_the_same_bits),
        cmocka_unit_test(a_search_finds_what_brute_force_finds),
        cmocka_unit_test(rows_compared_by_name_score_as_in_a_search),
        cmocka_unit_test(what_was_narrowed_once_is_the_same_when_it_is_narrowed_again),
        cmocka_unit_test(zero_and_infinite_rows_never_match),
        cmocka_unit_test(rows_below_the_minimum_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
