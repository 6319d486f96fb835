/* ops/command_index.c: `edda index` and `edda migrate`: what is done to a PostgreSQL database by
 * hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/store/index/fusion.h"
#include "actors/store/postgres/migrate.h"
#include "actors/store/postgres/vector_index.h"
#include "actors/store/sqlite/sqlite.h"
#include "ops/command.h"
#include "ops/progress.h"

#define MODELS 64

struct indexing {
    const struct edda_command *command;
    edda_pg_url_t *url;
    struct edda_pg_plain database;
    struct edda_pg_plain watch;
    char message[512];
    char watch_message[512];
    struct edda_pg_vector_index items[MODELS];
    size_t count;
    struct edda_progress progress;
};

static int report(const struct edda_command *command, const char *message) {
    fprintf(stderr, "edda %s: %s\n", command->name, message);
    return EDDA_EXIT_FAILED;
}

static void show_progress(void *context, const char *phase, int64_t done, int64_t total) {
    struct indexing *self = context;
    char what[160];
    snprintf(what, sizeof what, "%s", phase);
    self->progress.total = (size_t)total;
    edda_progress_show(&self->progress, what, (size_t)done, 0);
}

/* Whose vectors are compared in the stores' memory. */
static bool needs_none(const struct edda_pg_vector_index *item) {
    return edda_fusion_is_builtin(edda_text_of(item->name));
}

static int list_indexes(const struct indexing *self, int64_t exact) {
    static const char *const states[] = {"none", "broken", "ready"};
    if (self->count == 0) {
        printf("no vectors yet\n");
    }
    for (size_t i = 0; i < self->count; i++) {
        const struct edda_pg_vector_index *item = &self->items[i];
        printf("%s (%lld floats): %lld vectors, largest project %lld chunks; index: %s", item->name,
               (long long)item->dimension, (long long)item->vectors, (long long)item->largest,
               states[item->state]);
        if (item->state == EDDA_PG_INDEX_READY) {
            printf(", %lld MB", (long long)(item->bytes >> 20));
        } else if (needs_none(item)) {
            printf("; it needs none, the store compares them in memory");
        } else if (item->largest > exact) {
            printf("; `edda index build` makes its searches faster");
        }
        printf("\n");
    }
    return EDDA_EXIT_OK;
}

static int build(struct indexing *self, const struct edda_pg_vector_index *item) {
    edda_progress_init(&self->progress, (size_t)item->vectors);
    int error =
        edda_pg_vector_index_build(&self->database, &self->watch, item, show_progress, self);
    edda_progress_clear(&self->progress);
    if (error != 0)
        return report(self->command, self->message);
    printf("%s: indexed %lld vectors\n", item->name, (long long)item->vectors);
    return EDDA_EXIT_OK;
}

static int drop(struct indexing *self, const struct edda_pg_vector_index *item) {
    if (edda_pg_vector_index_drop(&self->database, item) != 0)
        return report(self->command, self->message);
    printf("%s: no index any more\n", item->name);
    return EDDA_EXIT_OK;
}

static bool is_known(const struct indexing *self, const char *model) {
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(model, self->items[i].name) == 0)
            return true;
    }
    return false;
}

/* Of one model, or of all that want it. */
static int change(struct indexing *self, const char *verb, const char *model) {
    bool building = strcmp(verb, "build") == 0;
    int status = EDDA_EXIT_OK;
    size_t changed = 0;
    if (model && !is_known(self, model)) {
        snprintf(self->message, sizeof self->message,
                 "there are no vectors of %.200s; `edda index` lists the models", model);
        return report(self->command, self->message);
    }
    for (size_t i = 0; i < self->count && status == EDDA_EXIT_OK; i++) {
        const struct edda_pg_vector_index *item = &self->items[i];
        bool wanted =
            building ? item->state != EDDA_PG_INDEX_READY && item->vectors > 0 && !needs_none(item)
                     : item->state != EDDA_PG_INDEX_NONE;
        if (!wanted || (model && strcmp(model, item->name) != 0))
            continue;
        status = building ? build(self, item) : drop(self, item);
        changed++;
    }
    if (changed == 0)
        printf("nothing to %s\n", verb);
    return status;
}

