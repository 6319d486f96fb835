/* actors/llm/rewrite.h: a question that leans on its chat, made one that can be searched for.
 *
 * By a model: a prompt of the last exchanges and the question, and the cleaning of what comes back.
 * Built in: words of the questions before are added to one that leans on them. A question leans
 * when it has no content words of its own, or few and a word that points back ("it", "das", "它"),
 * or when it begins as if it went on ("and", "und", "那"). Any other is left as it is: words that
 * do not belong to it would do more harm to the search than a missing subject. Which words point
 * back is known for English, German, French, Spanish and Chinese.
 *
 * Pure but for the arena. */
#ifndef EDDA_ACTORS_LLM_REWRITE_H
#define EDDA_ACTORS_LLM_REWRITE_H

#include "actors/provider/api.h"
#include "actors/text/text.h"
#include "proto/arena.h"

#define EDDA_REWRITE_BYTES  512 /* of a rewritten question; a longer one is not used */
#define EDDA_REWRITE_TOKENS 256 /* a model may answer with */

/* EDDA_E_MEMORY. */
int edda_rewrite_prompt(const struct edda_llm_rewrite *arguments, struct edda_arena *arena,
                        struct edda_chat_prompt *ret_prompt) EDDA_MUST_CHECK;

/* A model's answer: its first line that is not empty, without quotes around it or a label before
 * it; the query when that is nothing, too long or not text. Points into one of the two. */
struct edda_text edda_rewrite_clean(struct edda_text answer, struct edda_text query);

/* The built-in way. The query itself when it is left as it is, else in the arena. EDDA_E_MEMORY. */
int edda_rewrite_builtin(edda_analyser_t *analyser, const struct edda_llm_rewrite *arguments,
                         struct edda_arena *arena, struct edda_text *ret_query) EDDA_MUST_CHECK;

#endif
