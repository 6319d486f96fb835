/* tests/actors/store/test_plans_postgres.c: what the planner makes of statements before a table has
 * statistics: a database that was filled a minute ago. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/statement.h"
#include "tests/actors/store/fixture.h"

#define STATEMENT_BYTES 16384

/* A project of a thousand memos that nobody counted yet, in a session as the store's are; until it
 * is rolled back. */
static void begin_without_statistics(struct fixture *f) {
    sql_run(f, "BEGIN");
    sql_run(f, "INSERT INTO project (name) VALUES ('of-a-thousand');"
               "INSERT INTO memo (project, uuid, title, reference_id, type, created_ms, updated_ms,"
               " latest_version) SELECT p.id, gen_random_uuid(), 'A title', 'reference-' || n,"
               " 'plaintext', 1, 1, 1 FROM project p, generate_series(1, 1000) n"
               " WHERE p.name = 'of-a-thousand';"
               "INSERT INTO job (id, project, priority, run_at_ms, state) SELECT n, p.id, 1, 1, 2"
               " FROM project p, generate_series(1, 1000) n WHERE p.name = 'of-a-thousand'");
    sql_run(f, "DELETE FROM pg_statistic WHERE starelid IN ('memo'::regclass, 'job'::regclass);"
               "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid IN ('memo'::regclass,"
               " 'job'::regclass) OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN"
               " ('memo'::regclass, 'job'::regclass))");
    sql_run(f,
            "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off;"
            "CREATE FUNCTION pg_temp.plan_of(sql text) RETURNS text LANGUAGE plpgsql AS $$"
            " DECLARE line text; plan text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN ' || sql LOOP"
            " plan := plan || line; END LOOP; RETURN plan; END $$");
}

static unsigned count_values(const char *sql) {
    unsigned most = 0;
    for (const char *at = sql; (at = strchr(at, '$')) != NULL; at++) {
        unsigned number = (unsigned)strtoul(at + 1, NULL, 10);
        most = number > most ? number : most;
    }
    return most;
}

/* Whether the statement's plan names an index. */
static bool uses(struct fixture *f, const struct edda_pg_statement *statement, const char *index) {
    static char sql[STATEMENT_BYTES];
    char values[400] = "NULL";
    assert_true(strlen(statement->sql) + 100 < sizeof sql);
    snprintf(sql, sizeof sql, "PREPARE asked AS %s", statement->sql);
    sql_run(f, sql);
    for (unsigned i = 1; i < count_values(statement->sql); i++) {
        strncat(values, ", NULL", sizeof values - strlen(values) - 1);
    }
    snprintf(sql, sizeof sql, "SELECT strpos(pg_temp.plan_of('EXECUTE asked (%s)'), ' %s ') > 0",
             values, index);
    bool used = sql_integer(f, sql);
    sql_run(f, "DEALLOCATE asked");
    return used;
}

/* Seen to fail when the condition that a memo is not deleted is memo_listed's:
 * then each looks at every memo of the project. */
static void a_memo_is_found_by_its_uuid_alone_before_there_are_statistics(void **state) {
    struct fixture *f = *state;
    unsigned found = 0;
    begin_without_statistics(f);
    for (size_t i = 0; i < EDDA_PGSQL_COUNT; i++) {
        const struct edda_pg_statement *statement = &edda_pg_statements[i];
        if (strstr(statement->sql, "m.uuid = $2") && strstr(statement->sql, "deleted_ms")) {
            print_message("%s\n", statement->name);
            assert_false(uses(f, statement, "memo_listed"));
            assert_true(uses(f, statement, "memo_project_uuid_key"));
            found++;
        }
    }
    assert_true(found >= 6);
    sql_run(f, "ROLLBACK");
}

/* Seen to fail when the condition that the job is leased is job_leased's. */
static void a_job_is_found_by_its_number_before_there_are_statistics(void **state) {
    struct fixture *f = *state;
    static const unsigned statements[] = {EDDA_PGSQL_PUT_CHUNKS, EDDA_PGSQL_PUT_VECTORS,
                                          EDDA_PGSQL_JOBS_RENEW};
    begin_without_statistics(f);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        const struct edda_pg_statement *statement = &edda_pg_statements[statements[i]];
        print_message("%s\n", statement->name);
        assert_false(uses(f, statement, "job_leased"));
        assert_true(uses(f, statement, "job_pkey"));
    }
    sql_run(f, "ROLLBACK");
}

/* The server tells of a session's work a little after its end. */
static int64_t wait_for_rows_read(struct fixture *f, int64_t inserted) {
    int64_t until_ms = edda_clock_ms() + 30000;
    while (sql_integer(f, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'memo'") <
               inserted &&
           edda_clock_ms() < until_ms) {
        struct edda_timer tick = {.fire = (edda_task_fn)edda_loop_stop, .context = f->loop};
        edda_loop_timer_set(f->loop, &tick, edda_clock_ms() + 50);
        edda_loop_run(f->loop);
        edda_loop_timer_cancel(f->loop, &tick);
    }
    return sql_integer(f, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'memo'");
}

/* Seen to fail when sessions may look at every row: plans that were made of empty tables are kept,
 * and each memo costs as much as there are. */
static void what_was_planned_when_there_was_nothing_looks_at_no_whole_table(void **state) {
    enum { MEMOS = 60 };
    struct fixture *f = *state;
    for (unsigned i = 0; i < MEMOS; i++) {
        accept_text(f, "Title", "Some text.");
        process_all(f);
    }
    fixture_close(f);
    assert_true(wait_for_rows_read(f, MEMOS) < 10 * MEMOS);
}

static void a_memo_is_found_by_its_reference_before_there_are_statistics(void **state) {
    struct fixture *f = *state;
    unsigned found = 0;
    begin_without_statistics(f);
    for (size_t i = 0; i < EDDA_PGSQL_COUNT; i++) {
        const struct edda_pg_statement *statement = &edda_pg_statements[i];
        if (strstr(statement->sql, "m.reference_id = $2")) {
            print_message("%s\n", statement->name);
            assert_true(uses(f, statement, "memo_reference"));
            found++;
        }
    }
    assert_true(found >= 3);
    sql_run(f, "ROLLBACK");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_planned_when_there_was_nothing_looks_at_no_whole_table),
        TEST(a_job_is_found_by_its_number_before_there_are_statistics),
        TEST(a_memo_is_found_by_its_uuid_alone_before_there_are_statistics),
        TEST(a_memo_is_found_by_its_reference_before_there_are_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
