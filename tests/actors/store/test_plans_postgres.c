/* tests/actors/store/test_plans_postgres.c: what the planner makes of statements before a table has
 * statistics: a database that was filled a minute ago. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/store/postgres/statement.h"
#include "tests/actors/store/fixture.h"

#define STATEMENT_BYTES 16384

/* A project of a thousand memos that nobody counted yet; until it is rolled back. */
static void begin_without_statistics(struct fixture *f) {
    sql_run(f, "BEGIN");
    sql_run(f, "INSERT INTO project (name) VALUES ('of-a-thousand');"
               "INSERT INTO memo (project, uuid, title, reference_id, type, created_ms, updated_ms,"
               " latest_version) SELECT p.id, gen_random_uuid(), 'A title', 'reference-' || n,"
               " 'plaintext', 1, 1, 1 FROM project p, generate_series(1, 1000) n"
               " WHERE p.name = 'of-a-thousand'");
    sql_run(f,
            "DELETE FROM pg_statistic WHERE starelid = 'memo'::regclass;"
            "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = 'memo'::regclass OR oid"
            " IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'memo'::regclass)");
    sql_run(f,
            "SET LOCAL plan_cache_mode = force_generic_plan;"
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
    snprintf(sql, sizeof sql,
             "SELECT strpos(pg_temp.plan_of('EXECUTE asked (%s)'), 'using %s ') > 0", values,
             index);
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
        TEST(a_memo_is_found_by_its_uuid_alone_before_there_are_statistics),
        TEST(a_memo_is_found_by_its_reference_before_there_are_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
