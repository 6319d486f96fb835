/* tests/proto/test_arena.c: memory that is zero, aligned and capped. */
#include "proto/arena.h"
#include "tests/proto/cmocka.h"

static void memory_is_zero_and_aligned(void **state) {
    (void)state;
    static const uint8_t zeros[5000];
    struct edda_arena arena;
    edda_arena_init(&arena, 10 * 1024 * 1024);
    for (size_t size = 0; size < 5000; size += 7) {
        uint8_t *data = edda_arena_take(&arena, size);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
        assert_memory_equal(data, zeros, size);
        memset(data, 0xff, size);
    }
    edda_arena_done(&arena);
}

static void an_arena_gives_its_maximum_and_not_one_byte_more(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 100);
    assert_null(edda_arena_take(&arena, 101));
    assert_non_null(edda_arena_take(&arena, 100));
    assert_null(edda_arena_take(&arena, 1));
    assert_int_equal(arena.used, 100);
    edda_arena_done(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(edda_arena_take(&arena, 100));
    edda_arena_done(&arena);
}

static void absurd_sizes_are_refused(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_null(edda_arena_take(&arena, SIZE_MAX));
    assert_null(edda_arena_take(&arena, SIZE_MAX - 8));
    assert_null(edda_arena_text(&arena, (struct edda_text){"x", SIZE_MAX}).data);
    edda_arena_done(&arena);
}

static void a_large_block_stands_beside_small_ones(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 4 * 1024 * 1024);
    char *small = edda_arena_take(&arena, 10);
    char *large = edda_arena_take(&arena, 2 * 1024 * 1024);
    assert_non_null(large);
    memset(large, 1, 2 * 1024 * 1024);
    assert_int_equal(small[0], 0);
    edda_arena_done(&arena);
}

static void a_text_is_copied_with_a_nul_behind_it(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 100);
    struct edda_text copy = edda_arena_text(&arena, (struct edda_text){"hello world", 5});
    assert_int_equal(copy.size, 5);
    assert_string_equal(copy.data, "hello");
    struct edda_text empty = edda_arena_text(&arena, EDDA_TEXT(""));
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    edda_arena_done(&arena);
}

static void an_absent_text_stays_absent_and_one_without_room_becomes_so(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 5);
    assert_null(edda_arena_text(&arena, (struct edda_text){NULL, 0}).data);
    assert_null(edda_arena_text(&arena, EDDA_TEXT("hello")).data);
    assert_non_null(edda_arena_text(&arena, EDDA_TEXT("hell")).data);
    edda_arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_and_aligned),
        cmocka_unit_test(an_arena_gives_its_maximum_and_not_one_byte_more),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(a_large_block_stands_beside_small_ones),
        cmocka_unit_test(a_text_is_copied_with_a_nul_behind_it),
        cmocka_unit_test(an_absent_text_stays_absent_and_one_without_room_becomes_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
