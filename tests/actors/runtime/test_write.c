/* tests/actors/runtime/test_write.c: what is escaped, wherever it stands. */
#include <stdio.h>

#include "actors/runtime/write.h"
#include "tests/proto/cmocka.h"

#define LONGEST 40

/* RFC 8259, section 7, said once more and slowly. */
static size_t escape(unsigned char byte, char ret_text[8]) {
    static const char named[][2] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                    {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (byte == (unsigned char)named[i][0]) {
            return (size_t)snprintf(ret_text, 8, "\\%c", named[i][1]);
        }
    }
    if (byte < 0x20) {
        return (size_t)snprintf(ret_text, 8, "\\u%04x", byte);
    }
    ret_text[0] = (char)byte;
    return 1;
}

static void expect_escaped(const char *data, size_t size) {
    struct edda_buffer out;
    char wanted[LONGEST * 6 + 1];
    size_t wanted_size = 0;
    edda_buffer_init(&out, 4096);
    for (size_t i = 0; i < size; i++) {
        char text[8];
        size_t text_size = escape((unsigned char)data[i], text);
        memcpy(wanted + wanted_size, text, text_size);
        wanted_size += text_size;
    }
    edda_write_escaped(&out, (struct edda_text){data, size});
    assert_int_equal(out.size, wanted_size);
    assert_true(size == 0 || memcmp(out.data, wanted, wanted_size) == 0);
    edda_buffer_done(&out);
}

static void every_byte_is_escaped_wherever_it_stands(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t size = 1; size <= LONGEST; size++) {
            for (size_t at = 0; at < size; at++) {
                char text[LONGEST];
                memset(text, 'a', sizeof text);
                text[at] = (char)byte;
                expect_escaped(text, size);
            }
        }
    }
}

static void any_two_bytes_beside_each_other_are_escaped_each_for_itself(void **state) {
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            char text[16];
            memset(text, 'a', sizeof text);
            text[7] = (char)first;
            text[8] = (char)second;
            expect_escaped(text, sizeof text);
        }
    }
    expect_escaped("", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(any_two_bytes_beside_each_other_are_escaped_each_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
