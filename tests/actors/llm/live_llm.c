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

#define PASSAGES 16
#define SETTINGS 32
#define MIB      (1u << 20)

static int64_t slow_limit_ms; /* written before a role's thread is made */

static int serve(edda_loop_t *loop, const struct edda_role *role) {
    return edda_llm_serve(loop, role, slow_limit_ms);
}

static void prepare(struct live_role *llm, const char *const *settings) {
    const char *message = NULL;
    char pairs[SETTINGS][512];
    char *environment[SETTINGS + 1] = {NULL};
    live_role_prepare(llm, "llm");
    for (size_t i = 0; settings && settings[2 * i]; i++) {
        assert_true(i < SETTINGS);
        (void)snprintf(pairs[i], sizeof pairs[i], "%s=%s", settings[2 * i], settings[2 * i + 1]);
        environment[i] = pairs[i];
    }
    if (edda_config_environment(llm->config, environment, &message) != 0) {
        fail_msg("%s", message);
    }
    fake_broker_ignore(llm->fake, EDDA_PROGRESS);
}

void live_llm_start_slow(struct live_role *llm, const char *const *settings, int64_t slow_ms) {
    prepare(llm, settings);
    slow_limit_ms = slow_ms;
    live_role_start(llm, serve);
}

void live_llm_start(struct live_role *llm, const char *const *settings) {
    live_llm_start_slow(llm, settings, EDDA_DELIVERY_SLOW_MS);
}

void live_llm_expect_refusal(const char *const *settings, int result) {
    struct live_role llm;
    prepare(&llm, settings);
    live_role_expect_refusal(&llm, edda_llm_main, result);
}

struct edda_uuid live_llm_id(uint8_t number) {
    return (struct edda_uuid){{7, [15] = number}};
}

void live_llm_work(struct live_role *llm, uint8_t number, const struct edda_llm_answer *arguments,
                   const struct edda_hits *hits, unsigned flags, uint32_t ttl_ms) {
    struct edda_message message = {
        .envelope.id = live_llm_id(number),
        .envelope.op = EDDA_TEXT("llm.answer"),
        .envelope.ttl_ms = ttl_ms,
        .envelope.flags = flags & LIVE_STREAMING ? EDDA_FLAG_STREAMING : 0,
    };
    live_role_send(llm, &message, EDDA_BODY_LLM_ANSWER, arguments, EDDA_BODY_HITS, hits);
}

void live_llm_ask(struct live_role *llm, uint8_t number, const char *query,
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

void live_llm_credit(struct live_role *llm, uint8_t number, uint64_t parts) {
    struct edda_uuid id = live_llm_id(number);
    struct edda_credit_grant grant = {.messages = parts, .bytes = MIB};
    fake_broker_tell(llm->fake, FAKE_BACK, EDDA_CREDIT, &id, EDDA_BODY_CREDIT, &grant);
}

void live_llm_cancel(struct live_role *llm, uint8_t number) {
    struct edda_uuid id = live_llm_id(number);
    fake_broker_tell(llm->fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
}

const struct edda_wire *live_llm_expect(struct live_role *llm, uint8_t command) {
    return fake_broker_expect_after_credit(llm->fake, FAKE_BACK, command);
}

const struct edda_wire *live_llm_next(struct live_role *llm) {
    return fake_broker_next(llm->fake, FAKE_BACK);
}

const char *live_llm_part(struct live_role *llm, uint32_t sequence) {
    const struct edda_wire *wire = live_llm_expect(llm, EDDA_PART);
    struct edda_answer_part part;
    assert_int_equal(wire->message.envelope.sequence, sequence);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_ANSWER_PART, wire->message.bodies[0], &llm->arena, &part), 0);
    return edda_arena_text(&llm->arena, part.text).data;
}

struct edda_answer live_llm_decode(struct live_role *llm, const struct edda_wire *wire) {
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

struct edda_answer live_llm_answer(struct live_role *llm) {
    return live_llm_decode(llm, live_llm_next(llm));
}

const char *live_llm_judge(struct live_role *llm, const struct edda_wire *wire, int code,
                           enum edda_blame blame) {
    const struct edda_wire_error *error = &wire->message.envelope.error;
    if (wire->message.command != EDDA_FAIL || error->code != code || error->blame != blame) {
        fail_msg("%s %s, blame %u: %.*s", edda_command_name(wire->message.command),
                 edda_error_name(error->code), error->blame, (int)error->text.size,
                 error->text.data);
    }
    return edda_arena_text(&llm->arena, error->text).data;
}

const char *live_llm_failure(struct live_role *llm, int code, enum edda_blame blame) {
    return live_llm_judge(llm, live_llm_next(llm), code, blame);
}

void live_llm_expect_silence(struct live_role *llm, int64_t ms) {
    fake_broker_expect_nothing(llm->fake, FAKE_BACK, ms, true);
}
