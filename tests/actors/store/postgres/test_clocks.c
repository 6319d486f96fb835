/* tests/actors/store/postgres/test_clocks.c: what takes too long: in line, at the server, on the
 * way, in the middle of a conversation; and what is cancelled. */
#include <stdlib.h>
#include <time.h>

#include "actors/runtime/metric.h"
#include "actors/store/postgres/slots.h"
#include "tests/actors/store/postgres/talk.h"

#define SLEEPERS                                                                                   \
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE"                  \
    " 'SELECT 1::bigint FROM pg_sleep%'"

static void let_go(struct talk *hold) {
    edda_pg_rollback(&hold->conversation, EDDA_E_CANCELLED, NULL);
    talk_expect(hold, EDDA_E_CANCELLED);
}

/* ---- in line ---- */

static void who_waits_past_his_deadline_is_told_so_and_nothing_was_sent(void **state) {
    struct asked late = {0};
    struct asked holds = {0};
    struct talk later = {0};
    struct database *d =
        database_open(&(struct database){.connections = 1, .statement_ms = 10000}, NULL);
    (void)state;
    ask(d, &holds, SQL_SLEEP, VALUES(DOUBLE(1)));
    wait_for_connections(d, 1);
    struct talk hold = {0};
    talk(d, &hold, NULL); /* reserves the connection: what comes now waits */
    late.query.deadline_ms = later.conversation.deadline_ms = edda_loop_now(d->loop) + 200;
    ask(d, &late, SQL_INSERT, VALUES(BIGINT(1), TEXT(EDDA_TEXT("late"))));
    talk(d, &later, NULL);
    expect(d, &late, EDDA_E_EXPIRED);
    talk_expect(&later, EDDA_E_EXPIRED);
    assert_int_equal(later.begins, 0);
    assert_false(late.unknown);
    assert_int_equal(holds.answers, 0);
    expect(d, &holds, 0);
    wait_for(d, &hold.begins, 1);
    let_go(&hold);
    assert_string_equal(beside("SELECT count(*) FROM note"), "0");
    database_close(&d);
}

static void who_finds_all_connections_busy_for_too_long_is_told_so(void **state) {
    struct talk hold = {0};
    struct talk other = {0};
    struct asked statement = {0};
    struct database *d = database_open(&(struct database){.connections = 1, .wait_ms = 200}, NULL);
    (void)state;
    talk(d, &hold, NULL);
    wait_for(d, &hold.begins, 1);
    talk(d, &other, NULL);
    ask(d, &statement, SQL_COUNT, NO_VALUES);
    talk_expect(&other, EDDA_E_BUSY);
    expect(d, &statement, EDDA_E_BUSY);
    assert_int_equal(hold.answers, 0);
    let_go(&hold);
    database_close(&d);
}

static int64_t value_of(enum edda_metric metric, const char *label) {
    return edda_cell_value(edda_metric_cell(metric, label));
}

/* A gauge that is set now and then. */
static bool shows_as_many(void *running) {
    return value_of(EDDA_METRIC_DATABASE_RUNNING, NULL) == *(const int64_t *)running;
}

static void wait_for_running(struct database *d, int64_t running) {
    assert_true(database_until(d, shows_as_many, &running));
}

static double seconds_waited(void) {
    static const char name[] = "\nedda_database_wait_seconds_sum ";
    struct edda_buffer out;
    edda_buffer_init(&out, EDDA_MAX_FRAME_BYTES);
    edda_metric_write(&out);
    assert_int_equal(edda_buffer_append(&out, "", 1), 0);
    const char *at = strstr((const char *)out.data, name);
    assert_non_null(at);
    double sum = strtod(at + sizeof name - 1, NULL);
    edda_buffer_done(&out);
    return sum;
}

