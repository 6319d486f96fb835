/* tests/actors/llm/live_llm.c: see live_llm.h. */
#include "tests/actors/llm/live_llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "actors/llm/actor.h"
#include "actors/llm/delivery.h"
#include "proto/body.h"
#include "proto/body_peer.h"
#include "proto/uuid.h"
#include "tests/proto/cmocka.h"

#define URL      "inproc://llm"
#define PASSAGES 16
#define SETTINGS 32
#define MIB      (1u << 20)

static int64_t slow_limit_ms; /* written before a role's thread is made */

static int serve(edda_loop_t *loop, const struct edda_role *role) {
    return edda_llm_serve(loop, role, slow_limit_ms);
}

static void take_ready(void *context, const char *name, const char *detail) {
    struct live_llm *llm = context;
    assert_non_null(name);
    (void)snprintf(llm->detail, sizeof llm->detail, "%s", detail);
}

static void prepare(struct live_llm *llm, const char *const *settings) {
    static const char *const urls[] = {URL};
    const char *message = NULL;
    char pairs[SETTINGS][512];
    char *environment[SETTINGS + 1] = {NULL};
    *llm = (struct live_llm){
        .zmq_context = zmq_ctx_new(), .loop = edda_loop_new("test"), .config = edda_config_new()};
    for (size_t i = 0; settings && settings[2 * i]; i++) {
        assert_true(i < SETTINGS);
        (void)snprintf(pairs[i], sizeof pairs[i], "%s=%s", settings[2 * i], settings[2 * i + 1]);
        environment[i] = pairs[i];
    }
    if (edda_config_environment(llm->config, environment, &message) != 0) {
        fail_msg("%s", message);
    }
    llm->fake = fake_broker_new(llm->loop, llm->zmq_context, URL);
    fake_broker_ignore(llm->fake, EDDA_PROGRESS);
    fake_broker_tune(llm->fake, 60000, 3); /* a real one pings who is sent nothing */
    edda_arena_init(&llm->arena, 64u << 20);
    llm->role = (struct edda_role){.name = "llm",
                                   .zmq_context = llm->zmq_context,
                                   .config = llm->config,
                                   .connect = urls,
                                   .connect_count = 1,
                                   .ready = take_ready,
                                   .context = llm};
}

static void take_down(struct live_llm *llm) {
    fake_broker_destroy(&llm->fake);
    edda_loop_destroy(&llm->loop);
    edda_config_destroy(&llm->config);
    edda_arena_done(&llm->arena);
    zmq_ctx_term(llm->zmq_context);
}

void live_llm_start_slow(struct live_llm *llm, const char *const *settings, int64_t slow_ms) {
    prepare(llm, settings);
    slow_limit_ms = slow_ms;
    llm->thread = edda_thread_new(&llm->role, serve);
    assert_non_null(llm->thread);
    (void)fake_broker_accept(llm->fake, FAKE_BACK);
}

void live_llm_start(struct live_llm *llm, const char *const *settings) {
    live_llm_start_slow(llm, settings, EDDA_DELIVERY_SLOW_MS);
}

void live_llm_expect_refusal(const char *const *settings, int result) {
    struct live_llm llm;
    int ended = 0;
    prepare(&llm, settings);
    llm.thread = edda_thread_new(&llm.role, edda_llm_main);
    assert_non_null(llm.thread);
    assert_int_equal(edda_thread_join(&llm.thread, FAKE_WAIT_MS, &ended), 0);
    assert_int_equal(ended, result);
    assert_string_equal(llm.detail, "");
    take_down(&llm);
}

void live_llm_end(struct live_llm *llm, int64_t limit_ms, int result) {
    int ended = -1;
    edda_thread_drain(llm->thread, limit_ms);
    assert_int_equal(edda_thread_join(&llm->thread, limit_ms + FAKE_WAIT_MS, &ended), 0);
    assert_int_equal(ended, result);
    take_down(llm);
}

void live_llm_stop(struct live_llm *llm) {
    live_llm_end(llm, FAKE_WAIT_MS, 0);
}

struct edda_uuid live_llm_id(uint8_t number) {
    return (struct edda_uuid){{7, [15] = number}};
}

static void describe(struct edda_message *message, size_t index, uint16_t type, size_t size) {
    message->envelope.bodies[index] =
        (struct edda_body_descriptor){.type = type, .version = 1, .bytes = (uint32_t)size};
    message->envelope.body_count = (uint8_t)(index + 1);
}

