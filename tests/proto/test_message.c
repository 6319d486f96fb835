/* tests/proto/test_message.c: frames against their envelope, and what each command must carry. */
#include "proto/body.h"
#include "proto/message.h"
#include "tests/proto/cmocka.h"

#include <stdlib.h>

static const uint8_t some_bytes[EDDA_MAX_FRAME_BYTES + 1];

struct built {
    uint8_t frame[EDDA_FRAME_BYTES];
    struct edda_buffer envelope;
    struct edda_bytes frames[16];
    size_t count;
};

/* A message whose descriptors fit its bodies, of which each has `size` bytes. */
static void add_bodies(struct edda_message *message, size_t count, uint16_t type, size_t size) {
    message->envelope.body_count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        message->envelope.bodies[i] = (struct edda_body_descriptor){type, 1, (uint32_t)size};
        message->bodies[i] = (struct edda_bytes){some_bytes, size};
    }
}

static void build(const struct edda_message *message, struct built *built) {
    edda_buffer_init(&built->envelope, 65536);
    assert_int_equal(edda_message_encode(message, built->frame, &built->envelope), 0);
    built->frames[0] = (struct edda_bytes){built->frame, EDDA_FRAME_BYTES};
    built->frames[1] = edda_buffer_bytes(&built->envelope);
    for (size_t i = 0; i < message->envelope.body_count; i++) {
        built->frames[2 + i] = message->bodies[i];
    }
    built->count = 2 + message->envelope.body_count;
}

static int decode(const struct edda_message *message) {
    struct built built;
    struct edda_message decoded;
    build(message, &built);
    int error = edda_message_decode(built.frames, built.count, &decoded);
    if (!error) {
        assert_int_equal(decoded.command, message->command);
        assert_int_equal(decoded.envelope.body_count, message->envelope.body_count);
        for (size_t i = 0; i < decoded.envelope.body_count; i++) {
            assert_ptr_equal(decoded.bodies[i].data, message->bodies[i].data);
            assert_int_equal(decoded.bodies[i].size, message->bodies[i].size);
        }
    }
    edda_buffer_done(&built.envelope);
    return error;
}

/* The least that each command needs. */
static struct edda_message minimal(uint8_t command) {
    struct edda_message message = {.command = command};
    memset(message.envelope.id.bytes, 1, 16);
    switch (command) {
    case EDDA_HELLO:
        add_bodies(&message, 1, EDDA_BODY_HELLO, 1);
        break;
    case EDDA_WELCOME:
        add_bodies(&message, 1, EDDA_BODY_WELCOME, 1);
        break;
    case EDDA_CREDIT:
        add_bodies(&message, 1, EDDA_BODY_CREDIT, 1);
        break;
    case EDDA_PING:
    case EDDA_PONG:
        add_bodies(&message, 1, EDDA_BODY_PING, 1);
        break;
    case EDDA_RESET:
        add_bodies(&message, 1, EDDA_BODY_RESET, 1);
        break;
    case EDDA_REQ:
        message.envelope.route_count = 1;
        message.envelope.route[0] =
            (struct edda_route_step){EDDA_TEXT("embed"), 0, 0, EDDA_NO_ARGUMENTS};
        break;
    case EDDA_WORK:
        message.envelope.op = EDDA_TEXT("embed");
        add_bodies(&message, 2, EDDA_BODY_CHUNKS, 1);
        break;
    case EDDA_RESP:
    case EDDA_DONE:
    case EDDA_PART:
        add_bodies(&message, 1, EDDA_BODY_CHUNKS, 1);
        break;
    case EDDA_FAIL:
        message.envelope.error.code = EDDA_E_BUSY;
        break;
    default:
        break;
    }
    return message;
}

static void every_command_with_what_it_needs_is_read(void **state) {
    (void)state;
    for (uint8_t command = EDDA_HELLO; command <= EDDA_RESET; command++) {
        struct edda_message message = minimal(command);
        assert_int_equal(decode(&message), 0);
    }
}

