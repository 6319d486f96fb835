/* tests/actors/store/postgres/database.c: see database.h. */
#include "tests/actors/store/postgres/database.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/log.h"

const struct edda_pg_statement test_statements[SQL_COUNT_OF] = {
    [SQL_ADD] = {"ADD", "SELECT $1 + $2"},
    [SQL_ECHO] = {"ECHO", "SELECT $1"},
    [SQL_SLEEP] = {"SLEEP", "SELECT 1::bigint FROM pg_sleep($1)"},
    [SQL_DIVIDE] = {"DIVIDE", "SELECT 1 / $1"},
    [SQL_NO_TABLE] = {"NO_TABLE", "SELECT count(*) FROM there_is_none"},
    [SQL_INSERT] = {"INSERT", "INSERT INTO note (id, text) VALUES ($1, $2)"},
    [SQL_COUNT] = {"COUNT", "SELECT count(*) FROM note"},
    [SQL_CLEAR] = {"CLEAR", "DELETE FROM note"},
    [SQL_PID] = {"PID", "SELECT pg_backend_pid()::bigint"},
    [SQL_TERMINATE] = {"TERMINATE", "SELECT pg_terminate_backend($1::int, 5000)::int::bigint"},
    [SQL_ROWS] = {"ROWS", "SELECT n, repeat('x', $2::int) FROM generate_series(1::bigint, $1) n"},
    [SQL_LOCK] = {"LOCK", "SELECT 1::bigint FROM pg_advisory_xact_lock($1)"},
    [SQL_INSERT_LATE] = {"INSERT_LATE", "INSERT INTO late (id) VALUES ($1)"},
    [SQL_ISOLATION] = {"ISOLATION", "SELECT current_setting('transaction_isolation')"},
    [SQL_TIMEOUT] = {"TIMEOUT", "SELECT current_setting('statement_timeout')"},
    [SQL_PREPARED] = {"PREPARED", "SELECT count(*) FROM pg_prepared_statements"},
    [SQL_READ_DIVIDE] = {"READ_DIVIDE", "SELECT 1 / $1", true},
    [SQL_READ_SINCE] = {"READ_SINCE", "SELECT (extract(epoch FROM now()) * 1000000)::bigint", true},
    [SQL_READ_SLEEP] = {"READ_SLEEP", "SELECT 1::bigint FROM pg_sleep($1)", true},
};

/* ---- the server ---- */

const char *server_url_at(const char *host, const char *parameters) {
    static char url[512];
    const char *all = server_url();
    const char *at = strchr(all, '@');
    snprintf(url, sizeof url, "%.*s@%s%s%s%s", (int)(at - all), all, host, strrchr(at, '/'),
             parameters ? "?" : "", parameters ? parameters : "");
    return url;
}

uint16_t server_port(void) {
    return (uint16_t)strtoul(strrchr(server_url(), ':') + 1, NULL, 10);
}

