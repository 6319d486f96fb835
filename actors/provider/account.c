/* actors/provider/account.c: the table of who can be asked for what, and its reading of settings.
 */
#include "actors/provider/account.h"

#include <stdio.h>

#include "actors/provider/outbound.h"
#include "proto/limits.h"

#define NONE    (-1) /* no such setting */
#define DEFAULT "default"

/* When a call goes without a key. */
enum key_rule {
    KEY_ALWAYS,    /* never */
    KEY_ELSEWHERE, /* when the base URL is not the provider's own */
    KEY_OPTIONAL,
};

struct provider {
    int key; /* settings, or NONE */
    int url;
    int models[3];    /* by use; NONE: not for this use, unless `unnamed` */
    unsigned unnamed; /* bit by use: serves it with one model that has no name */
    enum key_rule rule;
};

#define EMBED  (1u << EDDA_USE_EMBED)
#define RERANK (1u << EDDA_USE_RERANK)

static const struct provider providers[EDDA_PROVIDER_COUNT] = {
    [EDDA_PROVIDER_OPENAI] = {.key = EDDA_CONFIG_OPENAI_API_KEY,
                              .url = EDDA_CONFIG_OPENAI_BASE_URL,
                              .models = {EDDA_CONFIG_OPENAI_EMBEDDING_MODEL, NONE,
                                         EDDA_CONFIG_OPENAI_MODEL},
                              .rule = KEY_ELSEWHERE},
    [EDDA_PROVIDER_VOYAGE] = {.key = EDDA_CONFIG_VOYAGE_API_KEY,
                              .url = EDDA_CONFIG_VOYAGE_BASE_URL,
                              .models = {EDDA_CONFIG_VOYAGE_EMBEDDING_MODEL,
                                         EDDA_CONFIG_VOYAGE_RERANK_MODEL, NONE}},
    [EDDA_PROVIDER_COHERE] = {.key = EDDA_CONFIG_COHERE_API_KEY,
                              .url = EDDA_CONFIG_COHERE_BASE_URL,
                              .models = {EDDA_CONFIG_COHERE_EMBEDDING_MODEL,
                                         EDDA_CONFIG_COHERE_RERANK_MODEL, NONE}},
    [EDDA_PROVIDER_JINA] = {.key = EDDA_CONFIG_JINA_API_KEY,
                            .url = EDDA_CONFIG_JINA_BASE_URL,
                            .models = {EDDA_CONFIG_JINA_EMBEDDING_MODEL,
                                       EDDA_CONFIG_JINA_RERANK_MODEL, NONE}},
    [EDDA_PROVIDER_VLLM] = {.key = NONE,
                            .url = NONE,
                            .models = {NONE, NONE, NONE},
                            .unnamed = RERANK,
                            .rule = KEY_OPTIONAL},
    [EDDA_PROVIDER_GEMINI] = {.key = EDDA_CONFIG_GEMINI_API_KEY,
                              .url = EDDA_CONFIG_GEMINI_BASE_URL,
                              .models = {EDDA_CONFIG_GEMINI_EMBEDDING_MODEL, NONE,
                                         EDDA_CONFIG_GEMINI_MODEL}},
    [EDDA_PROVIDER_TEI] = {.key = NONE,
                           .url = NONE,
                           .models = {NONE, NONE, NONE},
                           .unnamed = EMBED | RERANK,
                           .rule = KEY_OPTIONAL},
    [EDDA_PROVIDER_OLLAMA] = {.key = NONE,
                              .url = EDDA_CONFIG_OLLAMA_BASE_URL,
                              .models = {EDDA_CONFIG_OLLAMA_EMBEDDING_MODEL, NONE, NONE},
                              .rule = KEY_OPTIONAL},
    [EDDA_PROVIDER_ANTHROPIC] = {.key = EDDA_CONFIG_ANTHROPIC_API_KEY,
                                 .url = EDDA_CONFIG_ANTHROPIC_BASE_URL,
                                 .models = {NONE, NONE, EDDA_CONFIG_ANTHROPIC_MODEL}},
    [EDDA_PROVIDER_GROQ] = {.key = EDDA_CONFIG_GROQ_API_KEY,
                            .url = EDDA_CONFIG_GROQ_BASE_URL,
                            .models = {NONE, NONE, EDDA_CONFIG_GROQ_MODEL}},
    [EDDA_PROVIDER_LOCAL] = {.key = EDDA_CONFIG_LOCAL_LLM_API_KEY,
                             .url = EDDA_CONFIG_LOCAL_LLM_BASE_URL,
                             .models = {NONE, NONE, EDDA_CONFIG_LOCAL_LLM_MODEL},
                             .unnamed = EMBED | RERANK,
                             .rule = KEY_OPTIONAL},
};

