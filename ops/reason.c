/* ops/reason.c: see reason.h. */
#include "ops/reason.h"

#include <stdio.h>
#include <string.h>

#include "actors/provider/account.h"
#include "proto/error.h"

#define REASON_BYTES 4608 /* a setting of 4096 bytes with words around it */

static bool explain_broker(int error, const edda_config_t *config, char *text) {
    const char *listen = edda_config_text(config, EDDA_CONFIG_LISTEN);
    switch (error) {
    case EDDA_E_CONFLICT:
        snprintf(text, REASON_BYTES, "another Edda runs on the data directory %s%s%s",
                 edda_config_text(config, EDDA_CONFIG_DATA),
                 listen[0] ? ", or another process listens at " : "", listen);
        return true;
    case EDDA_E_DENIED:
        snprintf(text, REASON_BYTES,
                 "--listen %s goes beyond this machine without encryption; --insecure-tcp allows "
                 "it where the network is private",
                 listen);
        return true;
    case EDDA_E_INVALID:
        snprintf(text, REASON_BYTES, "--listen %s is not tcp://ADDRESS:PORT or ipc://PATH", listen);
        return true;
    default:
        return false;
    }
}

static bool explain_gateway(int error, const edda_config_t *config, char *text) {
    const char *http = edda_config_text(config, EDDA_CONFIG_HTTP);
    switch (error) {
    case EDDA_E_INVALID:
        snprintf(text, REASON_BYTES, "--http %s is not ADDRESS:PORT", http);
        return true;
    case EDDA_E_UNAVAILABLE:
        snprintf(text, REASON_BYTES,
                 "%s cannot be listened on: is it in use? --http names another address", http);
        return true;
    default:
        return false;
    }
}

static bool explain_store(int error, const edda_config_t *config, char *text) {
    if (error != EDDA_E_CONFLICT)
        return false;
    snprintf(text, REASON_BYTES, "another process uses the data directory %s",
             edda_config_text(config, EDDA_CONFIG_DATA));
    return true;
}

/* A stage that asks a provider whose settings are not complete. */
static bool explain_provider(int error, const edda_config_t *config, enum edda_provider_use use,
                             enum edda_setting chooser, char *text) {
    const char *name = edda_config_text(config, chooser);
    struct edda_account account;
    char message[EDDA_ACCOUNT_MESSAGE];
    if (error != EDDA_E_INVALID || strcmp(name, "builtin") == 0 ||
        edda_account_find(config, use, name, &account, message) == 0)
        return false;
    snprintf(text, REASON_BYTES, "%s", message);
    return true;
}

static bool explain(const char *part, int error, const edda_config_t *config, char *text) {
    if (strcmp(part, "broker") == 0)
        return explain_broker(error, config, text);
    if (strcmp(part, "gateway") == 0)
        return explain_gateway(error, config, text);
    if (strcmp(part, "store") == 0)
        return explain_store(error, config, text);
    if (strcmp(part, "embedder") == 0)
        return explain_provider(error, config, EDDA_USE_EMBED, EDDA_CONFIG_EMBEDDING_PROVIDER,
                                text);
    if (strcmp(part, "reranker") == 0)
        return explain_provider(error, config, EDDA_USE_RERANK, EDDA_CONFIG_RERANKING_PROVIDER,
                                text);
    return strcmp(part, "llm") == 0 &&
           explain_provider(error, config, EDDA_USE_CHAT, EDDA_CONFIG_LLM_PROVIDER, text);
}

void edda_reason_print(const char *part, int error, const edda_config_t *config) {
    char text[REASON_BYTES];
    bool known = explain(part, error, config, text);
    if (known)
        fprintf(stderr, "edda: the %s did not start: %s\n", part, text);
    else if (error != 0)
        fprintf(stderr, "edda: the %s did not start: %s; what it said is above\n", part,
                edda_error_text(error));
    else
        fprintf(stderr, "edda: the %s did not start; what it said is above\n", part);
}
