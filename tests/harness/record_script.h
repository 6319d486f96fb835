/* tests/harness/record_script.h: verbs of a script whose other end is no fake and reads what it
 * gets: records of proto/body.h instead of texts.
 *
 *   const struct record_step step = {"store.status", EDDA_BODY_STORE_SELECT, &select};
 *   struct edda_uuid id = send_steps(gateway, "p", 0, &step, 1);
 *   assert_int_equal(expect_record(gateway, &id, &arena, EDDA_BODY_STORE_STATUS, &status), 0);
 *
 * What is read is copied into the arena. Threads: the test's one. */
#ifndef EDDA_TESTS_RECORD_SCRIPT_H
#define EDDA_TESTS_RECORD_SCRIPT_H

#include "proto/arena.h"
#include "tests/harness/scenario.h"

struct record_step {
    const char *op;
    uint16_t type; /* of the arguments */
    const void *arguments;
};

/* At most EDDA_MAX_ROUTE steps, with ten seconds for all of them. Returns the request's id. */
struct edda_uuid send_steps(edda_fake_t *client, const char *project, uint64_t fence,
                            const struct record_step *steps, size_t count);

/* The reply to id: its error, or 0 and the record, which must be of this type. */
int expect_record(edda_fake_t *client, const struct edda_uuid *id, struct edda_arena *arena,
                  uint16_t type, void *ret_record);

/* The next WORK, which must be of this op; ret_input may be NULL. */
struct fake_work expect_record_work(edda_fake_t *worker, const char *op, struct edda_arena *arena,
                                    void *ret_arguments, void *ret_input);

/* output: of the op's type. */
void send_record_done(edda_fake_t *worker, const struct fake_work *work, const void *output);

#endif
