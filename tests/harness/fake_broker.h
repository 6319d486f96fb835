/* tests/harness/fake_broker.h: a broker that says what a test tells it to, for peers under test.
 *
 *   struct fake_broker *fake = fake_broker_new(loop, zmq_context, "inproc://fake");
 *   edda_client_t *client = edda_client_new(...);
 *   fake_broker_accept(fake, FAKE_FRONT);                  // HELLO -> WELCOME
 *   fake_broker_grant(fake, "embed", 10, 1 << 20);
 *   ... edda_client_call(...)
 *   const struct edda_wire *request = fake_broker_expect(fake, FAKE_FRONT, EDDA_REQ);
 *   fake_broker_respond(fake, &request->message.envelope.id, EDDA_BODY_EMPTY, bytes);
 *   fake_loop_until(loop, is_answered, &call);
 *
 * It lives on the loop of the peer under test; every expect runs that loop for up to ten seconds
 * and fails the test (cmocka) when something else or nothing comes. PINGs are answered and PONGs
 * counted without being queued, unless told not to. One peer per side at a time: the last that said
 * HELLO.
 *
 * Threads: the test's one. */
#ifndef EDDA_TESTS_FAKE_BROKER_H
#define EDDA_TESTS_FAKE_BROKER_H

#include "actors/runtime/loop.h"
#include "actors/runtime/wire.h"
#include "proto/body_peer.h"

#define FAKE_WAIT_MS 10000

enum fake_side { FAKE_FRONT, FAKE_BACK, FAKE_SIDES };

struct fake_broker;

typedef bool (*fake_condition_fn)(void *context);

/* Runs the loop until the condition holds (checked every millisecond) or limit_ms is over. Returns
 * whether it held. */
bool fake_loop_until(edda_loop_t *loop, fake_condition_fn condition, void *context,
                     int64_t limit_ms);

/* Runs the loop for this long. */
void fake_loop_for(edda_loop_t *loop, int64_t ms);

/* Binds the front at url and the back at its back endpoint. */
struct fake_broker *fake_broker_new(edda_loop_t *loop, void *zmq_context, const char *url);
void fake_broker_destroy(struct fake_broker **fake_p);

/* Closes and binds both sockets again: peers' sessions are unknown from here on. What was queued is
 * forgotten. */
void fake_broker_restart(struct fake_broker *fake);

/* The interval and liveness WELCOME tells; 1000 and 3 when not set. */
void fake_broker_tune(struct fake_broker *fake, uint32_t ping_ms, uint32_t liveness);

/* true: PINGs are queued like any message and not answered. */
void fake_broker_deaf(struct fake_broker *fake, bool deaf);

/* From here on messages of this command are counted and not queued. */
void fake_broker_ignore(struct fake_broker *fake, uint8_t command);
size_t fake_broker_ignored(const struct fake_broker *fake);

/* Drops the PINGs that head that side's queue. */
void fake_broker_forget_pings(struct fake_broker *fake, enum fake_side side);

/* The next message of that side, which must have this command. Borrowed until the next expect of
 * the same side. */
const struct edda_wire *fake_broker_expect(struct fake_broker *fake, enum fake_side side,
                                           uint8_t command);

/* The next message that is not a CREDIT, whatever it is; CREDITs before it are noted
 * (fake_broker_granted). */
const struct edda_wire *fake_broker_next(struct fake_broker *fake, enum fake_side side);

/* The same, which must have this command. */
const struct edda_wire *fake_broker_expect_after_credit(struct fake_broker *fake,
                                                        enum fake_side side, uint8_t command);

/* Nothing (but CREDIT, when ignore_credit) comes for ms. */
void fake_broker_expect_nothing(struct fake_broker *fake, enum fake_side side, int64_t ms,
                                bool ignore_credit);

/* Whether any message comes within ms; it stays in the queue. */
bool fake_broker_has(struct fake_broker *fake, enum fake_side side, int64_t ms);

/* The worker's cumulative grant as last told by CREDIT or PING. */
uint64_t fake_broker_granted(const struct fake_broker *fake);
uint64_t fake_broker_granted_bytes(const struct fake_broker *fake);

/* As if what was told had been lost: only what is told from here on counts. */
void fake_broker_lose_grants(struct fake_broker *fake);

/* Waits until the worker's grant is exactly this many messages. */
void fake_broker_expect_granted(struct fake_broker *fake, uint64_t messages);

/* HELLO, answered with WELCOME. A copy of the HELLO without its texts and lists. */
struct edda_hello fake_broker_accept(struct fake_broker *fake, enum fake_side side);
void fake_broker_welcome(struct fake_broker *fake, enum fake_side side);

/* Any message to the side's peer. */
void fake_broker_send(struct fake_broker *fake, enum fake_side side,
                      const struct edda_message *message, const struct edda_bytes *bodies,
                      size_t count);
void fake_broker_tell(struct fake_broker *fake, enum fake_side side, uint8_t command,
                      const struct edda_uuid *id, uint16_t type, const void *record);
void fake_broker_reset(struct fake_broker *fake, enum fake_side side, int code);

/* To the client. */
void fake_broker_grant(struct fake_broker *fake, const char *service, uint64_t messages,
                       uint64_t bytes);
void fake_broker_respond(struct fake_broker *fake, const struct edda_uuid *id, uint16_t type,
                         struct edda_bytes body);
void fake_broker_fail(struct fake_broker *fake, const struct edda_uuid *id, int code);
void fake_broker_part(struct fake_broker *fake, const struct edda_uuid *id, uint32_t sequence);

/* To the worker: WORK with these arguments (type 0: absent), attempt 1, no input. */
void fake_broker_work(struct fake_broker *fake, const struct edda_uuid *id, const char *op,
                      uint32_t ttl_ms, uint16_t type, struct edda_bytes arguments);

/* How many PINGs and PONGs came. */
size_t fake_broker_pings(const struct fake_broker *fake);

#endif
