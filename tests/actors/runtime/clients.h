/* tests/actors/runtime/clients.h: a client before fake brokers, as every program that tests clients
 * makes it. The variables are those of the test that runs. */
#ifndef EDDA_TESTS_RUNTIME_CLIENTS_H
#define EDDA_TESTS_RUNTIME_CLIENTS_H

#include "tests/actors/runtime/peers.h"

extern void *context;
extern edda_loop_t *loop;
extern const char *urls[BROKERS]; /* FIRST_URL and SECOND_URL, until a test says others */
extern struct fake_broker *fakes[BROKERS];
extern edda_client_t *client;
extern int changes; /* how often the client told of one */
extern const struct edda_step embed;
extern const struct edda_bytes nothing;

int set_up(void **state); /* context and loop alone */
int tear_down(void **state);

/* A client of that many brokers at urls, whether they are there or not. */
void start_client(size_t brokers);

/* The same with the brokers, which have said nothing yet. */
void start_silent(size_t brokers);

/* The same, welcomed by each. */
void start(size_t brokers);

/* Only tests of silence have short intervals: a busy machine may pause us for long. */
void start_with_ping(size_t brokers, uint32_t ping_ms);

void expect_live(size_t brokers);

/* Has the client know that it may have sent so many of a service. */
void grant(struct fake_broker *fake, const char *service, uint64_t messages);
void grant_bytes(struct fake_broker *fake, const char *service, uint64_t messages, uint64_t bytes);

struct edda_uuid expect_request(struct fake_broker *fake);

/* A call of embed, which the first broker has been sent. */
struct edda_uuid ask(struct answer *answer);

#endif