void live_llm_work(struct live_llm *llm, uint8_t number, const struct edda_llm_answer *arguments,
                   const struct edda_hits *hits, unsigned flags, uint32_t ttl_ms) {
    struct edda_message message = {.command = EDDA_WORK, .envelope.id = live_llm_id(number)};
    struct edda_buffer buffers[2];
    message.envelope.attempt = 1;
    message.envelope.op = EDDA_TEXT("llm.answer");
    message.envelope.ttl_ms = ttl_ms;
    message.envelope.flags = flags & LIVE_STREAMING ? EDDA_FLAG_STREAMING : 0;
    edda_buffer_init(&buffers[0], EDDA_MAX_FRAME_BYTES);
    edda_buffer_init(&buffers[1], EDDA_MAX_FRAME_BYTES);
    assert_int_equal(edda_body_encode(EDDA_BODY_LLM_ANSWER, arguments, &buffers[0]), 0);
    assert_int_equal(edda_body_encode(EDDA_BODY_HITS, hits, &buffers[1]), 0);
    describe(&message, 0, EDDA_BODY_LLM_ANSWER, buffers[0].size);
    describe(&message, 1, EDDA_BODY_HITS, buffers[1].size);
    struct edda_bytes bodies[2] = {edda_buffer_bytes(&buffers[0]), edda_buffer_bytes(&buffers[1])};
    fake_broker_send(llm->fake, FAKE_BACK, &message, bodies, 2);
    edda_buffer_done(&buffers[0]);
    edda_buffer_done(&buffers[1]);
}

void live_llm_ask(struct live_llm *llm, uint8_t number, const char *query,
                  const char *const *passages, unsigned flags) {
    struct edda_hit items[PASSAGES];
    struct edda_hits hits = {.hits.items = items};
    struct edda_llm_answer arguments = {.query = edda_text_of(query)};
    for (size_t i = 0; passages[i]; i++) {
        assert_true(i < PASSAGES);
        items[hits.hits.count++] =
            (struct edda_hit){.text = edda_text_of(passages[i]), .score = 1 - (double)i / PASSAGES};
    }
    live_llm_work(llm, number, &arguments, &hits, flags, LIVE_TTL_MS);
}

void live_llm_credit(struct live_llm *llm, uint8_t number, uint64_t parts) {
    struct edda_uuid id = live_llm_id(number);
    struct edda_credit_grant grant = {.messages = parts, .bytes = MIB};
    fake_broker_tell(llm->fake, FAKE_BACK, EDDA_CREDIT, &id, EDDA_BODY_CREDIT, &grant);
}

void live_llm_cancel(struct live_llm *llm, uint8_t number) {
    struct edda_uuid id = live_llm_id(number);
    fake_broker_tell(llm->fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
}

const struct edda_wire *live_llm_expect(struct live_llm *llm, uint8_t command) {
    return fake_broker_expect_after_credit(llm->fake, FAKE_BACK, command);
}

const struct edda_wire *live_llm_next(struct live_llm *llm) {
    return fake_broker_next(llm->fake, FAKE_BACK);
}

const char *live_llm_part(struct live_llm *llm, uint32_t sequence) {
    const struct edda_wire *wire = live_llm_expect(llm, EDDA_PART);
    struct edda_answer_part part;
    assert_int_equal(wire->message.envelope.sequence, sequence);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_ANSWER_PART, wire->message.bodies[0], &llm->arena, &part), 0);
    return edda_arena_text(&llm->arena, part.text).data;
}

struct edda_answer live_llm_decode(struct live_llm *llm, const struct edda_wire *wire) {
    struct edda_bytes body = wire->message.bodies[0];
    struct edda_answer answer;
    uint8_t *copy = edda_arena_take(&llm->arena, body.size + 1);
    if (wire->message.command != EDDA_DONE) {
        fail_msg("waited for DONE, got %s %.*s", edda_command_name(wire->message.command),
                 (int)wire->message.envelope.error.text.size,
                 wire->message.envelope.error.text.data);
    }
    assert_non_null(copy);
    memcpy(copy, body.data, body.size);
    assert_int_equal(edda_body_decode(EDDA_BODY_ANSWER, (struct edda_bytes){copy, body.size},
                                      &llm->arena, &answer),
                     0);
    answer.text = edda_arena_text(&llm->arena, answer.text); /* with a NUL */
    return answer;
}

struct edda_answer live_llm_answer(struct live_llm *llm) {
    return live_llm_decode(llm, live_llm_next(llm));
}

const char *live_llm_judge(struct live_llm *llm, const struct edda_wire *wire, int code,
                           enum edda_blame blame) {
    const struct edda_wire_error *error = &wire->message.envelope.error;
    if (wire->message.command != EDDA_FAIL || error->code != code || error->blame != blame) {
        fail_msg("%s %s, blame %u: %.*s", edda_command_name(wire->message.command),
                 edda_error_name(error->code), error->blame, (int)error->text.size,
                 error->text.data);
    }
    return edda_arena_text(&llm->arena, error->text).data;
}

const char *live_llm_failure(struct live_llm *llm, int code, enum edda_blame blame) {
    return live_llm_judge(llm, live_llm_next(llm), code, blame);
}

void live_llm_expect_silence(struct live_llm *llm, int64_t ms) {
    fake_broker_expect_nothing(llm->fake, FAKE_BACK, ms, true);
}
