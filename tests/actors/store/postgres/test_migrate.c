/* tests/actors/store/postgres/test_migrate.c: a database comes to this program's schema, whoever
 * else brings it there at the same time. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/postgres/migrate.h"
#include "tests/actors/store/postgres/database.h"

#define AT_ONCE 6

/* A database of the test's own; *state is its URL. */
static int make_database(void **state) {
    char sql[128];
    char *url = strdup(server_url());
    (void)beside("DROP DATABASE IF EXISTS migrated WITH (FORCE)");
    (void)beside("CREATE DATABASE migrated");
    char *name = strrchr(url, '/');
    snprintf(sql, sizeof sql, "%.*s/migrated", (int)(name - url), url);
    free(url);
    *state = strdup(sql);
    return 0;
}

static int drop_database(void **state) {
    free(*state);
    (void)beside("DROP DATABASE IF EXISTS migrated WITH (FORCE)");
    return 0;
}

static int migrate_to(const char *url, const struct edda_store_schema *schema, char *message,
                      size_t size) {
    edda_pg_url_t *parsed = NULL;
    message[0] = '\0';
    assert_int_equal(edda_pg_url_parse(url, message, size, &parsed), 0);
    int error = edda_pg_migrate(parsed, schema, 5000, message, size);
    edda_pg_url_free(&parsed);
    return error;
}

static long long number_in(const char *url, const char *sql) {
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    long long number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return number;
}

