/* actors/store/postgres/probe.c: whether the database reads and commits. */
#include "actors/store/postgres/store.h"

/* An UPDATE reads what it changes. */
int edda_postgres_probe(struct edda_pg_call *call) {
    return edda_pg_call_run(call, EDDA_PGSQL_PROBE, NO_VALUES, NULL);
}