static void metrics_say_how_long_was_waited_what_is_on_its_way_and_what_stands(void **state) {
    struct talk hold = {0};
    struct talk other = {0};
    struct asked pid = {0};
    char end[80];
    (void)state;
    int64_t attempts = value_of(EDDA_METRIC_DATABASE_ATTEMPTS, "connected");
    int64_t lost = value_of(EDDA_METRIC_DATABASE_LOST, "57P01");
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    ask(d, &pid, SQL_PID, NO_VALUES);
    expect(d, &pid, 0);
    assert_int_equal(value_of(EDDA_METRIC_DATABASE_ATTEMPTS, "connected"), attempts + 1);
    assert_int_equal(value_of(EDDA_METRIC_DATABASE_CONNECTIONS, NULL), 1);
    wait_for_running(d, 0);
    talk(d, &hold, NULL);
    wait_for(d, &hold.begins, 1);
    wait_for_running(d, 1);
    int64_t waits = value_of(EDDA_METRIC_DATABASE_WAIT, NULL);
    double seconds = seconds_waited();
    talk(d, &other, NULL);
    (void)beside("SELECT pg_sleep(0.3)::text");
    let_go(&hold);
    wait_for(d, &other.begins, 1);
    assert_int_equal(value_of(EDDA_METRIC_DATABASE_WAIT, NULL), waits + 1);
    assert_true(seconds_waited() >= seconds + 0.2);
    snprintf(end, sizeof end, "SELECT pg_terminate_backend(%lld)::text", (long long)pid.number);
    (void)beside(end);
    wait_for(d, &other.answers, 1);
    assert_int_equal(value_of(EDDA_METRIC_DATABASE_LOST, "57P01"), lost + 1);
    wait_for_running(d, 0);
    database_close(&d);
    assert_int_equal(value_of(EDDA_METRIC_DATABASE_CONNECTIONS, NULL), 0);
}

/* ---- at the server ---- */

static void the_server_keeps_the_time_of_a_statement_and_the_connection_lives(void **state) {
    struct asked pid = {0};
    struct asked sleeper = {0};
    struct asked again = {0};
    struct database *d =
        database_open(&(struct database){.connections = 1, .statement_ms = 300}, NULL);
    (void)state;
    ask(d, &pid, SQL_PID, NO_VALUES);
    ask(d, &sleeper, SQL_SLEEP, VALUES(DOUBLE(60)));
    ask(d, &again, SQL_PID, NO_VALUES);
    expect(d, &pid, 0);
    expect(d, &sleeper, EDDA_E_TIMEOUT);
    assert_string_equal(sleeper.sqlstate, "57014");
    assert_false(sleeper.unknown);
    expect(d, &again, 0);
    assert_int_equal(again.number, pid.number);
    database_close(&d);
}

static void say_own_time(struct talk *self) {
    edda_pg_say(&self->conversation, SQL_TIMEOUT, NO_VALUES, talk_rows);
    edda_pg_commit(&self->conversation);
}

/* Seen to fail when a batch may be silent for no longer than one statement, and for a second more
 * of each behind the first. */
static void small_reads_that_go_together_may_take_their_time_one_after_the_other(void **state) {
    struct asked reads[3] = {0};
    struct database *d = database_open(
        &(struct database){.connections = 1, .statement_ms = 2700, .session_ms = -1}, NULL);
    (void)state;
    prepare_reads(d);
    for (size_t i = 0; i < 3; i++) {
        ask(d, &reads[i], SQL_READ_SLEEP, VALUES(DOUBLE(1.9)));
    }
    for (size_t i = 0; i < 3; i++) {
        expect(d, &reads[i], 0);
    }
    database_close(&d);
}

static void a_conversation_may_have_a_time_of_its_own(void **state) {
    struct talk own = {.conversation = {.statement_ms = 1234}};
    struct talk others = {0};
    (void)state;
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    talk(d, &own, say_own_time);
    talk(d, &others, say_own_time);
    talk_expect(&own, 0);
    assert_string_equal(own.words, "1234ms");
    talk_expect(&others, 0);
    assert_string_equal(others.words, "2s");
    database_close(&d);
}

static void behind_a_pooler_the_session_has_no_settings_and_no_statements(void **state) {
    struct talk one = {0};
    struct asked statement = {0};
    struct database *d = database_open(
        &(struct database){.connections = 1, .statement_ms = 1500, .no_prepare = true}, NULL);
    (void)state;
    talk(d, &one, say_own_time);
    talk_expect(&one, 0);
    assert_string_equal(one.words, "1500ms");
    ask(d, &statement, SQL_TIMEOUT, NO_VALUES);
    expect(d, &statement, 0);
    assert_string_equal(statement.words, "0");
    ask(d, &statement, SQL_PREPARED, NO_VALUES);
    expect(d, &statement, 0);
    assert_int_equal(statement.number, 0);
    database_close(&d);
}

/* ---- a server that does not answer ---- */

