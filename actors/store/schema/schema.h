/* actors/store/schema/schema.h: the numbered *.sql files of sqlite/ and postgres/, embedded at
 * build time.
 *
 * Forward only: step n brings a database of version n - 1 to version n. A file that was released is
 * never changed. */
#ifndef EDDA_ACTORS_STORE_SCHEMA_H
#define EDDA_ACTORS_STORE_SCHEMA_H

#include <stddef.h>

/* Steps in order, each NUL-terminated SQL; step i leads to version i + 1. */
struct edda_store_schema {
    const char *const *steps;
    size_t count;
};

extern const struct edda_store_schema edda_store_schema_sqlite;
extern const struct edda_store_schema edda_store_schema_postgres;

#endif