#define EDDA_PROVIDER(name, text, label) {text, label},
static const struct {
    const char *name;
    const char *label;
} names[EDDA_PROVIDER_COUNT] = {
#include "actors/provider/provider.def"
};
#undef EDDA_PROVIDER

/* The settings that stand before the provider's own, by use. */
static const struct {
    enum edda_setting chooser;
    int url;
    int key;
    int model;
} overrides[] = {
    [EDDA_USE_EMBED] = {EDDA_CONFIG_EMBEDDING_PROVIDER, EDDA_CONFIG_EMBEDDING_SERVICE_URL,
                        EDDA_CONFIG_EMBEDDING_API_KEY, EDDA_CONFIG_EMBEDDING_MODEL},
    [EDDA_USE_RERANK] = {EDDA_CONFIG_RERANKING_PROVIDER, EDDA_CONFIG_RERANKING_SERVICE_URL,
                         EDDA_CONFIG_RERANKING_API_KEY, EDDA_CONFIG_RERANKING_MODEL},
    [EDDA_USE_CHAT] = {EDDA_CONFIG_LLM_PROVIDER, NONE, NONE, NONE},
};

static const char *text_of(const edda_config_t *config, int setting) {
    return setting == NONE ? "" : edda_config_text(config, (enum edda_setting)setting);
}

static bool serves(const struct provider *provider, enum edda_provider_use use) {
    return provider->models[use] != NONE || (provider->unnamed & (1u << use)) != 0;
}

/* The provider's own settings are for one use of LOCAL only: its language model. */
static bool has_own_settings(enum edda_provider_kind kind, enum edda_provider_use use) {
    return kind != EDDA_PROVIDER_LOCAL || use == EDDA_USE_CHAT;
}

/* The overrides are the chosen provider's: another, asked for a model of before, is not sent its
 * key. Where none is chosen they can only be meant for one that has no address of its own. */
static const char *override_of(const edda_config_t *config, const struct provider *provider,
                               const struct edda_account *account, int setting) {
    const char *chosen = edda_config_text(config, overrides[account->use].chooser);
    bool homeless = provider->url == NONE || !has_own_settings(account->kind, account->use);
    bool meant = strcmp(chosen, account->name) == 0 || (strcmp(chosen, "builtin") == 0 && homeless);
    return meant ? text_of(config, setting) : "";
}

static const char *choose_url(const edda_config_t *config, const struct provider *provider,
                              const struct edda_account *account) {
    const char *url = override_of(config, provider, account, overrides[account->use].url);
    if (!*url && account->kind == EDDA_PROVIDER_LOCAL && account->use == EDDA_USE_RERANK) {
        url = edda_config_text(config, EDDA_CONFIG_EMBEDDING_SERVICE_URL); /* as in Skald */
    }
    if (!*url && has_own_settings(account->kind, account->use)) {
        url = text_of(config, provider->url);
    }
    return url;
}

static const char *choose_key(const edda_config_t *config, const struct provider *provider,
                              const struct edda_account *account) {
    const char *key = override_of(config, provider, account, overrides[account->use].key);
    if (!*key && has_own_settings(account->kind, account->use)) {
        key = text_of(config, provider->key);
    }
    return key;
}

static bool is_own_url(const struct provider *provider, const char *url) {
    return provider->url != NONE &&
           strcmp(url, edda_setting_info((enum edda_setting)provider->url)->fallback) == 0;
}

static bool may_go_without_key(const struct provider *provider, const char *url) {
    return provider->rule == KEY_OPTIONAL ||
           (provider->rule == KEY_ELSEWHERE && !is_own_url(provider, url));
}

