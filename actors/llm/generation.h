/* actors/llm/generation.h: one call to a model: a prompt out, text in as it comes, one end.
 *
 *   new -> on_text ... -> on_end       on_end once, never from within new
 *   new -> cancel                      neither any more; the connection is closed at once
 *
 * The text of one read comes in one piece. The first of it must come within first_byte_ms, all
 * tries and waiting in line included. A stream that breaks off, speaks nonsense or ends without its
 * end mark ends with an error, after the text that came, and counts as the provider's failure.
 * Threads: the loop's. */
#ifndef EDDA_ACTORS_LLM_GENERATION_H
#define EDDA_ACTORS_LLM_GENERATION_H

#include "actors/llm/models.h"
#include "actors/provider/api.h"

typedef struct edda_generation edda_generation_t;

/* Borrowed for the call. */
struct edda_generation_end {
    int error; /* 0, or whose fault it was: */
    enum edda_blame blame;
    uint32_t retry_after_ms;
    char text[EDDA_MAX_ERROR_TEXT + 1]; /* of an error */
    const char *finish;                 /* "stop", "length", "content_filter" */
    uint32_t input_tokens;              /* 0: not said */
    uint32_t output_tokens;
};

struct edda_generation_options {
    edda_loop_t *loop;
    const struct edda_model *model; /* with a provider; borrowed */
    int64_t first_byte_ms;
    int64_t deadline_ms;
    void (*on_text)(void *context, struct edda_text text); /* may cancel */
    void (*on_end)(void *context, const struct edda_generation_end *end);
    void *context;
};

/* prompt is borrowed for the call. On an error *ret_end says what to tell; on_end will not come. */
int edda_generation_new(const struct edda_generation_options *options,
                        const struct edda_chat_prompt *prompt, edda_generation_t **ret_generation,
                        struct edda_generation_end *ret_end) EDDA_MUST_CHECK;

/* Nulls the pointer. Also from within on_text, and needed after on_end too. */
void edda_generation_cancel(edda_generation_t **self_p);

/* Stops reading from the provider, or goes on. */
void edda_generation_pause(edda_generation_t *self, bool paused);

#endif
