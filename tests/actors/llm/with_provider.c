/* tests/actors/llm/with_provider.c: see with_provider.h. */
#include "tests/actors/llm/with_provider.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/llm/delivery.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "tests/proto/cmocka.h"

#define SETTLED 20 /* looks, ten milliseconds apart, that see no change */

int with_provider_make(void **state) {
    struct with_provider *with = calloc(1, sizeof *with);
    if (!with) {
        return -1;
    }
    with->fake = provider_process_start(NULL, NULL);
    *state = with;
    return 0;
}

int with_provider_unmake(void **state) {
    struct with_provider *with = *state;
    provider_process_stop(&with->fake);
    free(with);
    return 0;
}

void with_provider_start_slow(struct with_provider *with, const char *const *settings,
                              int64_t slow_ms) {
    char urls[5][256];
    static const char *const prefixes[] = {"openai/v1", "openai/v1", "groq/v1", "anthropic",
                                           "gemini/v1beta"};
    static const char *const usual[] = {"LLM_PROVIDER",
                                        "local",
                                        "OPENAI_API_KEY",
                                        "k1",
                                        "GROQ_API_KEY",
                                        "k2",
                                        "ANTHROPIC_API_KEY",
                                        "k3",
                                        "GEMINI_API_KEY",
                                        "k4",
                                        "EDDA_LLM_MAX_TOKENS",
                                        "64",
                                        NULL};
    static const char *const variables[] = {"LOCAL_LLM_BASE_URL", "OPENAI_BASE_URL",
                                            "GROQ_BASE_URL", "ANTHROPIC_BASE_URL",
                                            "GEMINI_BASE_URL"};
    const char *all[64] = {NULL};
    size_t count = 0;
    for (size_t i = 0; settings && settings[i]; i++) { /* the first of a name holds */
        all[count++] = settings[i];
    }
    for (size_t i = 0; i < 5; i++) {
        provider_process_url(with->fake, prefixes[i], urls[i], sizeof urls[i]);
        all[count++] = variables[i];
        all[count++] = urls[i];
    }
    for (size_t i = 0; usual[i]; i++) {
        all[count++] = usual[i];
    }
    live_llm_start_slow(&with->llm, all, slow_ms);
}

void with_provider_start(struct with_provider *with, const char *const *settings) {
    with_provider_start_slow(with, settings, EDDA_DELIVERY_SLOW_MS);
}

void with_provider_stop(struct with_provider *with) {
    live_role_stop(&with->llm);
}

void with_provider_ask_by(struct with_provider *with, uint8_t number, const char *provider,
                          unsigned flags) {
    struct edda_hit items[] = {{.text = EDDA_TEXT("The mill stands by the river.")},
                               {.text = EDDA_TEXT("It grinds barley.")}};
    struct edda_hits hits = {.hits = {items, 2}};
    struct edda_llm_answer arguments = {.query = EDDA_TEXT("Where is the mill?"),
                                        .provider = edda_text_of(provider)};
    with->parts = 0;
    with->text[0] = '\0';
    live_llm_work(&with->llm, number, &arguments, &hits, flags, LIVE_TTL_MS);
}

void with_provider_ask(struct with_provider *with, uint8_t number, unsigned flags) {
    with_provider_ask_by(with, number, NULL, flags);
}

/* The next message; a PART is noted. */
static uint8_t take(struct with_provider *with, const struct edda_wire **ret_wire) {
    const struct edda_wire *wire = live_llm_next(&with->llm);
    if (wire->message.command == EDDA_PART) {
        struct edda_answer_part part;
        assert_int_equal(wire->message.envelope.sequence, with->parts++);
        assert_int_equal(edda_body_decode(EDDA_BODY_ANSWER_PART, wire->message.bodies[0],
                                          &with->llm.arena, &part),
                         0);
        size_t size = strlen(with->text);
        assert_true(part.text.size > 0 && size + part.text.size <= EDDA_MAX_ANSWER_BYTES);
        memcpy(with->text + size, part.text.data, part.text.size);
        with->text[size + part.text.size] = '\0';
    }
    *ret_wire = wire;
    return wire->message.command;
}

struct edda_answer with_provider_collect(struct with_provider *with, uint8_t credit_of) {
    const struct edda_wire *wire;
    uint32_t granted = with->parts;
    uint8_t command;
    do {
        if (credit_of && granted == with->parts) {
            live_llm_credit(&with->llm, credit_of, ++granted);
        }
        command = take(with, &wire);
    } while (command == EDDA_PART);
    struct edda_answer answer = live_llm_decode(&with->llm, wire);
    assert_string_equal(answer.text.data, with->text);
    return answer;
}

const char *with_provider_break(struct with_provider *with, int code, enum edda_blame blame) {
    const struct edda_wire *wire;
    while (take(with, &wire) == EDDA_PART) {
    }
    return live_llm_judge(&with->llm, wire, code, blame);
}

void with_provider_wait(struct with_provider *with, const char *counter, int64_t value) {
    int64_t until_ms = edda_clock_ms() + FAKE_WAIT_MS;
    int64_t seen = -1;
    while (edda_clock_ms() < until_ms) {
        seen = provider_process_count(with->fake, "chat", counter);
        if (value ? seen >= value : seen == 0) {
            return;
        }
        fake_loop_for(with->llm.loop, 5);
    }
    fail_msg("the fake's %s is %lld, not %lld", counter, (long long)seen, (long long)value);
}

void with_provider_settle(struct with_provider *with) {
    int64_t until_ms = edda_clock_ms() + FAKE_WAIT_MS;
    int64_t last = -1;
    for (size_t same = 0; same < SETTLED;) {
        int64_t sent = provider_process_count(with->fake, NULL, "bytes_out");
        same = sent == last ? same + 1 : 0;
        last = sent;
        assert_true(edda_clock_ms() < until_ms);
        fake_loop_for(with->llm.loop, 10);
    }
}
