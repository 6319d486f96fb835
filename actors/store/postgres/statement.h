/* actors/store/postgres/statement.h: all SQL of the store by number: statement.def as a table.
 *
 * One statement each, with $1, $2 ... for values. Types come with the values: the first time a
 * statement is sent fixes them, so a NULL is said with its type. What comes back is binary. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_STATEMENT_H
#define EDDA_ACTORS_STORE_POSTGRES_STATEMENT_H

#include <stddef.h>

#define EDDA_STATEMENT(name, sql) EDDA_PGSQL_##name,
enum edda_pg_sql {
#include "actors/store/postgres/statement.def"
    EDDA_PGSQL_COUNT
};
#undef EDDA_STATEMENT

struct edda_pg_statement {
    const char *name; /* also the prepared statement's: at most 63 bytes */
    const char *sql;
};

/* EDDA_PGSQL_COUNT of them. */
extern const struct edda_pg_statement edda_pg_statements[];

#endif
