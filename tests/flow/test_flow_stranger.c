/* tests/flow/test_flow_stranger.c: a client and a worker written from proto/README.md, with libzmq
 * and msgpack-c and nothing of ours: what that page says is enough to take part. */
#include <msgpack.h>
#include <stdio.h>
#include <zmq.h>

#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

enum { HELLO = 1, WELCOME, CREDIT, REQ, RESP, WORK, DONE, PART, PING = 13, PONG, BYE = 16, RESET };
enum { ID = 1, ATTEMPT, STEP, OP, TTL_MS, PROJECT = 8, BODIES = 14, SEQUENCE, ROUTE = 18 };
enum { HELLO_BODY = 1, WELCOME_BODY, CREDIT_BODY, PING_BODY, RESET_BODY, WORDS = 900 };

#define FRAMES  10
#define WAIT_MS 5000

struct stranger {
    void *socket;
    zmq_msg_t frames[FRAMES]; /* of the last message */
    size_t count;
    msgpack_unpacked envelope;
    msgpack_unpacked body; /* of the first one that is a map */
};

static const char id[16] = "\x01\x90\xaa\xaa\xbb\xbb\x7c\xcc\x8d\xdd\xee\xee\xff\xff\x00\x07";

/* ---- writing ---- */

/* A map that is being written: its keys must ascend. */
struct map {
    msgpack_sbuffer bytes;
    msgpack_packer packer;
};

static void begin(struct map *map, uint32_t fields) {
    msgpack_sbuffer_init(&map->bytes);
    msgpack_packer_init(&map->packer, &map->bytes, msgpack_sbuffer_write);
    msgpack_pack_map(&map->packer, fields);
}

static void put_number(struct map *map, uint64_t key, uint64_t number) {
    msgpack_pack_uint64(&map->packer, key);
    msgpack_pack_uint64(&map->packer, number);
}

static void put_text(struct map *map, uint64_t key, const char *text) {
    msgpack_pack_uint64(&map->packer, key);
    msgpack_pack_str_with_body(&map->packer, text, strlen(text));
}

static void put_bytes(struct map *map, uint64_t key, const char *bytes, size_t size) {
    msgpack_pack_uint64(&map->packer, key);
    msgpack_pack_bin_with_body(&map->packer, bytes, size);
}

/* One body's descriptor: type, version, size. */
static void put_body(struct map *map, uint64_t type, size_t size) {
    msgpack_pack_uint64(&map->packer, BODIES);
    msgpack_pack_array(&map->packer, 1);
    msgpack_pack_array(&map->packer, 3);
    msgpack_pack_uint64(&map->packer, type);
    msgpack_pack_uint64(&map->packer, 1);
    msgpack_pack_uint64(&map->packer, size);
}

static void write_message(struct stranger *self, uint8_t command, struct map *envelope,
                          const void *body, size_t size) {
    const uint8_t first[8] = {'E', 'D', 1, command};
    assert_int_equal(zmq_send(self->socket, first, sizeof first, ZMQ_SNDMORE), sizeof first);
    int more = body ? ZMQ_SNDMORE : 0;
    assert_true(zmq_send(self->socket, envelope->bytes.data, envelope->bytes.size, more) > 0);
    if (body) {
        assert_int_equal(zmq_send(self->socket, body, size, 0), size);
    }
    msgpack_sbuffer_destroy(&envelope->bytes);
}

/* A command of the session with its one body, or none. */
static void send_session(struct stranger *self, uint8_t command, uint64_t type, struct map *body) {
    struct map envelope;
    begin(&envelope, body ? 1 : 0);
    if (body) {
        put_body(&envelope, type, body->bytes.size);
    }
    write_message(self, command, &envelope, body ? body->bytes.data : NULL,
                  body ? body->bytes.size : 0);
    if (body) {
        msgpack_sbuffer_destroy(&body->bytes);
    }
}

/* ---- reading ---- */

static const msgpack_object *find(const msgpack_unpacked *unpacked, uint64_t key) {
    const msgpack_object_map *map = &unpacked->data.via.map;
    for (uint32_t i = 0; unpacked->data.type == MSGPACK_OBJECT_MAP && i < map->size; i++) {
        if (map->ptr[i].key.via.u64 == key) {
            return &map->ptr[i].val;
        }
    }
    return NULL;
}

static uint64_t number_of(const msgpack_unpacked *unpacked, uint64_t key) {
    const msgpack_object *value = find(unpacked, key);
    return value ? value->via.u64 : 0;
}

