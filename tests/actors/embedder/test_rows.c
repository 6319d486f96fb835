/* tests/actors/embedder/test_rows.c: rows that come with chunks, and what fits a message. */
#include "actors/embedder/rows.h"

#include <stdlib.h>

#include "proto/body.h"
#include "proto/half.h"
#include "proto/limits.h"
#include "tests/proto/cmocka.h"

#define MODEL EDDA_TEXT("openai:model")

static void a_row_is_given_when_it_is_of_the_model_and_not_zero(void **state) {
    float floats[3][2] = {{0.0F, -0.0F}, {0.0F, 1e-40F}, {1.0F, 0.0F}};
    uint16_t halves[3][2] = {{0x8000, 0}, {0, 1}, {0x3C00, 0}};
    struct edda_chunk items[3] = {0};
    struct edda_chunks chunks = {.chunks = {items, 3}, .model = MODEL, .dimension = 2};
    (void)state;
    for (size_t round = 0; round < 2; round++) {
        chunks.vectors = (struct edda_floats){0};
        chunks.halves = (struct edda_bytes){0};
        if (round == 0) {
            chunks.vectors = (struct edda_floats){(const uint8_t *)floats, sizeof floats};
        } else {
            chunks.halves = (struct edda_bytes){(const uint8_t *)halves, sizeof halves};
        }
        assert_false(edda_rows_given(&chunks, MODEL, 2, 0));
        assert_true(edda_rows_given(&chunks, MODEL, 2, 1));
        assert_true(edda_rows_given(&chunks, MODEL, 2, 2));
        assert_false(edda_rows_given(&chunks, EDDA_TEXT("openai:mode"), 2, 2));
        assert_false(edda_rows_given(&chunks, MODEL, 3, 2));
        assert_false(edda_rows_given(&chunks, MODEL, 0, 2));
        struct edda_rows rows;
        edda_rows_init(&rows, 3);
        assert_int_equal(edda_rows_take(&rows, 2), 0);
        edda_rows_set_given(&rows, &chunks, 2);
        assert_memory_equal(rows.values + 4, floats[2], sizeof floats[2]);
        edda_rows_done(&rows);
    }
}

static void rows_of_another_size_than_they_say_are_not_read(void **state) {
    float floats[3] = {1, 1, 1};
    struct edda_chunk items[2] = {0};
    struct edda_chunks chunks = {.chunks = {items, 2},
                                 .model = MODEL,
                                 .dimension = 2,
                                 .vectors = {(const uint8_t *)floats, sizeof floats}};
    (void)state;
    assert_false(edda_rows_given(&chunks, MODEL, 2, 0));
    assert_false(edda_rows_given(&chunks, MODEL, 2, 1));
    chunks.vectors = (struct edda_floats){0};
    chunks.halves = (struct edda_bytes){(const uint8_t *)floats, 6};
    assert_false(edda_rows_given(&chunks, MODEL, 2, 1));
    chunks.halves = (struct edda_bytes){0};
    assert_false(edda_rows_given(&chunks, MODEL, 2, 0));
}

static void rows_stand_where_they_are_set_and_are_zero_before(void **state) {
    const float row[2] = {3, 4};
    struct edda_rows rows;
    (void)state;
    edda_rows_init(&rows, 2);
    assert_int_equal(edda_rows_floats(&rows).size, 0);
    assert_int_equal(edda_rows_take(&rows, 2), 0);
    edda_rows_set(&rows, 1, row);
    assert_int_equal(edda_rows_take(&rows, 2), 0); /* again: nothing is lost */
    assert_int_equal(edda_rows_floats(&rows).size, sizeof(float) * 4);
    assert_true(rows.values[0] <= 0 && rows.values[1] <= 0);
    assert_memory_equal(rows.values + 2, row, sizeof row);
    edda_rows_done(&rows);
    edda_rows_done(&rows);
}

/* What is given must fit: the codec is asked, with texts of 100 bytes. */
static void give(size_t count, uint32_t dimension, bool fits, bool halves) {
    static const char text[100] = "text";
    struct edda_chunk *items = calloc(count, sizeof *items);
    struct edda_chunks chunks = {
        .chunks = {items, count}, .title = EDDA_TEXT("title"), .model = MODEL};
    struct edda_rows rows;
    struct edda_buffer out;
    edda_rows_init(&rows, count);
    assert_int_equal(edda_rows_take(&rows, dimension), 0);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct edda_chunk){.text = {text, sizeof text},
                                       .number = UINT32_MAX,
                                       .start = UINT32_MAX,
                                       .end = UINT32_MAX,
                                       .tokens = UINT32_MAX,
                                       .heading = EDDA_TEXT("a heading")};
        rows.values[i * dimension] = 0.5F;
    }
    assert_int_equal(edda_rows_give(&rows, &chunks), fits ? 0 : EDDA_E_LIMIT);
    if (fits) {
        assert_int_equal(chunks.dimension, dimension);
        assert_int_equal(chunks.halves.size, halves ? count * dimension * 2 : 0);
        assert_int_equal(chunks.vectors.size, halves ? 0 : count * dimension * 4);
        edda_buffer_init(&out, EDDA_MAX_FRAME_BYTES);
        assert_int_equal(edda_body_encode(EDDA_BODY_CHUNKS, &chunks, &out), 0);
        edda_buffer_done(&out);
    }
    if (fits && halves) {
        uint16_t half;
        memcpy(&half, chunks.halves.data + (count - 1) * dimension * 2, sizeof half);
        assert_int_equal(half, edda_half_from_float(0.5F));
    }
    edda_rows_done(&rows);
    free(items);
}

static void vectors_are_given_as_floats_then_halves_then_not_at_all(void **state) {
    (void)state;
    give(100, 1536, true, false);
    give(1000, 700, true, false);
    /* A row of one more value makes the difference: 3 MiB less 512, the title and 173 a chunk. */
    const uint32_t most = (EDDA_MAX_FRAME_BYTES - 512 - 5 - 173 * 1000) / 1000 / 4;
    give(1000, most, true, false);
    give(1000, most + 1, true, true);
    give(1000, 2 * most, true, true);
    give(1000, 2 * most + 2, false, false);
    give(1, 4096, true, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_given_when_it_is_of_the_model_and_not_zero),
        cmocka_unit_test(rows_of_another_size_than_they_say_are_not_read),
        cmocka_unit_test(rows_stand_where_they_are_set_and_are_zero_before),
        cmocka_unit_test(vectors_are_given_as_floats_then_halves_then_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
