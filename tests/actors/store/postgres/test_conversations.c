/* tests/actors/store/postgres/test_conversations.c: transactions that are decided while they run.
 */
#include <stdlib.h>

#include "tests/actors/store/postgres/talk.h"

static void say_insert(struct talk *self, int64_t id) {
    edda_pg_say(&self->conversation, SQL_INSERT, VALUES(BIGINT(id), TEXT(EDDA_TEXT("note"))), NULL);
}

static void say_count(struct talk *self) {
    edda_pg_say(&self->conversation, SQL_COUNT, NO_VALUES, talk_rows);
}

static int64_t count_notes(void) {
    return strtoll(beside("SELECT count(*) FROM note"), NULL, 10);
}

/* ---- in one breath ---- */

static void insert_and_commit(struct talk *self) {
    say_insert(self, 1);
    say_insert(self, 2);
    say_count(self);
    edda_pg_commit(&self->conversation);
}

static void what_is_said_and_committed_at_once_is_there_afterwards(void **state) {
    struct talk one = {0};
    talk(*state, &one, insert_and_commit);
    talk_expect(&one, 0);
    assert_int_equal(one.calls, 1);
    assert_int_equal(one.number, 2);
    assert_int_equal(count_notes(), 2);
}

static void insert_many_and_commit(struct talk *self) {
    size_t many = *(size_t *)self->of_test;
    for (size_t i = 1; i <= many; i++) {
        say_insert(self, (int64_t)i);
    }
    edda_pg_commit(&self->conversation);
}

static void as_many_statements_are_on_their_way_as_may_be(void **state) {
    size_t many = EDDA_PG_MOST_SAID + 1;
    struct talk over = {.of_test = &many};
    talk(*state, &over, insert_many_and_commit);
    talk_expect(&over, EDDA_E_LIMIT);
    assert_int_equal(count_notes(), 0);
    many--;
    struct talk all = {.of_test = &many};
    talk(*state, &all, insert_many_and_commit);
    talk_expect(&all, 0);
    assert_int_equal(count_notes(), EDDA_PG_MOST_SAID);
}

/* ---- values ---- */

static void insert_large(struct talk *self) {
    edda_pg_say(&self->conversation, SQL_INSERT,
                VALUES(BIGINT(1), TEXT(*(struct edda_text *)self->of_test)), NULL);
    edda_pg_commit(&self->conversation);
}

static void a_value_of_the_maximum_is_sent_and_one_byte_more_is_not(void **state) {
    size_t size = (size_t)EDDA_PG_VALUE_BYTES + 1;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    struct edda_text text = {bytes, size};
    struct talk over = {.of_test = &text};
    talk(*state, &over, insert_large);
    talk_expect(&over, EDDA_E_LIMIT);
    assert_int_equal(count_notes(), 0);
    text.size--;
    struct talk whole = {.of_test = &text};
    talk(*state, &whole, insert_large);
    talk_expect(&whole, 0);
    assert_int_equal(count_notes(), 1);
    free(bytes);
}

/* ---- in steps ---- */

static void decide(struct talk *self) {
    if (self->number < 3) {
        say_insert(self, self->number + 1);
        say_count(self);
    } else {
        edda_pg_commit(&self->conversation);
    }
}

static void each_step_is_decided_from_the_one_before(void **state) {
    struct talk one = {.on_rows = decide};
    talk(*state, &one, say_count);
    talk_expect(&one, 0);
    assert_int_equal(one.calls, 4);
    assert_int_equal(count_notes(), 3);
}

static void roll_back(struct talk *self) {
    edda_pg_rollback(&self->conversation, EDDA_E_STALE, "of the test");
    say_count(self); /* too late: nothing */
    edda_pg_commit(&self->conversation);
}

static void insert_and_count(struct talk *self) {
    say_insert(self, 1);
    say_count(self);
}

static void what_is_rolled_back_is_not_there_and_its_owner_hears_its_own_error(void **state) {
    struct talk one = {.on_rows = roll_back};
    talk(*state, &one, insert_and_count);
    talk_expect(&one, EDDA_E_STALE);
    assert_string_equal(one.text, "of the test");
    assert_int_equal(one.calls, 1);
    assert_int_equal(count_notes(), 0);
}

/* ---- errors ---- */

static void insert_twice_and_commit(struct talk *self) {
    say_insert(self, 1);
    say_insert(self, 1);
    say_count(self);
    edda_pg_commit(&self->conversation);
}

static void the_first_error_ends_it_and_nothing_stays(void **state) {
    struct talk one = {0};
    talk(*state, &one, insert_twice_and_commit);
    talk_expect(&one, EDDA_E_CONFLICT);
    assert_string_equal(one.sqlstate, "23505");
    assert_false(one.unknown);
    assert_int_equal(one.calls, 0);
    assert_int_equal(count_notes(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, database_setup, database_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_and_committed_at_once_is_there_afterwards),
        TEST(as_many_statements_are_on_their_way_as_may_be),
        TEST(a_value_of_the_maximum_is_sent_and_one_byte_more_is_not),
        TEST(each_step_is_decided_from_the_one_before),
        TEST(what_is_rolled_back_is_not_there_and_its_owner_hears_its_own_error),
        TEST(the_first_error_ends_it_and_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
