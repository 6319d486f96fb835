/* tests/actors/store/test_rules.c: what is decided about memos, and the map of rows, without a
 * store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/store/memos.h"
#include "actors/store/row_map.h"
#include "actors/store/rows.h"

static void the_status_is_the_latest_version_s(void **state) {
    (void)state;
    assert_string_equal(edda_memo_status(EDDA_VERSION_OPEN), "processing");
    assert_string_equal(edda_memo_status(EDDA_VERSION_READY), "processed");
    assert_string_equal(edda_memo_status(EDDA_VERSION_DEAD), "error");
    assert_string_equal(edda_memo_status(EDDA_VERSION_STAGED), "processing");
}

static void a_page_takes_what_fits_and_always_one(void **state) {
    (void)state;
    struct edda_memo_page page = {0};
    assert_true(edda_memo_page_take(&page, EDDA_MEMO_PAGE_BYTES + 1));
    assert_false(edda_memo_page_take(&page, 1));
    page = (struct edda_memo_page){0};
    assert_true(edda_memo_page_take(&page, EDDA_MEMO_PAGE_BYTES - 10));
    assert_true(edda_memo_page_take(&page, 10));
    assert_false(edda_memo_page_take(&page, 1));
    page = (struct edda_memo_page){.items = EDDA_MEMO_PAGE_CHUNKS};
    assert_false(edda_memo_page_take(&page, 0));
}

static void a_list_begins_at_its_page(void **state) {
    (void)state;
    uint64_t offset = 1;
    assert_int_equal(edda_list_offset(&(struct edda_store_page){1, 100}, &offset), 0);
    assert_int_equal(offset, 0);
    assert_int_equal(edda_list_offset(&(struct edda_store_page){UINT32_MAX, 100}, &offset), 0);
    assert_true(offset == (uint64_t)(UINT32_MAX - 1) * 100);
    assert_int_equal(edda_list_offset(&(struct edda_store_page){0, 1}, &offset), EDDA_E_INVALID);
    assert_int_equal(edda_list_offset(&(struct edda_store_page){1, 0}, &offset), EDDA_E_INVALID);
    assert_int_equal(edda_list_offset(&(struct edda_store_page){1, 101}, &offset), EDDA_E_INVALID);
}

static void content_is_bounded_on_both_sides(void **state) {
    (void)state;
    const char *text = NULL;
    struct edda_text part = EDDA_TEXT("abc");
    struct edda_texts parts = {&part, 1};
    struct edda_texts none = {NULL, 0};
    assert_int_equal(edda_memo_check_parts(&parts, 0, 3, &text), 0);
    assert_int_equal(edda_memo_check_parts(&none, 0, 0, &text), 0);
    assert_int_equal(edda_memo_check_parts(&none, EDDA_MAX_PARTS, EDDA_MAX_CONTENT_BYTES, &text),
                     0);
    assert_null(text);
    assert_int_equal(edda_memo_check_parts(&none, EDDA_MAX_PARTS + 1, 1, &text), EDDA_E_LIMIT);
    assert_string_equal(text, "too many parts");
    assert_int_equal(edda_memo_check_parts(&none, 1, EDDA_MAX_CONTENT_BYTES + 1, &text),
                     EDDA_E_LIMIT);
    assert_int_equal(edda_memo_check_parts(&parts, 1, 3, &text), EDDA_E_INVALID);
    assert_int_equal(edda_memo_check_parts(&parts, 0, 2, &text), EDDA_E_INVALID);
}

static void parts_are_staged_up_to_the_last_number_there_is(void **state) {
    (void)state;
    const char *text = NULL;
    struct edda_text part = EDDA_TEXT("abc");
    struct edda_store_put_part put = {.parts = {&part, 1}, .first = EDDA_MAX_PARTS - 1};
    assert_int_equal(edda_store_check_put_part(&put, &text), 0);
    put.first++;
    assert_int_equal(edda_store_check_put_part(&put, &text), EDDA_E_LIMIT);
    assert_string_equal(text, "too many parts");
    put.first = UINT32_MAX;
    assert_int_equal(edda_store_check_put_part(&put, &text), EDDA_E_LIMIT);
}

static void row_ids_come_apart_as_they_were_put_together(void **state) {
    (void)state;
    int64_t version = ((int64_t)1 << 40) + 5;
    int64_t part = edda_row_part(version, EDDA_MAX_PARTS - 1);
    int64_t chunk = edda_row_chunk(part, EDDA_MAX_CHUNKS_PER_PART - 1);
    assert_true(edda_row_version_of(part) == version);
    assert_int_equal(edda_row_part_of(part), EDDA_MAX_PARTS - 1);
    assert_true(edda_row_part_row_of(chunk) == part);
    assert_int_equal(edda_row_number_of(chunk), EDDA_MAX_CHUNKS_PER_PART - 1);
    assert_true(chunk == edda_row_last_chunk(version));
    assert_true(edda_row_first_chunk(version + 1) == chunk + 1);
    struct edda_uuid name = edda_row_name(chunk);
    struct edda_uuid next = edda_row_name(chunk + 1);
    assert_true(edda_row_named(&name) == chunk);
    assert_true(memcmp(name.bytes, next.bytes, 16) < 0);
}

static void a_row_map_keeps_what_was_put_and_forgets_what_was_taken(void **state) {
    (void)state;
    static char values[1000];
    struct edda_row_map map = {0};
    assert_null(edda_row_map_get(&map, 1));
    assert_null(edda_row_map_take(&map, 1));
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(edda_row_map_put(&map, i * 1048576, &values[i - 1]), 0);
    }
    for (uint64_t i = 1; i <= 1000; i += 3) {
        assert_ptr_equal(edda_row_map_take(&map, i * 1048576), &values[i - 1]);
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        const char *expected = i % 3 == 1 ? NULL : &values[i - 1];
        assert_ptr_equal(edda_row_map_get(&map, i * 1048576), expected);
    }
    assert_int_equal(map.count, 666);
    assert_int_equal(edda_row_map_put(&map, 2 * 1048576, &values[7]), 0);
    assert_int_equal(map.count, 666);
    edda_row_map_done(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_the_latest_version_s),
        cmocka_unit_test(a_page_takes_what_fits_and_always_one),
        cmocka_unit_test(a_list_begins_at_its_page),
        cmocka_unit_test(content_is_bounded_on_both_sides),
        cmocka_unit_test(parts_are_staged_up_to_the_last_number_there_is),
        cmocka_unit_test(row_ids_come_apart_as_they_were_put_together),
        cmocka_unit_test(a_row_map_keeps_what_was_put_and_forgets_what_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
