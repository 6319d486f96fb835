/* actors/store/postgres/probe.c: whether the database reads and commits, and is still the same. */
#include "actors/store/postgres/store.h"

/* A pooler keeps our connections to it while a standby takes over behind it; else each of ours says
 * it when it is new. */
static int on_probed(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_postgres *store = call->store;
    struct edda_pg_row row = edda_pg_row(result, 0);
    int64_t lineage = edda_pg_bigint(&row, 0);
    if (!row.error && !edda_pg_connector_prepares(store->connector)) {
        edda_pg_saw(store->database, lineage);
    }
    return 0;
}

/* An UPDATE reads what it changes. */
int edda_postgres_probe(struct edda_pg_call *call) {
    return edda_pg_call_run(call, EDDA_PGSQL_PROBE, NO_VALUES, on_probed);
}
