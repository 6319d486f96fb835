/* tests/actors/llm/with_provider.h: the llm stage whose default is a fake provider ("local");
 * openai, groq, anthropic and gemini are configured too and are the same fake. 64 tokens of an
 * answer unless a test says otherwise.
 *
 *   with_provider_start(with, NULL);
 *   provider_process_set(with->fake, "{\"chat\":{...}}");
 *   with_provider_ask(with, 1, LIVE_STREAMING);
 *   live_llm_credit(&with->llm, 1, 100);
 *   struct edda_answer answer = with_provider_collect(with, 0);
 *   with_provider_stop(with); */
#ifndef EDDA_TESTS_WITH_PROVIDER_H
#define EDDA_TESTS_WITH_PROVIDER_H

#include "proto/limits.h"
#include "tests/actors/llm/live_llm.h"
#include "tests/provider/provider_process.h"

struct with_provider {
    struct live_role llm;
    struct provider_process *fake;
    uint32_t parts; /* that were collected */
    char text[EDDA_MAX_ANSWER_BYTES + 1];
};

/* Of a test: a fresh struct and its fake, ended with it. */
int with_provider_make(void **state);
int with_provider_unmake(void **state);
#define WITH_PROVIDER_TEST(name)                                                                   \
    cmocka_unit_test_setup_teardown(name, with_provider_make, with_provider_unmake)

/* settings: more of them, as live_llm_start; they hold before the usual ones. */
void with_provider_start(struct with_provider *with, const char *const *settings);
void with_provider_start_slow(struct with_provider *with, const char *const *settings,
                              int64_t slow_ms);
void with_provider_stop(struct with_provider *with);

/* Where the mill is, of two passages: by the default, or a provider by name. */
void with_provider_ask(struct with_provider *with, uint8_t number, unsigned flags);
void with_provider_ask_by(struct with_provider *with, uint8_t number, const char *provider,
                          unsigned flags);

/* PARTs of the last asked until the DONE, whose text must be all of theirs. credit_of: request that
 * is granted one more part before each; 0: none. */
struct edda_answer with_provider_collect(struct with_provider *with, uint8_t credit_of);

/* PARTs until the FAIL; their text is in with->text. Returns the FAIL's. */
const char *with_provider_break(struct with_provider *with, int code, enum edda_blame blame);

/* Until that counter of the fake's chats has at least this value; 0 stands for exactly none. */
void with_provider_wait(struct with_provider *with, const char *counter, int64_t value);

/* Until the fake sends no more. */
void with_provider_settle(struct with_provider *with);

#endif