static bool is_url(const char *url) {
    return edda_outbound_check(url, NULL) == 0 && url[strcspn(url, "?#\"\\")] == '\0';
}

static int set_url(const char *url, struct edda_account *account, const char *variable,
                   char message[EDDA_ACCOUNT_MESSAGE]) {
    size_t size = strlen(url);
    while (size > 0 && url[size - 1] == '/') {
        size--;
    }
    if (!is_url(url) || size >= EDDA_ACCOUNT_URL) {
        (void)snprintf(message, EDDA_ACCOUNT_MESSAGE,
                       "%s of %s must be http://HOST or https://HOST, with a path or without",
                       variable, account->name);
        return EDDA_E_INVALID;
    }
    memcpy(account->url, url, size);
    account->url[size] = '\0';
    return 0;
}

static const char *variable_of(int setting) {
    return setting == NONE ? "the base URL"
                           : edda_setting_info((enum edda_setting)setting)->variable;
}

static int refuse(const struct edda_account *account, const char *variable,
                  char message[EDDA_ACCOUNT_MESSAGE]) {
    (void)snprintf(message, EDDA_ACCOUNT_MESSAGE, "%s=%s needs %s",
                   variable_of((int)overrides[account->use].chooser), account->name, variable);
    return EDDA_E_INVALID;
}

static int fill_account(const edda_config_t *config, const struct provider *provider,
                        struct edda_account *account, char message[EDDA_ACCOUNT_MESSAGE]) {
    int url_setting = has_own_settings(account->kind, account->use) && provider->url != NONE
                          ? provider->url
                          : overrides[account->use].url;
    const char *url = choose_url(config, provider, account);
    if (!*url) {
        return refuse(account, variable_of(url_setting), message);
    }
    account->key = choose_key(config, provider, account);
    if (!*account->key && !may_go_without_key(provider, url)) {
        return refuse(account, variable_of(provider->key), message);
    }
    const char *model = override_of(config, provider, account, overrides[account->use].model);
    if (!*model) {
        model = text_of(config, provider->models[account->use]);
    }
    (void)snprintf(account->model, sizeof account->model, "%s", *model ? model : DEFAULT);
    if (account->use == EDDA_USE_EMBED) {
        account->dimension = (uint32_t)edda_config_number(config, EDDA_CONFIG_EMBEDDING_DIMENSION);
    }
    return set_url(url, account, variable_of(url_setting), message);
}

int edda_account_find(const edda_config_t *config, enum edda_provider_use use, const char *name,
                      struct edda_account *ret_account, char message[EDDA_ACCOUNT_MESSAGE]) {
    for (size_t i = 0; i < EDDA_PROVIDER_COUNT; i++) {
        if (strcmp(names[i].name, name) == 0 && serves(&providers[i], use)) {
            *ret_account = (struct edda_account){
                .kind = (enum edda_provider_kind)i,
                .use = use,
                .name = names[i].name,
                .label = names[i].label,
            };
            return fill_account(config, &providers[i], ret_account, message);
        }
    }
    (void)snprintf(message, EDDA_ACCOUNT_MESSAGE, "there is no provider %.64s for this", name);
    return EDDA_E_NOT_FOUND;
}

/* An OpenAI account elsewhere needs no key: it is meant when somebody says where. */
static bool is_configured(const edda_config_t *config, enum edda_provider_use use, size_t i) {
    struct edda_account account;
    char message[EDDA_ACCOUNT_MESSAGE];
    return edda_account_find(config, use, names[i].name, &account, message) == 0;
}

const char *edda_account_configured(const edda_config_t *config, enum edda_provider_use use,
                                    size_t n) {
    for (size_t i = 0; i < EDDA_PROVIDER_COUNT; i++) {
        if (is_configured(config, use, i) && n-- == 0) {
            return names[i].name;
        }
    }
    return NULL;
}

int edda_account_vectors(const struct edda_account *account, char ret_model[65]) {
    int size = snprintf(ret_model, EDDA_MAX_NAME + 1, "%s:%s", account->name, account->model);
    return size > 0 && size <= EDDA_MAX_NAME ? 0 : EDDA_E_LIMIT;
}