const char *beside(const char *sql) {
    static char value[256];
    PGconn *connection = PQconnectdb(server_url());
    if (PQstatus(connection) != CONNECTION_OK) {
        fail_msg("the server does not answer: %s", PQerrorMessage(connection));
    }
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    snprintf(value, sizeof value, "%s",
             PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return value;
}

/* ---- databases ---- */

struct database *database_open(const struct database *options, const char *url) {
    struct database *d = calloc(1, sizeof *d);
    char message[200] = "";
    assert_non_null(d);
    *d = *options;
    d->connections = d->connections ? d->connections : 4;
    d->statement_ms = d->statement_ms ? d->statement_ms : DATABASE_MS;
    d->connect_ms = d->connect_ms ? d->connect_ms : 5000;
    d->loop = edda_loop_new("test");
    if (edda_pg_url_parse(url ? url : server_url(), message, sizeof message, &d->url) != 0) {
        fail_msg("%s", message);
    }
    d->connector = edda_pg_connector_new(&(struct edda_pg_connector_options){
        .loop = d->loop,
        .url = d->url,
        .connect_ms = d->connect_ms,
        .statement_ms = d->session_ms < 0   ? 0
                        : d->session_ms > 0 ? d->session_ms
                                            : d->statement_ms,
        .prepare = !d->no_prepare,
    });
    d->pg = edda_pg_new(&(struct edda_pg_options){
        .loop = d->loop,
        .connector = d->connector,
        .statements = d->statements ? d->statements : test_statements,
        .statement_count = d->statements ? d->statement_count : SQL_COUNT_OF,
        .connections = d->connections,
        .statement_ms = d->statement_ms,
        .wait_ms = d->wait_ms,
        .silence_ms = d->silence_ms,
    });
    assert_non_null(d->pg);
    return d;
}

struct database *database_through(struct relay *relay, const struct database *options) {
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%u", relay_port(relay));
    return database_open(options, server_url_at(host, "sslmode=disable"));
}

void database_close(struct database **d_p) {
    struct database *d = *d_p;
    edda_pg_destroy(&d->pg);
    edda_pg_connector_destroy(&d->connector);
    edda_pg_url_free(&d->url);
    edda_loop_destroy(&d->loop);
    free(d);
    *d_p = NULL;
}

int database_setup(void **state) {
    edda_log_setup(EDDA_LOG_ERROR, false);
    (void)beside("SET client_min_messages = error; DROP TABLE IF EXISTS note, late;"
                 "CREATE TABLE note (id bigint PRIMARY KEY, text text NOT NULL);"
                 "CREATE TABLE late (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    *state = database_open(&(struct database){0}, NULL);
    return 0;
}

int database_teardown(void **state) {
    struct database *d = *state;
    database_close(&d);
    return 0;
}

/* ---- statements ---- */

static uint64_t answered;

static void read_first(struct asked *asked, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    asked->rows = edda_pg_rows(result);
    if (asked->rows == 0) {
        return;
    }
    asked->number = edda_pg_bigint_or(&row, 0, 0);
    if (row.error) {
        row = edda_pg_row(result, 0);
        struct edda_text text = edda_pg_text(&row, 0);
        snprintf(asked->words, sizeof asked->words, "%.*s", (int)text.size,
                 text.data ? text.data : "");
    }
}

static void on_done(void *context, struct edda_pg_answer *answer) {
    struct asked *asked = context;
    asked->answers++;
    asked->order = ++answered;
    asked->error = answer->error;
    asked->unknown = answer->unknown;
    memcpy(asked->sqlstate, answer->sqlstate, sizeof asked->sqlstate);
    snprintf(asked->text, sizeof asked->text, "%s", answer->text ? answer->text : "");
    assert_true((answer->error == 0) == (answer->text == NULL));
    if (answer->result) {
        assert_int_equal(answer->error, 0);
        read_first(asked, answer->result);
        if (asked->keep) {
            *asked->keep = answer->result;
            answer->result = NULL;
        }
    }
}

void ask(struct database *d, struct asked *asked, unsigned statement,
         const struct edda_pg_value *values, size_t count) {
    asked->answers = 0;
    asked->query.done = on_done;
    asked->query.context = asked;
    assert_int_equal(edda_pg_run(d->pg, &asked->query, statement, values, count), 0);
    assert_int_equal(asked->answers, 0);
}

bool database_until(struct database *d, fake_condition_fn condition, void *context) {
    return fake_loop_until(d->loop, condition, context, WAIT_MS);
}

struct number {
    const int *now;
    int at_least;
};

static bool is_reached(void *context) {
    const struct number *number = context;
    return *number->now >= number->at_least;
}

void wait_for(struct database *d, const int *now, int at_least) {
    struct number number = {now, at_least};
    assert_true(database_until(d, is_reached, &number));
}

void expect(struct database *d, struct asked *asked, int error) {
    wait_for(d, &asked->answers, 1);
    if (asked->error != error) {
        fail_msg("%s (%s %s) instead of %s", edda_error_name(asked->error), asked->sqlstate,
                 asked->text, edda_error_name(error));
    }
    assert_int_equal(asked->answers, 1);
}

struct standing {
    struct database *database;
    unsigned wanted;
};

static bool stand(void *context) {
    const struct standing *standing = context;
    return edda_pg_connected(standing->database->pg) == standing->wanted;
}

void prepare_reads(struct database *d) {
    struct asked reads[3] = {0};
    ask(d, &reads[0], SQL_READ_DIVIDE, VALUES(BIGINT(1)));
    ask(d, &reads[1], SQL_READ_SINCE, NO_VALUES);
    ask(d, &reads[2], SQL_READ_SLEEP, VALUES(DOUBLE(0)));
    for (size_t i = 0; i < 3; i++) {
        expect(d, &reads[i], 0);
    }
}

void wait_for_connections(struct database *d, unsigned count) {
    struct standing standing = {d, count};
    if (!database_until(d, stand, &standing)) {
        fail_msg("%u connections instead of %u", edda_pg_connected(d->pg), count);
    }
}

struct wanted_value {
    const char *sql;
    const char *value;
};

static bool is_value(void *context) {
    const struct wanted_value *wanted = context;
    return strcmp(beside(wanted->sql), wanted->value) == 0;
}

void wait_for_server(struct database *d, const char *sql, const char *value) {
    struct wanted_value wanted = {sql, value};
    if (!database_until(d, is_value, &wanted)) {
        fail_msg("%s: %s instead of %s", sql, beside(sql), value);
    }
}
