/* tests/actors/runtime/test_wire.c: what is taken, what is refused, what is shared. */
#include "actors/runtime/wire.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/socket.h"
#include "proto/body.h"
#include "proto/body_peer.h"
#include "tests/harness/wire_send.h"
#include "tests/proto/cmocka.h"

static void *context;
static void *router;
static void *dealer;
static struct edda_wire wire;

static int set_up(void **state) {
    (void)state;
    const char *urls[] = {"inproc://wire"};
    context = zmq_ctx_new();
    edda_wire_init(&wire);
    return edda_socket_router(context, urls, 1, false, &router) ||
           edda_socket_dealer(context, urls[0], NULL, 0, &dealer);
}

static int tear_down(void **state) {
    (void)state;
    edda_wire_done(&wire);
    edda_socket_close(&dealer, 0);
    edda_socket_close(&router, 0);
    zmq_ctx_term(context);
    return 0;
}

static struct edda_message make_response(uint16_t type, size_t size) {
    struct edda_message message = {.command = EDDA_RESP, .envelope.id = edda_uuid_new()};
    message.envelope.body_count = 1;
    message.envelope.bodies[0] =
        (struct edda_body_descriptor){.type = type, .version = 1, .bytes = (uint32_t)size};
    return message;
}

static void a_message_arrives_as_it_was_sent(void **state) {
    (void)state;
    struct edda_message message = make_response(EDDA_BODY_CHUNKS, 5);
    struct edda_bytes body = {(const uint8_t *)"hello", 5};
    message.envelope.project = EDDA_TEXT("default");
    assert_int_equal(wire_send_bytes(dealer, NULL, 0, &message, &body, 1), 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), 0);
    assert_true(wire.routing_id_size > 0);
    assert_int_equal(wire.frame_count, 3);
    assert_int_equal(wire.message.command, EDDA_RESP);
    assert_true(edda_uuid_equal(&wire.message.envelope.id, &message.envelope.id));
    assert_true(edda_text_is(wire.message.envelope.project, "default"));
    assert_int_equal(wire.message.bodies[0].size, 5);
    assert_memory_equal(wire.message.bodies[0].data, "hello", 5);
    assert_int_equal(edda_message_body_type(&wire.message, 0), EDDA_BODY_CHUNKS);
}

static void nothing_there_is_again(void **state) {
    (void)state;
    assert_int_equal(edda_wire_receive(router, true, &wire), EDDA_E_AGAIN);
    assert_int_equal(edda_wire_receive(dealer, false, &wire), EDDA_E_AGAIN);
    assert_int_equal(wire.frame_count, 0);
}

static void a_router_answers_by_routing_id_and_knows_who_is_gone(void **state) {
    (void)state;
    struct edda_ping ping = {.stamp = 7};
    assert_int_equal(wire_send_session(dealer, NULL, 0, EDDA_PING, NULL, EDDA_BODY_PING, &ping), 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), 0);
    uint8_t id[EDDA_MAX_ROUTING_ID];
    size_t id_size = wire.routing_id_size;
    memcpy(id, wire.routing_id, id_size);
    edda_wire_done(&wire);
    assert_int_equal(wire_send_session(router, id, id_size, EDDA_PONG, NULL, EDDA_BODY_PING, &ping),
                     0);
    assert_int_equal(edda_wire_receive(dealer, false, &wire), 0);
    assert_int_equal(wire.message.command, EDDA_PONG);
    id[0] ^= 0x55;
    id[1] ^= 0x55;
    assert_int_equal(wire_send_session(router, id, id_size, EDDA_PONG, NULL, EDDA_BODY_PING, &ping),
                     EDDA_E_UNAVAILABLE);
}

static void a_shared_body_stays_the_callers(void **state) {
    (void)state;
    size_t size = 100000;
    zmq_msg_t body;
    zmq_msg_init_size(&body, size);
    memset(zmq_msg_data(&body), 'b', size);
    const void *address = zmq_msg_data(&body);
    struct edda_message message = make_response(EDDA_BODY_CHUNKS, size);
    zmq_msg_t *bodies[] = {&body};
    assert_int_equal(wire_send(dealer, NULL, 0, &message, bodies, 1), 0);
    assert_int_equal(zmq_msg_size(&body), size);
    assert_int_equal(edda_wire_receive(router, true, &wire), 0);
    /* Over inproc not a byte was copied. */
    assert_ptr_equal(wire.message.bodies[0].data, address);
    assert_ptr_equal(zmq_msg_data(edda_wire_body(&wire, 0)), address);
    zmq_msg_close(&body);
}

static void an_absent_body_is_an_empty_frame(void **state) {
    (void)state;
    struct edda_message message = {.command = EDDA_WORK, .envelope.id = edda_uuid_new()};
    zmq_msg_t *bodies[] = {NULL, NULL};
    message.envelope.op = EDDA_TEXT("test");
    message.envelope.body_count = 2;
    assert_int_equal(wire_send(dealer, NULL, 0, &message, bodies, 2), 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), 0);
    assert_int_equal(wire.message.bodies[0].size, 0);
    assert_int_equal(edda_message_body_type(&wire.message, 1), EDDA_BODY_NONE);
}

