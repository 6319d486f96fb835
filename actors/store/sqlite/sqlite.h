/* actors/store/sqlite/sqlite.h: the store in one directory: SQLite for the truth, memory for
 * search.
 *
 * One directory belongs to one process at a time (a lock on DIR/store.lock says so); the database
 * is DIR/edda.db with its write-ahead log beside it. How it works: README.md of this folder. */
#ifndef EDDA_ACTORS_STORE_SQLITE_H
#define EDDA_ACTORS_STORE_SQLITE_H

#include "actors/store/backend.h"
#include "actors/store/index/index.h"

struct edda_sqlite_options {
    edda_loop_t *loop;
    const char *directory;   /* made (mode 0700) when it is not there */
    unsigned threads;        /* that read and search: 1..64 */
    int64_t lease_ms;        /* of a claimed job; 0: EDDA_LEASE_MS */
    int64_t backlog;         /* parts that may wait before new content is refused; 0: no limit */
    int64_t project_backlog; /* the same of one project */
    size_t index_bytes; /* memory of search indexes before the least used is dropped; 0: 1 GiB */
    struct edda_index_options index; /* all 0: the defaults */
    struct edda_backend_events events;
};

/* EDDA_E_CONFLICT: another process holds the directory. EDDA_E_VERSION: the database is newer than
 * this program. EDDA_E_IO, EDDA_E_MEMORY. message gets words for people. */
int edda_sqlite_open(const struct edda_sqlite_options *options, char *message, size_t message_size,
                     edda_backend_t **ret_backend) EDDA_MUST_CHECK;

/* Changes no table. EDDA_E_VERSION: those of the store that is there are newer or older than this
 * program's. EDDA_E_NOT_FOUND: there are none. EDDA_E_IO. message says what to do. */
int edda_sqlite_check_tables(const char *directory, char *message,
                             size_t message_size) EDDA_MUST_CHECK;

#endif
