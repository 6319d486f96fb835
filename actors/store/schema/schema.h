/* actors/store/schema/schema.h: the numbered *.sql files of sqlite/ and postgres/, embedded at
 * build time.
 *
 * Forward only: step n brings a database of version n - 1 to version n. A file that was released is
 * never changed. */
#ifndef EDDA_ACTORS_STORE_SCHEMA_H
#define EDDA_ACTORS_STORE_SCHEMA_H

#include <stdio.h>

#include "proto/error.h"
#include "proto/types.h"

/* Steps in order, each NUL-terminated SQL; step i leads to version i + 1. */
struct edda_store_schema {
    const char *const *steps;
    size_t count;
};

extern const struct edda_store_schema edda_store_schema_sqlite;
extern const struct edda_store_schema edda_store_schema_postgres;

/* EDDA_E_VERSION: a database of this version is newer than the program. message gets words. */
static inline int edda_store_schema_admit(const struct edda_store_schema *schema, int64_t version,
                                          char *message, size_t size) {
    if (version >= 0 && (uint64_t)version <= schema->count) {
        return 0;
    }
    snprintf(message, size,
             "the database has schema version %lld, this program knows up to %zu: use the newer "
             "program",
             (long long)version, schema->count);
    return EDDA_E_VERSION;
}

/* For who only looks. EDDA_E_VERSION: it is newer, or older. EDDA_E_NOT_FOUND: it has no tables. */
static inline int edda_store_schema_compare(const struct edda_store_schema *schema, int64_t version,
                                            char *message, size_t size) {
    if (version == 0) {
        snprintf(message, size,
                 "the database has no tables yet; `edda migrate` or `edda up` makes "
                 "them");
        return EDDA_E_NOT_FOUND;
    }
    if (version > 0 && (uint64_t)version < schema->count) {
        snprintf(message, size,
                 "the tables are of schema version %lld, this program's of %zu; `edda migrate` or "
                 "`edda up` changes them, and there is no way back",
                 (long long)version, schema->count);
        return EDDA_E_VERSION;
    }
    return edda_store_schema_admit(schema, version, message, size);
}

#endif
