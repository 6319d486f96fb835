/* tests/proto/test_utf8.c: every code point, every pair of bytes, and a slow reading as oracle. */
#include "proto/utf8.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static size_t put_code_point(uint32_t point, char *at) {
    if (point < 0x80) {
        at[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        at[0] = (char)(0xc0 | point >> 6);
        at[1] = (char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        at[0] = (char)(0xe0 | point >> 12);
        at[1] = (char)(0x80 | (point >> 6 & 63));
        at[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    at[0] = (char)(0xf0 | point >> 18);
    at[1] = (char)(0x80 | (point >> 12 & 63));
    at[2] = (char)(0x80 | (point >> 6 & 63));
    at[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* Decodes by the bit patterns alone, then asks whether the shortest form is the same bytes. */
static bool is_valid_slowly(const uint8_t *at, size_t left) {
    while (left > 0) {
        size_t length = *at < 0x80 ? 1 : *at < 0xc0 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
        if (length == 0 || length > left || *at >= 0xf8) {
            return false;
        }
        static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        uint32_t point = *at & masks[length];
        for (size_t i = 1; i < length; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (at[i] & 63u);
        }
        char shortest[4];
        bool in_range = point < 0xd800 || (point > 0xdfff && point < 0x110000);
        if (!in_range || put_code_point(point, shortest) != length) {
            return false;
        }
        at += length;
        left -= length;
    }
    return true;
}

static void every_code_point_but_the_surrogates_is_valid(void **state) {
    (void)state;
    char bytes[4];
    for (uint32_t point = 0; point < 0x110000; point++) {
        size_t size = put_code_point(point, bytes);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        assert_int_equal(edda_utf8_valid(bytes, size), !surrogate);
    }
    assert_false(edda_utf8_valid(bytes, put_code_point(0x110000, bytes)));
}

static void overlong_and_cut_sequences_are_invalid(void **state) {
    (void)state;
    assert_false(edda_utf8_valid("\xc0\x80", 2));
    assert_false(edda_utf8_valid("\xc1\xbf", 2));
    assert_false(edda_utf8_valid("\xe0\x9f\xbf", 3));
    assert_false(edda_utf8_valid("\xf0\x8f\xbf\xbf", 4));
    assert_false(edda_utf8_valid("\xf8\x88\x80\x80\x80", 5));
    assert_false(edda_utf8_valid("\xe6\xbc", 2));
    assert_false(edda_utf8_valid("a\x80", 2));
    assert_true(edda_utf8_valid("\0", 1));
    assert_true(edda_utf8_valid(NULL, 0));
}

static void a_bad_byte_is_found_wherever_it_is(void **state) {
    (void)state;
    char text[64];
    for (size_t size = 1; size <= sizeof(text); size++) {
        for (size_t bad = 0; bad < size; bad++) {
            memset(text, 'a', size);
            assert_true(edda_utf8_valid(text, size));
            text[bad] = (char)0xff;
            assert_false(edda_utf8_valid(text, size));
        }
    }
}

static void the_fast_reading_agrees_with_the_slow_one(void **state) {
    (void)state;
    struct random random = {1};
    for (int round = 0; round < 400000; round++) {
        uint8_t bytes[40];
        size_t size = random_below(&random, sizeof(bytes) + 1);
        for (size_t i = 0; i < size;) {
            char point[4];
            size_t length = put_code_point((uint32_t)random_below(&random, 0x110000), point);
            bool ascii = random_below(&random, 3) > 0;
            if (ascii || length > size - i) {
                bytes[i++] = (uint8_t)random_below(&random, 0x80);
            } else {
                memcpy(bytes + i, point, length);
                i += length;
            }
        }
        if (size > 0 && random_below(&random, 2)) {
            bytes[random_below(&random, size)] = (uint8_t)random_next(&random);
        }
        assert_int_equal(edda_utf8_valid((const char *)bytes, size), is_valid_slowly(bytes, size));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_the_surrogates_is_valid),
        cmocka_unit_test(overlong_and_cut_sequences_are_invalid),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_is),
        cmocka_unit_test(the_fast_reading_agrees_with_the_slow_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
