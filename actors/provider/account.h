/* actors/provider/account.h: who is asked for what, from the settings: base URL, key, model.
 *
 * The table of providers is provider.def. An account's texts are its own copies but for the key,
 * which stays where the settings hold it. What is set for a use and not for a provider
 * (EMBEDDING_API_KEY) is the chosen provider's alone: nobody else is sent it. Pure. */
#ifndef EDDA_ACTORS_PROVIDER_ACCOUNT_H
#define EDDA_ACTORS_PROVIDER_ACCOUNT_H

#include "actors/runtime/config.h"

#define EDDA_ACCOUNT_URL     513
#define EDDA_ACCOUNT_MODEL   129
#define EDDA_ACCOUNT_MESSAGE 256

enum edda_provider_use { EDDA_USE_EMBED, EDDA_USE_RERANK, EDDA_USE_CHAT };

/* provider.def: EDDA_PROVIDER(NAME, "name", "Label"). */
#define EDDA_PROVIDER(name, text, label) EDDA_PROVIDER_##name,
enum edda_provider_kind {
#include "actors/provider/provider.def"
    EDDA_PROVIDER_COUNT
};
#undef EDDA_PROVIDER

struct edda_account {
    enum edda_provider_kind kind;
    enum edda_provider_use use;
    const char *name;           /* "openai"; static */
    const char *label;          /* "OpenAI"; static */
    char url[EDDA_ACCOUNT_URL]; /* base, without a slash at its end */
    const char *key;            /* "" when it needs none and has none; borrowed from the settings */
    char model[EDDA_ACCOUNT_MODEL];
    uint32_t dimension; /* EMBED: to ask for; 0: the model's own */
};

/* The account of a provider by name for one use. EDDA_E_NOT_FOUND: no such provider for this use
 * ("builtin" is none). EDDA_E_INVALID: something is not set or no URL; message then says what, as
 * "EMBEDDING_PROVIDER=openai needs OPENAI_API_KEY". Never a key in a message. */
int edda_account_find(const edda_config_t *config, enum edda_provider_use use, const char *name,
                      struct edda_account *ret_account,
                      char message[EDDA_ACCOUNT_MESSAGE]) EDDA_MUST_CHECK;

/* Names of the providers that could serve this use, "builtin" not among them: those whose accounts
 * are complete; the n-th, or NULL. */
const char *edda_account_configured(const edda_config_t *config, enum edda_provider_use use,
                                    size_t n);

/* The name vectors of this account's model are stored by: "openai:text-embedding-3-small". At most
 * EDDA_MAX_NAME bytes and NUL. EDDA_E_LIMIT: longer. */
int edda_account_vectors(const struct edda_account *account, char ret_model[65]) EDDA_MUST_CHECK;

#endif
