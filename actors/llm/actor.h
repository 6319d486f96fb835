/* actors/llm/actor.h: the llm stage as a role: service "llm", ops "llm.answer", "llm.rewrite",
 * "llm.providers".
 *
 * llm.answer streams an answer to the question of its arguments from the hits of its input, by a
 * provider or by quotes; llm.rewrite gives a question that stands without its chat; llm.providers
 * says who can answer. Stateless: any number may serve the same brokers. A job that comes twice is
 * answered twice; a broker sees to it that nobody reads both.
 *
 * Everything waits on the loop; quotes of more than 256 KiB of passages are found on a pool thread.
 */
#ifndef EDDA_ACTORS_LLM_ACTOR_H
#define EDDA_ACTORS_LLM_ACTOR_H

#include "actors/runtime/role.h"

/* Runs until the loop is drained or stopped. EDDA_E_INVALID: LLM_PROVIDER names a provider that is
 * not there or not described whole; logged in words. EDDA_E_MEMORY. */
int edda_llm_main(edda_loop_t *loop, const struct edda_role *role);

/* The same with another patience for readers that take nothing, which is EDDA_DELIVERY_SLOW_MS: for
 * tests. */
int edda_llm_serve(edda_loop_t *loop, const struct edda_role *role, int64_t slow_ms);

#endif
