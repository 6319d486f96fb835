/* actors/embedder/models.c: the stage's own model, and those that projects still have vectors of.
 */
#include <stdio.h>

#include "actors/embedder/request.h"
#include "actors/embedder/stage.h"
#include "actors/runtime/log.h"

#define BUILTIN "builtin"

static int64_t number_of(const struct edda_embed_stage *stage, enum edda_setting setting) {
    return edda_config_number(stage->config, setting);
}

static int open_outbound(struct edda_embed_stage *stage) {
    if (!stage->outbound) {
        stage->outbound = edda_outbound_new(&(struct edda_outbound_options){
            .loop = stage->loop,
            .ca_file = edda_config_text(stage->config, EDDA_CONFIG_PROVIDER_CA_FILE),
            .proxy = edda_config_text(stage->config, EDDA_CONFIG_PROVIDER_PROXY),
            .connect_ms = number_of(stage, EDDA_CONFIG_PROVIDER_CONNECT_MS),
            .first_byte_ms = number_of(stage, EDDA_CONFIG_PROVIDER_FIRST_BYTE_MS),
            .idle_ms = number_of(stage, EDDA_CONFIG_PROVIDER_IDLE_MS),
        });
    }
    return stage->outbound ? 0 : EDDA_E_MEMORY;
}

static void on_change(void *context) {
    struct edda_embed_stage *stage = context;
    if (stage->actor) {
        edda_actor_set_window(stage->actor, edda_embed_model_window(stage->own));
    }
}

static int open_model(struct edda_embed_stage *stage, const struct edda_account *account,
                      edda_task_fn changed, edda_embed_model_t **ret_model) {
    int error = open_outbound(stage);
    if (error) {
        return error;
    }
    struct edda_embed_model_options options = {
        .loop = stage->loop,
        .outbound = stage->outbound,
        .pool = stage->pool,
        .account = *account,
        .batch = (uint32_t)number_of(stage, EDDA_CONFIG_EMBEDDING_BATCH),
        .concurrency = (uint32_t)number_of(stage, EDDA_CONFIG_PROVIDER_CONCURRENCY),
        .per_minute = (uint32_t)number_of(stage, EDDA_CONFIG_PROVIDER_PER_MINUTE),
        .waiting = stage->waiting,
        .on_row = edda_embed_request_row,
        .on_fail = edda_embed_request_fail,
        .on_change = changed,
        .context = stage,
    };
    return edda_embed_model_new(&options, ret_model);
}

int edda_embed_stage_open(struct edda_embed_stage *stage) {
    const char *name = edda_config_text(stage->config, EDDA_CONFIG_EMBEDDING_PROVIDER);
    struct edda_account account;
    char message[EDDA_ACCOUNT_MESSAGE];
    if (strcmp(name, BUILTIN) == 0) {
        return 0;
    }
    int error = edda_account_find(stage->config, EDDA_USE_EMBED, name, &account, message);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "embedding_provider", "text=\"%s\"", message);
        return EDDA_E_INVALID;
    }
    error = open_model(stage, &account, on_change, &stage->own);
    if (error == EDDA_E_LIMIT) {
        edda_log(EDDA_LOG_ERROR, "embedding_provider",
                 "text=\"the name of %s's model is longer than vectors can be named\"", name);
        return EDDA_E_INVALID;
    }
    return error;
}

void edda_embed_stage_close(struct edda_embed_stage *stage) {
    for (size_t i = 0; i < EDDA_EMBED_OTHER_MODELS; i++) {
        edda_embed_model_destroy(&stage->others[i].model);
    }
    edda_embed_model_destroy(&stage->own);
    edda_outbound_destroy(&stage->outbound);
}

/* ---- other models ---- */

static bool is_own(const struct edda_embed_stage *stage, struct edda_text wanted,
                   uint32_t dimension) {
    if (wanted.size == 0) {
        return true;
    }
    if (!stage->own) {
        return edda_text_is(wanted, EDDA_HASH_EMBED_MODEL);
    }
    uint32_t own = edda_embed_model_dimension(stage->own);
    return edda_text_is(wanted, edda_embed_model_name(stage->own)) &&
           (dimension == 0 || own == 0 || dimension == own);
}

static edda_embed_model_t *find_other(struct edda_embed_stage *stage, struct edda_text wanted,
                                      uint32_t dimension) {
    for (size_t i = 0; i < EDDA_EMBED_OTHER_MODELS; i++) {
        struct edda_embed_other *other = &stage->others[i];
        if (other->model && other->dimension == dimension &&
            edda_text_is(wanted, edda_embed_model_name(other->model))) {
            other->used_ms = edda_loop_now(stage->loop);
            return other->model;
        }
    }
    return NULL;
}

/* A free place, or that of the model that was not used for longest; NULL: all are in use. */
static struct edda_embed_other *find_place(struct edda_embed_stage *stage) {
    struct edda_embed_other *place = NULL;
    for (size_t i = 0; i < EDDA_EMBED_OTHER_MODELS; i++) {
        struct edda_embed_other *other = &stage->others[i];
        bool free = !other->model || (edda_embed_model_idle(other->model) &&
                                      !edda_embed_request_uses(stage, other->model));
        if (free &&
            (!place || !other->model || (place->model && other->used_ms < place->used_ms))) {
            place = other;
        }
    }
    return place;
}

/* "openai:text-embedding-3-small" as an account; false: nobody here has one. */
static bool find_account(const struct edda_embed_stage *stage, struct edda_text wanted,
                         uint32_t dimension, struct edda_account *ret_account) {
    char name[EDDA_MAX_NAME + 1];
    char message[EDDA_ACCOUNT_MESSAGE];
    if (wanted.size > EDDA_MAX_NAME) {
        return false;
    }
    memcpy(name, wanted.data, wanted.size);
    name[wanted.size] = '\0';
    char *colon = memchr(name, ':', wanted.size);
    if (!colon || !colon[1]) {
        return false;
    }
    *colon = '\0';
    if (edda_account_find(stage->config, EDDA_USE_EMBED, name, ret_account, message) != 0) {
        return false;
    }
    (void)snprintf(ret_account->model, sizeof ret_account->model, "%s", colon + 1);
    ret_account->dimension = dimension;
    return true;
}

static edda_embed_model_t *open_other(struct edda_embed_stage *stage, struct edda_text wanted,
                                      uint32_t dimension) {
    struct edda_account account;
    struct edda_embed_other *place = find_place(stage);
    edda_embed_model_t *model = NULL;
    if (!place || !find_account(stage, wanted, dimension, &account) ||
        open_model(stage, &account, NULL, &model) != 0) {
        return NULL;
    }
    edda_embed_model_destroy(&place->model);
    *place = (struct edda_embed_other){model, dimension, edda_loop_now(stage->loop)};
    return model;
}

edda_embed_model_t *edda_embed_stage_choose(struct edda_embed_stage *stage, struct edda_text wanted,
                                            uint32_t dimension) {
    if (is_own(stage, wanted, dimension)) {
        return stage->own;
    }
    if (edda_text_is(wanted, EDDA_HASH_EMBED_MODEL)) {
        return NULL;
    }
    edda_embed_model_t *model = find_other(stage, wanted, dimension);
    if (!model) {
        model = open_other(stage, wanted, dimension);
    }
    return model ? model : stage->own;
}
