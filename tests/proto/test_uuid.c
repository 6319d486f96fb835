/* tests/proto/test_uuid.c: the vectors of RFC 9562 and the text form. */
#include "proto/uuid.h"
#include "tests/proto/cmocka.h"

static struct edda_uuid parse(const char *text) {
    struct edda_uuid uuid;
    assert_int_equal(edda_uuid_parse(edda_text_of(text), &uuid), 0);
    return uuid;
}

static void assert_text(const struct edda_uuid *uuid, const char *expected) {
    char text[EDDA_UUID_TEXT];
    edda_uuid_format(uuid, text);
    assert_string_equal(text, expected);
}

/* RFC 9562 appendix A.6: 2022-02-22 14:22:22 -05:00, rand_a CC3, rand_b 18C4DC0C0C07398F. */
static void version_seven_is_as_in_the_rfc(void **state) {
    (void)state;
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct edda_uuid uuid = edda_uuid_v7(INT64_C(0x017F22E279B0), random);
    assert_text(&uuid, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void version_seven_sets_its_bits_over_any_randomness(void **state) {
    (void)state;
    uint8_t random[10];
    memset(random, 0xff, sizeof(random));
    struct edda_uuid uuid = edda_uuid_v7(0, random);
    assert_text(&uuid, "00000000-0000-7fff-bfff-ffffffffffff");
    memset(random, 0, sizeof(random));
    uuid = edda_uuid_v7(INT64_C(0xffffffffffff), random);
    assert_text(&uuid, "ffffffff-ffff-7000-8000-000000000000");
}

static void version_seven_sorts_by_time(void **state) {
    (void)state;
    uint8_t random[10];
    memset(random, 0xff, sizeof(random));
    struct edda_uuid earlier = edda_uuid_v7(1700000000000, random);
    memset(random, 0, sizeof(random));
    struct edda_uuid later = edda_uuid_v7(1700000000001, random);
    assert_true(memcmp(earlier.bytes, later.bytes, 16) < 0);
}

/* RFC 9562 appendix A.4: www.example.com in the namespace of DNS. */
static void version_five_is_as_in_the_rfc(void **state) {
    (void)state;
    struct edda_uuid dns = parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    struct edda_uuid uuid = edda_uuid_v5(&dns, "www.example.com", 15);
    assert_text(&uuid, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

/* These are in stored rows: the function may never change. */
static void a_chunks_uuid_is_always_the_same(void **state) {
    (void)state;
    struct edda_uuid memo = parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    struct edda_uuid first = edda_uuid_chunk(&memo, 1, 0, 0);
    struct edda_uuid again = edda_uuid_chunk(&memo, 1, 0, 0);
    assert_true(edda_uuid_equal(&first, &again));
    assert_text(&first, "ebbef36d-372c-5c61-823d-dba4ab7e4cfd");
    struct edda_uuid others[] = {edda_uuid_chunk(&memo, 2, 0, 0), edda_uuid_chunk(&memo, 1, 1, 0),
                                 edda_uuid_chunk(&memo, 1, 0, 1)};
    for (size_t i = 0; i < 3; i++) {
        assert_false(edda_uuid_equal(&first, &others[i]));
    }
}

static void text_is_read_in_either_case(void **state) {
    (void)state;
    struct edda_uuid lower = parse("c232ab00-9414-11ec-b3c8-9f6bdeced846");
    struct edda_uuid upper = parse("C232AB00-9414-11EC-B3C8-9F6BDECED846");
    assert_true(edda_uuid_equal(&lower, &upper));
    assert_text(&upper, "c232ab00-9414-11ec-b3c8-9f6bdeced846");
}

static void text_of_another_shape_is_invalid(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "c232ab00-9414-11ec-b3c8-9f6bdeced84",
        "c232ab00-9414-11ec-b3c8-9f6bdeced8466",
        "c232ab00941411ecb3c89f6bdeced8460000",
        "c232ab0-09414-11ec-b3c8-9f6bdeced846",
        "g232ab00-9414-11ec-b3c8-9f6bdeced846",
        "c232ab00-9414-11ec-b3c8-9f6bdeced84 ",
        "{c232ab00-9414-11ec-b3c8-9f6bdeced84}",
    };
    struct edda_uuid uuid;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(edda_uuid_parse(edda_text_of(wrong[i]), &uuid), EDDA_E_INVALID);
    }
    assert_int_equal(edda_uuid_parse((struct edda_text){NULL, 0}, &uuid), EDDA_E_INVALID);
}

static void only_all_zero_bytes_are_nil(void **state) {
    (void)state;
    struct edda_uuid uuid = {{0}};
    assert_true(edda_uuid_is_nil(&uuid));
    for (size_t i = 0; i < 16; i++) {
        uuid.bytes[i] = 1;
        assert_false(edda_uuid_is_nil(&uuid));
        uuid.bytes[i] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_seven_is_as_in_the_rfc),
        cmocka_unit_test(version_seven_sets_its_bits_over_any_randomness),
        cmocka_unit_test(version_seven_sorts_by_time),
        cmocka_unit_test(version_five_is_as_in_the_rfc),
        cmocka_unit_test(a_chunks_uuid_is_always_the_same),
        cmocka_unit_test(text_is_read_in_either_case),
        cmocka_unit_test(text_of_another_shape_is_invalid),
        cmocka_unit_test(only_all_zero_bytes_are_nil),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
