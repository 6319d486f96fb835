/* tests/actors/store/postgres/test_statements.c: single statements: values, rows, order, errors. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/postgres/slots.h"
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
    expect(d, &worse, EDDA_E_IO);
    assert_string_equal(worse.sqlstate, "42P01");
    expect(d, &after, 0);
    assert_string_equal(beside("SELECT count(*) FROM note"), "2");
    database_close(&d);
}

static void small_reads_that_come_together_share_a_transaction_up_to_a_batch(void **state) {
    (void)state;
    struct asked reads[EDDA_SLOTS_BATCH + 1] = {0};
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    prepare_reads(d);
    for (size_t i = 0; i < EDDA_SLOTS_BATCH + 1; i++) {
        ask(d, &reads[i], SQL_READ_SINCE, NO_VALUES);
    }
    for (size_t i = 0; i < EDDA_SLOTS_BATCH + 1; i++) {
        expect(d, &reads[i], 0);
        assert_true(i == 0 || reads[i].order == reads[i - 1].order + 1);
    }
    for (size_t i = 1; i < EDDA_SLOTS_BATCH; i++) {
        assert_int_equal(reads[i].number, reads[0].number);
    }
    assert_int_not_equal(reads[EDDA_SLOTS_BATCH].number, reads[0].number);
    database_close(&d);
}

static void a_small_read_that_fails_alone_is_told_and_those_behind_it_are_read(void **state) {
    (void)state;
    struct asked reads[5] = {0};
    struct asked write = {0};
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    prepare_reads(d);
    ask(d, &reads[0], SQL_READ_DIVIDE, VALUES(BIGINT(1)));
    ask(d, &reads[1], SQL_READ_DIVIDE, VALUES(BIGINT(0)));
    ask(d, &reads[2], SQL_READ_SINCE, NO_VALUES);
    ask(d, &write, SQL_INSERT, VALUES(BIGINT(1), TEXT(EDDA_TEXT("one"))));
    ask(d, &reads[3], SQL_READ_DIVIDE, VALUES(BIGINT(0)));
    ask(d, &reads[4], SQL_READ_DIVIDE, VALUES(BIGINT(1)));
    expect(d, &write, 0);
    expect(d, &reads[0], 0);
    expect(d, &reads[1], EDDA_E_INVALID);
    assert_string_equal(reads[1].sqlstate, "22012");
    expect(d, &reads[2], 0);
    expect(d, &reads[3], EDDA_E_INVALID);
    expect(d, &reads[4], 0);
    assert_int_equal(edda_pg_open(d->pg), 0);
    assert_string_equal(beside("SELECT count(*) FROM note"), "1");
    database_close(&d);
}

static struct asked *to_cancel;

static void cancel_another(void *context, struct edda_pg_answer *answer) {
    struct asked *asked = context;
    asked->answers++;
    asked->error = answer->error;
    edda_pg_query_cancel(&to_cancel->query);
}

static void who_is_told_may_cancel_a_small_read_that_went_with_his(void **state) {
    (void)state;
    struct asked reads[3] = {0};
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    prepare_reads(d);
    to_cancel = &reads[1];
    for (size_t i = 0; i < 3; i++) {
        ask(d, &reads[i], SQL_READ_SINCE, NO_VALUES);
    }
    reads[0].query.done = cancel_another;
    expect(d, &reads[0], 0);
    expect(d, &reads[2], 0);
    assert_int_equal(reads[1].answers, 0);
    assert_int_equal(edda_pg_open(d->pg), 0);
    database_close(&d);
}

static void
a_small_read_that_cannot_be_prepared_is_told_so_and_its_neighbours_are_read(void **state) {
    (void)state;
    static const struct edda_pg_statement statements[] = {
        {"FINE", "SELECT 1::bigint", true},
        {"NO_TABLE", "SELECT count(*) FROM there_is_none", true},
    };
    struct asked reads[3] = {0};
    struct database *d = database_open(
        &(struct database){.connections = 1, .statements = statements, .statement_count = 2}, NULL);
    wait_for_connections(d, 1);
    for (unsigned i = 0; i < 3; i++) {
        ask(d, &reads[i], i % 2, NO_VALUES);
    }
    for (unsigned i = 0; i < 3; i++) {
        expect(d, &reads[i], i % 2 == 0 ? 0 : EDDA_E_IO);
    }
    database_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, database_setup, database_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_statement_is_answered_once_with_its_row),
        TEST(answers_of_one_connection_come_in_the_order_of_the_questions),
        TEST(an_error_touches_no_neighbour_in_the_pipeline),
        TEST(small_reads_that_come_together_share_a_transaction_up_to_a_batch),
        TEST(a_small_read_that_fails_alone_is_told_and_those_behind_it_are_read),
        TEST(who_is_told_may_cancel_a_small_read_that_went_with_his),
        TEST(a_small_read_that_cannot_be_prepared_is_told_so_and_its_neighbours_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