static void a_command_without_its_id_is_malformed(void **state) {
    (void)state;
    for (uint8_t command = EDDA_HELLO; command <= EDDA_RESET; command++) {
        struct edda_message message = minimal(command);
        memset(message.envelope.id.bytes, 0, 16);
        bool needs_id = command >= EDDA_REQ && command <= EDDA_CANCEL;
        assert_int_equal(decode(&message), needs_id ? EDDA_E_MALFORMED : 0);
    }
}

static void a_command_with_another_number_of_bodies_is_malformed(void **state) {
    (void)state;
    for (uint8_t command = EDDA_HELLO; command <= EDDA_RESET; command++) {
        struct edda_message message = minimal(command);
        size_t right = message.envelope.body_count;
        uint16_t type = right ? message.envelope.bodies[0].type : EDDA_BODY_EMPTY;
        for (size_t count = 0; count <= EDDA_MAX_BODIES; count++) {
            add_bodies(&message, count, type, 1);
            bool fine = count == right || command == EDDA_REQ;
            assert_int_equal(decode(&message), fine ? 0 : EDDA_E_MALFORMED);
        }
    }
}

static void a_session_command_with_a_body_of_another_type_is_malformed(void **state) {
    (void)state;
    static const uint8_t commands[] = {EDDA_HELLO, EDDA_WELCOME, EDDA_CREDIT,
                                       EDDA_PING,  EDDA_PONG,    EDDA_RESET};
    for (size_t i = 0; i < sizeof(commands); i++) {
        struct edda_message message = minimal(commands[i]);
        message.envelope.bodies[0].type = EDDA_BODY_EMPTY;
        assert_int_equal(decode(&message), EDDA_E_MALFORMED);
    }
}

static void a_work_without_op_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_WORK);
    message.envelope.op.size = 0;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
}

static void a_request_without_route_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_REQ);
    message.envelope.route_count = 0;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
}

static void a_request_whose_arguments_do_not_exist_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_REQ);
    add_bodies(&message, 2, EDDA_BODY_EMPTY, 1);
    message.envelope.route[0].arguments = 1;
    assert_int_equal(decode(&message), 0);
    message.envelope.route[0].arguments = 2;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
    message.envelope.route[0].arguments = 254;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
    message.envelope.route[0].arguments = EDDA_NO_ARGUMENTS;
    assert_int_equal(decode(&message), 0);
}

static void a_fail_without_error_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_FAIL);
    message.envelope.error.code = 0;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
}

static void an_absent_body_is_an_empty_frame(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_WORK);
    message.envelope.bodies[1] = (struct edda_body_descriptor){EDDA_BODY_NONE, 0, 0};
    message.bodies[1].size = 0;
    assert_int_equal(decode(&message), 0);
    message.envelope.bodies[1].bytes = 1;
    message.bodies[1].size = 1;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
}

static void a_body_of_another_size_than_announced_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_DONE);
    message.bodies[0].size = 2;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
    message.bodies[0].size = 0;
    assert_int_equal(decode(&message), EDDA_E_MALFORMED);
}

static void more_or_fewer_bodies_than_announced_are_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_WORK);
    struct edda_message decoded;
    struct built built;
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 4, &decoded), 0);
    assert_int_equal(edda_message_decode(built.frames, 3, &decoded), EDDA_E_MALFORMED);
    built.frames[4] = (struct edda_bytes){some_bytes, 1};
    assert_int_equal(edda_message_decode(built.frames, 5, &decoded), EDDA_E_MALFORMED);
    edda_buffer_done(&built.envelope);
}

static void a_message_of_one_frame_is_malformed(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_BYE);
    struct edda_message decoded;
    struct built built;
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 2, &decoded), 0);
    assert_int_equal(edda_message_decode(built.frames, 1, &decoded), EDDA_E_MALFORMED);
    assert_int_equal(edda_message_decode(built.frames, 0, &decoded), EDDA_E_MALFORMED);
    edda_buffer_done(&built.envelope);
}

/* Seen to fail without the count of frames (tests/fault/guards/33b.patch). */
static void a_message_with_eleven_frames_is_refused(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_REQ);
    struct edda_message decoded;
    struct built built;
    add_bodies(&message, EDDA_MAX_BODIES, EDDA_BODY_EMPTY, 1);
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 10, &decoded), 0);
    built.frames[10] = (struct edda_bytes){some_bytes, 1};
    assert_int_equal(edda_message_decode(built.frames, 11, &decoded), EDDA_E_LIMIT);
    edda_buffer_done(&built.envelope);
}

