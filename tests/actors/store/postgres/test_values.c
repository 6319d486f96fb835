/* tests/actors/store/postgres/test_values.c: every kind of value goes to the server and comes back
 * the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/postgres/copy_target.h"
#include "proto/uuid.h"
#include "tests/actors/store/postgres/database.h"

enum {
    OF_INTEGERS,
    OF_BYTES,
    OF_NOTHING,
    OF_ARRAYS,
    OF_ABSENT_ELEMENTS,
    OF_EMPTY_ARRAYS,
    OF_VECTOR,
    OF_VECTORS,
    OF_COUNT
};

static const struct edda_pg_statement statements[OF_COUNT] = {
    [OF_INTEGERS] = {"INTEGERS",
                     "SELECT $1::bigint, $2::integer, $3::boolean, $4::double precision,"
                     " 1.5::real, (-3)::smallint, 4000000000::oid"},
    [OF_BYTES] = {"BYTES", "SELECT $1::text, $2::bytea, $3::uuid, 'of a name'::name,"
                           " 'v'::varchar, 'text of ' || $3::text"},
    [OF_NOTHING] = {"NOTHING", "SELECT $1::text, $2::bytea, $3::uuid, $4::bigint"},
    [OF_ARRAYS] = {"ARRAYS", "SELECT b, t, y, s FROM unnest($1::bigint[], $2::text[], $3::bytea[],"
                             " $4::bigint[]) AS r (b, t, y, s)"},
    [OF_ABSENT_ELEMENTS] = {"ABSENT_ELEMENTS", "SELECT $1::text[], array_length($1, 1)::bigint"},
    [OF_EMPTY_ARRAYS] = {"EMPTY_ARRAYS", "SELECT $1::text[], cardinality($1)::bigint"},
    [OF_VECTOR] = {"VECTOR", "SELECT $1::halfvec, ($1::halfvec)::text"},
    [OF_VECTORS] = {"VECTORS", "SELECT v, v::text FROM unnest($1::halfvec[]) v"},
};

static edda_pg_result_t *result;
static struct database *d;

/* The same URL and loop; the statements of this file. */
static int setup(void **state) {
    d = database_open(&(struct database){.statements = statements, .statement_count = OF_COUNT},
                      NULL);
    *state = d;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    edda_pg_result_free(result);
    result = NULL;
    database_close(&d);
    return 0;
}

static void get(unsigned statement, const struct edda_pg_value *values, size_t count) {
    struct asked asked = {.keep = &result};
    edda_pg_result_free(result);
    result = NULL;
    ask(d, &asked, statement, values, count);
    expect(d, &asked, 0);
    assert_non_null(result);
}

static void numbers_keep_their_value(void **state) {
    static const int64_t bigints[] = {0, -1, INT64_MIN, INT64_MAX, 1234567890123};
    static const int32_t integers[] = {0, -1, INT32_MIN, INT32_MAX, 77};
    (void)state;
    for (int i = 0; i < 5; i++) {
        get(OF_INTEGERS, VALUES(BIGINT(bigints[i]), INTEGER(integers[i]), BOOLEAN(i % 2 == 1),
                                DOUBLE(i - 0.25)));
        struct edda_pg_row row = edda_pg_row(result, 0);
        assert_true(edda_pg_bigint(&row, 0) == bigints[i]);
        assert_true(edda_pg_bigint(&row, 1) == integers[i]);
        assert_int_equal(edda_pg_boolean(&row, 2), i % 2 == 1);
        assert_true(edda_pg_double(&row, 3) == i - 0.25);
        assert_true(edda_pg_double(&row, 4) == 1.5);
        assert_int_equal(edda_pg_bigint(&row, 5), -3);
        assert_true(edda_pg_bigint(&row, 6) == 4000000000);
        assert_int_equal(row.error, 0);
    }
}

