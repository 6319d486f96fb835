/* tests/harness/live_role.h: a worker's role in its thread, before a broker that is a fake.
 *
 *   struct live_role live;
 *   live_role_prepare(&live, "reranker");            // config is the test's to fill
 *   live_role_start(&live, edda_reranker_main);
 *   live_role_send(&live, &message, EDDA_BODY_RERANK_ARGUMENTS, &arguments, 0, NULL);
 *   ... fake_broker_expect_after_credit(live.fake, FAKE_BACK, EDDA_DONE);
 *   live_role_stop(&live);
 *
 * Threads: the test's, which runs the fake, and the role's. */
#ifndef EDDA_TESTS_LIVE_ROLE_H
#define EDDA_TESTS_LIVE_ROLE_H

#include "actors/runtime/role.h"
#include "proto/arena.h"
#include "tests/harness/fake_broker.h"

struct provider_process; /* tests/provider */

struct live_role {
    void *zmq_context;
    edda_loop_t *loop;
    edda_config_t *config;
    struct fake_broker *fake;
    struct provider_process *provider; /* the test's own; NULL: none */
    struct edda_role role;
    edda_thread_t *thread;
    struct edda_arena arena; /* of what is given back */
    char detail[256];        /* what the role said when it was ready */
};

/* name is static. */
void live_role_prepare(struct live_role *live, const char *name);

/* Makes the thread; the role is welcomed. */
void live_role_start(struct live_role *live, edda_role_main_fn main_function);

/* The role ends by itself with this result, without having been ready. */
void live_role_expect_refusal(struct live_role *live, edda_role_main_fn main_function, int result);

/* Drains within limit_ms; the role must end with this result, or well. */
void live_role_end(struct live_role *live, int64_t limit_ms, int result);
void live_role_stop(struct live_role *live);

/* WORK with these bodies, a record NULL: none; the message's other fields are the test's. */
void live_role_send(struct live_role *live, struct edda_message *message, uint16_t type,
                    const void *arguments, uint16_t input_type, const void *input);

#endif
