/* tests/actors/llm/live_llm.h: the llm stage as a role, before a broker that is a fake, and words
 * to ask it with.
 *
 *   struct live_role llm;
 *   live_llm_start(&llm, settings);                  // {"LLM_PROVIDER", "local", NULL}: pairs
 *   live_llm_ask(&llm, 1, "Where is the mill?", hits, 2, LIVE_STREAMING);
 *   live_llm_credit(&llm, 1, 2);
 *   live_llm_part(&llm, buffer);
 *   struct edda_answer answer = live_llm_answer(&llm);
 *   live_role_stop(&llm);
 *
 * Requests are told apart by a number of the test's own. Threads: the test's, and the role's. */
#ifndef EDDA_TESTS_LIVE_LLM_H
#define EDDA_TESTS_LIVE_LLM_H

#include "proto/body_stage.h"
#include "tests/harness/live_role.h"

#define LIVE_STREAMING 1u /* flags of live_llm_ask */
#define LIVE_TTL_MS    20000

/* settings: variables and values in turn, NULL-terminated. The role is welcomed. */
void live_llm_start(struct live_role *llm, const char *const *settings);

/* The same with readers given up after slow_ms. */
void live_llm_start_slow(struct live_role *llm, const char *const *settings, int64_t slow_ms);

/* The role ends by itself with this result, without having been ready. */
void live_llm_expect_refusal(const char *const *settings, int result);

struct edda_uuid live_llm_id(uint8_t number);

/* WORK for llm.answer with these arguments and hits. */
void live_llm_work(struct live_role *llm, uint8_t number, const struct edda_llm_answer *arguments,
                   const struct edda_hits *hits, unsigned flags, uint32_t ttl_ms);

/* The same with a question and hits that have these texts. */
void live_llm_ask(struct live_role *llm, uint8_t number, const char *query,
                  const char *const *passages, unsigned flags);

/* Totals of parts that may be sent, of a MiB. */
void live_llm_credit(struct live_role *llm, uint8_t number, uint64_t parts);
void live_llm_cancel(struct live_role *llm, uint8_t number);

/* The next message that is neither CREDIT nor PROGRESS: this one, or any. */
const struct edda_wire *live_llm_expect(struct live_role *llm, uint8_t command);
const struct edda_wire *live_llm_next(struct live_role *llm);

/* What a message says that must be a DONE with an answer, or a FAIL with that code and blame. */
struct edda_answer live_llm_decode(struct live_role *llm, const struct edda_wire *wire);
const char *live_llm_judge(struct live_role *llm, const struct edda_wire *wire, int code,
                           enum edda_blame blame);

/* The text of the next PART, which must be number `sequence`; in the arena. */
const char *live_llm_part(struct live_role *llm, uint32_t sequence);

/* The answer of the DONE that is next. */
struct edda_answer live_llm_answer(struct live_role *llm);

/* The FAIL that is next: its text, in the arena. */
const char *live_llm_failure(struct live_role *llm, int code, enum edda_blame blame);

/* No PART and no end for ms. */
void live_llm_expect_silence(struct live_role *llm, int64_t ms);

#endif
