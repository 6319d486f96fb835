/* tests/proto/records.h: body records made and compared by their schema, for any body.
 *
 * A test of one body's codec is then a test of all. Lists and texts live in the arena given. */
#ifndef EDDA_TESTS_PROTO_RECORDS_H
#define EDDA_TESTS_PROTO_RECORDS_H

#include "proto/body.h"
#include "tests/proto/random.h"

/* No body's struct is larger. */
union any_record {
    uint8_t bytes[1024];
    max_align_t aligned;
};

/* Some fields present, some absent, required ones always; lengths from empty to the maximum, as far
 * as a frame has room. */
void record_fill_randomly(const struct edda_schema *schema, struct random *random,
                          struct edda_arena *arena, void *record);

/* Every field present with a value that tells its name and key: always the same bytes. */
void record_fill_fully(const struct edda_schema *schema, struct edda_arena *arena, void *record);

/* Field by field; absent and zero are equal, an absent and an empty text are not. */
bool record_equal(const struct edda_schema *schema, const void *a, const void *b);

#endif
