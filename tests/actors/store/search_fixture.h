/* tests/actors/store/search_fixture.h: what tests of searches over PostgreSQL share. */
#ifndef EDDA_TESTS_STORE_SEARCH_FIXTURE_H
#define EDDA_TESTS_STORE_SEARCH_FIXTURE_H

#include "tests/actors/store/fixture.h"

/* A second store process's place: the same database, another index. */
struct second {
    struct fixture *f;
    edda_backend_t *first;
    edda_backend_t *second;
};

struct second open_second(struct fixture *f);
/* Whom the fixture's words ask from now on. */
void use(struct second *both, bool second);
void close_second(struct second *both);

/* Forty processed memos of three chunks, the same in every store. */
void fill_words(struct fixture *f);

#endif