/* Seen to fail without check_sizes() of a frame (tests/fault/guards/33c.patch). */
static void a_frame_of_the_maximum_is_read_and_one_byte_more_is_not(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_DONE);
    struct edda_message decoded;
    struct built built;
    add_bodies(&message, 1, EDDA_BODY_CHUNKS, EDDA_MAX_FRAME_BYTES);
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 3, &decoded), 0);
    built.frames[2].size++;
    assert_int_equal(edda_message_decode(built.frames, 3, &decoded), EDDA_E_LIMIT);
    edda_buffer_done(&built.envelope);
}

static void a_message_of_four_mebibytes_is_read_and_one_byte_more_is_not(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_REQ);
    struct built built;
    struct edda_message decoded;
    add_bodies(&message, 4, EDDA_BODY_CHUNKS, EDDA_MAX_MESSAGE_BYTES / 4);
    build(&message, &built);
    size_t over = EDDA_FRAME_BYTES + built.envelope.size;
    edda_buffer_done(&built.envelope);
    message.bodies[3].size -= over;
    message.envelope.bodies[3].bytes -= (uint32_t)over;
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 6, &decoded), 0);
    edda_buffer_done(&built.envelope);
    message.bodies[3].size += 1;
    message.envelope.bodies[3].bytes += 1;
    build(&message, &built);
    assert_int_equal(edda_message_decode(built.frames, 6, &decoded), EDDA_E_LIMIT);
    edda_buffer_done(&built.envelope);
}

/* Seen to fail when frames are counted first (tests/fault/guards/30c.patch). */
static void another_major_is_told_before_anything_else(void **state) {
    (void)state;
    static const uint8_t frame[] = {'E', 'D', 9, 99, 0, 0, 0, 0};
    struct edda_bytes frames[12] = {{frame, sizeof(frame)}};
    struct edda_message decoded;
    assert_int_equal(edda_message_decode(frames, 12, &decoded), EDDA_E_VERSION);
    assert_int_equal(edda_message_decode(frames, 1, &decoded), EDDA_E_VERSION);
}

static void a_body_that_is_not_there_has_type_zero(void **state) {
    (void)state;
    struct edda_message message = minimal(EDDA_WORK);
    assert_int_equal(edda_message_body_type(&message, 0), EDDA_BODY_CHUNKS);
    assert_int_equal(edda_message_body_type(&message, 2), 0);
    assert_int_equal(edda_message_body_type(&message, 8), 0);
    assert_int_equal(edda_message_body_type(&message, SIZE_MAX), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_with_what_it_needs_is_read),
        cmocka_unit_test(a_command_without_its_id_is_malformed),
        cmocka_unit_test(a_command_with_another_number_of_bodies_is_malformed),
        cmocka_unit_test(a_session_command_with_a_body_of_another_type_is_malformed),
        cmocka_unit_test(a_work_without_op_is_malformed),
        cmocka_unit_test(a_request_without_route_is_malformed),
        cmocka_unit_test(a_request_whose_arguments_do_not_exist_is_malformed),
        cmocka_unit_test(a_fail_without_error_is_malformed),
        cmocka_unit_test(an_absent_body_is_an_empty_frame),
        cmocka_unit_test(a_body_of_another_size_than_announced_is_malformed),
        cmocka_unit_test(more_or_fewer_bodies_than_announced_are_malformed),
        cmocka_unit_test(a_message_of_one_frame_is_malformed),
        cmocka_unit_test(a_message_with_eleven_frames_is_refused),
        cmocka_unit_test(a_frame_of_the_maximum_is_read_and_one_byte_more_is_not),
        cmocka_unit_test(a_message_of_four_mebibytes_is_read_and_one_byte_more_is_not),
        cmocka_unit_test(another_major_is_told_before_anything_else),
        cmocka_unit_test(a_body_that_is_not_there_has_type_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
