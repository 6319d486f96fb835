/* tests/proto/test_buffer.c: growth, the maximum, and the error that sticks. */
#include "proto/buffer.h"
#include "tests/proto/cmocka.h"

#include <stdlib.h>

static void a_buffer_keeps_what_is_appended(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 100000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(edda_buffer_append(&buffer, "0123456789", 10), 0);
    }
    assert_int_equal(buffer.size, 100000);
    assert_memory_equal(buffer.data + 99990, "0123456789", 10);
    edda_buffer_done(&buffer);
    assert_null(buffer.data);
}

static void a_buffer_takes_its_maximum_and_not_one_byte_more(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 10);
    assert_int_equal(edda_buffer_append(&buffer, "0123456789", 10), 0);
    assert_int_equal(edda_buffer_append(&buffer, "", 0), 0);
    assert_int_equal(edda_buffer_append(&buffer, "x", 1), EDDA_E_LIMIT);
    assert_int_equal(buffer.size, 10);
    edda_buffer_done(&buffer);
}

static void the_first_error_sticks_until_reset(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 4);
    assert_int_equal(edda_buffer_append_text(&buffer, "hello"), EDDA_E_LIMIT);
    assert_int_equal(edda_buffer_append_text(&buffer, "h"), EDDA_E_LIMIT);
    assert_int_equal(edda_buffer_printf(&buffer, "%d", 1), EDDA_E_LIMIT);
    assert_null(edda_buffer_reserve(&buffer, 1));
    assert_int_equal(buffer.size, 0);
    edda_buffer_reset(&buffer);
    assert_int_equal(edda_buffer_append_text(&buffer, "h"), 0);
    edda_buffer_done(&buffer);
}

static void printf_fills_a_buffer_to_its_last_byte(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 8);
    assert_int_equal(edda_buffer_printf(&buffer, "%s=%d", "abc", 1234), 0);
    assert_int_equal(buffer.size, 8);
    assert_memory_equal(buffer.data, "abc=1234", 8);
    assert_int_equal(edda_buffer_printf(&buffer, "%s", ""), 0);
    assert_int_equal(edda_buffer_printf(&buffer, "x"), EDDA_E_LIMIT);
    edda_buffer_done(&buffer);
}

static void reserved_room_counts_when_the_caller_adds_it(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 300);
    uint8_t *at = edda_buffer_reserve(&buffer, 300);
    assert_non_null(at);
    assert_int_equal(buffer.size, 0);
    memset(at, 7, 300);
    buffer.size += 300;
    assert_null(edda_buffer_reserve(&buffer, 1));
    assert_int_equal(buffer.error, EDDA_E_LIMIT);
    edda_buffer_done(&buffer);
}

static void reserving_nothing_gives_an_address(void **state) {
    (void)state;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 0);
    assert_non_null(edda_buffer_reserve(&buffer, 0));
    assert_int_equal(buffer.error, 0);
    edda_buffer_done(&buffer);
}

static void taken_bytes_belong_to_the_taker(void **state) {
    (void)state;
    struct edda_buffer buffer;
    uint8_t *data;
    size_t size;
    edda_buffer_init(&buffer, 100);
    edda_buffer_append_text(&buffer, "mine");
    edda_buffer_take(&buffer, &data, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "mine", 4);
    free(data);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(edda_buffer_append_text(&buffer, "again"), 0);
    edda_buffer_done(&buffer);
}

static void a_failed_buffer_gives_nothing_away(void **state) {
    (void)state;
    struct edda_buffer buffer;
    uint8_t *data;
    size_t size;
    edda_buffer_init(&buffer, 4);
    edda_buffer_append_text(&buffer, "abc");
    edda_buffer_append_text(&buffer, "abc");
    edda_buffer_take(&buffer, &data, &size);
    assert_null(data);
    assert_int_equal(size, 0);
    edda_buffer_done(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_keeps_what_is_appended),
        cmocka_unit_test(a_buffer_takes_its_maximum_and_not_one_byte_more),
        cmocka_unit_test(the_first_error_sticks_until_reset),
        cmocka_unit_test(printf_fills_a_buffer_to_its_last_byte),
        cmocka_unit_test(reserved_room_counts_when_the_caller_adds_it),
        cmocka_unit_test(reserving_nothing_gives_an_address),
        cmocka_unit_test(taken_bytes_belong_to_the_taker),
        cmocka_unit_test(a_failed_buffer_gives_nothing_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
