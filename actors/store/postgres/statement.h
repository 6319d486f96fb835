/* actors/store/postgres/statement.h: all SQL of the store by number: statement.def as a table.
 *
 * One statement each, with $1, $2 ... for values. Types come with the values: the first time a
 * statement is sent fixes them, so a NULL is said with its type. What comes back is binary. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_STATEMENT_H
#define EDDA_ACTORS_STORE_POSTGRES_STATEMENT_H

#include "proto/types.h"

#define EDDA_STATEMENT(name, sql)  EDDA_PGSQL_##name,
#define EDDA_SMALL_READ(name, sql) EDDA_PGSQL_##name,
enum edda_pg_sql {
#include "actors/store/postgres/statement.def"
    EDDA_PGSQL_COUNT
};
#undef EDDA_STATEMENT
#undef EDDA_SMALL_READ

struct edda_pg_statement {
    const char *name; /* also the prepared statement's: at most 63 bytes */
    const char *sql;
    bool small_read; /* changes nothing and costs little: goes out together with others */
};

/* EDDA_PGSQL_COUNT of them. */
extern const struct edda_pg_statement edda_pg_statements[];

#endif