static void texts_bytes_and_uuids_keep_every_byte(void **state) {
    static const uint8_t bytes[] = {0, 1, 0xff, '\'', 0};
    struct edda_uuid uuid;
    (void)state;
    assert_int_equal(edda_uuid_parse(EDDA_TEXT("0190163d-8694-739b-aea5-966c26f8ad91"), &uuid), 0);
    get(OF_BYTES, VALUES(TEXT(EDDA_TEXT("grüße '; DROP TABLE")),
                         BYTEA(((struct edda_bytes){bytes, sizeof bytes})), UUID(&uuid)));
    struct edda_pg_row row = edda_pg_row(result, 0);
    assert_true(edda_text_is(edda_pg_text(&row, 0), "grüße '; DROP TABLE"));
    assert_int_equal(edda_pg_bytea(&row, 1).size, sizeof bytes);
    assert_memory_equal(edda_pg_bytea(&row, 1).data, bytes, sizeof bytes);
    struct edda_uuid back = edda_pg_uuid(&row, 2);
    assert_true(edda_uuid_equal(&back, &uuid));
    assert_true(edda_text_is(edda_pg_text(&row, 3), "of a name"));
    assert_true(edda_text_is(edda_pg_text(&row, 4), "v"));
    assert_true(
        edda_text_is(edda_pg_text(&row, 5), "text of 0190163d-8694-739b-aea5-966c26f8ad91"));
    assert_int_equal(row.error, 0);
    get(OF_BYTES, VALUES(TEXT(EDDA_TEXT("")), BYTEA(((struct edda_bytes){bytes, 0})), UUID(&uuid)));
    row = edda_pg_row(result, 0);
    assert_non_null(edda_pg_text(&row, 0).data);
    assert_int_equal(edda_pg_text(&row, 0).size, 0);
    assert_non_null(edda_pg_bytea(&row, 1).data);
}

/* A statement that waits for a connection is sent when who said it has long returned. Seen to fail
 * when a value borrows its uuid. */
static void a_uuid_is_the_values_own(void **state) {
    (void)state;
    struct edda_uuid uuid = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    const struct edda_uuid kept = uuid;
    const struct edda_pg_value values[] = {NOTHING(EDDA_PG_TEXT), NOTHING(EDDA_PG_BYTEA),
                                           UUID(&uuid)};
    memset(&uuid, 0, sizeof uuid);
    get(OF_BYTES, values, 3);
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct edda_uuid back = edda_pg_uuid(&row, 2);
    assert_true(edda_uuid_equal(&back, &kept));
}

static void what_is_absent_is_null(void **state) {
    (void)state;
    get(OF_NOTHING, VALUES(TEXT(((struct edda_text){NULL, 0})), NOTHING(EDDA_PG_BYTEA),
                           NOTHING(EDDA_PG_UUID), NOTHING(EDDA_PG_BIGINT)));
    struct edda_pg_row row = edda_pg_row(result, 0);
    for (int i = 0; i < 4; i++) {
        assert_true(edda_pg_is_absent(&row, i));
    }
    assert_int_equal(row.error, 0);
}

static void a_nul_in_a_text_is_the_requests_fault(void **state) {
    struct asked asked = {0};
    (void)state;
    ask(d, &asked, OF_ABSENT_ELEMENTS, VALUES(NOTHING(EDDA_PG_TEXT_ARRAY)));
    expect(d, &asked, 0);
    ask(d, &asked, OF_NOTHING,
        VALUES(TEXT(((struct edda_text){"a\0b", 3})), NOTHING(EDDA_PG_BYTEA), NOTHING(EDDA_PG_UUID),
               NOTHING(EDDA_PG_BIGINT)));
    expect(d, &asked, EDDA_E_INVALID);
    assert_string_equal(asked.sqlstate, "22021");
}

