/* tests/actors/runtime/clients.c: makes them and takes them down. */
#include "tests/actors/runtime/clients.h"

#include "proto/limits.h"
#include "tests/proto/cmocka.h"

#define MEBIBYTE (1u << 20)

void *context;
edda_loop_t *loop;
const char *urls[BROKERS];
struct fake_broker *fakes[BROKERS];
edda_client_t *client;
int changes;
const struct edda_step embed = {.op = "embed"};
const struct edda_bytes nothing = {NULL, 0};

static void note_change(void *no_context) {
    (void)no_context;
    changes++;
}

int set_up(void **state) {
    (void)state;
    urls[0] = FIRST_URL;
    urls[1] = SECOND_URL;
    context = zmq_ctx_new();
    loop = edda_loop_new("test");
    changes = 0;
    return 0;
}

int tear_down(void **state) {
    (void)state;
    edda_client_destroy(&client);
    for (size_t i = 0; i < BROKERS; i++) {
        fake_broker_destroy(&fakes[i]);
    }
    edda_loop_destroy(&loop);
    zmq_ctx_term(context);
    return 0;
}

void start_client(size_t brokers) {
    struct edda_client_options options = {
        .loop = loop,
        .zmq_context = context,
        .brokers = urls,
        .broker_count = brokers,
        .role = "gateway",
        .name = "tester",
        .on_change = note_change,
    };
    client = edda_client_new(&options);
    assert_non_null(client);
}

static void start_brokers(size_t brokers, uint32_t ping_ms) {
    for (size_t i = 0; i < brokers; i++) {
        fakes[i] = fake_broker_new(loop, context, urls[i]);
        fake_broker_tune(fakes[i], ping_ms, 5);
    }
    start_client(brokers);
}

void start_silent(size_t brokers) {
    start_brokers(brokers, EDDA_PING_MS);
}

void start_with_ping(size_t brokers, uint32_t ping_ms) {
    start_brokers(brokers, ping_ms);
    for (size_t i = 0; i < brokers; i++) {
        (void)fake_broker_accept(fakes[i], FAKE_FRONT);
    }
    expect_live(brokers);
}

void start(size_t brokers) {
    start_with_ping(brokers, EDDA_PING_MS);
}

static bool is_live_count(void *wanted) {
    return edda_client_brokers_live(client) == *(size_t *)wanted;
}

void expect_live(size_t brokers) {
    assert_true(fake_loop_until(loop, is_live_count, &brokers, FAKE_WAIT_MS));
}

static bool has_credit(void *service) {
    return edda_client_credit(client, service) > 0;
}

void grant_bytes(struct fake_broker *fake, const char *service, uint64_t messages, uint64_t bytes) {
    fake_broker_grant(fake, service, messages, bytes);
    assert_true(fake_loop_until(loop, has_credit, (void *)(uintptr_t)service, FAKE_WAIT_MS));
}

void grant(struct fake_broker *fake, const char *service, uint64_t messages) {
    grant_bytes(fake, service, messages, messages * MEBIBYTE);
}

struct edda_uuid expect_request(struct fake_broker *fake) {
    return fake_broker_expect(fake, FAKE_FRONT, EDDA_REQ)->message.envelope.id;
}

struct edda_uuid ask(struct answer *answer) {
    struct edda_request request = make_request(&embed, answer);
    assert_int_equal(edda_client_call(client, &request, NULL), 0);
    return expect_request(fakes[0]);
}
