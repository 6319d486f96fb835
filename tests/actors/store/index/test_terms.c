#include "tests/actors/store/index/build.h"

static void a_vector_holds_each_word_with_its_count(void **state) {
    (void)state;
    struct build build;
    struct edda_terms_reader reader;
    uint32_t tf_of_apple = 0;
    size_t count = 0;
    uint32_t before = 0;
    build_init(&build, 1);
    uint32_t apple = (uint32_t)edda_text_hash("appl", 4);
    assert_int_equal(edda_terms_make(&build.terms, build.analyser, EDDA_TEXT("Apples"),
                                     EDDA_TEXT("Fruit"), EDDA_TEXT("The apple and the apples: 42")),
                     0);
    assert_int_equal(edda_terms_open(&reader, edda_buffer_bytes(&build.terms.vector)), 0);
    assert_int_equal(reader.language, EDDA_LANGUAGE_ENGLISH);
    assert_int_equal(reader.length, 2 + 1 + 3); /* title twice, heading, text without stopwords */
    while (edda_terms_next(&reader) > 0) {
        assert_true(count == 0 || reader.hash > before);
        before = reader.hash;
        tf_of_apple = reader.hash == apple ? reader.tf : tf_of_apple;
        count++;
    }
    assert_int_equal(tf_of_apple, 4);
    assert_int_equal(count, 5); /* apple, fruit, the, and, 42 */
    for (size_t i = 0; i < build.terms.count; i++) {
        assert_int_equal(build.terms.items[i].hash,
                         (uint32_t)edda_text_hash(build.terms.items[i].text.data,
                                                  build.terms.items[i].text.size));
    }
    assert_int_equal(build.terms.count, 4); /* not the number */
    build_done(&build);
}

static void counts_over_255_are_255(void **state) {
    (void)state;
    struct build build;
    struct edda_terms_reader reader;
    char text[4 * 300 + 1] = "";
    build_init(&build, 2);
    for (size_t i = 0; i < 300; i++) {
        memcpy(text + 4 * i, "cow ", 5);
    }
    assert_int_equal(edda_terms_make(&build.terms, build.analyser, (struct edda_text){0},
                                     (struct edda_text){0}, edda_text_of(text)),
                     0);
    assert_int_equal(edda_terms_open(&reader, edda_buffer_bytes(&build.terms.vector)), 0);
    assert_int_equal(edda_terms_next(&reader), 1);
    assert_int_equal(reader.tf, 255);
    assert_int_equal(reader.length, 300);
    assert_int_equal(edda_terms_next(&reader), 0);
    build_done(&build);
}

static void an_empty_chunk_has_an_empty_vector(void **state) {
    (void)state;
    struct build build;
    struct edda_terms_reader reader;
    build_init(&build, 3);
    assert_int_equal(edda_terms_make(&build.terms, build.analyser, (struct edda_text){0},
                                     (struct edda_text){0}, EDDA_TEXT("")),
                     0);
    assert_int_equal(build.terms.count, 0);
    assert_int_equal(edda_terms_open(&reader, edda_buffer_bytes(&build.terms.vector)), 0);
    assert_int_equal(edda_terms_next(&reader), 0);
    build_done(&build);
}

static int read_all(const char *bytes, size_t size) {
    struct edda_terms_reader reader;
    int more = edda_terms_open(&reader, (struct edda_bytes){(const uint8_t *)bytes, size});
    if (more == 0) {
        do {
            more = edda_terms_next(&reader);
        } while (more > 0);
    }
    return more;
}

#define READ(literal) read_all(literal, sizeof(literal) - 1)

static void bytes_that_are_no_vector_are_refused(void **state) {
    (void)state;
    assert_int_equal(READ("\x01\x02\x05\x00"), 0);
    assert_int_equal(READ(""), EDDA_E_MALFORMED);
    assert_int_equal(READ("\x02\x02\x05\x00"), EDDA_E_MALFORMED);     /* format */
    assert_int_equal(READ("\x01\x02\x05\x01"), EDDA_E_MALFORMED);     /* a term is missing */
    assert_int_equal(READ("\x01\x02\x05\x00\x00"), EDDA_E_MALFORMED); /* a byte is left */
    assert_int_equal(READ("\x01\x02\x05\x01\x04"), 0);
    assert_int_equal(READ("\x01\x02\x05\x02\x04\x00"), EDDA_E_MALFORMED); /* the same hash twice */
    assert_int_equal(READ("\x01\x02\x05\x02\x00\x02"), 0);                /* hash 0 may be first */
    assert_int_equal(READ("\x01\x02\x05\x01\x05\x01"), EDDA_E_MALFORMED); /* tf 1 written out */
    assert_int_equal(READ("\x01\x02\x05\x01\x05\x02"), 0);
    assert_int_equal(READ("\x01\x02\x05\x01\xff\xff\xff\xff\x1f\x02"), 0); /* the last hash */
    assert_int_equal(READ("\x01\x02\x05\x01\xff\xff\xff\xff\x3f\x02"), EDDA_E_MALFORMED);
    assert_int_equal(READ("\x01\x02\xff\xff\x03\x00"), 0); /* 65535 tokens */
    assert_int_equal(READ("\x01\x02\x80\x80\x04\x00"), EDDA_E_MALFORMED);
    assert_int_equal(READ("\x01\x02\x80\x80\x80\x80\x80\x80\x00"), EDDA_E_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_holds_each_word_with_its_count),
        cmocka_unit_test(counts_over_255_are_255),
        cmocka_unit_test(an_empty_chunk_has_an_empty_vector),
        cmocka_unit_test(bytes_that_are_no_vector_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