static void expect_text(const msgpack_unpacked *unpacked, uint64_t key, const char *text) {
    const msgpack_object *value = find(unpacked, key);
    assert_non_null(value);
    assert_int_equal(value->type, MSGPACK_OBJECT_STR);
    assert_int_equal(value->via.str.size, strlen(text));
    assert_memory_equal(value->via.str.ptr, text, strlen(text));
}

static void expect_id(const struct stranger *self) {
    const msgpack_object *value = find(&self->envelope, ID);
    assert_non_null(value);
    assert_int_equal(value->via.bin.size, sizeof id);
    assert_memory_equal(value->via.bin.ptr, id, sizeof id);
}

/* Body `n` is these words, as text. */
static void expect_words(struct stranger *self, size_t n, const char *words) {
    assert_true(self->count > 2 + n);
    assert_int_equal(zmq_msg_size(&self->frames[2 + n]), strlen(words));
    assert_memory_equal(zmq_msg_data(&self->frames[2 + n]), words, strlen(words));
}

static void forget(struct stranger *self) {
    for (; self->count > 0; self->count--) {
        zmq_msg_close(&self->frames[self->count - 1]);
    }
    msgpack_unpacked_destroy(&self->envelope);
    msgpack_unpacked_destroy(&self->body);
}

static void unpack(msgpack_unpacked *unpacked, zmq_msg_t *frame) {
    size_t used = 0;
    msgpack_unpacked_destroy(unpacked);
    assert_int_equal(msgpack_unpack_next(unpacked, zmq_msg_data(frame), zmq_msg_size(frame), &used),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(used, zmq_msg_size(frame));
}

/* The next message; returns its command. */
static uint8_t receive(struct stranger *self) {
    int more = 1;
    forget(self);
    while (more) {
        size_t size = sizeof more;
        assert_true(self->count < FRAMES);
        zmq_msg_init(&self->frames[self->count]);
        assert_true(zmq_msg_recv(&self->frames[self->count++], self->socket, 0) >= 0);
        zmq_getsockopt(self->socket, ZMQ_RCVMORE, &more, &size);
    }
    const uint8_t *first = zmq_msg_data(&self->frames[0]);
    assert_int_equal(zmq_msg_size(&self->frames[0]), 8);
    assert_memory_equal(first, "ED\x01", 3);
    unpack(&self->envelope, &self->frames[1]);
    return first[3];
}

/* The next that is this command. PINGs are answered, what else the session says is passed over. */
static void expect(struct stranger *self, uint8_t wanted) {
    uint8_t command;
    while ((command = receive(self)) != wanted) {
        if (command == PING) {
            struct map pong;
            unpack(&self->body, &self->frames[2]);
            begin(&pong, 1);
            put_number(&pong, 1, number_of(&self->body, 1));
            send_session(self, PONG, PING_BODY, &pong);
        } else if (command != PONG && command != CREDIT) {
            fail_msg("command %d instead of %d", command, wanted);
        }
    }
}

/* ---- taking part ---- */

static void join(struct stranger *self, void *context, const char *url, const char *role,
                 const char *service) {
    struct map hello;
    int wait_ms = WAIT_MS;
    *self = (struct stranger){.socket = zmq_socket(context, ZMQ_DEALER)};
    msgpack_unpacked_init(&self->envelope);
    msgpack_unpacked_init(&self->body);
    zmq_setsockopt(self->socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &wait_ms, sizeof wait_ms);
    assert_int_equal(zmq_connect(self->socket, url), 0);
    begin(&hello, service ? 5 : 3);
    put_bytes(&hello, 1, service ? "the worker......" : "the client......", 16);
    put_number(&hello, 2, 1);
    put_text(&hello, 3, role);
    if (service) {
        struct msgpack_packer *packer = &hello.packer;
        msgpack_pack_uint64(packer, 6);
        msgpack_pack_array(packer, 1);
        msgpack_pack_map(packer, 1);
        put_text(&hello, 1, service);
        put_number(&hello, 7, 2);
    }
    send_session(self, HELLO, HELLO_BODY, &hello);
    expect(self, WELCOME);
    unpack(&self->body, &self->frames[2]);
    assert_int_equal(number_of(&self->body, 4), SCENARIO_PING_MS);
    assert_int_equal(number_of(&self->body, 5), SCENARIO_LIVENESS);
}

static void leave(struct stranger *self) {
    send_session(self, BYE, 0, NULL);
    forget(self);
    assert_int_equal(zmq_close(self->socket), 0);
}

/* Totals since the session began, or of one request's pieces. */
static void grant(struct stranger *self, bool stream, uint64_t messages) {
    struct map body;
    struct map envelope;
    begin(&body, 2);
    put_number(&body, 2, messages);
    put_number(&body, 3, messages << 20);
    begin(&envelope, stream ? 2 : 1);
    if (stream) {
        put_bytes(&envelope, ID, id, sizeof id);
    }
    put_body(&envelope, CREDIT_BODY, body.bytes.size);
    write_message(self, CREDIT, &envelope, body.bytes.data, body.bytes.size);
    msgpack_sbuffer_destroy(&body.bytes);
}

static void ask(struct stranger *client, const char *op, const char *words) {
    struct map envelope;
    begin(&envelope, 5);
    put_bytes(&envelope, ID, id, sizeof id);
    put_number(&envelope, TTL_MS, 60000);
    put_text(&envelope, PROJECT, "books");
    put_body(&envelope, WORDS, strlen(words));
    msgpack_pack_uint64(&envelope.packer, ROUTE);
    msgpack_pack_array(&envelope.packer, 1);
    msgpack_pack_array(&envelope.packer, 4);
    msgpack_pack_str_with_body(&envelope.packer, op, strlen(op));
    msgpack_pack_uint64(&envelope.packer, 0); /* the op's budget */
    msgpack_pack_uint64(&envelope.packer, 0); /* an error fails the request */
    msgpack_pack_uint64(&envelope.packer, 0); /* its arguments: the first body */
    write_message(client, REQ, &envelope, words, strlen(words));
}

/* What the worker says of attempt 1 of step 0: a piece, or the end. */
static void say(struct stranger *worker, uint8_t command, const char *words) {
    struct map envelope;
    begin(&envelope, 3);
    put_bytes(&envelope, ID, id, sizeof id);
    put_number(&envelope, ATTEMPT, 1);
    put_body(&envelope, WORDS, strlen(words));
    write_message(worker, command, &envelope, words, strlen(words));
}

static void a_stranger_asks_and_another_answers(void **state) {
    (void)state;
    char back[300];
    struct stranger client;
    struct stranger worker;
    edda_scenario_t *scenario = scenario_start("ipc");
    void *context = zmq_ctx_new();
    (void)snprintf(back, sizeof back, "%s.back", scenario_url(scenario));
    join(&worker, context, back, "worker", "parrot");
    grant(&worker, false, 1);
    join(&client, context, scenario_url(scenario), "gateway", NULL);
    expect(&client, CREDIT);
    unpack(&client.body, &client.frames[2]);
    expect_text(&client.body, 1, "parrot");
    assert_true(number_of(&client.body, 2) > 0);

    ask(&client, "parrot.say", "a word");
    grant(&client, true, 1);
    expect(&worker, WORK);
    expect_id(&worker);
    assert_int_equal(number_of(&worker.envelope, ATTEMPT), 1);
    expect_text(&worker.envelope, OP, "parrot.say");
    expect_text(&worker.envelope, PROJECT, "books");
    assert_in_range(number_of(&worker.envelope, TTL_MS), 1, 60000);
    expect_words(&worker, 0, "a word");
    assert_int_equal(zmq_msg_size(&worker.frames[3]), 0); /* nothing was before it */

    expect(&worker, CREDIT);
    expect_id(&worker);
    say(&worker, PART, "a w");
    expect(&client, PART);
    expect_id(&client);
    assert_int_equal(number_of(&client.envelope, SEQUENCE), 0);
    expect_words(&client, 0, "a w");
    say(&worker, DONE, "a word, a word");
    expect(&client, RESP);
    expect_id(&client);
    assert_int_equal(number_of(&client.envelope, SEQUENCE), 1); /* so many PARTs went before */
    expect_words(&client, 0, "a word, a word");

    leave(&client);
    leave(&worker);
    expect_balance(scenario);
    scenario_stop(&scenario);
    assert_int_equal(zmq_ctx_term(context), 0);
}

static void who_has_no_session_is_told_so(void **state) {
    (void)state;
    struct stranger client;
    struct map ping;
    edda_scenario_t *scenario = scenario_start("ipc");
    void *context = zmq_ctx_new();
    join(&client, context, scenario_url(scenario), "gateway", NULL);
    begin(&ping, 1);
    put_number(&ping, 1, 4711);
    send_session(&client, PING, PING_BODY, &ping);
    expect(&client, PONG);
    unpack(&client.body, &client.frames[2]);
    assert_int_equal(number_of(&client.body, 1), 4711);
    send_session(&client, BYE, 0, NULL);
    begin(&ping, 0);
    send_session(&client, PING, PING_BODY, &ping);
    expect(&client, RESET);
    unpack(&client.body, &client.frames[2]);
    assert_int_equal(number_of(&client.body, 1), 18); /* unknown_session */
    leave(&client);
    scenario_stop(&scenario);
    assert_int_equal(zmq_ctx_term(context), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_asks_and_another_answers),
        cmocka_unit_test(who_has_no_session_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
