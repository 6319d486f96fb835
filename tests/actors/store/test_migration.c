/* tests/actors/store/test_migration.c: a database of an earlier version is brought to this one with
 * all that is in it. */
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/store/schema/schema.h"
#include "tests/actors/store/fixture.h"

static void run(sqlite3 *handle, const char *sql) {
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    }
}

/* The columns that a table of the earlier version has, as "a, b, c". */
static void columns_of(sqlite3 *handle, const char *table, char *columns, size_t size) {
    sqlite3_stmt *query = NULL;
    assert_int_equal(sqlite3_prepare_v2(handle,
                                        "SELECT group_concat(name, ', ') FROM pragma_table_info(?)",
                                        -1, &query, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(query, 1, table, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    snprintf(columns, size, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
}

static void copy_table(sqlite3 *handle, const char *table) {
    char columns[1024];
    char sql[4096];
    columns_of(handle, table, columns, sizeof(columns));
    snprintf(sql, sizeof(sql), "DELETE FROM %s; INSERT INTO %s (%s) SELECT %s FROM now.%s", table,
             table, columns, columns, table);
    run(handle, sql);
}

/* Replaces the closed store's database by one of version 1 that says the same, as far as version 1
 * could. */
static void take_back_to_version_1(struct fixture *f) {
    static const char *const tables[] = {
        "project", "memo",  "tag",         "version", "staging",     "part",    "part_text",
        "job",     "chunk", "chunk_index", "term",    "idempotency", "api_key", "model",
    };
    char path[128];
    char old_path[128];
    char sql[256];
    sqlite3 *handle = NULL;
    snprintf(path, sizeof(path), "%s/edda.db", f->directory);
    snprintf(old_path, sizeof(old_path), "%s/old.db", f->directory);
    assert_int_equal(sqlite3_open(old_path, &handle), SQLITE_OK);
    run(handle, "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT"
                " NULL) STRICT; INSERT INTO schema_version VALUES (1, 0)");
    run(handle, edda_store_schema_sqlite.steps[0]);
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS now", path);
    run(handle, sql);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        copy_table(handle, tables[i]);
    }
    run(handle, "DETACH now");
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(old_path, path), 0);
}

static void a_database_of_version_1_keeps_all_that_is_in_it(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"A grey walrus.\n\nA white whale.", "A black raven."};
    struct edda_uuid memo = accept_parts(f, "Animals", parts, 2);
    struct edda_uuid open = accept_text(f, "Later", "A red fox.");
    struct edda_claims claims = claim_jobs(f, 2);
    commit_job(f, &claims.items[0], claims.items[0].token);
    commit_job(f, &claims.items[1], claims.items[1].token);
    struct edda_hits before = search(f, "walrus");
    fixture_close(f);
    take_back_to_version_1(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM pragma_table_list('chat')"), 0);
    fixture_open(f);
    assert_int_equal(sql_integer(f, "SELECT max(version) FROM schema_version"),
                     edda_store_schema_sqlite.count);
    check_tables(f);
    struct edda_hits after = search(f, "walrus");
    assert_int_equal(after.hits.count, before.hits.count);
    assert_true(edda_uuid_equal(&after.hits.items[0].chunk, &before.hits.items[0].chunk));
    assert_true(after.hits.items[0].score == before.hits.items[0].score);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_string_equal(status_of(f, &open), "processing");
    assert_int_equal(process_all(f), 1);
    assert_string_equal(status_of(f, &open), "processed");
    struct edda_store_turn turn = {.chat = edda_uuid_new(),
                                   .question = edda_uuid_new(),
                                   .answer = edda_uuid_new(),
                                   .query = EDDA_TEXT("Who?")};
    assert_int_equal(ask(f, EDDA_BACKEND_CHAT_SAVE, 0, &turn, NULL, EDDA_BODY_EMPTY, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_database_of_version_1_keeps_all_that_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
