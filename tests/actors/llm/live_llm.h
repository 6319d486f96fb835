/* tests/actors/llm/live_llm.h: the llm stage as a role, before a broker that is a fake, and words
 * to ask it with.
 *
 *   struct live_llm llm;
 *   live_llm_start(&llm, settings);                  // {"LLM_PROVIDER", "local", NULL}: pairs
 *   live_llm_ask(&llm, 1, "Where is the mill?", hits, 2, LIVE_STREAMING);
 *   live_llm_credit(&llm, 1, 2);
 *   live_llm_part(&llm, buffer);
 *   struct edda_answer answer = live_llm_answer(&llm);
 *   live_llm_stop(&llm);
 *
 * Requests are told apart by a number of the test's own. Threads: the test's, and the role's. */
#ifndef EDDA_TESTS_LIVE_LLM_H
#define EDDA_TESTS_LIVE_LLM_H

#include "actors/runtime/role.h"
#include "proto/arena.h"
#include "proto/body_stage.h"
#include "tests/harness/fake_broker.h"

#define LIVE_STREAMING 1u /* flags of live_llm_ask */
#define LIVE_TTL_MS    20000

struct live_llm {
    void *zmq_context;
    edda_loop_t *loop;
    edda_config_t *config;
    struct fake_broker *fake;
    struct edda_role role;
    edda_thread_t *thread;
    struct edda_arena arena; /* of what is given back */
    char detail[256];        /* what the role said when it was ready */
};

/* settings: variables and values in turn, NULL-terminated. The role is welcomed. */
void live_llm_start(struct live_llm *llm, const char *const *settings);

/* The same with readers given up after slow_ms. */
void live_llm_start_slow(struct live_llm *llm, const char *const *settings, int64_t slow_ms);

/* The role ends by itself with this result, without having been ready. */
void live_llm_expect_refusal(const char *const *settings, int result);

/* Drains within limit_ms; the role must end with this result. */
void live_llm_stop(struct live_llm *llm);
void live_llm_end(struct live_llm *llm, int64_t limit_ms, int result);

struct edda_uuid live_llm_id(uint8_t number);

/* WORK for llm.answer with these arguments and hits. */
void live_llm_work(struct live_llm *llm, uint8_t number, const struct edda_llm_answer *arguments,
                   const struct edda_hits *hits, unsigned flags, uint32_t ttl_ms);

/* The same with a question and hits that have these texts. */
void live_llm_ask(struct live_llm *llm, uint8_t number, const char *query,
                  const char *const *passages, unsigned flags);

/* Totals of parts that may be sent, of a MiB. */
void live_llm_credit(struct live_llm *llm, uint8_t number, uint64_t parts);
void live_llm_cancel(struct live_llm *llm, uint8_t number);

/* The next message that is neither CREDIT nor PROGRESS: this one, or any. */
const struct edda_wire *live_llm_expect(struct live_llm *llm, uint8_t command);
const struct edda_wire *live_llm_next(struct live_llm *llm);

/* What a message says that must be a DONE with an answer, or a FAIL with that code and blame. */
struct edda_answer live_llm_decode(struct live_llm *llm, const struct edda_wire *wire);
const char *live_llm_judge(struct live_llm *llm, const struct edda_wire *wire, int code,
                           enum edda_blame blame);

/* The text of the next PART, which must be number `sequence`; in the arena. */
const char *live_llm_part(struct live_llm *llm, uint32_t sequence);

/* The answer of the DONE that is next. */
struct edda_answer live_llm_answer(struct live_llm *llm);

/* The FAIL that is next: its text, in the arena. */
const char *live_llm_failure(struct live_llm *llm, int code, enum edda_blame blame);

/* No PART and no end for ms. */
void live_llm_expect_silence(struct live_llm *llm, int64_t ms);

#endif
