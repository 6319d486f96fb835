/* tests/gateway/fields.h: a request's JSON and the arena of what is read from it, for the programs
 * that test such fields. The variables are those of the test that runs. */
#ifndef EDDA_TESTS_GATEWAY_FIELDS_H
#define EDDA_TESTS_GATEWAY_FIELDS_H

#include "gateway/read.h"
#include "tests/proto/cmocka.h"

extern struct edda_arena arena;
extern json_t *json; /* NULL: there is no body */

int start(void **state);
int stop(void **state);

/* text NULL: no body. */
void parse(const char *text);

/* wanted NULL: it is accepted; else refused as EDDA_E_INVALID in these words. */
void expect_words(const char *text, int error, const char *message, const char *wanted);

#endif
