/* tests/actors/store/postgres/test_rows.c: columns believe nothing, whatever a server sends. */
#include <endian.h>
#include <libpq-fe.h>
#include <math.h>
#include <stdlib.h>

#include "actors/store/postgres/row.h"
#include "tests/proto/cmocka.h"

#define RANDOM_ROUNDS 200000

/* A result of one row and one column. data NULL: NULL. */
static PGresult *result_of(uint32_t type, int format, const void *data, int size) {
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc column = {.name = (char *)(uintptr_t) "c", .format = format, .typid = type};
    assert_int_equal(PQsetResultAttrs(result, 1, &column), 1);
    assert_int_equal(PQsetvalue(result, 0, 0, (char *)(uintptr_t)data, data ? size : -1), 1);
    return result;
}

static void integers_have_the_width_of_their_type(void **state) {
    static const struct {
        uint32_t type;
        int size;
        bool good;
        int64_t value;
    } rows[] = {
        {EDDA_PG_BIGINT, 8, true, -2},   {EDDA_PG_INTEGER, 4, true, -1},
        {EDDA_PG_SMALLINT, 2, true, -1}, {EDDA_PG_OID, 4, true, 0xffffffff},
        {EDDA_PG_BIGINT, 4, false, 0},   {EDDA_PG_BIGINT, 9, false, 0},
        {EDDA_PG_INTEGER, 8, false, 0},  {EDDA_PG_DOUBLE, 8, false, 0},
        {EDDA_PG_BYTEA, 8, false, 0},    {EDDA_PG_BIGINT, 0, false, 0},
    };
    static const uint8_t bytes[9] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PGresult *result = result_of(rows[i].type, 1, bytes, rows[i].size);
        struct edda_pg_row row = edda_pg_row(result, 0);
        assert_int_equal(edda_pg_bigint(&row, 0), rows[i].value);
        assert_int_equal(row.error, rows[i].good ? 0 : EDDA_E_IO);
        PQclear(result);
    }
}

static void null_is_an_error_only_where_it_cannot_be_said(void **state) {
    PGresult *result = result_of(EDDA_PG_BIGINT, 1, NULL, 0);
    struct edda_pg_row row = edda_pg_row(result, 0);
    (void)state;
    assert_true(edda_pg_is_absent(&row, 0));
    assert_int_equal(edda_pg_bigint_or(&row, 0, 7), 7);
    assert_null(edda_pg_text(&row, 0).data);
    assert_null(edda_pg_bytea(&row, 0).data);
    assert_int_equal(edda_pg_halfvec(&row, 0).dimension, 0);
    assert_int_equal(edda_pg_array(&row, 0, EDDA_PG_BIGINT).left, 0);
    assert_int_equal(row.error, 0);
    assert_int_equal(edda_pg_bigint(&row, 0), 0);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
}

static void columns_and_rows_that_are_not_there_are_an_error(void **state) {
    PGresult *result = result_of(EDDA_PG_TEXT, 1, "text", 4);
    (void)state;
    for (int column = -1; column <= 1; column++) {
        struct edda_pg_row row = edda_pg_row(result, 0);
        struct edda_text text = edda_pg_text(&row, column);
        assert_int_equal(row.error, column == 0 ? 0 : EDDA_E_IO);
        assert_int_equal(text.size, column == 0 ? 4 : 0);
    }
    struct edda_pg_row past = edda_pg_row(result, 1);
    assert_int_equal(past.error, EDDA_E_IO);
    assert_null(edda_pg_text(&past, 0).data);
    past = edda_pg_row(result, SIZE_MAX);
    assert_null(edda_pg_text(&past, 0).data);
    PQclear(result);
}

static void a_column_in_text_form_is_an_error(void **state) {
    PGresult *result = result_of(EDDA_PG_TEXT, 0, "text", 4);
    struct edda_pg_row row = edda_pg_row(result, 0);
    (void)state;
    assert_null(edda_pg_text(&row, 0).data);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
}

static void the_first_error_stays(void **state) {
    PGresult *result = result_of(EDDA_PG_TEXT, 1, "text", 4);
    struct edda_pg_row row = edda_pg_row(result, 0);
    (void)state;
    assert_int_equal(edda_pg_bigint(&row, 0), 0);
    assert_int_equal(edda_pg_text(&row, 0).size, 4);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
}

static void other_types_are_checked_too(void **state) {
    static const uint8_t bytes[16] = {1};
    (void)state;
    PGresult *result = result_of(EDDA_PG_UUID, 1, bytes, 15);
    struct edda_pg_row row = edda_pg_row(result, 0);
    (void)edda_pg_uuid(&row, 0);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
    result = result_of(EDDA_PG_BOOLEAN, 1, "\2", 1);
    row = edda_pg_row(result, 0);
    assert_false(edda_pg_boolean(&row, 0));
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
    result = result_of(EDDA_PG_TEXT, 1, bytes, 16);
    row = edda_pg_row(result, 0);
    assert_null(edda_pg_bytea(&row, 0).data);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
    result = result_of(EDDA_PG_REAL, 1, bytes, 8);
    row = edda_pg_row(result, 0);
    (void)edda_pg_double(&row, 0);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
}

