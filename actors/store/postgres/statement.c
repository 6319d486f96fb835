/* actors/store/postgres/statement.c: the table of statement.def. */
#include "actors/store/postgres/statement.h"

#include "actors/store/postgres/database.h"

#define NOW_MS "(extract(epoch FROM now()) * 1000)::bigint"

/* A project's memo, not deleted, by its uuid or its reference. By its uuid in words that are not
 * the condition of memo_listed: before a table has statistics that index, of all memos of a
 * project, looks as cheap as the unique one, and each look would be at all of them. */
#define BY_UUID      "m.uuid = $2 AND m.deleted_ms <= 0"
#define BY_REFERENCE "m.reference_id = $2 AND m.deleted_ms = 0 ORDER BY m.id DESC LIMIT 1"

/* A job that is named, and leased: not in the words of job_leased, which holds a row of every lease
 * since the last vacuum and looks as cheap as the primary key. */
#define IS_LEASED "job.state BETWEEN 1 AND 1"

/* As edda_fusion_is_builtin. */
#define IS_BUILT_IN "o.name LIKE 'hash-%'"

/* project.embedded of one that is served by model from now on. Vectors of the built-in one are in
 * searches' indexes, which have to be loaded anew. */
#define EMBEDDED_BY(model)                                                                         \
    "CASE WHEN EXISTS (SELECT 1 FROM model o WHERE o.id = " model " AND " IS_BUILT_IN              \
    ") THEN project.revision + 1 ELSE project.embedded END"

/* The project is served by its next model. */
#define CHANGE_OVER                                                                                \
    "model = CASE WHEN project.chunks > 0 THEN next_model END, next_model = NULL,"                 \
    " settled_chunk = 0, revision = project.revision + 1, embedded = " EMBEDDED_BY("next_model")

/* No other change has it: what makes a memo's revision stamps a time on it or on its version. */
#define WITNESS                                                                                    \
    "hashtextextended(concat_ws(' ', m.uuid, m.revision, m.current_version, m.updated_ms,"         \
    " m.deleted_ms, v.completed_ms), 0)"

/* The nearest, exactly. fits: "", or a look that leaves out what cannot be compared; it reads long
 * vectors twice, so it is asked for only once the server has refused one. */
#define NEAR_PROJECT(fits)                                                                         \
    "WITH c AS MATERIALIZED (SELECT v.chunk, v.vector <#> $3::halfvec AS distance"                 \
    " FROM chunk_vector v JOIN memo m ON m.current_version = v.chunk >> 22"                        \
    " AND m.project = v.project WHERE v.project = $1 AND v.model = $2 AND m.deleted_ms = 0"        \
    " AND m.archived = 0 AND (m.expires_ms = 0 OR m.expires_ms > $4)" fits                         \
    ") SELECT chunk, -distance FROM c ORDER BY distance, chunk LIMIT $5"
#define NEAR_VERSIONS(fits)                                                                        \
    "WITH c AS MATERIALIZED (SELECT n.chunk, n.distance FROM unnest($4::bigint[]) AS s(version)"   \
    " CROSS JOIN LATERAL (SELECT v.chunk, v.vector <#> $3::halfvec AS distance"                    \
    " FROM chunk_vector v WHERE v.project = $1 AND v.chunk >= s.version << 22"                     \
    " AND v.chunk < (s.version + 1) << 22 AND v.model = $2" fits                                   \
    " OFFSET 0) n) SELECT chunk, -distance FROM c ORDER BY distance, chunk LIMIT $5"
#define FITS " AND vector_dims(v.vector) = vector_dims($3::halfvec)"

#define EDDA_STATEMENT(name, sql)  {#name, (sql), false},
#define EDDA_SMALL_READ(name, sql) {#name, (sql), true},
const struct edda_pg_statement edda_pg_statements[] = {
#include "actors/store/postgres/statement.def"
};
#undef EDDA_STATEMENT
#undef EDDA_SMALL_READ
