/* tests/harness/scenario.h: scripts for messages: a real broker, fake clients, fake workers.
 *
 *   edda_scenario_t *s = scenario_start("inproc");
 *   edda_fake_t *gateway = scenario_client(s, "gateway");
 *   edda_fake_t *embedder = scenario_worker(s, "embed", 2);
 *   struct edda_uuid id = send_req(gateway, "embed");
 *   struct fake_work work = expect_work(embedder, "embed");
 *   send_done(embedder, &work, "vectors");
 *   expect_resp(gateway, &id, "vectors");
 *   expect_balance(s);
 *   scenario_stop(&s);
 *
 * The broker runs on its own thread. Fakes speak raw frames, answer PING while any expect_ waits,
 * and keep what arrived for others meanwhile. Every expect_ waits up to five seconds and fails the
 * test (cmocka) with what it got instead. A fake's messages are kept in order, and an expect_ takes
 * the first that is not PING, PONG, WELCOME or CREDIT (those are noted, see fake_credit).
 *
 * The broker's ping interval is SCENARIO_PING_MS unless a test says another, so death by silence
 * takes SCENARIO_LIVENESS of those. Threads: the test's one. Bodies are texts; type numbers follow
 * the tables of proto. */
#ifndef EDDA_TESTS_SCENARIO_H
#define EDDA_TESTS_SCENARIO_H

#include "actors/runtime/curve.h"
#include "proto/body_peer.h"
#include "proto/message.h"

#define SCENARIO_PING_MS  200
#define SCENARIO_LIVENESS 5
#define SCENARIO_WAIT_MS  5000

typedef struct edda_scenario edda_scenario_t;
typedef struct edda_fake edda_fake_t;

/* What a fake got; texts live in it. */
struct fake_work {
    struct edda_uuid id;
    uint8_t attempt;
    uint8_t step;
    uint8_t retries;
    uint8_t priority;
    uint32_t ttl_ms;
    uint64_t fence;
    uint16_t flags;
    char op[EDDA_MAX_NAME + 1];
    char project[EDDA_MAX_NAME + 1];
    char arguments[256]; /* body texts, cut */
    char input[256];
    uint16_t arguments_type;
    uint16_t input_type;
};

struct fake_reply {
    struct edda_uuid id;
    int error;
    uint8_t blame;
    uint32_t retry_after_ms;
    uint16_t type;
    char body[256];
    char degraded[256]; /* names joined by one space */
};

/* What send_req_with may change from send_req's: priority 0, retries 2, ttl 5 s, project "test". */
struct fake_request {
    const char *route;
    const char *project;
    uint8_t priority;
    uint8_t retries;
    uint32_t ttl_ms;
    uint16_t flags;
    uint64_t fence;
    struct edda_uuid id; /* nil: a new one */
};

/* transport: "inproc", "ipc", "tcp" or "curve", which is tcp with keys; NULL: what the variable
 * EDDA_FLOW_TRANSPORT says, else inproc. Never gives NULL: fails the test instead. */
edda_scenario_t *scenario_start(const char *transport);
edda_scenario_t *scenario_start_with_ping(const char *transport, uint32_t ping_ms);
void scenario_stop(edda_scenario_t **self_p);

/* Kills the broker, forgetting everything, and starts another at the same URL. */
void scenario_restart(edda_scenario_t *self);

/* Asks the broker to drain; scenario_ended waits for its end. */
void scenario_drain(edda_scenario_t *self);
bool scenario_ended(edda_scenario_t *self, int64_t wait_ms);

const char *scenario_url(const edda_scenario_t *self);
void *scenario_context(const edda_scenario_t *self); /* ZeroMQ's, for inproc peers of your own */
const edda_curve_t *scenario_curve(const edda_scenario_t *self); /* of a peer; NULL: plain */

/* Transport "curve": the broker's public key; and the authorized file written anew, with a line for
 * the scenario's own peers and these. */
const char *scenario_broker_key(const edda_scenario_t *self);
void scenario_authorize(edda_scenario_t *self, const char *lines);

/* A worker that has said HELLO, was WELCOMEd and has granted its window. services: names with
 * commas. */
edda_fake_t *scenario_worker(edda_scenario_t *self, const char *services, uint32_t window);

/* The same without any grant: send_credit does it. */
edda_fake_t *scenario_worker_without_credit(edda_scenario_t *self, const char *services,
                                            uint32_t window);

/* role: "gateway", "pump" or "cli". */
edda_fake_t *scenario_client(edda_scenario_t *self, const char *role);