static int connect_both(struct indexing *self, const edda_config_t *config) {
    int64_t connect_ms = edda_config_number(config, EDDA_CONFIG_DATABASE_CONNECT_MS);
    self->database = (struct edda_pg_plain){
        .url = self->url, .message = self->message, .message_size = sizeof self->message};
    self->watch = (struct edda_pg_plain){.url = self->url,
                                         .message = self->watch_message,
                                         .message_size = sizeof self->watch_message};
    int error = edda_pg_check_tables(self->url, &edda_store_schema_postgres, connect_ms, false,
                                     self->message, sizeof self->message);
    if (error == 0)
        error = edda_pg_plain_open(&self->database, connect_ms);
    if (error == 0 && edda_pg_plain_open(&self->watch, connect_ms) != 0) {
        memcpy(self->message, self->watch_message, sizeof self->message);
        error = EDDA_E_UNAVAILABLE;
    }
    return error;
}

int edda_command_index(const struct edda_command *command, const struct edda_options *options) {
    const edda_config_t *config = options->config;
    const char *url = edda_config_text(config, EDDA_CONFIG_DATABASE);
    const char *verb = options->word_count > 0 ? options->words[0] : "list";
    bool listing = strcmp(verb, "list") == 0;
    if (!listing && strcmp(verb, "build") != 0 && strcmp(verb, "drop") != 0)
        return edda_command_misused(command, "%s is none of list, build and drop", verb);
    if (url[0] == '\0')
        return edda_command_misused(command, "--database is needed: the store in --data needs no "
                                             "index, it has all vectors in memory");
    struct indexing *self = calloc(1, sizeof *self);
    if (!self)
        return report(command, "out of memory");
    self->command = command;
    int status = EDDA_EXIT_OK;
    int error = edda_pg_url_parse(url, self->message, sizeof self->message, &self->url);
    if (error == 0)
        error = connect_both(self, config);
    if (error == 0)
        error = edda_pg_vector_indexes(&self->database, self->items, MODELS, &self->count);
    if (error != 0)
        status = report(command, self->message);
    else if (listing)
        status = list_indexes(self, edda_config_number(config, EDDA_CONFIG_VECTOR_EXACT_CHUNKS));
    else
        status = change(self, verb, edda_options_own_value(options, "--model="));
    edda_pg_plain_close(&self->database);
    edda_pg_plain_close(&self->watch);
    edda_pg_url_free(&self->url);
    free(self);
    return status;
}

/* ---- migrate ---- */

static int migrate_directory(const edda_config_t *config, char *message, size_t size) {
    edda_loop_t *loop = edda_loop_new("migrate");
    edda_backend_t *backend = NULL;
    struct edda_sqlite_options options = {
        .loop = loop,
        .directory = edda_config_text(config, EDDA_CONFIG_DATA),
        .threads = 1,
    };
    int error = loop ? edda_sqlite_open(&options, message, size, &backend) : EDDA_E_MEMORY;
    if (error == 0)
        snprintf(message, size, "the data directory %s", options.directory);
    edda_backend_destroy(&backend);
    edda_loop_destroy(&loop);
    return error;
}

/* Without an error message says which one it was. */
static int migrate_database(const edda_config_t *config, const char *text, char *message,
                            size_t size) {
    edda_pg_url_t *url = NULL;
    int error = edda_pg_url_parse(text, message, size, &url);
    if (error == 0)
        error = edda_pg_migrate(url, &edda_store_schema_postgres,
                                edda_config_number(config, EDDA_CONFIG_DATABASE_CONNECT_MS),
                                message, size);
    if (error == 0)
        snprintf(message, size, "the database %s", edda_pg_url_shown(url));
    edda_pg_url_free(&url);
    return error;
}

int edda_command_migrate(const struct edda_command *command, const struct edda_options *options) {
    const char *url = edda_config_text(options->config, EDDA_CONFIG_DATABASE);
    char message[512] = "out of memory";
    int error = url[0] ? migrate_database(options->config, url, message, sizeof message)
                       : migrate_directory(options->config, message, sizeof message);
    if (error != 0)
        return report(command, message);
    printf("the schema is at version %zu in %s\n",
           url[0] ? edda_store_schema_postgres.count : edda_store_schema_sqlite.count, message);
    return EDDA_EXIT_OK;
}