static void a_message_without_room_in_the_envelope_is_refused_whole(void **state) {
    (void)state;
    char text[8192];
    memset(text, 'x', sizeof text);
    struct edda_message message = make_response(EDDA_BODY_EMPTY, 0);
    struct edda_bytes body = {NULL, 0};
    message.envelope.project = (struct edda_text){text, sizeof text};
    assert_int_equal(wire_send_bytes(dealer, NULL, 0, &message, &body, 1), EDDA_E_LIMIT);
    assert_int_equal(edda_wire_receive(router, true, &wire), EDDA_E_AGAIN);
}

static void send_raw(const char *const *frames, const size_t *sizes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int flags = i + 1 < count ? ZMQ_SNDMORE : 0;
        assert_int_equal(zmq_send(dealer, frames[i], sizes[i], flags), sizes[i]);
    }
}

static void expect_refused(int error) {
    assert_int_equal(edda_wire_receive(router, true, &wire), error);
    assert_int_equal(wire.frame_count, 0);
    assert_true(wire.routing_id_size > 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), EDDA_E_AGAIN);
}

static void malformed_messages_are_dropped_and_say_whose_they_were(void **state) {
    (void)state;
    static const char ping[] = {'E', 'D', 1, 13, 0, 0, 0, 0};
    static const char other_major[] = {'E', 'D', 2, 13, 0, 0, 0, 0};
    static const char bomb[] = {(char)0xdd, 0x10, 0, 0, 0};
    send_raw((const char *[]){"x"}, (size_t[]){1}, 1);
    expect_refused(EDDA_E_MALFORMED);
    send_raw((const char *[]){ping}, (size_t[]){8}, 1);
    expect_refused(EDDA_E_MALFORMED);
    send_raw((const char *[]){ping, bomb}, (size_t[]){8, 5}, 2);
    expect_refused(EDDA_E_MALFORMED);
    send_raw((const char *[]){other_major, "\x80"}, (size_t[]){8, 1}, 2);
    expect_refused(EDDA_E_VERSION);
    send_raw((const char *[]){""}, (size_t[]){0}, 1);
    expect_refused(EDDA_E_MALFORMED);
}

static void a_message_with_eleven_frames_is_refused(void **state) {
    (void)state;
    static const char ping[] = {'E', 'D', 1, 13, 0, 0, 0, 0};
    const char *frames[300];
    size_t sizes[300];
    for (size_t i = 0; i < 300; i++) {
        frames[i] = i == 0 ? ping : "\x80";
        sizes[i] = i == 0 ? 8 : 1;
    }
    send_raw(frames, sizes, 11);
    expect_refused(EDDA_E_LIMIT);
    send_raw(frames, sizes, 300);
    expect_refused(EDDA_E_LIMIT);
    /* What comes after is read as a message of its own. */
    struct edda_ping body = {.stamp = 9};
    assert_int_equal(wire_send_session(dealer, NULL, 0, EDDA_PING, NULL, EDDA_BODY_PING, &body), 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), 0);
}

static void a_message_over_four_mebibytes_is_refused(void **state) {
    (void)state;
    char *large = calloc(1, 1024 * 1024);
    struct edda_message message = {.command = EDDA_REQ, .envelope.id = edda_uuid_new()};
    struct edda_bytes bodies[5];
    assert_non_null(large);
    message.envelope.body_count = 5;
    message.envelope.route_count = 1;
    message.envelope.route[0] = (struct edda_route_step){.op = EDDA_TEXT("a"), .arguments = 0};
    for (int i = 0; i < 5; i++) {
        bodies[i] = (struct edda_bytes){(const uint8_t *)large, 1024 * 1024};
        message.envelope.bodies[i] =
            (struct edda_body_descriptor){.type = 17, .version = 1, .bytes = 1024 * 1024};
    }
    assert_int_equal(wire_send_bytes(dealer, NULL, 0, &message, bodies, 5), 0);
    expect_refused(EDDA_E_LIMIT);
    free(large);
}

static void a_peer_that_chose_a_long_routing_id_is_refused(void **state) {
    (void)state;
    void *stranger = zmq_socket(context, ZMQ_DEALER);
    char id[200];
    memset(id, 'i', sizeof id);
    assert_int_equal(zmq_setsockopt(stranger, ZMQ_ROUTING_ID, id, sizeof id), 0);
    assert_int_equal(zmq_connect(stranger, "inproc://wire"), 0);
    assert_int_equal(zmq_send(stranger, "x", 1, ZMQ_SNDMORE), 1);
    assert_int_equal(zmq_send(stranger, "y", 1, 0), 1);
    assert_int_equal(edda_wire_receive(router, true, &wire), EDDA_E_LIMIT);
    assert_int_equal(wire.routing_id_size, 0);
    assert_int_equal(edda_wire_receive(router, true, &wire), EDDA_E_AGAIN);
    zmq_close(stranger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_as_it_was_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_there_is_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_router_answers_by_routing_id_and_knows_who_is_gone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_body_stays_the_callers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_absent_body_is_an_empty_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_without_room_in_the_envelope_is_refused_whole,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_messages_are_dropped_and_say_whose_they_were,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_with_eleven_frames_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_over_four_mebibytes_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_chose_a_long_routing_id_is_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
