/* tests/harness/postgres.h: the server of ops/postgres that a test is on: the one whose folder
 * EDDA_TEST_POSTGRES names, as CTest says it (edda_uses_postgres). Both fail the test when it is
 * not there. */
#ifndef EDDA_TESTS_HARNESS_POSTGRES_H
#define EDDA_TESTS_HARNESS_POSTGRES_H

/* "postgres://edda:...@127.0.0.1:PORT/edda"; until the next call. */
const char *server_url(void);

/* Runs `ops/postgres VERB` on it: "stop", "kill", "start", "restart". */
void server_do(const char *verb);

#endif
