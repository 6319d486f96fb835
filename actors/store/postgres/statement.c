/* actors/store/postgres/statement.c: the table of statement.def. */
#include "actors/store/postgres/statement.h"

#define NOW_MS "(extract(epoch FROM now()) * 1000)::bigint"

/* As edda_fusion_is_builtin. */
#define IS_BUILT_IN "o.name LIKE 'hash-%'"

/* The project is served by its next model. Vectors of the built-in one are in searches' indexes,
 * which have to be loaded anew. */
#define CHANGE_OVER                                                                                \
    "model = CASE WHEN project.chunks > 0 THEN next_model END, next_model = NULL,"                 \
    " settled_chunk = 0, revision = project.revision + 1, embedded = CASE WHEN EXISTS"             \
    " (SELECT 1 FROM model o WHERE o.id = next_model AND " IS_BUILT_IN                             \
    ") THEN project.revision + 1 ELSE project.embedded END"

#define EDDA_STATEMENT(name, sql)  {#name, (sql), false},
#define EDDA_SMALL_READ(name, sql) {#name, (sql), true},
const struct edda_pg_statement edda_pg_statements[] = {
#include "actors/store/postgres/statement.def"
};
#undef EDDA_STATEMENT
#undef EDDA_SMALL_READ
