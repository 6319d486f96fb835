/* tests/proto/test_memory.c: the n-th allocation fails, for every n: an error, no leak, no half
 * state. malloc and realloc of proto come here by the linker's --wrap. */
#include "proto/limits.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/records.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);

static long allocations_left = -1; /* -1: as many as wanted */

static bool may_allocate(void) {
    if (allocations_left < 0) {
        return true;
    }
    return allocations_left-- > 0 || (allocations_left = 0, false);
}

void *__wrap_malloc(size_t size) {
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_realloc(void *old, size_t size) {
    return may_allocate() ? __real_realloc(old, size) : NULL;
}

/* Seen to fail without the look at realloc's answer (tests/fault/guards/45.patch). */
static void a_buffer_without_memory_keeps_what_it_has(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 100000);
    assert_int_equal(edda_buffer_append_text(&buffer, "kept"), 0);
    allocations_left = 0;
    assert_null(edda_buffer_reserve(&buffer, 50000));
    assert_int_equal(buffer.error, EDDA_E_MEMORY);
    assert_int_equal(edda_buffer_append_text(&buffer, "x"), EDDA_E_MEMORY);
    allocations_left = -1;
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "kept", 4);
    edda_buffer_done(&buffer);
}

/* Seen to fail without the look at malloc's answer (tests/fault/guards/45b.patch). */
static void an_arena_without_memory_gives_null_and_goes_on(void **state) {
    (void)state;
    struct edda_arena arena;
    edda_arena_init(&arena, 1000000);
    assert_non_null(edda_arena_take(&arena, 10));
    allocations_left = 0;
    assert_null(edda_arena_take(&arena, 100000));
    assert_null(edda_arena_text(&arena, (struct edda_text){"", 100000}).data);
    allocations_left = -1;
    assert_non_null(edda_arena_take(&arena, 100000));
    edda_arena_done(&arena);
}

/* Encodes and decodes with `left` allocations; true once none was missing. */
static bool try_body(const struct edda_schema *schema, const void *record, long left) {
    struct edda_buffer buffer;
    struct edda_arena arena;
    union any_record decoded;
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    edda_arena_init(&arena, 1u << 20);
    allocations_left = left;
    int encoded = edda_body_encode(schema->type, record, &buffer);
    int result = encoded
                     ? encoded
                     : edda_body_decode(schema->type, edda_buffer_bytes(&buffer), &arena, &decoded);
    allocations_left = -1;
    assert_true(result == 0 || result == EDDA_E_MEMORY);
    assert_true(result != 0 || record_equal(schema, record, &decoded));
    edda_arena_done(&arena);
    edda_buffer_done(&buffer);
    return result == 0;
}

/* Seen to fail with another error (tests/fault/guards/45c.patch). */
static void a_body_without_memory_is_a_memory_error(void **state) {
    (void)state;
    for (uint16_t type = 1; type < 100; type++) {
        const struct edda_schema *schema = edda_body_schema(type);
        if (!schema) {
            continue;
        }
        struct edda_arena arena;
        union any_record record;
        edda_arena_init(&arena, 1u << 20);
        record_fill_fully(schema, &arena, &record);
        long left = 0;
        while (!try_body(schema, &record, left)) {
            left++;
            assert_true(left < 100);
        }
        assert_true(left > 0);
        edda_arena_done(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_without_memory_keeps_what_it_has),
        cmocka_unit_test(an_arena_without_memory_gives_null_and_goes_on),
        cmocka_unit_test(a_body_without_memory_is_a_memory_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
