/* tests/actors/store/fixture_postgres.c: a store in a database of the test's program, on the server
 * that CTest starts. It is made when the program begins, and emptied for each test. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/store/postgres/backend.h"
#include "tests/actors/store/fixture_store.h"
#include "tests/harness/postgres.h"

extern char *program_invocation_short_name;

/* ---- the server and its databases ---- */

static const char *database_name(void) {
    static char name[64];
    snprintf(name, sizeof name, "test_%s", program_invocation_short_name);
    return name;
}

const char *fixture_postgres_url(void) {
    static char url[400];
    snprintf(url, sizeof url - sizeof "test_", "%s", server_url());
    char *slash = strrchr(url, '/');
    assert_non_null(slash);
    snprintf(slash + 1, sizeof url - (size_t)(slash + 1 - url), "%s", database_name());
    return url;
}

static PGresult *ask_server(PGconn *connection, const char *sql) {
    if (PQstatus(connection) != CONNECTION_OK) {
        fail_msg("the server does not answer: %s", PQerrorMessage(connection));
    }
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    return result;
}

static void tell(PGconn *connection, const char *sql) {
    PQclear(ask_server(connection, sql));
}

/* The program's own connection, for what is done beside its stores. */
static PGconn *beside(void) {
    static PGconn *connection;
    char sql[200];
    if (connection) {
        return connection;
    }
    PGconn *server = PQconnectdb(server_url());
    tell(server, "SET client_min_messages = error");
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database_name());
    tell(server, sql);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database_name());
    tell(server, sql);
    /* These tests never take the machine's power, so nothing needs to reach its disk. */
    tell(server, "ALTER SYSTEM SET fsync = off");
    tell(server, "SELECT pg_reload_conf()");
    PQfinish(server);
    connection = PQconnectdb(fixture_postgres_url());
    tell(connection, "SET client_min_messages = error");
    return connection;
}

void fixture_postgres_restart(void) {
    PGconn *connection = beside();
    server_do("restart");
    PQreset(connection);
    tell(connection, "SET client_min_messages = error");
}

/* No table yet: the first store of the program will make them. */
static void make_place(struct fixture *f) {
    (void)f;
    tell(
        beside(),
        "DO $$ DECLARE name text; BEGIN"
        " IF to_regclass('schema_version') IS NULL THEN RETURN; END IF;"
        " FOREACH name IN ARRAY ARRAY['chat_message', 'chat', 'tag', 'memo', 'version', 'staging',"
        " 'part', 'part_text', 'part_model', 'job', 'chunk', 'chunk_terms', 'chunk_vector', 'term',"
        " 'idempotency', 'api_key', 'project_count', 'project', 'model']"
        " LOOP EXECUTE 'DELETE FROM ' || name; END LOOP; END $$");
}

static void remove_place(struct fixture *f) {
    (void)f;
}

static int open_store(struct fixture *f, char *message, size_t size) {
    struct edda_postgres_options options = {
        .loop = f->loop,
        .url = f->url ? f->url : fixture_postgres_url(),
        .connections = 4,
        .prepare = !f->pooled,
        .statement_ms = f->statement_ms ? f->statement_ms : 30000,
        .connect_ms = 10000,
        .threads = 2,
        .lease_ms = f->lease_ms,
        .index_bytes = f->index_bytes,
        .backlog = f->backlog,
        .project_backlog = f->project_backlog,
        .exact_chunks = f->exact_chunks,
        .events = {fixture_on_ready, f},
    };
    return edda_postgres_open(&options, message, size, &f->backend);
}

/* ---- beside the store ---- */

static int64_t integer(struct fixture *f, const char *sql) {
    (void)f;
    PGresult *result = ask_server(beside(), sql);
    assert_true(PQntuples(result) > 0);
    const char *value = PQgetvalue(result, 0, 0);
    /* As SQLite has it: truth is a number, nothing is 0. */
    int64_t number = value[0] == 't' ? 1 : strtoll(value, NULL, 10);
    PQclear(result);
    return number;
}

static void run(struct fixture *f, const char *sql) {
    (void)f;
    tell(beside(), sql);
}

const struct fixture_store fixture_postgres = {
    .make_place = make_place,
    .remove_place = remove_place,
    .open = open_store,
    .integer = integer,
    .run = run,
    .check_tables = check_tables_postgres,
    .vectors_of_model =
        "SELECT count(*) FROM memo m JOIN chunk_vector v ON v.project = m.project AND v.chunk >> 22"
        " = m.current_version JOIN model o ON o.id = v.model WHERE m.deleted_ms = 0 AND o.name = "
        "'%s'",
    .vectors_waiting = "SELECT count(*) FROM chunk_vector v JOIN project p ON p.id = v.project"
                       " WHERE v.model IS DISTINCT FROM p.model",
};