/* A connection that has said nothing. back: to the workers' endpoint. */
edda_fake_t *scenario_stranger(edda_scenario_t *self, bool back);

/* The same with a key pair of its own (borrowed), or without one. */
edda_fake_t *scenario_stranger_with(edda_scenario_t *self, bool back, const edda_curve_t *curve);

/* Whether it has a connection, or gets one within this time. */
bool fake_connected(edda_fake_t *fake, int64_t wait_ms);

/* HELLO of a stranger, or again with another incarnation; nothing is awaited. */
void send_hello(edda_fake_t *fake, const char *role, const char *services, uint32_t window,
                uint64_t incarnation);

/* Closes the connection without a word. The fake may come back with peer_reconnect: same node, same
 * incarnation, new connection, HELLO and WELCOME. */
void kill_peer(edda_fake_t *fake);
void peer_reconnect(edda_fake_t *fake);

/* Stops answering and reading, as a hung process does, until it is woken. */
void freeze_peer(edda_fake_t *fake, bool frozen);

/* Route: ops with " -> " between; "op?" may be skipped on error; "op(250)" has that budget in ms.
 * Step k's arguments are the text "arguments of <op>". Returns the request's id. */
struct edda_uuid send_req(edda_fake_t *client, const char *route);
struct edda_uuid send_req_with(edda_fake_t *client, const struct fake_request *request);

void send_cancel(edda_fake_t *client, const struct edda_uuid *id);
void send_stream_credit(edda_fake_t *client, const struct edda_uuid *id, uint64_t messages,
                        uint64_t bytes);

struct fake_work expect_work(edda_fake_t *worker, const char *op);
void expect_cancel(edda_fake_t *worker, const struct edda_uuid *id);
void expect_stream_credit(edda_fake_t *worker, const struct edda_uuid *id, uint64_t messages);

/* Each gives one message of credit back, as an actor does; the body's type is the op's output. */
void send_done(edda_fake_t *worker, const struct fake_work *work, const char *output);
void send_done_of_type(edda_fake_t *worker, const struct fake_work *work, uint16_t type,
                       const char *output);
void send_fail(edda_fake_t *worker, const struct fake_work *work, int code, enum edda_blame blame);
void send_return(edda_fake_t *worker, const struct fake_work *work);

void send_part(edda_fake_t *worker, const struct fake_work *work, uint32_t sequence,
               const char *text);
void send_progress(edda_fake_t *worker, const struct fake_work *work);

/* Grants this many more messages (and enough bytes). */
void send_credit(edda_fake_t *worker, uint64_t more);

/* A command with nothing in it: DRAIN, BYE, and what should not be sent. */
void send_command(edda_fake_t *fake, enum edda_command command);

/* Raw frames as they are, F0 first. */
void send_frames(edda_fake_t *fake, const struct edda_bytes *frames, size_t count);

/* The reply to id; body NULL: any. */
struct fake_reply expect_resp(edda_fake_t *client, const struct edda_uuid *id, const char *body);
struct fake_reply expect_fail(edda_fake_t *client, const struct edda_uuid *id, int code);
void expect_part(edda_fake_t *client, const struct edda_uuid *id, uint32_t sequence,
                 const char *text);
void expect_progress(edda_fake_t *client, const struct edda_uuid *id);

/* RESET with this code; the connection is to be given up then. */
void expect_reset(edda_fake_t *fake, int code);
void expect_command(edda_fake_t *fake, enum edda_command command);
void expect_welcome(edda_fake_t *fake);

/* Nothing but session commands for this long. */
void expect_silence(edda_fake_t *fake, int64_t wait_ms);

/* Whether a message for an expect_ is there, or comes within this time. */
bool fake_has_mail(edda_fake_t *fake, int64_t wait_ms);

/* The cumulative grant for `service` that a client was told; 0: none. */
uint64_t fake_credit(edda_fake_t *client, const char *service);

/* Waits until it is at least this. */
void expect_credit(edda_fake_t *client, const char *service, uint64_t messages);

/* broker.status as a client sees it; services lives until the next call. */
const struct edda_broker_status *scenario_status(edda_scenario_t *self);

/* admitted == ended + queued + running, and nothing is open. */
void expect_balance(edda_scenario_t *self);

/* Waits with pings answered. */
void scenario_sleep(edda_scenario_t *self, int64_t wait_ms);

/* Waits until the broker has read all that this fake sent (PING and its PONG). */
void fake_settle(edda_fake_t *fake);

const struct edda_uuid *fake_node(const edda_fake_t *fake);

#endif
