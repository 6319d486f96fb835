/* tests/actors/store/fixture_store.h: what a fixture needs of each database, for its own files. */
#ifndef EDDA_TESTS_STORE_FIXTURE_STORE_H
#define EDDA_TESTS_STORE_FIXTURE_STORE_H

#include "tests/actors/store/fixture.h"

struct fixture_store {
    void (*make_place)(struct fixture *f); /* an empty directory, or an empty database */
    void (*remove_place)(struct fixture *f);
    int (*open)(struct fixture *f, char *message, size_t size);
    int64_t (*integer)(struct fixture *f, const char *sql);
    void (*run)(struct fixture *f, const char *sql);
    void (*check_tables)(struct fixture *f);
    const char *vectors_of_model; /* %s: its name */
    const char *vectors_waiting;
};

extern const struct fixture_store fixture_sqlite;
extern const struct fixture_store fixture_postgres;

/* Of the program's database. */
const char *fixture_postgres_url(void);

/* Ends the server and starts it again; all that are connected are cut off. */
void fixture_postgres_restart(void);

/* For edda_backend_events. */
void fixture_on_ready(void *context);

void check_tables_sqlite(struct fixture *f);
void check_tables_postgres(struct fixture *f);

/* Fails the test for the first of these that does not count 0. */
void must_count_zero(struct fixture *f, const char *const *statements, size_t count);

#endif