static void arrays_unfold_into_rows(void **state) {
    enum { ROWS = 1000 };
    struct edda_buffer buffer;
    struct edda_pg_built columns[4];
    char text[32];
    (void)state;
    edda_buffer_init(&buffer, 1 << 20);
    edda_pg_build_array(&columns[0], &buffer, EDDA_PG_BIGINT);
    for (int i = 0; i < ROWS; i++) {
        edda_pg_array_bigint(&columns[0], -i);
    }
    edda_pg_build_array(&columns[1], &buffer, EDDA_PG_TEXT);
    for (int i = 0; i < ROWS; i++) {
        snprintf(text, sizeof text, "text %d", i);
        edda_pg_array_text(&columns[1], edda_text_of(text));
    }
    edda_pg_build_array(&columns[2], &buffer, EDDA_PG_BYTEA);
    for (int i = 0; i < ROWS; i++) {
        edda_pg_array_bytea(&columns[2], (struct edda_bytes){(uint8_t *)text, (size_t)i % 8});
    }
    edda_pg_build_array(&columns[3], &buffer, EDDA_PG_BIGINT);
    edda_pg_array_bigint(&columns[3], -5);
    assert_int_equal(buffer.error, 0);
    get(OF_ARRAYS,
        VALUES(BUILT(&columns[0]), BUILT(&columns[1]), BUILT(&columns[2]), BUILT(&columns[3])));
    assert_int_equal(edda_pg_rows(result), ROWS);
    for (int i = 0; i < ROWS; i++) {
        struct edda_pg_row row = edda_pg_row(result, (size_t)i);
        snprintf(text, sizeof text, "text %d", i);
        assert_int_equal(edda_pg_bigint(&row, 0), -i);
        assert_true(edda_text_is(edda_pg_text(&row, 1), text));
        assert_int_equal(edda_pg_bytea(&row, 2).size, i % 8);
        assert_int_equal(edda_pg_is_absent(&row, 3), i > 0); /* the shorter ones are filled up */
        assert_int_equal(edda_pg_bigint_or(&row, 3, 0), i == 0 ? -5 : 0);
        assert_int_equal(row.error, 0);
    }
    edda_buffer_done(&buffer);
}

static void elements_may_be_absent_and_arrays_empty(void **state) {
    struct edda_buffer buffer;
    struct edda_pg_built texts;
    struct edda_pg_elements elements;
    struct edda_bytes element;
    (void)state;
    edda_buffer_init(&buffer, 4096);
    edda_pg_build_array(&texts, &buffer, EDDA_PG_TEXT);
    edda_pg_array_text(&texts, EDDA_TEXT("a"));
    edda_pg_array_text(&texts, (struct edda_text){NULL, 0});
    edda_pg_array_text(&texts, EDDA_TEXT(""));
    get(OF_ABSENT_ELEMENTS, VALUES(BUILT(&texts)));
    struct edda_pg_row row = edda_pg_row(result, 0);
    assert_int_equal(edda_pg_bigint(&row, 1), 3);
    elements = edda_pg_array(&row, 0, EDDA_PG_TEXT);
    assert_true(edda_pg_array_next(&row, &elements, &element) && element.size == 1);
    assert_true(edda_pg_array_next(&row, &elements, &element) && !element.data);
    assert_true(edda_pg_array_next(&row, &elements, &element) && element.data && !element.size);
    assert_false(edda_pg_array_next(&row, &elements, &element));
    edda_buffer_reset(&buffer);
    edda_pg_build_array(&texts, &buffer, EDDA_PG_TEXT);
    get(OF_EMPTY_ARRAYS, VALUES(BUILT(&texts)));
    row = edda_pg_row(result, 0);
    assert_int_equal(edda_pg_bigint(&row, 1), 0);
    elements = edda_pg_array(&row, 0, EDDA_PG_TEXT);
    assert_false(edda_pg_array_next(&row, &elements, &element));
    assert_int_equal(row.error, 0);
    edda_buffer_done(&buffer);
}

static void vectors_come_back_as_halves(void **state) {
    static const float floats[] = {1.0f, -0.5f, 0.333333f, 70000.0f};
    struct edda_buffer buffer;
    struct edda_pg_built vector;
    float back[4];
    (void)state;
    edda_buffer_init(&buffer, 4096);
    edda_pg_build_halfvec(&vector, &buffer,
                          (struct edda_floats){(const uint8_t *)floats, sizeof floats});
    get(OF_VECTOR, VALUES(BUILT(&vector)));
    struct edda_pg_row row = edda_pg_row(result, 0);
    assert_true(edda_text_is(edda_pg_text(&row, 1), "[1,-0.5,0.33325195,65504]"));
    struct edda_pg_halves got = edda_pg_halfvec(&row, 0);
    assert_int_equal(got.dimension, 4);
    edda_pg_halves_to_floats(got, back);
    assert_true(back[0] == 1 && back[1] == -0.5f && back[3] == 65504);
    assert_true(fabsf(back[2] - floats[2]) < 0.001f);
    edda_buffer_done(&buffer);
}

