/* tests/actors/store/postgres/database.h: a database of the real server, in a loop of the test's.
 *
 *   struct database *d = *state;
 *   struct asked one = {0};
 *   ask(d, &one, SQL_ADD, VALUES(BIGINT(1), BIGINT(2)));
 *   expect(d, &one, 0);
 *   assert_int_equal(one.number, 3);
 *
 * The server is that of ops/postgres, started by CTest's fixture; without it every test fails with
 * words. Tests that break things open more, by database_open. Threads: the test's. */
#ifndef EDDA_TESTS_STORE_POSTGRES_DATABASE_H
#define EDDA_TESTS_STORE_POSTGRES_DATABASE_H

#include "actors/store/postgres/database.h"
#include "tests/harness/fake_broker.h"
#include "tests/harness/postgres.h"
#include "tests/harness/relay.h"
#include "tests/proto/cmocka.h"

#define WAIT_MS     30000 /* for what must happen */
#define DATABASE_MS 2000  /* statement_ms of tests that do not say */

/* Statements of the tests; the test's own table may be given instead. */
enum sql {
    SQL_ADD,         /* $1 + $2 bigint */
    SQL_ECHO,        /* $1 text */
    SQL_SLEEP,       /* $1 seconds, double */
    SQL_DIVIDE,      /* 1 / $1 bigint */
    SQL_NO_TABLE,    /* fails when it is prepared */
    SQL_INSERT,      /* into note (id, text) */
    SQL_COUNT,       /* notes */
    SQL_CLEAR,       /* notes */
    SQL_PID,         /* of the server's process */
    SQL_TERMINATE,   /* process $1 */
    SQL_ROWS,        /* $1 rows of $2 bytes */
    SQL_LOCK,        /* waits for transactions that hold advisory lock $1 */
    SQL_INSERT_LATE, /* into late (id), whose key is checked at the commit */
    SQL_ISOLATION,
    SQL_TIMEOUT,     /* the session's statement_timeout, text */
    SQL_RUNNING,     /* how many others run pg_sleep */
    SQL_PREPARED,    /* how many prepared statements this session has */
    SQL_READ_DIVIDE, /* as DIVIDE, a small read */
    SQL_READ_SINCE,  /* when its transaction began, us: a small read */
    SQL_READ_SLEEP,  /* as SLEEP, a small read */
    SQL_COUNT_OF
};

extern const struct edda_pg_statement test_statements[];

struct database {
    edda_loop_t *loop;
    edda_pg_url_t *url;
    edda_pg_connector_t *connector;
    edda_pg_t *pg;
    const struct edda_pg_statement *statements; /* NULL: test_statements */
    size_t statement_count;
    unsigned connections;
    int64_t statement_ms;
    int64_t session_ms; /* the server's own statement_timeout; 0: statement_ms, -1: none */
    int64_t connect_ms;
    int64_t wait_ms;
    int64_t silence_ms;
    bool no_prepare;
};

/* server_url, with another host and port ("127.0.0.1:1") and what follows a "?". */
const char *server_url_at(const char *host, const char *parameters);
uint16_t server_port(void);

/* One connection's worth of work beside everything: a single value as text, "" when there is none.
 */
const char *beside(const char *sql);

/* For cmocka: *state is a database of four connections; tables note and late are empty. */
int database_setup(void **state);
int database_teardown(void **state);

/* Another; fields of options beside loop are taken, 0 is a default. url NULL: the server's. */
struct database *database_open(const struct database *options, const char *url);
void database_close(struct database **d_p);

/* The server's, through the relay. */
struct database *database_through(struct relay *relay, const struct database *options);

/* ---- statements ---- */

struct asked {
    struct edda_pg_query query;
    int answers; /* how often done came */
    int error;
    bool unknown;
    char sqlstate[6];
    char text[160];
    size_t rows;
    int64_t number;          /* the first column of the first row, when it is a bigint */
    char words[64];          /* when it is a text */
    uint64_t order;          /* answers are numbered */
    edda_pg_result_t **keep; /* takes the result, when set */
};

/* Must be taken. */
void ask(struct database *d, struct asked *asked, unsigned statement,
         const struct edda_pg_value *values, size_t count);
/* Waits for its answer, which must have this error. */
void expect(struct database *d, struct asked *asked, int error);

/* So that small reads go together: on the only connection they were asked before. */
void prepare_reads(struct database *d);

/* Until so many connections stand. */
void wait_for_connections(struct database *d, unsigned count);

/* Until a single value beside everything is this. */
void wait_for_server(struct database *d, const char *sql, const char *value);

bool database_until(struct database *d, fake_condition_fn condition, void *context);
void wait_for(struct database *d, const int *number, int at_least);

#endif
