/* actors/store/schema/schema.h: the numbered *.sql files of this folder, embedded at build time.
 *
 * Forward only: step n brings a database of version n - 1 to version n. A file that was released is
 * never changed. */
#ifndef EDDA_ACTORS_STORE_SCHEMA_H
#define EDDA_ACTORS_STORE_SCHEMA_H

#include <stddef.h>

/* Steps in order, each NUL-terminated SQL; step i leads to version i + 1. */
extern const char *const edda_store_schema[];
extern const size_t edda_store_schema_count;

#endif