static void an_empty_database_gets_this_programs_schema_once(void **state) {
    char message[EDDA_PG_WORDS];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(migrate_to(*state, &edda_store_schema_postgres, message, sizeof message),
                         0);
    }
    assert_int_equal(number_in(*state, "SELECT count(*) FROM schema_version"),
                     edda_store_schema_postgres.count);
    assert_int_equal(number_in(*state, "SELECT count(*) FROM probe"), 1);
    assert_int_equal(
        number_in(*state, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'"), 1);
}

static const char *const two_steps[] = {
    "CREATE TABLE first (id int); SELECT pg_sleep(0.2); INSERT INTO first VALUES (1)",
    "INSERT INTO first VALUES (2)",
};

static void later_steps_follow_and_earlier_ones_are_not_repeated(void **state) {
    char message[EDDA_PG_WORDS];
    const struct edda_store_schema one = {two_steps, 1};
    const struct edda_store_schema both = {two_steps, 2};
    assert_int_equal(migrate_to(*state, &one, message, sizeof message), 0);
    assert_int_equal(migrate_to(*state, &both, message, sizeof message), 0);
    assert_int_equal(number_in(*state, "SELECT sum(id) FROM first"), 3);
}

/* Seen to fail when a step empties a table. */
static void a_database_of_version_1_keeps_what_is_in_it(void **state) {
    char message[EDDA_PG_WORDS];
    const struct edda_store_schema first = {edda_store_schema_postgres.steps, 1};
    assert_int_equal(migrate_to(*state, &first, message, sizeof message), 0);
    long long project = number_in(
        *state, "INSERT INTO project (name, chunks, revision) VALUES ('old', 3, 7) RETURNING id");
    assert_int_equal(number_in(*state, "INSERT INTO api_key (uuid, project, name, hash, prefix,"
                                       " created_ms) VALUES (gen_random_uuid(), 'old', 'key',"
                                       " '\\x01', 'sk', 5) RETURNING created_ms"),
                     5);
    assert_int_equal(number_in(*state, "INSERT INTO job (id, project, priority, run_at_ms)"
                                       " VALUES (4096, 1, 4, 9) RETURNING run_at_ms"),
                     9);
    assert_int_equal(migrate_to(*state, &edda_store_schema_postgres, message, sizeof message), 0);
    assert_int_equal(number_in(*state, "SELECT max(version) FROM schema_version"),
                     edda_store_schema_postgres.count);
    assert_int_equal(number_in(*state, "SELECT id FROM project WHERE name = 'old' AND chunks = 3"
                                       " AND revision = 7 AND embedded = 0"),
                     project);
    assert_int_equal(number_in(*state, "SELECT created_ms FROM api_key WHERE project = 'old' AND"
                                       " hash = '\\x01' AND rate = 0 AND concurrency = 0"),
                     5);
    assert_int_equal(number_in(*state, "SELECT run_at_ms FROM job WHERE id = 4096 AND state = 0"),
                     9);
}

struct starter {
    const char *url;
    pthread_t thread;
    int error;
    char message[EDDA_PG_WORDS];
};

static void *start(void *context) {
    struct starter *starter = context;
    const struct edda_store_schema both = {two_steps, 2};
    starter->error = migrate_to(starter->url, &both, starter->message, sizeof starter->message);
    return NULL;
}

static void many_that_start_at_once_do_each_step_once(void **state) {
    struct starter starters[AT_ONCE] = {0};
    for (size_t i = 0; i < AT_ONCE; i++) {
        starters[i].url = *state;
        assert_int_equal(pthread_create(&starters[i].thread, NULL, start, &starters[i]), 0);
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        pthread_join(starters[i].thread, NULL);
        if (starters[i].error) {
            fail_msg("%s", starters[i].message);
        }
    }
    assert_int_equal(number_in(*state, "SELECT count(*) FROM first"), 2);
    assert_int_equal(number_in(*state, "SELECT count(*) FROM schema_version"), 2);
}

static void a_newer_database_is_refused_with_words(void **state) {
    char message[EDDA_PG_WORDS];
    const struct edda_store_schema one = {two_steps, 1};
    const struct edda_store_schema both = {two_steps, 2};
    assert_int_equal(migrate_to(*state, &both, message, sizeof message), 0);
    assert_int_equal(migrate_to(*state, &one, message, sizeof message), EDDA_E_VERSION);
    assert_non_null(strstr(message, "version 2"));
    assert_non_null(strstr(message, "newer program"));
}

static void a_step_that_fails_leaves_nothing(void **state) {
    static const char *const steps[] = {"CREATE TABLE half (id int)",
                                        "CREATE TABLE other (id int); SELECT * FROM nowhere"};
    const struct edda_store_schema bad = {steps, 2};
    char message[EDDA_PG_WORDS];
    assert_int_equal(migrate_to(*state, &bad, message, sizeof message), EDDA_E_IO);
    assert_non_null(strstr(message, "nowhere"));
    assert_int_equal(number_in(*state, "SELECT count(*) FROM schema_version"), 1);
    assert_int_equal(number_in(*state, "SELECT (to_regclass('other') IS NULL)::int"), 1);
}

static void a_server_that_does_not_answer_or_refuses_is_told_without_the_password(void **state) {
    char message[EDDA_PG_WORDS];
    (void)state;
    assert_int_equal(migrate_to("postgres://edda:very-secret@127.0.0.1:1/edda",
                                &edda_store_schema_postgres, message, sizeof message),
                     EDDA_E_UNAVAILABLE);
    assert_null(strstr(message, "very-secret"));
    assert_non_null(strstr(message, "127.0.0.1"));
    char url[256];
    snprintf(url, sizeof url, "postgres://edda:very-secret%s", strchr(server_url(), '@'));
    assert_int_equal(migrate_to(url, &edda_store_schema_postgres, message, sizeof message),
                     EDDA_E_UNAVAILABLE);
    assert_null(strstr(message, "very-secret"));
    assert_non_null(strstr(message, "password authentication failed"));
}

static void a_database_in_another_encoding_is_refused(void **state) {
    char message[EDDA_PG_WORDS];
    (void)beside("DROP DATABASE IF EXISTS migrated WITH (FORCE)");
    (void)beside("CREATE DATABASE migrated TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    assert_int_equal(migrate_to(*state, &edda_store_schema_postgres, message, sizeof message),
                     EDDA_E_INVALID);
    assert_non_null(strstr(message, "LATIN1"));
}

static void a_pgvector_where_nobody_looks_is_said_to_be_there(void **state) {
    char message[EDDA_PG_WORDS];
    PGconn *connection = PQconnectdb(*state);
    PQclear(PQexec(connection, "CREATE SCHEMA aside; CREATE EXTENSION vector SCHEMA aside"));
    PQfinish(connection);
    assert_int_equal(migrate_to(*state, &edda_store_schema_postgres, message, sizeof message),
                     EDDA_E_INVALID);
    assert_non_null(strstr(message, "pgvector is in schema aside"));
    snprintf(message, sizeof message, "%s?options=-csearch_path%%3Dpublic,aside", (char *)*state);
    char *url = strdup(message);
    assert_int_equal(migrate_to(url, &edda_store_schema_postgres, message, sizeof message), 0);
    free(url);
}

static void a_store_does_not_serve_half_a_copy(void **state) {
    static const char *const half[] = {
        "CREATE TABLE copy_progress (source text NOT NULL, at bigint NOT NULL, done bigint NOT "
        "NULL,"
        " finished bigint NOT NULL); INSERT INTO copy_progress VALUES ('another', 0, 0, 0)",
        "UPDATE copy_progress SET finished = 1"};
    const struct edda_store_schema begun = {half, 1};
    const struct edda_store_schema finished = {half, 2};
    char message[EDDA_PG_WORDS];
    edda_pg_url_t *url = NULL;
    assert_int_equal(edda_pg_url_parse(*state, message, sizeof message, &url), 0);
    assert_int_equal(
        edda_pg_migrate_to_serve(url, &begun, 5000, message, sizeof message, NULL, NULL),
        EDDA_E_INVALID);
    assert_non_null(strstr(message, "unfinished copy"));
    assert_int_equal(edda_pg_migrate(url, &begun, 5000, message, sizeof message), 0);
    assert_int_equal(
        edda_pg_migrate_to_serve(url, &finished, 5000, message, sizeof message, NULL, NULL), 0);
    edda_pg_url_free(&url);
}

static void versions_are_compared_as_numbers(void **state) {
    (void)state;
    assert_true(edda_pg_is_older("0.7.4", "0.8"));
    assert_true(edda_pg_is_older("0", "0.8"));
    assert_true(edda_pg_is_older("", "0.8"));
    assert_false(edda_pg_is_older("0.8.0", "0.8"));
    assert_false(edda_pg_is_older("0.10", "0.8"));
    assert_false(edda_pg_is_older("1.0", "0.8"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_database, drop_database)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_empty_database_gets_this_programs_schema_once),
        TEST(later_steps_follow_and_earlier_ones_are_not_repeated),
        TEST(a_database_of_version_1_keeps_what_is_in_it),
        TEST(many_that_start_at_once_do_each_step_once),
        TEST(a_newer_database_is_refused_with_words),
        TEST(a_step_that_fails_leaves_nothing),
        TEST(a_server_that_does_not_answer_or_refuses_is_told_without_the_password),
        TEST(a_database_in_another_encoding_is_refused),
        TEST(a_pgvector_where_nobody_looks_is_said_to_be_there),
        TEST(a_store_does_not_serve_half_a_copy),
        cmocka_unit_test(versions_are_compared_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
