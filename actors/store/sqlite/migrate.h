/* actors/store/sqlite/migrate.h: brings a database to this program's schema, never back. */
#ifndef EDDA_ACTORS_STORE_SQLITE_MIGRATE_H
#define EDDA_ACTORS_STORE_SQLITE_MIGRATE_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/types.h"

/* Each missing step in one transaction of its own. EDDA_E_VERSION: the database is newer than this
 * program; EDDA_E_IO. message gets words for people. */
int edda_migrate(sqlite3 *handle, int64_t wall_ms, char *message,
                 size_t message_size) EDDA_MUST_CHECK;

#endif
