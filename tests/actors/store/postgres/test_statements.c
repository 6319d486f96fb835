/* tests/actors/store/postgres/test_statements.c: single statements: values, rows, order, errors. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/actors/store/postgres/database.h"

static void a_statement_is_answered_once_with_its_row(void **state) {
    struct database *d = *state;
    struct asked one = {0};
    ask(d, &one, SQL_ADD, VALUES(BIGINT(40), BIGINT(2)));
    expect(d, &one, 0);
    assert_int_equal(one.rows, 1);
    assert_int_equal(one.number, 42);
    assert_int_equal(edda_pg_open(d->pg), 0);
}

static void answers_of_one_connection_come_in_the_order_of_the_questions(void **state) {
    (void)state;
    enum { MANY = 200 };
    struct asked *many = calloc(MANY, sizeof *many);
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    for (int i = 0; i < MANY; i++) {
        ask(d, &many[i], SQL_ADD, VALUES(BIGINT(i), BIGINT(1)));
    }
    for (int i = 0; i < MANY; i++) {
        expect(d, &many[i], 0);
        assert_int_equal(many[i].number, i + 1);
        assert_true(i == 0 || many[i].order == many[i - 1].order + 1);
    }
    database_close(&d);
    free(many);
}

static void an_error_touches_no_neighbour_in_the_pipeline(void **state) {
    (void)state;
    struct asked before = {0};
    struct asked bad = {0};
    struct asked worse = {0};
    struct asked after = {0};
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    ask(d, &before, SQL_INSERT, VALUES(BIGINT(1), TEXT(EDDA_TEXT("one"))));
    ask(d, &bad, SQL_DIVIDE, VALUES(BIGINT(0)));
    ask(d, &worse, SQL_NO_TABLE, NO_VALUES);
    ask(d, &after, SQL_INSERT, VALUES(BIGINT(2), TEXT(EDDA_TEXT("two"))));
    expect(d, &before, 0);
    expect(d, &bad, EDDA_E_INVALID);
    assert_string_equal(bad.sqlstate, "22012");
    expect(d, &worse, EDDA_E_INTERNAL);
    assert_string_equal(worse.sqlstate, "42P01");
    expect(d, &after, 0);
    assert_string_equal(beside("SELECT count(*) FROM note"), "2");
    database_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, database_setup, database_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_statement_is_answered_once_with_its_row),
        TEST(answers_of_one_connection_come_in_the_order_of_the_questions),
        TEST(an_error_touches_no_neighbour_in_the_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
