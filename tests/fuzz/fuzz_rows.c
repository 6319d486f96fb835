/* tests/fuzz/fuzz_rows.c: rows that a PostgreSQL server sends, and arrays that it is sent.
 *
 * The input is columns: a type, whether binary, a size in two bytes (NULL when all ones), the
 * bytes. Every column is read as everything: what is given lies within the column, and an error is
 * said and stays. The bytes of the first one are also built into arrays, which are read back the
 * same. */
#include <libpq-fe.h>
#include <stdlib.h>

#include "actors/store/postgres/row.h"
#include "actors/store/postgres/value.h"
#include "tests/fuzz/fuzz.h"

#define MOST_COLUMNS 4

static const uint32_t types[] = {
    EDDA_PG_BIGINT,       EDDA_PG_INTEGER,       EDDA_PG_SMALLINT,      EDDA_PG_OID,
    EDDA_PG_BOOLEAN,      EDDA_PG_DOUBLE,        EDDA_PG_REAL,          EDDA_PG_TEXT,
    EDDA_PG_VARCHAR,      EDDA_PG_BYTEA,         EDDA_PG_UUID,          EDDA_PG_TEXT_ARRAY,
    EDDA_PG_BIGINT_ARRAY, EDDA_PG_INTEGER_ARRAY, EDDA_PG_BOOLEAN_ARRAY, EDDA_PG_UUID_ARRAY,
};
#define TYPES (sizeof types / sizeof *types)

struct column {
    uint32_t type;
    bool binary;
    struct edda_bytes bytes; /* absent: NULL */
};

/* One row. libpq copies all of it. */
static PGresult *make_result(const struct column *columns, int count) {
    PGresAttDesc names[MOST_COLUMNS] = {0};
    char name[] = "c";
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    EDDA_ASSERT(result);
    for (int i = 0; i < count; i++) {
        names[i].name = name;
        names[i].typid = columns[i].type;
        names[i].format = columns[i].binary;
    }
    EDDA_ASSERT(count == 0 || PQsetResultAttrs(result, count, names));
    for (int i = 0; i < count; i++) {
        struct edda_bytes bytes = columns[i].bytes;
        int size = bytes.data ? (int)bytes.size : -1;
        EDDA_ASSERT(PQsetvalue(result, 0, i, (char *)(uintptr_t)bytes.data, size));
    }
    return result;
}

static void expect_within(const void *data, size_t size, struct edda_bytes column) {
    const uint8_t *at = data;
    EDDA_ASSERT(!at || (at >= column.data && at + size <= column.data + column.size));
}

static void read_array(struct edda_pg_row row, int column, uint32_t element,
                       struct edda_bytes bytes) {
    struct edda_bytes item;
    struct edda_pg_elements elements = edda_pg_array(&row, column, element);
    size_t count = 0;
    while (edda_pg_array_next(&row, &elements, &item)) {
        expect_within(item.data, item.size, bytes);
        count++;
    }
    EDDA_ASSERT(count <= bytes.size / 4 && elements.left == 0);
    EDDA_ASSERT(!edda_pg_array_next(&row, &elements, &item));
}

static void read_column(struct edda_pg_row fresh, int column, struct edda_bytes bytes) {
    static const uint32_t elements[] = {EDDA_PG_TEXT, EDDA_PG_BIGINT, EDDA_PG_INTEGER,
                                        EDDA_PG_BOOLEAN, EDDA_PG_UUID};
    struct edda_pg_row row = fresh;
    struct edda_text text = edda_pg_text(&row, column);
    EDDA_ASSERT(!text.data || (text.data[text.size] == '\0' && !row.error));
    expect_within(text.data, text.size, bytes);
    row = fresh;
    struct edda_bytes bytea = edda_pg_bytea(&row, column);
    expect_within(bytea.data, bytea.size, bytes);
    row = fresh;
    struct edda_pg_halves halves = edda_pg_halfvec(&row, column);
    expect_within(halves.data, halves.dimension * 2, bytes);
    float *floats = malloc((halves.dimension + 1) * sizeof *floats);
    EDDA_ASSERT(floats);
    edda_pg_halves_to_floats(halves, floats);
    free(floats);
    row = fresh;
    EDDA_ASSERT(edda_pg_bigint(&row, column) == 0 || !row.error);
    struct edda_pg_row with = fresh;
    EDDA_ASSERT(edda_pg_bigint_or(&with, column, 7) == 7 || !with.error);
    (void)edda_pg_boolean(&row, column);
    (void)edda_pg_double(&row, column);
    EDDA_ASSERT(row.error == EDDA_E_IO); /* no type is two of them */
    (void)edda_pg_uuid(&row, column);
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        read_array(fresh, column, elements[i], bytes);
    }
    EDDA_ASSERT(row.error == EDDA_E_IO);
}

