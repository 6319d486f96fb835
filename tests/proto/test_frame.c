/* tests/proto/test_frame.c: F0, byte by byte. */
#include "proto/command.h"
#include "proto/frame.h"
#include "tests/proto/cmocka.h"

static const uint8_t good[EDDA_FRAME_BYTES] = {'E', 'D', 1, 4, 0x34, 0x12, 0, 0};

static int decode_changed(size_t at, uint8_t value) {
    uint8_t bytes[EDDA_FRAME_BYTES];
    struct edda_frame frame;
    memcpy(bytes, good, sizeof(bytes));
    bytes[at] = value;
    return edda_frame_decode((struct edda_bytes){bytes, sizeof(bytes)}, &frame);
}

static void a_frame_is_read_as_it_was_written(void **state) {
    (void)state;
    struct edda_frame frame = {.major = 1, .command = EDDA_REQ, .flags = 0x1234};
    uint8_t bytes[EDDA_FRAME_BYTES];
    edda_frame_encode(&frame, bytes);
    assert_memory_equal(bytes, good, sizeof(good));
    struct edda_frame decoded = {0};
    assert_int_equal(edda_frame_decode((struct edda_bytes){bytes, sizeof(bytes)}, &decoded), 0);
    assert_int_equal(decoded.major, 1);
    assert_int_equal(decoded.command, EDDA_REQ);
    assert_int_equal(decoded.flags, 0x1234);
}

static void a_frame_of_seven_or_nine_bytes_is_malformed(void **state) {
    (void)state;
    uint8_t bytes[9] = {'E', 'D', 1, 4};
    struct edda_frame frame;
    assert_int_equal(edda_frame_decode((struct edda_bytes){bytes, 7}, &frame), EDDA_E_MALFORMED);
    assert_int_equal(edda_frame_decode((struct edda_bytes){bytes, 8}, &frame), 0);
    assert_int_equal(edda_frame_decode((struct edda_bytes){bytes, 9}, &frame), EDDA_E_MALFORMED);
    assert_int_equal(edda_frame_decode((struct edda_bytes){NULL, 0}, &frame), EDDA_E_MALFORMED);
}

static void another_signature_is_malformed(void **state) {
    (void)state;
    assert_int_equal(decode_changed(0, 'e'), EDDA_E_MALFORMED);
    assert_int_equal(decode_changed(1, 'e'), EDDA_E_MALFORMED);
}

static void another_major_is_a_version_error_whatever_follows(void **state) {
    (void)state;
    uint8_t bytes[EDDA_FRAME_BYTES] = {'E', 'D', 2, 200, 1, 1, 1, 1};
    struct edda_frame frame;
    assert_int_equal(edda_frame_decode((struct edda_bytes){bytes, 8}, &frame), EDDA_E_VERSION);
    assert_int_equal(decode_changed(2, 0), EDDA_E_VERSION);
}

static void an_unknown_command_is_malformed(void **state) {
    (void)state;
    assert_int_equal(decode_changed(3, 0), EDDA_E_MALFORMED);
    assert_int_equal(decode_changed(3, 17), 0);
    assert_int_equal(decode_changed(3, 18), EDDA_E_MALFORMED);
}

static void reserved_bytes_must_be_zero_and_flags_may_be_anything(void **state) {
    (void)state;
    assert_int_equal(decode_changed(6, 1), EDDA_E_MALFORMED);
    assert_int_equal(decode_changed(7, 1), EDDA_E_MALFORMED);
    assert_int_equal(decode_changed(4, 255), 0);
    assert_int_equal(decode_changed(5, 255), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_read_as_it_was_written),
        cmocka_unit_test(a_frame_of_seven_or_nine_bytes_is_malformed),
        cmocka_unit_test(another_signature_is_malformed),
        cmocka_unit_test(another_major_is_a_version_error_whatever_follows),
        cmocka_unit_test(an_unknown_command_is_malformed),
        cmocka_unit_test(reserved_bytes_must_be_zero_and_flags_may_be_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
