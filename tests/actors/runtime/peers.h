/* tests/actors/runtime/peers.h: a client or actor before fake brokers, with its answers kept. */
#ifndef EDDA_TESTS_RUNTIME_PEERS_H
#define EDDA_TESTS_RUNTIME_PEERS_H

#include "actors/runtime/client.h"
#include "tests/harness/fake_broker.h"

#define BROKERS    2
#define FIRST_URL  "inproc://first"
#define SECOND_URL "inproc://second"

/* What one call was told. */
struct answer {
    edda_loop_t *loop;
    int replies;
    int error;
    uint16_t type;
    uint8_t body[64];
    size_t body_size;
    size_t degraded;
    char text[64];
    unsigned step;
    uint32_t parts;
    uint32_t next_part;
    int progress;
    unsigned progress_step; /* of the last one */
    int64_t at_ms;
};

void answer_reply(void *context, const struct edda_reply *reply);
void answer_part(void *context, uint32_t sequence, uint16_t type, struct edda_bytes body);
void answer_progress(void *context, unsigned step);

/* Runs the loop until the answer has its reply. */
void expect_answer(edda_loop_t *loop, struct answer *answer, int error);

/* A request of one step without arguments, any broker, ttl of 5 s, to be answered into answer. */
struct edda_request make_request(const struct edda_step *step, struct answer *answer);

#endif