/* The server itself would let it run: only we notice. */
static void a_server_that_says_nothing_is_given_up_and_its_statement_cancelled(void **state) {
    struct asked sleeper = {0};
    struct asked behind = {0};
    struct asked later = {0};
    struct relay *relay = relay_start(server_port());
    struct database *d = database_through(
        relay, &(struct database){.connections = 1, .statement_ms = 400, .session_ms = -1});
    (void)state;
    wait_for_connections(d, 1);
    ask(d, &sleeper, SQL_SLEEP, VALUES(DOUBLE(600)));
    ask(d, &behind, SQL_INSERT, VALUES(BIGINT(1), TEXT(EDDA_TEXT("behind"))));
    wait_for_server(d, SLEEPERS, "1");
    expect(d, &sleeper, EDDA_E_TIMEOUT);
    assert_true(sleeper.unknown);
    expect(d, &behind, EDDA_E_IO);
    assert_true(behind.unknown);
    wait_for_server(d, SLEEPERS, "0");
    ask(d, &later, SQL_ADD, VALUES(BIGINT(1), BIGINT(2)));
    expect(d, &later, 0);
    database_close(&d);
    relay_stop(&relay);
}

static void answers_that_are_swallowed_on_the_way_are_a_timeout_too(void **state) {
    struct asked lost = {0};
    struct asked later = {0};
    struct relay *relay = relay_start(server_port());
    struct database *d =
        database_through(relay, &(struct database){.connections = 1, .statement_ms = 200});
    (void)state;
    wait_for_connections(d, 1);
    relay_when(relay, RELAY_TO_CLIENT, "INSERT", RELAY_SWALLOW);
    ask(d, &lost, SQL_INSERT, VALUES(BIGINT(5), TEXT(EDDA_TEXT("swallowed"))));
    expect(d, &lost, EDDA_E_TIMEOUT);
    assert_true(lost.unknown);
    assert_int_equal(relay_happened(relay), 1);
    assert_string_equal(beside("SELECT count(*) FROM note WHERE id = 5"), "1");
    ask(d, &later, SQL_COUNT, NO_VALUES);
    expect(d, &later, 0);
    database_close(&d);
    relay_stop(&relay);
}

/* ---- conversations that say nothing ---- */

static void a_silent_conversation_is_rolled_back(void **state) {
    struct talk silent = {0};
    struct talk next = {0};
    struct database *d =
        database_open(&(struct database){.connections = 1, .silence_ms = 300}, NULL);
    (void)state;
    talk(d, &silent, NULL);
    talk_expect(&silent, EDDA_E_TIMEOUT);
    assert_int_equal(silent.begins, 1);
    talk(d, &next, say_own_time);
    talk_expect(&next, 0);
    database_close(&d);
}

/* ---- cancel ---- */

static void a_statement_that_is_cancelled_is_never_answered(void **state) {
    struct database *d = database_open(&(struct database){.connections = 1}, NULL);
    struct asked sleeper = {0};
    struct asked running = {0};
    struct asked waiting = {0};
    struct asked last = {0};
    struct talk hold = {0};
    (void)state;
    wait_for_connections(d, 1);
    ask(d, &sleeper, SQL_SLEEP, VALUES(DOUBLE(0.2)));
    ask(d, &running, SQL_ADD, VALUES(BIGINT(1), BIGINT(1)));
    talk(d, &hold, NULL); /* what comes now waits */
    ask(d, &waiting, SQL_ADD, VALUES(BIGINT(1), BIGINT(1)));
    edda_pg_query_cancel(&running.query);
    edda_pg_query_cancel(&waiting.query);
    edda_pg_query_cancel(&waiting.query); /* nothing is left to be cancelled */
    assert_int_equal(edda_pg_open(d->pg), 2);
    expect(d, &sleeper, 0);
    wait_for(d, &hold.begins, 1);
    let_go(&hold);
    ask(d, &last, SQL_ADD, VALUES(BIGINT(2), BIGINT(2)));
    expect(d, &last, 0);
    assert_int_equal(last.number, 4);
    assert_int_equal(running.answers + waiting.answers, 0);
    ask(d, &running, SQL_ADD, VALUES(BIGINT(3), BIGINT(3))); /* the struct is the caller's again */
    expect(d, &running, 0);
    assert_int_equal(running.number, 6);
    database_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, database_setup, database_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_waits_past_his_deadline_is_told_so_and_nothing_was_sent),
        TEST(who_finds_all_connections_busy_for_too_long_is_told_so),
        cmocka_unit_test(metrics_say_how_long_was_waited_what_is_on_its_way_and_what_stands),
        TEST(the_server_keeps_the_time_of_a_statement_and_the_connection_lives),
        TEST(small_reads_that_go_together_may_take_their_time_one_after_the_other),
        TEST(a_conversation_may_have_a_time_of_its_own),
        TEST(behind_a_pooler_the_session_has_no_settings_and_no_statements),
        TEST(a_server_that_says_nothing_is_given_up_and_its_statement_cancelled),
        TEST(answers_that_are_swallowed_on_the_way_are_a_timeout_too),
        TEST(a_silent_conversation_is_rolled_back),
        TEST(a_statement_that_is_cancelled_is_never_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
