/* tests/harness/live_role.c: see live_role.h. */
#include "tests/harness/live_role.h"

#include <stdio.h>

#include "proto/body.h"
#include "tests/proto/cmocka.h"

#define URL         "inproc://role"
#define ARENA_BYTES ((size_t)256 << 20)

static void take_ready(void *context, const char *name, const char *detail) {
    struct live_role *live = context;
    assert_non_null(name);
    (void)snprintf(live->detail, sizeof live->detail, "%s", detail);
}

void live_role_prepare(struct live_role *live, const char *name) {
    static const char *const urls[] = {URL};
    *live = (struct live_role){
        .zmq_context = zmq_ctx_new(), .loop = edda_loop_new("test"), .config = edda_config_new()};
    live->fake = fake_broker_new(live->loop, live->zmq_context, URL);
    fake_broker_tune(live->fake, 60000, 3); /* a real one pings who is sent nothing */
    edda_arena_init(&live->arena, ARENA_BYTES);
    live->role = (struct edda_role){.name = name,
                                    .zmq_context = live->zmq_context,
                                    .config = live->config,
                                    .connect = urls,
                                    .connect_count = 1,
                                    .ready = take_ready,
                                    .context = live};
}

static void make_thread(struct live_role *live, edda_role_main_fn main_function) {
    live->thread = edda_thread_new(&live->role, main_function);
    assert_non_null(live->thread);
}

void live_role_start(struct live_role *live, edda_role_main_fn main_function) {
    make_thread(live, main_function);
    (void)fake_broker_accept(live->fake, FAKE_BACK);
}

static void take_down(struct live_role *live, int64_t wait_ms, int result) {
    int ended = -1;
    assert_int_equal(edda_thread_join(&live->thread, wait_ms, &ended), 0);
    assert_int_equal(ended, result);
    fake_broker_destroy(&live->fake);
    edda_loop_destroy(&live->loop);
    edda_config_destroy(&live->config);
    edda_arena_done(&live->arena);
    zmq_ctx_term(live->zmq_context);
}

void live_role_expect_refusal(struct live_role *live, edda_role_main_fn main_function, int result) {
    make_thread(live, main_function);
    take_down(live, FAKE_WAIT_MS, result);
    assert_string_equal(live->detail, "");
}

void live_role_end(struct live_role *live, int64_t limit_ms, int result) {
    edda_thread_drain(live->thread, limit_ms);
    take_down(live, limit_ms + FAKE_WAIT_MS, result);
}

void live_role_stop(struct live_role *live) {
    live_role_end(live, FAKE_WAIT_MS, 0);
}

static struct edda_bytes put_body(struct edda_message *message, size_t index, uint16_t type,
                                  const void *record, struct edda_buffer *buffer) {
    edda_buffer_init(buffer, EDDA_MAX_FRAME_BYTES);
    if (record) {
        assert_int_equal(edda_body_encode(type, record, buffer), 0);
        message->envelope.bodies[index] =
            (struct edda_body_descriptor){.type = type,
                                          .version = edda_body_schema(type)->version,
                                          .bytes = (uint32_t)buffer->size};
    }
    return edda_buffer_bytes(buffer);
}

void live_role_send(struct live_role *live, struct edda_message *message, uint16_t type,
                    const void *arguments, uint16_t input_type, const void *input) {
    struct edda_buffer buffers[2];
    struct edda_bytes bodies[2];
    message->command = EDDA_WORK;
    message->envelope.attempt = 1;
    message->envelope.body_count = 2;
    bodies[0] = put_body(message, 0, type, arguments, &buffers[0]);
    bodies[1] = put_body(message, 1, input_type, input, &buffers[1]);
    fake_broker_send(live->fake, FAKE_BACK, message, bodies, 2);
    edda_buffer_done(&buffers[0]);
    edda_buffer_done(&buffers[1]);
}
