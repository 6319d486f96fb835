/* tests/harness/record_script.c: bodies are encoded and decoded as everybody's are. */
#include "tests/harness/record_script.h"

#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/op.h"
#include "proto/uuid.h"
#include "tests/harness/state.h"
#include "tests/proto/cmocka.h"

#define TTL_MS 10000

struct edda_uuid send_steps(edda_fake_t *client, const char *project, uint64_t fence,
                            const struct record_step *steps, size_t count) {
    struct edda_message message = {.command = EDDA_REQ};
    struct edda_envelope *envelope = &message.envelope;
    struct edda_buffer buffers[EDDA_MAX_ROUTE];
    struct edda_bytes bodies[EDDA_MAX_ROUTE];
    assert_true(count <= EDDA_MAX_ROUTE);
    envelope->id = edda_uuid_new();
    envelope->project = edda_text_of(project);
    envelope->ttl_ms = TTL_MS;
    envelope->fence = fence;
    envelope->route_count = (uint8_t)count;
    envelope->body_count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        edda_buffer_init(&buffers[i], EDDA_MAX_FRAME_BYTES);
        assert_int_equal(edda_body_encode(steps[i].type, steps[i].arguments, &buffers[i]), 0);
        bodies[i] = edda_buffer_bytes(&buffers[i]);
        envelope->bodies[i] =
            (struct edda_body_descriptor){steps[i].type, 1, (uint32_t)bodies[i].size};
        envelope->route[i] =
            (struct edda_route_step){.op = edda_text_of(steps[i].op), .arguments = (uint8_t)i};
    }
    fake_send(client, &message, bodies, count);
    for (size_t i = 0; i < count; i++) {
        edda_buffer_done(&buffers[i]);
    }
    return envelope->id;
}

static void read_record(const struct inbox_item *item, size_t body, struct edda_arena *arena,
                        uint16_t type, void *ret_record) {
    const struct edda_message *message = &item->wire.message;
    assert_int_equal(edda_message_body_type(message, body), type);
    struct edda_bytes bytes = message->bodies[body];
    uint8_t *copy = edda_arena_take(arena, bytes.size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.size);
    assert_int_equal(
        edda_body_decode(type, (struct edda_bytes){copy, bytes.size}, arena, ret_record), 0);
}

int expect_record(edda_fake_t *client, const struct edda_uuid *id, struct edda_arena *arena,
                  uint16_t type, void *ret_record) {
    struct inbox_item *item = fake_take(client, TTL_MS + SCENARIO_WAIT_MS);
    if (!item) {
        fail_msg("no reply");
        return EDDA_E_TIMEOUT;
    }
    const struct edda_message *message = &item->wire.message;
    assert_true(message->command == EDDA_RESP || message->command == EDDA_FAIL);
    assert_true(edda_uuid_equal(&message->envelope.id, id));
    int error = message->command == EDDA_FAIL ? message->envelope.error.code : 0;
    if (!error) {
        read_record(item, 0, arena, type, ret_record);
    }
    fake_free_item(&item);
    return error;
}

struct fake_work expect_record_work(edda_fake_t *worker, const char *op, struct edda_arena *arena,
                                    void *ret_arguments, void *ret_input) {
    struct inbox_item *item = fake_expect(worker, EDDA_WORK, NULL);
    struct fake_work work = fake_read_work(item);
    assert_string_equal(work.op, op);
    const struct edda_op *known = edda_op_find(edda_text_of(op));
    assert_non_null(known);
    read_record(item, 0, arena, known->arguments, ret_arguments);
    if (ret_input) {
        read_record(item, 1, arena, known->input, ret_input);
    }
    fake_free_item(&item);
    return work;
}

void send_record_done(edda_fake_t *worker, const struct fake_work *work, const void *output) {
    const struct edda_op *op = edda_op_find(edda_text_of(work->op));
    struct edda_message message = {.command = EDDA_DONE};
    struct edda_buffer buffer;
    assert_non_null(op);
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    assert_int_equal(edda_body_encode(op->output, output, &buffer), 0);
    struct edda_bytes body = edda_buffer_bytes(&buffer);
    message.envelope.id = work->id;
    message.envelope.step = work->step;
    message.envelope.attempt = work->attempt;
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){op->output, 1, (uint32_t)body.size};
    fake_send(worker, &message, &body, 1);
    edda_buffer_done(&buffer);
    send_credit(worker, 1);
}