static void many_vectors_go_as_one_array(void **state) {
    static const uint16_t halves[] = {0x3c00, 0xb800, 0, 0x4000, 0x4200, 0x4400}; /* as in memory */
    struct edda_buffer buffer;
    struct edda_pg_built vectors;
    (void)state;
    get(OF_NOTHING, VALUES(NOTHING(EDDA_PG_TEXT), NOTHING(EDDA_PG_BYTEA), NOTHING(EDDA_PG_UUID),
                           NOTHING(EDDA_PG_BIGINT))); /* a connection stands */
    edda_buffer_init(&buffer, 4096);
    assert_int_not_equal(edda_pg_halfvec_type(d->pg), 0);
    edda_pg_build_array(&vectors, &buffer, edda_pg_halfvec_type(d->pg));
    for (size_t i = 0; i < 2; i++) {
        edda_pg_array_halfvec_of_halves(&vectors,
                                        (struct edda_bytes){(const uint8_t *)(halves + 3 * i), 6});
    }
    get(OF_VECTORS, VALUES(BUILT(&vectors)));
    static const char *const texts[] = {"[1,-0.5,0]", "[2,3,4]"};
    for (size_t i = 0; i < 2; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        assert_true(edda_text_is(edda_pg_text(&row, 1), texts[i]));
        assert_int_equal(edda_pg_halfvec(&row, 0).dimension, 3);
    }
    edda_buffer_done(&buffer);
}

/* Seen to fail when the copied values went as they were. */
static void a_vector_that_is_copied_gets_length_one(void **state) {
    static const float values[] = {3, 0, -4};
    static const uint8_t wanted[] = {0, 1, 0, 0, 0, 10, 0, 3, 0, 0, 0x38, 0xcd, 0, 0, 0xba, 0x66};
    const struct edda_copy_table table = {.types = "v"};
    const struct edda_copy_value value = {
        .bytes = {(const uint8_t *)values, sizeof values},
    };
    struct edda_buffer row;
    (void)state;
    edda_buffer_init(&row, 4096);
    assert_int_equal(edda_copy_row(&row, &table, &value), 0);
    assert_int_equal(row.size, sizeof wanted);
    assert_memory_equal(row.data, wanted, sizeof wanted);
    edda_buffer_done(&row);
}

static void what_is_no_vector_is_not_built(void **state) {
    float floats[2] = {1, NAN};
    static const uint16_t infinite[] = {0x7c00};
    struct edda_buffer buffer;
    struct edda_pg_built built;
    (void)state;
    for (int i = 0; i < 5; i++) {
        edda_buffer_init(&buffer, 1 << 20);
        switch (i) {
        case 0:
            edda_pg_build_halfvec(&built, &buffer, (struct edda_floats){(uint8_t *)floats, 8});
            break;
        case 1:
            edda_pg_build_halfvec(&built, &buffer, (struct edda_floats){(uint8_t *)floats, 0});
            break;
        case 2:
            edda_pg_build_halfvec(&built, &buffer, (struct edda_floats){(uint8_t *)floats, 3});
            break;
        case 3:
            edda_pg_build_array(&built, &buffer, EDDA_PG_ANY);
            edda_pg_array_halfvec_of_halves(
                &built, (struct edda_bytes){(const uint8_t *)infinite, sizeof infinite});
            break;
        default: {
            float *many = calloc(EDDA_PG_DIMENSION + 1, sizeof *many);
            edda_pg_build_halfvec(
                &built, &buffer,
                (struct edda_floats){(uint8_t *)many, (EDDA_PG_DIMENSION + 1) * sizeof *many});
            free(many);
            break;
        }
        }
        assert_int_equal(buffer.error, EDDA_E_INVALID);
        assert_true(BUILT(&built).absent);
        edda_buffer_done(&buffer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(numbers_keep_their_value),
        TEST(texts_bytes_and_uuids_keep_every_byte),
        TEST(a_uuid_is_the_values_own),
        TEST(what_is_absent_is_null),
        TEST(a_nul_in_a_text_is_the_requests_fault),
        TEST(arrays_unfold_into_rows),
        TEST(elements_may_be_absent_and_arrays_empty),
        TEST(vectors_come_back_as_halves),
        TEST(many_vectors_go_as_one_array),
        TEST(what_is_no_vector_is_not_built),
        TEST(a_vector_that_is_copied_gets_length_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