static void a_vector_has_as_many_halves_as_it_says(void **state) {
    static const uint8_t bytes[] = {0, 2, 0, 0, 0x3c, 0x00, 0xc0, 0x00}; /* 1, -2 */
    float floats[2];
    (void)state;
    PGresult *result = result_of(16500, 1, bytes, 8);
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct edda_pg_halves halves = edda_pg_halfvec(&row, 0);
    assert_int_equal(row.error, 0);
    assert_int_equal(halves.dimension, 2);
    edda_pg_halves_to_floats(halves, floats);
    assert_true(floats[0] == 1 && floats[1] == -2);
    PQclear(result);
    for (int size = 0; size < 8; size++) {
        result = result_of(16500, 1, bytes, size);
        row = edda_pg_row(result, 0);
        assert_int_equal(edda_pg_halfvec(&row, 0).dimension, 0);
        assert_int_equal(row.error, EDDA_E_IO);
        PQclear(result);
    }
}

static size_t count_elements(struct edda_pg_row *row, uint32_t element) {
    struct edda_pg_elements elements = edda_pg_array(row, 0, element);
    struct edda_bytes bytes;
    size_t count = 0;
    while (edda_pg_array_next(row, &elements, &bytes)) {
        count++;
    }
    return count;
}

static void an_array_has_as_many_elements_as_it_says(void **state) {
    static const uint8_t bytes[] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0,   0,    25,   0,    0,   0,
                                    2, 0, 0, 0, 1, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff};
    (void)state;
    PGresult *result = result_of(EDDA_PG_TEXT_ARRAY, 1, bytes, sizeof bytes);
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct edda_pg_elements elements = edda_pg_array(&row, 0, EDDA_PG_TEXT);
    struct edda_bytes element;
    assert_true(edda_pg_array_next(&row, &elements, &element));
    assert_int_equal(element.size, 1);
    assert_true(edda_pg_array_next(&row, &elements, &element));
    assert_null(element.data);
    assert_false(edda_pg_array_next(&row, &elements, &element));
    assert_int_equal(row.error, 0);
    assert_int_equal(count_elements(&row, EDDA_PG_BIGINT), 0);
    assert_int_equal(row.error, EDDA_E_IO);
    PQclear(result);
    for (int size = 0; size < (int)sizeof bytes; size++) {
        result = result_of(EDDA_PG_TEXT_ARRAY, 1, bytes, size);
        row = edda_pg_row(result, 0);
        assert_true(count_elements(&row, EDDA_PG_TEXT) < 2);
        assert_int_equal(row.error, EDDA_E_IO);
        PQclear(result);
    }
}

static void random_bytes_of_any_type_are_read_without_harm(void **state) {
    static const uint32_t types[] = {EDDA_PG_BOOLEAN,    EDDA_PG_BYTEA, EDDA_PG_BIGINT,
                                     EDDA_PG_INTEGER,    EDDA_PG_TEXT,  EDDA_PG_DOUBLE,
                                     EDDA_PG_REAL,       EDDA_PG_UUID,  EDDA_PG_TEXT_ARRAY,
                                     EDDA_PG_UUID_ARRAY, 16500};
    unsigned seed = 11;
    (void)state;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        int size = rand_r(&seed) % 48;
        uint8_t *bytes = malloc((size_t)size + 1); /* its end is guarded by the sanitizer */
        for (int i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed) % 4 : rand_r(&seed));
        }
        if (size > 12 && rand_r(&seed) % 2) {
            bytes[11] = EDDA_PG_TEXT;
            bytes[8] = bytes[9] = bytes[10] = bytes[0] = bytes[1] = bytes[2] = 0;
        }
        uint32_t type = types[(size_t)rand_r(&seed) % (sizeof types / sizeof types[0])];
        PGresult *result = result_of(type, rand_r(&seed) % 8 != 0, bytes, size);
        struct edda_pg_row row = edda_pg_row(result, 0);
        float floats[64];
        free(bytes);
        (void)edda_pg_bigint(&row, 0);
        (void)edda_pg_boolean(&row, 0);
        (void)edda_pg_double(&row, 0);
        (void)edda_pg_text(&row, 0);
        (void)edda_pg_bytea(&row, 0);
        (void)edda_pg_uuid(&row, 0);
        (void)edda_pg_changed(result);
        struct edda_pg_halves halves = edda_pg_halfvec(&row, 0);
        assert_true(halves.dimension < 64);
        edda_pg_halves_to_floats(halves, floats);
        (void)count_elements(&row, EDDA_PG_TEXT);
        (void)count_elements(&row, EDDA_PG_UUID);
        PQclear(result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_have_the_width_of_their_type),
        cmocka_unit_test(null_is_an_error_only_where_it_cannot_be_said),
        cmocka_unit_test(columns_and_rows_that_are_not_there_are_an_error),
        cmocka_unit_test(a_column_in_text_form_is_an_error),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(other_types_are_checked_too),
        cmocka_unit_test(a_vector_has_as_many_halves_as_it_says),
        cmocka_unit_test(an_array_has_as_many_elements_as_it_says),
        cmocka_unit_test(random_bytes_of_any_type_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
