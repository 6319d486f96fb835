/* actors/store/postgres/statement.c: the table of statement.def. */
#include "actors/store/postgres/statement.h"

#define NOW_MS "(extract(epoch FROM now()) * 1000)::bigint"

#define EDDA_STATEMENT(name, sql)  {#name, (sql), false},
#define EDDA_SMALL_READ(name, sql) {#name, (sql), true},
const struct edda_pg_statement edda_pg_statements[] = {
#include "actors/store/postgres/statement.def"
};
#undef EDDA_STATEMENT
#undef EDDA_SMALL_READ
