/* actors/store/postgres/probe.c: whether the database reads and commits, and is still the same. */
#include "actors/store/postgres/store.h"

enum { LINEAGE, TABLES, HALFVEC, ANOTHER, HAS_TABLES };

/* A pooler keeps our connections to it while a standby takes over behind it; else each of ours says
 * it when it is new, and only its tables can become others beneath it. */
static int on_known(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_postgres *store = call->store;
    struct edda_pg_row row = edda_pg_row(result, 0);
    bool prepares = edda_pg_connector_prepares(store->connector);
    struct edda_pg_identity identity = {.lineage = edda_pg_bigint(&row, LINEAGE),
                                        .tables = edda_pg_bigint(&row, TABLES),
                                        .halfvec = edda_pg_bigint(&row, HALFVEC)};
    bool another = prepares && edda_pg_boolean(&row, ANOTHER);
    bool has_tables = edda_pg_boolean(&row, HAS_TABLES);
    if (row.error) {
        return row.error;
    }
    if (another || !prepares) {
        edda_pg_saw(store->database, &identity);
    }
    if (another) {
        edda_pg_reconnect(store->database);
    }
    if (!has_tables) {
        return edda_pg_call_fail(call, EDDA_E_NOT_FOUND, "the database has no tables of Edda's");
    }
    return edda_pg_call_run(call, EDDA_PGSQL_PROBE, NO_VALUES, NULL);
}

int edda_postgres_probe(struct edda_pg_call *call) {
    return edda_pg_call_run(call, EDDA_PGSQL_WHICH, NO_VALUES, on_known);
}
