/* actors/llm/models.h: who can answer: the built-in answerer, and every provider that the settings
 * describe whole.
 *
 * The default, LLM_PROVIDER, comes first. All providers share one outbound. Threads: the loop's. */
#ifndef EDDA_ACTORS_LLM_MODELS_H
#define EDDA_ACTORS_LLM_MODELS_H

#include "actors/provider/account.h"
#include "actors/provider/provider.h"
#include "actors/runtime/metric.h"
#include "proto/body_stage.h"

#define EDDA_MODELS_BUILTIN "builtin"

struct edda_model {
    const char *name;            /* "openai"; static */
    const char *label;           /* "OpenAI"; static */
    const char *model;           /* "gpt-4o-mini"; as long as the models */
    edda_provider_t *provider;   /* NULL: the built-in answerer */
    struct edda_account account; /* of the provider */
    edda_cell_t *first_token;
};

typedef struct edda_models edda_models_t;

/* config is borrowed. EDDA_E_INVALID: LLM_PROVIDER names nobody, or lacks a setting; logged in
 * words. EDDA_E_MEMORY. */
int edda_models_new(edda_loop_t *loop, const edda_config_t *config,
                    edda_models_t **ret_models) EDDA_MUST_CHECK;

/* Open calls are cancelled without a word. */
void edda_models_destroy(edda_models_t **self_p);

size_t edda_models_count(const edda_models_t *self);
const struct edda_model *edda_models_get(const edda_models_t *self, size_t i);

/* The one of that name; the default when it is absent or empty; NULL: there is none. */
const struct edda_model *edda_models_find(const edda_models_t *self, struct edda_text name);

/* "Invalid LLM provider: x. Supported providers: openai, local": as the contract has it, where the
 * built-in answerer is named only when it is alone. At most EDDA_MAX_ERROR_TEXT bytes and NUL. */
void edda_models_refusal(const edda_models_t *self, struct edda_text name,
                         char ret_text[EDDA_MAX_ERROR_TEXT + 1]);

#endif
