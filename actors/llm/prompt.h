/* actors/llm/prompt.h: what a model is told: how to answer, what was said before, numbered
 * passages, and the question, within a budget of tokens.
 *
 *   system     how to answer, then "Additional instructions: ..." of the client
 *   messages   history: questions with their answers, the most recent that fit
 *              the last, the user's:   [[1]] title › heading
 *                                      text
 *                                      ...
 *                                      [[end of passages]]
 *
 *                                      Question: ...
 *
 * Passages are data. What marks the frame begins with "[[", and no passage can hold that: theirs
 * become "[ [". So a passage may imitate a model's instructions, but not where it ends itself.
 *
 * The budget: instructions and question first, which must leave EDDA_PROMPT_LEAST tokens; history
 * takes at most EDDA_PROMPT_HISTORY and half of what is left; passages the rest, whole and in their
 * order, until one does not fit. The first is always there, cut if it must be. Tokens are estimates
 * (actors/text/tokens.h). Pure but for the arena. */
#ifndef EDDA_ACTORS_LLM_PROMPT_H
#define EDDA_ACTORS_LLM_PROMPT_H

#include "actors/provider/api.h"
#include "proto/arena.h"

#define EDDA_PROMPT_HISTORY 2000
#define EDDA_PROMPT_LEAST   64 /* for the first passage */

struct edda_prompt {
    struct edda_chat_prompt chat; /* max_tokens is the caller's to set */
    struct edda_sources sources;  /* exactly the passages given, in order */
    uint32_t tokens;
};

/* hits: best first; those beyond arguments->passages (0: none) are not looked at. Texts of the
 * prompt and of its sources live in the arena or point into arguments and hits. EDDA_E_LIMIT: the
 * question and its instructions are over the budget; EDDA_E_MEMORY. */
int edda_prompt_build(const struct edda_llm_answer *arguments, const struct edda_hit_list *hits,
                      uint32_t budget_tokens, struct edda_arena *arena,
                      struct edda_prompt *ret_prompt) EDDA_MUST_CHECK;

/* The questions with their answers at the end of a history that have at most so many tokens, oldest
 * first, begun by a user's. What got no answer is left out. ret_messages has room for
 * history->count; returns how many it got. */
size_t edda_prompt_history(const struct edda_llm_messages *history, uint32_t budget_tokens,
                           struct edda_llm_message *ret_messages, uint32_t *ret_tokens);

#endif