static void read_all(const PGresult *result, int count) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    EDDA_ASSERT(edda_pg_rows(result) == (count > 0));
    for (int i = -1; i <= count; i++) {
        struct edda_bytes bytes = {NULL, 0};
        if (i >= 0 && i < count && !PQgetisnull(result, 0, i)) {
            bytes.data = (const uint8_t *)PQgetvalue(result, 0, i);
            bytes.size = (size_t)PQgetlength(result, 0, i);
        }
        read_column(row, i, bytes);
        read_column(edda_pg_row(result, 1), i, (struct edda_bytes){NULL, 0});
    }
}

/* Cut into texts where its bytes say, some of them absent. */
static void build_and_read(struct edda_bytes bytes) {
    struct edda_buffer buffer;
    struct edda_pg_built texts;
    struct edda_pg_built numbers;
    struct edda_pg_elements elements[2];
    struct edda_bytes item;
    edda_buffer_init(&buffer, (size_t)1 << 20);
    edda_pg_build_array(&texts, &buffer, EDDA_PG_TEXT);
    for (size_t at = 0; at < bytes.size; at += 1 + bytes.data[at] % 8) {
        size_t left = bytes.size - at;
        size_t size = bytes.data[at] % 8 < left ? bytes.data[at] % 8 : left;
        edda_pg_array_text(
            &texts, (struct edda_text){size == 7 ? NULL : (const char *)bytes.data + at, size});
    }
    edda_pg_build_array(&numbers, &buffer, EDDA_PG_BIGINT);
    for (size_t at = 0; at < bytes.size; at++) {
        edda_pg_array_bigint(&numbers, (int64_t)bytes.data[at] - 128);
    }
    struct edda_pg_value values[2] = {BUILT(&texts), BUILT(&numbers)};
    struct column columns[2];
    for (size_t i = 0; i < 2; i++) {
        columns[i] = (struct column){values[i].type, true, {values[i].data, values[i].size}};
    }
    PGresult *result = make_result(columns, 2);
    struct edda_pg_row row = edda_pg_row(result, 0);
    elements[0] = edda_pg_array(&row, 0, EDDA_PG_TEXT);
    for (size_t at = 0; at < bytes.size; at += 1 + bytes.data[at] % 8) {
        size_t left = bytes.size - at;
        size_t size = bytes.data[at] % 8 < left ? bytes.data[at] % 8 : left;
        EDDA_ASSERT(edda_pg_array_next(&row, &elements[0], &item) && !item.data == (size == 7));
        EDDA_ASSERT(size == 7 || size == 0 ||
                    (item.size == size && memcmp(item.data, bytes.data + at, size) == 0));
    }
    elements[1] = edda_pg_array(&row, 1, EDDA_PG_BIGINT);
    for (size_t at = 0; at < bytes.size; at++) {
        uint64_t number = htobe64((uint64_t)((int64_t)bytes.data[at] - 128));
        EDDA_ASSERT(edda_pg_array_next(&row, &elements[1], &item) && item.size == sizeof number &&
                    memcmp(item.data, &number, sizeof number) == 0);
    }
    for (size_t i = 0; i < 2; i++) {
        EDDA_ASSERT(!edda_pg_array_next(&row, &elements[i], &item) && !row.error);
    }
    edda_pg_result_free(result);
    edda_buffer_done(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    struct column columns[MOST_COLUMNS];
    int count = 0;
    while (!fuzz_is_over(&input) && count < MOST_COLUMNS) {
        struct column *column = &columns[count++];
        column->type = types[fuzz_take(&input, 1) % TYPES];
        column->binary = fuzz_take(&input, 1) != 0;
        size_t wanted = (size_t)fuzz_take(&input, 2);
        size_t left = (size_t)(input.end - input.at);
        column->bytes = (struct edda_bytes){input.at, wanted < left ? wanted : left};
        input.at += column->bytes.size;
        if (wanted == UINT16_MAX) {
            column->bytes.data = NULL;
        }
    }
    PGresult *result = make_result(columns, count);
    read_all(result, count);
    edda_pg_result_free(result);
    if (count > 0 && columns[0].bytes.data) {
        build_and_read(columns[0].bytes);
    }
    return 0;
}
