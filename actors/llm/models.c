#include "actors/llm/models.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/llm/extractive.h"
#include "actors/runtime/log.h"

#define MODELS (EDDA_PROVIDER_COUNT + 1)

struct edda_models {
    edda_loop_t *loop;
    const edda_config_t *config;
    edda_outbound_t *outbound; /* NULL while nobody needs it */
    struct edda_model items[MODELS];
    size_t count;
};

static int64_t number_of(const edda_models_t *self, enum edda_setting setting) {
    return edda_config_number(self->config, setting);
}

static int open_outbound(edda_models_t *self) {
    if (!self->outbound) {
        self->outbound = edda_outbound_new(&(struct edda_outbound_options){
            .loop = self->loop,
            .ca_file = edda_config_text(self->config, EDDA_CONFIG_PROVIDER_CA_FILE),
            .proxy = edda_config_text(self->config, EDDA_CONFIG_PROVIDER_PROXY),
            .connect_ms = number_of(self, EDDA_CONFIG_PROVIDER_CONNECT_MS),
            .first_byte_ms = number_of(self, EDDA_CONFIG_PROVIDER_FIRST_BYTE_MS),
            .idle_ms = number_of(self, EDDA_CONFIG_PROVIDER_IDLE_MS),
        });
    }
    return self->outbound ? 0 : EDDA_E_MEMORY;
}

static int add_provider(edda_models_t *self, const struct edda_account *account) {
    struct edda_model *model = &self->items[self->count];
    int error = open_outbound(self);
    if (error) {
        return error;
    }
    *model = (struct edda_model){
        .name = account->name,
        .label = account->label,
        .account = *account,
        .first_token = edda_metric_cell(EDDA_METRIC_LLM_FIRST_TOKEN, account->name),
        .provider = edda_provider_new(&(struct edda_provider_options){
            .loop = self->loop,
            .outbound = self->outbound,
            .name = account->name,
            .concurrency = (uint32_t)number_of(self, EDDA_CONFIG_PROVIDER_CONCURRENCY),
            .per_minute = (uint32_t)number_of(self, EDDA_CONFIG_PROVIDER_PER_MINUTE),
        }),
    };
    model->model = model->account.model;
    self->count += model->provider != NULL;
    return model->provider ? 0 : EDDA_E_MEMORY;
}

static void add_builtin(edda_models_t *self) {
    self->items[self->count++] = (struct edda_model){
        .name = EDDA_MODELS_BUILTIN,
        .label = "Built-in",
        .model = EDDA_EXTRACT_MODEL,
        .first_token = edda_metric_cell(EDDA_METRIC_LLM_FIRST_TOKEN, EDDA_MODELS_BUILTIN),
    };
}

/* The default; anything about it that is wrong stops the role. */
static int add_default(edda_models_t *self) {
    const char *name = edda_config_text(self->config, EDDA_CONFIG_LLM_PROVIDER);
    struct edda_account account;
    char message[EDDA_ACCOUNT_MESSAGE];
    if (strcmp(name, EDDA_MODELS_BUILTIN) == 0) {
        add_builtin(self);
        return 0;
    }
    int error = edda_account_find(self->config, EDDA_USE_CHAT, name, &account, message);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "llm_provider", "text=\"%s\"", message);
        return EDDA_E_INVALID;
    }
    return add_provider(self, &account);
}

static int add_others(edda_models_t *self) {
    const char *name;
    int error = 0;
    for (size_t n = 0;
         !error && (name = edda_account_configured(self->config, EDDA_USE_CHAT, n)) != NULL; n++) {
        struct edda_account account;
        char message[EDDA_ACCOUNT_MESSAGE];
        if (strcmp(name, self->items[0].name) != 0) {
            error = edda_account_find(self->config, EDDA_USE_CHAT, name, &account, message);
            error = error ? error : add_provider(self, &account);
        }
    }
    if (!error && self->items[0].provider) {
        add_builtin(self);
    }
    return error;
}

int edda_models_new(edda_loop_t *loop, const edda_config_t *config, edda_models_t **ret_models) {
    edda_models_t *self = calloc(1, sizeof *self);
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->loop = loop;
    self->config = config;
    int error = add_default(self);
    if (!error) {
        error = add_others(self);
    }
    if (error) {
        edda_models_destroy(&self);
        return error;
    }
    *ret_models = self;
    return 0;
}

void edda_models_destroy(edda_models_t **self_p) {
    edda_models_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        edda_provider_destroy(&self->items[i].provider);
    }
    edda_outbound_destroy(&self->outbound);
    free(self);
    *self_p = NULL;
}

size_t edda_models_count(const edda_models_t *self) {
    return self->count;
}

const struct edda_model *edda_models_get(const edda_models_t *self, size_t i) {
    EDDA_ASSERT(i < self->count);
    return &self->items[i];
}

const struct edda_model *edda_models_find(const edda_models_t *self, struct edda_text name) {
    if (name.size == 0) {
        return &self->items[0];
    }
    for (size_t i = 0; i < self->count; i++) {
        if (edda_text_is(name, self->items[i].name)) {
            return &self->items[i];
        }
    }
    return NULL;
}

void edda_models_refusal(const edda_models_t *self, struct edda_text name,
                         char ret_text[EDDA_MAX_ERROR_TEXT + 1]) {
    struct edda_buffer out;
    bool first = true;
    edda_buffer_init(&out, EDDA_MAX_ERROR_TEXT);
    (void)edda_buffer_printf(
        &out, "Invalid LLM provider: %.*s. Supported providers: ", (int)name.size, name.data);
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].provider || self->count == 1) {
            (void)edda_buffer_printf(&out, "%s%s", first ? "" : ", ", self->items[i].name);
            first = false;
        }
    }
    memcpy(ret_text, out.data ? (const char *)out.data : "", out.size);
    ret_text[out.size] = '\0';
    edda_buffer_done(&out);
}
